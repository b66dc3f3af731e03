"""The executor's own socket: `stop`, `kill`, and what can be asked of it."""

import json
import os
import socket
import stat
import subprocess
import time

from support import DockerTestCase, ExecutorTestCase, document, process
from support.executor import wait_until

LIVES = "trap 'echo asked; exit 0' TERM; echo up; while :; do sleep 0.05; done"


class ControlTestCase(ExecutorTestCase):
    def socket(self, task):
        return os.path.join(self.host.run_directory, task.id, "executor.sock")

    def ask(self, task, *requests, seconds=5):
        """The answer to each request."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(seconds)
            connection.connect(self.socket(task))
            connection.sendall(b"".join(
                request if isinstance(request, bytes) else json.dumps({"version": 1, **request}).encode() + b"\n"
                for request in requests))
            lines = b""
            while lines.count(b"\n") < len(requests):
                lines += connection.recv(65536)
            return [json.loads(line) for line in lines.splitlines()]

    def start(self, *more, **fields):
        return self.start_task(document(LIVES, process("last", "echo last", final=True), *more, **fields)).wait_log("up")


class Stopping(ControlTestCase):
    def test_stop_asks_and_waits_for_the_end(self):
        task = self.start()
        done = self.aurora("stop", task.id)
        self.assertEqual(done.code, 0, done)
        self.assertIn(f"{task.id}  TASK_KILLED  stopped by a request from pid ", done.out)
        outcome = task.wait()
        self.assertEqual((outcome.code, outcome.result["state"]), (3, "TASK_KILLED"), outcome)
        self.assertIn("asked", outcome.out())
        self.assertEqual(outcome.out("last"), "last\n")
        # Of one that has ended nothing is left to do.
        again = self.aurora("stop", task.id, "--output", "json")
        self.assertEqual((again.code, json.loads(again.out)["state"]), (0, "TASK_KILLED"), again)

    def test_a_task_that_keeps_no_record_has_ended_when_stop_says_so(self):
        task = self.start_task(document(
            f"dd if=/dev/zero of=x bs=1k count=1000 2>/dev/null; mkdir d; cd d; for i in $(seq 500); do : > $i; done; {LIVES}"),
            "--rm").wait_log("up")
        done = self.aurora("stop", task.id)
        self.assertEqual(done.code, 0, done)
        self.assertFalse(os.path.exists(task.directory))
        self.assertEqual(task.process.wait(10), 3)

    def test_kill_asks_nobody(self):
        task = self.start()
        done = self.aurora("kill", task.id)
        self.assertEqual(done.code, 0, done)
        outcome = task.wait()
        self.assertNotIn("asked", outcome.out())
        self.assertEqual(outcome.runs("last"), [])

    def test_kill_cuts_the_waits_of_a_stop_short(self):
        task = self.start_task(document(
            "trap '' TERM; echo up; while :; do sleep 0.05; done", finalization_wait=1000)).wait_log("up")
        self.assertEqual(self.aurora("stop", task.id, "--wait", "0").code, 0)
        task.wait_for("stop")
        short = self.aurora("stop", task.id, "--wait", "1")
        self.assertEqual(short.code, 1, short)
        self.assertIn("has not ended within 1 s", short.err)
        began = time.monotonic()
        self.assertEqual(self.aurora("kill", task.id).code, 0)
        self.assertLess(time.monotonic() - began, 10)
        self.assertEqual(task.wait().code, 3)

    def test_a_task_that_finalizes_is_killed(self):
        task = self.start_task(document("true", process("last", "echo last; exec sleep 1000", final=True), finalization_wait=1000))
        task.wait_log("last", "last")
        self.assertEqual(self.aurora("kill", task.id).code, 0)
        task.wait()

    def test_an_orphan_is_said_and_taken_over_and_stopped(self):
        for command in ("stop", "kill"):
            with self.subTest(command=command):
                task = self.start().kill()
                done = self.aurora(command, task.id)
                self.assertEqual(done.code, 69, done)
                self.assertIn(f"{command} {task.id} --recover", done.err)
                done = self.aurora(command, task.id, "--recover")
                self.assertEqual(done.code, 0, done)
                self.assertEqual(task.result["state"], "TASK_KILLED")
                self.assertEqual("asked" in task.out(), command == "stop")

    def test_a_stop_finds_the_run_directory_by_itself(self):
        task = self.start()
        self.host.run_directory, kept = self.host.path("other"), self.host.run_directory
        done = self.aurora("stop", task.id)
        self.host.run_directory = kept
        self.assertEqual(done.code, 0, done)
        task.wait()

    def test_what_there_is_not_is_said(self):
        self.assertEqual(self.aurora("stop", "nobody").code, 66)
        self.assertEqual(self.aurora("stop").code, 64)


class DockerStopping(DockerTestCase):
    def test_a_task_is_stopped_while_it_waits_for_its_engine(self):
        listener = socket.socket(socket.AF_UNIX)
        path = self.host.path("engine.sock")
        listener.bind(path)
        listener.listen()
        self.addCleanup(listener.close)
        task = self.start_task(self.docker_document(LIVES), "--docker-socket", path)
        wait_until(lambda: os.path.exists(os.path.join(self.host.run_directory, task.id, "executor.sock")), "the socket")
        done = self.aurora("stop", task.id)
        self.assertEqual(done.code, 0, done)
        self.assertEqual(task.wait().result["state"], "TASK_KILLED")

    def test_a_running_task_is_stopped(self):
        task = self.start_docker(LIVES).wait_log("up", seconds=30)
        done = self.aurora("stop", task.id)
        self.assertEqual(done.code, 0, done)
        self.assertIn("asked", task.wait().out())


class Asking(ControlTestCase):
    def test_only_root_gets_there(self):
        task = self.start()
        about = os.stat(os.path.dirname(self.socket(task)))
        self.assertEqual((about.st_uid, stat.S_IMODE(about.st_mode)), (0, 0o700))
        done = subprocess.run(
            ["setpriv", "--reuid=33", "--regid=33", "--clear-groups", *self.host.words(["stop", task.id])],
            capture_output=True, env=self.host.environment(), check=False, timeout=30)
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(self.ask(task, {"request": "status"})[0]["state"], "TASK_RUNNING")
        self.aurora("kill", task.id)
        task.wait()

    def test_what_is_no_request_is_answered_or_cut_off(self):
        task = self.start()
        answers = self.ask(
            task, b"{}\n", b"nonsense\n", b'{"version":2,"request":"stop"}\n', {"request": "dance"}, {"request": "restart"},
            {"request": "restart", "process": "nobody"}, {"request": "restart", "process": "last"})
        self.assertEqual([answer["ok"] for answer in answers], [False] * 7)
        for answer in answers:
            self.assertTrue(answer["error"])
        # A line without end, and many who say nothing.
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(self.socket(task))
            with self.assertRaises(OSError):
                for _ in range(100):
                    connection.sendall(b"x" * 65536)
        silent = []
        for _ in range(100):
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(2)
            try:
                connection.connect(self.socket(task))
            except OSError:
                pass
            silent.append(connection)
        for connection in silent:
            connection.close()

        def answered():
            try:
                return self.ask(task, {"request": "status"})[0]["ok"]
            except (BlockingIOError, ConnectionResetError):
                # So many at once that they wait for their turn, or are turned away.
                return False
        wait_until(answered, "an answer")
        self.aurora("kill", task.id)
        task.wait()

    def test_a_process_is_run_again_and_has_not_failed(self):
        task = self.start(process("beside", "trap '' TERM; echo up; while :; do sleep 0.05; done", max_failures=1), max_failures=1)
        task.wait_log("up", "beside")
        self.assertEqual(self.ask(task, {"request": "restart", "process": "main"}), [{"version": 1, "ok": True}])
        task.wait_log("up", "main", run=1)
        self.assertIn("asked", task.out("main", 0))
        wait_until(lambda: self.ask(task, {"request": "status"})[0]["processes"]["main"]["state"] == "RUNNING", "the second run")
        # Again at once, after a takeover as well.
        self.ask(task, {"request": "restart", "process": "main"})
        task.wait_log("up", "main", run=2)
        task.kill()
        recovering = self.host.start("recover", task.id, task_id=task.id)
        recovering.wait_for("resumed")
        wait_until(lambda: self.ask(recovering, {"request": "status"})[0]["processes"]["main"]["runs"] == 3, "what it knows")
        self.aurora("kill", task.id)
        outcome = recovering.wait()
        self.assertEqual([run["state"] for run in outcome.runs("main")][:2], ["KILLED", "KILLED"], outcome)

    def test_who_subscribes_is_told_of_everything(self):
        task = self.start()
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(10)
            connection.connect(self.socket(task))
            connection.sendall(b'{"version":1,"request":"subscribe"}\n{"version":1,"request":"stop"}\n')
            told = b""
            while piece := connection.recv(65536):
                told += piece
        lines = [json.loads(line) for line in told.splitlines()]
        events = [line.get("event") for line in lines]
        self.assertLess(events.index("stop"), events.index("ended"))
        self.assertEqual(task.wait().code, 3)
