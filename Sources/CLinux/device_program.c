#include "CLinux.h"

#include <errno.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int ax_attach_device_program(int cgroup, const void *instructions, unsigned count) {
  union bpf_attr load;
  memset(&load, 0, sizeof load);
  load.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
  load.insns = (unsigned long)instructions;
  load.insn_cnt = count;
  load.license = (unsigned long)"";
  int program = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof load);
  if (program < 0) return -1;

  union bpf_attr attach;
  memset(&attach, 0, sizeof attach);
  attach.target_fd = (unsigned)cgroup;
  attach.attach_bpf_fd = (unsigned)program;
  attach.attach_type = BPF_CGROUP_DEVICE;
  // Beside those of the cgroups above, which have a say as well.
  attach.attach_flags = BPF_F_ALLOW_MULTI;
  int result = (int)syscall(SYS_bpf, BPF_PROG_ATTACH, &attach, sizeof attach);
  int error = errno;
  close(program);
  errno = error;
  return result;
}
