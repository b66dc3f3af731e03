"""Hosts that differ: an old system call filter around the executor, a program that is a mount of its own, no root."""

import ctypes
import os
import shutil
import struct
import subprocess

from support import DockerTestCase, ExecutorTestCase, document, process
from support.executor import binary

CLONE3 = 435


def refuse_clone3():
    """What Docker's default profile does, so that a C library falls back to clone: ENOSYS."""
    # load the number; clone3: ENOSYS; everything else: allowed
    code = [(0x20, 0, 0, 0), (0x15, 0, 1, CLONE3), (6, 0, 0, 0x00050000 | 38), (6, 0, 0, 0x7FFF0000)]
    raw = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in code))
    program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(code), ctypes.addressof(raw)))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, program, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


class WithoutClone3(ExecutorTestCase):
    def test_tasks_run_and_are_in_their_cgroups(self):
        for image in (None, self.with_busybox()):
            with self.subTest(image=image):
                outcome = self.assert_finished(self.run_task(document(
                    process("main", "cat /proc/self/cgroup"), process("fin", "echo final", final=True), image=image),
                    preexec_fn=refuse_clone3))
                self.assertEqual(outcome.out("fin"), "final\n")
                for line in outcome.out().splitlines():
                    self.assertIn(line.split(":", 2)[2], ("/", "/task"))

    def test_images_are_imported(self):
        self.with_busybox()
        image = self.host.path("image.tar")
        done = self.aurora("image", "import", image, "again:1", preexec_fn=refuse_clone3)
        self.assertEqual(done.code, 0, done)

    def test_without_root_plain_processes_run(self):
        own = self.host.path("own")
        os.mkdir(own)
        os.chown(own, 65534, 65534)
        path = self.host.write("t.json", document("id -u"))
        done = subprocess.run(
            [binary(), "run", "--task", path, f"--work-dir={own}/work", f"--run-dir={own}/run", "--follow"],
            preexec_fn=lambda: (os.setgroups([]), os.setresgid(65534, 65534, 65534), os.setresuid(65534, 65534, 65534), refuse_clone3()),
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("65534", done.stdout)
        # What holds nothing is said.
        for name in ("filesystem/linux", "cgroups/mem", "namespaces/pid"):
            self.assertIn(name, done.stderr)


class MountedProgram(ExecutorTestCase):
    def test_what_lies_below_a_mount_of_the_program_is_not_executed(self):
        place = self.host.path("place")
        os.mkdir(place)
        for below in ("/bin/true", None):
            with self.subTest(below=below):
                program = os.path.join(place, "aurora-executor")
                if below:
                    shutil.copy(below, program)
                else:
                    with open(program, "wb"):
                        pass
                task_id = self.host.task_id()
                words = self.host.words(["run", "--task", self.host.write("t.json", document("echo ran")), "--task-id", task_id,
                                         "--role", "www-data", "--follow"])
                done = subprocess.run(
                    ["unshare", "--mount", "sh", "-c", f'mount --bind {binary()} {program} && exec "$@"', "sh", program, *words[1:]],
                    stdin=subprocess.DEVNULL, capture_output=True, text=True, env=self.host.environment(), check=False)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertIn("ran", done.stdout)


class Workers(ExecutorTestCase):
    def test_a_worker_holds_no_device_of_the_host(self):
        self.with_busybox()
        seen = []
        for _ in range(40):
            import_ = subprocess.Popen(
                self.host.words(["image", "import", self.host.path("image.tar"), "x:1"]), stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            while import_.poll() is None:
                for pid in filter(str.isdigit, os.listdir("/proc")):
                    try:
                        with open(f"/proc/{pid}/cmdline", "rb") as file:
                            if b"__unpack" not in file.read():
                                continue
                        seen += [os.readlink(f"/proc/{pid}/fd/{number}") for number in os.listdir(f"/proc/{pid}/fd")]
                    except OSError:
                        continue
            if seen:
                break
        self.assertTrue(seen)
        self.assertEqual([name for name in seen if name.startswith("/dev/")], [])


class Docker(DockerTestCase):
    def test_init_holds_no_directory_that_leads_out(self):
        task = self.start_docker("echo ready; sleep 1000", finalization_wait=1)
        task.wait_log("ready")
        pid = task.launched()["pid"]
        logs = os.stat(os.path.join(task.directory, "logs"))
        root = os.stat(f"/proc/{pid}/root")
        seen = 0
        for number in os.listdir(f"/proc/{pid}/fd"):
            path = f"/proc/{pid}/fd/{number}"
            if os.path.isdir(path):
                seen += 1
                top = os.stat(path + "/.." * 40)
                self.assertIn((top.st_dev, top.st_ino), ((logs.st_dev, logs.st_ino), (root.st_dev, root.st_ino)), os.readlink(path))
        self.assertGreater(seen, 0)
        task.signal(15).wait()
