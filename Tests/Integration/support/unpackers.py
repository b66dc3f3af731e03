"""The same image as our store, umoci and Docker unpack it, and what each has made of it."""

import hashlib
import json
import os
import shutil
import stat
import subprocess
from concurrent.futures import ThreadPoolExecutor

from .images import Image, Layer


class Refused(Exception):
    """A tool does not take an image."""


def _run(words, **options):
    done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300, check=False, **options)
    if done.returncode != 0:
        raise Refused(done.stdout.decode(errors="replace").strip()[-2000:])
    return done.stdout.decode()


def image_of(archives, name):
    return Image([Layer(archive) for archive in archives], name=name)


def ours(host, image):
    """What a container would see of it: the layers of the store as overlayfs shows them."""
    path = image.docker_archive(host.path("our-image.tar"))
    done = host.aurora("image", "import", path, timeout=300)
    os.unlink(path)
    if done.code != 0:
        raise Refused(done.err)
    about = json.loads(host.aurora("image", "inspect", image.name).out)
    paths = about.get("stack") or [layer["path"] for layer in about["layers"]]
    try:
        if len(paths) == 1:
            return snapshot(paths[0])
        target = host.path("merged")
        os.makedirs(target, exist_ok=True)
        # As containers mount them, but for the writable layer. Relative, for the option has room for a page.
        names = [os.path.relpath(path, host.work + "/images/layers") for path in reversed(paths)]
        _run(["mount", "-t", "overlay", "overlay", "-o", "ro,userxattr,lowerdir=" + ":".join(names), target],
             cwd=host.work + "/images/layers")
        try:
            return snapshot(target)
        finally:
            _run(["umount", target])
    finally:
        host.aurora("image", "rm", "--force", image.name)


def umoci(host, image):
    layout, bundle = host.path("umoci-layout"), host.path("umoci-bundle")
    for path in (layout, bundle):
        shutil.rmtree(path, ignore_errors=True)
    image.oci_layout(layout)
    with open(layout + "/index.json", encoding="utf-8") as file:
        index = json.load(file)
    # It knows tags only.
    index["manifests"][0]["annotations"] = {"org.opencontainers.image.ref.name": "tag"}
    with open(layout + "/index.json", "w", encoding="utf-8") as file:
        json.dump(index, file)
    try:
        _run(["umoci", "unpack", "--image", layout + ":tag", bundle])
        return snapshot(bundle + "/rootfs")
    finally:
        shutil.rmtree(layout, ignore_errors=True)
        shutil.rmtree(bundle, ignore_errors=True)


def docker(host, engine, image):
    """What the engine's `vfs` driver has, which unpacks every layer onto a copy of those below it."""
    path = image.docker_archive(host.path("image.tar"))
    try:
        _run(["docker", "--host", "unix://" + engine.socket, "load", "--quiet", "--input", path])
    finally:
        os.unlink(path)
    chain = ""
    for layer in image.layers:
        chain = layer.diff_id if not chain else "sha256:" + hashlib.sha256(f"{chain} {layer.diff_id}".encode()).hexdigest()
    data = engine.directory + "/data/"
    with open(data + "image/vfs/layerdb/sha256/" + chain.removeprefix("sha256:") + "/cache-id", encoding="ascii") as file:
        directory = data + "vfs/dir/" + file.read()
    try:
        return snapshot(directory)
    finally:
        engine.try_docker("rmi", "--force", image.name)


def all_of_them(host, engine, image):
    """The snapshots of all three by their names; the refusal in place of one."""
    def outcome(run):
        try:
            return run()
        except Refused as refused:
            return refused

    runs = {"ours": lambda: ours(host, image), "umoci": lambda: umoci(host, image), "docker": lambda: docker(host, engine, image)}
    with ThreadPoolExecutor(len(runs)) as pool:
        return dict(zip(runs, pool.map(outcome, runs.values())))


def snapshot(root):
    """Everything in a tree by its path, but for the root itself."""
    root = os.fsencode(root)
    found, inodes = {}, {}

    def walk(directory, path):
        for entry in sorted(os.scandir(directory), key=lambda entry: entry.name):
            name = path + entry.name
            status = os.lstat(entry.path)
            kind = stat.S_IFMT(status.st_mode)
            about = {
                "type": {stat.S_IFDIR: "directory", stat.S_IFREG: "file", stat.S_IFLNK: "link", stat.S_IFIFO: "fifo"}.get(kind, "device"),
                "mode": stat.S_IMODE(status.st_mode), "owner": (status.st_uid, status.st_gid), "time": status.st_mtime_ns,
                "xattrs": {}, "content": None,
            }
            if about["type"] in ("directory", "file"):
                about["xattrs"] = {
                    key: os.getxattr(entry.path, key, follow_symlinks=False) for key in os.listxattr(entry.path, follow_symlinks=False)
                    if key == "security.capability" or (key.startswith("user.") and not key.startswith(("user.overlay.", "user.umoci.")))}
            if about["type"] == "file":
                with open(entry.path, "rb") as file:
                    about["content"] = file.read()
            elif about["type"] == "link":
                about["content"] = os.readlink(entry.path)
            elif about["type"] == "device":
                about["content"] = status.st_rdev
            if about["type"] != "directory":
                inodes.setdefault((status.st_dev, status.st_ino), []).append(name)
            found[name] = about
            if about["type"] == "directory":
                walk(entry.path, name + b"/")

    walk(root, b"")
    for names in inodes.values():
        for name in names:
            found[name]["names"] = sorted(names)
    return found


def differences(one, other):
    """(path, what, this, that) for every disagreement of two snapshots."""
    for path in sorted(one.keys() | other.keys()):
        if path not in one or path not in other:
            yield path, "presence", one.get(path, {}).get("type"), other.get(path, {}).get("type")
            continue
        for key in ("type", "mode", "owner", "time", "xattrs", "content", "names"):
            if one[path].get(key) != other[path].get(key):
                yield path, key, one[path].get(key), other[path].get(key)
                if key == "type":
                    break
