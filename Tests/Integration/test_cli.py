"""The command line: help, mistakes, exit statuses, and output for people and for programs."""

import json
import os
import pty
import re
import signal
import subprocess

from support import ExecutorTestCase, document, process

COMMANDS = ("run", "validate", "plan", "render", "schema", "simulate", "ps", "status", "logs", "recover", "image", "version")


class Help(ExecutorTestCase):
    def test_help_names_every_command(self):
        for word in ("--help", "-h", "help"):
            done = self.aurora(word)
            self.assertEqual(done.code, 0)
            for command in COMMANDS:
                self.assertRegex(done.out, rf"(?m)^ +{command} ")

    def test_every_command_has_help_with_a_usage_line_on_standard_output(self):
        for command in COMMANDS:
            with self.subTest(command=command):
                done = self.aurora(command, "--help")
                self.assertEqual((done.code, done.err), (0, ""))
                self.assertIn(f"usage: aurora-executor {command}", done.out)

    def test_every_option_that_design_promises_for_run_is_there(self):
        text = self.aurora("run", "--help").out
        for option in ("--task", "--task-id", "--role", "--instance", "--hostname", "--port", "-P", "--bind", "--work-dir",
                       "--run-dir", "--isolation", "--sandbox-mount-point", "--no-create-user", "--output", "--result",
                       "--status-fd", "--follow", "--rm", "--max-runs"):
            self.assertRegex(text, rf"(?m){option}\b")

    def test_version_is_one_line_or_json(self):
        self.assertRegex(self.aurora("version").out, r"^aurora-executor \d+\.\d+\.\d+\n$")
        self.assertEqual(self.aurora("--version").out, self.aurora("version").out)
        self.assertEqual(json.loads(self.aurora("version", "--output", "json").out)["name"], "aurora-executor")


class Mistakes(ExecutorTestCase):
    def mistaken(self, *arguments, code=64):
        done = self.aurora(*arguments)
        self.assertEqual((done.code, done.out), (code, ""), done)
        return done.err

    def test_no_arguments_is_a_usage_error_that_shows_help(self):
        self.assertIn("usage:", self.mistaken())

    def test_an_unknown_command_names_the_nearest(self):
        self.assertIn("validate", self.mistaken("valdiate"))

    def test_an_unknown_option_names_the_nearest(self):
        self.assertIn("--task-id", self.mistaken("run", "--taskid", "x"))
        self.assertIn("--output", self.mistaken("ps", "--ouput", "json"))

    def test_an_unknown_image_action_names_the_nearest(self):
        self.assertIn("inspect", self.mistaken("image", "inspct", "x"))

    def test_mistakes_of_values_are_usage_errors(self):
        path = self.host.write("t.json", document("true"))
        for words in (
            ["--task", path, "--output", "xml"], ["--task", path, "--port", "http"], ["--task", path, "--port", "http:0"],
            ["--task", path, "--port", "http:65536"], ["--task", path, "--instance", "-1"], ["--task", path, "--instance", "x"],
            ["--task", path, "--bind", "novalue"], ["--task", path, "--task-id", "../x"], ["--task", path, "--task-id", ""],
            ["--task", path, "--task-id", "x" * 129], ["--task", path, "--max-runs", "0"], ["validate", "--task"],
            ["--task", path, "--task", path], ["run"], ["--task", path, "--rm=yes"],
            ["--task", path, "--sandbox-mount-point", "relative"], ["--task", path, "--sandbox-mount-point", "/a/../b"],
            ["status"], ["logs"], ["recover"], ["image"], ["image", "import"], ["validate"],
        ):
            with self.subTest(words=words):
                self.mistaken(*words)

    def test_work_directories_that_overlayfs_or_sockets_would_misread_are_refused(self):
        path = self.host.write("t.json", document("true"))
        for directory in ("relative/dir", "/tmp/a:b", "/tmp/a,b", "/tmp/a\nb"):
            with self.subTest(directory=directory):
                self.host.work = directory
                self.assertEqual(self.aurora("--task", path).code, 64)

    def test_files_and_tasks_that_are_not_there_are_exit_status_66(self):
        self.assertIn("/no/such.json", self.mistaken("--task", "/no/such.json", code=66))
        self.assertIn("/no/such.json", self.mistaken("validate", "/no/such.json", code=66))
        for command in ("status", "logs", "recover"):
            self.assertIn("nothing", self.mistaken(command, "nothing", code=66))

    def test_a_directory_as_a_document_is_exit_status_66(self):
        self.mistaken("--task", self.host.directory, code=66)

    def test_an_unknown_task_names_the_nearest(self):
        self.run_task(document("true"), task_id=self.prefix + "webserver")
        self.assertIn(self.prefix + "webserver", self.mistaken("status", self.prefix + "webservre", code=66))

    def test_a_run_directory_too_deep_for_a_socket_works_or_is_named(self):
        self.host.run_directory = self.host.path("r" * 100)
        outcome = self.run_task(document("true"))
        if outcome.code != 0:
            self.assertIn("r" * 100, outcome.said)

    def test_a_work_directory_that_cannot_be_made_is_exit_status_73(self):
        self.host.work = self.host.write("file", "x") + "/below"
        self.assertEqual(self.aurora("--task", self.host.write("t.json", document("true")), "--role", "nobody").code, 73)

    def test_an_unknown_isolator_is_named(self):
        outcome = self.run_task(document("true"), "--isolation", "filesystem/linux,namespaces/pd")
        self.assertNotEqual(outcome.code, 0)
        self.assertIn("namespaces/pd", outcome.said)

    def test_without_root_another_role_is_exit_status_77(self):
        def nobody():
            os.setgid(65534)
            os.setgroups([])
            os.setuid(65534)
        os.chmod(self.host.directory, 0o1777)
        path = self.host.write("t.json", document("true"))
        done = self.aurora("--task", path, "--role", "www-data", preexec_fn=nobody)
        self.assertEqual(done.code, 77, done)
        self.assertIn("root", done.err)

    def test_without_root_ones_own_task_runs_on_the_host(self):
        def nobody():
            os.setgid(65534)
            os.setgroups([])
            os.setuid(65534)
        os.chmod(self.host.directory, 0o1777)
        path = self.host.write("t.json", document("id -u; echo $HOME"))
        task_id = self.host.task_id()
        done = self.aurora("--task", path, "--role", "nobody", "--task-id", task_id, preexec_fn=nobody)
        self.assertEqual(done.code, 0, done)
        with open(f"{self.host.work}/tasks/{task_id}/logs/main/0/stdout", encoding="utf-8") as log:
            self.assertTrue(log.read().startswith("65534\n"))


class Output(ExecutorTestCase):
    def test_json_output_is_one_update_a_line(self):
        outcome = self.run_task(document("exit 3"), "--output", "json")
        updates = [json.loads(line) for line in outcome.finished.out.splitlines()]
        self.assertEqual([update["state"] for update in updates], ["TASK_STARTING", "TASK_RUNNING", "TASK_FAILED"])
        for update in updates:
            self.assertLessEqual(set(update), {"task_id", "state", "reason", "message", "hint", "timestamp"})
            self.assertEqual(update["task_id"], outcome.id)
            self.assertRegex(update["timestamp"], r"^\d{4}-\d\d-\d\dT[\d:]{8}\.\d{3}Z$")
            self.assertNotIn(None, update.values())
        self.assertEqual(updates[-1]["message"], outcome.result["message"])

    def test_status_fd_gets_the_same_lines_whatever_the_output(self):
        read, write = os.pipe()
        outcome = self.run_task(document("true"), "--status-fd", write, pass_fds=(write,))
        os.close(write)
        with os.fdopen(read) as lines:
            states = [json.loads(line)["state"] for line in lines]
        self.assertEqual(states, ["TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED"])
        self.assertEqual(outcome.finished.out, "")

    def test_a_hint_is_a_member_of_its_own_and_a_line_of_its_own(self):
        read, write = os.pipe()
        outcome = self.run_task(document("true", image="nowhere:1"), "--pull", "never", "--status-fd", write, pass_fds=(write,))
        os.close(write)
        with os.fdopen(read) as lines:
            update = [json.loads(line) for line in lines][-1]
        finished = outcome.journal()[-1]
        status = json.loads(self.aurora("status", outcome.id, "--output", "json").out)
        listed = json.loads(self.aurora("ps", "--output", "json").out)
        for told in (update, outcome.result, finished, status, listed):
            self.assertIn("nowhere:1 is not in the image store", told["message"])
            self.assertIn("image import", told["hint"])
        self.assertNotIn("hint", outcome.result["message"])
        line = f"\nhint: {update['hint']}\n"
        self.assertIn(line, outcome.said)
        self.assertIn(line, self.aurora("status", outcome.id).out)
        self.assertIn("hint: " + update["hint"], self.aurora("stop", outcome.id).out)
        self.assertIn(update["hint"], self.aurora("explain", outcome.id).out)

    def test_status_fd_does_not_reach_the_processes(self):
        read, write = os.pipe()
        outcome = self.run_task(document("ls -l /proc/$$/fd"), "--status-fd", write, pass_fds=(write,))
        os.close(write)
        os.close(read)
        self.assertEqual(outcome.code, 0, outcome)
        self.assertLessEqual(len(outcome.out().splitlines()), 5)

    def test_plain_output_shows_states_result_and_logs(self):
        outcome = self.run_task(document("true"))
        for words in (outcome.id, "TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED", outcome.result_path, outcome.directory + "/logs"):
            self.assertIn(words, outcome.said)

    def test_on_a_terminal_the_output_of_processes_is_shown(self):
        ours, terminal = pty.openpty()
        try:
            self.run_task(document("echo on the terminal"), preexec_fn=lambda: os.dup2(terminal, 1))
            os.set_blocking(ours, False)
            self.assertIn(b"main | on the terminal", os.read(ours, 65536))
        finally:
            os.close(ours)
            os.close(terminal)

    def test_a_task_id_is_made_of_name_and_time(self):
        done = self.aurora("--task", self.host.write("t.json", document("true", name=self.prefix + "my job")), "--role", "nobody")
        self.assertEqual(done.code, 0, done)
        identity = self.aurora("ps", "-q").out.strip()
        self.assertRegex(identity, rf"^{re.escape(self.prefix)}my_job-\d{{8}}-\d{{6}}-[0-9a-f]{{6}}$")

    def test_a_result_that_has_nowhere_to_go_is_told_before_anything_runs(self):
        outcome = self.run_task(document("true"), "--result", "/no/such/directory/result.json")
        self.assertEqual(outcome.code, 73, outcome)
        self.assertIn("/no/such/directory/result.json", outcome.said)
        self.assertFalse(os.path.exists(outcome.result_path))


class Showing(ExecutorTestCase):
    def test_ps_lists_live_and_ended_tasks(self):
        ended = self.run_task(document("exit 1"))
        task = self.start_task(document("echo ready; sleep 1000", finalization_wait=2)).wait_log("ready").wait_running()
        rows = {line.split()[0]: line for line in self.aurora("ps").out.splitlines()}
        self.assertIn("TASK_FAILED", rows[ended.id])
        self.assertIn("TASK_RUNNING", rows[task.id])
        self.assertIn("www-data", rows[task.id])
        self.assertEqual(self.aurora("ps", "--live", "-q").out, task.id + "\n")
        shown = {item["task_id"]: item for item in map(json.loads, self.aurora("ps", "--output", "json").out.splitlines())}
        self.assertEqual((shown[task.id]["ended"], shown[task.id]["executor"]), (False, True))
        self.assertEqual(shown[ended.id]["ended"], True)
        task.signal(signal.SIGTERM).wait()

    def test_ps_of_nothing_prints_nothing_to_standard_output(self):
        done = self.aurora("ps")
        self.assertEqual((done.code, done.out), (0, ""))

    def test_strange_things_among_the_tasks_disturb_nobody(self):
        outcome = self.run_task(document("true"))
        tasks = os.path.dirname(outcome.directory)
        os.mkdir(tasks + "/" + self.prefix + "empty")
        os.mkdir(tasks + "/not an id")
        os.symlink("/etc", tasks + "/" + self.prefix + "link")
        os.mkdir(tasks + "/" + self.prefix + "broken")
        for name, content in (("result.json", b"{"), ("events.jsonl", b"\0" * 1000), ("task.json", b"\xff")):
            with open(f"{tasks}/{self.prefix}broken/{name}", "wb") as file:
                file.write(content)
        done = self.aurora("ps")
        self.assertEqual(done.code, 0, done)
        self.assertIn(outcome.id, done.out)
        for name in ("empty", "broken", "link"):
            for command in ("status", "logs", "recover"):
                with self.subTest(name=name, command=command):
                    done = self.aurora(command, self.prefix + name)
                    self.assertGreaterEqual(done.code, 0, done)
                    self.assertNotIn("Fatal", done.err)
                    if command == "recover":
                        self.assertNotEqual(done.code, 0, done)

    def test_status_of_an_ended_task_is_its_result(self):
        outcome = self.run_task(document(process("web", "exit 4")))
        self.assertEqual(json.loads(self.aurora("status", outcome.id, "--output", "json").out), outcome.result)
        text = self.aurora("status", outcome.id).out
        for words in ("TASK_FAILED", "web", "exit status 4", "www-data (33:33)", outcome.sandbox):
            self.assertIn(words, text)

    def test_status_of_a_live_task_shows_its_processes(self):
        task = self.start_task(document(
            process("first", "true"), process("second", "sleep 1000"), order=["first", "second"], finalization_wait=2))
        task.wait_for("running", process="second")
        shown = json.loads(self.aurora("status", task.id, "--output", "json").out)
        self.assertEqual(shown["state"], "TASK_RUNNING")
        self.assertEqual(shown["processes"]["first"]["state"], "SUCCESS")
        self.assertEqual(shown["processes"]["second"]["state"], "RUNNING")
        self.assertIn("second", self.aurora("status", task.id).out)
        task.signal(signal.SIGTERM).wait()

    def test_a_task_is_named_by_as_much_of_its_id_as_is_enough(self):
        one = self.run_task(document("echo x"), task_id=self.prefix + "abc-1")
        self.run_task(document("true"), task_id=self.prefix + "abd-1")
        self.assertEqual(self.aurora("logs", self.prefix + "abc").out, "x\n")
        self.assertEqual(self.aurora("status", self.prefix + "ab").code, 64)
        self.assertEqual(self.aurora("status", one.id).code, 0)

    def test_plan_shows_what_would_be_done_and_does_nothing(self):
        self.with_busybox()
        path = self.host.write("t.json", document("echo hello", image="busybox:test", ram=64 << 20))
        text = self.aurora("plan", path, "--role", "www-data")
        self.assertEqual(text.code, 0, text)
        for words in ("www-data", "67108864", "echo hello"):
            self.assertIn(words, text.out)
        shown = self.aurora("plan", path, "--role", "www-data", "--output", "json")
        self.assertEqual(shown.code, 0, shown)
        json.loads(shown.out)
        self.assertEqual(self.aurora("ps", "-q").out, "")

    def test_render_binds_templates(self):
        path = self.host.write("t.json", document("echo {{mesos.instance}} {{mine}} {{name}}"))
        done = self.aurora("render", path, "--instance", "5", "--bind", "mine=x")
        self.assertEqual(done.code, 0, done)
        self.assertIn("echo 5 x main", done.out)

    def test_schema_is_json(self):
        self.assertIn("$defs", json.loads(self.aurora("schema").out))


class FullOutput(ExecutorTestCase):
    def test_output_that_cannot_be_written_is_no_success(self):
        path = self.host.write("t.json", document("true"))
        outcome = self.assert_finished(self.run_task(document("echo said")))
        for words in (["--help"], ["version"], ["run", "--help"], ["ps"], ["status", outcome.id], ["logs", outcome.id],
                      ["explain", outcome.id], ["validate", path], ["plan", "--task", path, "--role", "www-data"],
                      ["schema"], ["render", path]):
            with self.subTest(words=words), open("/dev/full", "wb") as full:
                done = subprocess.run(
                    self.host.words(words), stdin=subprocess.DEVNULL, stdout=full, stderr=subprocess.PIPE,
                    env=self.host.environment(), check=False, timeout=30)
                self.assertEqual(done.returncode, 74, (words, done.stderr))
                self.assertIn(b"ENOSPC", done.stderr)
