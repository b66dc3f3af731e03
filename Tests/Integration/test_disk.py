"""The limit of disk: sandbox and writable layer together, noticed soon, with the paths that take most."""

import ctypes
import os
import signal
import subprocess
import time

from support import DockerTestCase, ExecutorTestCase, document, need_command, process
from support.programs import program

MIB = 1 << 20
REASON = "REASON_CONTAINER_LIMITATION_DISK"
FOREVER = "echo done; exec sleep 1000"


def write(path, mebibytes):
    return f"dd if=/dev/zero of={path} bs=1M count={mebibytes} 2>/dev/null; "


def has_landlock():
    # landlock_create_ruleset(2), asked for its version.
    return ctypes.CDLL(None).syscall(444, None, 0, 1) > 0


def with_leave_root(tar):
    with open(program("leave_root"), "rb") as file:
        tar.file("bin/leave_root", file.read(), mode=0o755)


class Disk(ExecutorTestCase):
    def fails(self, outcome, *words):
        return self.assert_failed(outcome, "disk limit exceeded", *words, reason=REASON)

    def mount(self, directory, mode=755):
        """A file system of its own there."""
        os.makedirs(directory, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"mode={mode}", "own", directory], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", directory], check=True)

    def runs_on(self, made, *options, seconds=3.0):
        """The task is still running after several looks at its disk."""
        task = self.start_task(made, *options).wait_log("done")
        time.sleep(seconds)
        outcome = task.signal(signal.SIGTERM).wait()
        self.assertEqual(outcome.result["state"], "TASK_KILLED", outcome)
        return outcome

    def test_a_task_over_its_disk_ends_with_the_three_largest_paths(self):
        command = ("mkdir cache; for i in 1 2 3 4 5 6; do " + write("cache/$i", 1) + "done; " + write("core.1", 9)
                   + write("other", 3) + write("small", 1) + FOREVER)
        began = time.monotonic()
        outcome = self.fails(self.run_task(document(
            process("web", command), process("last", "echo cleaned up", final=True), disk=16 * MIB, finalization_wait=5)))
        self.assertLess(time.monotonic() - began, 15)
        message = outcome.result["message"]
        self.assertRegex(
            message, r"^disk limit exceeded: 16 MiB limit, 19(\.\d)? MiB used: sandbox/core.1 9 MiB, sandbox/cache 6 MiB, "
            r"sandbox/other 3 MiB$")
        self.assertEqual(outcome.out("last"), "cleaned up\n")
        self.assertGreater(outcome.result["usage"]["disk_bytes"], 19 * MIB)

    def test_what_is_written_beside_the_sandbox_counts_with_it(self):
        image = self.with_busybox()
        outcome = self.fails(self.run_task(document(
            write("here", 5) + write("/tmp/there", 6) + FOREVER, image=image, disk=8 * MIB)))
        self.assertIn("/tmp/there 6 MiB, sandbox/here 5 MiB", outcome.result["message"])

    def test_volumes_sparse_files_and_second_names_do_not_count(self):
        volume = self.host.path("volume")
        os.mkdir(volume)
        os.chmod(volume, 0o777)
        command = (write("/data/big", 20) + write("one", 5) + "for i in 1 2 3; do ln one two$i; done; "
                   "dd if=/dev/zero of=hole bs=1 count=1 seek=1G 2>/dev/null; ln -s /usr usr; " + FOREVER)
        outcome = self.runs_on(document(
            command, image=self.with_busybox(), disk=8 * MIB,
            container={"volumes": [{"container_path": "/data", "host_path": volume, "mode": "RW"}]}))
        self.assertLess(outcome.result["usage"]["disk_bytes"], 6 * MIB)

    def test_a_large_or_deep_tree_is_measured_beside_a_supervisor_that_goes_on(self):
        for what, make in (
                ("wide", "mkdir d; cd d; i=0; while [ $i -lt 3000 ]; do : >$i; i=$((i+1)); done; "),
                ("deep", "i=0; while [ $i -lt 300 ]; do mkdir d; cd d; i=$((i+1)); done; ")):
            with self.subTest(what):
                self.fails(self.run_task(document(make + write("big", 20) + FOREVER, disk=8 * MIB)), "sandbox/d")

    def test_names_are_escaped(self):
        outcome = self.fails(self.run_task(document(
            'n="$(printf \'a\\033[2Jb\')"; ' + write('"$n"', 12) + FOREVER, disk=8 * MIB)))
        self.assertIn("sandbox/a\\x1b[2Jb 12 MiB", outcome.result["message"])
        self.assertNotIn("\x1b", outcome.said)

    def test_without_a_limit_or_the_isolator_nothing_is_enforced(self):
        self.runs_on(document(write("big", 12) + FOREVER, disk=0))
        self.runs_on(document(write("big", 12) + FOREVER, disk=8 * MIB), "--isolation", "filesystem/linux,namespaces/pid")

    def test_what_was_written_while_nobody_watched_is_noticed_after_a_takeover(self):
        task = self.start_task(document(
            "echo up; while [ ! -e go ]; do sleep 0.05; done; " + write("big", 12) + FOREVER, disk=8 * MIB)).wait_log("up")
        task.kill()
        with open(os.path.join(task.sandbox, "go"), "w", encoding="utf-8"):
            pass
        task = self.host.start("recover", task.id, task_id=task.id)
        self.fails(task.wait(), "sandbox/big 12 MiB")

    def test_directories_that_change_their_names_all_the_time_hide_nothing(self):
        need_command("perl")
        # Where what somebody else frees meanwhile does not hide what this one takes, until that is looked for.
        self.mount(self.host.work)
        # With a pause there is time to open one between two names; without one the task has to be stopped for it.
        for pause in ("select(undef, undef, undef, 0.0001);", ""):
            with self.subTest(pause=pause):
                loop = ("my $i = 0; while (1) { rename \"d$i\", \"d\" . ($i + 1) or exit 1; $i++; " + pause + " }")
                command = ("i=0; while [ $i -lt 20000 ]; do : >f$i; i=$((i+1)); done; mkdir d0; exec 3>d0/big; "
                           f"perl -e '{loop}' & echo done; "
                           "i=0; while [ $i -lt 50 ]; do head -c 2M /dev/zero >&3; sleep 0.1; i=$((i+1)); done; exec 3>&-; wait")
                self.fails(self.run_task(document(command, ram=512 * MIB, disk=16 * MIB, finalization_wait=1),
                                         timeout=90), "/big")

    def test_a_file_that_is_open_and_has_no_name_counts(self):
        for image in (None, self.with_busybox()):
            for many in ("", "i=0; while [ $i -lt 3000 ]; do : >f$i; i=$((i+1)); done; "):
                with self.subTest(image=image, many=bool(many)):
                    # The writable layer of an image is a file system of its own to its processes.
                    place = "/tmp/x" if image else "x"
                    self.fails(self.run_task(document(
                        many + f"exec 3>{place}; rm {place}; dd if=/dev/zero bs=1M count=30 >&3; " + FOREVER, image=image, disk=8 * MIB)),
                        " MiB used: deleted files that are in use 30 MiB")

    def test_what_a_neighbour_frees_hides_no_file_without_a_name(self):
        # A file system of its own, which loses nothing.
        self.mount(self.host.work)
        neighbour = os.path.join(self.host.work, "neighbours")
        with open(neighbour, "wb") as file:
            os.posix_fallocate(file.fileno(), 0, 30 * MIB)
        task = self.start_task(document(
            "exec 3>x; rm x; echo up; while ! test -e go; do sleep 0.1; done; dd if=/dev/zero bs=1M count=30 >&3; " + FOREVER,
            disk=8 * MIB)).wait_log("up")
        os.unlink(neighbour)
        with open(os.path.join(task.sandbox, "go"), "w", encoding="ascii"):
            pass
        self.fails(task.wait(60), " MiB used: deleted files that are in use 30 MiB")

    def test_a_deleted_file_that_no_descriptor_shows_counts(self):
        hold = program("hold")
        # Few processes are looked at on the spot, and many mappings by a worker, which has fewer rights.
        for command in (f"{hold} map x 30 1", f"{hold} map x 30 50000", f"{hold} thread x 30 1", f"{hold} deep x 30 0",
                        "cp /bin/sleep x; head -c 30M /dev/zero >> x; ./x 1000 & sleep 0.5; rm x; wait"):
            with self.subTest(command=command):
                self.fails(self.run_task(document(command, disk=8 * MIB, finalization_wait=1)),
                           " MiB used: deleted files that are in use 30 MiB")

    def test_a_directory_that_is_deleted_and_in_use_counts(self):
        hold = program("hold")
        for how in ("open", "in"):
            with self.subTest(how):
                # Each has 7 MiB of names once, fewer than a task may have, and none of them when the next begins.
                command = ("for d in a b c d; do "
                           f"{hold} {how} $d 7 0 > said$d & while ! grep -q done said$d; do sleep 0.05; done; done; "
                           f"exec {hold} {how} e 7 0")
                self.fails(self.run_task(document(command, disk=24 * MIB, finalization_wait=1)),
                           "deleted files that are in use")

    def test_what_flees_from_who_looks_at_it_counts(self):
        slip, flee = program("slip"), program("flee")
        self.mount(self.host.work)
        for command in (f"{flee} 14 8 10", f"{slip} 14 8 10", f"{slip} 14 8 10 4"):
            with self.subTest(command):
                self.fails(self.run_task(document(f"exec {command}", ram=512 * MIB, disk=16 * MIB, finalization_wait=2), timeout=150))

    def test_no_file_is_held_by_a_rule_of_landlock(self):
        pin = program("pin_files")
        for limit in (8 * MIB, 0):
            with self.subTest(limit):
                task = self.start_task(document(f"exec {pin} 2 1", disk=limit, finalization_wait=1))
                # Without a limit there is nothing to hide from.
                task.wait_log("pinned" if has_landlock() and not limit else "no Landlock: Function not implemented")
                self.assertEqual(task.signal(signal.SIGTERM).wait().result["state"], "TASK_KILLED")

    def test_a_root_of_ones_own_hides_no_file_without_a_name(self):
        image = self.with_busybox(extra=with_leave_root)
        self.fails(self.run_task(document("exec /bin/leave_root 3 10", image=image, disk=8 * MIB), role="root"),
                   " MiB used: deleted files that are in use 30 MiB")

    def test_a_store_on_another_file_system_hides_no_file_without_a_name(self):
        # There a file of the overlay has another device number than its directories.
        self.mount(os.path.join(self.host.work, "images"), mode=700)
        image = self.with_busybox(extra=with_leave_root)
        self.fails(self.run_task(document("exec /bin/leave_root 3 10", image=image, disk=8 * MIB)),
                   " MiB used: deleted files that are in use 30 MiB")

    def test_mappings_of_files_that_are_there_count_once(self):
        hold = program("hold")
        self.runs_on(document(f"{hold} map x 5 50000 & {hold} map y 5 50000 & wait", disk=16 * MIB, finalization_wait=1), seconds=6)

    def test_a_directory_that_cannot_be_read_is_over_the_limit(self):
        os.chmod(self.host.directory, 0o1777)
        path = self.host.write("own.json", document(
            "mkdir d; " + write("d/big", 20) + "chmod 0 d; " + FOREVER, disk=8 * MIB, finalization_wait=1))

        def nobody():
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)

        done = self.aurora("--task", path, "--role", "nobody", "--task-id", self.host.task_id(), preexec_fn=nobody)
        self.assertEqual(done.code, 1, done)
        self.assertIn("what is used cannot be measured: sandbox/d cannot be read: open", done.err + done.out)
        self.assertIn("EACCES", done.err + done.out)


class DockerDisk(DockerTestCase):
    def test_no_file_is_held_by_a_rule_of_landlock(self):
        with open(program("pin_files"), "rb") as file:
            content = file.read()
        image = self.with_engine_image(name="pin:test", extra=lambda tar: tar.file("bin/pin_files", content, mode=0o755))
        task = self.start_docker("exec /bin/pin_files 2 1", disk=8 * MIB, image=image, finalization_wait=1)
        task.wait_log("no Landlock")
        self.assertEqual(task.signal(signal.SIGTERM).wait().result["state"], "TASK_KILLED")

    def test_a_root_of_ones_own_hides_no_file_without_a_name(self):
        image = self.with_engine_image(name="leave:test", extra=with_leave_root)
        self.assert_failed(
            self.run_docker("exec /bin/leave_root 3 10", disk=8 * MIB, image=image, role="root"),
            " MiB used: deleted files that are in use 30 MiB", reason=REASON)

    def test_the_containers_writable_layer_counts_with_the_sandbox(self):
        outcome = self.assert_failed(self.run_docker(
            write("here", 5) + write("/tmp/there", 6) + FOREVER, disk=8 * MIB), "disk limit exceeded", reason=REASON)
        self.assertIn("/tmp/there 6 MiB, sandbox/here 5 MiB", outcome.result["message"])

    def test_the_engines_files_that_root_can_fill_count(self):
        for name in ("hosts", "hostname", "resolv.conf"):
            with self.subTest(name):
                self.assert_failed(self.run_docker(
                    write("/etc/" + name, 12) + FOREVER, disk=8 * MIB, role="root"), f"/etc/{name} 12 MiB", reason=REASON)

    def image_with_volume(self):
        return self.with_engine_image(
            name="volume:test", config={"Volumes": {"/vol": {}}}, extra=lambda tar: tar.directory("vol", mode=0o777))

    def test_a_volume_of_the_image_counts(self):
        self.assert_failed(self.run_docker(
            write("/vol/file", 12) + FOREVER, image=self.image_with_volume(), disk=8 * MIB), "/vol/file 12 MiB", reason=REASON)
        self.assert_failed(self.run_docker(
            write("/made/file", 12) + FOREVER, parameters=("volume=/made",), role="root", disk=8 * MIB),
            "/made/file 12 MiB", reason=REASON)

    def test_a_volume_of_the_image_counts_after_a_takeover(self):
        task = self.start_docker(
            "echo up; while [ ! -e go ]; do sleep 0.05; done; " + write("/vol/file", 12) + FOREVER, disk=8 * MIB,
            image=self.image_with_volume()).wait_log("up")
        task.kill()
        with open(os.path.join(task.sandbox, "go"), "w", encoding="utf-8"):
            pass
        task = self.host.start("recover", task.id, task_id=task.id)
        self.assert_failed(task.wait(), "/vol/file 12 MiB", reason=REASON)

    def test_a_volume_with_a_name_does_not_count(self):
        self.engine.docker("volume", "create", "named")
        self.addCleanup(self.engine.docker, "volume", "rm", "named")
        self.assert_finished(self.run_docker(
            write("/vol/file", 12) + "sleep 2", parameters=("volume=named:/vol",), role="root", disk=8 * MIB))

    def test_the_engines_files_count_after_a_takeover(self):
        task = self.start_docker(
            "echo up; while [ ! -e go ]; do sleep 0.05; done; " + write("/etc/hosts", 12) + FOREVER, disk=8 * MIB,
            role="root").wait_log("up")
        task.kill()
        with open(os.path.join(task.sandbox, "go"), "w", encoding="utf-8"):
            pass
        task = self.host.start("recover", task.id, task_id=task.id)
        self.assert_failed(task.wait(), "/etc/hosts 12 MiB", reason=REASON)
