"""A file system (FUSE) whose one file can be opened, and never says anything about itself."""

import contextlib
import ctypes
import os
import stat
import struct
import threading

_LOOKUP, _FORGET, _GETATTR, _OPEN, _STATFS, _RELEASE, _FLUSH, _INIT = 1, 2, 3, 14, 17, 18, 25, 26
_MNT_FORCE_DETACH = 1 | 2


def _attributes(node):
    mode = stat.S_IFDIR | 0o755 if node == 1 else stat.S_IFREG | 0o644
    return struct.pack("<6Q10I", node, 0, 0, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)


def _answer(device, stopped):
    """Answers the kernel until the file system is gone."""
    while True:
        try:
            request = os.read(device, 1 << 17)
        except OSError:
            return
        _, code, unique, node = struct.unpack_from("<IIQQ", request)
        if code == _INIT:
            body = struct.pack("<4I2H2I2H8I", 7, 31, 65536, 0, 16, 12, 65536, 1, 1, 0, *[0] * 8)
        elif code == _LOOKUP:
            body = struct.pack("<4Q2I", 2, 0, 0, 0, 0, 0) + _attributes(2)
        elif code == _GETATTR and node == 1:
            body = struct.pack("<QII", 1000, 0, 0) + _attributes(1)
        elif code == _OPEN:
            body = struct.pack("<QII", 1, 0, 0)
        elif code == _STATFS:
            body = bytes(80)
        elif code in (_RELEASE, _FLUSH):
            body = b""
        elif code == _GETATTR:
            stopped.append(node)
            continue
        elif code == _FORGET:
            continue
        else:
            os.write(device, struct.pack("<IiQ", 16, -38, unique))
            continue
        os.write(device, struct.pack("<IiQ", 16 + len(body), 0, unique) + body)


@contextlib.contextmanager
def silent_file(directory):
    """Gives the path of the file, and a list with an entry for each question that was not answered."""
    libc = ctypes.CDLL(None, use_errno=True)
    os.makedirs(directory)
    device = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={device},rootmode=40000,user_id=0,group_id=0,allow_other".encode()
    if libc.mount(b"silent", directory.encode(), b"fuse", 6, options) != 0:
        os.close(device)
        raise OSError(ctypes.get_errno(), "mount fuse")
    asked = []
    thread = threading.Thread(target=_answer, args=(device, asked), daemon=True)
    thread.start()
    try:
        yield os.path.join(directory, "file"), asked
    finally:
        # Who waits for an answer gets an error.
        libc.umount2(directory.encode(), _MNT_FORCE_DETACH)
        thread.join(5)
        os.close(device)
