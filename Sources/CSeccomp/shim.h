// The few functions of libseccomp that are used, declared here instead of including <seccomp.h>: that includes headers of
// the C library and of the kernel, and a second view of those would give Swift two definitions of the same types. These
// are stable since libseccomp 2.5 (seccomp_rule_add(3), seccomp_attr_set(3)).
#pragma once
#include <stddef.h>
#include <stdint.h>

typedef void *scmp_filter_ctx;

struct scmp_version {
  unsigned int major, minor, micro;
};

enum scmp_compare {
  SCMP_CMP_NE = 1,
  SCMP_CMP_LT,
  SCMP_CMP_LE,
  SCMP_CMP_EQ,
  SCMP_CMP_GE,
  SCMP_CMP_GT,
  SCMP_CMP_MASKED_EQ,
};

struct scmp_arg_cmp {
  unsigned int arg;
  enum scmp_compare op;
  uint64_t datum_a, datum_b;
};

// seccomp_attr_set(3): how the program tests numbers; 2 is a binary tree.
#define SCMP_FLTATR_CTL_OPTIMIZE 8
// What is answered to a resolution of a name that is no system call.
#define SCMP_NR_ERROR -1

const struct scmp_version *seccomp_version(void);
scmp_filter_ctx seccomp_init(uint32_t default_action);
void seccomp_release(scmp_filter_ctx context);
int seccomp_arch_add(scmp_filter_ctx context, uint32_t architecture);
int seccomp_attr_set(scmp_filter_ctx context, int attribute, uint32_t value);
int seccomp_syscall_resolve_name(const char *name);
int seccomp_syscall_resolve_name_arch(uint32_t architecture, const char *name);
int seccomp_rule_add_array(
    scmp_filter_ctx context, uint32_t action, int number, unsigned int count, const struct scmp_arg_cmp *conditions);
int seccomp_export_bpf(const scmp_filter_ctx context, int descriptor);
