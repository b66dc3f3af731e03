"""Work directories on file systems that do not serve for everything: overlayfs below overlayfs, nothing that may be executed."""

import json
import os
import signal
import subprocess

from support import Image, Layer, TarWriter, document, process
from support.case import ExecutorTestCase
from support.images import busybox_tar

MIB = 1 << 20


class OnOverlayfs(ExecutorTestCase):
    """As in any container: what is written to is an overlay already."""

    OPTIONS = "rw"

    def setUp(self):
        super().setUp()
        below, self.upper = self.host.path("below"), self.host.path("upper")
        for path in (below, self.upper, self.upper + "/up", self.upper + "/work", self.host.work):
            os.mkdir(path)
        options = f"lowerdir={below},upperdir={self.upper}/up,workdir={self.upper}/work,{self.OPTIONS}"
        subprocess.run(["mount", "-t", "overlay", "-o", options, "overlay", self.host.work], check=True)
        self.addCleanup(subprocess.run, ["umount", self.host.work], check=True)

    def image(self, *layers, name="case/copied:1"):
        return self.host.import_image(Image([Layer(busybox_tar()), *[Layer(layer) for layer in layers]], name=name))

    def rootfs(self, outcome):
        return os.path.join(self.host.work, "tasks", outcome.id, "rootfs")

    def test_an_image_runs_as_it_is(self):
        lower = (TarWriter().directory("data").file("data/deleted").file("data/kept", "kept").file("shadow", "x", mode=0o600)
                 .hardlink("data/again", "data/kept").directory("anew").file("anew/old").directory("tmp", mode=0o1777))
        upper = (TarWriter().file("data/.wh.deleted").file("data/new", "new").directory("anew").file("anew/.wh..wh..opq")
                 .file("anew/only").file("data/mine", uid=33, gid=33, mode=0o640).file("tmp/marker"))
        name = self.image(lower, upper)
        script = ("ls data anew; stat -c '%n %a %u %h' shadow tmp data/kept data/mine; cat data/mine shadow; "
                  "echo more >> data/mine; touch tmp/own; touch data/no")
        outcome = self.run_task(document(f"cd /; {script}", image=name))
        self.assertEqual(outcome.code, 1, outcome)
        self.assertEqual(outcome.out().split(), [
            "anew:", "only", "data:", "again", "kept", "mine", "new", "shadow", "600", "0", "1", "tmp", "1777", "0", "2",
            "data/kept", "644", "0", "2", "data/mine", "640", "33", "1"], outcome)
        self.assertIn("touch: data/no: Permission denied", outcome.err())
        # What it wrote is its own, and gone with it.
        self.assertFalse(os.path.exists(self.rootfs(outcome)))
        self.assertEqual(self.assert_finished(self.run_task(document("cat /data/mine", image=name))).out(), "")
        self.assertEqual(self.aurora("image", "verify").code, 0)

    def test_it_says_why(self):
        name = self.image()
        outcome = self.assert_finished(self.run_task(document("sleep 0.01", image=name)))
        self.assertRegex(outcome.finished.err, r"warning: the image was copied for this task, .* is on overlayfs")
        with open(os.path.join(self.host.work, "tasks", outcome.id, "plan.json"), encoding="utf-8") as file:
            self.assertRegex(json.load(file)["steps"][0], "use a copy of the image in .*/rootfs/upper: .* is on overlayfs")
        path = self.host.write("task.json", document("true", image=name))
        planned = self.aurora("plan", "--task", path, "--role", "www-data")
        self.assertIn("use a copy of the image", planned.out, planned)

    def test_what_the_image_has_is_not_the_tasks_disk(self):
        name = self.image(TarWriter().file("large", os.urandom(24 * MIB)))
        fine = self.assert_finished(
            self.run_task(document("dd if=/dev/zero of=file bs=1M count=2 2>/dev/null; sleep 2", image=name, disk=8 * MIB)))
        self.assertLess(fine.result["usage"]["disk_bytes"], 4 * MIB, fine)
        self.assertGreater(fine.result["usage"]["disk_bytes"], MIB, fine)
        script = "dd if=/dev/zero of=/tmp/file bs=1M count=12 2>/dev/null; sleep 60"
        name = self.image(TarWriter().directory("tmp", mode=0o1777).file("large", os.urandom(24 * MIB)), name="case/tmp:1")
        outcome = self.run_task(document(script, image=name, disk=8 * MIB))
        self.assert_failed(outcome, "disk limit exceeded: 8 MiB limit, 12", reason="REASON_CONTAINER_LIMITATION_DISK")

    def test_another_executor_takes_over(self):
        name = self.image(TarWriter().file("large", os.urandom(24 * MIB)))
        task = self.start_task(document(process("main", "echo up; sleep 2"), image=name, disk=8 * MIB)).wait_log("up")
        task.kill()
        outcome = self.assert_finished(self.host.recover(task.id))
        self.assertLess(outcome.result["usage"]["disk_bytes"], 4 * MIB)
        self.assertFalse(os.path.exists(self.rootfs(outcome)))

    def test_a_stop_ends_the_copying(self):
        # So many names take their time.
        many = TarWriter()
        for index in range(8000):
            many.file(f"d{index // 500}/{index}")
        name = self.image(many)
        task = self.start_task(document("echo up; sleep 60", image=name))
        task.wait_for("update", state="TASK_STAGING")
        outcome = task.signal(signal.SIGTERM).wait()
        self.assertEqual(outcome.result["state"], "TASK_KILLED", outcome)
        self.assertFalse(os.path.exists(self.rootfs(outcome)))


class OnOverlayfsWithoutPrograms(OnOverlayfs):
    OPTIONS = "nosuid,nodev,noexec"

    def test_programs_of_the_image_are_executed(self):
        self.assertEqual(self.assert_finished(self.run_task(document("/bin/busybox echo fine", image=self.image()))).out(), "fine\n")


class WithoutPrograms(ExecutorTestCase):
    """A file system for data: no devices, no set-user-id programs, nothing to execute."""

    def setUp(self):
        super().setUp()
        os.mkdir(self.host.work)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "nosuid,nodev,noexec,mode=755", "data", self.host.work], check=True)
        self.addCleanup(subprocess.run, ["umount", self.host.work], check=True)

    def test_images_and_tasks_are_fine(self):
        layer = TarWriter().file("old").directory("d").file("d/deleted")
        image = Image([Layer(busybox_tar()), Layer(layer), Layer(TarWriter().file("d/.wh.deleted"))], name="case/data:1")
        name = self.host.import_image(image)
        outcome = self.assert_finished(
            self.run_task(document("ls /d; echo written > /mnt/mesos/sandbox/file; cat file; /bin/busybox id -u", image=name)))
        self.assertEqual(outcome.out(), "written\n33\n", outcome)
        self.assertNotIn("warning", outcome.finished.err)
        self.assertEqual(self.assert_finished(self.run_task(document("id -un"))).out(), "www-data\n")
        # What the operator has forbidden in there stays so: the sandbox is in there.
        script = "printf '#!/bin/sh\\necho ran\\n' > x; chmod +x x; ./x || sh x"
        self.assertEqual(self.assert_finished(self.run_task(document(script, image=name))).out(), "ran\n")
