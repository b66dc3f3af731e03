// Landlock(7), as far as it is used: scopes. The kernel's own header may be older than them.
#include "CLinux.h"

#include <linux/types.h>
#include <sys/syscall.h>

// Numbers that every architecture has the same.
#define LANDLOCK_CREATE_RULESET 444
#define LANDLOCK_RESTRICT_SELF 446
#define CREATE_RULESET_VERSION 1u
#define SCOPE_ABSTRACT_UNIX_SOCKET 1u

struct ruleset_attributes {
  __u64 handled_access_fs;
  __u64 handled_access_net;
  __u64 scoped;
};

int ax_landlock_version(void) { return (int)syscall(LANDLOCK_CREATE_RULESET, NULL, 0, CREATE_RULESET_VERSION); }

int ax_scope_abstract_sockets(void) {
  struct ruleset_attributes attributes = {.scoped = SCOPE_ABSTRACT_UNIX_SOCKET};
  int ruleset = (int)syscall(LANDLOCK_CREATE_RULESET, &attributes, sizeof attributes, 0);
  if (ruleset < 0) return -1;
  int result = (int)syscall(LANDLOCK_RESTRICT_SELF, ruleset, 0);
  int error = errno;
  close(ruleset);
  errno = error;
  return result;
}
