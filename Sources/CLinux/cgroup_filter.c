// A system call filter (seccomp(2)) under which no cgroup namespace is made.
//
// Root of a container may make itself a user namespace where no profile forbids it, and a cgroup namespace in that. There it
// may mount a version 1 hierarchy, whose root is then the container's own cgroup: the files with its limits are root's, and
// it would lift them (cgroup1_get_tree in the kernel's kernel/cgroup/cgroup-v1.c asks for rights in the namespace's user
// namespace alone). Where the namespace is the host's or container-init's it may not.
//
// unshare(2) and clone(2) with CLONE_NEWCGROUP give EPERM. clone3(2) has its flags in memory, where a filter cannot look:
// ENOSYS, with which the C libraries go on with clone(2). no_new_privs must be set before, or CAP_SYS_ADMIN be held.
#include "CLinux.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/syscall.h>

// A number that every architecture has the same (Linux 5.3).
#define CLONE3 435

#if defined(__x86_64__)
#define OWN_ARCHITECTURE AUDIT_ARCH_X86_64
#define OTHER_ARCHITECTURE AUDIT_ARCH_I386
#define OTHER_UNSHARE 310
#define OTHER_CLONE 120
#define X32_BIT 0x40000000u
#elif defined(__aarch64__)
#define OWN_ARCHITECTURE AUDIT_ARCH_AARCH64
#define OTHER_ARCHITECTURE AUDIT_ARCH_ARM
#define OTHER_UNSHARE 337
#define OTHER_CLONE 120
#define X32_BIT 0u
#endif

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define IS(value, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), (yes), (no))
#define RETURN(what) BPF_STMT(BPF_RET | BPF_K, (what))

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
  struct sock_fprog filter = {.len = sizeof program / sizeof *program, .filter = program};
  // Without the flag, kernels before 5.16 would have the processor guess less in every process that has a filter.
  return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &filter);
#else
  errno = ENOSYS;
  return -1;
#endif
}
