"""What a process finds: the profile, the outcome of the task, and its ports."""

import json
import os
import signal
import socket
import subprocess

from support import DockerTestCase, ExecutorTestCase, document, process
from support.executor import TaskFiles, wait_until


class Profile(ExecutorTestCase):
    def run_with_profile(self, profile, *processes, **fields):
        """A first process writes the profile; the others run after it."""
        first = process("first", f"cat > .thermos_profile <<'END'\n{profile}\nEND\n")
        names = ["first", *(item["name"] for item in processes if not item.get("final"))]
        return self.run_task(document(first, *processes, order=names, **fields))

    def test_bash_reads_it_before_the_command_line_and_no_earlier_process_did(self):
        outcome = self.assert_finished(self.run_with_profile(
            "export FROM_PROFILE=yes; id -un > who",
            process("second", "echo $FROM_PROFILE; bash -c 'echo child $FROM_PROFILE'"),
            process("last", "echo $FROM_PROFILE", final=True)))
        self.assertEqual((outcome.out("first"), outcome.out("second"), outcome.out("last")), ("", "yes\nchild yes\n", "yes\n"))
        self.assertEqual(outcome.sandbox_file("who"), "www-data\n")

    def test_sh_reads_it_as_well(self):
        outcome = self.assert_finished(self.run_with_profile(
            "FROM_PROFILE=yes", process("second", "# a comment\necho $FROM_PROFILE $0"),
            process("last", "echo $FROM_PROFILE", final=True), image=self.with_busybox()))
        self.assertEqual((outcome.out("second"), outcome.out("last")), ("yes /bin/sh\n", "yes\n"))

    def test_a_fault_in_it_is_shown_and_the_command_runs(self):
        for image in (None, self.with_busybox()):
            with self.subTest(image=image):
                outcome = self.assert_finished(self.run_with_profile("if", process("second", "echo went on"), image=image))
                self.assertEqual(outcome.out("second"), "went on\n")
                self.assertIn(".thermos_profile", outcome.err("second"))

    def test_its_exit_is_the_runs_exit(self):
        for image in (None, self.with_busybox()):
            with self.subTest(image=image):
                outcome = self.run_with_profile("exit 7", process("second", "echo never"), image=image)
                self.assertEqual((outcome.code, outcome.runs("second")[0]["exit_code"], outcome.out("second")), (1, 7, ""))

    def test_a_health_command_reads_it_too(self):
        check = {"health_checker": {"shell": {"shell_command": 'echo "$X" >> seen; test "$X" = yes'}}, "interval_secs": 0.1}
        outcome = self.assert_finished(self.run_task(document(
            "echo 'X=yes' > .thermos_profile; until grep -q yes seen; do sleep 0.02; done; sleep 1", health_check_config=check)))
        self.assertIn("TASK_RUNNING", outcome.updates())

    def test_what_is_no_file_of_the_roles_is_not_read(self):
        for make in ("mkdir .thermos_profile", "mkfifo .thermos_profile", "echo 'echo no' > .thermos_profile; chmod 0 .thermos_profile",
                     "ln -s /nowhere .thermos_profile"):
            with self.subTest(make=make):
                outcome = self.assert_finished(self.run_task(
                    document(process("first", make), process("second", "echo yes"), order=["first", "second"])))
                self.assertEqual((outcome.out("second"), outcome.err("second")), ("yes\n", ""))

    def test_a_link_to_a_file_of_roots_gives_nothing_away(self):
        secret = self.host.write("secret", "echo secret\n")
        os.chmod(secret, 0o600)
        outcome = self.assert_finished(self.run_task(
            document(process("first", f"ln -s {secret} .thermos_profile"), process("second", "echo yes"), order=["first", "second"])))
        self.assertEqual((outcome.out("second"), outcome.err("second")), ("yes\n", ""))


class Outcome(ExecutorTestCase):
    SHOW = 'echo "$AURORA_TASK_STATE,$AURORA_REASON"; cat "$AURORA_OUTCOME_FILE"'

    def outcome_of(self, task):
        """What the final process `last` was told: state and reason, and the file."""
        line, _, text = task.out("last").partition("\n")
        return line, json.loads(text)

    def test_a_failure_is_told_with_every_run(self):
        for image in (None, self.with_busybox()):
            with self.subTest(image=image):
                outcome = self.run_task(document(
                    process("web", "exit $((3 + AURORA_RUN))", max_failures=2), process("other", "true"),
                    process("last", self.SHOW, final=True), image=image))
                self.assertEqual(outcome.code, 1, outcome)
                line, told = self.outcome_of(outcome)
                self.assertEqual(line, "TASK_FAILED," + outcome.result.get("reason", ""))
                self.assertEqual(
                    (told["schema_version"], told["task_id"], told["state"], told["message"], told["decider"]),
                    (1, outcome.id, "TASK_FAILED", outcome.result["message"], {"process": "web", "run": 1}))
                self.assertEqual([run["exit_code"] for run in told["processes"]["web"]["runs"]], [3, 4])
                self.assertEqual(told["processes"]["web"]["runs"], outcome.result["processes"]["web"]["runs"])
                self.assertEqual(told["processes"]["other"]["state"], "SUCCESS")

    def test_a_success_is_told_and_nothing_to_regular_processes(self):
        outcome = self.assert_finished(self.run_task(document(
            "env; ls -A .logs", process("last", "set -u; " + self.SHOW, final=True), image=self.with_busybox())))
        self.assertEqual(self.outcome_of(outcome)[0], "TASK_FINISHED,")
        self.assertNotIn("AURORA_TASK_STATE", outcome.out())
        self.assertNotIn("outcome", outcome.out())

    def test_a_stop_and_a_limit_are_told(self):
        task = self.start_task(document("sleep 1000", process("last", self.SHOW, final=True)))
        outcome = task.wait_running().signal(signal.SIGTERM).wait()
        self.assertEqual(self.outcome_of(outcome)[0], "TASK_KILLED," + outcome.result.get("reason", ""))
        hungry = "x=$(head -c 100000000 /dev/zero | tr '\\0' x); echo ${#x}"
        outcome = self.run_task(document(hungry, process("last", self.SHOW, final=True), ram=32 << 20, image=self.with_busybox()))
        line, told = self.outcome_of(outcome)
        self.assertEqual(line, "TASK_FAILED,REASON_CONTAINER_LIMITATION_MEMORY")
        self.assertEqual(told["processes"]["main"]["runs"][0]["reason"], "oom")

    def test_a_later_final_process_is_told_of_an_earlier_one(self):
        outcome = self.assert_finished(self.run_task(document(
            "true", process("f1", "exit 9", final=True), process("last", self.SHOW, final=True), max_concurrency=1)))
        self.assertEqual(self.outcome_of(outcome)[1]["processes"]["f1"]["runs"][0]["exit_code"], 9)

    def test_it_is_told_after_a_takeover(self):
        task = self.start_task(document(
            "trap '' TERM; until test -e done; do sleep 0.02; done; exit 5", process("last", self.SHOW, final=True)))
        task.wait_running().kill()
        with open(task.sandbox + "/done", "w", encoding="ascii"):
            pass
        outcome = self.host.recover(task.id)
        self.assertEqual(outcome.code, 1, outcome)
        line, told = self.outcome_of(outcome)
        self.assertEqual((line, told["processes"]["main"]["runs"][0]["exit_code"]), ("TASK_FAILED," + outcome.result["reason"], 5))

    def test_links_that_the_task_planted_lead_the_file_nowhere(self):
        target = self.host.write("target", "untouched")
        os.chmod(target, 0o666)
        outcome = self.assert_finished(self.run_task(document(
            f"mkdir -p .logs; ln -sf {target} .logs/.outcome.json; ln -sf {target} .logs/.outcome.json.new; "
            f"mv .logs old; ln -s {self.host.directory} .logs; true",
            process("last", self.SHOW + '; echo x >> "$AURORA_OUTCOME_FILE" || true', final=True))))
        with open(target, encoding="ascii") as file:
            self.assertEqual(file.read(), "untouched")
        told = os.path.join(outcome.directory, "logs", ".outcome.json")
        about = os.stat(told)
        self.assertEqual((about.st_uid, about.st_mode & 0o777), (0, 0o644))
        with open(told, encoding="utf-8") as file:
            self.assertEqual(json.load(file)["state"], "TASK_FINISHED")

    def test_final_processes_run_without_a_pid_namespace_of_their_own(self):
        outcome = self.assert_finished(self.run_task(document(
            "(trap '' TERM; sleep 1000) & sleep 0.05", process("last", self.SHOW + "; sleep 0.05; echo >&2 lived", final=True),
            finalization_wait=1, container={"linux_info": {"share_pid_namespace": True}})))
        self.assertEqual((self.outcome_of(outcome)[0], outcome.err("last")), ("TASK_FINISHED,", "lived\n"))

    def test_it_is_found_without_mounts_too(self):
        outcome = self.assert_finished(self.run_task(
            document("true", process("last", self.SHOW, final=True)), "--isolation", "posix/rlimits"))
        self.assertEqual(self.outcome_of(outcome)[0], "TASK_FINISHED,")


class InDocker(DockerTestCase):
    """The same init does it there."""

    def test_the_profile_is_read_and_the_outcome_told(self):
        outcome = self.run_docker(
            process("first", "echo 'export X=yes; id -u' > .thermos_profile"), process("second", "echo $X; exit 4"),
            process("last", "echo $X; " + Outcome.SHOW, final=True), order=["first", "second"])
        self.assertEqual(outcome.code, 1, outcome)
        self.assertEqual(outcome.out("second"), "33\nyes\n")
        head, _, told = outcome.out("last").partition("yes\n")
        self.assertEqual(head, "33\n")
        line, _, text = told.partition("\n")
        self.assertEqual(line, "TASK_FAILED," + outcome.result["reason"])
        self.assertEqual(json.loads(text)["processes"]["second"]["runs"][0]["exit_code"], 4)


class Ports(ExecutorTestCase):
    TASK = document("echo {{thermos.ports[http]}} {{thermos.ports[admin]}}")

    def test_a_port_that_is_not_given_is_named_with_the_option(self):
        outcome = self.run_task(self.TASK, "--port", "admin:8080")
        self.assertEqual(outcome.code, 65)
        for words in ("{{thermos.ports[http]}}", "--port http:NUMBER", "--port http:auto", "processes[0].cmdline"):
            self.assertIn(words, outcome.said)

    def test_auto_gives_each_a_free_port_of_its_own_and_says_which(self):
        outcome = self.assert_finished(self.run_task(self.TASK, "--port", "http:auto", "-P", "admin:auto"))
        http, admin = map(int, outcome.out().split())
        self.assertNotEqual(http, admin)
        for port in (http, admin):
            self.assertIn(port, range(31000, 32001))
        self.assertIn(f"ports admin {admin}, http {http}", outcome.said)
        self.assertEqual(outcome.result["ports"], {"http": http, "admin": admin})
        self.assertIn(f"admin {admin}, http {http}", self.aurora("status", outcome.id).out)

    def test_auto_passes_over_ports_that_are_taken_or_given(self):
        # All but a few, on IPv4, IPv6 and one address alone.
        held, free = [], set(range(31000, 32001, 200))
        for port in range(31000, 32001):
            if port in free:
                continue
            family, address = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::"))[port % 3]
            listener = socket.socket(family)
            held.append(listener)
            try:
                listener.bind((address, port))
                listener.listen(1)
            except OSError:
                # Somebody else's, which is as good.
                pass
        self.addCleanup(lambda: [listener.close() for listener in held])
        for _ in range(3):
            done = self.aurora("render", self.host.write("t.json", self.TASK), "-P", "http:auto", "-P", "admin:auto", "-P", "x:31200")
            chosen = set(map(int, json.loads(done.out)["processes"][0]["cmdline"].split()[1:]))
            self.assertLessEqual(chosen, free - {31200})
            self.assertEqual(len(chosen), 2)
        names = [f"p{index}" for index in range(7)]
        done = self.aurora("validate", self.host.path("t.json"), *(word for name in names for word in ("-P", f"{name}:auto")))
        self.assertEqual(done.code, 73, done)
        self.assertIn("p6:auto: no port from 31000 to 32000 is free", done.err)

    def test_a_takeover_goes_on_with_the_same_port(self):
        task = self.start_task(document(
            process("a", "echo {{thermos.ports[http]}}; until test -e done; do sleep 0.02; done"),
            process("b", "echo {{thermos.ports[http]}}"), order=["a", "b"]), "--port", "http:auto")
        task.wait_running().kill()
        with open(task.sandbox + "/done", "w", encoding="ascii"):
            pass
        outcome = self.assert_finished(self.host.recover(task.id))
        self.assertEqual(outcome.out("a"), outcome.out("b"))

    def test_a_detached_task_gets_the_port_that_was_printed(self):
        task_id = self.host.task_id()
        path = self.host.write("t.json", document("echo {{thermos.ports[http]}}; sleep 0.2"))
        done = self.aurora("run", "--task", path, "--task-id", task_id, "--role", "www-data", "--detach", "--port", "http:auto")
        self.assertEqual(done.code, 0, done)
        task = TaskFiles(self.host, task_id)
        wait_until(lambda: os.path.exists(task.result_path), "the end of the task")
        self.assertIn(f"ports http {task.out().strip()}\n", done.err)

    def test_plan_and_validate_take_it(self):
        path = self.host.write("t.json", self.TASK)
        words = ("-P", "http:auto", "-P", "admin:auto")
        self.assertEqual(self.aurora("validate", path, *words).code, 0)
        plan = json.loads(self.aurora("plan", path, "--role", "www-data", "--output", "json", *words).out)
        self.assertEqual(sorted(plan["ports"]), ["admin", "http"])

    def test_what_is_no_port_is_refused(self):
        path = self.host.write("t.json", self.TASK)
        for port in ("http", ":80", ":auto", "http:", "http:0", "http:65536", "http:Auto", "http:+80", "http:８０"):
            with self.subTest(port=port):
                done = self.aurora("validate", path, "--port", port)
                self.assertEqual(done.code, 64, done)
                self.assertIn("NAME:PORT", done.err)


class Caller(ExecutorTestCase):
    """Whatever the caller had, a process starts from the same."""

    def test_under_nohup_with_everything_closed_and_ignored_a_process_starts_as_ever(self):
        def hostile():
            for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
                signal.signal(number, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
            os.umask(0o777)
            for number in range(3):
                os.close(number)
        task_id = self.host.task_id()
        path = self.host.write("task.json", document(
            "grep -E '^Sig(Blk|Ign)|^Umask' /proc/self/status; readlink /proc/self/fd/0; ls /proc/$$/fd",
            "yes | head -n 1; echo ${PIPESTATUS[0]}"))
        done = subprocess.run(
            self.host.words(["run", "--task", path, "--task-id", task_id, "--role", "www-data"]),
            env=self.host.environment(), preexec_fn=hostile, close_fds=False, timeout=30, check=False)
        self.assertEqual(done.returncode, 0)
        task = TaskFiles(self.host, task_id)
        lines = task.out().split("\n")
        self.assertEqual(lines[:3], ["Umask:\t0022", "SigBlk:\t" + "0" * 16, "SigIgn:\t" + "0" * 16])
        self.assertEqual(lines[3], "/dev/null")
        # `ls` itself opens the directory.
        self.assertLessEqual(set(lines[4:-1]), {"0", "1", "2", "3"})
        # Killed by SIGPIPE, as programs expect.
        self.assertEqual(task.out("main1"), "y\n141\n")
