"""Executor, container-init or both are killed at any system call: what is told is true, nothing happens twice, nothing stays.

A few rounds of each kind run with the other tests; `scripts/kills` runs as many as it is told.
"""

import collections
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import threading
import time

import pytest

from support import DockerTestCase, ExecutorTestCase, document, process
from support.executor import Finished, TaskFiles
from support.host import HostSnapshot, wait_until_unchanged
from support.programs import program

ROUNDS = int(os.environ.get("AURORA_TEST_KILLS", "6"))
pytestmark = pytest.mark.timeout(60 + 20 * ROUNDS)
# So many stops at system calls a run has of its own, and of its container-init; beyond them nothing is killed.
CALLS = {"executor": 2600, "init": 1500}
EXPECTED = ["a 0", "b 0", "b 1", "c 0", "last 0"]
# What a task may say that could not be begun, or not be watched, on a disk that was full.
SHORT = ("ENOSPC", "cannot be")


class Kills:
    """A round at a time, each on a task of its own."""

    fills = False

    def setUp(self):
        super().setUp()
        self.seed = int(os.environ.get("AURORA_TEST_SEED", time.time_ns() % 1_000_000_000))
        self.chance = random.Random(f"{self.seed} {type(self).__name__}")
        self.tool = program("kill_at")
        # Where the disk is not full.
        self.beside = self.host.path("beside")
        os.makedirs(self.beside)
        os.makedirs(self.host.work)
        if self.fills:
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m,mode=755", "x", self.host.work], check=True)
            self.addCleanup(subprocess.run, ["umount", "-l", self.host.work], check=True)
        self.seen = collections.Counter()

    @contextlib.contextmanager
    def tides(self):
        """The disk fills and empties."""
        if not self.fills:
            yield
            return
        ends = threading.Event()
        filler = os.path.join(self.host.work, "filler")
        chance = random.Random(self.chance.random())

        def turn():
            while not ends.wait(chance.uniform(0, 0.1)):
                with open(filler, "wb", buffering=0) as file, contextlib.suppress(OSError):
                    while not ends.is_set():
                        file.write(bytes(65536))
                ends.wait(chance.uniform(0, 0.2))
                os.unlink(filler)
        thread = threading.Thread(target=turn)
        thread.start()
        try:
            yield
        finally:
            ends.set()
            thread.join()

    def task(self, number):
        """A task that marks each of its runs where there is room."""
        self.marks = os.path.join(self.beside, str(number))
        os.mkdir(self.marks)
        os.chmod(self.marks, 0o777)
        mark = f"echo $AURORA_PROCESS $AURORA_RUN >> {self.marks}/ran; "
        return self.document(
            process("a", mark + "sleep 0.1"), process("b", mark + "exit $((AURORA_RUN < 1))", max_failures=2),
            process("c", mark), process("beat", mark + "sleep 0.05", daemon=True, ephemeral=True, max_failures=0),
            process("last", mark, final=True), order=["a", "b", "c"])

    def marked(self):
        try:
            with open(self.marks + "/ran", encoding="ascii") as file:
                return file.read().splitlines()
        except FileNotFoundError:
            return []

    def until_killed(self, words, counts, at, whom):
        """Runs the executor until it ends, or is killed with or without its container-init; what it said, and who was killed."""
        path = self.host.path("count")
        done = subprocess.run(
            [self.tool, counts, str(at), whom, path, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, env=self.host.environment(), timeout=90, check=False)
        with open(path, encoding="ascii") as file:
            count, init = map(int, file.read().split())
        killed = {"executor", "init"} if whom == "both" else {whom}
        killed = killed if count >= at else set()
        return Finished(done.returncode, done.stdout, done.stderr), killed if init else killed - {"init"}

    def round(self, number):
        task_id = self.host.task_id()
        counts, whom = self.chance.choice(self.ways)
        at = self.chance.randrange(1, CALLS[counts])
        where = f"seed {self.seed}, round {number}: {whom} at call {at} of {counts}, task {task_id}"
        before = HostSnapshot(self._worker_prefix)
        with self.subTest(where):
            words = self.host.words([
                "run", "--task", self.host.write("t.json", self.task(number)), "--role", "www-data", "--task-id", task_id,
                *self.options])
            with self.tides():
                first, killed = self.until_killed(words, counts, at, whom)
            self.conclude(TaskFiles(self.host, task_id), first, killed)
            self.assertEqual(wait_until_unchanged(before, self._worker_prefix), [], where)

    def conclude(self, files, first, killed):
        said = [first]
        # Those who recover are killed as well.
        while "executor" in killed and self.chance.random() < 0.4:
            words = self.host.words(["recover", files.id])
            with self.tides():
                again, _ = self.until_killed(words, "executor", self.chance.randrange(1, 1200), "executor")
            said.append(again)
        said.append(self.aurora("recover", files.id))
        story = "\n".join(map(str, said))
        marks = self.marked()
        if files.id not in self.aurora("ps", "--quiet").out.split():
            # There never was one; what was half made goes.
            self.assertEqual(marks, [], story)
            self.assertNotEqual(said[-1].code, 0, story)
            self.seen["none"] += 1
        else:
            self.judge(files, marks, killed, story)
        swept = self.aurora("sweep", *self.options)
        self.assertEqual(swept.code, 0, swept)
        # One that was killed early enough has made nothing at all.
        tasks = os.listdir(self.host.work + "/tasks") if os.path.isdir(self.host.work + "/tasks") else []
        self.assertEqual([name for name in tasks if name.startswith(".")], [], story)
        self.assertFalse(os.path.exists(f"{self.host.run_directory}/{files.id}"), story)
        shutil.rmtree(files.directory, ignore_errors=True)

    def judge(self, files, marks, killed, story):
        self.assertTrue(os.path.exists(files.result_path), story)
        result = files.result
        records = files.journal()
        told = {key: value for key, value in result.items() if key != "processes"}
        story += f"\n{json.dumps(told, indent=1)}\n" + "\n".join(map(str, records[-12:]))
        self.seen[result["state"]] += 1
        # No run twice, whoever was killed; and none that the result does not know.
        self.assertEqual(len(marks), len(set(marks)), story)
        for mark in marks:
            name, run = mark.split()
            self.assertIn(int(run), [each["run"] for each in result["processes"][name]["runs"]], story)
        expected = ["TASK_FINISHED"]
        if "init" in killed:
            expected.append("TASK_LOST")
            # Of a container that ended before it had begun.
            if result.get("reason") == "REASON_CONTAINER_LAUNCH_FAILED":
                expected.append("TASK_FAILED")
        if result["state"] not in expected:
            self.assertTrue(self.fills and any(word in result["message"] for word in SHORT), story)
        if result["state"] == "TASK_FINISHED":
            missing = set(EXPECTED) - set(marks)
            if "init" in killed and missing == {"last 0"}:
                self.assertIn("final processes not run to their end", "".join(result["notes"]), story)
            else:
                self.assertEqual(missing, set(), story)
        self.assertNotIn("MEMORY", result.get("reason", ""), story)
        self.assertEqual([record["seq"] for record in records], list(range(1, len(records) + 1)), story)
        # Who finds a known end without its result says it again, and nothing else.
        self.assertEqual({record["state"] for record in records if record["type"] == "finished"}, {result["state"]}, story)

    def test_killed_at_any_system_call(self):
        for number in range(ROUNDS):
            self.round(number)
        print(f"{type(self).__name__}: {ROUNDS} rounds, seed {self.seed}: {dict(self.seen)}")


class Native(Kills, ExecutorTestCase):
    options = ()
    ways = [(counts, whom) for counts in CALLS for whom in ("executor", "init", "both")]

    def document(self, *processes, **fields):
        return document(*processes, **fields)


class NativeStarved(Native):
    fills = True


class Docker(Kills, DockerTestCase):
    ways = [("executor", "executor"), ("executor", "both"), ("init", "init"), ("init", "both")]

    def setUp(self):
        super().setUp()
        self.options = ("--docker-socket", self.engine.socket)

    def document(self, *processes, **fields):
        return self.docker_document(*processes, parameters=(f"volume={self.marks}:{self.marks}",), **fields)

    def init(self):
        """The container-init that the engine has started."""
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    if b"\0__init" not in file.read():
                        continue
                with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
                    parent = file.read().rpartition(") ")[2].split()[1]
                with open(f"/proc/{parent}/cmdline", "rb") as file:
                    if self.engine.directory.encode() in file.read():
                        return int(pid)
        return None

    def until_killed(self, words, counts, at, whom):
        # Container-init is no child of the executor's.
        if counts == "executor":
            first, killed = super().until_killed(words, counts, at, "executor")
            init = self.init()
            if killed and whom == "both" and init:
                os.kill(init, signal.SIGKILL)
                killed.add("init")
            return first, killed
        executor = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.host.environment())
        init, killed = None, set()
        while executor.poll() is None and not init:
            init = self.init()
        path = self.host.path("count")
        if init and subprocess.run([self.tool, "pid", str(at), str(init), path], timeout=90, check=False).returncode == 0:
            with open(path, encoding="ascii") as file:
                killed = {"init"} if int(file.read().split()[0]) >= at else set()
        if killed and whom == "both":
            executor.kill()
            killed.add("executor")
        out, err = executor.communicate(timeout=90)
        return Finished(executor.returncode, out, err), killed


class DockerStarved(Docker):
    fills = True
