"""Whatever a document names as a mount target, a volume or a path: nothing of the host is changed by it."""

import hashlib
import os
import random
import signal
import stat
import subprocess

from support import DockerTestCase, ExecutorTestCase, document
from support.images import Image, Layer, busybox_tar
from support.tar import TarWriter

# Each of eight tests runs so many: two thousand together.
PLANS = int(os.environ.get("AURORA_TEST_PLANS", "250"))


def snapshot(top):
    """Names, types, modes, owners, link targets, contents and times of everything below a directory."""
    found = {}
    for directory, folders, files in os.walk(top):
        for name in [".", *folders, *files]:
            path = os.path.join(directory, name)
            about = os.lstat(path)
            content = None
            if stat.S_ISLNK(about.st_mode):
                content = os.readlink(path)
            elif stat.S_ISREG(about.st_mode):
                with open(path, "rb") as file:
                    content = hashlib.sha256(file.read()).hexdigest()
            found[os.path.relpath(path, top)] = (
                about.st_mode, about.st_uid, about.st_gid, about.st_ino, about.st_mtime_ns, about.st_ctime_ns, content)
    return found


class HostTree:
    """A small host of directories, files and links, the same for the same number."""

    def __init__(self, top, chance):
        self.top = top
        self.paths = []
        self.sources = []
        os.makedirs(top)
        directories = [top]
        for index in range(12):
            parent = chance.choice(directories)
            path = os.path.join(parent, f"n{index}")
            kind = chance.choice(("directory", "directory", "file", "link", "dangling"))
            if kind == "directory":
                os.mkdir(path, chance.choice((0o755, 0o777, 0o700)))
                directories.append(path)
                self.sources.append(path)
            elif kind == "file":
                with open(path, "w", encoding="ascii") as file:
                    file.write(f"{index}\n")
                self.sources.append(path)
            elif kind == "link":
                os.symlink(chance.choice([*self.paths, "/etc/hostname", "../..", top]), path)
            else:
                os.symlink(chance.choice(("nowhere", "/no/such", path)), path)
            self.paths.append(path)
        if not self.sources:
            os.mkdir(os.path.join(top, "d"))
            self.sources.append(os.path.join(top, "d"))

    def target(self, chance, prefix=""):
        """A place that is there, or is not, by any way of writing it."""
        path = chance.choice(self.paths)
        path += chance.choice(("", "", "", "", "/new", "/new/deep", "/.", "//x"))
        return prefix + (path if chance.random() < 0.9 else path.lstrip("/"))


class Plans(ExecutorTestCase):
    # Each runs hundreds of tasks.
    SECONDS = 240

    def run_plans(self, image, seed, count=PLANS):
        chance = random.Random(seed)
        ran, refused = 0, 0
        for number in range(count):
            tree = HostTree(self.host.path(f"tree{number}"), chance)
            volumes = []
            for _ in range(chance.choice((1, 1, 1, 2, 3, 4))):
                outer = [volume["container_path"] for volume in volumes]
                target = tree.target(chance)
                if outer and chance.random() < 0.4:
                    target = chance.choice(outer) + "/" + chance.choice(("n1", "n2", "x", "n3/y"))
                if image and chance.random() < 0.4:
                    target = "/" + chance.choice(("data", "data/x", "etc/hosts", "bin/new", "tmp/a", "lnk", "lnk/x", "etc"))
                source = chance.choice(tree.sources) if chance.random() < 0.85 else chance.choice(("v0", "v/w"))
                volumes.append({"container_path": target, "host_path": source, "mode": chance.choice(("RO", "RW"))})
            before = snapshot(tree.top)
            # The task itself does nothing at all with them.
            outcome = self.run_task(
                document("true", image=image, container={"volumes": volumes}), role=chance.choice(("www-data", "root")))
            self.assertIn(outcome.code, (0, 1), (volumes, outcome))
            ran, refused = ran + (outcome.code == 0), refused + (outcome.code == 1)
            self.assertEqual(snapshot(tree.top), before, volumes)
        # Both kinds were tried, or nothing was.
        self.assertGreater(ran, count // 20)
        self.assertGreater(refused, count // 20)

    def in_an_image(self, seed):
        def planted(tar):
            tar.symlink("lnk", "/tmp").symlink("etc/hosts", "../run/net/hosts").directory("data")
        self.run_plans(self.with_busybox(extra=planted), seed)

    def test_on_the_hosts_file_system_1(self):
        self.run_plans(None, 1)

    def test_on_the_hosts_file_system_2(self):
        self.run_plans(None, 2)

    def test_on_the_hosts_file_system_3(self):
        self.run_plans(None, 3)

    def test_on_the_hosts_file_system_4(self):
        self.run_plans(None, 4)

    def test_in_an_image_1(self):
        self.in_an_image(1)

    def test_in_an_image_2(self):
        self.in_an_image(2)

    def test_in_an_image_3(self):
        self.in_an_image(3)

    def test_in_an_image_4(self):
        self.in_an_image(4)


class Cases(ExecutorTestCase):
    """What was once done to a host, each alone."""

    def volumes(self, *volumes):
        return {"volumes": [
            {"container_path": target, "host_path": source, "mode": mode} for target, source, mode in volumes]}

    def test_a_link_of_the_host_is_mounted_through_and_stays(self):
        place = self.host.path("place")
        os.mkdir(place)
        self.host.write("place/stub", "real\n")
        os.symlink("stub", place + "/resolv.conf")
        mine = self.host.write("mine.conf", "mine\n")
        before = snapshot(place)
        outcome = self.assert_finished(self.run_task(
            document(f"cat {place}/resolv.conf {place}/stub", container=self.volumes((place + "/resolv.conf", mine, "RO"))),
            role="nobody"))
        self.assertEqual(outcome.out(), "mine\nmine\n")
        self.assertEqual(snapshot(place), before)
        refused = self.run_task(
            document("true", container=self.volumes((place + "/nologin", mine, "RO"))), role="nobody")
        self.assert_failed(refused, "nologin")
        self.assertEqual(snapshot(place), before)

    def test_nothing_is_made_or_replaced_in_a_volume(self):
        box, mine = self.host.path("box"), self.host.write("mine.conf", "mine\n")
        os.mkdir(box)
        os.symlink("/etc/hostname", box + "/link")
        before = snapshot(box)
        for target in ("/data/link", "/data/a/b", "/data/new"):
            with self.subTest(target=target):
                self.run_task(document("true", image=self.with_busybox(), container=self.volumes(
                    ("/data", box, "RW"), (target, mine, "RO"))))
                self.assertEqual(snapshot(box), before)

    def test_a_working_directory_in_a_volume_is_not_made_there(self):
        box = self.host.path("box")
        os.mkdir(box)
        image = self.with_busybox(config={"Cmd": ["pwd"], "WorkingDir": "/data/a/b"})
        outcome = self.run_task(document(image=image, container=self.volumes(("/data", box, "RW"))))
        self.assert_failed(outcome, "/data/a/b")
        self.assertEqual(os.listdir(box), [])

    def test_account_files_in_a_volume_are_left_alone(self):
        etc = self.host.path("etc")
        os.mkdir(etc)
        self.host.write("etc/passwd", "root:x:0:0::/:/bin/sh\n")
        before = snapshot(etc)
        outcome = self.run_task(document("true", image=self.with_busybox(), container=self.volumes(("/etc", etc, "RW"))))
        self.assertIn(outcome.code, (0, 1))
        self.assertEqual(snapshot(etc), before)

    def test_the_order_of_the_document_hides_no_volume(self):
        outer, inner = self.host.path("outer"), self.host.path("inner")
        os.makedirs(outer + "/sub")
        os.mkdir(inner)
        os.chmod(outer + "/sub", 0o777)
        self.host.write("inner/mark", "inner\n")
        for volumes in ((("/v/sub", inner, "RO"), ("/v", outer, "RW")), (("/v", outer, "RW"), ("/v/sub", inner, "RO"))):
            outcome = self.assert_finished(self.run_task(document(
                "cat /v/sub/mark; touch /v/sub/wrote; true", image=self.with_busybox(), container=self.volumes(*volumes))))
            self.assertEqual(outcome.out(), "inner\n")
            self.assertEqual(os.listdir(outer + "/sub"), [])
        outcome = self.assert_finished(self.run_task(document(
            "echo x > /v/sub/made", image=self.with_busybox(),
            container=self.volumes(("/v", outer, "RW"), ("/v/sub", "scratch", "RW")))))
        self.assertEqual(os.listdir(outer + "/sub"), [])
        self.assertEqual(outcome.sandbox_file("scratch/made"), "x\n")

    def test_the_sandbox_and_what_lies_above_it_are_no_targets(self):
        data = self.host.path("data")
        os.mkdir(data)
        image = self.with_busybox(extra=lambda tar: tar.directory("mnt").directory("mnt/mesos").symlink("lnk", "/mnt"))
        for target in ("/mnt", "/mnt/mesos", "/mnt/mesos/sandbox", "/mnt/mesos/sandbox/.logs", "mnt", "/lnk", "/lnk/mesos"):
            with self.subTest(target=target):
                self.assert_failed(self.run_task(
                    document("true", image=image, container=self.volumes((target, data, "RW")))), "mount")
        for target in (self.host.work, os.path.dirname(self.host.work), self.host.work + "/tasks"):
            with self.subTest(target=target):
                self.assert_failed(self.run_task(document("true", container=self.volumes((target, data, "RW")))), "mount")

    def test_a_volume_at_a_network_file_is_the_tasks(self):
        mine = self.host.write("mine", "mine\n")
        outcome = self.assert_finished(self.run_task(document(
            "cat /etc/hosts", image=self.with_busybox(), container=self.volumes(("/etc/hosts", mine, "RO")))))
        self.assertEqual(outcome.out(), "mine\n")

    def test_network_files_are_there_where_the_image_has_links_that_lead_nowhere_yet(self):
        def planted(tar):
            tar.symlink("etc/resolv.conf", "../run/systemd/resolve/stub-resolv.conf").symlink("etc/hosts", "/etc/one")
            tar.symlink("etc/one", "two").symlink("etc/hostname", "hostname")
        outcome = self.assert_finished(self.run_task(document(
            "cat /etc/resolv.conf /run/systemd/resolve/stub-resolv.conf | wc -l; grep -c localhost /etc/two; ls -l /etc/hostname",
            image=self.with_busybox(extra=planted))))
        with open("/etc/resolv.conf", encoding="utf-8") as file:
            lines = len(file.read().splitlines())
        first, second, third = outcome.out().splitlines()[:3]
        self.assertEqual(int(first), 2 * lines)
        self.assertGreater(int(second), 0)
        # One that leads to itself stays as it is.
        self.assertIn("-> hostname", third)

    def test_mounts_that_the_host_makes_later_are_seen(self):
        source = self.host.path("source")
        os.mkdir(source)
        subprocess.run(["mount", "-t", "tmpfs", "x", source], check=True)
        try:
            subprocess.run(["mount", "--make-shared", source], check=True)
            os.mkdir(source + "/sub")
            task = self.start_task(document(
                "echo ready; while [ ! -e /data/sub/late ]; do sleep 0.1; done", image=self.with_busybox(),
                container=self.volumes(("/data", source, "RW")), finalization_wait=1)).wait_log("ready")
            subprocess.run(["mount", "-t", "tmpfs", "y", source + "/sub"], check=True)
            self.host.write("source/sub/late", "x")
            self.assert_finished(task.wait(10))
        finally:
            subprocess.run(["umount", "-R", source], check=True)


class Sandboxes(ExecutorTestCase):
    def test_nobody_but_root_walks_to_what_a_task_writes(self):
        task = self.start_task(document(
            "cp /bin/busybox su; chmod 4755 su; chmod 755 .; echo ready; sleep 1000", image=self.with_busybox(),
            finalization_wait=1), role="root").wait_log("ready")
        for path in (task.sandbox + "/su", task.directory + "/logs", task.log_path(), task.directory + "/result.json",
                     task.directory + "/task.json"):
            for uid in (65534, 33):
                done = subprocess.run(
                    ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "stat", path], capture_output=True, check=False)
                self.assertNotEqual(done.returncode, 0, path)
        outcome = task.signal(signal.SIGTERM).wait()
        self.assertEqual(stat.S_IMODE(os.stat(outcome.result_path).st_mode), 0o600)

    def test_a_result_elsewhere_is_the_callers_unless_a_file_is_there(self):
        path = self.host.path("result.json")
        self.assert_finished(self.run_task(document("true"), "--result", path))
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        os.chmod(path, 0o644)
        self.assert_finished(self.run_task(document("true"), "--result", path))
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o644)

    def test_tasks_of_one_role_see_nothing_of_each_other(self):
        other = self.start_task(document("echo secret > f; echo ready; sleep 1000", finalization_wait=1)).wait_log("ready")
        script = (f"cat {other.sandbox}/f; ls {other.directory}; ls {self.host.work}/images; ls -A {self.host.run_directory}; "
                  f"echo x > {other.sandbox}/.healthchecksnooze; ls {self.host.work}/tasks/*/; true")
        for role in ("www-data", "root"):
            with self.subTest(role=role):
                outcome = self.run_task(document(script), role=role)
                self.assertNotIn("secret", outcome.out())
                self.assertNotIn("events.jsonl", outcome.out())
                self.assertNotIn(other.id, outcome.out())
        self.assertEqual(sorted(os.listdir(other.sandbox)), [".logs", ".tmp", "f"])
        other.signal(signal.SIGTERM).wait()

    def test_a_link_in_place_of_a_sandbox_volume_is_never_followed(self):
        # Nobody but root could have put it there; a launch that was interrupted is the one occasion.
        secret = self.host.path("secret")
        os.mkdir(secret, 0o700)
        task_id = self.host.task_id()
        outcome = self.assert_finished(self.run_task(document("ln -s /etc v0; mkdir real; touch real/f"), task_id=task_id))
        self.assertTrue(os.path.islink(outcome.sandbox + "/v0"))
        again = self.run_task(document("true"), task_id=task_id)
        self.assertEqual(again.code, 73, again)

    def test_without_a_file_system_of_its_own_a_task_gets_to_its_sandbox_and_no_further(self):
        isolation = "namespaces/pid,posix/rlimits,linux/nnp,linux/capabilities"
        task = self.start_task(
            document("echo hi > f; cat f; echo ready; sleep 1000", finalization_wait=1), "--isolation", isolation)
        task.wait_log("ready")
        done = subprocess.run(
            ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "ls", task.directory], capture_output=True, check=False)
        self.assertNotEqual(done.returncode, 0)
        done = subprocess.run(
            ["setpriv", "--reuid=33", "--regid=33", "--clear-groups", "ls", task.directory + "/logs"], capture_output=True, check=False)
        self.assertNotEqual(done.returncode, 0)
        outcome = task.signal(signal.SIGTERM).wait()
        self.assertEqual(outcome.code, 3, outcome)
        self.assertEqual(outcome.out(), "hi\nready\n")


class InDocker(DockerTestCase):
    def test_docker_tasks_leave_their_directories_closed(self):
        outcome = self.assert_finished(self.run_docker("cp /bin/busybox su; chmod 4755 su; chmod 755 .; stat -c '%u %a' .logs/main/0/stdout", role="root"))
        self.assertEqual(outcome.out(), "0 400\n")
        done = subprocess.run(
            ["setpriv", "--reuid=65534", "--clear-groups", "stat", outcome.sandbox + "/su"], capture_output=True, check=False)
        self.assertNotEqual(done.returncode, 0)

    def test_volumes_are_not_mounted_over_the_sandbox_or_above(self):
        data = self.host.path("data")
        os.mkdir(data)
        for target in ("/mnt", "/mnt/mesos/", "/mnt/mesos/sandbox", "/mnt/mesos/sandbox/.logs"):
            outcome = self.run_docker("true", parameters=(f"volume={data}:{target}",))
            self.assert_failed(outcome, "may not be mounted")
        self.assertEqual(os.listdir(data), [])

    def test_nothing_is_made_in_a_volume_for_a_working_directory(self):
        box = self.host.path("box")
        os.mkdir(box)
        image = self.engine.load(Image([Layer(busybox_tar())], {"Cmd": ["pwd"], "WorkingDir": "/data/a/b"}, "workdir:1"))
        outcome = self.run_docker(image=image, parameters=(f"volume={box}:/data",))
        self.assert_failed(outcome, "/data/a/b")
        self.assertEqual(os.listdir(box), [])

    def assert_untouched(self, *parameters, words=None, options=(), image=None):
        """Runs a task with two directories of the host, and looks at the first one before and after."""
        bound, other = self.host.path("bound"), self.host.path("other")
        if not os.path.exists(bound):
            os.makedirs(bound + "/there/deep")
            os.mkdir(other)
            self.host.write("bound/file", "bound\n")
            self.host.write("other/file", "other\n")
            os.symlink("there", bound + "/link")
        before = snapshot(bound)
        with self.subTest(parameters=parameters):
            outcome = self.run_docker(
                "true", image=image, options=options,
                parameters=[parameter.replace("H", bound).replace("X", other) for parameter in parameters])
            if words is None:
                self.assert_finished(outcome)
            else:
                self.assert_failed(outcome, *words)
            self.assertEqual(snapshot(bound), before)

    def test_nothing_is_made_in_what_is_bound(self):
        would = ("would be made in", "/bound")
        self.assert_untouched("volume=H:/a", "volume=X:/a/new", words=would)
        self.assert_untouched("volume=H:/a", "mount=type=bind,source=X,target=/a/new/deep", words=would)
        self.assert_untouched("volume=H:/a", "tmpfs=/a/new", words=would)
        self.assert_untouched("volume=H:/a", "volume=/a/new", words=would)
        self.assert_untouched("volume=H:/a", "mount=type=tmpfs,target=/a/link", words=(*would, "a link on the way"))
        self.assert_untouched("volume=H:/a", "volume=X:/a/file", words=(*would, "is no directory"))
        self.assert_untouched("volume=H:/a", "volume=X/file:/a/there", words=(*would, "is a directory"))
        self.assert_untouched("volume=H:/a", "device=/dev/null:/a/null", words=would)
        self.assert_untouched("volume=H:/etc", words=(*would, "/etc/hosts"), options=("--no-create-user",))
        self.assert_untouched("volume=H:/etc", "read-only=true", words=(*would, "/etc/"))
        self.assert_untouched("volume=H/absent:/a", words=("/bound/absent", "bind source path does not exist", "nothing is made on the host"))
        # What is there is mounted on, and what is the launch's own may be made in.
        self.assert_untouched("volume=H:/a", "volume=X:/a/there", "volume=X/file:/a/file")
        self.assert_untouched("volume=H:/a", "tmpfs=/a/there/deep")
        self.assert_untouched("tmpfs=/a", "volume=H:/a/b/c", "volume=/anonymous", "volume=X:/anonymous/x")

    def test_nothing_is_made_in_what_is_bound_by_way_of_the_image(self):
        def planted(tar):
            tar.symlink("lnk", "/a").symlink("chain", "lnk2").symlink("lnk2", "/a/there/../l").symlink("a/l", "/b")
        image = self.with_engine_image(name="links:test", extra=planted, config={"Volumes": {"/a/volume": {}}})
        would = ("would be made in", "/bound")
        self.assert_untouched("volume=H:/a", image=image, words=(*would, "/a/volume"))
        image = self.with_engine_image(name="links2:test", extra=planted)
        self.assert_untouched("volume=H:/a", "volume=X:/lnk/new", image=image, words=would)
        self.assert_untouched("volume=H:/a", "volume=X:/chain/new", image=image, words=would)
        self.assert_untouched("volume=H:/a", "volume=X:/lnk/there", image=image)
        image = self.with_engine_image(name="links3:test", extra=lambda tar: tar.symlink("mnt", "/a"))
        self.assert_untouched("volume=H:/a", image=image, words=(*would, "/mnt/mesos/sandbox"))

    def test_nothing_is_made_in_a_volume_that_others_may_have(self):
        self.engine.docker("volume", "create", "--opt", "type=none", "--opt", "o=bind", "--opt",
                           "device=" + self.host.path("bound"), "bound")
        self.addCleanup(self.engine.docker, "volume", "rm", "bound")
        self.assert_untouched("volume=bound:/a", "volume=X:/a/new", words=("would be made in",))
        self.assert_untouched("volume=bound:/a")

    def refused(self, *words, parameters=(), image=None, options=(), top=None):
        """A task that is refused before its container is started; nothing below a directory of the host is changed."""
        before = snapshot(top) if top else None
        with self.subTest(parameters=parameters):
            outcome = self.run_docker("true", image=image, parameters=parameters, options=options)
            self.assert_failed(outcome, *words)
            self.assertFalse(outcome.has_record("forked"), outcome)
            self.assertEqual(self.engine.containers(), [])
            if top:
                self.assertEqual(snapshot(top), before)

    def test_an_image_cannot_have_anything_written_by_its_null_device(self):
        image = self.with_engine_image(
            name="null:test", config={"Volumes": {"/x": {}}},
            extra=lambda tar: tar.symlink("x", "/dev").symlink("dev/null", "/proc/sys/kernel/domainname"))
        place = "/proc/sys/kernel/domainname"
        with open(place, encoding="utf-8") as file:
            before = file.read()

        def restore():
            with open(place, "w", encoding="utf-8") as file:
                file.write(before)
        self.addCleanup(restore)
        for parameters in ((), ("uts=host",)):
            self.refused("leads to /dev", image=image, parameters=parameters)
            with open(place, encoding="utf-8") as file:
                self.assertEqual(file.read(), before)

    def test_nothing_of_the_host_is_written_by_a_null_device(self):
        image = self.with_engine_image(name="devlink:test", extra=lambda tar: tar.symlink("data", "/dev"))
        top = self.host.path("top")
        os.makedirs(top + "/dev/shm")
        os.mkdir(top + "/keep")
        secret = self.host.write("top/keep/secret", "0123456789" * 20)
        os.chmod(secret, 0o600)
        os.symlink("/keep/secret", top + "/dev/null")
        self.refused("leads to /dev", image=image, top=top, parameters=(f"volume={top}/dev:/data", f"volume={top}/keep:/keep"))
        self.refused("not the engine's own", top=top, parameters=(f"volume={top}/dev:/dev", f"volume={top}/keep:/keep"))
        self.refused("/dev/null", top=top, parameters=(f"volume={secret}:/dev/null",))

    def test_no_device_is_made_in_what_is_bound(self):
        image = self.with_engine_image(
            name="devlink:test", extra=lambda tar: tar.symlink("data", "/dev").symlink("in", "dev/in"))
        top = self.host.path("top")
        os.makedirs(top + "/shm")
        self.host.write("top/ptmx", "the operator's")
        self.refused("leads to /dev", image=image, top=top, parameters=(f"volume={top}:/data",))
        self.refused("/proc", top=top, parameters=(f"volume={top}:/proc/self/root/dev",))
        self.refused("leads to /dev/in", image=image, top=top, parameters=(f"volume={top}:/in",))
        self.refused("leads to /dev/in", image=image, top=top, parameters=("device=/dev/zero:/in", f"volume={top}:/a"))
        # In the engine's own, by name.
        before = snapshot(top)
        self.assert_finished(self.run_docker(
            "test -f /dev/data/ptmx && test -c /dev/also", image=image,
            parameters=(f"volume={top}:/dev/data", "device=/dev/zero:/dev/also")))
        self.assertEqual(snapshot(top), before)

    def test_nothing_is_made_by_way_of_proc(self):
        top = self.host.path("top")
        os.mkdir(top)
        bound = f"volume={top}:/data"
        for parameter in ("tmpfs=/proc/self/root/data/new", "volume=/etc/hostname:/proc/self/root/data/file:ro",
                          "device=/dev/null:/proc/self/root/data/node", "mount=type=tmpfs,target=/sys/new",
                          "volume=/proc/1/root/data/x"):
            self.refused("nothing can be mounted below /proc or /sys", top=top, parameters=(bound, parameter))
        image = self.with_engine_image(
            name="procvolume:test", config={"Volumes": {"/a/x": {}}},
            extra=lambda tar: tar.directory("a").symlink("a/x", "/proc/self/root/data/made"))
        self.refused("/a/x of the container", image=image, top=top, parameters=(bound,))
        self.refused("/a/x of the container", image=image)
        self.assert_finished(self.run_docker(
            "true", parameters=("volume=/sys:/sys:ro", "volume=/proc:/host/proc:ro")))
        self.assert_finished(self.run_docker("true", parameters=("tmpfs=/sys/fs/cgroup",)))

    def test_links_that_a_mount_hides_lead_nowhere(self):
        top = self.host.path("top")
        os.makedirs(top + "/x")
        for number, (base, more) in enumerate((("t", ("tmpfs=/t",)), ("mnt/mesos/sandbox", ()), ("dev", ()))):
            def planted(tar, base=base):
                parts = base.split("/")
                for count in range(1, len(parts) + 1):
                    if parts != ["dev"]:
                        tar.directory("/".join(parts[:count]))
                tar.directory("e").directory("e/w").directory("e/w/1").directory("e/w/1/2")
                tar.symlink(base + "/l", "/e/w/1/2").symlink("e/w/1/2/x", f"/{base}/l/new")
            image = self.with_engine_image(name=f"hidden{number}:test", extra=planted)
            self.refused("/e/w/1/2/x of the container", image=image, top=top,
                         parameters=(f"volume={top}:/{base}/l", "tmpfs=/e/w/1/2/x", *more))

    def test_links_that_are_in_every_distribution_are_mounted_through(self):
        def planted(tar):
            tar.symlink("var/run", "/run").symlink("lib64", "usr/lib64")
            tar.directory("run").directory("usr/lib64")
        image = self.with_engine_image(name="usual:test", extra=planted, config={"Volumes": {"/var/run/made": {}, "/lib64/a": {}}})
        top = self.host.path("top")
        os.makedirs(top + "/d")
        self.assert_finished(self.run_docker(
            "test -d /run/made && test -d /run/data/d && test -d /usr/lib64/a && test -d /run/new", image=image,
            parameters=(f"volume={top}:/var/run/data", "tmpfs=/var/run/new")))
        self.assertEqual(os.listdir(top), ["d"])

    def test_links_in_the_place_of_what_the_engine_makes_lead_nowhere(self):
        top = self.host.path("top")
        os.makedirs(top)
        links = ("proc", "sys", "dev", "etc", "etc/hosts", "etc/hostname", "etc/resolv.conf", "dev/shm", "dev/pts")
        for link in links:
            layer = Layer(TarWriter().symlink(link, "/data/" + os.path.basename(link)))
            image = self.with_engine_image(name=f"{link.replace('/', '-')}:test", layers=[layer])
            self.assert_finished(self.run_docker(
                "test ! -L /" + link, image=image, parameters=(f"volume={top}:/data",), options=("--no-create-user",)))
            self.assertEqual(os.listdir(top), [])

    def test_two_mounts_are_not_on_one_place(self):
        image = self.with_engine_image(
            name="twice:test", extra=lambda tar: tar.symlink("l", "/data").directory("data").symlink("deep", "/"),
            config={"Volumes": {"/l": {}}})
        top = self.host.path("top")
        os.makedirs(top)
        self.refused("on one place", image=image, top=top, parameters=(f"volume={top}:/data",))
        self.refused("leads to /,", image=image, top=top, parameters=(f"volume={top}:/deep",))
        self.refused("/data", top=top, parameters=(f"volume={top}:/data", "device=/dev/null:/data"))
        # The same by name is the engine's to settle.
        image = self.with_engine_image(name="once:test", config={"Volumes": {"/data": {}}})
        self.assert_finished(self.run_docker("true", image=image, parameters=("tmpfs=/data",)))

    def test_no_mount_point_in_what_can_be_swapped(self):
        top = self.host.path("top")
        os.makedirs(top + "/shared/x")
        os.makedirs(top + "/own/x")
        os.makedirs(top + "/root/x")
        os.chmod(top + "/shared", 0o777)
        os.chown(top + "/own", 33, 33)
        os.chown(top + "/root/x", 33, 33)
        for name in ("shared", "own"):
            self.refused("not root's alone", top=top, parameters=(f"volume={top}/{name}:/data", "tmpfs=/data/x"))
        before = snapshot(top)
        self.assert_finished(self.run_docker("true", parameters=(f"volume={top}/root:/data", "tmpfs=/data/x")))
        self.assertEqual(snapshot(top), before)

    def test_no_mount_point_where_the_hosts_mounts_are_left_out(self):
        top = self.host.path("top")
        os.makedirs(top + "/sub")
        subprocess.run(["mount", "-t", "tmpfs", "none", top + "/sub"], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", top + "/sub"], check=True)
        os.mkdir(top + "/sub/x")
        bound = f"mount=type=bind,source={top},target=/a"
        self.refused("without what is mounted in it", parameters=(bound + ",bind-nonrecursive=true", "tmpfs=/a/sub/x"))
        self.assert_finished(self.run_docker("true", parameters=(bound + ",bind-nonrecursive=true",)))
        subprocess.run(["umount", top + "/sub"], check=True)
        self.assertEqual(os.listdir(top + "/sub"), [])
        subprocess.run(["mount", "-t", "tmpfs", "none", top + "/sub"], check=True)

    def test_nothing_is_made_in_the_hosts_shared_memory_or_in_what_a_driver_shows(self):
        name = "aurora-test-" + self.host.task_id()
        self.refused("would be made in /dev/shm", parameters=("ipc=host", f"tmpfs=/dev/shm/{name}"))
        self.assertFalse(os.path.exists("/dev/shm/" + name))
        top = self.host.path("top")
        os.makedirs(top)
        volume = f"mount=type=volume,target=/v,volume-opt=type=none,volume-opt=o=bind,volume-opt=device={top}"
        self.refused("would be made in", top=top, parameters=(volume, "tmpfs=/v/new"))

    def test_generated_plans(self):
        chance = random.Random(9)
        image = self.with_engine_image(name="plans:test", extra=lambda tar: tar.symlink("lnk", "/data").symlink("up", ".."))
        ran, refused = 0, 0
        for number in range(60):
            tree = HostTree(self.host.path(f"tree{number}"), chance)
            targets, parameters = [], []
            for _ in range(chance.choice((1, 2, 2, 3, 4))):
                target = "/" + chance.choice(
                    ("data", "data", "data/x", "lnk/x", "up/data/y", "srv", "opt/a", "etc", "etc/hosts", "lnk"))
                if targets and chance.random() < 0.5:
                    target = chance.choice(targets) + "/" + chance.choice(("n1", "n2", "n3/n4", "n5/x", "new"))
                if any(os.path.normpath(target) == os.path.normpath(other) for other in targets):
                    continue
                targets.append(target)
                source, mode = chance.choice(tree.sources), chance.choice(("ro", "rw"))
                parameters.append(chance.choice((
                    f"volume={source}:{target}:{mode}", f"volume={source}:{target}:{mode}",
                    f"mount=type=bind,source={source},target={target}", f"tmpfs={target}", f"volume={target}",
                    f"device=/dev/null:{target}")))
            before = snapshot(tree.top)
            outcome = self.run_docker("true", image=image, parameters=parameters, options=("--no-create-user",))
            self.assertIn(outcome.code, (0, 1), (parameters, outcome))
            ran, refused = ran + (outcome.code == 0), refused + (outcome.code == 1)
            self.assertEqual(snapshot(tree.top), before, parameters)
        self.assertGreater(ran, 10)
        self.assertGreater(refused, 10)
