// Without its functions on files: a second view of the C library's headers would give Swift two definitions of the same types.
#define BZ_NO_STDIO 1
#include <bzlib.h>
