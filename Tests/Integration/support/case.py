"""The base of every integration test: directories of its own, and a look at the host before and after."""

import contextlib
import os
import shutil
import tempfile
import unittest

from . import private_machine
from .executor import Host
from .host import HostSnapshot, remove_cgroups, wait_until_unchanged
from .images import busybox_image
from .needs import need_root

WORKER = private_machine.name() or "w0"
_PARENT = os.environ.get("AURORA_TEST_DIR", "/var/tmp")


class ExecutorTestCase(unittest.TestCase):
    """Runs as root. After every test the host must be as it was before it."""

    # Assertions show whole outputs.
    maxDiff = None
    _count = 0
    _failed_subtests = ()

    def setUp(self):
        need_root()
        ExecutorTestCase._count += 1
        self.prefix = f"it-{WORKER}-{ExecutorTestCase._count}-"
        self._worker_prefix = f"it-{WORKER}-"
        directory = tempfile.mkdtemp(prefix="aurora-test-", dir=_PARENT)
        # The role user of a task has to get through.
        os.chmod(directory, 0o755)
        before = HostSnapshot(self._worker_prefix)
        self.host = Host(directory, self.prefix)
        self.addCleanup(self._clean, directory, before)

    def _clean(self, directory, before):
        try:
            self.host.end_everything()
            left = wait_until_unchanged(before, self._worker_prefix)
        finally:
            # Whatever was left, the next test shall not suffer from it.
            remove_cgroups(self._worker_prefix)
            shutil.rmtree(directory, ignore_errors=True)
        if left:
            self.fail("the host is not as it was before the test:\n  " + "\n  ".join(left))

    def run(self, result=None):
        try:
            return super().run(result)
        except KeyboardInterrupt:
            # For which unittest leaves everything as it is.
            self.doCleanups()
            raise

    @contextlib.contextmanager
    def subTest(self, message=None, /, **parameters):
        """As unittest means it, which pytest does not: a failure says whose it is, and those after it run as well."""
        try:
            yield
        except unittest.SkipTest:
            raise
        except Exception as error:
            words = [] if message is None else [str(message)]
            name = ", ".join(words + [f"{key}={value!r}" for key, value in parameters.items()])
            error.add_note(f"in the subtest {name}")
            if not self._failed_subtests:
                self.addCleanup(self._fail_for_subtests)
            self._failed_subtests += ((name, error),)

    def _fail_for_subtests(self):
        names, errors = zip(*self._failed_subtests)
        raise ExceptionGroup("failed subtests: " + "; ".join(names), errors)

    # Short forms

    @property
    def aurora(self):
        return self.host.aurora

    @property
    def run_task(self):
        return self.host.run_task

    @property
    def start_task(self):
        return self.host.start_task

    def with_busybox(self, form="docker_archive", **options):
        """Imports a busybox image and returns its name."""
        return self.host.import_image(busybox_image(**options), form)

    # Assertions

    def assert_finished(self, outcome):
        self.assertEqual(outcome.code, 0, outcome)
        self.assertEqual(outcome.result["state"], "TASK_FINISHED", outcome)
        return outcome

    def assert_failed(self, outcome, *words, reason=None):
        """TASK_FAILED, exit status 1, and a message that has the words, or a hint."""
        self.assertEqual(outcome.code, 1, outcome)
        self.assertEqual(outcome.result["state"], "TASK_FAILED", outcome)
        said = outcome.result["message"] + "\n" + outcome.result.get("hint", "")
        for word in words:
            self.assertIn(word, said, outcome)
        if reason:
            self.assertEqual(outcome.result.get("reason"), reason, outcome)
        return outcome

    def assert_runs(self, outcome, process, *expected):
        """Each run as its exit status, or its signal's name."""
        seen = tuple(run.get("exit_code", run.get("signal", run.get("reason"))) for run in outcome.runs(process))
        self.assertEqual(seen, expected, outcome)
