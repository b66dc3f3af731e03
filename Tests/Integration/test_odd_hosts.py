"""Hosts that differ: an old system call filter around the executor, a program that is a mount of its own, no root."""

import ctypes
import json
import os
import shutil
import struct
import subprocess

from support import DockerTestCase, ExecutorTestCase, document, process
from support.executor import binary
from support.host import open_files
from support.images import busybox_image

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


class Chroot(ExecutorTestCase):
    """The program in a directory that is no mount point, as a rescue system or a build has it."""

    HOST = ("bin", "sbin", "etc", "usr", "lib", "lib64")

    def setUp(self):
        super().setUp()
        self.root = self.host.path("root")
        for name in ("proc", "sys", "dev", "tmp"):
            os.makedirs(os.path.join(self.root, name))
        shutil.copy(binary(), self.root + "/ae")

    def enter(self, *words, mounts=()):
        """Runs the program in there, in a mount namespace of its own. Mounts as `proc`, `sys`, `dev`, `host`."""
        script = {
            "proc": f"mount -t proc p {self.root}/proc; ",
            "sys": f"mount --rbind /sys {self.root}/sys; ",
            "dev": f"mount --rbind /dev {self.root}/dev; ",
            "host": f"for d in {' '.join(self.HOST)}; do [ -e /$d ] && mkdir -p {self.root}/$d && mount --bind /$d {self.root}/$d; done; ",
        }
        # Shared, as most hosts have their root, and nobody else's: what is mounted further in must not travel out of it.
        text = ("mount --make-rshared /; " + "".join(script[name] for name in mounts) + "before=$(wc -l < /proc/self/mountinfo); "
                f'chroot {self.root} /ae "$@"; code=$?; test $before = $(wc -l < /proc/self/mountinfo) || code=99; exit $code')
        return subprocess.run(
            ["unshare", "--mount", "--propagation", "private", "sh", "-c", text, "sh", *words], stdin=subprocess.DEVNULL,
            capture_output=True, text=True, env=self.host.environment(), check=False, timeout=60)

    def test_without_proc_it_reads_its_command_line_and_says_what_it_needs(self):
        for words, said in ((["--help"], "usage: aurora-executor"), (["version"], "0."), (["run", "--help"], "--task"),
                            (["schema"], "$schema"), (["ps", "--work-dir=/w"], "")):
            with self.subTest(words=words):
                done = self.enter(*words)
                self.assertEqual(done.returncode, 0, done)
                self.assertIn(said, done.stdout)
        shutil.copy(self.host.write("t.json", document("true")), self.root + "/t.json")
        for words in (["run", "--task", "/t.json"], ["recover", "--all"], ["sweep"], ["stop", "x"],
                      ["image", "ls"], ["plan", "--task", "/t.json"]):
            with self.subTest(words=words):
                done = self.enter(*words)
                self.assertEqual(done.returncode, 78, done)
                self.assertIn("/proc does not show this process", done.stderr)
                self.assertIn("mount -t proc proc /proc", done.stderr)

    def test_without_devices_it_says_so(self):
        shutil.copy(self.host.write("t.json", document("true")), self.root + "/t.json")
        done = self.enter("run", "--task", "/t.json", "--task-id", self.host.task_id(), "--role", "www-data", "--work-dir=/w",
                          "--run-dir=/r", mounts=("proc", "sys", "host"))
        self.assertEqual(done.returncode, 1, done)
        self.assertIn("cannot open /dev/null: open: ENOENT", done.stderr)
        self.assertIn("mount --rbind /dev DIR/dev", done.stderr)

    def test_with_proc_tasks_run_with_an_image_and_without(self):
        all_of_it = ("proc", "sys", "dev", "host")
        image = busybox_image()
        image.docker_archive(self.root + "/image.tar")
        done = self.enter("image", "import", "-q", "/image.tar", "--work-dir=/w", mounts=all_of_it)
        self.assertEqual(done.returncode, 0, done)
        for name in (image.name, None):
            with self.subTest(image=name):
                task_id = self.host.task_id()
                with open(self.root + "/t.json", "w", encoding="utf-8") as file:
                    json.dump(document(process("main", "echo ran; id -u; pwd"), image=name), file)
                done = self.enter("run", "--task", "/t.json", "--task-id", task_id, "--role", "www-data", "--work-dir=/w",
                                  "--run-dir=/r", "--assert-clean", mounts=all_of_it)
                self.assertEqual(done.returncode, 0, done)
                with open(f"{self.root}/w/tasks/{task_id}/logs/main/0/stdout", encoding="utf-8") as file:
                    lines = file.read().splitlines()
                self.assertEqual(lines[:2], ["ran", "33"])


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
                        seen += open_files(pid).values()
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
