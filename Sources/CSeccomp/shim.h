// What is used of libseccomp: the numbers of system calls, by name and architecture (seccomp_syscall_resolve_name(3)).
// Declared here instead of including <seccomp.h>: that includes headers of the C library and of the kernel, and a second
// view of those would give Swift two definitions of the same types.
#pragma once
#include <stdint.h>

/// A negative number: there is no such call, or none of its own.
int seccomp_syscall_resolve_name_arch(uint32_t architecture, const char *name);
