"""`--detach` and `recover` for people: the id at once, what went wrong, and an end that no terminal brings about."""

import json
import os
import signal
import subprocess
import time

from support import ExecutorTestCase, document, process
from support.executor import TaskFiles, wait_until

LIVES = "echo up; while ! test -e go; do sleep 0.05; done; echo done"


class DetachTestCase(ExecutorTestCase):
    def detach(self, made, *options, **rest):
        task_id = self.host.task_id()
        words = ["run", "--task", self.host.write(f"{task_id}.json", made), "--task-id", task_id, "--detach", *options]
        if "--role" not in options:
            words += ["--role", "www-data"]
        return TaskFiles(self.host, task_id), self.aurora(*words, **rest)

    def end(self, task):
        self.assertEqual(self.aurora("stop", task.id, "--wait", "20").code, 0)
        wait_until(lambda: not os.path.exists(os.path.join(self.host.run_directory, task.id)), "its end")

    def executor(self, task):
        """The process that runs it."""
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    if task.id.encode() in file.read().split(b"\0"):
                        return int(pid)
            except OSError:
                continue
        return None


class Detach(DetachTestCase):
    def test_it_goes_on_by_itself(self):
        task, done = self.detach(document(LIVES))
        self.assertEqual((done.code, done.out, done.err), (0, task.id + "\n", ""))
        pid = self.executor(task)
        self.assertEqual(os.readlink(f"/proc/{pid}/cwd"), "/")
        with open(f"/proc/{pid}/comm", encoding="ascii") as file:
            self.assertEqual(file.read(), "aurora-executor\n")
        shown = self.aurora("logs", task.id, "--executor")
        self.assertIn("TASK_RUNNING", shown.out)
        os.kill(pid, signal.SIGHUP)
        with open(os.path.join(task.sandbox, "go"), "w", encoding="utf-8"):
            pass
        wait_until(lambda: os.path.exists(task.result_path), "its end")
        self.assertEqual(task.result["state"], "TASK_FINISHED")
        wait_until(lambda: self.executor(task) is None, "the end of its executor")
        self.assertIn("TASK_FINISHED", self.aurora("logs", task.id, "--executor").out)

    def test_errors_of_the_launch_are_told_as_in_the_foreground(self):
        for made, options in (
                (document("true", image="no/such:1"), ()), (document("true"), ("--role", "nobody-there")),
                (document("exit 7"), ())):
            with self.subTest(options=options):
                task, done = self.detach(made, *options)
                front = self.run_task(made, *options, role=None if options else "www-data")
                if made == document("exit 7"):
                    # It may have run before it failed.
                    wait_until(lambda: os.path.exists(task.result_path), "its end")
                    continue
                self.assertEqual(done.code, front.code, done)
                self.assertEqual(done.err.replace(task.id, "ID"), front.said.replace(f"task {front.id}\n", "").replace(front.id, "ID"))

    def test_a_signal_ends_the_waiting_and_not_the_task(self):
        made = document(LIVES, health_check_config={
            "health_checker": {"shell": {"shell_command": "false"}}, "initial_interval_secs": 60})
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(number=number):
                task_id = self.host.task_id()
                words = self.host.words(["run", "--task", self.host.write("t.json", made), "--task-id", task_id,
                                         "--role", "www-data", "--detach"])
                waiting = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.host.environment())
                self.assertEqual(waiting.stdout.readline(), task_id.encode() + b"\n")
                task = TaskFiles(self.host, task_id)
                wait_until(lambda: task.has_record("running"), "the process to run")
                waiting.send_signal(number)
                _, said = waiting.communicate(timeout=10)
                self.assertEqual(waiting.returncode, 0, said)
                self.assertIn(b"goes on", said)
                self.end(task)

    def test_options_are_honoured_or_refused(self):
        reader, writer = os.pipe()
        task, done = self.detach(
            document("true"), "--status-fd", str(writer), "--output", "json", "--result", "there.json", pass_fds=(writer,),
            cwd=self.host.directory)
        os.close(writer)
        self.assertEqual((done.code, json.loads(done.out)), (0, {"task_id": task.id}), done)
        with os.fdopen(reader) as file:
            states = [json.loads(line)["state"] for line in file]
        self.assertEqual(states[-1], "TASK_FINISHED")
        with open(self.host.path("there.json"), encoding="utf-8") as file:
            self.assertEqual(json.load(file)["task_id"], task.id)
        refused = self.detach(document("true"), "--follow")[1]
        self.assertEqual(refused.code, 64, refused)


class NothingOfTheProcesses(DetachTestCase):
    """A log that the task cannot fill, nor speak in."""

    FORGES = ("printf 'TASK_FINISHED  finished\\nresult /forged\\n' | tee /dev/stderr; head -c 3000000 /dev/zero | tr '\\0' x >&2; "
              "touch written; while ! test -e go; do sleep 0.05; done; echo forged >&2")

    def assert_silent(self, task):
        path = os.path.join(task.directory, "executor.log")
        self.assertLess(os.path.getsize(path), 4096)
        with open(path, encoding="utf-8") as file:
            text = file.read()
        self.assertNotIn("forged", text)
        self.assertNotIn("could not be shown", text)
        self.assertFalse(os.path.exists(os.path.join(self.host.run_directory, task.id, "console")))

    def go(self, task):
        with open(os.path.join(task.sandbox, "go"), "w", encoding="ascii"):
            pass

    def test_the_executors_log_has_its_own_words_alone(self):
        for destination in ("console", "both"):
            with self.subTest(destination=destination):
                task, done = self.detach(document(process("main", self.FORGES, logger={"destination": destination})))
                self.assertEqual((done.code, done.err), (0, ""), done)
                wait_until(lambda: os.path.exists(os.path.join(task.sandbox, "written")), "what it writes")
                # Time to say what is not to be said.
                time.sleep(0.3)
                self.assert_silent(task)
                self.assertEqual(os.path.exists(task.log_path(stream="stderr")), destination == "both")
                self.go(task)
                wait_until(lambda: os.path.exists(task.result_path), "its end")
                self.assertEqual(task.result["state"], "TASK_FINISHED")
                wait_until(lambda: self.executor(task) is None, "the end of its executor")
                self.assert_silent(task)

    def test_one_that_fails_at_once_does_not_speak_for_the_executor(self):
        made = document(process("main", "echo forged >&2; exit 1", logger={"destination": "both"}))
        task, done = self.detach(made)
        wait_until(lambda: os.path.exists(task.result_path), "its end")
        self.assertNotIn("forged", done.err)

    def test_nor_when_it_takes_over(self):
        task = self.start_task(document(process("main", self.FORGES, logger={"destination": "both"}))).wait_running().kill()
        done = self.aurora("recover", task.id, "--detach")
        self.assertEqual(done.code, 0, done)
        # As above.
        time.sleep(0.3)
        self.assert_silent(task)
        self.end(task)

    def test_the_foreground_shows_the_runs_that_it_begins(self):
        task, done = self.detach(document(process(
            "main", "echo run $AURORA_RUN; while ! test -e go; do sleep 0.05; done; test $AURORA_RUN = 1",
            logger={"destination": "console"}, max_failures=2)))
        self.assertEqual(done.code, 0, done)
        os.kill(self.executor(task), signal.SIGKILL)
        wait_until(lambda: self.executor(task) is None, "the end of its executor")
        rest = self.host.start("recover", task.id, task_id=task.id).wait_for("resumed")
        self.go(task)
        outcome = self.assert_finished(rest.wait())
        self.assertEqual(outcome.finished.out, "run 1\n")
        self.assertNotIn("too many processes", outcome.said)


class Recover(DetachTestCase):
    def orphan(self):
        return self.start_task(document(process("main", LIVES))).wait_log("up").wait_running().kill()

    def test_a_hangup_does_not_end_a_task_that_was_taken_over(self):
        task = self.orphan()
        taken = self.host.start("recover", task.id, task_id=task.id)
        taken.wait_for("resumed").signal(signal.SIGHUP)
        with open(os.path.join(task.sandbox, "go"), "w", encoding="utf-8"):
            pass
        outcome = self.assert_finished(taken.wait())
        self.assertIn("took over: TASK_RUNNING, active: main run 0 RUNNING", outcome.said)

    def test_all_at_once(self):
        tasks = [self.orphan() for _ in range(3)]
        other = self.start_task(document(LIVES)).wait_log("up")
        done = self.aurora("recover", "--all")
        self.assertEqual(done.code, 0, done)
        self.assertEqual(sorted(done.out.split()), sorted(task.id for task in tasks))
        for task in [*tasks, other]:
            self.assertIn("TASK_RUNNING", self.aurora("status", task.id).out)
            with open(os.path.join(task.sandbox, "go"), "w", encoding="utf-8"):
                pass
        for task in tasks:
            wait_until(lambda task=task: os.path.exists(task.result_path), "its end")
            self.assertEqual(task.result["state"], "TASK_FINISHED")
            wait_until(lambda task=task: self.executor(task) is None, "the end of its executor")
        other.wait()
        self.assertEqual(self.aurora("recover", "--all").code, 0)

    def test_detached_it_says_what_it_took_over(self):
        task = self.orphan()
        done = self.aurora("recover", task.id, "--detach")
        self.assertEqual((done.code, done.out), (0, task.id + "\n"), done)
        self.assertIn("took over", self.aurora("logs", task.id, "--executor").out)
        self.end(task)
        # One that cannot be is told as in the foreground.
        again = self.aurora("recover", task.id, "--detach")
        self.assertEqual(again.code, 73, again)
        self.assertIn("has ended", again.err)
