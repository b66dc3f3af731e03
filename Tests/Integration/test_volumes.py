"""Volumes: host paths and sandbox paths, with an image and without."""

import os
import subprocess

from support import ExecutorTestCase, Image, Layer, TarWriter, document
from support.images import busybox_tar


def volume(container_path, host_path, mode="RW"):
    return {"volumes": [{"container_path": container_path, "host_path": host_path, "mode": mode}]}


class Volumes(ExecutorTestCase):
    def directory(self, name="data"):
        path = os.path.dirname(self.host.write(f"{name}/file", "host\n"))
        os.chmod(path, 0o777)
        return path

    def test_what_the_host_mounts_later_is_seen_in_writable_volumes_only(self):
        top = self.host.path("top")
        os.makedirs(top + "/below")
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", top], check=True)
        self.addCleanup(subprocess.run, ["umount", "--recursive", top], check=True)
        subprocess.run(["mount", "--make-shared", top], check=True)
        os.makedirs(top + "/below")
        for mode, seen in (("RW", "later\n"), ("RO", "")):
            with self.subTest(mode=mode):
                task = self.start_task(document(
                    "echo up; while ! test -e go; do sleep 0.05; done; ls /data/below", image=self.with_busybox(),
                    container=volume("/data", top, mode))).wait_log("up")
                subprocess.run(["mount", "-t", "tmpfs", "tmpfs", top + "/below"], check=True)
                with open(top + "/below/later", "w", encoding="ascii"):
                    pass
                with open(task.sandbox + "/go", "w", encoding="ascii"):
                    pass
                outcome = self.assert_finished(task.wait())
                subprocess.run(["umount", top + "/below"], check=True)
                self.assertEqual(outcome.out(), "up\n" + seen)

    def test_a_host_path_is_seen_and_written(self):
        for image in (None, self.with_busybox()):
            with self.subTest(image=image):
                path = self.directory()
                target = path if image is None else "/data"
                self.assert_finished(self.run_task(document(
                    f"cat {target}/file; echo inside > {target}/new", image=image, container=volume(target, path))))
                with open(path + "/new", encoding="utf-8") as file:
                    self.assertEqual(file.read(), "inside\n")
                self.assertEqual(os.stat(path + "/new").st_uid, 33)
                os.unlink(path + "/new")

    def test_a_read_only_volume_cannot_be_written_also_by_root(self):
        for image in (None, self.with_busybox()):
            with self.subTest(image=image):
                path = self.directory()
                target = path if image is None else "/data"
                outcome = self.assert_failed(self.run_task(document(
                    f"cat {target}/file; echo inside > {target}/file", image=image, container=volume(target, path, "RO")),
                    role="root"))
                self.assertEqual(outcome.out(), "host\n")
                with open(path + "/file", encoding="utf-8") as file:
                    self.assertEqual(file.read(), "host\n")

    def test_mounts_below_a_read_only_volume_are_read_only_too(self):
        path = self.directory()
        os.mkdir(path + "/below")
        subprocess.run(["mount", "-t", "tmpfs", "none", path + "/below"], check=True)
        try:
            outcome = self.run_task(document(
                "echo x > /data/below/x", image=self.with_busybox(), container=volume("/data", path, "RO")), role="root")
            self.assertEqual(outcome.code, 1, outcome)
            self.assertEqual(os.listdir(path + "/below"), [])
        finally:
            subprocess.run(["umount", path + "/below"], check=True)
            os.rmdir(path + "/below")

    def test_a_file_of_the_host_is_mounted_as_a_file(self):
        path = self.directory() + "/file"
        outcome = self.assert_finished(self.run_task(document(
            "cat /etc/app/config", image=self.with_busybox(), container=volume("/etc/app/config", path, "RO"))))
        self.assertEqual(outcome.out(), "host\n")

    def test_a_container_path_that_the_host_lacks_is_refused_without_an_image(self):
        path, other = self.directory(), self.directory("other")
        before = sorted(os.listdir(other))
        for target in (f"/aurora-test-{self.prefix}/deep/data", other + "/new", other + "/file/x"):
            with self.subTest(target=target):
                self.assert_failed(self.run_task(document("true", container=volume(target, path))), target)
        self.assertFalse(os.path.exists(f"/aurora-test-{self.prefix}"))
        self.assertEqual(sorted(os.listdir(other)), before)

    def test_a_container_path_that_the_host_has_is_mounted_on_and_stays_as_it_is(self):
        path, other = self.directory(), self.directory("other")
        link = self.host.path("link")
        os.symlink(other, link)
        for target in (other, link):
            with self.subTest(target=target):
                outcome = self.assert_finished(self.run_task(document(
                    f"cat {target}/file; echo x > {target}/new; ls {other}", container=volume(target, path))))
                self.assertEqual(outcome.out(), "host\nfile\nnew\n")
                self.assertEqual(os.listdir(other), ["file"])
                self.assertTrue(os.path.islink(link))
                os.unlink(path + "/new")

    def test_a_container_path_below_the_sandbox_is_made_in_it(self):
        path, file = self.directory(), self.host.write("one", "one\n")
        for image in (None, self.with_busybox()):
            with self.subTest(image=image):
                task_id = self.host.task_id()
                sandbox = "/mnt/mesos/sandbox" if image else f"{self.host.work}/tasks/{task_id}/sandbox"
                volumes = {"volumes": [
                    {"container_path": sandbox + "/a/data", "host_path": path, "mode": "RW"},
                    {"container_path": sandbox + "/a/one", "host_path": file, "mode": "RO"}]}
                outcome = self.assert_finished(self.run_task(document(
                    "cat a/data/file a/one; stat -c %u a", image=image, container=volumes), task_id=task_id))
                self.assertEqual(outcome.out(), "host\none\n33\n")
                self.assertEqual(os.listdir(outcome.sandbox + "/a/data"), [])

    def test_a_host_path_that_does_not_exist_fails_the_task_and_is_named(self):
        outcome = self.run_task(document("true", image=self.with_busybox(), container=volume("/data", "/no/such/place")))
        self.assert_failed(outcome, "/no/such/place")

    def test_a_sandbox_path_is_made_and_is_the_roles(self):
        for image, target in ((None, self.directory("place")), (self.with_busybox(), f"/{self.prefix}cache")):
            with self.subTest(image=image):
                outcome = self.assert_finished(self.run_task(document(
                    f"echo x > {target}/f; stat -c %u {target}; cat below/cache/f", image=image,
                    container=volume(target, "below/cache"))))
                self.assertEqual(outcome.out(), "33\nx\n")
                self.assertEqual(outcome.sandbox_file("below/cache/f"), "x\n")
                self.assertFalse(os.path.exists(f"/{self.prefix}cache"))
                self.assertFalse(os.path.exists(self.host.path("place") + "/f"))

    def test_a_link_in_the_image_at_the_mount_target_leads_nowhere_outside(self):
        path, outside = self.directory(), self.directory("outside")
        for target in (outside, "../../../../../.." + outside):
            with self.subTest(target=target):
                image = self.with_busybox(extra=lambda tar, target=target: tar.symlink("data", target))
                self.run_task(document("echo x > /data/planted", image=image, container=volume("/data", path)))
                self.assertEqual(os.listdir(outside), ["file"])
                if os.path.exists(path + "/planted"):
                    os.unlink(path + "/planted")

    def test_links_in_the_image_where_the_sandbox_goes_lead_nowhere_outside(self):
        outside = self.directory("outside")
        for name in ("mnt", "mnt/mesos", "mnt/mesos/sandbox"):
            with self.subTest(name=name):
                def planted(tar, name=name):
                    for parent in ("mnt", "mnt/mesos"):
                        if parent != name and name.startswith(parent):
                            tar.directory(parent)
                    tar.symlink(name, outside)
                self.run_task(document("echo x > planted", image=self.with_busybox(extra=planted)))
                self.assertEqual(os.listdir(outside), ["file"])

    def test_links_in_the_image_at_proc_sys_and_dev_lead_nowhere(self):
        for name in ("proc", "sys", "dev"):
            with self.subTest(name=name):
                self.host.import_image(Image([Layer(busybox_tar()), Layer(TarWriter().symlink(name, "/tmp"))]))
                outcome = self.run_task(document("true", image="busybox:test"))
                self.assertIn(outcome.code, (0, 1), outcome)
                if outcome.code == 1:
                    self.assertIn("/" + name, outcome.result["message"])

    def test_a_volume_on_a_kernel_file_system_is_refused(self):
        for target in ("/proc", "/proc/sys", "/sys/fs", "/dev/shm", "//proc/./x"):
            with self.subTest(target=target):
                outcome = self.run_task(document("true", image=self.with_busybox(), container=volume(target, self.directory())))
                self.assertIn(outcome.code, (1, 65), outcome)

    def test_paths_with_dots_are_refused(self):
        for container_path, host_path in (("/a/../b", "/tmp"), ("/a", "../up"), ("/a", "x/../../y")):
            with self.subTest(container_path=container_path, host_path=host_path):
                outcome = self.run_task(document("true", container=volume(container_path, host_path)))
                self.assertIn(outcome.code, (1, 65), outcome)

