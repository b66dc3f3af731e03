"""Nothing stays behind: the base class compares the host before and after every test; these are the hard endings."""

import os
import signal
import subprocess

from support import ExecutorTestCase, document, process


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
        self.assertEqual(self.run_task(document("true", image="absent:1")).code, 1)

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
