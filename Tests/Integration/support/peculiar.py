"""Archives that tools do not agree on, each with what our store, umoci and Docker make of it."""

from .archives import Tar


def _tar(*entries):
    tar = Tar()
    for entry in entries:
        if isinstance(entry, dict):
            entry = dict(entry)
            tar.add(entry.pop("name"), **entry)
        else:
            name, kind, *rest = entry
            tar.add(name, kind, **(rest[0] if rest else {}))
    return tar.bytes()


def d(name, mode=0o755, **more):
    return {"name": name, "kind": b"5", "mode": mode, "mtime": 7, **more}


def f(name, data=b"x", **more):
    return {"name": name, "kind": b"0", "data": data, "mtime": 7, **more}


def s(name, link, **more):
    return {"name": name, "kind": b"2", "link": link, "mtime": 7, "mode": 0o777, **more}


def h(name, link, **more):
    return {"name": name, "kind": b"1", "link": link, "mtime": 7, **more}


# u::rw-, g::r--, m::rw-, o::r--
_ACL = bytes.fromhex("0200000001000600ffffffff04000400ffffffff10000600ffffffff20000400ffffffff")
NOW = "the time of the import"

# Name: (layers, who takes it: ours, umoci, Docker; and where what we have is not what they have: path, what, here, there).
CASES = {
    "kaniko's root": (
        [_tar(d(b"/", 0o755), f(b"/app/x"))], "yyy", {
            "docker": [
                (b'app', "mode", 0o755, 0o600),
            ],
        }),
    "names above the root": (
        [_tar(f(b"../../x"), f(b"a/../../y"))], "yyy", {}),
    "hard link to an absolute name": (
        [_tar(f(b"data"), h(b"other", b"/data"))], "yyy", {}),
    "hard link through a link": (
        [_tar(d(b"d"), f(b"d/f"), s(b"l", b"d"), h(b"x", b"l/f"))], "yyy", {}),
    "hard link to a link": (
        [_tar(s(b"l", b"nowhere"), h(b"x", b"l"))], "yyy", {}),
    "hard link to a lower file": (
        [_tar(f(b"old")), _tar(h(b"x", b"old"))], "yyy", {}),
    "hard link to a lower file through a lower link": (
        [_tar(d(b"usr/lib"), f(b"usr/lib/old"), s(b"lib", b"usr/lib")), _tar(h(b"lib/x", b"lib/old"))], "yyy", {
            "docker": [
                (b'usr', "mode", 0o755, 0o600),
                (b'usr/lib', "time", 7000000000, NOW),
            ],
        }),
    "hard link to a device": (
        [_tar({"name": b"null", "kind": b"3", "device": (1, 3)}, h(b"zero", b"null"))], "yyy", {
            "umoci": [
                (b'null', "presence", None, 'device'),
                (b'zero', "presence", None, 'device'),
            ],
            "docker": [
                (b'null', "presence", None, 'device'),
                (b'zero', "presence", None, 'device'),
            ],
        }),
    "hard link with a header of its own": (
        [_tar(f(b"a", mode=0o600, uid=3), h(b"b", b"a", mode=0o644, uid=5))], "yyy", {
            "docker": [
                (b'a', "mode", 0o600, 0o644),
                (b'a', "owner", (3, 0), (5, 0)),
                (b'b', "mode", 0o600, 0o644),
                (b'b', "owner", (3, 0), (5, 0)),
            ],
        }),
    "hard link to itself": (
        [_tar(f(b"a"), h(b"./a", b"a"))], "ynn", {}),
    "hard link to a directory": (
        [_tar(d(b"d"), h(b"x", b"d"))], "nnn", {}),
    "hard link to nothing": (
        [_tar(h(b"x", b"missing"))], "nnn", {}),
    "hard link to what is deleted": (
        [_tar(f(b"old")), _tar(f(b".wh.old", b""), h(b"x", b"old"))], "ynn", {}),
    "file below a file": (
        [_tar(f(b"a"), f(b"a/b"))], "nnn", {}),
    "file below a lower file": (
        [_tar(f(b"a")), _tar(f(b"a/b"))], "ynn", {}),
    "below a link to nothing": (
        [_tar(s(b"gone", b"not/yet"), f(b"gone/x"))], "yyn", {}),
    "below a lower link to nothing": (
        [_tar(s(b"gone", b"/not/yet")), _tar(f(b"gone/x"))], "yyn", {}),
    "below a link in a circle": (
        [_tar(s(b"l", b"l"), f(b"l/x"))], "nnn", {}),
    "below a lower link in a circle": (
        [_tar(s(b"l", b"l")), _tar(f(b"l/x"))], "ynn", {}),
    "root that is a link": (
        [_tar(s(b"./", b"/etc"))], "nnn", {}),
    "root that is a file": (
        [_tar(f(b"/"))], "nnn", {}),
    "whiteout behind the file": (
        [_tar(f(b"f", b"old")), _tar(f(b"f", b"new"), f(b".wh.f", b""))], "yyy", {
            "docker": [
                (b'f', "presence", 'file', None),
            ],
        }),
    "whiteout behind a directory": (
        [_tar(d(b"d", 0o700), f(b"d/old")), _tar(f(b"d/new"), f(b".wh.d", b""))], "yyy", {
            "umoci": [
                (b'd', "time", 7000000000, NOW),
            ],
            "docker": [
                (b'd', "presence", 'directory', None),
                (b'd/new', "presence", 'file', None),
            ],
        }),
    "opaque behind a directory": (
        [_tar(d(b"d", 0o700), f(b"d/old")), _tar(f(b"d/e/new"), f(b"d/.wh..wh..opq", b""))], "yyy", {
            "umoci": [
                (b'd', "time", 7000000000, NOW),
            ],
            "docker": [
                (b'd', "time", 7000000000, NOW),
                (b'd/e', "presence", 'directory', None),
                (b'd/e/new', "presence", 'file', None),
            ],
        }),
    "whiteout of nothing": (
        [_tar(d(b"d"), f(b"d/f")), _tar(f(b"d/.wh.", b""))], "nny", {}),
    "whiteout of the parent": (
        [_tar(d(b"d"), f(b"d/f")), _tar(f(b"d/.wh...", b""))], "nnn", {}),
    "whiteout in a name's middle": (
        [_tar(f(b".wh.a/b"))], "yyy", {
            "docker": [
                (b'.wh.a', "mode", 0o755, 0o600),
            ],
        }),
    "what AUFS keeps for links": (
        [_tar(d(b".wh..wh.plnk"), f(b".wh..wh.plnk/1.2", b"two"), h(b"a", b".wh..wh.plnk/1.2"), h(b"b", b".wh..wh.plnk/1.2"))], "yyy", {
            "umoci": [
                (b'.wh..wh.plnk', "presence", None, 'directory'),
                (b'.wh..wh.plnk/1.2', "presence", None, 'file'),
                (b'a', "names", [b'a', b'b'], [b'.wh..wh.plnk/1.2', b'a', b'b']),
                (b'b', "names", [b'a', b'b'], [b'.wh..wh.plnk/1.2', b'a', b'b']),
            ],
            "docker": [
                (b'.wh..wh.plnk', "presence", None, 'directory'),
                (b'a', "names", [b'a', b'b'], [b'a']),
                (b'b', "names", [b'a', b'b'], [b'b']),
            ],
        }),
    "whiteout of AUFS' own": (
        [_tar(f(b"d/.wh..wh.x", b""))], "yyy", {
            "docker": [
                (b'd', "presence", None, 'directory'),
            ],
        }),
    "a name twice": (
        [_tar(f(b"a", b"one"), f(b"a", b"two"))], "yyn", {}),
    "a directory twice": (
        [_tar(d(b"a", 0o700), d(b"a/", 0o711))], "yyn", {}),
    "sparse in GNU's old form": (
        [_tar({"name": b"x", "sparse": (9000, [(4096, b"abc")]), "dialect": "gnu"})], "ynn", {}),
    "contiguous file": (
        [_tar((b"x", b"7", {"data": b"abc"}))], "ynn", {}),
    "label of GNU tar": (
        [_tar((b"label", b"V"), f(b"x"))], "ynn", {}),
    "directory with a list of names": (
        [_tar((b"d/", b"D", {"data": b"Yx\0\0", "mode": 0o755}), f(b"d/x"))], "ynn", {}),
    "unknown type": (
        [_tar((b"x", b"Q"))], "nnn", {}),
    "comment for all": (
        [_tar((b"pax_global_header", b"g", {"data": b"16 comment=abcd\n"}), f(b"x"))], "yny", {}),
    "names for all": (
        [_tar((b"g", b"g", {"data": b"10 path=a\n"}), f(b"x"))], "nny", {}),
    "two long names": (
        [_tar((b"././@LongLink", b"L", {"data": b"one\0", "dialect": "ustar"}), f(b"x", pax=[("path", b"two")]))], "nyy", {}),
    "owner beyond all": (
        [_tar(f(b"x", uid=2**32 - 1, dialect="gnu"))], "nyy", {}),
    "device 0:0": (
        [_tar(f(b"a")), _tar({"name": b"a", "kind": b"3", "device": (0, 0)})], "yyy", {
            "umoci": [
                (b'a', "type", 'file', 'device'),
            ],
            "docker": [
                (b'a', "type", 'file', 'device'),
            ],
        }),
    "attributes of the host's": (
        [_tar(f(b"x", xattrs=[("trusted.x", b"1"), ("user.overlay.opaque", b"y"), ("system.posix_acl_access", _ACL)]))],
        "yyy", {
            "umoci": [
                (b'x', "mode", 0o644, 0o664),
            ],
        }),
    "attribute of a link": (
        [_tar(s(b"l", b"x", xattrs=[("user.a", b"1")]))], "yny", {}),
    "empty layer": (
        [b"\0" * 1024], "yyy", {}),
    "no end": (
        [_tar(f(b"x"))[:-1024]], "yyy", {}),
    "one block of zeros": (
        [_tar(f(b"x"))[:-1024] + b"\0" * 512 + _tar(f(b"y"))], "nnn", {}),
    "link in place of a directory": (
        [_tar(d(b"d"), f(b"d/x")), _tar(s(b"d", b"e"))], "yyy", {}),
    "directory in place of a link": (
        [_tar(d(b"e"), s(b"d", b"e")), _tar(d(b"d", 0o711), f(b"d/x"))], "yyy", {}),
    "empty name": (
        [_tar(d(b"", 0o711), f(b"x"))], "yyy", {}),
    "deleting in a directory that nobody has": (
        [_tar(f(b"x")), _tar(f(b"d/e/.wh.y", b""))], "yyy", {
            "umoci": [(b"d", "presence", "directory", None), (b"d/e", "presence", "directory", None)],
            "docker": [(b"d", "mode", 0o755, 0o600), (b"d/e", "mode", 0o755, 0o600)],
        }),
    "deleting a directory piece by piece": (
        [_tar(d(b"d"), d(b"d/e"), f(b"d/e/x")), _tar(f(b"d/e/.wh.x", b""), f(b"d/.wh.e", b""), f(b".wh.d", b""))], "yyy", {}),
    "below a directory with a set-group-ID bit": (
        [_tar(d(b"d", 0o2775, gid=33), f(b"d/e/x"))], "yyy", {
            "umoci": [(b"d", "time", 7000000000, NOW), (b"d/e", "mode", 0o755, 0o2755), (b"d/e", "owner", (0, 0), (0, 33))],
            "docker": [(b"d/e", "mode", 0o755, 0o2600), (b"d/e", "owner", (0, 0), (0, 33))],
        }),
    "a link that is replaced behind what went through it": (
        [_tar(d(b"e"), s(b"l", b"e")), _tar(f(b"l/x"), f(b"l", b"file"))], "yyy", {"docker": [(b"e", "time", 7000000000, NOW)]}),
    "a directory in place of a lower link behind what went through it": (
        [_tar(d(b"e"), s(b"l", b"e")), _tar(f(b"l/x"), d(b"l"))], "yyy", {
            "umoci": [(b"e/x", "presence", None, "file"), (b"l/x", "presence", "file", None)],
            "docker": [(b"e", "time", 7000000000, NOW), (b"e/x", "presence", None, "file"), (b"l/x", "presence", "file", None)],
        }),
    "through a second name of a lower link": (
        [_tar(d(b"e"), s(b"l", b"/e")), _tar(h(b"m", b"l"), f(b"m/x"))], "yyy", {"docker": [(b"e", "time", 7000000000, NOW)]}),
    "through a link that was made through a lower one": (
        [_tar(d(b"e"), d(b"t"), s(b"l", b"e")), _tar(s(b"l/m", b"/t"), f(b"e/m/x"))], "yyy", {
            "docker": [(b"e", "time", 7000000000, NOW), (b"t", "time", 7000000000, NOW)]}),
    "a hard link before its file is replaced through a lower link": (
        [_tar(d(b"e"), f(b"e/f", b"old"), s(b"l", b"e")), _tar(h(b"x", b"e/f"), f(b"l/f", b"another"), h(b"y", b"e/f"))], "yyy", {
            "docker": [(b"e", "time", 7000000000, NOW)]}),
    "another name for a lower link's file": (
        [_tar(d(b"usr/lib"), s(b"lib", b"usr/lib")), _tar(f(b"lib/new"), h(b"usr/lib/other", b"lib/new"), h(b"x", b"usr/lib/new"))], "yyy", {
            "docker": [(b"usr", "mode", 0o755, 0o600), (b"usr/lib", "time", 7000000000, NOW)],
        }),
}
