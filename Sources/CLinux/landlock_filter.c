// A system call filter (seccomp(2)) under which nobody holds a file by a rule of Landlock.
//
// A rule keeps the inode that it names (get_inode_object in the kernel's security/landlock/fs.c): a file that is removed
// after it was named in one has no name, no descriptor and no mapping, and takes its room all the same. Where a task's disk is
// measured nobody would find it. ENOSYS, as from a kernel without Landlock, with which programs go on. What has been taken on
// before stays. no_new_privs must be set before, or CAP_SYS_ADMIN be held.
#include "filter_machine.h"

// A number that every architecture has the same (Linux 5.13).
#define LANDLOCK_CREATE_RULESET 444

int ax_filter_landlock(void) {
#ifdef OWN_ARCHITECTURE
  struct sock_filter program[] = {
      /* 0 */ LOAD(nr),
      /* 1 */ BPF_STMT(BPF_ALU | BPF_AND | BPF_K, ~X32_BIT),
      /* 2 */ IS(LANDLOCK_CREATE_RULESET, 0, 1),
      /* 3 */ RETURN(SECCOMP_RET_ERRNO | ENOSYS),
      /* 4 */ RETURN(SECCOMP_RET_ALLOW),
  };
  return ax_install_filter(program, sizeof program / sizeof *program);
#else
  errno = ENOSYS;
  return -1;
#endif
}
