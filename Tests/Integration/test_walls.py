"""What protects the host is there, or the launch is refused; what was applied is told."""

import ctypes
import json
import os
import signal
import socket
import subprocess
import threading

from support import DockerTestCase, ExecutorTestCase, document, process
from support.executor import Finished, TaskFiles, wait_until
from support.needs import CGROUP_ROOT, controller_directory, need, need_controller, need_version2
from support.programs import program

ALL = ("filesystem/linux", "posix/rlimits", "cgroups/cpu", "cgroups/mem", "cgroups/pids", "cgroups/devices", "docker/runtime", "appc/runtime",
       "linux/capabilities", "linux/nnp", "linux/seccomp", "linux/landlock", "namespaces/ipc", "namespaces/pid", "namespaces/cgroup",
       "volume/sandbox_path", "volume/host_path", "disk/du")


def has_scopes():
    """Whether this kernel's Landlock has scopes (Linux 6.12)."""
    return ctypes.CDLL(None).syscall(444, None, 0, 1) >= 6


def without(*names):
    return ("--isolation", ",".join(name for name in ALL if name not in names))


class NeverLeftOut(ExecutorTestCase):
    def run_where(self, preparation, made, *options, role="www-data"):
        """Runs a task in a mount namespace that was changed before."""
        task_id = self.host.task_id()
        path = self.host.write(f"{task_id}.json", made)
        words = self.host.words(["run", "--task", path, "--task-id", task_id, "--role", role, *options])
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-c", preparation + ' && exec "$@"', "sh", *words], stdin=subprocess.DEVNULL,
            capture_output=True, env=self.host.environment(), check=False, timeout=30)
        with open(os.path.join(self.host.work, "tasks", task_id, "result.json"), encoding="utf-8") as file:
            return Finished(done.returncode, done.stdout, done.stderr), json.load(file)

    def test_without_the_devices_controller_a_task_is_refused(self):
        need_controller("devices")
        for role in ("root", "www-data"):
            done, result = self.run_where(f"umount {controller_directory('devices')}", document("true"), role=role)
            self.assertEqual(done.code, 78, done)
            self.assertIn("devices", result["message"])
            self.assertEqual(result["processes"]["main"]["runs"], [])

    def test_a_hierarchy_that_is_not_mounted_refuses_a_task_and_is_named(self):
        need_controller("freezer")
        done, result = self.run_where(f"umount {controller_directory('freezer')}", document("true"))
        self.assertEqual(done.code, 78, done)
        self.assertIn("freezer", result["message"])
        self.assertIn("--isolation", done.err)

    def test_the_second_version_is_such_a_hierarchy(self):
        place = need_version2()
        done, result = self.run_where(f"umount {place}", document("true"))
        self.assertEqual(done.code, 78, done)
        self.assertIn("cgroup2", result["message"])

    def test_nobody_sets_a_trigger_that_his_own_end_waits_for(self):
        """The kernel takes ten milliseconds for each that a process has, which nobody can kill meanwhile."""
        for image in (None, self.with_busybox()):
            for role in ("www-data", "root"):
                outcome = self.assert_finished(self.run_task(document(
                    "(exec 3<>/proc/pressure/cpu) 2>&1; cat /proc/pressure/cpu | grep -c some", image=image), role=role))
                self.assertIn("Read-only file system", outcome.out())
                self.assertEqual(outcome.out().splitlines()[-1], "1")

    def test_a_directory_that_cannot_be_looked_at_is_not_left_uncovered(self):
        # The image store, which a task on the host's files must not see.
        os.makedirs(self.host.work)
        os.symlink("images", f"{self.host.work}/images")
        done = self.run_task(document("true")).finished
        self.assertEqual(done.code, 73, done)
        self.assertIn(f"cannot follow {self.host.work}/images: ", done.err)

    def test_on_the_hosts_files_a_volume_needs_no_new_privileges(self):
        made = document("true", container={"volumes": [{"container_path": "/etc", "host_path": "e", "mode": "RW"}]})
        done, result = self.run_where("true", made, *without("linux/nnp"))
        self.assertEqual(done.code, 78, done)
        self.assertIn("linux/nnp", result["message"])

    def test_what_is_left_out_by_name_is_left_out_and_told(self):
        need_controller("devices")
        options = without("cgroups/devices", "namespaces/cgroup")
        done, result = self.run_where(f"umount {controller_directory('devices')}", document("true"), *options)
        self.assertEqual(done.code, 0, done)
        self.assertNotIn("cgroups/devices", result["isolation"]["applied"])
        self.assertIn("linux/nnp", result["isolation"]["applied"])

    def test_a_limit_that_nobody_asked_for_may_be_missing_and_is_named(self):
        need_controller("pids")
        made = document("true")
        done, result = self.run_where(f"umount {controller_directory('pids')}", made, *without("namespaces/cgroup"))
        self.assertEqual(done.code, 0, done)
        self.assertEqual([one["isolator"] for one in result["isolation"]["left_out"]], ["cgroups/pids"])
        self.assertIn("cgroups/pids", done.err)
        asked = document("true", pids=100)
        done, result = self.run_where(f"umount {controller_directory('pids')}", asked, *without("namespaces/cgroup"))
        self.assertEqual(done.code, 78, done)

    def test_what_a_task_asks_for_and_no_isolator_gives_is_refused(self):
        data = self.host.path("data")
        os.mkdir(data)
        image = self.with_busybox()
        volumes = {"volumes": [{"container_path": data, "host_path": data, "mode": "RO"}]}
        scratch = {"volumes": [{"container_path": data, "host_path": "scratch", "mode": "RW"}]}
        limits = {"rlimit_info": {"rlimits": [{"type": "RLMT_NOFILE", "soft": 77, "hard": 77}]}}
        capabilities = {"linux_info": {"bounding_capabilities": {"capabilities": ["CHOWN"]}}}
        for missing, made in (
                ("filesystem/linux", document("touch /on-the-host", image=image)),
                ("volume/host_path", document("true", container=volumes)),
                ("volume/sandbox_path", document("true", container=scratch)),
                ("posix/rlimits", document("true", container=limits)),
                ("linux/capabilities", document("true", container=capabilities)),
                ("docker/runtime", document(image=image))):
            with self.subTest(missing=missing):
                outcome = self.run_task(made, *without(missing), role="root")
                self.assertEqual(outcome.code, 78, outcome)
                self.assertIn(missing, outcome.result["message"])
        self.assertFalse(os.path.exists("/on-the-host"))

    def test_the_result_and_the_plan_list_what_is_applied(self):
        outcome = self.assert_finished(self.run_task(document("true")))
        there = [name for name in ALL if name != "linux/landlock" or has_scopes()]
        self.assertEqual(sorted(outcome.result["isolation"]["applied"]), sorted(there))
        self.assertEqual([entry["isolator"] for entry in outcome.result["isolation"].get("left_out", [])],
                         [name for name in ALL if name not in there])
        path = self.host.write("t.json", document("true"))
        plan = json.loads(self.aurora("plan", "--task", path, "--role", "www-data", "--output", "json").out)
        self.assertEqual(sorted(plan["isolators"]), sorted(there))


class Cgroups(ExecutorTestCase):
    def cgroups(self, task_id):
        found = []
        for hierarchy in os.listdir(CGROUP_ROOT):
            for directory, _, _ in os.walk(os.path.join(CGROUP_ROOT, hierarchy, "aurora-executor", task_id)):
                found.append(directory)
        return found

    def test_cgroups_that_somebody_made_in_a_tasks_go_with_it(self):
        task = self.start_task(document("echo ready; sleep 1000", finalization_wait=1)).wait_log("ready")
        for directory in self.cgroups(task.id):
            os.makedirs(os.path.join(directory, "x", "y"), exist_ok=True)
        outcome = task.signal(signal.SIGTERM).wait()
        self.assertNotIn("notes", outcome.result)
        self.assertEqual(self.cgroups(task.id), [])

    def test_a_process_that_somebody_put_there_is_named(self):
        need_controller("pids")
        task = self.start_task(document("echo ready; sleep 1000", finalization_wait=1)).wait_log("ready")
        stranger = subprocess.Popen(["sleep", "1000"])
        place = os.path.join(controller_directory("pids"), "aurora-executor", task.id, "task", "cgroup.procs")
        with open(place, "w", encoding="ascii") as file:
            file.write(str(stranger.pid))
        try:
            outcome = task.signal(signal.SIGTERM).wait()
            self.assertIn(str(stranger.pid), " ".join(outcome.result["notes"]), outcome)
        finally:
            stranger.kill()
            stranger.wait()
        self.assertEqual(self.aurora("sweep").code, 0)
        self.assertEqual(self.cgroups(task.id), [])

    def test_init_has_limits_beside_the_tasks(self):
        need_controller("memory")
        task = self.start_task(document("echo ready; sleep 1000", ram=40 << 20, cpu=0.5, finalization_wait=1)).wait_log("ready")
        init = task.launched()["pid"]
        for controller, file, expected in (
                ("memory", "memory.limit_in_bytes", (40 << 20) + (64 << 20) + (512 << 10)),
                ("cpu", "cpu.cfs_quota_us", 50000 + 50000), ("cpu", "cpu.shares", 512)):
            own = os.path.join(controller_directory(controller), "aurora-executor", task.id)
            with open(own + "/cgroup.procs", encoding="ascii") as procs:
                self.assertEqual(procs.read().split(), [str(init)])
            with open(os.path.join(own, file), encoding="ascii") as value:
                self.assertEqual(int(value.read()), expected)
        task.signal(signal.SIGTERM).wait()

    def test_nothing_of_a_cgroup_can_be_written_from_inside(self):
        script = ("for f in $(find /sys/fs/cgroup -name 'cgroup.procs' -o -name 'release_agent' -o -name 'tasks' 2>/dev/null); do "
                  "(echo 0 > $f) 2>/dev/null && echo wrote $f; done; mount -t cgroup -o freezer x /tmp 2>/dev/null && echo mounted; true")
        for image in (None, self.with_busybox()):
            for role in ("www-data", "root"):
                outcome = self.assert_finished(self.run_task(document(script, image=image), role=role))
                self.assertEqual(outcome.out(), "", (image, role))


class KernelMemory(ExecutorTestCase):
    def test_what_waits_in_tcp_is_held_to_the_limit(self):
        need_controller("memory")
        task = self.start_task(document("echo up; exec sleep 1000", ram=32 << 20)).wait_log("up")
        path = f"{controller_directory('memory')}/aurora-executor/{task.id}/task/memory.kmem.tcp.limit_in_bytes"
        need(os.path.exists(path), "a kernel that counts memory of TCP")
        with open(path, encoding="ascii") as file:
            self.assertEqual(int(file.read()), 32 << 20)
        task.signal(signal.SIGTERM).wait()


class Limits(ExecutorTestCase):
    """Root without a profile of system calls makes itself a user namespace, and its limits are not its own in it either."""

    @staticmethod
    def assert_kept(case, outcome):
        case.assert_finished(outcome)
        case.assertNotIn("written", outcome.out())
        case.assertEqual(outcome.out().splitlines(), [
            "unshare: Operation not permitted", "cgroup: Operation not permitted", "mount: Operation not permitted",
            "clone3: Function not implemented", "clone: Operation not permitted", "x32: Operation not permitted",
            "i386: Operation not permitted"], outcome)

    def test_a_limit_is_not_lifted_in_a_namespace_of_ones_own(self):
        tools, name = os.path.split(program("lift_limits"))
        outcome = self.run_task(
            document(f"/tools/{name}", image=self.with_busybox(), container={
                "linux_info": {"seccomp": {"unconfined": True}},
                "volumes": [{"container_path": "/tools", "host_path": tools, "mode": "RO"}]}), role="root")
        self.assert_kept(self, outcome)


def abstract_socket(case):
    """The name of an abstract socket on which this process hands an open directory of the host to whoever connects."""
    name = f"aurora-test-{case.host.task_id()}"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind("\0" + name)
    listener.listen()
    case.addCleanup(listener.close)

    def serve():
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        directory = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
        socket.send_fds(connection, [b"x"], [directory])
        os.close(directory)
        connection.close()
    threading.Thread(target=serve, daemon=True).start()
    return name


class AbstractSockets(ExecutorTestCase):
    """They belong to the network, which is the host's: a container connects to its own ones only."""

    def setUp(self):
        super().setUp()
        need(has_scopes(), "Landlock with scopes (Linux 6.12)")

    @staticmethod
    def assert_apart(case, run):
        tools, program_name = os.path.split(program("abstract_socket"))
        outcome = run(f"/tools/{program_name} {abstract_socket(case)}; /tools/{program_name} own", tools)
        case.assert_finished(outcome)
        case.assertEqual(outcome.out(), "connect: Operation not permitted\nown socket\n", outcome)

    def test_no_task_connects_to_one_of_the_hosts(self):
        for role in ("root", "www-data"):
            with self.subTest(role=role):
                self.assert_apart(self, lambda command, tools: self.run_task(
                    document(command, image=self.with_busybox(), container={
                        "volumes": [{"container_path": "/tools", "host_path": tools, "mode": "RO"}]}), role=role))

    def test_without_the_isolator_it_is_handed_a_directory(self):
        name = abstract_socket(self)
        outcome = self.assert_finished(self.run_task(document(f"{program('abstract_socket')} {name}"), *without("linux/landlock")))
        self.assertEqual(outcome.out(), "handed a directory\n")

    def test_processes_of_a_task_look_into_each_other_all_the_same(self):
        outcome = self.run_task(document(
            process("one", "exec sleep 1000", ephemeral=True),
            process("two", "while :; do for p in /proc/[0-9]*; do "
                    "if grep -q sleep $p/comm; then readlink $p/exe; exit 0; fi; done; sleep 0.05; done")))
        self.assert_finished(outcome)
        self.assertIn("sleep", outcome.out("two"))


class DockerAbstractSockets(DockerTestCase):
    def test_no_task_connects_to_one_of_the_hosts(self):
        need(has_scopes(), "Landlock with scopes (Linux 6.12)")
        for role in ("root", "www-data"):
            with self.subTest(role=role):
                AbstractSockets.assert_apart(self, lambda command, tools: self.run_docker(
                    command, role=role, parameters=["network=host", f"volume={tools}:/tools:ro"]))


class AuditIdentity(DockerTestCase):
    COMMAND = "echo 4711 > /proc/self/loginuid; cat /proc/self/loginuid"

    @staticmethod
    def expected(uid):
        """The role's, where who started the executor has none that could be kept."""
        with open("/proc/self/loginuid", encoding="ascii") as file:
            own = int(file.read())
        return str(uid if own == 0xFFFFFFFF else own)

    def test_no_task_chooses_its_own(self):
        need(os.path.exists("/proc/self/loginuid"), "a kernel with audit")
        image = self.with_busybox()
        for role, uid in (("root", 0), ("www-data", 33)):
            for name, run in (("native", lambda: self.run_task(document(self.COMMAND, image=image), role=role)),
                              ("host files", lambda: self.run_task(document(self.COMMAND), role=role)),
                              ("docker", lambda: self.run_docker(self.COMMAND, role=role))):
                with self.subTest(name, role=role):
                    self.assertEqual(self.assert_finished(run()).out(), self.expected(uid))


class Docker(DockerTestCase):
    def test_a_limit_is_not_lifted_in_a_namespace_of_ones_own(self):
        tools, name = os.path.split(program("lift_limits"))
        outcome = self.run_docker(f"/tools/{name}", role="root", parameters=[
            f"volume={tools}:/tools:ro", "security-opt=seccomp=unconfined"])
        Limits.assert_kept(self, outcome)

    def test_capabilities_are_the_default_ones_without_those_of_the_hosts_network(self):
        for docker, expected in (({}, 0x800401FB), ({"network": "NONE"}, 0x800405FB)):
            outcome = self.assert_finished(self.run_docker("grep CapBnd /proc/self/status", role="root", docker=docker))
            self.assertEqual(int(outcome.out().split()[1], 16), expected, docker)

    def test_what_an_engine_leaves_in_sight_is_hidden(self):
        outcome = self.assert_finished(self.run_docker(
            "ls -A /proc/dynamic_debug /sys/class/zram-control /proc/scsi /sys/firmware 2> /dev/null; "
            "cat /proc/sys/net/ipv4/tcp_fastopen_key /proc/keys /proc/timer_list", role="root", docker={"network": "NONE"}))
        self.assertEqual("".join(line for line in outcome.out().splitlines() if not line.endswith(":")), "")
        seen = self.assert_finished(self.run_docker(
            "cat /proc/keys", role="root", parameters=["security-opt=systempaths=unconfined"]))
        self.assertNotEqual(seen.out(), "")

    def test_the_result_lists_what_is_ours(self):
        outcome = self.assert_finished(self.run_docker("true"))
        self.assertEqual(set(outcome.result["isolation"]["applied"]), {"posix/rlimits", "linux/capabilities", "linux/nnp"})


class Secrets(ExecutorTestCase):
    def test_a_binding_comes_from_a_file_or_a_descriptor(self):
        made = {"name": "t", "processes": [process("main", "echo {{token}} {{other}} {{plain}}")]}
        path = self.host.write("secret", "of the file\n")
        reader, writer = os.pipe()
        os.write(writer, b"of the pipe")
        os.close(writer)
        outcome = self.assert_finished(self.run_task(
            made, "--bind", f"token=@{path}", "--bind", f"other=@/dev/fd/{reader}", "--bind", "plain=@@x", pass_fds=(reader,)))
        os.close(reader)
        self.assertEqual(outcome.out(), "of the file of the pipe @x\n")

    def test_a_binding_crosses_to_a_detached_executor_unseen(self):
        made = {"name": "t", "processes": [process("main", "echo {{token}}; sleep 1000")]}
        task_id = self.host.task_id()
        reader, writer = os.pipe()
        os.write(writer, b"hunter2\n")
        os.close(writer)
        done = self.aurora("run", "--task", self.host.write("d.json", made), "--task-id", task_id, "--role", "www-data",
                           "--bind", f"token=@/dev/fd/{reader}", "--detach", pass_fds=(reader,))
        os.close(reader)
        self.assertEqual(done.code, 0, done)
        lines = b""
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    line = file.read()
            except OSError:
                continue
            if task_id.encode() in line:
                lines += line
                executor = int(pid)
        self.assertIn(b"run", lines)
        self.assertNotIn(b"hunter2", lines)
        task = TaskFiles(self.host, task_id)
        wait_until(lambda: task.out() == "hunter2\n", "the value to be written")
        os.kill(executor, signal.SIGTERM)
        wait_until(lambda: os.path.exists(task.result_path) and not os.path.exists(f"/proc/{executor}"), "the end of the task")

    def test_a_binding_that_cannot_be_read_is_an_error_that_names_it(self):
        made = {"name": "t", "processes": [process("main", "echo {{token}}")]}
        missing = self.aurora("run", "--task", self.host.write("d.json", made), "--bind", "token=@/no/such")
        self.assertEqual(missing.code, 66, missing)
        self.assertIn("token", missing.err)
