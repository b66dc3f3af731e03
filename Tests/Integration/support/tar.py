"""A tar writer that writes what it is told to, also what no honest archiver would."""


def _octal(value, width):
    text = b"%0*o" % (width - 1, value)
    if len(text) < width:
        return text + b"\0"
    # GNU's form for numbers that do not fit: the first bit set, then base 256.
    return bytes([0x80]) + value.to_bytes(width - 1, "big")


class TarWriter:
    """Entries are appended in the order of the calls; `bytes()` is the archive."""

    def __init__(self):
        self._parts = []

    def entry(self, name, kind=b"0", data=b"", mode=0o644, uid=0, gid=0, link="", mtime=1700000000, major=0, minor=0,
              size=None, pax=None):
        """Any entry. `size` overrides the length of the data; `pax` are records of an extended header."""
        name = name.encode() if isinstance(name, str) else name
        link = link.encode() if isinstance(link, str) else link
        pax = dict(pax or {})
        if len(name) > 100:
            pax.setdefault("path", name)
        if len(link) > 100:
            pax.setdefault("linkpath", link)
        if pax:
            self._append(b"././@PaxHeader", b"x", b"".join(_record(k, v) for k, v in pax.items()))
        self._append(name[:100], kind, data, mode, uid, gid, link[:100], mtime, major, minor, size)
        return self

    def _append(self, name, kind, data, mode=0o644, uid=0, gid=0, link=b"", mtime=0, major=0, minor=0, size=None):
        header = bytearray(512)
        fields = [
            (0, name), (100, _octal(mode, 8)), (108, _octal(uid, 8)), (116, _octal(gid, 8)),
            (124, _octal(len(data) if size is None else size, 12)), (136, _octal(mtime, 12)), (148, b" " * 8), (156, kind),
            (157, link), (257, b"ustar\x0000"), (329, _octal(major, 8)), (337, _octal(minor, 8)),
        ]
        for offset, value in fields:
            header[offset:offset + len(value)] = value
        header[148:156] = b"%06o\0 " % sum(header)
        self._parts.append(bytes(header))
        self._parts.append(data + b"\0" * (-len(data) % 512))

    def file(self, name, data=b"", mode=0o644, **rest):
        return self.entry(name, b"0", data.encode() if isinstance(data, str) else data, mode, **rest)

    def directory(self, name, mode=0o755, **rest):
        return self.entry(name.rstrip("/") + "/", b"5", b"", mode, **rest)

    def symlink(self, name, target, **rest):
        return self.entry(name, b"2", link=target, mode=0o777, **rest)

    def hardlink(self, name, target, **rest):
        return self.entry(name, b"1", link=target, **rest)

    def fifo(self, name, mode=0o644, **rest):
        return self.entry(name, b"6", mode=mode, **rest)

    def character_device(self, name, major, minor, mode=0o666, **rest):
        return self.entry(name, b"3", mode=mode, major=major, minor=minor, **rest)

    def bytes(self):
        return b"".join(self._parts) + b"\0" * 1024


def _record(key, value):
    """One pax record; its length counts its own digits."""
    value = value if isinstance(value, bytes) else str(value).encode()
    rest = b" " + key.encode() + b"=" + value + b"\n"
    length = len(rest)
    while len(str(length)) + len(rest) != length:
        length = len(str(length)) + len(rest)
    return str(length).encode() + rest
