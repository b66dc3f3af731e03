"""What of the host a test could leave changed, counted."""

import contextlib
import os
import signal
import time

from .needs import CGROUP_ROOT

# The parent of every task's cgroups; it may stay, empty.
OUR_CGROUP = "aurora-executor"


def _lines(path):
    try:
        with open(path, "rb") as file:
            return file.read().splitlines()
    except OSError:
        return []


def _processes():
    found = set()
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                stat = file.read()
        except OSError:
            continue
        fields = stat[stat.rindex(b")") + 2:].split()
        found.add((int(name), int(fields[19]), stat[stat.index(b"(") + 1:stat.rindex(b")")].decode(errors="replace")))
    return found


def _namespaces(kind):
    found = set()
    for pid in os.listdir("/proc"):
        if pid.isdigit():
            try:
                found.add(os.readlink(f"/proc/{pid}/ns/{kind}"))
            except OSError:
                pass
    return found


def open_files(pid):
    """The descriptors of a process by number, with what each leads to. One that closes meanwhile is left out."""
    found = {}
    for number in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            found[number] = os.readlink(f"/proc/{pid}/fd/{number}")
    return found


def _cgroups(prefix):
    """Cgroup directories of tasks of this worker, in every hierarchy and wherever in it: the host may be making others."""
    found = set()
    for hierarchy in os.listdir(CGROUP_ROOT) if os.path.isdir(CGROUP_ROOT) else []:
        for directory, _, _ in os.walk(os.path.join(CGROUP_ROOT, hierarchy)):
            if "/" + prefix in directory:
                found.add(directory)
    return found


class HostSnapshot:
    """Processes, mounts, cgroups, namespaces, System V objects and descriptors, as they are now."""

    def __init__(self, prefix):
        self.facts = {
            "process": _processes(),
            "mount": set(_lines("/proc/self/mountinfo")),
            "cgroup": _cgroups(prefix),
            "network namespace": _namespaces("net") | set(os.listdir("/run/netns") if os.path.isdir("/run/netns") else []),
            "mount namespace": _namespaces("mnt"),
            "pid namespace": _namespaces("pid"),
            "System V object": {
                (kind, line) for kind in ("shm", "sem", "msg") for line in _lines(f"/proc/sysvipc/{kind}")[1:]
            },
            "account line": set(_lines("/etc/passwd") + _lines("/etc/group") + _lines("/etc/shadow")),
            "descriptor": {(fd, _target(fd)) for fd in _descriptors()},
        }

    def differences(self, later):
        """What has come and what has gone, in words."""
        found = []
        for what, before in self.facts.items():
            after = later.facts[what]
            found += [f"{what} left behind: {_show(item)}" for item in sorted(after - before, key=repr)]
            found += [f"{what} missing: {_show(item)}" for item in sorted(before - after, key=repr)]
        return found


def _descriptors():
    return [int(name) for name in os.listdir("/proc/self/fd")]


def _target(fd):
    try:
        path = os.readlink(f"/proc/self/fd/{fd}")
    except OSError:
        return None
    return "a directory of /proc" if path.startswith("/proc/") else path


def _show(item):
    return item.decode(errors="replace") if isinstance(item, bytes) else str(item)


def wait_until_unchanged(before, prefix, seconds=2.0):
    """Differences to `before` once the kernel has had its time: it tears some things down when it likes."""
    deadline = time.monotonic() + seconds
    while True:
        found = before.differences(HostSnapshot(prefix))
        if not found or time.monotonic() > deadline:
            return found
        time.sleep(0.05)


def remove_cgroups(prefix, seconds=2.0):
    """Removes what is left of the cgroups of tasks whose names begin so, and kills what is in them."""
    deadline = time.monotonic() + seconds
    # The killed are in theirs until they are gone. Those within others come first.
    while not all([_remove_cgroup(directory) for directory in sorted(_cgroups(prefix), reverse=True)]):
        if time.monotonic() > deadline:
            return
        time.sleep(0.05)


def _remove_cgroup(directory):
    try:
        with open(os.path.join(directory, "cgroup.procs"), encoding="ascii") as file:
            for pid in file:
                # 0 is a process of another pid namespace.
                if int(pid) > 1:
                    os.kill(int(pid), signal.SIGKILL)
        os.rmdir(directory)
    except FileNotFoundError:
        pass
    except OSError:
        return False
    return True
