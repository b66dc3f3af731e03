"""Images made here, byte by byte: the archives that `docker save` writes, old and new, and OCI layouts."""

import gzip
import hashlib
import json
import os
import subprocess

from .needs import need, need_command
from .tar import TarWriter

_APPLETS = (
    "ash awk cat chmod chown cp cut date dd df echo env expr false find grep head hostname id ipcs kill ln ls mkdir "
    "mkfifo mknod mount mv nc nproc od ps pwd readlink rm rmdir sed seq setsid sh sha256sum sleep sort stat su tail tee "
    "test touch tr true tty umount uname wc whoami yes"
).split()


def _sha256(data):
    return hashlib.sha256(data).hexdigest()


def _compact(value):
    return json.dumps(value, separators=(",", ":")).encode()


class Layer:
    """A layer: its tar, and what it is when compressed."""

    def __init__(self, tar, compression="none"):
        self.tar = tar.bytes() if isinstance(tar, TarWriter) else tar
        self.compression = compression
        self.diff_id = "sha256:" + _sha256(self.tar)
        if compression == "none":
            self.blob = self.tar
        elif compression == "gzip":
            self.blob = gzip.compress(self.tar, compresslevel=1, mtime=0)
        else:
            need_command("zstd")
            self.blob = subprocess.run(["zstd", "-q", "-c"], input=self.tar, stdout=subprocess.PIPE, check=True).stdout

    @property
    def media_type(self):
        suffix = {"none": "", "gzip": "+gzip", "zstd": "+zstd"}[self.compression]
        return "application/vnd.oci.image.layer.v1.tar" + suffix


class Image:
    """An image: layers from the lowest up, and the `config` part of its configuration."""

    def __init__(self, layers, config=None, name="busybox:test"):
        self.layers = layers
        self.name = name
        self.configuration = _compact({
            "architecture": "amd64", "os": "linux", "created": "2026-01-01T00:00:00Z", "config": config or {},
            "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
            "history": [{"created": "2026-01-01T00:00:00Z"} for _ in layers],
        })

    # docker save

    def docker_archive(self, path):
        """The layout with manifest.json, as Docker 1.10 to 24 wrote it."""
        tar = TarWriter()
        config_name = _sha256(self.configuration) + ".json"
        names = []
        for layer in self.layers:
            directory = layer.diff_id.removeprefix("sha256:")
            if directory + "/layer.tar" not in names:
                tar.directory(directory).file(directory + "/VERSION", "1.0").file(directory + "/json", "{}")
                tar.file(directory + "/layer.tar", layer.tar)
            names.append(directory + "/layer.tar")
        tar.file(config_name, self.configuration)
        tar.file("manifest.json", _compact([{"Config": config_name, "RepoTags": [self.name], "Layers": names}]))
        repository, tag = self.name.rsplit(":", 1)
        tar.file("repositories", _compact({repository: {tag: names[-1].split("/")[0] if names else ""}}))
        return _write(path, tar.bytes())

    def old_docker_archive(self, path):
        """The layout before Docker 1.10: `repositories`, and a chain of layers that name their parents."""
        tar = TarWriter()
        config = json.loads(self.configuration)["config"]
        parent = None
        for index, layer in enumerate(self.layers):
            identity = _sha256(layer.tar + str(index).encode() + (parent or "").encode())
            about = {"id": identity, "created": "2014-01-01T00:00:00Z", "os": "linux", "architecture": "amd64"}
            if parent:
                about["parent"] = parent
            if index == len(self.layers) - 1:
                about["config"] = config
            tar.directory(identity).file(identity + "/VERSION", "1.0").file(identity + "/json", _compact(about))
            tar.file(identity + "/layer.tar", layer.tar)
            parent = identity
        repository, tag = self.name.rsplit(":", 1)
        tar.file("repositories", _compact({repository: {tag: parent}}))
        return _write(path, tar.bytes())

    # OCI

    def _oci_files(self, with_docker_manifest=False):
        blobs = {}

        def add(data, media_type):
            digest = _sha256(data)
            blobs["blobs/sha256/" + digest] = data
            return {"mediaType": media_type, "digest": "sha256:" + digest, "size": len(data)}

        layers = [add(layer.blob, layer.media_type) for layer in self.layers]
        config = add(self.configuration, "application/vnd.oci.image.config.v1+json")
        manifest = add(_compact({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": config,
            "layers": layers,
        }), "application/vnd.oci.image.manifest.v1+json")
        manifest["annotations"] = {"org.opencontainers.image.ref.name": self.name}
        files = {
            "oci-layout": _compact({"imageLayoutVersion": "1.0.0"}),
            "index.json": _compact({"schemaVersion": 2, "manifests": [manifest]}), **blobs,
        }
        if with_docker_manifest:
            files["manifest.json"] = _compact([{
                "Config": "blobs/sha256/" + config["digest"].removeprefix("sha256:"), "RepoTags": [self.name],
                "Layers": ["blobs/sha256/" + layer["digest"].removeprefix("sha256:") for layer in layers],
            }])
        return files

    def oci_layout(self, path):
        """An OCI layout as a directory."""
        for name, data in self._oci_files().items():
            os.makedirs(os.path.dirname(os.path.join(path, name)), exist_ok=True)
            _write(os.path.join(path, name), data)
        return path

    def oci_archive(self, path):
        """The same in one tar."""
        return self._archive(path, self._oci_files())

    def docker25_archive(self, path):
        """What Docker 25 and later save: an OCI layout that has a manifest.json as well."""
        return self._archive(path, self._oci_files(with_docker_manifest=True))

    @staticmethod
    def _archive(path, files):
        tar = TarWriter().directory("blobs").directory("blobs/sha256")
        for name, data in files.items():
            tar.file(name, data)
        return _write(path, tar.bytes())


def _write(path, data):
    with open(path, "wb") as file:
        file.write(data)
    return path


def busybox_binary():
    """The static busybox of the host."""
    for path in ("/bin/busybox", "/usr/bin/busybox"):
        if os.path.exists(path):
            with open(path, "rb") as file:
                data = file.read()
            # A dynamic one would have a loader in it.
            need(b"/ld-linux" not in data[:4096], "a static busybox (busybox-static)")
            return data
    need(False, "busybox-static")
    return b""


def busybox_tar(accounts=True, shell=True, extra=None):
    """The tar of a small root: busybox, its applets, /etc with accounts, /tmp. `extra` adds to it."""
    tar = TarWriter()
    tar.directory("bin").file("bin/busybox", busybox_binary(), mode=0o755)
    for applet in _APPLETS:
        if shell or applet not in ("sh", "ash"):
            tar.symlink("bin/" + applet, "busybox")
    tar.directory("tmp", mode=0o1777).directory("var").directory("root", mode=0o700).directory("proc").directory("sys")
    tar.directory("dev")
    if accounts:
        tar.directory("etc")
        tar.file("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nbin:x:2:2:bin:/bin:/bin/false\n")
        tar.file("etc/group", "root:x:0:\nbin:x:2:\n")
    if extra:
        extra(tar)
    return tar


def busybox_image(config=None, name="busybox:test", accounts=True, shell=True, extra=None, layers=()):
    """A busybox image; `layers` are stacked on it."""
    return Image([Layer(busybox_tar(accounts, shell, extra)), *layers], config, name)
