// A system call filter (seccomp(2)) for processes that read what others wrote and make files of it.
//
// It lets through what reading, hashing, decompressing and making files takes, and refuses everything else with EPERM:
// no process, no socket, no namespace, no mount, no key, no io_uring, no bpf, no userfaultfd. Filters stay for good and
// are inherited, and no_new_privs must be set before one.
#include "CLinux.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
#define OWN_ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OWN_ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

static const int allowed[] = {
    // data
    SYS_read, SYS_write, SYS_pread64, SYS_pwrite64, SYS_readv, SYS_writev, SYS_lseek, SYS_close, SYS_ftruncate,
    // names and what they stand for
    SYS_openat, SYS_openat2, SYS_mkdirat, SYS_mknodat, SYS_symlinkat, SYS_linkat, SYS_unlinkat, SYS_renameat,
    SYS_renameat2, SYS_readlinkat, SYS_getdents64, SYS_fchdir,
#ifdef SYS_open
    SYS_open,
#endif
#ifdef SYS_rename
    SYS_rename,
#endif
    // attributes
    SYS_fstat, SYS_newfstatat, SYS_statx, SYS_fstatfs, SYS_fchmod, SYS_fchmodat, SYS_fchown, SYS_fchownat, SYS_utimensat, SYS_umask,
    SYS_fsetxattr, SYS_fgetxattr, SYS_flistxattr, SYS_fremovexattr,
    // the C library and the language's runtime: memory, locks, time, identity, the end
    SYS_brk, SYS_mmap, SYS_munmap, SYS_mremap, SYS_mprotect, SYS_madvise, SYS_futex, SYS_sched_yield, SYS_getrandom,
    SYS_clock_gettime, SYS_gettimeofday, SYS_getpid, SYS_gettid, SYS_getuid, SYS_geteuid, SYS_getgid, SYS_getegid,
    SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_sigaltstack, SYS_restart_syscall, SYS_exit,
    SYS_exit_group, SYS_tgkill, SYS_fcntl,
};

// FS_IOC_GETFLAGS, the one ioctl that is let through.
#define ALLOWED_IOCTL 0x80086601u

#define COUNT ((int)(sizeof allowed / sizeof *allowed))

int ax_filter_file_work(void) {
#ifdef OWN_ARCHITECTURE
  struct sock_filter program[COUNT + 12];
  int at = 0;
  program[at++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
  program[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OWN_ARCHITECTURE, 1, 0);
  program[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
  program[at++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
  // Numbers of the x32 interface have bit 30 set and match none of these.
  for (int i = 0; i < COUNT; i++) {
    int to_allow = (COUNT - 1 - i) + 4;  // over the rest of the list and the five steps for ioctl, to the last one
    program[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)allowed[i], (unsigned char)to_allow, 0);
  }
  program[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 0, 2);
  program[at++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1]));
  program[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ALLOWED_IOCTL, 1, 0);
  program[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
  program[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  struct sock_fprog filter = {.len = (unsigned short)at, .filter = program};
  return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0);
#else
  errno = ENOSYS;
  return -1;
#endif
}

_Static_assert(sizeof allowed / sizeof *allowed < 240, "a jump reaches 255 steps");
