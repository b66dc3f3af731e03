// Only what it needs of the C library's headers: a second view of others would give Swift two definitions of the same types.
#define LZMA_MANUAL_HEADERS 1
#include <stddef.h>
#include <stdint.h>
#include <lzma.h>
