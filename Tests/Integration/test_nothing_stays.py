"""Nothing stays behind: the base class compares the host before and after every test; these are the hard endings."""

import os
import signal
import subprocess
import time

from support import ExecutorTestCase, document, process
from support.executor import wait_until
from support.programs import program


class NothingStays(ExecutorTestCase):
    FORKING = "(setsid sleep 1000 &) ; sleep 1000 & "

    def test_nothing_stays_after_success(self):
        self.assert_finished(self.run_task(document("true")))

    def test_nothing_stays_after_success_in_an_image(self):
        self.assert_finished(self.run_task(document("true", image=self.with_busybox())))

    def test_nothing_stays_after_a_failure(self):
        self.assert_failed(self.run_task(document("exit 7", image=self.with_busybox())))

    def test_children_that_outlive_their_command_are_gone_at_the_end(self):
        image = self.with_busybox()
        self.assert_finished(self.run_task(document(self.FORKING + "exit 0", image=image)))
        self.assert_finished(self.run_task(document(self.FORKING + "exit 0")))

    def test_nothing_stays_after_a_stop(self):
        task = self.start_task(document(self.FORKING + "wait", image=self.with_busybox(), finalization_wait=5))
        task.wait_running().signal(signal.SIGTERM)
        self.assertEqual(task.wait().code, 3)

    def test_nothing_stays_of_an_image_that_cannot_be_found(self):
        self.assertEqual(self.run_task(document("true", image="absent:1"), "--pull", "never").code, 1)

    def test_nothing_stays_after_a_killed_executor_and_its_recovery(self):
        task = self.start_task(document(self.FORKING + "sleep 1", image=self.with_busybox()))
        task.wait_running().kill()
        self.assert_finished(self.host.recover(task.id))

    def test_the_writable_layer_goes_and_sandbox_logs_and_result_stay(self):
        outcome = self.assert_finished(
            self.run_task(document("echo kept > kept; echo said; echo > /gone", image=self.with_busybox()), role="root"))
        self.assertEqual(outcome.sandbox_file("kept"), "kept\n")
        self.assertEqual(outcome.out(), "said\n")
        self.assertFalse(os.path.exists(outcome.directory + "/rootfs"))
        self.assertFalse(os.path.exists(self.host.run_directory + "/" + outcome.id))

    def test_a_clean_task_is_clean(self):
        for image in (None, self.with_busybox()):
            outcome = self.run_task(document(self.FORKING + "exit 0", image=image), "--assert-clean")
            self.assertEqual(outcome.code, 0, outcome)
            self.assertNotIn("notes", outcome.result)

    def test_what_is_left_is_an_exit_status_of_its_own(self):
        # Somebody else's mount in a directory that is to go.
        command = "while ! test -e go; do sleep 0.02; done"
        task = self.start_task(document(command), "--assert-clean").wait_running()
        mount = f"{self.host.run_directory}/{task.id}/foreign"
        os.mkdir(mount)
        subprocess.run(["mount", "-t", "tmpfs", "none", mount], check=True)
        self.addCleanup(subprocess.run, ["umount", mount], check=True)
        with open(os.path.join(task.sandbox, "go"), "w", encoding="utf-8"):
            pass
        outcome = task.wait()
        self.assertEqual((outcome.code, outcome.result["state"]), (79, "TASK_FINISHED"), outcome)
        self.assertIn(f"left behind: {self.host.run_directory}/{task.id}", outcome.result["notes"])

    def test_rm_removes_the_tasks_directory(self):
        outcome = self.run_task(document(process("main", "true")), "--rm")
        self.assertEqual(outcome.code, 0, outcome)
        self.assertFalse(os.path.exists(outcome.directory))


class DeepTrees(ExecutorTestCase):
    """A tree that takes long to remove is nobody's to wait for."""

    DEPTH = 15_000

    def start(self, place, *options):
        with open(program("deep"), "rb") as file:
            binary = file.read()
        image = self.with_busybox(extra=lambda tar: tar.file("bin/deep", binary, mode=0o755))
        task = self.start_task(
            document(f"mkdir -p {place} && deep {place} {self.DEPTH} && echo made; exec sleep 1000", image=image, finalization_wait=1,
                     disk=1 << 30),
            *options, role="root")
        return task.wait_log("made", seconds=60)

    def leftovers(self):
        return [name for name in os.listdir(os.path.join(self.host.work, "tasks")) if name.startswith(".new-")]

    def assert_swept(self, outcome):
        """All of it is gone, or it was said who takes the rest."""
        if self.leftovers():
            self.assertIn("`sweep` takes what is left", outcome.said)
            self.assertEqual(self.aurora("sweep", timeout=120).code, 0)
        self.assertEqual(self.leftovers(), [])

    def test_the_end_does_not_wait_for_the_writable_layer(self):
        task = self.start("/d")
        began = time.monotonic()
        stopped = self.aurora("stop", task.id, timeout=60)
        self.assertEqual(stopped.code, 0, stopped)
        self.assertIn("TASK_KILLED", stopped.out)
        self.assertLess(time.monotonic() - began, 5)
        self.assertEqual(task.result["state"], "TASK_KILLED")
        self.assertNotIn("notes", task.result)
        self.assertFalse(os.path.exists(task.directory + "/rootfs"))
        outcome = task.wait(30)
        self.assertLess(time.monotonic() - began, 20)
        self.assertEqual(outcome.code, 3, outcome)
        self.assert_swept(outcome)

    def test_nor_for_a_sandbox_that_goes(self):
        task = self.start("$PWD/d", "--rm")
        began = time.monotonic()
        task.signal(signal.SIGTERM)
        outcome = task.wait(60)
        self.assertLess(time.monotonic() - began, 20)
        self.assertEqual(outcome.code, 3, outcome)
        self.assertFalse(os.path.exists(task.directory))
        self.assert_swept(outcome)

    def test_a_killed_executor_leaves_what_sweep_knows(self):
        task = self.start("/d")
        task.signal(signal.SIGTERM)
        wait_until(lambda: os.path.exists(task.result_path), "its result")
        task.kill()
        self.assertEqual(self.aurora("sweep", timeout=120).code, 0)
        self.assertEqual(self.leftovers(), [])
        self.assertEqual(self.aurora("recover", task.id).code, 73)
