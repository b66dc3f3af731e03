"""Task documents: the three shapes, what is wrong with one, and hostile JSON."""

import json
import os
import resource
import time

from support import ExecutorTestCase, document, job, process
from support.executor import binary

# What Aurora hands its executor: a job with every field that has a default.
AURORA_JOB = {
    "cluster": "c1", "role": "www-data", "environment": "prod", "name": "web", "service": True, "max_task_failures": 1,
    "priority": 0, "production": False, "enable_hooks": False, "cron_collision_policy": "KILL_EXISTING", "metadata": [],
    "executor_config": {"name": "AuroraExecutor", "data": ""},
    "health_check_config": {
        "health_checker": {"http": {"endpoint": "/health", "expected_response": "ok", "expected_response_code": 0}},
        "initial_interval_secs": 15.0, "interval_secs": 10.0, "max_consecutive_failures": 0,
        "min_consecutive_successes": 1, "timeout_secs": 1.0},
    "lifecycle": {"http": {
        "port": "health", "graceful_shutdown_endpoint": "/quitquitquit", "graceful_shutdown_wait_secs": 5,
        "shutdown_endpoint": "/abortabortabort", "shutdown_wait_secs": 5}},
    "task": {
        "name": "web", "max_failures": 1, "max_concurrency": 0, "finalization_wait": 30,
        "resources": {"cpu": 0.5, "ram": 67108864, "disk": 134217728, "gpu": 0},
        "constraints": [{"order": ["prep", "serve"]}],
        "processes": [
            {"name": "prep", "cmdline": "mkdir -p data", "max_failures": 1, "daemon": False, "ephemeral": False,
             "min_duration": 5, "final": False},
            {"name": "serve", "cmdline": "test -d data; echo port {{thermos.ports[http]}} shard {{mesos.instance}}",
             "max_failures": 0, "daemon": False, "ephemeral": False, "min_duration": 5, "final": False}]}}


class Shapes(ExecutorTestCase):
    def test_a_job_as_aurora_prints_it_runs(self):
        outcome = self.assert_finished(self.run_task(AURORA_JOB, "--port", "http:8080", "--instance", "3"))
        self.assertEqual(outcome.out("serve"), "port 8080 shard 3\n")
        self.assertEqual(outcome.result["role"]["name"], "www-data")

    def test_the_same_job_with_the_fields_of_job_inspect_runs(self):
        task = {**AURORA_JOB, "instances": 2, "update_config": {"batch_size": 1, "watch_secs": 45}}
        self.assert_finished(self.run_task(task, "--port", "http:8080"))

    def test_an_unbound_port_is_an_error_that_names_it(self):
        done = self.aurora("run", "--task", self.host.write("job.json", AURORA_JOB))
        self.assertEqual(done.code, 65, done)
        self.assertIn("thermos.ports[http]", done.err)

    def test_a_task_instance_runs(self):
        instance = {"task": document("echo instance {{mesos.instance}}"), "role": "www-data", "environment": "prod", "instance": 7}
        outcome = self.assert_finished(self.run_task(instance))
        self.assertEqual(outcome.out(), "instance 7\n")

    def test_a_bare_task_runs_as_the_role_of_the_command_line(self):
        outcome = self.assert_finished(self.run_task(document("id -un"), role="nobody"))
        self.assertEqual(outcome.out(), "nobody\n")

    def test_a_bare_task_without_a_role_runs_as_who_invokes(self):
        self.assertEqual(self.run_task(document("id -un"), role=None).out(), "root\n")

    def test_a_bare_task_under_sudo_runs_as_who_called_sudo(self):
        outcome = self.run_task(document("id -un"), role=None, env={"SUDO_USER": "nobody"})
        self.assertEqual(outcome.out(), "nobody\n")

    def test_the_smallest_task_runs(self):
        self.assert_finished(self.run_task({"processes": [{"name": "p", "cmdline": "true"}]}))

    def test_a_document_comes_from_standard_input(self):
        done = self.aurora(
            "--task", "-", "--task-id", self.host.task_id(), "--role", "nobody", input=json.dumps(document("true")))
        self.assertEqual(done.code, 0, done)

    def test_templates_are_bound_in_command_lines(self):
        outcome = self.assert_finished(self.run_task(
            job("echo {{thermos.task_id}} {{thermos.user}} {{mesos.hostname}} {{mesos.role}} {{mesos.cluster}} {{mine}}"),
            "--hostname", "node7", "--bind", "mine=bound"))
        self.assertEqual(outcome.out(), f"{outcome.id} www-data node7 www-data test bound\n")


class Faults(ExecutorTestCase):
    def faults(self, text):
        done = self.aurora("validate", self.host.write("bad.json", text))
        self.assertEqual(done.code, 65, done)
        return done.err

    def test_all_errors_are_reported_at_once_with_line_column_and_path(self):
        said = self.faults('{"name": "t",\n'
                           ' "processes": [{"name": "a", "cmdlin": "x"},\n'
                           '   {"name": "b", "cmdline": 4, "max_failures": "many"}],\n'
                           ' "constraints": [{"order": ["a", "c"]}],\n'
                           ' "max_failures": -1}\n')
        for words in ("bad.json:2:", "cmdline", "bad.json:3:", "processes[1].cmdline", "processes[1].max_failures",
                      "bad.json:4:34: constraints[0].order[1]", '"c"', "bad.json:5:"):
            self.assertIn(words, said)

    def test_an_unknown_key_names_the_nearest_one(self):
        self.assertIn('did you mean "cmdline"?', self.faults('{"processes": [{"name": "a", "cmdlin": "x"}]}'))

    def test_run_warns_of_an_unknown_key_and_goes_on(self):
        outcome = self.assert_finished(self.run_task(document("true", from_the_future=1)))
        self.assertIn("from_the_future", outcome.said)

    def test_two_processes_of_one_name_are_an_error(self):
        said = self.faults(json.dumps(document(process("a", "true"), process("a", "false"))))
        self.assertIn('"a"', said)

    def test_process_names_that_are_paths_are_errors(self):
        for name in ("../x", "/x", ".x", "a/b", "", "n\0l", "x" * 300):
            with self.subTest(name=name):
                self.assertIn("processes[0].name", self.faults(json.dumps(document(process(name, "true")))))

    def test_a_cycle_in_the_order_is_an_error(self):
        task = document(process("a", "true"), process("b", "true"))
        task["constraints"] = [{"order": ["a", "b"]}, {"order": ["b", "a"]}]
        self.faults(json.dumps(task))

    def test_run_refuses_an_invalid_document_before_it_makes_anything(self):
        outcome = self.run_task(document(process("a", "true"), process("a", "true")))
        self.assertEqual(outcome.code, 65, outcome)
        done = self.aurora("ps", "-q")
        self.assertEqual(done.out, "")


class LargeDocuments(ExecutorTestCase):
    """Documents as large as may be, in as much memory and time as an executor may take."""

    PROCESSES = [{"name": f"p{index}", "cmdline": f"echo {index} {{{{thermos.task_id}}}}"} for index in range(10_000)]
    NAMES = [item["name"] for item in PROCESSES]

    def validated(self, data, code, *words):
        path = self.host.write("large.json", data)
        read, write = os.pipe()
        began = time.monotonic()
        pid = os.posix_spawn(binary(), [binary(), "validate", path], self.host.environment(), file_actions=[
            (os.POSIX_SPAWN_DUP2, write, 1), (os.POSIX_SPAWN_DUP2, write, 2)])
        os.close(write)
        with open(read, "rb") as stream:
            said = stream.read().decode()
        _, status, usage = os.wait4(pid, 0)
        self.assertEqual(os.waitstatus_to_exitcode(status), code, said[:500])
        for word in words:
            self.assertIn(word, said[:2000])
        self.assertLess(len(said), 100_000)
        self.assertLess(time.monotonic() - began, 5)
        # What a child has had at its most begins with what its parent has.
        own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        self.assertLessEqual(usage.ru_maxrss, max(256 << 10, own))

    def test_ten_thousand_processes_are_valid(self):
        self.validated({"processes": self.PROCESSES, "constraints": [{"order": self.NAMES}]}, 0, "10000 processes")

    def test_ten_thousand_processes_that_wait_for_each_other_are_refused(self):
        self.validated(
            {"processes": self.PROCESSES, "constraints": [{"order": [*self.NAMES, "p0"]}]}, 65, "wait for each other: p0 -> p1")

    def test_a_hundred_thousand_faults_are_told_in_part(self):
        self.validated('{"processes":[' + ",".join(['{"name":"a","cmdline":"x"}'] * 100_000) + "]}", 65, ':1:50: processes[1].name: a second process')
        self.validated('{"processes":[' + "[]," * 1_000_000 + "[]]}", 65, "1:15: processes[0]: expected an object")
        self.validated("{" + ",".join(f'"k{index}":1' for index in range(300_000)) + "}", 65, 'unknown key "k0"')

    def test_references_that_multiply_are_refused(self):
        self.validated({"processes": [{"name": "a" * 200, "cmdline": "{{name}}" * 400_000}]}, 65, "processes[0].cmdline")


class HostileJSON(ExecutorTestCase):
    def test_keys_cannot_forge_lines_of_the_message(self):
        self.refused('{"a\\nerror: forged" 1}', 'key "a\\u{a}error: forged"')
        self.refused('{"processes":[{"name":"a","cmdline":"x","\\nok":1}]}', '"\\u{a}ok"')

    def refused(self, data, *words):
        path = self.host.write("hostile.json", data)
        done = self.aurora("validate", path, timeout=10)
        self.assertEqual(done.code, 65, f"{done.code} {done.err[:500]}")
        for word in words:
            self.assertIn(word, done.err)
        self.assertLess(len(done.err), 20000)

    def test_deep_nesting_is_an_error_and_no_crash(self):
        self.refused("[" * 100_000)
        self.refused('{"a":' * 100_000)
        self.refused('{"processes":' + "[" * 2000 + "]" * 2000 + "}")

    def test_a_duplicate_key_is_an_error_with_its_place(self):
        self.refused('{"processes":[{"name":"a","cmdline":"x",\n"name":"b"}]}', ":2:1:", '"name"')

    def test_a_duplicate_key_is_found_when_it_is_written_with_escapes(self):
        self.refused('{"processes":[{"name":"a","cmdline":"x","n\\u0061me":"b"}]}', "duplicate")

    def test_invalid_utf8_is_an_error(self):
        for data in (b'{"name":"\xff"}', b'{"name":"\xc0\xaf"}', b'{"name":"\xed\xa0\x80"}', b'\xef\xbb\xbf{', b'{"name":"\xf4\x90\x80\x80"}'):
            with self.subTest(data=data):
                self.refused(data)

    def test_a_nul_is_an_error_raw_and_escaped(self):
        self.refused(b'{"processes":[{"name":"a","cmdline":"x\0y"}]}', "1:")
        self.refused('{"processes":[{"name":"a","cmdline":"x\\u0000y"}]}', "processes[0].cmdline")

    def test_ten_megabytes_are_refused(self):
        self.refused('{"name":"' + "x" * (10 << 20) + '"}', "4 MiB")

    def test_endless_numbers_are_errors(self):
        for number in ("1e999999999", "1" * 100_000, "-", "01", "0x10", "NaN", "1e400", "-1e400", "99999999999999999999"):
            with self.subTest(number=number[:20]):
                self.refused('{"processes":[{"name":"a","cmdline":"x","max_failures":' + number + "}]}")

    def test_resources_that_make_no_sense_are_errors(self):
        for field, value in (("cpu", -1), ("cpu", 1e308), ("ram", -5), ("ram", 1.5), ("disk", "much"), ("ram", 1 << 62)):
            with self.subTest(field=field, value=value):
                task = document("true")
                task["resources"][field] = value
                if (field, value) in (("cpu", 1e308), ("ram", 1 << 62)):
                    # Large is allowed; it must not crash.
                    self.assertIn(self.aurora("validate", self.host.write("large.json", task)).code, (0, 65))
                else:
                    self.refused(json.dumps(task), field)

    def test_text_after_the_document_is_an_error(self):
        self.refused('{"processes":[{"name":"a","cmdline":"x"}]} true', "1:")

    def test_nothing_and_other_values_are_errors(self):
        for text in ("", " ", "null", "[]", "1", '"x"', "{", "{}", "tru"):
            with self.subTest(text=text):
                self.refused(text)

    def test_what_a_terminal_would_act_on_is_not_printed_raw(self):
        done = self.aurora("validate", self.host.write("t.json", '{"\\u001b[2Jkey":1,"processes":[{"name":"\\u001b]0;x","cmdline":"x"}]}'))
        self.assertNotIn("\x1b", done.err + done.out)
