#!/usr/bin/env python3
"""Runs the integration tests in a few processes at once: run.py [FILTER …]

Each worker is a small machine of its own: a mount namespace whose mounts are shared as under systemd, a pid namespace
whose first process reaps orphans as init does, an ipc namespace, and private account files. So what a test leaves behind can be
counted although another test runs beside it.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
# A class whose tests need more says so in `SECONDS`.
TEST_SECONDS = 90


def flattened(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from flattened(test)
        else:
            yield test


def all_tests(filters):
    sys.path.insert(0, HERE)
    tests = list(flattened(unittest.defaultTestLoader.discover(HERE, "test_*.py")))
    broken = [test for test in tests if test.id().startswith("unittest.loader._FailedTest")]
    chosen = [test for test in tests if not filters or any(word in test.id() for word in filters)]
    return chosen + [test for test in broken if test not in chosen]


class Report(unittest.TestResult):
    """Sends one line a test to the runner."""

    def __init__(self, stream):
        super().__init__()
        self.stream = stream
        self.outcome = ("passed", "")

    def startTest(self, test):
        super().startTest(test)
        self.outcome = ("passed", "")
        self.began = time.monotonic()
        signal.alarm(seconds_for(test))

    def stopTest(self, test):
        signal.alarm(0)
        super().stopTest(test)
        line = json.dumps([test.id(), *self.outcome, time.monotonic() - self.began])
        self.stream.write(line + "\n")
        self.stream.flush()

    def _failed(self, error):
        text = "".join(traceback.format_exception(*error, limit=-4))
        self.outcome = ("failed", self.outcome[1] + text)

    def addError(self, test, err):
        self._failed(err)

    def addFailure(self, test, err):
        self._failed(err)

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self._failed(err)
            self.outcome = ("failed", f"{subtest}\n{self.outcome[1]}")

    def addSkip(self, test, reason):
        if self.outcome[0] == "passed":
            self.outcome = ("skipped", reason)

    def addExpectedFailure(self, test, err):
        self.outcome = ("failed", "expected failures are not used here")


def seconds_for(test):
    return getattr(test, "SECONDS", TEST_SECONDS)


def too_long(*_):
    raise TimeoutError("the test took longer than it may")


def private_accounts():
    """Copies of the account files, which tests may change, in this worker only."""
    directory = tempfile.mkdtemp(prefix="aurora-accounts-", dir="/var/tmp")
    for name in ("passwd", "group", "shadow"):
        copy = os.path.join(directory, name)
        subprocess.run(["cp", "-p", f"/etc/{name}", copy], check=True)
        subprocess.run(["mount", "--bind", copy, f"/etc/{name}"], check=True)
        os.unlink(copy)
    os.rmdir(directory)


def work(name, filters, queue, stream):
    """The worker: takes numbers of tests from the queue until there are none."""
    os.environ["AURORA_TEST_WORKER"] = name
    if os.geteuid() == 0:
        # As systemd has it; a host without it shares nothing.
        propagation = os.environ.get("AURORA_TEST_PROPAGATION", "rshared")
        subprocess.run(["mount", f"--make-{propagation}", "/"], check=True)
        private_accounts()
    signal.signal(signal.SIGALRM, too_long)
    tests = all_tests(filters)
    report = Report(stream)
    while number := os.read(queue, 4):
        tests[int.from_bytes(number, "little")].run(report)


def reap(child):
    """The first process of the pid namespace: waits for orphans, and ends with the worker."""
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == child:
            os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


def worker_main(arguments):
    name, queue, stream, *filters = arguments
    child = os.fork()
    if child:
        reap(child)
    with os.fdopen(int(stream), "w", encoding="utf-8") as output:
        os.set_inheritable(int(queue), False)
        os.set_inheritable(output.fileno(), False)
        work(name, filters, int(queue), output)


def start_worker(index, filters, queue, stream):
    command = [sys.executable, os.path.abspath(__file__), "--worker", f"w{os.getpid()}x{index}", str(queue), str(stream), *filters]
    if os.geteuid() == 0:
        command = ["unshare", "--mount", "--pid", "--ipc", "--fork", "--kill-child", "--mount-proc"] + command
    return subprocess.Popen(command, pass_fds=(queue, stream), stdin=subprocess.DEVNULL)


def main():
    options = argparse.ArgumentParser(description="Runs the integration tests.")
    options.add_argument("--jobs", type=int, default=2, help="tests that run at once (2)")
    options.add_argument("--list", action="store_true", help="name the tests and run none")
    options.add_argument("--verbose", action="store_true", help="name each test that passes")
    options.add_argument("filters", nargs="*", help="run only tests whose name has one of these in it")
    chosen = options.parse_args()
    tests = all_tests(chosen.filters)
    if chosen.list:
        print("\n".join(test.id() for test in tests))
        return 0
    # Ignored where this runs under nohup(1) or in the background of a script: the programs under test heed that.
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    began = time.monotonic()
    queue, feed = os.pipe()
    for number in range(len(tests)):
        os.write(feed, number.to_bytes(4, "little"))
    os.close(feed)
    results, stream = os.pipe()
    workers = [start_worker(index, chosen.filters, queue, stream) for index in range(max(1, chosen.jobs))]
    os.close(queue)
    os.close(stream)
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    slow = []
    with os.fdopen(results, encoding="utf-8") as lines:
        for line in lines:
            name, outcome, text, seconds = json.loads(line)
            counts[outcome] += 1
            slow.append((seconds, name))
            if outcome == "failed":
                print(f"FAILED   {name} ({seconds:.1f} s)\n    " + text.rstrip().replace("\n", "\n    "), flush=True)
            elif outcome == "skipped":
                print(f"skipped  {name}: {text}", flush=True)
            elif chosen.verbose:
                print(f"passed   {name} ({seconds:.1f} s)", flush=True)
    codes = [worker.wait() for worker in workers]
    missing = len(tests) - sum(counts.values())
    if missing or any(codes):
        print(f"FAILED   {missing} tests did not report; workers ended with {codes}")
        counts["failed"] += max(1, missing)
    if chosen.verbose:
        for seconds, name in sorted(slow, reverse=True)[:10]:
            print(f"slow     {name} ({seconds:.1f} s)")
    print(f"in {time.monotonic() - began:.0f} s")
    print(f"{counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped")
    return 1 if counts["failed"] else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        worker_main(sys.argv[2:])
    else:
        sys.exit(main())
