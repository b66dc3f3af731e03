"""Small static programs that tests have compiled: what an attacker would bring along."""

import hashlib
import os
import shutil
import subprocess
import tempfile
import uuid

from .needs import need

_ATTACKS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "attacks")
_CACHE = os.path.join(tempfile.gettempdir(), f"aurora-attacks-{os.getuid()}")


def compiler():
    """A C compiler; the Swift toolchain has one."""
    for name in ("cc", "gcc", "clang"):
        if shutil.which(name):
            return name
    need(False, "a C compiler (cc, gcc or clang)")
    return ""


def program(name, *options):
    """The path of `attacks/NAME.c`, compiled statically."""
    source = os.path.join(_ATTACKS, name + ".c")
    with open(source, "rb") as file:
        digest = hashlib.sha256(file.read() + repr(options).encode()).hexdigest()[:16]
    path = os.path.join(_CACHE, f"{name}-{digest}")
    if not os.path.exists(path):
        os.makedirs(_CACHE, mode=0o755, exist_ok=True)
        # Workers compile beside each other, and have the same numbers.
        made = f"{path}.{uuid.uuid4().hex}"
        done = subprocess.run(
            [compiler(), "-static", "-O1", "-pthread", "-o", made, source, *options],
            capture_output=True, text=True, check=False)
        need(done.returncode == 0, f"a compiler for static programs: {done.stderr[-400:]}")
        os.rename(made, path)
    return path
