"""A small virtual machine: another kernel and its file systems, for what this host's kernel does not have.

Its root is in memory and holds busybox, the files that are given, and kernel modules; nothing of it lasts. A shell script
runs in it as root, and what that writes comes back with its exit status. The processor is emulated, so that it works
in virtual machines too; a boot takes some seconds.
"""

import glob
import os
import re
import shutil
import stat
import subprocess
import tempfile

from .images import busybox_binary
from .needs import need, need_command

_INIT = """#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t devtmpfs dev /dev
for module in $(cat /modules/order); do insmod /modules/$module || echo "insmod $module failed" > /dev/ttyS1; done
# A root that can be pivoted from, which the first one is not.
mount -t tmpfs -o mode=755 root /root
cp -a /bin /files/. /root/
mkdir -p /root/proc /root/sys /root/dev /root/tmp /root/run /root/var/tmp /root/etc /root/root
chmod 1777 /root/tmp /root/var/tmp
cp /start /script /root/
mount --move /proc /root/proc
mount --move /dev /root/dev
exec switch_root /root /bin/sh /start
"""

_START = """
export PATH=/bin HOME=/root
mount -t sysfs sys /sys
mkdir /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs shm /dev/shm
{cgroups}
ip link set lo up
sh /script > /dev/ttyS1 2>&1 < /dev/null
echo "machine: exit status $?" > /dev/ttyS1
sync
poweroff -f
"""

# As systemd mounts them, in each of the two ways.
_HYBRID = """
mount -t tmpfs cgroup /sys/fs/cgroup
for controllers in cpu,cpuacct memory pids devices freezer; do
  mkdir /sys/fs/cgroup/$controllers
  mount -t cgroup -o $controllers cgroup /sys/fs/cgroup/$controllers
done
mkdir /sys/fs/cgroup/unified
mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified
"""
_UNIFIED = "mount -t cgroup2 -o nsdelegate cgroup2 /sys/fs/cgroup"

_MARK = re.compile(r"^machine: exit status (\d+)$", re.MULTILINE)


class Machine:
    """A machine that has not been started: add to it, then `run` a script in it."""

    def __init__(self, memory=768, processors=1, unified=False):
        """Its cgroups are of version 2 alone when they are `unified`, otherwise the controllers are of version 1."""
        need_command("qemu-system-x86_64")
        need_command("cpio")
        kernels = sorted(glob.glob("/boot/vmlinuz-*-cloud-amd64"))
        need(kernels, "a kernel for a virtual machine (linux-image-cloud-amd64)")
        self.kernel = kernels[-1]
        self.release = os.path.basename(self.kernel).removeprefix("vmlinuz-")
        self.memory = memory
        self.processors = processors
        self.cgroups = _UNIFIED if unified else _HYBRID
        self._files = []
        self._modules = ["virtio_pci", "virtio_blk", "overlay"]
        self._disks = []

    def file(self, path, data=None, source=None, mode=0o644):
        """A file of the machine's root: these bytes, or a copy of a file of this host."""
        self._files.append((path, data.encode() if isinstance(data, str) else data, source, mode))
        return self

    def program(self, name):
        """A program of this host, with the libraries that it is linked with."""
        need_command(name)
        path = shutil.which(name)
        linked = subprocess.run(["ldd", path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
        self.file("/bin/" + name, source=path, mode=0o755)
        for library in re.findall(r"(/\S+) \(0x", linked.stdout):
            self.file(library, source=library, mode=0o755)
        return self

    def modules(self, *names):
        """Kernel modules to load, after those that they depend on. What is part of the kernel itself is none."""
        self._modules += names
        return self

    def disk(self, path):
        """A raw image as a disk: /dev/vda, vdb and so on."""
        self._disks.append(path)
        return self

    def run(self, script, seconds=300):
        """Boots, runs the shell script and returns its exit status and what it wrote."""
        directory = tempfile.mkdtemp(prefix="aurora-machine-", dir=os.environ.get("AURORA_TEST_DIR", "/var/tmp"))
        try:
            return self._run(script, seconds, directory)
        finally:
            shutil.rmtree(directory, ignore_errors=True)

    def _run(self, script, seconds, directory):
        archive = self._archive(script, os.path.join(directory, "root"))
        console, output = os.path.join(directory, "console"), os.path.join(directory, "output")
        words = [
            "qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", "-m", str(self.memory), "-smp", str(self.processors),
            "-nodefaults", "-display", "none", "-no-reboot", "-kernel", self.kernel, "-initrd", archive,
            # A periodic tick: without one a machine with nothing to do was seen not to wake up again.
            "-append", "console=ttyS0 quiet panic=-1 mitigations=off nohz=off highres=off", "-serial", "file:" + console, "-serial",
            "file:" + output]
        for path in self._disks:
            words += ["-drive", f"file={path},format=raw,if=virtio,cache=unsafe"]
        try:
            done = subprocess.run(
                words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=seconds,
                check=False)
            ended = f"qemu ended with {done.returncode}: " + done.stdout.decode(errors="replace")
        except subprocess.TimeoutExpired:
            ended = f"it was ended after {seconds:g} s"
        said = _text(output)
        mark = _MARK.search(said)
        if not mark:
            raise AssertionError(f"the machine did not come to the end of its script; {ended}\n--- console\n"
                                 f"{_text(console)[-4000:]}\n--- output\n{said[-8000:]}")
        return int(mark.group(1)), said[:mark.start()]

    def _archive(self, script, root):
        """The first root, as the kernel takes it."""
        for name in ("bin", "proc", "dev", "root", "files", "modules"):
            os.makedirs(os.path.join(root, name))
        _write(root, "bin/busybox", busybox_binary(), 0o755)
        os.symlink("busybox", os.path.join(root, "bin/sh"))
        _write(root, "init", _INIT.encode(), 0o755)
        _write(root, "start", _START.format(cgroups=self.cgroups).encode(), 0o755)
        _write(root, "script", script.encode(), 0o755)
        for path, data, source, mode in self._files:
            if data is None:
                with open(source, "rb") as file:
                    data = file.read()
            _write(root, "files/" + path.lstrip("/"), data, mode)
        order = []
        for name in self._modules:
            self._add_module(name, order)
        for path in order:
            with open(path, "rb") as file:
                _write(root, "modules/" + os.path.basename(path), file.read(), 0o644)
        _write(root, "modules/order", "\n".join(os.path.basename(path) for path in order).encode(), 0o644)
        names = b"\0".join(
            os.path.relpath(os.path.join(top, name), root).encode()
            for top, directories, files in os.walk(root) for name in directories + files)
        path = root + ".cpio"
        with open(path, "wb") as file:
            subprocess.run(["cpio", "--null", "--create", "--format=newc", "--quiet", "--owner=0:0"], cwd=root, input=names,
                           stdout=file, check=True)
        return path

    def _add_module(self, name, order):
        top = f"/lib/modules/{self.release}"
        if not hasattr(self, "_dependencies"):
            with open(top + "/modules.dep", encoding="ascii") as file:
                self._dependencies = dict(line.rstrip("\n").split(":", 1) for line in file)
        path = next((path for path in self._dependencies if _module_name(path) == name), None)
        if path is None:
            with open(top + "/modules.builtin", encoding="ascii") as file:
                need(any(_module_name(line.strip()) == name for line in file), f"the kernel module {name}")
            return
        # The dependencies stand in the order in which the last must be loaded first.
        for one in [*reversed(self._dependencies[path].split()), path]:
            if f"{top}/{one}" not in order:
                order.append(f"{top}/{one}")


def _module_name(path):
    return os.path.basename(path).split(".")[0].replace("-", "_")


def _write(root, path, data, mode):
    full = os.path.join(root, path)
    os.makedirs(os.path.dirname(full), exist_ok=True)
    with open(full, "wb") as file:
        file.write(data)
    os.chmod(full, stat.S_IMODE(mode))


def _text(path):
    try:
        with open(path, "rb") as file:
            return file.read().decode(errors="replace").replace("\r\n", "\n")
    except FileNotFoundError:
        return ""
