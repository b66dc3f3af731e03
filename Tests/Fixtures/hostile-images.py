#!/usr/bin/env python3
"""Builds OCI layouts that were made to do harm, byte by byte.

    hostile-images.py DIRECTORY [CASE...]

Each case becomes DIRECTORY/<case>/, an OCI layout. DIRECTORY/cases.json lists them:

    [{"case": "dotdot", "outcome": "refused", "words": ["../evil"]}, ...]

"outcome" is "refused" (the import fails with an error that contains every one of "words") or "contained" (the import may
succeed, but must touch nothing outside its layer; "files" then lists what must be in the layer, and what must not be with
a leading "!"). Only the standard library is used.
"""
import gzip
import hashlib
import json
import os
import sys
import zlib

CASES = {}


def case(name, outcome="refused", words=(), files=()):
    def register(build):
        CASES[name] = (build, outcome, list(words), list(files))
        return build

    return register


# --- tar, byte by byte ------------------------------------------------------------------------------------------------


def number(value, width):
    if isinstance(value, bytes):
        return value.ljust(width, b"\0")[:width]
    if 0 <= value < 8 ** (width - 1):
        return b"%0*o\0" % (width - 1, value)
    return bytes([0x80 | (value >> (8 * (width - 1))) & 0x7F]) + (value & (256 ** (width - 1) - 1)).to_bytes(
        width - 1, "big"
    )


def header(name, type=b"0", mode=0o644, uid=0, gid=0, size=0, mtime=0, link=b"", magic=b"ustar\x0000", dev=(0, 0)):
    block = bytearray(512)

    def put(offset, value, width):
        block[offset : offset + width] = value[:width].ljust(width, b"\0")

    put(0, name, 100)
    put(100, number(mode, 8), 8)
    put(108, number(uid, 8), 8)
    put(116, number(gid, 8), 8)
    put(124, number(size, 12), 12)
    put(136, number(mtime, 12), 12)
    put(156, type, 1)
    put(157, link, 100)
    put(257, magic, 8)
    put(329, number(dev[0], 8), 8)
    put(337, number(dev[1], 8), 8)
    put(148, b" " * 8, 8)
    put(148, b"%06o\0 " % sum(block), 8)
    return bytes(block)


def padded(data):
    return data + b"\0" * (-len(data) % 512)


def entry(name, data=b"", **fields):
    name = name.encode() if isinstance(name, str) else name
    fields.setdefault("size", len(data))
    return header(name, **fields) + padded(data)


def directory(name, mode=0o755, **fields):
    return entry(name, type=b"5", mode=mode, **fields)


def symlink(name, target):
    return entry(name, type=b"2", mode=0o777, link=target.encode())


def hardlink(name, target):
    return entry(name, type=b"1", link=target.encode())


def record(key, value):
    body = b" " + key.encode() + b"=" + value + b"\n"
    length = len(body) + 1
    while len(b"%d" % length) + len(body) != length:
        length = len(b"%d" % length) + len(body)
    return b"%d" % length + body


def pax(*records, type=b"x"):
    return entry("PaxHeaders/x", b"".join(record(key, value) for key, value in records), type=type)


END = b"\0" * 1024


# --- layouts ----------------------------------------------------------------------------------------------------------


def sha(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Layout:
    """An image whose parts a case may bend before it is written."""

    def __init__(self, *layers):
        self.blobs = {}
        self.layers = []
        self.diff_ids = []
        self.config = {"architecture": "amd64", "os": "linux", "config": {"Cmd": ["/bin/true"]}}
        if os.uname().machine == "aarch64":
            self.config["architecture"] = "arm64"
        self.manifest = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json"}
        self.index = {"schemaVersion": 2}
        self.descriptor = {"annotations": {"io.containerd.image.name": "localhost/hostile:latest"}}
        for layer in layers:
            self.add(layer)

    def blob(self, data):
        digest = sha(data)
        self.blobs[digest] = data
        return digest

    def add(self, plain, stored=None, media="application/vnd.oci.image.layer.v1.tar", **changes):
        stored = plain if stored is None else stored
        self.diff_ids.append(sha(plain))
        self.layers.append({"mediaType": media, "digest": self.blob(stored), "size": len(stored), **changes})

    def write(self, path):
        os.makedirs(path + "/blobs/sha256")
        config = dict(self.config)
        config.setdefault("rootfs", {"type": "layers", "diff_ids": self.diff_ids})
        text = json.dumps(config).encode()
        manifest = dict(self.manifest)
        manifest.setdefault(
            "config",
            {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": self.blob(text), "size": len(text)},
        )
        manifest.setdefault("layers", self.layers)
        text = json.dumps(manifest).encode()
        descriptor = {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": self.blob(text), "size": len(text)}
        descriptor.update(self.descriptor)
        index = dict(self.index)
        index.setdefault("manifests", [descriptor])
        for digest, data in self.blobs.items():
            with open(f"{path}/blobs/sha256/{digest[7:]}", "wb") as file:
                file.write(data)
        with open(path + "/index.json", "w") as file:
            json.dump(index, file)
        with open(path + "/oci-layout", "w") as file:
            file.write('{"imageLayoutVersion": "1.0.0"}')


def one(*members):
    return Layout(b"".join(members) + END)


# --- names and links --------------------------------------------------------------------------------------------------


@case("dotdot", "contained", files=["tmp/evil"])
def _():
    return one(entry("../../../../../../tmp/evil", b"x"))


@case("absolute", "contained", files=["tmp/evil"])
def _():
    return one(entry("/tmp/evil", b"x"))


@case("through-link", "contained", files=["tmp/evil"])
def _():
    return one(directory("tmp/"), symlink("l", "/"), entry("l/tmp/evil", b"x"))


@case("through-link-dots", "contained", files=["evil"])
def _():
    return one(symlink("l", "../../../../../.."), entry("l/evil", b"x"))


@case("through-link-of-lower-layer", "contained", files=["tmp/evil"])
def _():
    return Layout(symlink("l", "/tmp") + END, entry("l/evil", b"x") + END)


@case("hardlink-host", words=["entry x", "not in the layer"])
def _():
    return one(hardlink("x", "/etc/passwd"), entry("x", b"root::0:0::/:/bin/sh\n"))


@case("hardlink-dots", words=["entry x", "not in the layer"])
def _():
    return one(hardlink("x", "../../../../../../etc/passwd"), entry("x", b"x"))


@case("hardlink-through-link", words=["entry x", "not in the layer"])
def _():
    return one(symlink("l", "/etc"), hardlink("x", "l/passwd"), entry("x", b"x"))


@case("hardlink-many", "contained", files=["f", "l/0"])
def _():
    return one(entry("f", b"x"), *(hardlink(f"l/{index}", "f") for index in range(2000)))


@case("whiteout-through-link", "contained", files=["evil"])
def _():
    return one(symlink("l", "/"), entry("l/.wh.evil"), entry("l/.wh..wh..opq"))


@case("root-is-link", words=["root"])
def _():
    return one(symlink("./", "/tmp"), entry("evil", b"x"))


@case("root-is-slash", words=["root"])
def _():
    return one(symlink("/", "/tmp"))


@case("whiteout-nothing", words=["whiteout"])
def _():
    return one(entry(".wh."))


@case("whiteout-dot", words=["whiteout"])
def _():
    return one(directory("d/"), entry("d/.wh.."))


@case("whiteout-dotdot", words=["whiteout"])
def _():
    return one(directory("d/"), entry("d/.wh..."))


@case("directory-over-link", "contained", files=["d/"])
def _():
    return one(symlink("d", "/tmp"), directory("d/", mode=0o777, uid=1, gid=1))


@case("directory-becomes-link", "contained", files=["d"])
def _():
    return one(directory("d/", mode=0o777, uid=1, gid=1), symlink("d", "/tmp"))


@case("child-of-file", words=["f/child"])
def _():
    return one(entry("f", b"x"), entry("f/child", b"y"))


@case("link-loop", words=["a/x"])
def _():
    return one(symlink("a", "b"), symlink("b", "a"), entry("a/x", b"y"))


@case("duplicates", "contained", files=["d", "e/child"])
def _():
    return one(
        directory("d/"), entry("d/x", b"1"), symlink("d", "/tmp"), entry("e", b"1"), directory("e/"), entry("e/child", b"2")
    )


# --- devices, attributes, ids -----------------------------------------------------------------------------------------


@case("devices", "contained", files=["!sda", "!null", "f"])
def _():
    return one(
        entry("sda", type=b"4", dev=(8, 0), mode=0o666), entry("null", type=b"3", dev=(1, 3), mode=0o666), entry("f", b"x")
    )


@case("overlay-whiteout", "contained", files=["!etc", "f"])
def _():
    return one(entry("etc", type=b"3", dev=(0, 0)), entry("f", b"x"))


@case("attributes", "contained", files=["f"])
def _():
    return one(
        pax(
            ("SCHILY.xattr.trusted.overlay.opaque", b"y"),
            ("SCHILY.xattr.trusted.overlay.redirect", b"/etc"),
            ("SCHILY.xattr.user.overlay.redirect", b"/etc"),
            ("SCHILY.xattr.security.selinux", b"system_u:object_r:bin_t:s0"),
            ("SCHILY.xattr.system.posix_acl_access", b"\x02\0\0\0"),
            ("SCHILY.xattr.user.fine", b"kept"),
        ),
        entry("f", b"x"),
    )


@case("uid-minus-one", words=["suid", "-1"])
def _():
    return one(entry("suid", b"x", uid=-1, mode=0o4755))


@case("uid-wraps", words=["suid", "4294967296"])
def _():
    return one(entry("suid", b"x", uid=2**32, mode=0o4755))


@case("uid-reserved", words=["suid", "4294967295"])
def _():
    return one(entry("suid", b"x", uid=2**32 - 1, mode=0o4755))


@case("fifo-passwd", "contained", files=["etc/passwd"])
def _():
    return one(entry("etc/passwd", type=b"6"))


@case("root-closed", "contained", files=["f"])
def _():
    return one(directory("./", mode=0o000, uid=12345, gid=12345), entry("f", b"x"))


# --- the tar format ---------------------------------------------------------------------------------------------------


@case("nul-in-name", words=["NUL"])
def _():
    return one(pax(("path", b"a\0b")), entry("x"))


@case("long-path", words=["6000 bytes"])
def _():
    return one(pax(("path", b"abc/" * 1500)), entry("x"))


@case("long-component", words=["component"])
def _():
    return one(pax(("path", b"a" * 300)), entry("x"))


@case("deep", words=["512 directories"])
def _():
    return one(pax(("path", b"a/" * 1500)), directory("x"))


@case("smuggled", "contained", files=["outer", "after", "!smuggled"])
def _():
    inner = entry("smuggled", b"evil")
    return one(pax(("size", b"%d" % len(inner))), header(b"outer", size=0) + inner, entry("after"))


@case("smuggled-reverse", "contained", files=["outer", "smuggled"])
def _():
    inner = entry("smuggled", b"evil")
    return one(pax(("size", b"0")), header(b"outer", size=len(inner)) + inner)


@case("pax-huge", words=["extended header"])
def _():
    return one(header(b"x", type=b"x", size=1 << 30))


@case("longname-huge", words=["extended header"])
def _():
    return one(header(b"x", type=b"L", size=8 << 30))


@case("sparse-regions", words=["regions"])
def _():
    return one(
        pax(("GNU.sparse.size", b"100"), ("GNU.sparse.map", b",".join([b"0,0"] * 20000))), entry("x")
    )


@case("sparse-huge", words=["sparse"])
def _():
    return one(pax(("GNU.sparse.size", b"%d" % (1 << 40)), ("GNU.sparse.map", b"0,1")), entry("x", b"a"))


@case("size-negative", words=["negative"])
def _():
    return one(header(b"x", size=-1))


@case("size-huge", words=["more than the limit"])
def _():
    return one(header(b"x", size=2**63 - 1))


@case("size-beyond", words=["no number"])
def _():
    return one(header(b"x", size=2**70))


@case("time-beyond", "contained", files=["x"])
def _():
    return one(pax(("mtime", b"9223372036854775807.999999999")), entry("x"))


@case("truncated", words=["ends"])
def _():
    return Layout(header(b"x", size=100000) + b"only this")


@case("after-the-end", "contained", files=["x", "!y"])
def _():
    return Layout(entry("x") + END + entry("y") + END)


@case("checksum", words=["checksum"])
def _():
    return Layout(b"y" + entry("x")[1:] + END)


@case("attributes-huge", words=["extended"])
def _():
    return one(pax(("SCHILY.xattr.user.a", b"x" * 100000)), entry("f"))


@case("swift-names", "contained", files=["dir/\u0301pwn", "e\u0301", "\u00e9", "!vic"])
def _():
    return one(
        entry("dir/\u0301pwn", b"x"), entry(".wh.\u0301vic"), entry("\u00e9", b"composed"), entry("e\u0301", b"decomposed"),
        entry(b"a\xff", b"1"), entry(b"a\xfe", b"2"), entry(b"new\nline\x1b[31m", b"3"),
    )


# --- compression ------------------------------------------------------------------------------------------------------


def gzipped(plain, stored):
    layout = Layout()
    layout.add(plain, stored, media="application/vnd.oci.image.layer.v1.tar+gzip")
    return layout


PLAIN = entry("f", b"content") + END


@case("gzip-members", "contained", files=["f"])
def _():
    return gzipped(PLAIN, gzip.compress(PLAIN[:700]) + gzip.compress(PLAIN[700:]))


@case("gzip-garbage", words=["follow"])
def _():
    return gzipped(PLAIN, gzip.compress(PLAIN) + b"garbage" * 600)


@case("gzip-cut", words=["cut off"])
def _():
    return gzipped(PLAIN, gzip.compress(PLAIN)[:-4])


@case("gzip-crc", words=["corrupt gzip"])
def _():
    data = bytearray(gzip.compress(PLAIN))
    data[-6] ^= 1
    return gzipped(PLAIN, bytes(data))


@case("gzip-bomb", words=["expands"])
def _():
    compressor = zlib.compressobj(9, zlib.DEFLATED, 31)
    start = compressor.compress(header(b"zeros", size=1 << 30)) + compressor.flush(zlib.Z_FULL_FLUSH)
    # After a full flush the same input always gives the same bytes.
    block = compressor.compress(b"\0" * (1 << 20)) + compressor.flush(zlib.Z_FULL_FLUSH)
    stored = start + block * 1024
    return gzipped(b"never", stored + compressor.flush())


@case("zstd-window", words=["zstd"])
def _():
    layout = Layout()
    layout.add(b"never", bytes.fromhex("28b52ffd00a8010000"), media="application/vnd.oci.image.layer.v1.tar+zstd")
    return layout


@case("zstd-garbage", words=["zstd"])
def _():
    # An empty frame, then something else.
    layout = Layout()
    layout.add(b"never", bytes.fromhex("28b52ffd2000010000") + b"garbage", media="application/vnd.oci.image.layer.v1.tar+zstd")
    return layout


# --- documents --------------------------------------------------------------------------------------------------------


@case("digest-traversal", words=["digest"])
def _():
    layout = one(entry("f"))
    layout.layers[0]["digest"] = "sha256:../../../../../../etc/passwd"
    return layout


@case("digest-upper", words=["digest"])
def _():
    layout = one(entry("f"))
    layout.layers[0]["digest"] = "sha256:" + layout.layers[0]["digest"][7:].upper()
    return layout


@case("digest-sha512", words=["digest"])
def _():
    layout = one(entry("f"))
    layout.layers[0]["digest"] = "sha512:" + "ab" * 64
    return layout


@case("layer-flipped", words=["digest"])
def _():
    layout = one(entry("f", b"content"))
    digest = layout.layers[0]["digest"]
    layout.blobs[digest] = layout.blobs[digest].replace(b"content", b"CONTENT")
    return layout


@case("layer-short", words=["announced"])
def _():
    layout = one(entry("f"))
    digest = layout.layers[0]["digest"]
    layout.blobs[digest] = layout.blobs[digest][:-512]
    return layout


@case("layer-missing", words=["missing"])
def _():
    layout = one(entry("f"))
    layout.blobs.clear()
    return layout


@case("diff-id-wrong", words=["decompressed digest"])
def _():
    layout = one(entry("f"))
    layout.diff_ids[0] = sha(b"something else")
    return layout


@case("diff-ids-missing", words=["diff ids"])
def _():
    layout = one(entry("f"))
    layout.diff_ids.clear()
    return layout


for name, size in {"negative": -1, "huge": 2**63 - 1, "off-by-one": None, "text": "12"}.items():

    @case("layer-size-" + name, words=["layer" if name == "huge" else ""])
    def _(size=size):
        layout = one(entry("f"))
        layout.layers[0]["size"] = layout.layers[0]["size"] + 1 if size is None else size
        return layout


@case("manifest-is-index", words=["index and a manifest"])
def _():
    layout = one(entry("f"))
    layout.manifest["manifests"] = []
    return layout


@case("index-is-manifest", words=["index and a manifest"])
def _():
    layout = one(entry("f"))
    layout.index["layers"] = []
    return layout


@case("media-type-differs", words=["mediaType"])
def _():
    layout = one(entry("f"))
    layout.manifest["mediaType"] = "application/vnd.docker.distribution.manifest.v2+json"
    return layout


@case("layer-type-unknown", words=["unknown media type"])
def _():
    layout = one(entry("f"))
    layout.layers[0]["mediaType"] = "application/vnd.oci.image.layer.v1.tar+gzip+encrypted"
    return layout


@case("foreign-urls", "contained", files=["f"])
def _():
    layout = one(entry("f"))
    layout.layers[0]["urls"] = ["http://127.0.0.1:1/never"]
    return layout


@case("not-an-image", words=["no container image"])
def _():
    layout = one(entry("f"))
    layout.manifest["config"] = {"mediaType": "application/vnd.cncf.helm.config.v1+json", "digest": layout.blob(b"{}"), "size": 2}
    return layout


@case("other-platform", words=["linux/s390x"])
def _():
    layout = one(entry("f"))
    layout.config["architecture"] = "s390x"
    return layout


@case("duplicate-key", words=["duplicate key"])
def _():
    layout = one(entry("f"))
    text = b'{"architecture": "amd64", "os": "linux", "os": "linux"}'
    layout.manifest["config"] = {
        "mediaType": "application/vnd.oci.image.config.v1+json", "digest": layout.blob(text), "size": len(text),
    }
    return layout


@case("json-deep", words=["nested"])
def _():
    layout = one(entry("f"))
    text = b"[" * 100000 + b"]" * 100000
    layout.manifest["config"] = {
        "mediaType": "application/vnd.oci.image.config.v1+json", "digest": layout.blob(text), "size": len(text),
    }
    return layout


@case("manifest-huge", words=["more than 4194304"])
def _():
    layout = one(entry("f"))
    layout.manifest["annotations"] = {"a": "x" * (5 << 20)}
    return layout


@case("layers-many", words=["129 layers"])
def _():
    return Layout(*(entry(f"f{index}") + END for index in range(129)))


@case("config-nul", words=["NUL"])
def _():
    layout = one(entry("f"))
    layout.config["config"]["Env"] = ["A=b\0C=d"]
    return layout


@case("name-injected", words=["archive names an image"])
def _():
    layout = one(entry("f"))
    layout.descriptor["annotations"]["io.containerd.image.name"] = "evil\r\nX: y"
    return layout


def main():
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        print(__doc__, file=sys.stderr)
        return 64
    chosen = sys.argv[2:] or list(CASES)
    listed = []
    for name in chosen:
        build, outcome, words, files = CASES[name]
        build().write(f"{sys.argv[1]}/{name}")
        listed.append({"case": name, "outcome": outcome, "words": [word for word in words if word], "files": files})
    with open(sys.argv[1] + "/cases.json", "w") as file:
        json.dump(listed, file, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
