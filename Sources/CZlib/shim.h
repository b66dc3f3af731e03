// Z_SOLO leaves out what needs the C library's own headers (the gz* file functions): a second view of those headers
// would give Swift two definitions of the same types.
#define Z_SOLO 1
#include <zlib.h>
