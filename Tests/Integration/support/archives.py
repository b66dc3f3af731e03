"""Layers as real builders write them, at random: many small cases beside each other in each archive.

Every case has a directory of its own, `c17`, and a model of what is in it, so that what is written is an archive that every
tool accepts: nothing is below a file, hard links have targets, links that are followed lead to directories.
"""

import os.path

DIALECTS = ("ustar", "pax", "gnu", "v7")


def _number(value, width, dialect):
    """Octal digits; GNU's base 256 for what does not fit."""
    text = b"%0*o\0" % (width - 1, value)
    if len(text) <= width:
        return text
    assert dialect == "gnu"
    return bytes([0x80]) + value.to_bytes(width - 1, "big")


def _record(key, value):
    rest = b" " + key.encode() + b"=" + value + b"\n"
    length = len(rest)
    while len(str(length)) + len(rest) != length:
        length = len(str(length)) + len(rest)
    return str(length).encode() + rest


class Tar:
    """Writes entries in one of the dialects that layers are found in."""

    def __init__(self):
        self.parts = []

    def block(self, name, kind, size=0, mode=0o644, uid=0, gid=0, mtime=0, link=b"", dialect="ustar", prefix=b"", patches=()):
        header = bytearray(512)
        magic = {"gnu": b"ustar  \0", "v7": b""}.get(dialect, b"ustar\x0000")
        fields = [
            (0, name[:100]), (100, _number(mode, 8, dialect)), (108, _number(uid, 8, dialect)), (116, _number(gid, 8, dialect)),
            (124, _number(size, 12, dialect)), (136, _number(mtime, 12, dialect)), (148, b" " * 8), (156, kind), (157, link[:100]),
            (257, magic), (345, prefix), *patches,
        ]
        for offset, value in fields:
            header[offset:offset + len(value)] = value
        header[148:156] = b"%06o\0 " % sum(header)
        self.parts.append(bytes(header))

    def data(self, data):
        self.parts.append(data + b"\0" * (-len(data) % 512))

    def add(self, name, kind=b"0", data=b"", mode=0o644, uid=0, gid=0, mtime=0, nanoseconds=0, link=b"", dialect="pax", xattrs=(),
            pax=(), sparse=None, device=None):
        """An entry, with whatever the dialect needs for what its header has no room for."""
        if len(link) > 100 and dialect == "ustar" or max(len(name), len(link)) > 100 and dialect == "v7":
            dialect = "gnu"
        records = [*pax, *((f"SCHILY.xattr.{key}", value) for key, value in xattrs)]
        prefix, patches = b"", []
        if device is not None:
            patches += [(329, _number(device[0], 8, dialect)), (337, _number(device[1], 8, dialect))]
        size = len(data)
        if sparse is not None:
            data, size, kind, records, patches = self._sparse(name, sparse, dialect, kind, records, patches)
        if dialect == "gnu":
            for text, letter in ((name, b"L"), (link, b"K")):
                if len(text) > 100:
                    self.block(b"././@LongLink", letter, len(text) + 1, dialect="gnu")
                    self.data(text + b"\0")
        elif dialect == "pax":
            if nanoseconds:
                records.append(("mtime", b"%d.%09d" % (mtime, nanoseconds)))
            for key, text in (("path", name), ("linkpath", link)):
                if len(text) > 100 or any(byte > 0x7e for byte in text):
                    records.append((key, text))
            for key, value in (("uid", uid), ("gid", gid)):
                if value > 0o7777777:
                    records.append((key, b"%d" % value))
            uid, gid = min(uid, 0o7777777), min(gid, 0o7777777)
        elif dialect == "ustar" and len(name) > 100:
            at = name.rindex(b"/", 0, 156)
            prefix, name = name[:at], name[at + 1:]
        if records:
            body = b"".join(_record(key, value) for key, value in records)
            self.block(b"PaxHeaders.0/x", b"x", len(body))
            self.data(body)
        self.block(name, kind, size, mode, uid, gid, mtime, link, dialect, prefix, patches)
        if sparse is not None and dialect == "gnu" and len(sparse[1]) > 4:
            rest = sparse[1][4:]
            extension = b"".join(_number(offset, 12, "gnu") + _number(len(piece), 12, "gnu") for offset, piece in rest)
            self.parts.append(extension.ljust(512, b"\0"))
        self.data(data)

    @staticmethod
    def _sparse(name, sparse, dialect, kind, records, patches):
        """A file of holes: (its size, regions), in GNU's old form or two of the forms for pax headers."""
        length, regions = sparse
        data = b"".join(piece for _, piece in regions)
        if dialect == "gnu":
            patches = [*patches, (483, _number(length, 12, "gnu"))]
            for index, (offset, piece) in enumerate(regions[:4]):
                patches.append((386 + 24 * index, _number(offset, 12, "gnu") + _number(len(piece), 12, "gnu")))
            if len(regions) > 4:
                patches.append((482, b"\1"))
            return data, len(data), b"S", records, patches
        if length % 2:
            pairs = b",".join(b"%d,%d" % (offset, len(piece)) for offset, piece in regions)
            records = [*records, ("GNU.sparse.major", b"0"), ("GNU.sparse.minor", b"1"), ("GNU.sparse.name", name),
                       ("GNU.sparse.size", b"%d" % length), ("GNU.sparse.numblocks", b"%d" % len(regions)), ("GNU.sparse.map", pairs)]
            return data, len(data), kind, records, patches
        table = b"%d\n" % len(regions) + b"".join(b"%d\n%d\n" % (offset, len(piece)) for offset, piece in regions)
        table += b"\0" * (-len(table) % 512)
        records = [*records, ("GNU.sparse.major", b"1"), ("GNU.sparse.minor", b"0"), ("GNU.sparse.name", name),
                   ("GNU.sparse.realsize", b"%d" % length)]
        return table + data, len(table) + len(data), kind, records, patches

    def bytes(self):
        return b"".join(self.parts) + b"\0" * 1024


class Node:
    """What the model has under a name."""

    def __init__(self, kind, target=b"", layer=0):
        self.kind, self.target, self.layer, self.born = kind, target, layer, layer
        self.has_names = False
        self.children = {}
        # What a hard link to it says of it.
        self.about = {}
        # Of a directory: whether an entry says what it is like, whether a layer did without one after that…
        self.is_listed = False
        self.is_touched = False
        # Whether a directory without an entry was made in it after its own.
        self.is_deepened = False
        self.xattrs = []
        # Whether an earlier entry gave it attributes.
        self.had_xattrs = False


# How builders write names, parents, times and owners.
STYLES = {
    "docker": {"prefix": b"", "dialect": "pax", "parents": True, "nanoseconds": True, "xattrs": True},
    "buildah": {"prefix": b"", "dialect": "pax", "parents": True, "nanoseconds": True, "xattrs": True, "slash": False},
    "kaniko": {"prefix": b"/", "dialect": "pax", "parents": False, "root": b"/", "absolute_links": True},
    "bazel": {"prefix": b"./", "dialect": "ustar", "parents": False, "mtime": 0, "root_owner": True},
    "nix": {"prefix": b"./", "dialect": "gnu", "parents": True, "mtime": 1, "root_owner": True, "root": b"./"},
    "ko": {"prefix": b"", "dialect": "ustar", "parents": True, "mtime": 0, "root_owner": True, "slash": False},
    "jib": {"prefix": b"", "dialect": "pax", "parents": True, "mtime": 1, "root_owner": True},
    "aufs": {"prefix": b"./", "dialect": "ustar", "parents": True, "root": b"./", "aufs": True},
    "gnu tar": {"prefix": b"./", "dialect": "gnu", "parents": True, "root": b"./"},
    "old tar": {"prefix": b"", "dialect": "v7", "parents": True},
    "odd": {"prefix": b"x/../", "dialect": "pax", "parents": False, "nanoseconds": True, "absolute_links": True},
    "odder": {"prefix": b"/.././/", "dialect": "gnu", "parents": False},
}
_NAMES = [b"a", b"b", b"d", b"e", b"lib", b"with space", b"new\nline", "ünï".encode(), b"\xff\xfe", b".hidden", b"-dash", b"k" * 60]
_MODES = (0o644, 0o600, 0o755, 0o4755, 0o2711, 0o1777, 0o444, 0o000, 0o7777)
_OWNERS = (0, 1, 33, 1000, 65534, 2_000_000, 3_000_000_000)


class Case:
    """One case through all layers of its image."""

    def __init__(self, number, rng):
        self.base = b"c%d" % number
        self.rng = rng
        self.root = Node("directory")
        self.layer = -1
        self.devices = set()

    # Looking at the model

    def find(self, path):
        """The node at a path of real names."""
        node = self.root
        for name in path:
            node = node.children.get(name)
            if node is None:
                return None
        return node

    def directories(self, node=None, path=()):
        node = node or self.root
        found = [path]
        for name, child in sorted(node.children.items()):
            if child.kind == "directory":
                found += self.directories(child, (*path, name))
        return found

    def others(self, kind=None, node=None, path=()):
        node = node or self.root
        found = []
        for name, child in sorted(node.children.items()):
            if child.kind == "directory":
                found += self.others(kind, child, (*path, name))
            elif kind is None or child.kind == kind:
                found.append((*path, name))
        return found

    def aliases(self):
        """Links that lead to a directory: (the link's path, the directory's)."""
        found = []
        for path in self.others("link"):
            target = self.find(path).target
            if isinstance(target, tuple) and self.find(target) is not None and self.find(target).kind == "directory":
                found.append((path, target))
        return found

    # Writing a layer

    def write(self, tar, layer, style):
        """The entries of this case in one layer."""
        self.layer, self.tar, self.style = layer, tar, STYLES[style]
        self.listed = set()
        self.fresh = set()
        # Links that were made through others: no entry of this layer goes through them by another name.
        self.through = set()
        # Links that entries of this layer went through: no later one of the layer makes directories of them.
        self.followed = set()
        # Links by whose names directories have entries: Docker sets their times by these at the end, and fails without them.
        self.settled = set()
        rng = self.rng
        if layer and rng.random() < 0.5:
            self.delete(rng.randrange(1, 3))
        if layer and rng.random() < 0.25:
            self.make_opaque()
        for _ in range(rng.randrange(1, 6)):
            rng.choices(
                [self.add_file, self.add_directory, self.add_link, self.add_hard_link, self.add_fifo, self.add_device],
                [8, 4, 3, 3, 1, 0.3])[0]()
        if layer and rng.random() < 0.2:
            self.delete_late()

    def name(self, path):
        return self.style["prefix"] + b"/".join((self.base, *path))

    def about(self, mode):
        """Mode, owner and times as the style has them."""
        rng, style = self.rng, self.style
        owners = (0,) if style.get("root_owner") else _OWNERS if style["dialect"] in ("pax", "gnu") else _OWNERS[:5]
        about = {"mode": mode, "uid": rng.choice(owners), "gid": rng.choice(owners), "dialect": style["dialect"],
                 "mtime": style.get("mtime", rng.randrange(1, 2_000_000_000))}
        if style.get("nanoseconds"):
            about["nanoseconds"] = rng.randrange(1_000_000_000)
        return about

    def xattrs(self, kind):
        if not self.style.get("xattrs") or self.rng.random() < 0.6:
            return []
        found = [("user.note", self.rng.choice([b"one", b"a=b\nc", b"\0\xff"]))]
        if kind == "file" and self.rng.random() < 0.5:
            found.append(("security.capability", bytes.fromhex("0100000200040000000000000000000000000000")))
        return found

    def parent(self):
        """Where something is made: a directory, and the names that the entry is written with, a link's perhaps."""
        rng = self.rng
        if rng.random() < 0.25:
            aliases = [
                pair for pair in self.aliases()
                if pair[0] not in self.through and (self.style["parents"] is False or pair[0] not in self.fresh)]
            if aliases:
                link, target = rng.choice(aliases)
                self.followed.add(link)
                return target, link
        path = rng.choice([path for path in self.directories() if len(path) < 4])
        if len(path) < 3 and rng.random() < 0.2:
            name = rng.choice([name for name in _NAMES if self.find((*path, name)) is None] or [None])
            if name is not None:
                path = (*path, name)
        return path, path

    def prepare(self, path, written):
        """Lists the parents, or leaves them for the unpacker to make."""
        for depth in range(len(path) + 1):
            above = path[:depth]
            node = self.find(above)
            if node is None:
                node = self.put(above, Node("directory", layer=self.layer))
                if depth:
                    self.find(above[:-1]).is_deepened = True
            if self.style["parents"] and written == path:
                self.list(above)
            elif above not in self.listed:
                node.is_touched = True

    def list(self, path, mode=None):
        """An entry for a directory, once in a layer."""
        if path in self.listed:
            return
        self.listed.add(path)
        node = self.find(path)
        xattrs = self.xattrs("directory")
        self.note(node, xattrs)
        mode = mode if mode is not None else self.rng.choice((0o755, 0o700, 0o750, 0o1777, 0o555))
        slash = b"/" if self.style.get("slash", True) else b""
        self.tar.add(self.name(path) + slash, b"5", xattrs=xattrs, **self.about(mode))

    def note(self, node, xattrs):
        """There is an entry for a directory."""
        node.had_xattrs = node.had_xattrs or bool(node.xattrs)
        node.xattrs, node.is_listed, node.is_touched, node.is_deepened, node.layer = xattrs, True, False, False, self.layer

    def put(self, path, node):
        self.find(path[:-1]).children[path[-1]] = node
        return node

    def place(self):
        """A new place: the parent is prepared. Names that exist are replaced now and then."""
        path, written = self.parent()
        self.prepare(path, written)
        names = self.find(path).children
        free = [name for name in _NAMES if name not in names]
        # What this layer made already stays: Docker refuses an archive that names a thing twice.
        old = [
            name for name, node in names.items()
            if node.kind != "directory" and node.layer != self.layer and (*path, name) != written and (*path, name) not in self.settled]
        name = self.rng.choice(old) if old and (not free or self.rng.random() < 0.3) else self.rng.choice(free) if free else None
        if name is None:
            return None
        self.devices.discard((*path, name))
        return (*path, name), (*written, name)

    def content(self):
        return bytes(self.rng.randrange(256) for _ in range(self.rng.choice((0, 1, 20, 511, 512, 700))))

    def add_file(self):
        place = self.place()
        if place is None:
            return
        path, written = place
        node = self.put(path, Node("file", layer=self.layer))
        about = node.about = self.about(self.rng.choice(_MODES))
        if self.style["dialect"] == "pax" and self.rng.random() < 0.08:
            count = self.rng.randrange(1, 9)
            regions = [(4096 * index + self.rng.randrange(100), self.content()[:50] or b"x") for index in range(count)]
            about["sparse"] = (4096 * count + self.rng.randrange(1000), regions)
            self.tar.add(self.name(written), **about)
            node.about = {key: value for key, value in about.items() if key != "sparse"}
            return
        self.tar.add(self.name(written), self.rng.choice((b"0", b"0", b"\0")), self.content(), xattrs=self.xattrs("file"), **about)

    def add_directory(self):
        path, written = self.parent()
        self.prepare(path, written)
        name = self.rng.choice(_NAMES)
        old = self.find((*path, name))
        if old is not None and old.kind != "directory" and (old.layer == self.layer or (*path, name) in self.followed):
            return
        inner = (*path, name)
        self.devices.discard(inner)
        if old is None or old.kind != "directory":
            self.put(inner, Node("directory", layer=self.layer))
        if path == written:
            self.list(inner)
        elif inner not in self.listed:
            self.listed.add(inner)
            self.note(self.find(inner), [])
            self.settled.add(written)
            self.tar.add(self.name((*written, name)), b"5", **self.about(0o751))

    def add_link(self):
        place = self.place()
        if place is None:
            return
        path, written = place
        node = Node("link", layer=self.layer)
        kind = self.rng.random()
        known = self.directories()
        if kind < 0.6:
            node.target = self.rng.choice([other for other in known if other != path[:len(other)]] or known)
            text = b"/" + b"/".join((self.base, *node.target))
            if self.rng.random() < 0.5:
                text = os.path.relpath(text, b"/" + b"/".join((self.base, *path[:-1])))
        else:
            text = self.rng.choice((b"nowhere", b"/etc/passwd", b"../../../../../../etc/shadow", b"a/b/c", path[-1]))
        self.put(path, node)
        self.fresh.add(path)
        if path != written:
            self.through.add(path)
        node.about = self.about(0o777)
        self.tar.add(self.name(written), b"2", link=text, **node.about)

    def add_hard_link(self):
        targets = [path for path in self.others() if self.find(path).kind in ("file", "link", "fifo")]
        if not targets:
            return
        target = self.rng.choice(targets)
        node = self.find(target)
        about = node.about
        if about["dialect"] == "pax" or max(about["uid"], about["gid"]) > 0o7777777:
            # With what its header has no room for.
            about = {**about, "dialect": "pax"}
        else:
            about = {**about, "dialect": self.style["dialect"]}
        place = self.place()
        if place is None or place[0] == target or self.find(target) is not node:
            return
        path, written = place
        # Nothing goes through its name: what a relative link leads to from there is another thing.
        copy = self.put(path, Node(node.kind, layer=self.layer))
        copy.about, copy.born = node.about, node.born
        copy.has_names = node.has_names = True
        text = b"/".join((self.base, *target))
        if self.style.get("absolute_links"):
            text = b"/" + text
        elif self.style["prefix"] == b"./":
            text = b"./" + text
        self.tar.add(self.name(written), b"1", link=text, **about)

    def add_fifo(self):
        place = self.place()
        if place is not None:
            node = self.put(place[0], Node("fifo", layer=self.layer))
            node.about = self.about(0o640)
            self.tar.add(self.name(place[1]), b"6", **node.about)

    def add_device(self):
        place = self.place()
        if place is None or self.style["dialect"] == "v7" or self.find(place[0]) is not None:
            return
        self.put(place[0], Node("device", layer=self.layer))
        self.devices.add(place[0])
        self.tar.add(self.name(place[1]), self.rng.choice((b"3", b"4")), device=(1, self.rng.randrange(3, 9)), **self.about(0o666))

    def whiteout(self, path):
        self.tar.add(self.name((*path[:-1], b".wh." + path[-1])), b"0", mode=0, dialect=self.style["dialect"])

    def delete(self, count):
        """Deletes first, as builders do that compare two trees; the names may come back."""
        for _ in range(count):
            paths = [path for path in (*self.directories(), *self.others()) if path and self.find(path).layer != self.layer]
            if not paths:
                return
            path = self.rng.choice(paths)
            self.prepare(path[:-1], path[:-1])
            self.whiteout(path)
            self.forget(path)

    def delete_late(self):
        """Deletes behind everything else what the layer did not touch."""
        paths = [
            path for path in self.others() if self.find(path).layer != self.layer and path not in self.followed and path[:-1] in self.listed]
        if paths:
            path = self.rng.choice(paths)
            self.whiteout(path)
            self.forget(path)

    def forget(self, path):
        del self.find(path[:-1]).children[path[-1]]
        self.devices = {device for device in self.devices if device[:len(path)] != path}

    def make_opaque(self):
        path = self.rng.choice(self.directories())
        # What the layer itself has listed there stays, but for Docker.
        if not path or any(other[:len(path)] == path for other in self.listed if len(other) > len(path)):
            return
        self.prepare(path, path)
        self.tar.add(self.name((*path, b".wh..wh..opq")), b"0", mode=0, dialect=self.style["dialect"])
        self.find(path).children = {}
        self.devices = {device for device in self.devices if device[:len(path)] != path}


def image(rng, cases, layers):
    """Archives of the layers, and the cases that are in them."""
    all_cases = [Case(number, rng) for number in range(cases)]
    for case in all_cases:
        case.layers = layers
    archives = []
    for layer in range(layers):
        tar = Tar()
        root = rng.choice((b"./", b"/", None))
        if root:
            tar.add(root, b"5", mode=0o755)
        is_aufs = False
        for case in all_cases:
            style = rng.choice(list(STYLES))
            if STYLES[style].get("aufs") and not is_aufs:
                is_aufs = True
                tar.add(b"./.wh..wh.aufs", mode=0o444, dialect="ustar")
                tar.add(b"./.wh..wh.orph/", b"5", mode=0o700, dialect="ustar")
            case.write(tar, layer, style)
        archives.append(tar.bytes())
    return archives, all_cases
