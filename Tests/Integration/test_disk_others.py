"""The limit of disk and what others do on the same file system: they delete what a task only uses, and fill it for a moment."""

import contextlib
import os
import shutil
import signal
import subprocess
import time

from support import DockerTestCase, ExecutorTestCase, document
from support.needs import need_version2
from test_health import config, shell

MIB = 1 << 20
REASON = "REASON_CONTAINER_LIMITATION_DISK"
# Nobody's account; what is meant is that it is not the role's.
OTHER = 54321
FOREVER = "echo done; while :; do sleep 0.2; done"


class OthersTestCase(ExecutorTestCase):
    """The tasks are on a file system of their own, with a directory of somebody else's."""

    SECONDS = 240

    def setUp(self):
        super().setUp()
        self.file_system = self.host.path("fs")
        os.makedirs(self.file_system)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755,nr_inodes=2m", "own", self.file_system], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", self.file_system], check=True)
        self.host.work = os.path.join(self.file_system, "work")
        self.data = os.path.join(self.file_system, "data")
        os.mkdir(self.data)
        os.chmod(self.data, 0o777)

    def put(self, name, mebibytes=40, owner=OTHER, mode=0o644):
        path = os.path.join(self.data, name)
        with open(path, "wb") as file:
            os.posix_fallocate(file.fileno(), 0, mebibytes * MIB)
        os.chown(path, owner, owner)
        os.chmod(path, mode)
        return path

    def neighbour_takes(self, mebibytes):
        with open(os.path.join(self.file_system, "neighbour"), "ab") as file:
            os.posix_fallocate(file.fileno(), file.tell(), mebibytes * MIB)

    def volumes(self, *modes):
        """The directory at /data, /data1, …"""
        return [{"container_path": f"/data{index or ''}", "host_path": self.data, "mode": mode}
                for index, mode in enumerate(modes)]

    def assert_goes_on(self, task, replace):
        task.wait_log("done", seconds=30)
        replace()
        for _ in range(7):
            # More than the task has left each time, so that it is measured again and again.
            self.neighbour_takes(40)
            time.sleep(2)
            if task.process.poll() is not None:
                self.fail(f"it has ended: {task.wait()}")
        self.assertEqual(task.signal(signal.SIGTERM).wait().result["state"], "TASK_KILLED")
        os.unlink(os.path.join(self.file_system, "neighbour"))

    def assert_counts(self, task):
        task.wait_log("done", seconds=30)
        self.neighbour_takes(40)
        self.assert_failed(task.wait(60), " MiB used: deleted files that are in use 40 MiB", reason=REASON)

    def replace_data(self):
        os.unlink(os.path.join(self.data, "data"))
        self.put("new")


# What a task does that makes what it has been charged for somebody else's, or seem so.
WRITES = "dd if=/dev/zero of=/data/x bs=1M count=40 2>/dev/null; "
BY_ANOTHER_MOUNT = WRITES + "exec 7</data1/x; rm /data/x; " + FOREVER
GIVEN_AWAY = WRITES + f"chown {OTHER} /data/x; exec 7</data/x; rm /data/x; " + FOREVER
GROWN = "dd if=/dev/zero of=/data/open bs=1M count=40 conv=notrunc 2>/dev/null; exec 7</data/open; rm /data/open; " + FOREVER


class Deleted(OthersTestCase):
    def test_a_file_that_is_only_read_is_not_the_tasks(self):
        image = self.with_busybox()
        for role, placed in (("www-data", OTHER), ("www-data", 33), ("root", 0)):
            with self.subTest(role=role, owner=placed):
                self.put("data", owner=placed)
                self.assert_goes_on(self.start_task(
                    document("exec 7</data/data; " + FOREVER, image=image, disk=32 * MIB, finalization_wait=1,
                             container={"volumes": self.volumes("RO")}), role=role), self.replace_data)

    def test_a_program_of_the_hosts_can_be_upgraded(self):
        path = os.path.join(self.data, "server")
        shutil.copy("/bin/sleep", path)
        with open(path, "ab") as file:
            os.posix_fallocate(file.fileno(), 0, 40 * MIB)

        def upgrade():
            shutil.copy(path, path + ".new")
            os.rename(path + ".new", path)
        self.assert_goes_on(self.start_task(
            document(f"{path} 1000 & " + FOREVER, disk=32 * MIB, finalization_wait=1)), upgrade)

    def test_what_the_task_has_made_elsewhere_counts(self):
        image = self.with_busybox()
        for command, role, modes in (
                (BY_ANOTHER_MOUNT, "www-data", ("RW", "RO")), (BY_ANOTHER_MOUNT, "root", ("RW", "RO")),
                (GIVEN_AWAY, "root", ("RW",)), (GROWN, "www-data", ("RW",))):
            with self.subTest(command=command, role=role):
                self.put("open", mebibytes=1, mode=0o666)
                self.assert_counts(self.start_task(
                    document(command, image=image, disk=32 * MIB, finalization_wait=1,
                             container={"volumes": self.volumes(*modes)}), role=role))

    def test_a_file_of_the_sandbox_counts_by_whatever_mount_it_is_held(self):
        command = ("dd if=/dev/zero of=shown/x bs=1M count=40 2>/dev/null; exec 7</elsewhere/x; rm shown/x; " + FOREVER)
        self.assert_counts(self.start_task(
            document(command, image=self.with_busybox(), disk=32 * MIB, finalization_wait=1,
                     container={"volumes": [{"container_path": "/elsewhere", "host_path": "shown", "mode": "RO"}]})))

    def test_a_file_of_the_host_that_was_opened_anew_counts(self):
        path = os.path.join(self.data, "x")
        self.assert_counts(self.start_task(document(
            f"exec 7<>{path}; dd if=/dev/zero bs=1M count=40 >&7 2>/dev/null; rm {path}; exec 8</proc/self/fd/7 7>&-; " + FOREVER,
            disk=32 * MIB, finalization_wait=1)))


class DockerDeleted(OthersTestCase, DockerTestCase):
    def start(self, command, mode, role="www-data"):
        return self.start_docker(
            command, parameters=(f"volume={self.data}:/data:{mode}",), role=role, disk=32 * MIB, finalization_wait=1)

    def test_a_file_that_is_only_read_is_not_the_tasks(self):
        self.put("data")
        self.assert_goes_on(self.start("exec 7</data/data; " + FOREVER, "ro"), self.replace_data)

    def test_what_the_task_has_made_elsewhere_counts(self):
        self.assert_counts(self.start(GIVEN_AWAY, "rw", role="root"))


class Stopped(OthersTestCase):
    # So many that it takes about as long as a check may.
    FILES = 600_000

    def is_stopped(self, task):
        path = os.path.join(need_version2(), "aurora-executor", task.id, "task", "cgroup.events")
        with contextlib.suppress(FileNotFoundError), open(path, encoding="ascii") as file:
            return "frozen 1" in file.read()
        return False

    def fill(self, directory, count):
        os.mkdir(directory)
        for index in range(count):
            if index % 1000 == 0:
                os.mkdir(f"{directory}/{index}")
                at = f"{directory}/{index}"
            os.close(os.open(f"{at}/{index}", os.O_CREAT | os.O_WRONLY))

    def test_who_is_stopped_to_be_measured_is_not_unhealthy(self):
        task = self.start_task(document(
            FOREVER, disk=self.FILES * 4096 + 100 * MIB, ram=512 * MIB, finalization_wait=1,
            health_check_config=config(shell("true"), timeout_secs=0.8, max_consecutive_failures=0)))
        task.wait_log("done")
        self.fill(os.path.join(task.sandbox, "many"), self.FILES)
        longest, began, until, taken = 0.0, None, time.monotonic() + 100, 0
        while time.monotonic() < until and longest < 1:
            if self.is_stopped(task):
                began = began or time.monotonic()
            elif began:
                longest, began = max(longest, time.monotonic() - began), None
            if taken < 5 and time.monotonic() > until - 95 + taken * 4:
                # More inodes than the task has left, for a moment.
                other = os.path.join(self.file_system, "neighbour")
                self.fill(other, 30_000)
                time.sleep(1.1)
                shutil.rmtree(other)
                taken += 1
            time.sleep(0.02)
            if task.process.poll() is not None:
                self.fail(f"it has ended: {task.wait()}")
        self.assertGreater(longest, 0.3, "it was not stopped for long enough")
        time.sleep(2)
        self.assertIsNone(task.process.poll())
        self.assertEqual(task.signal(signal.SIGTERM).wait().result["state"], "TASK_KILLED")
