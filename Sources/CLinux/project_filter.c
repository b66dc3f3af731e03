// A system call filter (seccomp(2)) that keeps the project ids of files as they are.
//
// The owner of a file may give it another project id, or take the flag by which a directory hands its own on
// (fileattr_set_prepare in the kernel's fs/ioctl.c): so he would leave a project quota, or have somebody else's charged. What
// the calls are to change lies in memory, where a filter cannot look; so they are refused as a whole, with EPERM. Filters
// stay for good and are inherited. no_new_privs must be set before one, or CAP_SYS_ADMIN be held.
#include "filter_machine.h"

// A number that every architecture has the same: file_setattr(2), Linux 6.17.
#define FILE_SETATTR 469

#if defined(__x86_64__)
#define OTHER_IOCTL 54
// x32 has an ioctl number of its own. Without its bit 514 is no system call.
#define X32_IOCTL 514
#elif defined(__aarch64__)
#define OTHER_IOCTL 54
#define X32_IOCTL SYS_ioctl
#endif

int ax_filter_project_changes(void) {
#ifdef OWN_ARCHITECTURE
  // The command of an ioctl is 32 bits wide; on these architectures that is the first half of its argument.
  struct sock_filter program[] = {
      /* 0 */ LOAD(arch),
      /* 1 */ IS(OTHER_ARCHITECTURE, 0, 3),
      /* 2 */ LOAD(nr),
      /* 3 */ IS(FILE_SETATTR, 12, 0),
      /* 4 */ IS(OTHER_IOCTL, 6, 10),
      /* 5 */ IS(OWN_ARCHITECTURE, 0, 10),
      /* 6 */ LOAD(nr),
      /* 7 */ BPF_STMT(BPF_ALU | BPF_AND | BPF_K, ~X32_BIT),
      /* 8 */ IS(FILE_SETATTR, 7, 0),
      /* 9 */ IS(SYS_ioctl, 1, 0),
      /* 10 */ IS(X32_IOCTL, 0, 4),
      /* 11 */ LOAD(args[1]),
      /* 12 */ IS(FS_IOC_FSSETXATTR, 3, 0),
      /* 13 */ IS(FS_IOC_SETFLAGS, 2, 0),
      /* 14 */ IS(FS_IOC32_SETFLAGS, 1, 0),
      /* 15 */ RETURN(SECCOMP_RET_ALLOW),
      /* 16 */ RETURN(SECCOMP_RET_ERRNO | EPERM),
  };
  return ax_install_filter(program, sizeof program / sizeof *program);
#else
  errno = ENOSYS;
  return -1;
#endif
}
