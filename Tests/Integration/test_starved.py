"""A disk that is full, or descriptors that have run out: no task ends of it, and the truth is told as soon as it can be."""

import json
import os
import resource
import signal
import subprocess
import time

from support import ExecutorTestCase, document, process
from support.executor import wait_until


class Starved(ExecutorTestCase):
    def setUp(self):
        super().setUp()
        os.makedirs(self.host.work)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m,mode=755", "x", self.host.work], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", self.host.work], check=True)
        self.filler = os.path.join(self.host.work, "filler")

    def fill(self):
        with open(self.filler, "wb", buffering=0) as file:
            for size in (65536, 4096, 1):
                try:
                    while True:
                        file.write(bytes(size))
                except OSError:
                    pass

    def make_room(self):
        os.unlink(self.filler)

    def service(self, final="true"):
        """A service, and daemons by which there is always something to write down."""
        self.alive = self.host.path("alive")
        os.mkdir(self.alive)
        os.chmod(self.alive, 0o777)
        beats = [process(f"beat{number}", "true", daemon=True, min_duration=1, max_failures=0) for number in range(12)]
        return document(
            process("web", f"while :; do : > {self.alive}/web; sleep 0.1; done"), *beats,
            process("last", f": > {self.alive}/last; {final}", final=True), disk=0)

    def start_and_starve(self, *options, runs=0):
        """Until nothing more can be written."""
        task = self.start_task(self.service(), *options).wait_running()
        wait_until(lambda: os.path.exists(task.log_path("beat0", runs)), f"{runs} runs of each daemon", 60)
        self.fill()
        sizes = [-1]

        def stands():
            time.sleep(1.5)
            sizes.append(os.stat(task.journal_path).st_size)
            return sizes[-1] == sizes[-2]
        wait_until(stands, "the journal cannot be written", 60)
        self.assert_lives()
        return task

    def assert_lives(self):
        path = os.path.join(self.alive, "web")
        os.unlink(path)
        wait_until(lambda: os.path.exists(path), "the service is alive", 5)

    def assert_whole(self, task):
        records = task.journal()
        self.assertEqual([record["seq"] for record in records], list(range(1, len(records) + 1)))
        self.assertFalse([record for record in records if "unwritten" in record])

    def test_what_happened_is_written_when_there_is_room_again(self):
        task = self.start_and_starve()
        self.make_room()
        last = len(task.journal())
        wait_until(lambda: len(task.journal()) > last + 20, "the journal is written again")
        outcome = task.signal(signal.SIGTERM).wait()
        self.assertEqual((outcome.code, outcome.result["state"]), (3, "TASK_KILLED"), outcome)
        self.assertIn("cannot be written: write: ENOSPC", outcome.said.replace("fallocate", "write"))
        self.assertIn("the journal is written again", outcome.said)
        self.assertIn("the journal could not be written", " ".join(outcome.result["notes"]))
        self.assertTrue(os.path.exists(os.path.join(self.alive, "last")))
        self.assert_whole(outcome)

    def test_the_end_is_written_on_a_disk_that_stays_full(self):
        elsewhere = self.host.path("result.json")
        task = self.start_and_starve("--result", elsewhere)
        outcome = task.signal(signal.SIGTERM).wait()
        self.assertEqual((outcome.code, outcome.result["state"]), (3, "TASK_KILLED"), outcome)
        with open(elsewhere, encoding="utf-8") as file:
            self.assertEqual(json.load(file)["state"], "TASK_KILLED")
        self.assertTrue(os.path.exists(os.path.join(self.alive, "last")))
        end = task.journal()[-1]
        self.assertEqual((end["type"], end["state"]), ("finished", "TASK_KILLED"))
        self.assertGreater(end["unwritten"], 0)
        self.assertIn("TASK_KILLED", self.aurora("ps").out)
        self.assertIn("TASK_KILLED", self.aurora("status", task.id).out)

    def test_the_last_runs_are_told_of_where_there_is_no_room_for_all(self):
        outcome = self.start_and_starve(runs=12).signal(signal.SIGTERM).wait()
        self.assertEqual((outcome.code, outcome.result["state"]), (3, "TASK_KILLED"), outcome)
        self.assertIn("no room for the runs before the last of each process", " ".join(outcome.result["notes"]))
        self.assertEqual({len(process["runs"]) for process in outcome.result["processes"].values()}, {1})
        self.assertEqual(outcome.runs("last")[0]["exit_code"], 0)

    def test_a_killed_executor_is_followed_by_another_all_the_same(self):
        task = self.start_and_starve()
        runs = sorted(os.listdir(os.path.join(task.directory, "logs", "beat0")), key=int)
        task.kill()
        self.assert_lives()
        # There may be no room still.
        again = self.host.start("recover", task.id, task_id=task.id)
        # Time to do harm.
        time.sleep(1)
        self.assert_lives()
        self.make_room()
        wait_until(lambda: os.path.exists(task.log_path("beat0", int(runs[-1]) + 3)), "the daemons go on", 30)
        outcome = again.signal(signal.SIGTERM).wait()
        self.assertEqual((outcome.code, outcome.result["state"]), (3, "TASK_KILLED"), outcome)
        self.assertEqual(len(outcome.runs("web")), 1)
        self.assert_whole(outcome)

    def test_a_task_that_fills_the_disk_itself_ends_as_it_does(self):
        elsewhere = self.host.path("result.json")
        for status, state in ((0, "TASK_FINISHED"), (7, "TASK_FAILED")):
            outcome = self.run_task(
                document(f"head -c 20000000 /dev/zero | tr '\\0' x; exit {status}", disk=0), "--result", elsewhere)
            self.assertEqual((outcome.code, outcome.result["state"]), (1 if status else 0, state), outcome)
            with open(elsewhere, encoding="utf-8") as file:
                self.assertEqual(json.load(file)["state"], state)
            self.assertIn("output is being lost: write: ENOSPC", " ".join(outcome.result["notes"]))
            self.assertIn(state, self.aurora("ps").out)
            subprocess.run(["rm", "-r", outcome.directory], check=True)

    def test_a_start_without_room_leaves_nothing(self):
        self.fill()
        task = self.host.task_id()
        done = self.run_task(document("true"), task_id=task)
        self.assertEqual(done.code, 73, done)
        self.assertIn("ENOSPC", done.said)
        self.assertIn("no tasks", self.aurora("ps").err)
        self.assertEqual(self.aurora("status", task).code, 66)
        self.make_room()
        self.assert_finished(self.run_task(document("true"), task_id=task))

    def test_a_result_that_cannot_be_written_is_written_by_recover(self):
        told = self.host.path("told")
        task = self.start_task(document("echo up; sleep 1000", finalization_wait=1), "--result", told).wait_log("up")
        os.mkdir(task.result_path)
        outcome = task.signal(signal.SIGTERM).wait()
        self.assertEqual(outcome.code, 3, outcome)
        self.assertIn(f"cannot write {task.result_path}: rename", outcome.said)
        self.assertIn("TASK_KILLED", self.aurora("ps").out)
        self.assertIn("recover", self.aurora("ps").out)
        self.assertIn("TASK_KILLED", self.aurora("status", task.id).out)
        self.assertEqual(task.journal()[-1]["type"], "finished")
        os.rmdir(task.result_path)
        self.assertEqual(self.host.recover(task.id).code, 3)
        self.assertEqual(task.result["state"], "TASK_KILLED")
        with open(told, encoding="utf-8") as file:
            self.assertEqual(task.result["finished_at"], json.load(file)["finished_at"])

    def test_what_recover_cannot_know_it_says(self):
        task = self.start_and_starve()
        os.mkdir(task.result_path)
        self.assertEqual(task.signal(signal.SIGTERM).wait().code, 3)
        os.rmdir(task.result_path)
        self.make_room()
        self.assertEqual(self.host.recover(task.id).code, 3)
        self.assertRegex(" ".join(task.result["notes"]), r"could not be written down \(\d+ records\)")


class WithoutDescriptors(ExecutorTestCase):
    def test_a_task_goes_on_when_the_executor_can_open_nothing(self):
        health = {"health_checker": {"shell": {"shell_command": "true"}}, "initial_interval_secs": 0.1,
                  "interval_secs": 0.2}
        task = self.start_task(document(
            process("web", "echo up; while :; do sleep 0.1; done"),
            process("beat", "true", daemon=True, min_duration=1, max_failures=0),
            process("last", "echo last", final=True), health_check_config=health)).wait_log("up", "web")
        pid = task.process.pid
        used = {int(number) for number in os.listdir(f"/proc/{pid}/fd")}
        free = next(number for number in range(4096) if number not in used)
        before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (free, before[1]))
        wait_until(
            lambda: [record for record in task.journal() if record["type"] == "note" and "EMFILE" in record["text"]],
            "a run without its log", 20)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
        outcome = task.signal(signal.SIGTERM).wait()
        self.assertEqual((outcome.code, outcome.result["state"]), (3, "TASK_KILLED"), outcome)
        self.assertIn("its output is not kept: ", " ".join(outcome.result["notes"]))
        self.assertEqual(outcome.out("last"), "last\n")
        self.assertEqual(len(outcome.runs("web")), 1)
