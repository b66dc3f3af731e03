"""A small machine for a run of tests. As a program it runs another in one: private_machine.py PROGRAM [ARGUMENT …]

It has a mount namespace whose mounts are shared as under systemd, a pid namespace whose first process reaps orphans as
init does, an ipc namespace, and private account files. So what a test leaves behind can be counted although another
test runs beside it.
"""

import os
import shlex
import signal
import subprocess
import sys
import tempfile

# The machine's name, in the names of its tasks.
_NAME = "AURORA_TEST_WORKER"


def name():
    """That of the machine this runs in; None is the host's own."""
    return os.environ.get(_NAME)


def prefix_of_those_started_here():
    """How the names of machines begin whose commands this process started."""
    return f"w{os.getpid()}x"


def command(*words):
    """The words that run a program in a machine."""
    return [sys.executable, os.path.abspath(__file__), *words]


def python_in_one():
    """As execnet wants it."""
    return shlex.join(command(sys.executable))


def _private_accounts():
    """Copies of the account files, which tests may change, in this machine only."""
    directory = tempfile.mkdtemp(prefix="aurora-accounts-", dir="/var/tmp")
    for name in ("passwd", "group", "shadow"):
        copy = os.path.join(directory, name)
        subprocess.run(["cp", "-p", f"/etc/{name}", copy], check=True)
        subprocess.run(["mount", "--bind", copy, f"/etc/{name}"], check=True)
        os.unlink(copy)
    os.rmdir(directory)


def _be_first(words):
    """The first process of the pid namespace: runs the program, waits for orphans, and ends with the program."""
    # As systemd has it; a host without it shares nothing.
    propagation = os.environ.get("AURORA_TEST_PROPAGATION", "rshared")
    subprocess.run(["mount", f"--make-{propagation}", "/"], check=True)
    _private_accounts()
    # Ignored where this runs under nohup(1) or in the background of a script: the programs under test heed that. A
    # Ctrl-C is for the tests, which clean up; the kernel keeps it from the first process where nothing handles it.
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)
    child = os.fork()
    if not child:
        os.execvp(words[0], words)
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == child:
            os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


def _main(words):
    if words[0] == "--first":
        _be_first(words[1:])
    os.environ[_NAME] = f"w{os.getppid()}x{os.getpid()}"
    os.execvp("unshare", ["unshare", "--mount", "--pid", "--ipc", "--fork", "--kill-child", "--mount-proc", *command("--first", *words)])


if __name__ == "__main__":
    _main(sys.argv[1:])
