"""Which system calls a task can make: the default profile, profiles of an operator's, and none."""

import json
import os
import shutil

from support import DockerTestCase, ExecutorTestCase, document, need, need_command, process
from support.executor import wait_until
from support.programs import program

EPERM, ENOSYS = "1", "38"
FOREVER = "trap 'exit 0' TERM; while :; do sleep 0.05; done"
# What nobody refuses answers with the fault in its arguments.
NONE = {"linux_info": {"seccomp": {"unconfined": True}}}


def profile(name):
    return {"linux_info": {"seccomp": {"profile_name": name}}}


class SeccompTestCase(ExecutorTestCase):
    _program = None

    def setUp(self):
        super().setUp()
        need(os.uname().machine == "x86_64", "an x86-64 host")

    @staticmethod
    def program():
        """The attacker's program."""
        with open(program("system_calls"), "rb") as file:
            return file.read()

    def image(self):
        return self.with_busybox(extra=lambda tar: tar.file("bin/system-calls", self.program(), mode=0o755))

    def on_host(self):
        path = self.host.write("system-calls", self.program())
        os.chmod(path, 0o755)
        return path

    def places(self):
        """What to call, and the image it is in."""
        return {"image": ("/bin/system-calls", self.image()), "host": (self.on_host(), None)}

    @staticmethod
    def answers(text):
        found = {}
        for line in text.splitlines():
            way, name, result = line.split()
            found[way, name] = result
        return found

    def assert_refused(self, text):
        found = self.answers(text)
        self.assertEqual(len([key for key in found if key[0] == "64"]), 28, text)
        for (way, name), result in found.items():
            if way == "32" and result == "none":
                continue
            wanted = ENOSYS if name in ("clone3", "nobody-knows") else EPERM
            self.assertEqual(result, wanted, f"{way} {name}\n{text}")


class DefaultProfile(SeccompTestCase):
    def test_attacks_are_refused_in_every_way_to_make_a_call(self):
        for place, (command, image) in self.places().items():
            for role in ("www-data", "root"):
                with self.subTest(place=place, role=role):
                    outcome = self.assert_finished(self.run_task(document(command, image=image), role=role))
                    self.assert_refused(outcome.out())

    def test_without_a_filter_the_same_calls_are_not_refused(self):
        # So what the other tests see is the filter's doing.
        for place, (command, image) in self.places().items():
            with self.subTest(place=place):
                outcome = self.assert_finished(
                    self.run_task(document(command, image=image, container=NONE)))
                found = self.answers(outcome.out())
                self.assertEqual([key for key, result in found.items() if result == EPERM], [], outcome.out())
                self.assertNotEqual(found["64", "clone3"], ENOSYS)

    def test_final_processes_and_health_commands_are_filtered(self):
        command, image = "/bin/system-calls", self.image()
        outcome = self.assert_finished(self.run_task(
            document("true", process("last", command, final=True), image=image)))
        self.assert_refused(outcome.out("last"))
        health = {"interval_secs": 0.1, "initial_interval_secs": 0,
                  "health_checker": {"shell": {"shell_command": f"{command} > calls.new && mv calls.new calls"}}}
        task = self.start_task(document(FOREVER, image=image, health_check_config=health))
        task.wait_running()
        wait_until(lambda: os.path.exists(os.path.join(task.sandbox, "calls")), "the answers of a health check")
        self.assert_refused(task.sandbox_file("calls"))
        task.signal(15).wait()

    def test_every_process_says_that_it_is_filtered(self):
        for options in ((), ("--isolation", self.isolation(without="linux/nnp"))):
            for role in ("www-data", "root"):
                with self.subTest(options=options, role=role):
                    outcome = self.assert_finished(self.run_task(
                        document("grep -E '^(Seccomp|NoNewPrivs|Uid)' /proc/self/status", image=self.with_busybox()),
                        *options, role=role))
                    self.assertIn("Seccomp:\t2", outcome.out())
                    self.assertIn(f"NoNewPrivs:\t{0 if options else 1}", outcome.out())
                    self.assertIn(f"Uid:\t{0 if role == 'root' else 33}", outcome.out())

    def isolation(self, without):
        """The default isolators but one, as the executor names them."""
        said = self.run_task(document("true"), "--isolation", "nothing").said
        names = said.split("hint: known are ")[1].splitlines()[0].split("  (")[0].split(", ")
        self.assertIn(without, names)
        return ",".join(name for name in names if name != without)

    def test_ordinary_programs_work(self):
        image = self.image()
        outcome = self.assert_finished(self.run_task(document(
            "/bin/system-calls native; sleep 0.01; (echo a | cat) ; nproc > /dev/null; ls / > /dev/null; ulimit -n",
            image=image)))
        self.assertEqual(set(self.answers("\n".join(
            line for line in outcome.out().splitlines() if line.startswith("native"))).values()), {"ok"}, outcome)

    def test_programs_of_the_host_work(self):
        need_command("python3")
        script = ("import threading,subprocess,socket,os,tempfile;"
                  "t=threading.Thread(target=lambda:0);t.start();t.join();"
                  "subprocess.run(['true'],check=True);"
                  "s=socket.create_server(('127.0.0.1',0));c=socket.create_connection(s.getsockname());"
                  "open(tempfile.mktemp(),'w').write('x');os.cpu_count();print('python works')")
        outcome = self.assert_finished(self.run_task(document(
            f'python3 -c "{script}"; perl -e "fork or exit; wait; print qq(perl works\\n)" 2>/dev/null || echo perl works;'
            "seq 3 | sort | tail -n 1; date > /dev/null; timeout 5 bash -c 'sleep 0 & wait; echo bash works'", ram=512 << 20)))
        for words in ("python works", "bash works") + (("perl works",) if shutil.which("perl") else ()):
            self.assertIn(words, outcome.out())

    def test_no_user_namespace_can_be_made(self):
        need_command("unshare")
        refused = self.run_task(document("unshare -Ur id -u"))
        self.assertEqual(refused.code, 1, refused)
        self.assertIn("Operation not permitted", refused.err())

    def test_a_capability_that_the_document_gives_opens_what_it_is_for(self):
        container = {"linux_info": {"bounding_capabilities": {"capabilities": ["SYS_ADMIN", "SETUID", "SETGID"]},
                                    "effective_capabilities": {"capabilities": ["SYS_ADMIN"]}}}
        outcome = self.assert_finished(self.run_task(
            document("/bin/system-calls", image=self.image(), container=container), role="root"))
        found = self.answers(outcome.out())
        self.assertNotEqual(found["64", "unshare"], EPERM)
        for way in ("64", "x32"):
            for name in ("keyctl", "io_uring_setup", "userfaultfd", "vsock-high", "tiocsti-high"):
                self.assertEqual(found[way, name], EPERM, outcome)

    def test_the_plan_names_the_profile_and_its_digest(self):
        path = self.host.write("task.json", json.dumps(document("true")))
        said = self.aurora("plan", "--task", path, "--role", "www-data", "--output", "json")
        filter = json.loads(said.out)["seccomp"]
        self.assertEqual(filter["profile"], "default")
        self.assertEqual(len(filter["sha256"]), 64)
        self.assertGreater(filter["instructions"], 100)
        path = self.host.write("task.json", json.dumps(document("true", container=NONE)))
        self.assertNotIn("seccomp", json.loads(
            self.aurora("plan", "--task", path, "--role", "www-data", "--output", "json").out))


class OwnProfile(SeccompTestCase):
    def written(self, text, mode=0o644, owner=0):
        path = self.host.write("profile.json", text if isinstance(text, str) else json.dumps(text))
        os.chmod(path, mode)
        os.chown(path, owner, 0)
        return path

    def runs(self, path, command="mkdir x; echo $?"):
        return self.run_task(document(command, image=self.with_busybox(), container=profile(path)))

    def test_a_profile_by_its_path_is_used(self):
        path = self.written({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
            {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 30}]})
        outcome = self.assert_finished(self.runs(path))
        self.assertIn("Read-only file system", outcome.err())
        self.assertEqual(outcome.out(), "1\n")

    def test_a_profile_may_refuse_all_that_is_needed_before_a_command_runs(self):
        # Everything but what the command itself needs: nothing of it is asked of the profile any earlier.
        path = self.written({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [
            {"names": ["execve", "exit_group", "brk", "mmap", "munmap", "mprotect", "arch_prctl", "write", "writev",
                       "set_tid_address", "getuid", "geteuid", "uname", "readlink", "prctl", "rt_sigaction",
                       "rt_sigprocmask", "set_robust_list", "rseq", "prlimit64", "getrandom", "fstat", "newfstatat",
                       "ioctl", "getcwd", "getppid", "getpid", "getgid", "getegid", "stat"],
             "action": "SCMP_ACT_ALLOW"}]})
        self.assertEqual(self.assert_finished(self.runs(path, "echo fine")).out(), "fine\n")

    def test_a_call_may_end_the_process(self):
        path = self.written({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
            {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_KILL_PROCESS"}]})
        outcome = self.assert_failed(self.runs(path, "exec mkdir x"))
        self.assert_runs(outcome, "main", "SIGSYS")

    def test_faults_of_a_profile_are_told_with_their_place(self):
        for text, words in (
            ('{"defaultAction": "SCMP_ACT_ALLOW",\n  "syscals": []}', ':2:3: unknown key "syscals"'),
            ('{"defaultAction": "SCMP_ACT_NOTIFY"}', ":1:19: SCMP_ACT_NOTIFY is not supported"),
            ('{"defaultAction": "SCMP_ACT_ALLOW", }', ":1:37: expected a key"),
        ):
            with self.subTest(text=text):
                path = self.written(text)
                outcome = self.runs(path)
                self.assertNotEqual(outcome.code, 0)
                self.assertIn(path + words, outcome.said)
                self.assertFalse(outcome.has_record("forked"), outcome)

    def test_a_profile_that_others_may_have_written_is_refused(self):
        allow = '{"defaultAction": "SCMP_ACT_ALLOW"}'
        for options in ({"mode": 0o666}, {"mode": 0o664}, {"owner": 33}):
            with self.subTest(**options):
                outcome = self.runs(self.written(allow, **options))
                self.assertNotEqual(outcome.code, 0)
                self.assertIn("may have been written by others than root", outcome.said)
        fifo = self.host.path("pipe")
        os.mkfifo(fifo, 0o600)
        for path, words in ((fifo, "is no regular file"), ("/dev/null", "is no regular file"),
                            (self.host.path("absent"), "ENOENT")):
            with self.subTest(path=path):
                outcome = self.runs(path)
                self.assertNotEqual(outcome.code, 0)
                self.assertIn(words, outcome.said)

    def test_a_profile_that_was_asked_for_is_not_left_out(self):
        outcome = self.run_task(document("true", container=profile("default")), "--isolation", "posix/rlimits")
        self.assertEqual(outcome.code, 78, outcome)
        self.assertIn("linux/seccomp", outcome.said)

    def test_a_task_is_resumed_when_its_profile_is_gone(self):
        path = self.written({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
            {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}]})
        task = self.start_task(document(
            "while [ ! -e go ]; do sleep 0.05; done", process("last", "mkdir x || echo refused", final=True),
            image=self.with_busybox(), container=profile(path)))
        task.wait_running()
        task.kill()
        os.unlink(path)
        with open(os.path.join(task.sandbox, "go"), "w", encoding="ascii"):
            pass
        self.assertEqual(self.host.recover(task.id).code, 0)
        self.assertEqual(task.out("last"), "refused\n")


class BesideAnEngines(DockerTestCase, SeccompTestCase):
    """What the profiles of engines let through is refused to a Docker task all the same."""

    OURS = ("io_uring_setup", "io_uring_enter", "io_uring_register", "vsock", "vsock-high", "connector", "alg", "setlease",
            "setlease-high", "setdeleg", "socketcall")

    def engine_image(self):
        return self.with_engine_image(extra=lambda tar: tar.file("bin/system-calls", self.program(), mode=0o755))

    def calls(self, *parameters, options=(), role="www-data"):
        outcome = self.assert_finished(self.run_docker(
            "/bin/system-calls; grep Seccomp: /proc/self/status >&2", image=self.engine_image(), parameters=parameters, options=options,
            role=role))
        return {key: result for key, result in self.answers(outcome.out()).items() if key[1] in self.OURS}, outcome

    def test_attacks_are_refused_in_every_way_to_make_a_call(self):
        for role in ("www-data", "root"):
            with self.subTest(role=role):
                found, outcome = self.calls(role=role)
                self.assertEqual(len([key for key in found if key[0] == "64"]), 10, found)
                for key, result in found.items():
                    self.assertTrue(result == EPERM or (key[0] == "32" and result == "none"), f"{key} {result}\n{outcome.out()}")

    def test_health_commands_are_filtered(self):
        health = {"interval_secs": 0.1, "initial_interval_secs": 0,
                  "health_checker": {"shell": {"shell_command": "/bin/system-calls > calls.new && mv calls.new calls"}}}
        task = self.start_docker(FOREVER, image=self.engine_image(), health_check_config=health)
        wait_until(lambda: os.path.exists(os.path.join(task.sandbox, "calls")), "the answers of a health check")
        self.assertEqual(self.answers(task.sandbox_file("calls"))["64", "connector"], EPERM)
        task.signal(15).wait()

    def test_whoever_asks_for_no_filter_and_may_has_none(self):
        found, outcome = self.calls("security-opt=seccomp=unconfined")
        self.assertNotIn(EPERM, list(found.values()), found)
        self.assertEqual(outcome.err(), "Seccomp:\t0\n")

    def test_the_plan_names_it(self):
        made = self.docker_document("true")
        path = self.host.write("task.json", json.dumps(made))
        said = self.aurora("plan", "--task", path, "--role", "www-data", "--docker-socket", self.engine.socket, "--output", "json")
        self.assertEqual(json.loads(said.out)["seccomp"]["profile"], "additional", said)
