"""What a test needs from the host. A missing need skips the test and says so; with CI=true a skip is a failure."""

import os
import shutil
import subprocess
import unittest

CGROUP_ROOT = "/sys/fs/cgroup"
# Where everything has to be there.
SKIPS_FAIL = os.environ.get("CI") == "true"


def need(condition, what):
    """Goes on only when the condition holds; `what` names what is missing otherwise."""
    if not condition:
        raise unittest.SkipTest(f"needs {what}")


def need_root():
    need(os.geteuid() == 0, "root")


def need_command(name):
    need(shutil.which(name) is not None, f"the program {name}")


def controller_directory(controller):
    """Where a cgroup v1 controller is mounted, or None."""
    with open("/proc/self/mountinfo", encoding="utf-8") as mounts:
        for line in mounts:
            fields, _, rest = line.partition(" - ")
            kind, _, options = rest.split()[:3]
            if kind == "cgroup" and controller in options.split(","):
                return fields.split()[4]
    return None


def need_version2():
    """Where the cgroup v2 hierarchy is mounted."""
    with open("/proc/self/mountinfo", encoding="utf-8") as mounts:
        places = [line.split()[4] for line in mounts if line.partition(" - ")[2].startswith("cgroup2 ")]
    need(places, "a mounted cgroup2")
    return places[0]


def need_controller(controller):
    """The directory of a cgroup v1 controller."""
    found = controller_directory(controller)
    need(found is not None, f"the cgroup v1 controller {controller}")
    return found


def golden_executor():
    """An executor of an earlier day, which `scripts/golden` builds."""
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    done = subprocess.run([os.path.join(root, "scripts", "golden"), "--print"], capture_output=True, text=True, check=False)
    path = done.stdout.strip()
    need(done.returncode == 0 and os.access(path, os.X_OK), "an executor of an earlier day: scripts/golden builds it")
    return path
