import CLinux

// Constants that `import Glibc` hides because they need _GNU_SOURCE. The others come from Glibc itself: a module that
// imports both Glibc and CLinux would see everything twice.

/// Opens a place, not a file: nothing of it can be read or written (open(2)).
package let O_PATH: Int32 = CLinux.O_PATH
