"""Tasks that hide from the limit of disk, or hold up who looks for what they take; and one that only seems to take more."""

import os
import signal
import subprocess
import time

from support import DockerTestCase, document
from support.executor import children_of
from support.programs import program
from test_control import ControlTestCase

MIB = 1 << 20
REASON = "REASON_CONTAINER_LIMITATION_DISK"
# What is to keep every processor busy must not be kept from it.
LOCKS = {"ram": 512 * MIB, "cpu": os.cpu_count()}


def with_program(name):
    def add(tar):
        with open(program(name), "rb") as file:
            tar.file("bin/" + name, file.read(), mode=0o755)
    return add


def is_measuring(executor):
    for child in children_of(executor):
        try:
            with open(f"/proc/{child}/comm", encoding="ascii") as file:
                if file.read() == "aurora-measure\n":
                    return True
        except OSError:
            pass
    return False


class HiddenTestCase(ControlTestCase):
    """On a file system of its own, of which a neighbour takes some: so that the task may be the one that has taken it."""

    SECONDS = 330

    def setUp(self):
        super().setUp()
        os.makedirs(self.host.work)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "own", self.host.work], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", self.host.work], check=True)

    def neighbour_takes(self, mebibytes):
        with open(os.path.join(self.host.work, "neighbour"), "ab") as file:
            os.posix_fallocate(file.fileno(), file.tell(), mebibytes * MIB)

    def assert_answers_and_ends(self, task):
        task.wait_log("locked", seconds=60)
        self.neighbour_takes(200)
        slowest, looked, until = 0, False, time.monotonic() + 40
        while time.monotonic() < until:
            asked = time.monotonic()
            self.assertEqual(self.ask(task, {"request": "status"}, seconds=30)[0]["state"], "TASK_RUNNING")
            slowest = max(slowest, time.monotonic() - asked)
            if not looked and is_measuring(task.process.pid):
                # The worker is given up after three seconds, and begins again.
                looked, until = True, time.monotonic() + 10
            time.sleep(0.05)
        self.assertTrue(looked)
        self.assertLess(slowest, 5)
        for words in (["status", task.id], ["ps"]):
            self.assertIn("TASK_RUNNING", self.aurora(*words, timeout=5).out)
        began = time.monotonic()
        self.assertEqual(self.aurora("stop", task.id, timeout=60).code, 0)
        self.assertLess(time.monotonic() - began, 15)
        self.assertEqual(task.wait().result["state"], "TASK_KILLED")

    def assert_goes_on(self, task):
        task.wait_log("done", seconds=30)
        for _ in range(12):
            # More than the task has left each time, so that it is measured again and again.
            self.neighbour_takes(70)
            time.sleep(2)
            if task.process.poll() is not None:
                self.fail(f"it has ended: {task.wait()}")
        self.assertGreater(task.out().count("twice"), 2)
        self.assertEqual(task.signal(signal.SIGTERM).wait().result["state"], "TASK_KILLED")


class Hidden(HiddenTestCase):
    def test_who_looks_at_a_locked_memory_goes_on(self):
        self.assert_answers_and_ends(self.start_task(
            document(f"exec {program('mmlock')} 8 0", **LOCKS, disk=64 * MIB, finalization_wait=1)))

    def test_what_is_held_behind_a_locked_memory_counts(self):
        # It is looked for three times before the task is stopped for it, each nine times as long after the last as that took.
        self.assert_failed(self.run_task(
            document(f"exec {program('mmlock')} 8 200", **LOCKS, disk=32 * MIB, finalization_wait=1), timeout=240),
            "disk limit exceeded: 32 MiB limit", "deleted files that are in use 200 MiB", reason=REASON)

    def test_names_of_a_file_count_as_files(self):
        self.assert_failed(self.run_task(
            document(f"exec {program('names')} 40000", disk=16 * MIB, finalization_wait=1), timeout=80),
            "disk limit exceeded: ", "files and directories, a limit of 16 MiB allows 32768", reason=REASON)

    def test_a_file_that_moves_counts_once(self):
        self.assert_goes_on(self.start_task(
            document(f"exec {program('wander')} 140", ram=512 * MIB, disk=200 * MIB, finalization_wait=1)))


class DockerHidden(HiddenTestCase, DockerTestCase):
    def start(self, name, *words, **fields):
        image = self.with_engine_image(name=name + ":test", extra=with_program(name))
        return self.start_docker(" ".join((f"exec /bin/{name}", *words)), image=image, finalization_wait=1, **fields)

    def test_who_looks_at_a_locked_memory_goes_on(self):
        self.assert_answers_and_ends(self.start("mmlock", "8", "0", **LOCKS, disk=64 * MIB))

    def test_a_file_that_moves_counts_once(self):
        self.assert_goes_on(self.start("wander", "140", ram=512 * MIB, disk=200 * MIB))
