// The hidden modes of the program take nothing from their environment, and nor do the libraries below them.
//
// In a Docker task the program is the first process of somebody else's container, and an image says what its environment
// is. The Swift runtime takes from there which program it starts, with all our rights, when this one crashes
// (SWIFT_BACKTRACE). The request to the engine takes those away that are obeyed before this is called; this takes the
// others, before the runtime has been set up: of all functions in a program the dynamic and the static C library call those of the
// .preinit_array first (System V gABI, "Initialization and Termination Functions").
#include <stddef.h>
#ifdef AURORA_COVERAGE
#include <string.h>
#endif

static void forget_environment(int count, char **arguments, char **environment) {
  if (count < 2 || arguments[1][0] != '_' || arguments[1][1] != '_') return;
#ifdef AURORA_COVERAGE
  // In the build of scripts/coverage alone: where the counters are kept of what a unit test has started.
  for (char **next = environment; *next; next++) {
    if (strncmp(*next, "LLVM_PROFILE_FILE=", 18) == 0) *environment++ = *next;
  }
#endif
  environment[0] = NULL;
}

__attribute__((section(".preinit_array"), used))
static void (*const forget)(int, char **, char **) = forget_environment;
