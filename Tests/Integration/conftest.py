"""What pytest is to know of these tests: where they run, how long they may take, and that a skip can be a failure."""

import os
import signal
import sys

import pytest

from support import private_machine
from support.host import remove_cgroups
from support.needs import SKIPS_FAIL

# A test that was ended for its time gets its cleanups ended too, each time so many seconds later.
_SECONDS_OF_CLEANUP = 30


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


def pytest_unconfigure():
    """What a worker leaves that was killed. Its processes and mounts are gone with its machine."""
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
