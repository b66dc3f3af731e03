"""Many tasks beside each other."""

import signal

from support import ExecutorTestCase, document


class ManyTasks(ExecutorTestCase):
    def test_twenty_tasks_of_one_image_run_at_once_and_see_only_themselves(self):
        image = self.with_busybox()
        tasks = [
            self.start_task(document(f"echo {index} > mine; echo {index} > /tmp/own; sleep 0.3; cat mine /tmp/own", image=image))
            for index in range(20)]
        for index, task in enumerate(tasks):
            outcome = self.assert_finished(task.wait(60))
            self.assertEqual(outcome.out(), f"{index}\n{index}\n")

    def test_a_task_that_ends_disturbs_no_other(self):
        image = self.with_busybox()
        long = self.start_task(document("echo ready; while :; do sleep 0.1; done", image=image, finalization_wait=3))
        long.wait_log("ready")
        for ending in ("true", "exit 1", "kill -9 $$", "tail /dev/zero"):
            self.run_task(document(ending, image=image, ram=32 << 20))
        self.assertEqual(long.signal(signal.SIGTERM).wait().result["state"], "TASK_KILLED")
