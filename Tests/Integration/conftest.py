"""What pytest is to know of these tests: where they run, how long they may take, and that a skip can be a failure."""

import os
import shutil
import signal
import sys
import tempfile

import pytest

from support import private_machine
from support.executor import binary
from support.host import remove_cgroups
from support.needs import SKIPS_FAIL

# A test that was ended for its time gets its cleanups ended too, each time so many seconds later.
_SECONDS_OF_CLEANUP = 30


# What they run

# The directory of a copy of the program.
_COPY = "AURORA_TEST_COPY"


def pytest_configure(config):
    """Tests execute the program as others than root: below a home directory they could not come to it."""
    path = os.path.realpath(binary())
    if not os.path.exists(path):
        return
    while os.stat(path).st_mode & 0o001 and path != "/":
        path = os.path.dirname(path)
    if path == "/" or hasattr(config, "workerinput"):
        return
    directory = os.environ[_COPY] = tempfile.mkdtemp(prefix="aurora-binary-", dir="/var/tmp")
    os.chmod(directory, 0o755)
    os.environ["AURORA_BINARY"] = shutil.copy(binary(), directory)


# Where tests run


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes(specs):
    """Each worker is a machine of its own."""
    if os.geteuid() == 0:
        for spec in specs:
            spec.python = private_machine.python_in_one()


def pytest_cmdline_main(config):
    """Without workers, the whole run moves into a machine."""
    # As xdist asks, which has understood -n by now.
    distributes = config.getoption("dist", "no") != "no" and config.getoption("tx", None)
    if os.geteuid() != 0 or private_machine.name() or distributes or config.option.collectonly:
        return
    # It has put other files where the streams of the terminal are.
    config.pluginmanager.getplugin("capturemanager").suspend_global_capture(in_=True)
    words = private_machine.command(sys.executable, *sys.orig_argv[1:])
    os.execv(words[0], words)


def pytest_report_header():
    if os.geteuid() != 0:
        return "machine: none of its own, which needs root"
    return "machine: its own" if private_machine.name() else "machine: its own for each worker"


def pytest_unconfigure(config):
    """What a worker leaves that was killed. Its processes and mounts are gone with its machine."""
    if _COPY in os.environ and not hasattr(config, "workerinput"):
        shutil.rmtree(os.environ[_COPY], ignore_errors=True)
    if os.geteuid() == 0 and not private_machine.name():
        remove_cgroups(f"it-{private_machine.prefix_of_those_started_here()}")


# How long they take


def pytest_collection_modifyitems(items):
    """Those that may take longest come first: nobody is to wait for them at the end."""
    for item in items:
        seconds = getattr(item.cls, "SECONDS", None)
        if seconds is not None:
            item.add_marker(pytest.mark.timeout(seconds, func_only=True))
    items.sort(key=lambda item: -getattr(item.cls, "SECONDS", 0))


@pytest.hookimpl(hookwrapper=True)
def pytest_timeout_set_timer(settings):
    yield
    if settings.method == "signal":
        signal.setitimer(signal.ITIMER_REAL, settings.timeout, _SECONDS_OF_CLEANUP)


# What a skip means


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport():
    outcome = yield
    report = outcome.get_result()
    if hasattr(report, "wasxfail"):
        del report.wasxfail
        _fail(report, "expected failures are not used here")
    _judge_skip(report)


@pytest.hookimpl(hookwrapper=True)
def pytest_make_collect_report():
    outcome = yield
    _judge_skip(outcome.get_result())


def _judge_skip(report):
    if report.skipped and SKIPS_FAIL:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        _fail(report, f"CI=true makes a skip a failure: {reason}")


def _fail(report, why):
    report.outcome = "failed"
    report.longrepr = why
