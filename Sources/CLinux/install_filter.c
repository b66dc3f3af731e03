// A system call filter (seccomp(2)) that somebody else has made.
#include "CLinux.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>

int ax_install_filter(const void *program, size_t count) {
  if (count == 0 || count > BPF_MAXINSNS) {
    errno = EINVAL;
    return -1;
  }
  struct sock_fprog filter = {.len = (unsigned short)count, .filter = (struct sock_filter *)program};
  // Without the flag, kernels before 5.16 would have the processor guess less in every process that has a filter.
  return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &filter);
}
