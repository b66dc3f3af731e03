"""What a container keeps apart: processes, mounts, devices, privileges, names."""

import glob
import hashlib
import os
import platform
import re
import signal
import stat
import subprocess

from support import DockerTestCase, ExecutorTestCase, document, need, need_command, process
from support.executor import TaskFiles, binary
from support.programs import program

# Podman's, without what the host's network makes too much: NET_BIND_SERVICE.
DEFAULT_CAPABILITIES = 0x800401FB


def geteuid_program():
    """A static x86-64 program that ends with its effective user as its exit status."""
    code = bytes.fromhex("b86b0000000f05" "89c7" "b83c0000000f05")  # geteuid; mov edi, eax; exit
    entry = 0x400000 + 64 + 56
    header = bytes.fromhex("7f454c4602010100") + bytes(8) + b"\x02\x00\x3e\x00\x01\x00\x00\x00"
    header += entry.to_bytes(8, "little") + (64).to_bytes(8, "little") + bytes(8) + bytes(4)
    header += b"".join(number.to_bytes(2, "little") for number in (64, 56, 1, 0, 0, 0))
    size = 64 + 56 + len(code)
    segment = b"\x01\x00\x00\x00\x05\x00\x00\x00" + bytes(8) + (0x400000).to_bytes(8, "little") * 2
    segment += size.to_bytes(8, "little") * 2 + (0x1000).to_bytes(8, "little")
    return header + segment + code


class Privileges(ExecutorTestCase):
    def status(self, role, **fields):
        outcome = self.assert_finished(self.run_task(document("cat /proc/self/status", **fields), role=role))
        return dict(line.split(":\t", 1) for line in outcome.out().splitlines() if ":\t" in line)

    def sets(self, status):
        return {key: int(status[key], 16) for key in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")}

    def test_a_role_that_is_not_root_has_no_capability(self):
        for image in (None, self.with_busybox()):
            with self.subTest(image=image):
                self.assertEqual(self.sets(self.status("www-data", image=image)), {
                    "CapInh": 0, "CapPrm": 0, "CapEff": 0, "CapBnd": DEFAULT_CAPABILITIES, "CapAmb": 0})

    def test_root_has_the_default_capabilities_and_no_others(self):
        for image in (None, self.with_busybox()):
            with self.subTest(image=image):
                found = self.sets(self.status("root", image=image))
                self.assertEqual(found["CapEff"], DEFAULT_CAPABILITIES)
                self.assertEqual(found["CapPrm"], DEFAULT_CAPABILITIES)
                self.assertEqual(found["CapBnd"], DEFAULT_CAPABILITIES)
                self.assertEqual((found["CapInh"], found["CapAmb"]), (0, 0))

    def test_capabilities_that_the_document_names_are_the_only_ones(self):
        container = {"linux_info": {"bounding_capabilities": {"capabilities": ["CHOWN", "KILL"]},
                                    "effective_capabilities": {"capabilities": ["CHOWN"]}}}
        found = self.sets(self.status("root", image=self.with_busybox(), container=container))
        self.assertEqual((found["CapEff"], found["CapBnd"]), (1 << 0, 1 << 0 | 1 << 5))

    def test_no_process_gains_privileges(self):
        self.assertEqual(self.status("www-data", image=self.with_busybox())["NoNewPrivs"], "1")
        self.assertEqual(self.status("root")["NoNewPrivs"], "1")

    def test_a_setuid_program_of_the_image_gains_nothing(self):
        need(platform.machine() == "x86_64", "an x86-64 host")
        image = self.with_busybox(extra=lambda tar: tar.file("bin/who", geteuid_program(), mode=0o6755))
        outcome = self.assert_failed(self.run_task(document("/bin/who", image=image)))
        self.assert_runs(outcome, "main", 33)

    def test_a_setuid_program_on_the_host_gains_nothing(self):
        need_command("su")
        outcome = self.run_task(document(process("main", "cp /bin/cat mine; chmod 4755 mine; grep -E '^(Uid|NoNew)' /proc/self/status; su -c id root < /dev/null")))
        self.assertEqual(outcome.code, 1, outcome)
        self.assertNotIn("uid=0", outcome.out())

    def test_file_capabilities_of_the_image_give_nothing(self):
        # VFS_CAP_REVISION_2 with the effective bit: all capabilities permitted.
        value = (0x02000001).to_bytes(4, "little") + bytes.fromhex("ffffffff" "00000000" "ffffffff" "00000000")
        def capable(tar):
            data = open("/bin/busybox", "rb").read()
            tar.file("bin/busybox-capable", data, mode=0o755, pax={"SCHILY.xattr.security.capability": value})
        image = self.with_busybox(extra=capable)
        outcome = self.assert_finished(self.run_task(document("/bin/busybox-capable grep CapEff /proc/self/status", image=image)))
        self.assertEqual(int(outcome.out().split()[1], 16), 0)

    def test_limits_of_the_document_are_set(self):
        container = {"rlimit_info": {"rlimits": [
            {"type": "RLMT_NOFILE", "soft": 100, "hard": 200}, {"type": "RLMT_CORE", "soft": 0, "hard": 0}]}}
        outcome = self.assert_finished(self.run_task(
            document("ulimit -Sn; ulimit -Hn; ulimit -c", container=container, image=self.with_busybox())))
        self.assertEqual(outcome.out(), "100\n200\n0\n")

    def test_no_core_is_dumped_unless_asked_for(self):
        # With 1 the kernel does not start the program of core_pattern either, as it does with 0.
        outcome = self.run_task(document("ulimit -c; grep 'Max core' /proc/self/limits"))
        self.assertEqual(outcome.out().split()[:7], ["0", "Max", "core", "file", "size", "1", "1"])

    def test_the_executors_own_binary_cannot_be_written_from_inside(self):
        with open(binary(), "rb") as file:
            before = hashlib.sha256(file.read()).digest()
        self.run_task(document(
            "for f in /proc/1/exe /proc/self/exe; do echo x >> $f; done; true", image=self.with_busybox()), role="root")
        self.run_task(document("echo x >> /proc/1/exe; echo y > /proc/1/mem; true"), role="root")
        with open(binary(), "rb") as file:
            self.assertEqual(hashlib.sha256(file.read()).digest(), before)

    def test_signals_to_pid_1_from_inside_do_nothing(self):
        image = self.with_busybox()
        for number in ("KILL", "TERM", "STOP", "SEGV", "USR1", "HUP", "INT", "QUIT", "PIPE"):
            with self.subTest(signal=number):
                self.assert_finished(self.run_task(
                    document(f"kill -{number} 1; sleep 0.05; echo still here", image=image), role="root"))


class Processes(ExecutorTestCase):
    def test_only_the_tasks_own_processes_are_seen(self):
        for image in (None, self.with_busybox()):
            with self.subTest(image=image):
                outcome = self.assert_finished(self.run_task(document(
                    "for p in /proc/[0-9]*; do echo ${p#/proc/} $(tr '\\0' ' ' < $p/cmdline); done", image=image), role="root"))
                pids = [int(line.split()[0]) for line in outcome.out().splitlines()]
                self.assertIn(1, pids)
                self.assertLess(len(pids), 8, outcome.out())
                self.assertNotIn("python", outcome.out())

    def test_pid_1_tells_nothing_of_the_executor(self):
        outcome = self.run_task(
            document("cat /proc/1/environ /proc/1/cmdline; ls -l /proc/1/fd /proc/1/cwd; true", image=self.with_busybox()),
            role="root", env={"SECRET": "of the executor"})
        self.assertNotIn("of the executor", outcome.out())

    def test_namespaces_are_private_and_the_network_is_the_hosts(self):
        kinds = ("mnt", "pid", "ipc", "uts", "net", "user")
        for image in (None, self.with_busybox()):
            outcome = self.assert_finished(self.run_task(document(
                "for k in mnt pid ipc uts net user; do readlink /proc/self/ns/$k; done", image=image)))
            ours = [os.readlink(f"/proc/self/ns/{kind}") for kind in kinds]
            for kind, inside, outside in zip(kinds, outcome.out().split(), ours):
                with self.subTest(kind=kind, image=image):
                    self.assertEqual(inside == outside, kind in ("net", "user"))

    def test_the_pid_namespace_is_shared_when_the_document_says_so(self):
        outcome = self.assert_finished(self.run_task(document(
            "readlink /proc/self/ns/pid", container={"linux_info": {"share_pid_namespace": True}})))
        self.assertEqual(outcome.out().strip(), os.readlink("/proc/self/ns/pid"))

    def test_processes_of_a_shared_pid_namespace_are_gone_at_the_end_too(self):
        self.assert_finished(self.run_task(document(
            "(setsid sleep 1000 &); sleep 1000 & exit 0", container={"linux_info": {"share_pid_namespace": True}})))

    def test_the_host_name_is_the_hosts_and_cannot_be_changed(self):
        outcome = self.assert_finished(self.run_task(
            document("hostname; hostname other; hostname", image=self.with_busybox()), role="root"))
        name = os.uname().nodename
        self.assertEqual(outcome.out(), f"{name}\n{name}\n")
        self.assertEqual(os.uname().nodename, name)

    def test_system_v_objects_and_shared_memory_of_the_host_are_not_seen(self):
        need_command("ipcmk")
        made = subprocess.run(["ipcmk", "-M", "64"], capture_output=True, text=True, check=True).stdout
        identity = re.search(r"(\d+)", made).group(1)
        path = f"/dev/shm/{self.prefix}"
        with open(path, "w", encoding="ascii") as file:
            file.write("host")
        try:
            for image in (None, self.with_busybox()):
                with self.subTest(image=image):
                    outcome = self.assert_finished(self.run_task(document(
                        "tail -n +2 /proc/sysvipc/shm; ls /dev/shm; echo x > /dev/shm/mine; cat /dev/shm/mine", image=image)))
                    self.assertEqual(outcome.out(), "x\n")
        finally:
            os.unlink(path)
            subprocess.run(["ipcrm", "-m", identity], check=True)
        self.assertFalse(os.path.exists("/dev/shm/mine"))

    def test_system_v_objects_of_a_task_go_with_it(self):
        need_command("ipcmk")
        self.assert_finished(self.run_task(document("ipcmk -M 4096")))


class FileSystems(ExecutorTestCase):
    def test_kernel_interfaces_are_hidden_or_not_writable_also_for_root(self):
        script = """
        for f in /proc/kcore /proc/keys /proc/timer_list /proc/interrupts; do
          test -e $f && echo "$f $(dd if=$f bs=64 count=1 2>/dev/null | wc -c)"
        done
        for f in /proc/sys/kernel/core_pattern /proc/sys/vm/swappiness /proc/sysrq-trigger /proc/irq/0/x /proc/bus/x \
                 /sys/kernel/mm/ksm/run /sys/kernel/uevent_helper; do
          (echo 0 > $f) 2>/dev/null && echo "$f was written"
        done
        ls /proc/acpi /proc/scsi /sys/firmware /sys/class/zram-control 2>/dev/null | grep -v : | grep .
        true"""
        for image in (None, self.with_busybox()):
            with self.subTest(image=image):
                # /sys is the host's own without an image, but then the role matters: here it is root.
                tested = script if image else script.replace("/sys/kernel/mm/ksm/run /sys/kernel/uevent_helper", "")
                outcome = self.assert_finished(self.run_task(document(tested, image=image), role="root"))
                for line in outcome.out().splitlines():
                    self.assertRegex(line, r"^/proc/\w+ 0$")

    def test_root_does_not_make_init_the_first_to_go(self):
        """Natively nothing of init's is written to, by whichever name."""
        script = """
        for f in /proc/1/oom_score_adj /proc/1/oom_adj /proc/1/task/1/oom_score_adj /proc/1/autogroup /proc/1/clear_refs \
                 /proc/1/coredump_filter /proc/self/../1/oom_score_adj; do
          (echo 15 > $f) 2>/dev/null && echo "$f was written"
        done
        echo 500 > /proc/self/oom_score_adj; cat /proc/self/oom_score_adj; echo told; exec sleep 1000"""
        for image in (None, self.with_busybox()):
            with self.subTest(image=image):
                task = self.start_task(document(script, image=image, finalization_wait=1), role="root")
                self.assertEqual(task.wait_log("told").out(), "500\ntold\n")
                with open(f"/proc/{task.launched()['pid']}/oom_score_adj", encoding="ascii") as file, \
                        open("/proc/self/oom_score_adj", encoding="ascii") as own:
                    self.assertEqual(file.read(), own.read())
                task.signal(signal.SIGTERM).wait()

    def test_dev_is_minimal(self):
        outcome = self.assert_finished(self.run_task(document("ls /dev; ls /dev/pts", image=self.with_busybox())))
        self.assertEqual(set(outcome.out().split()), {
            "fd", "full", "mqueue", "null", "ptmx", "pts", "random", "shm", "stderr", "stdin", "stdout", "tty", "urandom",
            "zero"})

    def test_pseudo_terminals_are_the_containers_own_and_not_without_end(self):
        with open(program("terminals"), "rb") as file:
            binary = file.read()
        image = self.with_busybox(extra=lambda tar: tar.file("bin/terminals", binary, mode=0o755))
        tasks = [self.start_task(document("exec terminals 900", image=image, finalization_wait=1)) for _ in range(2)]
        for task in tasks:
            self.assertEqual(task.wait_log("terminals").out(), "256 terminals\n")
        for task in tasks:
            task.signal(signal.SIGTERM).wait()

    def test_the_devices_of_dev_work(self):
        outcome = self.assert_finished(self.run_task(document(
            "echo x > /dev/null; head -c 3 /dev/zero | wc -c; head -c 3 /dev/urandom | wc -c; echo x > /dev/full; "
            "echo out > /dev/stdout; echo err > /dev/stderr; true", image=self.with_busybox())))
        self.assertEqual(outcome.out(), "3\n3\nout\n")
        self.assertIn("err", outcome.err())

    def test_an_images_own_dev_is_not_used(self):
        def planted(tar):
            tar.symlink("dev/null", "/etc/passwd").symlink("dev/shm", "/etc")
        image = self.with_busybox(extra=planted)
        outcome = self.assert_finished(self.run_task(document("stat -c '%F %t %T' /dev/null", image=image)))
        self.assertEqual(outcome.out(), "character special file 1 3\n")

    def test_device_nodes_that_a_task_makes_cannot_be_opened(self):
        script = "mknod /tmp/mem c 1 1 && dd if=/tmp/mem bs=1 count=1; mknod /tmp/kmsg c 1 11 && echo x > /tmp/kmsg; "
        disks = [path for path in glob.glob("/dev/[vs]d[a-z]") + glob.glob("/dev/nvme?n?") if stat.S_ISBLK(os.stat(path).st_mode)]
        for path in disks:
            number = os.stat(path).st_rdev
            script += f"mknod /tmp/disk b {os.major(number)} {os.minor(number)} && head -c 1 /tmp/disk | wc -c; "
        outcome = self.run_task(document(script + "true", image=self.with_busybox()), role="root")
        self.assert_finished(outcome)
        self.assertNotRegex(outcome.out(), r"(?m)^1$")
        self.assertIn("ermi", outcome.err())

    def test_a_device_of_the_host_cannot_be_opened_by_a_task_of_root(self):
        disks = [path for path in glob.glob("/dev/[vs]d[a-z]") + glob.glob("/dev/nvme?n?") if stat.S_ISBLK(os.stat(path).st_mode)]
        need(disks, "a disk")
        outcome = self.assert_failed(self.run_task(document(f"head -c 1 {disks[0]} > /dev/null"), role="root"))
        self.assertIn("not permitted", outcome.err())

    def test_mounts_of_a_task_are_not_seen_on_the_host(self):
        task = self.start_task(document("echo ready; sleep 1000", image=self.with_busybox(), finalization_wait=2))
        task.wait_log("ready")
        with open("/proc/self/mountinfo", encoding="utf-8") as mounts:
            self.assertNotIn(self.host.work, mounts.read())
        task.signal(signal.SIGTERM).wait()

    def test_mounts_of_the_host_are_not_seen_in_a_container_with_an_image(self):
        outcome = self.assert_finished(self.run_task(document("cut -d' ' -f2 /proc/self/mounts", image=self.with_busybox())))
        expected = re.compile(r"^/$|^/(proc|sys|dev|mnt/mesos/sandbox)(/|$)|^/etc/(hosts|hostname|resolv\.conf)$")
        self.assertEqual([path for path in outcome.out().split() if not expected.match(path)], [])

    def test_a_task_cannot_mount(self):
        outcome = self.assert_finished(self.run_task(
            document("mount -t tmpfs none /tmp; umount /proc; umount -l /sys; true", image=self.with_busybox()), role="root"))
        self.assertIn("ermi", outcome.err())

    def test_a_containers_end_does_not_wait_for_what_others_have_written(self):
        outcome = self.assert_finished(self.run_task(document("cat /proc/self/mountinfo", image=self.with_busybox())))
        root = next(line for line in outcome.out().splitlines() if line.split()[4] == "/")
        options = root.split(" - ")[1].split()[2].split(",")
        # The second as newer kernels say it.
        self.assertTrue({"volatile", "fsync=volatile"} & set(options), options)

    def test_writes_to_the_image_are_the_tasks_own(self):
        image = self.with_busybox()
        self.assert_finished(self.run_task(
            document("echo changed > /bin/true; rm /bin/false; echo x > /new", image=image), role="root"))
        outcome = self.assert_finished(self.run_task(document("/bin/true && ls /bin/false && ! ls /new", image=image)))
        self.assertEqual(outcome.out(), "/bin/false\n")

    def test_other_tasks_sandboxes_cannot_be_read_by_another_role(self):
        task = self.start_task(document("echo secret > file; echo ready; sleep 1000", finalization_wait=2))
        task.wait_log("ready")
        outcome = self.run_task(document(f"cat {task.sandbox}/file; ls {task.directory}/logs; cat {task.directory}/task.json"), role="nobody")
        self.assertEqual(outcome.code, 1)
        self.assertEqual(outcome.out(), "")
        task.signal(signal.SIGTERM).wait()

    def test_every_process_is_in_a_cgroup_of_the_tasks_in_every_hierarchy(self):
        for image in (None, self.with_busybox()):
            task = self.start_task(document("echo ready; sleep 1000", image=image, finalization_wait=2)).wait_log("ready")
            found = set()
            for pid in filter(str.isdigit, os.listdir("/proc")):
                try:
                    with open(f"/proc/{pid}/cgroup", encoding="utf-8") as file:
                        lines = file.read().splitlines()
                    with open(f"/proc/{pid}/cmdline", encoding="utf-8") as file:
                        if not file.read().startswith("sleep"):
                            continue
                except OSError:
                    continue
                if any(task.id in line for line in lines):
                    found.add(pid)
                    for line in lines:
                        self.assertIn(f"/aurora-executor/{task.id}", line, (image, lines))
            self.assertTrue(found)
            task.signal(signal.SIGTERM).wait()

    def test_the_cgroup_namespace_shows_nothing_of_the_host(self):
        for image, role in ((None, "www-data"), (self.with_busybox(), "www-data"), (self.with_busybox(), "root")):
            outcome = self.assert_finished(self.run_task(document(
                "cat /proc/self/cgroup; readlink /proc/self/ns/cgroup", image=image), role=role))
            *lines, namespace = outcome.out().splitlines()
            self.assertNotEqual(namespace, os.readlink("/proc/self/ns/cgroup"))
            for line in lines:
                self.assertIn(line.split(":", 2)[2], ("/", "/task"), outcome.out())

    def test_a_task_cannot_leave_its_cgroups(self):
        outcome = self.run_task(document(
            "for f in /sys/fs/cgroup/*/cgroup.procs /sys/fs/cgroup/*/tasks; do (echo $$ > $f) 2>/dev/null && echo left $f; done; true"),
            role="www-data")
        self.assertEqual(outcome.out(), "")


class InAnEnginesContainer(DockerTestCase):
    def test_what_root_makes_of_inits_standing_is_undone(self):
        """With the next process, or when all are killed."""
        def standing():
            with open(f"/proc/{task.launched()['pid']}/oom_score_adj", encoding="ascii") as file:
                return int(file.read())
        task = self.start_docker(
            process("first", "cat /proc/1/oom_score_adj; echo 1000 > /proc/1/oom_score_adj; cat /proc/1/oom_score_adj; echo told; "
                    "while ! test -e go; do sleep 0.05; done"),
            process("next", "cat /proc/self/oom_score_adj; echo told; exec sleep 1000"), order=["first", "next"], finalization_wait=1,
            role="root")
        task.wait_log("told", process="first")
        before, after = map(int, task.out("first").split()[:2])
        self.assertEqual((after, standing()), (1000, 1000))
        with open(os.path.join(task.sandbox, "go"), "w", encoding="ascii"):
            pass
        task.wait_log("told", process="next")
        self.assertEqual((int(task.out("next").split()[0]), standing()), (before, before))
        task.signal(signal.SIGTERM).wait()


class OthersProcesses(ExecutorTestCase):
    """A process file system that is mounted once more on the host, as in a chroot, leads to all of its processes."""

    LIST = "ls DIR | grep -c '^[0-9]' ; cat DIR/1/comm; cat DIR/$$/comm; echo end"

    def setUp(self):
        super().setUp()
        self.place = self.host.path("chroot/proc")
        os.makedirs(self.place)
        os.chmod(os.path.dirname(self.place), 0o755)

    def mounted(self, kind, place):
        subprocess.run(["mount", "-t", kind, kind, place], check=True)
        self.addCleanup(subprocess.run, ["umount", place], check=True)

    def seen(self, directory, **rest):
        made = document(self.LIST.replace("DIR", directory), **rest)
        return self.assert_finished(self.run_task(made)).out()

    def test_it_is_not_seen_on_the_hosts_file_system(self):
        self.mounted("proc", self.place)
        self.assertEqual(self.seen(self.place), "0\nend\n")
        # The task's own is what it was.
        self.assertIn("\nend\n", self.seen("/proc"))

    def test_nor_in_a_volume(self):
        self.mounted("proc", self.place)
        container = {"volumes": [{"container_path": "/host", "host_path": os.path.dirname(self.place), "mode": "RO"}]}
        self.assertEqual(self.seen("/host/proc", image=self.with_busybox(), container=container), "0\nend\n")

    def test_the_hosts_message_queues_are_not_reached(self):
        self.mounted("mqueue", self.place)
        queue = os.path.join(self.place, "hosts")
        with open(queue, "w", encoding="ascii"):
            pass
        self.addCleanup(os.unlink, queue)
        os.chmod(queue, 0o666)
        made = document(f"ls {self.place}; cat {queue}; touch {self.place}/mine && ls {self.place}; echo end")
        self.assertEqual(self.assert_finished(self.run_task(made)).out(), "mine\nend\n")
        self.assertEqual(os.listdir(self.place), ["hosts"])


class CallersPriorities(ExecutorTestCase):
    """What a caller has of processors and of the host's memory is not the task's."""

    SHOWN = "grep Cpus_allowed_list /proc/self/status; cut -d' ' -f19,41 /proc/self/stat; cat /proc/self/oom_score_adj; ionice"

    def shown(self, *before):
        made = document(self.SHOWN, health_check_config={
            "health_checker": {"shell": {"shell_command": self.SHOWN.replace(";", " >> health;") + " >> health"}}, "interval_secs": 0.1})
        made["processes"][0]["cmdline"] += "; while ! test -s health; do sleep 0.05; done; sleep 0.3"
        task_id = self.host.task_id()
        words = ["run", "--task", self.host.write(f"{task_id}.json", made), "--task-id", task_id, "--role", "www-data"]
        done = subprocess.run(
            [*before, *self.host.words(words)], stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=False,
            env=self.host.environment())
        self.assertEqual(done.returncode, 0, done)
        task = TaskFiles(self.host, task_id)
        return task.out(), "".join(task.sandbox_file("health").splitlines(True)[:4])

    def test_they_are_not_inherited(self):
        for command in ("choom", "taskset", "chrt", "ionice"):
            need_command(command)
        usual = self.shown()
        self.assertEqual(usual[0].splitlines()[1:3], ["0 0", "0"])
        self.assertEqual(usual[0], usual[1])
        self.assertEqual(
            self.shown("choom", "-n", "500", "--", "taskset", "-c", "0", "nice", "-n", "7", "ionice", "-c", "3", "chrt", "-b", "0"), usual)
        self.assertEqual(self.shown("chrt", "-r", "1"), usual)
