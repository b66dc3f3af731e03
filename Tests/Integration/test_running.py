"""Running a task: how it ends, in which order, how often, and what a process finds around it."""

import json
import os
import re
import resource
import signal
import subprocess
import time

from support import ExecutorTestCase, document, process


class Endings(ExecutorTestCase):
    def test_success_is_exit_status_0_and_a_result_that_says_all(self):
        task_id = self.host.task_id()
        outcome = self.assert_finished(
            self.run_task(document("echo out; echo err >&2"), "--result", self.host.path("copy.json"), task_id=task_id))
        result = outcome.result
        self.assertEqual(result["schema_version"], 1)
        self.assertEqual(result["task_id"], task_id)
        self.assertEqual(result["containerizer"], "mesos")
        self.assertEqual(result["role"], {"name": "www-data", "uid": 33, "gid": 33})
        self.assertRegex(result["created_at"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        self.assertLessEqual(result["created_at"], result["finished_at"])
        run = result["processes"]["main"]["runs"][0]
        self.assertEqual((run["run"], run["state"], run["exit_code"]), (0, "SUCCESS", 0))
        self.assertLessEqual(run["started_at"], run["finished_at"])
        for key in ("cpu_seconds", "memory_peak_bytes", "disk_bytes"):
            self.assertGreaterEqual(result["usage"][key], 0)
        with open(self.host.path("copy.json"), encoding="utf-8") as copy:
            self.assertEqual(json.load(copy), result)
        self.assertEqual((outcome.out(), outcome.err()), ("out\n", "err\n"))

    def test_the_result_names_the_image(self):
        outcome = self.assert_finished(self.run_task(document("true", image=self.with_busybox())))
        self.assertEqual(outcome.result["image"]["reference"], "busybox:test")
        self.assertRegex(outcome.result["image"]["digest"], r"^sha256:[0-9a-f]{64}$")

    def test_failure_is_exit_status_1_and_names_the_deciding_process(self):
        outcome = self.assert_failed(self.run_task(document(process("good", "true"), process("bad", "exit 9"))), "bad")
        self.assertEqual(outcome.result["decider"], {"process": "bad", "run": 0})
        self.assert_runs(outcome, "bad", 9)

    def test_death_by_a_signal_names_the_signal(self):
        outcome = self.assert_failed(self.run_task(document("kill -SEGV $$")), "SIGSEGV")
        self.assert_runs(outcome, "main", "SIGSEGV")

    def test_a_task_that_is_stopped_is_killed_with_exit_status_3(self):
        task = self.start_task(document("sleep 1000"))
        outcome = task.wait_running().signal(signal.SIGTERM).wait()
        self.assertEqual((outcome.code, outcome.result["state"]), (3, "TASK_KILLED"), outcome)

    def test_a_task_reports_its_states_in_order(self):
        outcome = self.assert_finished(self.run_task(document("true", image=self.with_busybox())))
        self.assertEqual(outcome.updates()[:3], ["TASK_STAGING", "TASK_STARTING", "TASK_RUNNING"])

    def test_an_unknown_role_fails_before_anything_runs(self):
        outcome = self.assert_failed(self.run_task(document("true"), role="no-such-user"), "no-such-user")
        self.assertFalse(outcome.has_record("launched"))

    def test_two_hundred_processes_run_to_their_end(self):
        processes = [process(f"p{index}", f"echo {index}") for index in range(200)]
        outcome = self.assert_finished(self.run_task(document(*processes)))
        self.assertEqual([outcome.out(f"p{index}") for index in range(200)], [f"{index}\n" for index in range(200)])


    def test_who_holds_a_log_takes_nobody_with_it(self):
        # Runs that leave a holder of their log behind, while others are being started beside them.
        processes = [
            process(f"p{index}", "setsid sleep 1000 & exit 0" if index % 10 == 0 else f"echo {index}")
            for index in range(200)]
        for _ in range(3):
            self.assert_finished(self.run_task(document(*processes)))


class Planning(ExecutorTestCase):
    def test_an_order_is_kept(self):
        names = ["c", "a", "d", "b"]
        outcome = self.assert_finished(self.run_task(document(
            *[process(name, f"sleep 0.1; echo {name} >> order") for name in sorted(names)], order=names)))
        self.assertEqual(outcome.sandbox_file("order"), "c\na\nd\nb\n")

    def test_what_comes_after_a_failure_in_an_order_does_not_run(self):
        outcome = self.assert_failed(self.run_task(document(
            process("first", "exit 1"), process("second", "touch ran"), order=["first", "second"])))
        self.assertFalse(os.path.exists(outcome.sandbox + "/ran"))

    def test_a_process_is_retried_up_to_its_max_failures(self):
        outcome = self.assert_failed(self.run_task(document(process("main", "exit 4", max_failures=3))))
        self.assert_runs(outcome, "main", 4, 4, 4)

    def test_a_retry_that_succeeds_ends_the_task_well(self):
        outcome = self.assert_finished(self.run_task(document(
            process("main", "echo run $AURORA_RUN; test $AURORA_RUN = 2", max_failures=5))))
        self.assert_runs(outcome, "main", 1, 1, 0)
        self.assertEqual([outcome.out(run=run) for run in range(3)], ["run 0\n", "run 1\n", "run 2\n"])

    def test_min_duration_is_a_gap_between_runs(self):
        outcome = self.assert_failed(self.run_task(document(
            process("main", "date +%s%N >> times; exit 1", max_failures=2, min_duration=1))))
        first, second = (int(line) for line in outcome.sandbox_file("times").split())
        self.assertGreaterEqual(second - first, 990_000_000)

    def test_max_failures_0_retries_until_it_succeeds(self):
        outcome = self.assert_finished(self.run_task(document(
            process("main", "test $AURORA_RUN = 7", max_failures=0))))
        self.assertEqual(len(outcome.runs()), 8)

    def test_a_process_is_run_no_more_often_than_max_runs(self):
        outcome = self.assert_failed(self.run_task(document(process("main", "exit 1", max_failures=0)), "--max-runs", "4"))
        self.assertEqual(len(outcome.runs()), 4)

    def test_a_daemon_is_run_again_after_success(self):
        outcome = self.assert_failed(self.run_task(document(
            process("main", "test $AURORA_RUN -lt 3", daemon=True, max_failures=1))))
        self.assert_runs(outcome, "main", 0, 0, 0, 1)

    def test_an_ephemeral_process_does_not_keep_the_task(self):
        outcome = self.assert_finished(self.run_task(document(
            process("main", "sleep 0.2"), process("side", "sleep 1000", ephemeral=True, daemon=True))))
        self.assertEqual(outcome.result["processes"]["side"]["state"], "KILLED")

    def test_a_failing_ephemeral_process_does_not_fail_the_task(self):
        self.assert_finished(self.run_task(document(
            process("main", "sleep 0.3"), process("side", "exit 3", ephemeral=True))))

    def test_max_failures_of_the_task_counts_processes(self):
        self.assert_finished(self.run_task(document(
            process("a", "exit 1"), process("b", "sleep 0.2"), max_failures=2)))

    def test_final_processes_run_after_the_others(self):
        outcome = self.assert_finished(self.run_task(document(
            process("main", "sleep 0.2; echo main >> order"), process("last", "echo last >> order", final=True))))
        self.assertEqual(outcome.sandbox_file("order"), "main\nlast\n")

    def test_final_processes_run_after_a_failure_as_the_same_user_in_the_same_image(self):
        outcome = self.assert_failed(self.run_task(document(
            process("main", "exit 1"), process("last", "id -u; ls /bin/busybox", final=True), image=self.with_busybox())))
        self.assertEqual(outcome.out("last"), "33\n/bin/busybox\n")

    def test_a_failing_final_process_does_not_undo_a_success(self):
        self.assert_finished(self.run_task(document("true", process("last", "exit 1", final=True))))

    def test_max_concurrency_bounds_how_many_run_at_once(self):
        body = 'echo in >> n; sleep 0.2; echo out >> n'
        outcome = self.assert_finished(self.run_task(document(
            *[process(f"p{index}", body) for index in range(6)], max_concurrency=2)))
        running = most = 0
        for line in outcome.sandbox_file("n").split():
            running += 1 if line == "in" else -1
            most = max(most, running)
        self.assertEqual(most, 2)

    def test_all_processes_without_an_order_run_at_once(self):
        # Each waits for the others: they end only when all three run.
        body = "touch {0}; for i in $(seq 100); do test -e a && test -e b && test -e c && exit 0; sleep 0.1; done; exit 1"
        self.assert_finished(self.run_task(document(*[process(name, body.format(name)) for name in "abc"])))


class Stopping(ExecutorTestCase):
    def test_sigterm_lets_processes_end_and_runs_the_finals(self):
        task = self.start_task(document(
            process("main", "trap 'echo asked; exit 0' TERM; echo ready; while :; do sleep 0.05; done"),
            process("last", "echo final", final=True)))
        outcome = task.wait_log("ready").signal(signal.SIGTERM).wait()
        self.assertEqual((outcome.code, outcome.result["state"]), (3, "TASK_KILLED"), outcome)
        self.assertIn("asked", outcome.out())
        self.assertEqual(outcome.out("last"), "final\n")

    def test_sigint_is_graceful_and_a_second_one_is_at_once(self):
        task = self.start_task(document(
            process("main", "trap '' TERM INT; echo ready; while :; do sleep 0.1; done"),
            process("last", "echo final", final=True), finalization_wait=60))
        task.wait_log("ready").signal(signal.SIGINT).wait_for("stop")
        began = time.monotonic()
        outcome = task.signal(signal.SIGINT).wait(10)
        self.assertLess(time.monotonic() - began, 8)
        self.assertEqual(outcome.code, 3, outcome)

    def test_a_process_that_ignores_sigterm_is_killed_when_the_wait_is_over(self):
        task = self.start_task(document(
            "trap '' TERM; echo ready; while :; do sleep 0.1; done", finalization_wait=2))
        outcome = task.wait_log("ready").signal(signal.SIGTERM).wait(15)
        self.assertEqual(outcome.code, 3, outcome)
        self.assert_runs(outcome, "main", "SIGKILL")

    def test_the_whole_process_group_is_asked_to_end(self):
        task = self.start_task(document(
            "trap : TERM; sh -c 'trap \"echo child asked; exit\" TERM; echo ready; while :; do sleep 0.05; done' & wait; wait"))
        outcome = task.wait_log("ready").signal(signal.SIGTERM).wait()
        self.assertIn("child asked", outcome.out())

    def test_a_daemon_that_forked_twice_into_its_own_session_is_gone_at_the_end(self):
        marker = f"1{os.getpid()}.5"
        task = self.start_task(document(
            f"(setsid sh -c 'setsid sleep {marker} & setsid sleep {marker} &' &); sleep 0.3; echo ready; sleep 1000",
            finalization_wait=3))
        task.wait_log("ready")
        self.assertEqual(len(self.processes_with(marker)), 2)
        outcome = task.signal(signal.SIGTERM).wait()
        self.assertEqual(outcome.code, 3, outcome)
        self.assertEqual(self.processes_with(marker), [])

    def processes_with(self, word):
        """Programs that have the word as an argument."""
        found = []
        for pid in os.listdir("/proc"):
            if pid.isdigit():
                try:
                    with open(f"/proc/{pid}/cmdline", "rb") as file:
                        words = file.read().split(b"\0")
                except OSError:
                    continue
                if words[0].endswith(b"sleep") and word.encode() in words:
                    found.append(int(pid))
        return found

    def test_a_stop_that_comes_before_the_task_runs_is_not_lost(self):
        for delay in (0.0, 0.005, 0.02, 0.05):
            with self.subTest(delay=delay):
                task = self.start_task(document("sleep 1000", finalization_wait=2))
                time.sleep(delay)
                outcome = task.signal(signal.SIGTERM).wait(20)
                # Before the executor could take signals, the signal itself ends it: then there is no task.
                self.assertIn(outcome.code, (3, -signal.SIGTERM), outcome)
                if outcome.code != 3:
                    self.assertFalse(os.path.exists(outcome.directory))

    def test_a_stopped_process_is_not_retried(self):
        task = self.start_task(document(process("main", "echo ready; sleep 1000", max_failures=0)))
        outcome = task.wait_log("ready").signal(signal.SIGTERM).wait()
        self.assertEqual(len(outcome.runs()), 1)

    def test_who_stopped_the_task_is_in_the_message(self):
        task = self.start_task(document("sleep 1000")).wait_running()
        message = task.signal(signal.SIGTERM).wait().result["message"]
        self.assertIn("SIGTERM", message)


    def test_a_process_that_has_stopped_itself_is_ended_too(self):
        task = self.start_task(document("echo ready; kill -STOP $$; sleep 1000", finalization_wait=2))
        outcome = task.wait_log("ready").signal(signal.SIGTERM).wait(15)
        self.assertEqual(outcome.code, 3, outcome)

    def test_no_other_signal_ends_a_task(self):
        faults = {signal.SIGILL, signal.SIGTRAP, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGSEGV, signal.SIGSYS}
        stops = {signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM, signal.SIGINT, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU}
        task = self.start_task(document("echo ready; while ! test -e go; do sleep 0.05; done")).wait_log("ready").wait_running()
        for number in set(range(1, 65)) - {32, 33} - faults - stops:
            task.signal(number)
        with open(os.path.join(task.sandbox, "go"), "w", encoding="utf-8"):
            pass
        outcome = self.assert_finished(task.wait())
        self.assertIn("status: TASK_RUNNING, active: main run 0 RUNNING", outcome.said)

    def test_a_signal_that_was_ignored_at_the_start_stays_so(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(number=number):
                task = self.start_task(
                    document("echo ready; while ! test -e go; do sleep 0.05; done"),
                    preexec_fn=lambda number=number: signal.signal(number, signal.SIG_IGN)).wait_log("ready")
                task.signal(number)
                with open(os.path.join(task.sandbox, "go"), "w", encoding="utf-8"):
                    pass
                self.assert_finished(task.wait())


class CannotStart(ExecutorTestCase):
    def test_a_command_line_that_is_too_long_for_the_kernel_is_refused_with_the_limit(self):
        self.assert_finished(self.run_task(document("true " + "x" * 120_000)))
        outcome = self.run_task(document("true " + "x" * 140_000))
        self.assertEqual(outcome.code, 65, outcome)
        self.assertIn("131071", outcome.said)
        self.assertLess(len(outcome.said), 5000)

    def test_an_image_without_a_shell_fails_at_once_and_names_what_was_searched(self):
        image = self.with_busybox(shell=False)
        outcome = self.assert_failed(self.run_task(document(process("main", "echo", max_failures=3), image=image)))
        text = json.dumps(outcome.result)
        self.assertIn("/bin/sh", text)

    def test_a_missing_interpreter_of_the_images_command_is_named(self):
        def script(tar):
            tar.file("bin/script", "#!/opt/none\n", mode=0o755)
        image = self.with_busybox(config={"Entrypoint": ["/bin/script"]}, extra=script)
        task = document(image=image)
        task["name"] = "t"
        outcome = self.run_task(task)
        self.assertEqual(outcome.code, 1, outcome)
        text = json.dumps(outcome.result)
        self.assertIn("/opt/none", text)
        self.assertIn("interpreter", text)

    def test_an_image_command_that_is_not_there_is_named(self):
        outcome = self.run_task(document(image=self.with_busybox(config={"Cmd": ["no-such-program"]})))
        self.assertEqual(outcome.code, 1, outcome)
        self.assertIn("no-such-program", json.dumps(outcome.result))

    def test_a_program_for_another_machine_is_named(self):
        def foreign(tar):
            header = bytearray(open("/bin/true", "rb").read(64))
            header[18:20] = b"\xb7\x00"
            tar.file("bin/foreign", bytes(header) + bytes(4096), mode=0o755)
        outcome = self.run_task(document(image=self.with_busybox(config={"Entrypoint": ["/bin/foreign"]}, extra=foreign)))
        self.assertEqual(outcome.code, 1, outcome)
        self.assertIn("arm64", json.dumps(outcome.result))

    def test_a_task_without_processes_runs_the_images_command_in_its_workdir(self):
        image = self.with_busybox(config={
            "Entrypoint": ["/bin/sh", "-c", 'pwd; echo "$0 $1 $GREETING $HOME"'], "Cmd": ["one", "two words"],
            "WorkingDir": "/made/on/demand", "Env": ["GREETING=hello"]})
        outcome = self.assert_finished(self.run_task(document(image=image)))
        process_name = next(iter(outcome.result["processes"]))
        self.assertEqual(outcome.out(process_name), "/made/on/demand\none two words hello /mnt/mesos/sandbox\n")


class Surroundings(ExecutorTestCase):
    """What a process finds: environment, descriptors, signals, limits of its birth."""

    def variables(self, outcome):
        pairs = (line.split("=", 1) for line in outcome.out().splitlines() if "=" in line)
        # What the shell itself adds.
        return {key: value for key, value in pairs if key not in ("PWD", "SHLVL", "OLDPWD", "_")}

    def test_the_environment_with_an_image_is_exactly_what_is_promised(self):
        image = self.with_busybox(config={"Env": ["PATH=/bin:/opt/bin", "LANG=xx", "USER=liar", "EMPTY="]})
        outcome = self.assert_finished(self.run_task(document("env", image=image), env={"SECRET": "of the executor"}))
        sandbox = "/mnt/mesos/sandbox"
        self.assertEqual(self.variables(outcome), {
            "HOME": sandbox, "USER": "www-data", "LOGNAME": "www-data", "SHELL": "/bin/sh", "PATH": "/bin:/opt/bin",
            "TMPDIR": sandbox + "/.tmp", "MESOS_SANDBOX": sandbox, "MESOS_DIRECTORY": sandbox,
            "AURORA_TASK_ID": outcome.id, "AURORA_PROCESS": "main", "AURORA_RUN": "0", "LANG": "xx", "EMPTY": ""})

    def test_the_environment_without_an_image_is_exactly_what_is_promised(self):
        outcome = self.assert_finished(self.run_task(
            document("env"), env={"SECRET": "of the executor", "PATH": "/usr/bin:/bin:/mine"}))
        self.assertEqual(self.variables(outcome), {
            "HOME": outcome.sandbox, "USER": "www-data", "LOGNAME": "www-data", "SHELL": "/bin/sh",
            "PATH": "/usr/bin:/bin:/mine", "TMPDIR": outcome.sandbox + "/.tmp", "MESOS_SANDBOX": outcome.sandbox,
            "MESOS_DIRECTORY": outcome.sandbox, "AURORA_TASK_ID": outcome.id, "AURORA_PROCESS": "main", "AURORA_RUN": "0"})

    def test_home_and_tmpdir_are_the_roles_and_writable(self):
        outcome = self.assert_finished(self.run_task(
            document('touch "$HOME/a" "$TMPDIR/b"; stat -c "%u %g %a" .', image=self.with_busybox())))
        self.assertEqual(outcome.out(), "33 33 700\n")

    def test_standard_input_is_dev_null(self):
        outcome = self.assert_finished(self.run_task(
            document("wc -c; readlink /proc/self/fd/0", image=self.with_busybox())))
        self.assertEqual(outcome.out(), "0\n/dev/null\n")

    def test_the_umask_is_022_whatever_the_executors_is(self):
        outcome = self.run_task(document("umask"), preexec_fn=lambda: os.umask(0o077))
        self.assertEqual(outcome.out(), "0022\n")
        self.assertEqual(oct(os.stat(outcome.result_path).st_mode & 0o777), "0o600")
        self.assertEqual(oct(os.stat(outcome.directory).st_mode & 0o777), "0o700")

    def test_no_descriptor_of_the_executor_or_its_caller_reaches_a_process(self):
        with open("/etc/hostname", "rb") as secret:
            copies = [os.dup(secret.fileno()) for _ in range(40)]
            for fd in copies:
                os.set_inheritable(fd, True)
            try:
                outcome = self.assert_finished(self.run_task(
                    document("for f in /proc/self/fd/*; do echo ${f##*/}; done", image=self.with_busybox()), close_fds=False))
            finally:
                for fd in copies:
                    os.close(fd)
        # The shell itself opens the directory for the pattern, at most one descriptor.
        self.assertLessEqual(set(outcome.out().split()), {"0", "1", "2", "3"})
        listed = self.assert_finished(self.run_task(document("ls -l /proc/$$/fd"), close_fds=True)).out()
        self.assertNotIn("hostname", listed)

    def test_no_signal_is_ignored_or_blocked(self):
        def hostile():
            for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGUSR1):
                signal.signal(number, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2, signal.SIGCHLD, signal.SIGWINCH})
        outcome = self.run_task(document("grep -E '^Sig(Blk|Ign)' /proc/self/status"), preexec_fn=hostile)
        masks = dict(re.findall(r"(Sig\w+):\s+(\w+)", outcome.out()))
        self.assertEqual(int(masks["SigBlk"], 16), 0)
        self.assertEqual(int(masks["SigIgn"], 16), 0)

    def test_an_executor_that_inherits_a_blocked_sigterm_stops(self):
        def blocking():
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        task = self.start_task(document("sleep 1000"), preexec_fn=blocking)
        self.assertEqual(task.wait_running().signal(signal.SIGTERM).wait().code, 3)

    def test_an_executor_without_standard_descriptors_runs_its_task(self):
        task_id = self.host.task_id()
        path = self.host.write("task.json", document("echo here", image=self.with_busybox()))
        words = self.host.words(["run", "--task", path, "--task-id", task_id, "--role", "www-data"])
        def closing():
            for fd in (0, 1, 2):
                os.close(fd)
        done = subprocess.run(words, env=self.host.environment(), preexec_fn=closing, timeout=30, check=False)
        self.assertEqual(done.returncode, 0)
        with open(f"{self.host.work}/tasks/{task_id}/logs/main/0/stdout", encoding="utf-8") as log:
            self.assertEqual(log.read(), "here\n")

    def test_bash_is_the_shell_where_there_is_one(self):
        outcome = self.assert_finished(self.run_task(document("echo $BASH")))
        self.assertEqual(outcome.out(), "/bin/bash\n" if os.path.exists("/bin/bash") else "\n")

    def test_the_working_directory_is_the_sandbox_also_where_the_image_has_a_workdir(self):
        outcome = self.assert_finished(self.run_task(
            document("pwd", image=self.with_busybox(config={"WorkingDir": "/var"}))))
        self.assertEqual(outcome.out(), "/mnt/mesos/sandbox\n")

    def test_the_sandbox_mount_point_is_where_it_is_asked_for(self):
        outcome = self.assert_finished(self.run_task(
            document("pwd; echo x > file", image=self.with_busybox()), "--sandbox-mount-point", "/srv/deep/box"))
        self.assertEqual((outcome.out(), outcome.sandbox_file("file")), ("/srv/deep/box\n", "x\n"))

    def test_an_executor_with_an_empty_environment_runs_its_task(self):
        self.host.environment = lambda extra=None: {}
        self.assert_finished(self.run_task(document("id -un", image=self.with_busybox())))
        self.assert_finished(self.run_task(document("id -un")))

    def test_an_executor_whose_directory_is_gone_runs_its_task(self):
        gone = self.host.path("gone")
        def enter():
            os.mkdir(gone)
            os.chdir(gone)
            os.rmdir(gone)
        self.assert_finished(self.run_task(document("pwd"), preexec_fn=enter))

    def test_a_document_is_found_relative_to_the_working_directory(self):
        self.host.write("task.json", document("true"))
        self.assertEqual(self.aurora("--task", "task.json", "--role", "nobody", cwd=self.host.directory).code, 0)

    def test_few_descriptors_are_enough_for_many_processes(self):
        def few():
            resource.setrlimit(resource.RLIMIT_NOFILE, (64, 4096))
        processes = [process(f"p{index}", "ulimit -Sn") for index in range(60)]
        outcome = self.assert_finished(self.run_task(document(*processes), preexec_fn=few))
        # What the executor needs for itself is not handed on.
        self.assertEqual(outcome.out("p7"), "64\n")

    def test_a_closed_standard_output_does_not_stop_the_task(self):
        read, write = os.pipe()
        os.close(read)
        task_id = self.host.task_id()
        path = self.host.write("task.json", document("seq 100000"))
        words = self.host.words(["run", "--task", path, "--task-id", task_id, "--role", "www-data", "--follow"])
        done = subprocess.run(words, env=self.host.environment(), stdout=write, stderr=subprocess.DEVNULL, timeout=30, check=False)
        os.close(write)
        self.assertEqual(done.returncode, 0)
