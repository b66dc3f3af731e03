#include "CLinux.h"

#include <malloc.h>

// What has to be done before the Swift runtime begins.

static int argument_count;
static char **argument_values;

// Before the constructors of the runtime, which have no number. It asks /proc where the program is, to look for a crash
// reporter in eight places beside it, and aborts where there is no /proc; told that there is none, it does not ask. And it
// reads the arguments in /proc.
//
// What is freed at the top of the heap stays for what comes next: given back to the kernel, each of its pages would be
// cleared and mapped once more.
__attribute__((constructor(101))) static void begin(int count, char **values) {
  argument_count = count;
  argument_values = values;
  char byte;
  int is_without_proc = readlink("/proc/self/exe", &byte, 1) < 0;
  setenv("SWIFT_BACKTRACE", "enable=no,swift-backtrace=/", is_without_proc);
  // With one of these the threshold of mmap(2) stays at 128 KiB, and no longer goes up with what is freed.
  mallopt(M_MMAP_THRESHOLD, 1 << 20);
  mallopt(M_TRIM_THRESHOLD, 1 << 20);
  mallopt(M_TOP_PAD, 1 << 18);
}

int ax_argument_count(void) { return argument_count; }
const char *ax_argument(int index) { return argument_values[index]; }
