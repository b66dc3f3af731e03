#include "CLinux.h"

// What has to be done before the Swift runtime begins.

static int argument_count;
static char **argument_values;

// Before the constructors of the runtime, which have no number. It asks /proc where the program is, to look for a crash
// reporter beside it, and aborts where there is no /proc; told where the reporter is, it does not ask. And it reads the
// arguments in /proc.
__attribute__((constructor(101))) static void begin(int count, char **values) {
  char byte;
  argument_count = count;
  argument_values = values;
  if (readlink("/proc/self/exe", &byte, 1) < 0) setenv("SWIFT_BACKTRACE", "enable=no,swift-backtrace=/", 1);
}

int ax_argument_count(void) { return argument_count; }
const char *ax_argument(int index) { return argument_values[index]; }
