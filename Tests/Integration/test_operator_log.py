"""`--log`: what was tried in vain, and when tasks began and ended, where an operator looks."""

import os
import re
import socket
import subprocess

from support import ExecutorTestCase, document, need_command, process
from support.executor import TaskFiles, wait_until

LIVES = "trap 'exit 0' TERM; echo up; while :; do sleep 0.05; done"
LINE = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) (\d+) (\S+) (.*)")


class LogTestCase(ExecutorTestCase):
    def setUp(self):
        super().setUp()
        self.log = self.host.path("operator.log")

    def events(self, task_id):
        """Each as (pid, message); every line has a time and is of this task."""
        with open(self.log, encoding="utf-8") as file:
            lines = [LINE.fullmatch(line.rstrip("\n")) for line in file]
        self.assertNotIn(None, lines)
        self.assertEqual({line[3] for line in lines}, {task_id})
        self.assertEqual([line[1] for line in lines], sorted(line[1] for line in lines))
        return [(int(line[2]), line[4]) for line in lines]

    def messages(self, task_id):
        return [message for _, message in self.events(task_id)]


class Swallowed(LogTestCase):
    def test_a_status_pipe_that_is_gone(self):
        read, write = os.pipe()
        os.close(read)
        made = document(process("main", "test {{secret}} = hunter2"))
        outcome = self.run_task(
            made, "--status-fd", write, "--bind", "secret=hunter2", "--log", self.log, pass_fds=(write,))
        os.close(write)
        self.assert_finished(outcome)
        messages = self.messages(outcome.id)
        self.assertRegex(messages[0], r"^started, version \d+\.\d+\.\d+, containerizer mesos$")
        self.assertIn("cannot write to --status-fd: write: EPIPE (Broken pipe)", messages)
        self.assertEqual(messages[-1], "ended, TASK_FINISHED")
        self.assertEqual(os.stat(self.log).st_mode & 0o7777, 0o600)
        self.assertNotIn("hunter2", str(messages))

    def test_a_record_that_cannot_be_removed(self):
        task = self.start_task(document(LIVES), "--log", self.log).wait_log("up")
        record = os.path.join(task.directory, "launch")
        os.remove(record)
        os.mkdir(record)
        stopped = self.aurora("stop", task.id, "--log", self.log)
        self.assertEqual(stopped.code, 0, stopped)
        outcome = task.wait()
        self.assertEqual(outcome.code, 3, outcome)
        events = self.events(task.id)
        self.assertEqual([message for pid, message in events if pid != events[0][0]], ["stop asked for by uid 0"])
        own = [message for pid, message in events if pid == events[0][0]]
        self.assertEqual(own[1:], [f"cannot remove {record}: unlink: EISDIR (Is a directory)", "ended, TASK_KILLED"])
        # As it was before: nobody else hears of it.
        self.assertNotIn("EISDIR", outcome.said)


class Landmarks(LogTestCase):
    def test_a_detached_executor_has_the_log_of_its_caller_and_so_has_who_takes_over(self):
        task_id = self.host.task_id()
        task = TaskFiles(self.host, task_id)
        done = self.aurora(
            "run", "--task", self.host.write("t.json", document(LIVES)), "--task-id", task_id, "--role", "www-data",
            "--detach", "--log", "operator.log", cwd=self.host.directory)
        self.assertEqual(done.code, 0, done)
        pid = self.events(task_id)[0][0]
        self.assertNotEqual(pid, os.getpid())
        os.kill(pid, 9)
        wait_until(lambda: not os.path.exists(f"/proc/{pid}"), "the end of the executor")
        recovered = self.aurora("recover", task_id, "--detach", "--log=./operator.log", cwd=self.host.directory)
        self.assertEqual(recovered.code, 0, recovered)
        self.assertEqual(self.aurora("kill", task_id, "--log", self.log).code, 0)
        wait_until(lambda: any("ended" in message for message in self.messages(task_id)), "the end in the log")
        self.assertEqual(
            [re.sub(r"\d+\.\d+\.\d+", "V", message) for message in self.messages(task_id)],
            ["started, version V, containerizer mesos", "taken over, version V, containerizer mesos",
             "kill asked for by uid 0", "ended, TASK_KILLED"])
        self.assertTrue(os.path.exists(task.result_path))

    def test_an_end_has_its_reason_and_a_refusal_its_exit_status(self):
        failed = self.assert_failed(self.run_task(document("exit 3"), "--log", self.log))
        self.assertEqual(self.messages(failed.id)[1:], ["ended, TASK_FAILED, REASON_COMMAND_EXECUTOR_FAILED"])
        os.remove(self.log)
        again = self.run_task(document("exit 4"), "--log", self.log, task_id=failed.id)
        self.assertEqual((again.code, self.messages(failed.id)), (73, ["refused, exit status 73"]))

    def test_a_sweep(self):
        task = self.start_task(document(LIVES)).wait_running()
        task.kill()
        task.kill_init()
        done = self.aurora("sweep", "--log", self.log)
        self.assertEqual(done.code, 0, done)
        with open(self.log, encoding="utf-8") as file:
            told = [LINE.fullmatch(line.rstrip("\n")).group(3, 4) for line in file]
        self.assertEqual(told[1:], [
            (task.id, "ended, TASK_LOST, REASON_EXECUTOR_TERMINATED"), ("-", "swept, 1 removed, 0 left")], told)


class Opening(LogTestCase):
    def test_what_cannot_be_opened_is_refused_before_the_task_begins(self):
        os.symlink(self.host.path("elsewhere"), self.log)
        os.mkfifo(self.host.path("pipe"))
        for log, code in ((self.log, 73), (self.host.directory, 73), (self.host.path("no/log"), 73),
                          (self.host.path("pipe"), 73), ("", 64)):
            with self.subTest(log=log):
                outcome = self.run_task(document("true"), "--log", log)
                self.assertEqual(outcome.code, code, outcome)
                self.assertIn("--log", outcome.said)
                self.assertFalse(os.path.exists(outcome.directory))
        self.assertFalse(os.path.lexists(self.host.path("elsewhere")))

    def test_a_number_that_was_not_opened_does_not_come_to_mean_the_log(self):
        for number in range(3, 12):
            outcome = self.run_task(document("true"), "--status-fd", number, "--log", self.log)
            self.assertEqual(outcome.code, 64, outcome)

    def test_a_log_that_takes_nothing_stops_nobody(self):
        outcome = self.assert_finished(self.run_task(document("true"), "--log", "/dev/full"))
        self.assertIn("warning: the log of --log has not taken 2 events", outcome.said)


class Daemons(LogTestCase):
    """Sockets of this test's, which the executor finds at the daemons' places in a mount namespace of its own."""

    PLACES = """
        mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/journal && ln -s "$1" /run/systemd/journal/socket
        mkdir /run/dev && for name in null zero full random urandom tty; do cp -a /dev/$name /run/dev; done
        mkdir /run/dev/pts /run/dev/shm && mount --rbind /dev/pts /run/dev/pts && ln -s "$1" /run/dev/log
        ln -s pts/ptmx /run/dev/ptmx
        mount --rbind /run/dev /dev && shift && exec "$@"
        """

    def told(self, log):
        need_command("unshare")
        path = self.host.path("daemon")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as daemon:
            daemon.bind(path)
            daemon.setblocking(False)
            task_id = self.host.task_id()
            words = self.host.words([
                "run", "--task", self.host.write("t.json", document("true")), "--task-id", task_id, "--role", "www-data",
                "--log", log])
            done = subprocess.run(
                ["unshare", "--mount", "--propagation", "private", "sh", "-ec", self.PLACES, "sh", path, *words],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=30, check=False,
                env=self.host.environment())
            self.assertEqual(done.returncode, 0, done.stdout)
            found = []
            try:
                while True:
                    found.append(daemon.recv(65536).decode())
            except BlockingIOError:
                os.unlink(path)
                return task_id, found

    def test_the_journal(self):
        task_id, found = self.told("journal")
        self.assertEqual(len(found), 2, found)
        self.assertEqual(
            found[1], f"MESSAGE=ended, TASK_FINISHED\nPRIORITY=6\nSYSLOG_IDENTIFIER=aurora-executor\nTASK_ID={task_id}\n")

    def test_syslog(self):
        task_id, found = self.told("syslog")
        self.assertEqual(len(found), 2, found)
        self.assertRegex(
            found[1],
            rf"^<30>[A-Z][a-z]{{2}} [ 1-3]\d \d\d:\d\d:\d\d aurora-executor\[\d+\]: {task_id}: ended, TASK_FINISHED$")
