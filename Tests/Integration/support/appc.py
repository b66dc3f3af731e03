"""AppC images, made as their specification says: a tar of `manifest` and `rootfs/`, compressed or not."""

import bz2
import gzip
import hashlib
import io
import json
import lzma
import tarfile

from .images import busybox_tar

PACKED = {
    "plain": lambda data: data, "gzip": lambda data: gzip.compress(data, 1), "bzip2": lambda data: bz2.compress(data, 1),
    "xz": lambda data: lzma.compress(data, preset=0),
}


def manifest(name="example.com/app", version=None, os="linux", arch="amd64", app=None, **more):
    labels = {"version": version, "os": os, "arch": arch}
    made = {
        "acKind": "ImageManifest", "acVersion": "0.8.11", "name": name,
        "labels": [{"name": key, "value": value} for key, value in labels.items() if value], **more,
    }
    if app is not None:
        made["app"] = {"user": "0", "group": "0", **app}
    return made


class ACI:
    """An image; `add` puts more into it, `tar()` is what it is and `image_id()` what that is called."""

    def __init__(self, document=None, busybox=False, first=True, **fields):
        self._bytes = io.BytesIO()
        self._tar = tarfile.open(fileobj=self._bytes, mode="w", format=tarfile.PAX_FORMAT)
        self.document = manifest(**fields) if document is None else document
        if first:
            self.add("manifest", json.dumps(self.document) if isinstance(self.document, dict) else self.document)
            self.add("rootfs", kind=tarfile.DIRTYPE, mode=0o755)
        if busybox:
            with tarfile.open(fileobj=io.BytesIO(busybox_tar().bytes())) as inner:
                for member in inner:
                    content = inner.extractfile(member) if member.isreg() else None
                    member.name = "rootfs/" + member.name
                    if member.islnk():
                        member.linkname = "rootfs/" + member.linkname
                    self._tar.addfile(member, content)

    def add(self, name, data="", kind=tarfile.REGTYPE, mode=0o644, link=""):
        info = tarfile.TarInfo(name)
        data = data.encode() if isinstance(data, str) else data
        info.type, info.mode, info.linkname, info.size = kind, mode, link, len(data) if kind == tarfile.REGTYPE else 0
        info.mtime = 1700000000
        self._tar.addfile(info, io.BytesIO(data))
        return self

    def file(self, name, data="", mode=0o644):
        return self.add("rootfs/" + name, data, mode=mode)

    def directory(self, name, mode=0o755):
        return self.add("rootfs/" + name, kind=tarfile.DIRTYPE, mode=mode)

    def symlink(self, name, target):
        return self.add("rootfs/" + name, kind=tarfile.SYMTYPE, link=target)

    def tar(self):
        self._tar.close()
        return self._bytes.getvalue()

    def image_id(self):
        return "sha512-" + hashlib.sha512(self.tar()).hexdigest()

    def packed(self, how="plain"):
        return PACKED[how](self.tar())
