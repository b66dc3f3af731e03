// A system call filter (seccomp(2)) under which no cgroup namespace is made.
//
// Root of a container may make itself a user namespace where no profile forbids it, and a cgroup namespace in that. There it
// may mount a version 1 hierarchy, whose root is then the container's own cgroup: the files with its limits are root's, and
// it would lift them (cgroup1_get_tree in the kernel's kernel/cgroup/cgroup-v1.c asks for rights in the namespace's user
// namespace alone). Where the namespace is the host's or container-init's it may not.
//
// unshare(2) and clone(2) with CLONE_NEWCGROUP give EPERM. clone3(2) has its flags in memory, where a filter cannot look:
// ENOSYS, with which the C libraries go on with clone(2). no_new_privs must be set before, or CAP_SYS_ADMIN be held.
#include "filter_machine.h"

#include <linux/sched.h>

// A number that every architecture has the same (Linux 5.3).
#define CLONE3 435

#if defined(__x86_64__)
#define OTHER_UNSHARE 310
#define OTHER_CLONE 120
#elif defined(__aarch64__)
#define OTHER_UNSHARE 337
#define OTHER_CLONE 120
#endif

int ax_filter_cgroup_namespaces(void) {
#ifdef OWN_ARCHITECTURE
  // The flags are in the lower 32 bits of the first argument; on these architectures that is its first half.
  struct sock_filter program[] = {
      /* 0 */ LOAD(arch),
      /* 1 */ IS(OTHER_ARCHITECTURE, 0, 4),
      /* 2 */ LOAD(nr),
      /* 3 */ IS(CLONE3, 12, 0),
      /* 4 */ IS(OTHER_UNSHARE, 8, 0),
      /* 5 */ IS(OTHER_CLONE, 7, 6),
      /* 6 */ IS(OWN_ARCHITECTURE, 0, 5),
      /* 7 */ LOAD(nr),
      /* 8 */ BPF_STMT(BPF_ALU | BPF_AND | BPF_K, ~X32_BIT),
      /* 9 */ IS(CLONE3, 6, 0),
      /* 10 */ IS(SYS_unshare, 2, 0),
      /* 11 */ IS(SYS_clone, 1, 0),
      /* 12 */ RETURN(SECCOMP_RET_ALLOW),
      /* 13 */ LOAD(args[0]),
      /* 14 */ BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_NEWCGROUP, 0, 2),
      /* 15 */ RETURN(SECCOMP_RET_ERRNO | EPERM),
      /* 16 */ RETURN(SECCOMP_RET_ERRNO | ENOSYS),
      /* 17 */ RETURN(SECCOMP_RET_ALLOW),
  };
  return ax_install_filter(program, sizeof program / sizeof *program);
#else
  errno = ENOSYS;
  return -1;
#endif
}
