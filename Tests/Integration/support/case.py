"""The base of every integration test: directories of its own, and a look at the host before and after."""

import os
import shutil
import signal
import tempfile
import unittest

from .executor import Host
from .host import OUR_CGROUP, HostSnapshot, wait_until_unchanged
from .images import busybox_image
from .needs import CGROUP_ROOT, need_root

WORKER = os.environ.get("AURORA_TEST_WORKER", "w0")
_PARENT = os.environ.get("AURORA_TEST_DIR", "/var/tmp")


class ExecutorTestCase(unittest.TestCase):
    """Runs as root. After every test the host must be as it was before it."""

    # Assertions show whole outputs.
    maxDiff = None
    _count = 0

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
            self._remove_remains()
            shutil.rmtree(directory, ignore_errors=True)
        if left:
            self.fail("the host is not as it was before the test:\n  " + "\n  ".join(left))

    def _remove_remains(self):
        """Whatever was left, the next test shall not suffer from it."""
        for hierarchy in os.listdir(CGROUP_ROOT):
            top = os.path.join(CGROUP_ROOT, hierarchy, OUR_CGROUP)
            for directory, _, _ in sorted(os.walk(top), reverse=True):
                if not os.path.relpath(directory, top).startswith(self._worker_prefix):
                    continue
                try:
                    with open(os.path.join(directory, "cgroup.procs"), encoding="ascii") as file:
                        for pid in file:
                            # 0 is a process of another pid namespace.
                            if int(pid) > 1:
                                os.kill(int(pid), signal.SIGKILL)
                except OSError:
                    pass
                try:
                    os.rmdir(directory)
                except OSError:
                    pass

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
