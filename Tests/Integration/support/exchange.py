"""Two names that change places: renameat2(2) with RENAME_EXCHANGE."""

import ctypes
import os

_RENAME_EXCHANGE = 2
_AT_FDCWD = -100
_libc = ctypes.CDLL(None, use_errno=True)


def exchange(one, other):
    """Nobody sees a moment in which one of them is not there."""
    if _libc.renameat2(_AT_FDCWD, one.encode(), _AT_FDCWD, other.encode(), _RENAME_EXCHANGE):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), one)
