"""What the executor itself writes, and people and programs who do not read it."""

import fcntl
import json
import os
import pty
import re
import resource
import signal
import subprocess
import sys
import termios
import threading
import time

from support import ExecutorTestCase, document, process
from support.executor import TaskFiles, wait_until


def console(name, cmdline, destination="console", **fields):
    return process(name, cmdline, logger={"destination": destination}, **fields)


def full_pipe():
    """A pipe that takes nothing more."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    try:
        while True:
            os.write(writer, b"x" * 4096)
    except BlockingIOError:
        os.set_blocking(writer, True)
        return reader, writer


def unread(reader):
    """The bytes that wait in a pipe, or for who has a terminal's other end."""
    return int.from_bytes(fcntl.ioctl(reader, termios.FIONREAD, bytes(4)), sys.byteorder)


def missing_in(text):
    """The bytes that were said not to be shown."""
    return sum(int(number) for number in re.findall(r": (\d+) bytes could not be shown", text))


class NobodyReads(ExecutorTestCase):
    def start(self, tree, *options, stdout, stderr, limit=None, **popen):
        """Starts a task whose output goes to descriptors of the test's, and closes those here."""
        task_id = self.host.task_id()
        path = self.host.write(task_id + ".json", tree)
        if limit:
            popen["preexec_fn"] = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
        executor = subprocess.Popen(
            self.host.words(["run", "--task", path, "--task-id", task_id, "--role", "www-data", *options]),
            stdout=stdout, stderr=stderr, **popen)
        self.addCleanup(lambda: executor.poll() is None and executor.kill())
        for number in {stdout, stderr}:
            if number > 2:
                os.close(number)
        self.task = TaskFiles(self.host, task_id)
        self.result = self.task.result_path
        self.sandbox = self.task.sandbox
        return executor

    def descriptors(self, make):
        reader, writer = make()
        self.addCleanup(os.close, reader)
        return reader, writer

    def wait_file(self, name):
        wait_until(lambda: os.path.exists(f"{self.sandbox}/{name}"), f"the task makes {name}")

    def state(self):
        with open(self.result, encoding="utf-8") as file:
            return json.load(file)["state"]

    def test_a_terminal_that_stands_still_does_not_stop_the_executor(self):
        for destination in ("console", "both"):
            with self.subTest(destination=destination):
                reader, terminal = self.descriptors(pty.openpty)
                executor = self.start(
                    document(console("main", "seq 1 100000; touch written; while :; do echo line; done", destination)),
                    stdout=terminal, stderr=terminal)
                self.wait_file("written")
                wait_until(lambda: unread(reader), "the executor shows it")
                executor.send_signal(signal.SIGTERM)
                self.assertEqual(executor.wait(6), 3)
                self.assertEqual(self.state(), "TASK_KILLED")

    def test_who_reads_slowly_does_not_keep_the_executor_from_its_signals(self):
        reader, writer = self.descriptors(os.pipe)
        errors = os.open(self.host.path("err"), os.O_WRONLY | os.O_CREAT, 0o600)
        ends = threading.Event()

        def read():
            while not ends.wait(0.2) and os.read(reader, 4096):
                pass
        slow = threading.Thread(target=read)
        slow.start()
        self.addCleanup(lambda: (ends.set(), slow.join()))
        executor = self.start(
            document(console("main", "head -c 1500000 /dev/zero | tr '\\0' x; touch written"), process("other", "sleep 100")),
            stdout=writer, stderr=errors)
        self.wait_file("written")
        wait_until(lambda: unread(reader) > 32768, "more than is read")
        executor.send_signal(signal.SIGTERM)
        self.assertEqual(executor.wait(5), 3)

    def test_updates_are_lines_of_their_own_between_the_output_of_processes(self):
        reader, writer = self.descriptors(os.pipe)
        executor = self.start(
            document(console("main", "printf begin; touch begun; while ! test -e go; do sleep 0.02; done; "
                             "seq -f %02999.0f 1 1000; touch written; sleep 100")),
            "--output", "json", stdout=writer, stderr=subprocess.DEVNULL)
        self.wait_file("begun")
        wait_until(lambda: self.task.has_record("running"), "the executor knows of it")
        open(self.sandbox + "/go", "w", encoding="ascii").close()
        self.wait_file("written")
        executor.send_signal(signal.SIGTERM)
        # Nobody reads for a while.
        time.sleep(2)
        shown = b""
        while piece := os.read(reader, 3001):
            shown += piece
        self.assertEqual(executor.wait(5), 3)
        lines = shown.decode().splitlines()
        updates = [json.loads(line)["state"] for line in lines if line.startswith("{")]
        self.assertEqual(updates, ["TASK_STARTING", "TASK_RUNNING", "TASK_KILLED"])
        others = [line for line in lines if not line.startswith("{")]
        self.assertEqual({len(line.removeprefix("begin")) for line in others}, {2999}, lines)

    def test_programs_that_do_not_read_updates_do_not_hold_up_the_end(self):
        _, writer = self.descriptors(os.pipe)
        _, updates = self.descriptors(full_pipe)
        reader, errors = self.descriptors(os.pipe)
        executor = self.start(
            document(console("main", "yes | head -c 3000000; exit 1")), "--output", "json", "--status-fd", str(updates),
            stdout=writer, stderr=errors, pass_fds=[updates])
        os.close(updates)
        self.assertEqual(executor.wait(12), 1)
        self.assertEqual(self.state(), "TASK_FAILED")
        text = os.read(reader, 65536).decode()
        for name in ("standard output", "--status-fd"):
            self.assertIn(f"warning: {name}: ", text)
        self.assertIn("result.json has how the task ended", text)

    def test_the_last_update_waits_for_a_program_that_reads_late(self):
        reader, updates = self.descriptors(full_pipe)
        executor = self.start(
            document("true"), "--status-fd", str(updates), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            pass_fds=[updates])
        os.close(updates)
        wait_until(lambda: os.path.exists(self.result), "the task ends")
        # Late.
        time.sleep(1.5)
        received = b""
        while piece := os.read(reader, 65536):
            received += piece
        self.assertEqual(executor.wait(5), 0)
        states = [json.loads(line)["state"] for line in received.lstrip(b"x").splitlines()]
        self.assertEqual(states, ["TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED"])

    def test_each_terminal_gets_what_it_would_act_on_written_out(self):
        for name, redirection in (("stdout", ""), ("stderr", " >&2")):
            with self.subTest(terminal=name):
                master, terminal = self.descriptors(pty.openpty)
                file = os.open(self.host.path("file"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
                streams = {"stdout": file, "stderr": file, name: terminal}
                executor = self.start(
                    document(console("main", "printf 'a\\033[2Jb\\n'" + redirection +
                                     "; printf 'c\\033[2Jd\\n'" + (" >&2" if not redirection else ""))), **streams)
                self.assertEqual(executor.wait(10), 0)
                shown = os.read(master, 65536)
                self.assertIn(b"a\\x1b[2Jb", shown)
                self.assertNotIn(b"\x1b", shown)
                with open(self.host.path("file"), "rb") as other:
                    self.assertIn(b"c\x1b[2Jd\n", other.read())

    def test_what_was_rotated_away_before_the_first_look_is_counted_too(self):
        errors = os.open(self.host.path("err"), os.O_WRONLY | os.O_CREAT, 0o600)
        output = os.open(self.host.path("out"), os.O_WRONLY | os.O_CREAT, 0o600)
        executor = self.start(
            document(console("main", "touch begun; while ! test -e go; do sleep 0.02; done; "
                             "seq -f %099.0f 1 100000; touch written")), stdout=output, stderr=errors)
        self.wait_file("begun")
        wait_until(lambda: self.task.has_record("running"), "the executor knows of it")
        executor.send_signal(signal.SIGSTOP)
        open(self.sandbox + "/go", "w", encoding="ascii").close()
        self.wait_file("written")
        executor.send_signal(signal.SIGCONT)
        self.assertEqual(executor.wait(10), 0)
        with open(self.host.path("err"), encoding="utf-8") as file:
            missing = missing_in(file.read())
        self.assertGreater(missing, 5_000_000)
        self.assertEqual(os.path.getsize(self.host.path("out")) + missing, 10_000_000)

    def test_showing_the_output_gives_way_when_there_are_too_few_descriptors(self):
        """As many processes as container-init can have under this limit."""
        errors = os.open(self.host.path("err"), os.O_WRONLY | os.O_CREAT, 0o600)
        output = os.open(self.host.path("out"), os.O_WRONLY | os.O_CREAT, 0o600)
        processes = [console(f"p{number}", f"echo from {number}; while ! test -e go; do sleep 0.1; done", "both")
                     for number in range(14)]
        executor = self.start(document(*processes), stdout=output, stderr=errors, limit=128)
        logs = os.path.dirname(self.sandbox) + "/logs"
        wait_until(lambda: os.path.exists(f"{logs}/p13/0/stdout") and os.path.getsize(f"{logs}/p13/0/stdout"), "all run")
        open(self.sandbox + "/go", "w", encoding="ascii").close()
        code = executor.wait(15)
        with open(self.host.path("err"), encoding="utf-8") as file:
            said = file.read()
        self.assertEqual(code, 0, said)
        self.assertIn("too many processes to show", said)
        with open(self.host.path("out"), encoding="utf-8") as file:
            shown = set(file.read().splitlines())
        self.assertEqual(shown, {f"from {number}" for number in range(14)})

    def test_a_console_that_stands_still_costs_nothing(self):
        reader, writer = self.descriptors(os.pipe)
        executor = self.start(
            document(console("main", "seq 1 100000; touch written; sleep 100")), stdout=writer, stderr=subprocess.DEVNULL)
        self.wait_file("written")
        # A user who has many pipes gets small ones.
        capacity = fcntl.fcntl(reader, fcntl.F_GETPIPE_SZ)
        wait_until(lambda: unread(reader) > capacity * 9 // 10, "the pipe is full")
        # What led to that is over when nothing has come of it for a while.
        time.sleep(0.5)

        def switches():
            with open(f"/proc/{executor.pid}/status", encoding="ascii") as file:
                return sum(int(line.split()[1]) for line in file if "ctxt_switches" in line)
        before = switches()
        time.sleep(1)
        self.assertLess(switches() - before, 5)
        executor.send_signal(signal.SIGTERM)
        self.assertEqual(executor.wait(5), 3)
