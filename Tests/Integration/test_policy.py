"""The operator's policy: what it refuses, what it lets through, and who may write it."""

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import threading
import time

from support import DockerTestCase, ExecutorTestCase, document, in_docker, job, process
from support.exchange import exchange
from support.faulty_registry import FaultyRegistry


def volume(host_path, mode="RO", container_path="/data"):
    return {"volumes": [{"container_path": container_path, "host_path": host_path, "mode": mode}]}


class Swapping:
    """While it lasts, two entries of a directory change places all the time."""

    def __init__(self, one, other):
        self.one, self.other = one, other
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.swap)

    def swap(self):
        while not self.over.is_set():
            exchange(self.one, self.other)
            time.sleep(0.0005)

    def __enter__(self):
        self.thread.start()

    def __exit__(self, *error):
        self.over.set()
        self.thread.join()


class PolicyCase:
    """A place for policies where nobody but root can write, which the tests' own directories are not in."""

    def setUp(self):
        super().setUp()
        self.etc = tempfile.mkdtemp(prefix="aurora-policy-", dir="/run")
        self.addCleanup(shutil.rmtree, self.etc)

    def policy(self, content, name="policy.json"):
        path = os.path.join(self.etc, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(content if isinstance(content, str) else json.dumps(content))
        os.chmod(path, 0o644)
        return path

    def listing(self):
        """Everything below the test's directory but the documents."""
        found = []
        for directory, names, files in os.walk(self.host.directory):
            found += [os.path.join(directory, name) for name in names]
            found += [os.path.join(directory, name) for name in files if not name.endswith(".json")]
        return sorted(found)

    def refused(self, made, policy, *words, options=(), role="www-data", by_document=False):
        """Runs the task: exit status 77, the words, and nothing is made."""
        before = self.listing()
        outcome = self.run_task(
            made, "--policy", policy, *options, role=None if by_document else role)
        self.assertEqual(outcome.code, 77, outcome)
        for word in words:
            self.assertIn(word, outcome.said, outcome)
        self.assertEqual(self.listing(), before)
        self.assertFalse(os.path.exists(outcome.directory))
        return outcome

    def explain(self, made, policy, *options, code=0):
        done = self.aurora(
            "policy", "explain", self.host.write("explained.json", made), "--policy", policy, "--output", "json", *options)
        self.assertEqual(done.code, code, done)
        return json.loads(done.out)


class Registries(PolicyCase, ExecutorTestCase):
    def test_none_is_asked_for_a_document_that_is_refused(self):
        server = FaultyRegistry()
        self.addCleanup(server.stop)
        made = job("echo {{docker.image[%s/team/app][1]}}" % server.address, role="root")
        self.refused(made, self.policy({}), "root", by_document=True)
        self.assertEqual(server.requests, [])
        # With leave it is asked, and so this test can fail.
        allowed = self.policy({"roles": {"allow": ["root"]}})
        outcome = self.run_task(made, "--policy", allowed, role=None)
        self.assertEqual(outcome.code, 66, outcome)
        self.assertNotEqual(server.requests, [])


class WhoMayWriteIt(PolicyCase, ExecutorTestCase):
    def assert_distrusted(self, path, *words, code=78):
        done = self.aurora("policy", "explain", self.host.write("task.json", document("true")), "--policy", path)
        self.assertEqual(done.code, code, done)
        for word in words:
            self.assertIn(word, done.err)
        self.assertEqual(done.out, "")
        # A run says the same and makes nothing.
        before = self.listing()
        self.assertEqual(self.run_task(document("true"), "--policy", path).code, code)
        self.assertEqual(self.listing(), before)

    def test_a_link_is_refused_wherever_it_is_on_the_way(self):
        path = self.policy({})
        os.symlink(path, self.etc + "/link.json")
        self.assert_distrusted(self.etc + "/link.json", "is a link")
        os.mkdir(self.etc + "/real")
        shutil.copy(path, self.etc + "/real/p.json")
        os.symlink("real", self.etc + "/dir")
        self.assert_distrusted(self.etc + "/dir/p.json", self.etc + "/dir is a link")
        os.symlink("nowhere", self.etc + "/dangling.json")
        self.assert_distrusted(self.etc + "/dangling.json", "is a link")

    def test_a_file_that_others_can_write_is_refused(self):
        for mode in (0o664, 0o646, 0o666):
            path = self.policy({})
            os.chmod(path, mode)
            self.assert_distrusted(path, "can be written by others than root")
        os.chmod(path, 0o644)
        os.chown(path, 33, 0)
        self.assert_distrusted(path, "belongs to uid 33")

    def test_a_directory_that_others_can_write_is_refused(self):
        os.makedirs(self.etc + "/a/b")
        path = self.policy({}, "a/b/p.json")
        for directory in (self.etc + "/a", self.etc + "/a/b"):
            os.chmod(directory, 0o1777)
            self.assert_distrusted(path, directory + " can be written by others than root")
            os.chmod(directory, 0o755)
            os.chown(directory, 33, 33)
            self.assert_distrusted(path, directory + " belongs to uid 33")
            os.chown(directory, 0, 0)
        self.explain(document("true"), path, "--role", "nobody")

    def test_something_that_is_no_file_is_refused(self):
        self.assert_distrusted(self.etc, "no regular file")
        os.mkfifo(self.etc + "/fifo", 0o600)
        self.assert_distrusted(self.etc + "/fifo", "no regular file")
        self.assert_distrusted(self.etc + "/absent.json", "No such file")

    def test_faults_are_said_with_their_places(self):
        path = self.policy('{"roles": {},\n "host_pths": []}')
        self.assert_distrusted(path, f'{path}:2:2: unknown member "host_pths" (did you mean "host_paths"?)')
        path = self.policy('{"roles": {},}')
        self.assert_distrusted(path, f"{path}:1:14:")
        self.assert_distrusted(self.policy(""), "1:1: the document is empty")
        self.assert_distrusted(self.policy('{"networks": ["' + "x" * (1 << 20) + '"]}'), "larger than 1 MiB")

    def test_the_usual_file_is_found_without_a_word(self):
        """In a mount namespace where /etc has one."""
        path = self.host.write("task.json", document("true", container=volume("/usr", container_path="/mnt")))
        script = (
            'set -e; mount -t tmpfs none "$1/o"; mkdir "$1/o/up" "$1/o/work"; '
            'mount -t overlay overlay -o "lowerdir=/etc,upperdir=$1/o/up,workdir=$1/o/work" /etc; '
            'mkdir /etc/aurora-executor; printf %s "$2" > /etc/aurora-executor/policy.json; shift 2; exec "$@"')
        os.mkdir(self.etc + "/o")

        def run(text, *words):
            return subprocess.run(
                ["unshare", "--mount", "sh", "-c", script, "sh", self.etc, text, *self.host.words(words)],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
        denied = run("{}", "run", "--task", path, "--role", "nobody")
        self.assertEqual(denied.returncode, 77, denied)
        self.assertIn("(/etc/aurora-executor/policy.json)", denied.stderr)
        self.assertFalse(os.path.exists(self.host.work + "/tasks"))
        for command in ("validate", "plan"):
            words = [path] if command == "validate" else ["--task", path]
            self.assertEqual(run("{}", command, *words, "--role", "nobody").returncode, 77)
        given = run('{"host_paths": [{"path": "/usr", "mode": "RO"}]}', "validate", path, "--role", "nobody")
        self.assertEqual(given.returncode, 0, given)
        self.assertEqual(run("[", "validate", path).returncode, 78)


class Native(PolicyCase, ExecutorTestCase):
    def directory(self, name="data"):
        return os.path.dirname(self.host.write(f"{name}/file", "host\n"))

    def test_an_empty_policy_lets_an_ordinary_task_run_and_the_result_names_it(self):
        path = self.policy("{}\n")
        outcome = self.assert_finished(self.run_task(document("id -u"), "--policy", path))
        self.assertEqual(outcome.out(), "33\n")
        digest = "sha256:" + hashlib.sha256(b"{}\n").hexdigest()
        self.assertEqual(outcome.result["policy"], {"file": path, "digest": digest})
        self.assertNotIn("policy", self.run_task(document("true")).result)

    def test_roles(self):
        made = job("id -u", role="root")
        self.refused(made, self.policy({}), "the role root", "uid 0 must be named", by_document=True)
        self.refused(made, self.policy({"roles": {"allow": ["*"]}}), "roles.allow[0]", by_document=True)
        path = self.policy({"roles": {"allow": ["*", "root"]}})
        self.assertEqual(self.assert_finished(self.run_task(made, "--policy", path)).out(), "0\n")
        self.refused(job("true"), self.policy({"roles": {"deny": ["www-data"]}}), "roles.deny[0]", by_document=True)
        # An account by another name is that account.
        with open("/etc/passwd", "r+", encoding="utf-8") as file:
            size = len(file.read().encode())
            file.write("twin:x:33:33::/:/bin/sh\n")
        try:
            self.refused(
                job("true", role="twin"), self.policy({"roles": {"deny": ["www-data"]}}), "roles.deny[0] denies",
                by_document=True)
        finally:
            os.truncate("/etc/passwd", size)
        # Root by another name is root; this worker's account files are its own.
        with open("/etc/passwd", "r+", encoding="utf-8") as file:
            size = len(file.read().encode())
            file.write("toor:x:0:0::/root:/bin/sh\n")
        try:
            self.refused(
                job("true", role="toor"), self.policy({"roles": {"allow": ["*", "root"]}}), "(uid 0)", by_document=True)
        finally:
            os.truncate("/etc/passwd", size)

    def test_a_role_on_the_command_line_is_leave(self):
        path = self.policy({"roles": {"deny": ["root"]}})
        self.assertEqual(
            self.assert_finished(self.run_task(document("id -u"), "--policy", path, role="root")).out(), "0\n")
        # Who invokes the executor has not said it.
        self.refused(document("id -u"), path, "the role root", by_document=True)

    def test_host_paths(self):
        data = self.directory()
        made = document("cat /data/file", image=self.with_busybox(), container=volume(data))
        self.refused(made, self.policy({}), data, "no entry of host_paths allows it", "container.mesos.volumes[0]")
        self.refused(made, self.policy({"host_paths": [{"path": data + "2", "mode": "RW"}]}), "no entry of host_paths")
        self.refused(
            made, self.policy({"host_paths": [{"path": data[:-1], "mode": "RW"}]}), "no entry of host_paths")
        allowed = self.policy({"host_paths": [{"path": data, "mode": "RO"}]})
        self.assertEqual(self.assert_finished(self.run_task(made, "--policy", allowed)).out(), "host\n")
        made["container"]["mesos"]["volumes"][0]["mode"] = "RW"
        self.refused(made, allowed, f"{allowed}:1:17", "host_paths[0] allows it RO only")

    def test_links_that_lead_out_are_followed_before_they_are_judged(self):
        data = self.directory()
        os.symlink("/etc", data + "/out")
        os.symlink("file", data + "/in")
        path = self.policy({"host_paths": [{"path": data, "mode": "RW"}]})
        made = document("true", image=self.with_busybox(), container=volume(data + "/out"))
        self.refused(made, path, "it leads to /etc, and no entry of host_paths allows it")
        made = document("true", image=self.with_busybox(), container=volume(data + "/out/ssl"))
        self.refused(made, path, "it leads to /etc/ssl")
        made = document("true", image=self.with_busybox(), container=volume(data + "/absent"))
        self.refused(made, path, "cannot be resolved")
        made = document("cat /data", image=self.with_busybox(), container=volume(data + "/in"))
        outcome = self.assert_finished(self.run_task(made, "--policy", path))
        self.assertEqual(outcome.out(), "host\n")
        created = outcome.journal()[0]["settings"]["policy"]
        self.assertEqual(created["paths"], [[data + "/in", data + "/file"]])

    def test_what_somebody_else_could_swap_is_not_judged(self):
        data = self.directory()
        os.mkdir(data + "/below")
        path = self.policy({"host_paths": [{"path": data, "mode": "RW"}]})
        made = document("true", image=self.with_busybox(), container=volume(data + "/below"))
        self.assert_finished(self.run_task(made, "--policy", path))
        os.chown(data, 33, 33)
        self.refused(made, path, f"{data} is not root's alone")
        os.chown(data, 0, 0)
        os.chmod(data, 0o777)
        self.refused(made, path, f"{data} is not root's alone")
        os.chmod(data, 0o1777)
        self.assert_finished(self.run_task(made, "--policy", path))

    def test_what_is_swapped_after_it_was_judged_is_not_mounted(self):
        data = self.directory()
        secret = os.path.dirname(self.host.write("secret/file", "secret\n"))
        os.mkdir(data + "/d")
        with open(data + "/d/file", "w", encoding="ascii") as file:
            file.write("given\n")
        os.symlink(secret, data + "/l")
        path = self.policy({"host_paths": [{"path": data, "mode": "RW"}]})
        made = document("cat /data/file", image=self.with_busybox(), container=volume(data + "/d", "RW"))
        seen = set()
        with Swapping(data + "/d", data + "/l"):
            for _ in range(30):
                outcome = self.run_task(made, "--policy", path)
                seen.add(outcome.out() if outcome.code == 0 else outcome.code)
        self.assertNotIn("secret\n", seen)
        self.assertIn("given\n", seen)

    def test_walls_that_a_document_may_not_take_down(self):
        for info, words in (
            ({"share_pid_namespace": True}, ("the host's pid namespace", "host_namespaces")),
            ({"ipc_mode": "SHARE_PARENT"}, ("the host's ipc namespace",)),
            ({"bounding_capabilities": {"capabilities": ["SYS_ADMIN"]}}, ("the capability SYS_ADMIN",)),
            ({"seccomp": {"unconfined": True}}, ("no seccomp filter", "seccomp allows it")),
            ({"seccomp": {"profile_name": "/etc/passwd"}}, ("the seccomp profile /etc/passwd",)),
        ):
            with self.subTest(info=info):
                self.refused(document("true", container={"linux_info": info}), self.policy({}), *words)
        limits = {"rlimits": [{"type": "RLMT_NOFILE", "soft": 9, "hard": 9}, {"type": "RLMT_RTPRIO", "soft": 9, "hard": 9}]}
        self.refused(
            document("true", container={"rlimit_info": limits}), self.policy({}), "realtime",
            "container.mesos.rlimit_info.rlimits[1]")
        path = self.policy({"host_namespaces": ["pid"]})
        made = document("true", container={"linux_info": {"share_pid_namespace": True}})
        self.assert_finished(self.run_task(made, "--policy", path))

    def test_all_that_is_denied_is_said_at_once(self):
        made = document("true", container={
            **volume("/usr"), "linux_info": {"share_pid_namespace": True, "ipc_mode": "SHARE_PARENT"}})
        outcome = self.refused(made, self.policy({}), "and 2 more")
        self.assertEqual(outcome.said.count("is not allowed:"), 3)

    def test_a_ceiling_refuses_more_and_holds_what_is_not_asked_for(self):
        path = self.policy({"ceilings": {"pids": 20, "shm": 1 << 20, "processes": 2, "runs": 3, "finalization_wait": 4}})
        image = self.with_busybox()
        self.refused(document("true", pids=21), path, "pids 21", "ceilings.pids is 20", "resources.pids")
        self.refused(document("true", "true", "true"), path, "processes 3")
        self.refused(document(process("main", "true", max_failures=4)), path, "runs 4")
        self.refused(document("true", finalization_wait=5), path, "finalization_wait 5")
        self.refused(
            document("true", image=image, container={"linux_info": {"shm_size": 2, "ipc_mode": "PRIVATE"}}), path, "shm 2097152")
        outcome = self.assert_finished(self.run_task(document("df -k /dev/shm | tail -n 1", image=image), "--policy", path))
        self.assertIn(" 1024 ", outcome.out())
        plan = self.aurora("plan", "--task", self.host.write("p.json", document("true")), "--policy", path, "--role", "nobody")
        self.assertIn("pids.max = 20", plan.out, plan)
        # Fails for ever, and is run as often as the ceiling says.
        failing = document(process("main", "false", max_failures=0))
        self.assertEqual(len(self.run_task(failing, "--policy", path).runs()), 3)

    def test_a_ceiling_of_open_files_holds_what_is_asked_for_and_what_is_not(self):
        path = self.policy({"ceilings": {"open_files": 200}})

        def limited(**limit):
            return document("ulimit -n; ulimit -Hn", container={"rlimit_info": {"rlimits": [{"type": "RLMT_NOFILE", **limit}]}})
        self.refused(limited(soft=10, hard=201), path, "open_files 201", "ceilings.open_files is 200", "rlimit_info.rlimits[0].hard")
        self.refused(limited(), path, "open_files without limit")
        self.assertEqual(self.assert_finished(self.run_task(limited(soft=50, hard=200), "--policy", path)).out(), "50\n200\n")
        outcome = self.assert_finished(self.run_task(document("ulimit -n; ulimit -Hn"), "--policy", path))
        self.assertEqual(outcome.out(), "200\n200\n")

    def test_defaults_are_for_documents_without_resources(self):
        path = self.policy({"defaults": {"resources": {"cpu": 0.5, "ram": 64 << 20, "disk": 32 << 20, "pids": 30}}})
        made = document("true")
        del made["resources"]
        plan = self.aurora("plan", "--task", self.host.write("p.json", made), "--policy", path, "--role", "nobody")
        for setting in ("memory.limit_in_bytes = 67108864", "pids.max = 30", "cpu.cfs_quota_us = 50000"):
            self.assertIn(setting, plan.out, plan)
        self.assertIn(f"policy     {path}", plan.out)

    def test_a_recovery_asks_no_policy_again_and_goes_on_with_what_was_settled(self):
        data = self.directory()
        path = self.policy({"host_paths": [{"path": data, "mode": "RO"}], "ceilings": {"log_bytes": 1 << 20, "runs": 2}})
        made = document(
            process("main", "while [ ! -e go ]; do sleep 0.05; done; cat /data/file"), process("main1", "false", max_failures=0),
            image=self.with_busybox(), container=volume(data), max_failures=0)
        task = self.start_task(made, "--policy", path).wait_running()
        settings = task.journal()[0]["settings"]
        self.assertEqual(settings["log_bytes"], 1 << 20)
        task.kill()
        self.policy({})
        with open(task.sandbox + "/go", "w", encoding="ascii"):
            pass
        outcome = self.host.recover(task.id)
        self.assertEqual(outcome.out(), "host\n", outcome)
        self.assertEqual(len(outcome.runs("main1")), 2)
        self.assertEqual(outcome.result["policy"], {"file": path, "digest": settings["policy"]["digest"]})

    def test_detached_tasks_are_refused_before_they_are_detached(self):
        self.refused(document("true", container=volume("/usr")), self.policy({}), "/usr", options=("--detach",))

    def test_explain_names_the_rule_and_its_place(self):
        path = self.policy('{"host_paths": [\n  {"path": "/usr", "mode": "RO"}]}')
        made = document("true", container={"volumes": [
            {"container_path": "/a", "host_path": "/usr/bin", "mode": "RO"},
            {"container_path": "/b", "host_path": "/usr/bin", "mode": "RW"}]})
        found = self.explain(made, path, "--role", "nobody", code=77)
        self.assertFalse(found["allowed"])
        given, denied = [item for item in found["demands"] if item["demand"] == "host_path"]
        self.assertEqual((given["given"], denied["given"]), (True, False))
        for item in (given, denied):
            self.assertEqual(item["rule"], {"name": "host_paths[0]", "line": 2, "column": 3})
            self.assertEqual(item["resolved"], os.path.realpath("/usr/bin"))
        self.assertEqual(given["path"], "container.mesos.volumes[0]")
        table = self.aurora("policy", "explain", self.host.path("explained.json"), "--policy", path, "--role", "nobody")
        self.assertEqual(table.code, 77)
        self.assertIn(f"host_paths[0] allows it RO only ({path}:2:3)", table.out)
        without = self.aurora("policy", "explain", self.host.path("explained.json"))
        self.assertEqual(without.code, 0, without)
        self.assertIn("there is no policy", without.out)

    def test_schema_and_usage(self):
        schema = json.loads(self.aurora("schema", "policy").out)
        self.assertEqual(schema["title"], "Policy of aurora-executor")
        self.assertEqual(self.aurora("schema", "polcy").code, 64)
        self.assertEqual(self.aurora("policy").code, 64)

    def test_the_agents_policy_is_one(self):
        here = os.path.dirname(os.path.abspath(__file__))
        with open(os.path.join(here, "..", "..", "packaging", "policy-agent.json"), encoding="utf-8") as file:
            path = self.policy(file.read())
        self.assert_finished(self.run_task(document("true"), "--policy", path))
        self.refused(document("true", container=volume("/usr")), path, "host_paths")
        self.refused(job("true", role="root"), path, "the role root", by_document=True)
        docker = in_docker(document("true"), "x:1", ["env=A=b"])
        self.refused(docker, path, "docker_parameters")
        self.refused(in_docker(document("true"), "x:1", privileged=True), path, "the privilege container")


class Docker(PolicyCase, DockerTestCase):
    def docker(self, *processes, parameters=(), **fields):
        return self.docker_document(*processes, parameters=parameters, **fields)

    @property
    def options(self):
        return ("--docker-socket", self.engine.socket)

    def test_an_empty_policy_lets_an_ordinary_task_run(self):
        outcome = self.run_docker("id -u", options=("--policy", self.policy({})))
        self.assertEqual(self.assert_finished(outcome).out(), "33\n")

    def test_names_and_values_are_allowed_apart(self):
        data = os.path.dirname(self.host.write("data/file", "host\n"))
        made = self.docker("cat /data/file", parameters=[f"volume={data}:/data:ro"])
        self.refused(made, self.policy({}), "the Docker parameter volume", data, options=self.options)
        self.refused(made, self.policy({"docker_parameters": ["volume"]}), "host_paths", options=self.options)
        rules = {"host_paths": [{"path": data, "mode": "RO"}]}
        self.refused(made, self.policy(rules), "docker_parameters allows it", options=self.options)
        path = self.policy({**rules, "docker_parameters": ["volume"]})
        outcome = self.assert_finished(self.run_task(made, "--policy", path, *self.options))
        self.assertEqual(outcome.out(), "host\n")
        # The operator's word stands for the names, and for nothing else.
        self.assert_finished(self.run_task(
            made, "--policy", self.policy(rules), "--allow-docker-parameters", "volume", *self.options))
        self.refused(
            made, self.policy({}), data, options=(*self.options, "--allow-docker-parameters", "all"))

    def test_doors_to_the_host(self):
        data = os.path.dirname(self.host.write("data/file", "host\n"))
        os.symlink("/etc", data + "/out")
        path = self.policy({
            "docker_parameters": "all", "host_paths": [{"path": data, "mode": "RO"}], "ceilings": {"pids": 50, "shm": 1 << 20}})
        for parameter, word in (
            ("volume=/etc:/x:ro", "/etc"), (f"volume={data}/out:/x:ro", "it leads to /etc"), (f"volume={data}:/x", "RO only"),
            (f"v={data}:/x:ro,rshared", "propagation"),
            (f"volume={data}:/x:ro,rslave", "RO only"), (f"volume={data}:/x:slave,ro", "RO only"),
            (f"mount=type=bind,source={data},dst=/x,readonly,bind-propagation=rslave", "RO only"), ("mount=TYPE=bind,SRC=/etc,dst=/x,ro", "/etc"),
            (f"mount=type=bind,source={data},dst=/x", "RO only"), (f"volume={data}/new:/x:ro", "cannot be resolved"),
            ("mount=type=volume,source=n,dst=/x,volume-opt=type=none,volume-opt=o=bind,volume-opt=device=/etc", "storage"),
            ("volumes-from=other", "other_containers"), ("device=/dev/kmsg", "/dev/kmsg"),
            ("device-cgroup-rule=a *:* rwm", "devices"), ("cap-add=sys_admin", "SYS_ADMIN"), ("privileged=true", "container"),
            ("security-opt=seccomp=unconfined", "no seccomp filter"), ("security-opt=apparmor:unconfined", "apparmor"),
            ("security-opt=systempaths=unconfined", "systempaths"), ("pid=host", "pid namespace"), ("uts=host", "uts namespace"),
            ("ipc=host", "ipc namespace"), ("userns=host", "user namespace"), ("cgroupns=host", "cgroup namespace"),
            ("cgroup-parent=/", "cgroup_parent"), ("runtime=x", "runtime"), ("network=web", "the network web"),
            ("network=container:x", "other_containers"), ("group-add=0", "groups"), ("gpus=all", "gpus"),
            ("env-file=/etc/shadow", "no task can have it"), ("label-file=/etc/shadow", "no task can have it"),
            ("security-opt=seccomp=/etc/x.json", "no task can have it"), ("rm=true", "no task can have it"),
            ("volume=somebodys:/x", "the privilege volumes"), ("mount=type=volume,source=somebodys,dst=/x", "volumes"),
            ("tmpfs=/dev/shm", "shm without limit"), ("tmpfs=/dev/shm:size=2m", "shm 2097152"),
            ("mount=type=tmpfs,dst=/dev/shm", "shm without limit"), ("pids-limit=-1", "pids without limit"), ("shm-size=2m", "shm 2097152"),
            ("oom-score-adj=-500", "oom"), ("ulimit=rtprio=9", "realtime"),
            # One character of Unicode with the colon, two bytes and a colon to the engine.
            ("volume=/etc\u0600:/x", "/etc"), (f"volume={data}:/x\u0600:ro,rshared", "propagation"),
        ):
            with self.subTest(parameter=parameter):
                self.refused(
                    self.docker("true", parameters=[parameter]), path, word, "container.docker.parameters[0]",
                    options=self.options)

    def test_a_link_inside_is_given_to_the_engine_as_it_was_judged(self):
        data = os.path.dirname(self.host.write("data/file", "host\n"))
        os.symlink("file", data + "/in")
        path = self.policy({"docker_parameters": ["volume"], "host_paths": [{"path": data, "mode": "RO"}]})
        made = self.docker("cat /data", parameters=[f"volume={data}/in:/data:ro"])
        plan = self.aurora(
            "plan", "--task", self.host.write("p.json", made), "--policy", path, "--role", "www-data", *self.options)
        self.assertIn(data + "/file", plan.out, plan)
        self.assertEqual(self.assert_finished(self.run_task(made, "--policy", path, *self.options)).out(), "host\n")

    def test_what_is_swapped_after_it_was_judged_is_not_given_to_a_task(self):
        data = os.path.dirname(self.host.write("data/file", "host\n"))
        secret = os.path.dirname(self.host.write("secret/file", "secret\n"))
        os.mkdir(data + "/d")
        with open(data + "/d/file", "w", encoding="ascii") as file:
            file.write("given\n")
        os.symlink(secret, data + "/l")
        path = self.policy({"docker_parameters": ["volume"], "host_paths": [{"path": data, "mode": "RW"}]})
        made = self.docker("cat /data/file", parameters=[f"volume={data}/d:/data"])
        seen = set()
        with Swapping(data + "/d", data + "/l"):
            for _ in range(12):
                outcome = self.run_task(made, "--policy", path, *self.options)
                seen.add(outcome.out() if outcome.code == 0 else outcome.code)
        self.assertNotIn("secret\n", seen)
        self.assertNotIn("host\n", seen)

    def test_what_is_mounted_below_a_path_is_not_read_only(self):
        data = os.path.dirname(self.host.write("data/file", "host\n"))
        os.mkdir(data + "/inner")
        made = self.docker("touch /data/inner/wrote", parameters=[f"volume={data}:/data:ro"])
        path = self.policy({"docker_parameters": ["volume"], "host_paths": [{"path": data, "mode": "RO"}]})
        subprocess.run(["mount", "-t", "tmpfs", "none", data + "/inner"], check=True)
        try:
            os.chmod(data + "/inner", 0o777)
            self.refused(made, path, "the engine leaves", data + "/inner", options=self.options)
            hidden = self.docker("true", parameters=[f"mount=type=bind,source={data},dst=/data,readonly,bind-nonrecursive"])
            both = self.policy({"docker_parameters": "all", "host_paths": [{"path": data, "mode": "RO"}]}, "both.json")
            self.refused(hidden, both, "shows what it hides", data + "/inner", options=self.options)
            self.assertEqual(os.listdir(data + "/inner"), [])
            writable = self.policy({"docker_parameters": ["volume"], "host_paths": [{"path": data, "mode": "RW"}]}, "rw.json")
            self.run_task(made, "--policy", writable, *self.options)
        finally:
            subprocess.run(["umount", data + "/inner"], check=True)
        self.assert_finished(self.run_task(
            self.docker("test -d /data/inner", parameters=[f"volume={data}:/data:ro"]), "--policy", path, *self.options))

    def test_a_named_volume_may_be_had_with_leave(self):
        self.engine.docker("volume", "create", "given")
        self.addCleanup(self.engine.docker, "volume", "rm", "given")
        path = self.policy({"docker_parameters": ["volume"], "privileged": ["volumes"]})
        for parameter in ("volume=given:/x", "volume=/x"):
            self.assert_finished(self.run_docker("true", options=("--policy", path), parameters=[parameter]))
        self.assert_finished(self.run_docker(
            "true", options=("--policy", self.policy({"docker_parameters": ["volume"]}, "none.json")), parameters=["volume=/x"]))

    def test_ceilings_hold_what_is_not_asked_for(self):
        path = self.policy({"ceilings": {"pids": 20, "shm": 1 << 20}})
        outcome = self.run_docker(
            "cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2>/dev/null; df -k /dev/shm | tail -n 1",
            options=("--policy", path))
        self.assert_finished(outcome)
        self.assertIn("21\n", outcome.out())
        self.assertIn(" 1024 ", outcome.out())
        path = self.policy({"ceilings": {"open_files": 200}, "docker_parameters": "all"}, "files.json")
        outcome = self.run_docker("ulimit -n; ulimit -Hn", options=("--policy", path), parameters=["ulimit=nofile=100:200"])
        self.assertEqual(self.assert_finished(outcome).out(), "100\n200\n")
        outcome = self.run_docker("true", options=("--policy", path), parameters=["ulimit=nofile=100:300"])
        self.assertEqual(outcome.code, 77, outcome)
        self.assertIn("open_files 300", outcome.said)
