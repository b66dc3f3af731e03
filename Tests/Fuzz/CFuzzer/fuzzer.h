// The entry of LLVM's libFuzzer, which comes with the compiler (-sanitize=fuzzer) and without a header.
#pragma once
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerRunDriver(int *argc, char ***argv, int (*callback)(const uint8_t *data, size_t size));
