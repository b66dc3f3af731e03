"""Limits are real: memory, processes, CPU."""

import os
import signal

from support import ExecutorTestCase, document, need, need_controller, process
from support.executor import wait_until

MIB = 1 << 20
# Takes more than any limit here: tail keeps a line without end in memory.
HOG = "tail /dev/zero"


class Memory(ExecutorTestCase):
    def setUp(self):
        super().setUp()
        need_controller("memory")

    def assert_out_of_memory(self, outcome, limit="32 MiB"):
        self.assert_failed(outcome, "memory", limit, reason="REASON_CONTAINER_LIMITATION_MEMORY")
        # Limit and peak.
        self.assertGreaterEqual(outcome.result["message"].count("MiB"), 2, outcome)
        run = outcome.runs()[-1]
        self.assertEqual(run["reason"], "oom")
        self.assertEqual(run["memory_limit_bytes"], 32 * MIB)
        self.assertGreater(run["memory_peak_bytes"], 24 * MIB)
        self.assertGreater(outcome.result["usage"]["memory_peak_bytes"], 24 * MIB)

    def test_a_process_over_the_memory_limit_fails_the_task_with_limit_and_peak(self):
        for image in (None, self.with_busybox()):
            with self.subTest(image=image):
                outcome = self.run_task(document("exec " + HOG, image=image, ram=32 * MIB))
                self.assert_out_of_memory(outcome)
                self.assert_runs(outcome, "main", "SIGKILL")

    def test_a_kill_that_was_survived_is_no_reason_of_what_comes_later(self):
        survived = f"{HOG}; echo survived; "
        task = self.start_task(document(survived + "exec sleep 1000", ram=32 * MIB)).wait_log("survived")
        outcome = task.kill_init().wait()
        self.assertEqual((outcome.code, outcome.result["state"]), (4, "TASK_LOST"), outcome)
        self.assertIn("killed by SIGKILL", outcome.result["message"])
        self.assertNotIn("memory", outcome.result["message"])
        need(os.access("/dev/kmsg", os.R_OK), "the kernel's log")
        outcome = self.run_task(document(survived + "sleep 12; exit 3", ram=32 * MIB))
        self.assert_failed(outcome, "exit status 3")
        self.assertNotIn("reason", outcome.runs()[-1], outcome)

    def test_a_child_over_the_memory_limit_is_the_reason_when_its_run_fails(self):
        outcome = self.run_task(document(f"{HOG}; exit 3", image=self.with_busybox(), ram=32 * MIB))
        self.assert_out_of_memory(outcome)
        self.assert_runs(outcome, "main", 3)

    def test_a_child_over_the_memory_limit_is_no_failure_when_its_run_succeeds(self):
        outcome = self.assert_finished(self.run_task(
            document(f"{HOG}; echo went on", image=self.with_busybox(), ram=32 * MIB)))
        self.assertEqual(outcome.out(), "went on\n")

    def test_an_ordinary_failure_later_is_not_blamed_on_memory(self):
        outcome = self.run_task(document(
            process("first", f"{HOG}; true"), process("second", "exit 5"), order=["first", "second"],
            image=self.with_busybox(), ram=32 * MIB))
        self.assert_failed(outcome, "second")
        self.assertNotEqual(outcome.result.get("reason"), "REASON_CONTAINER_LIMITATION_MEMORY", outcome)

    def test_a_sigkill_of_its_own_is_not_called_out_of_memory(self):
        outcome = self.assert_failed(self.run_task(document("kill -9 $$", ram=32 * MIB)), "SIGKILL")
        self.assertNotEqual(outcome.result.get("reason"), "REASON_CONTAINER_LIMITATION_MEMORY")

    def test_out_of_memory_is_retried_as_any_failure(self):
        outcome = self.assert_finished(self.run_task(document(
            process("main", f"test $AURORA_RUN = 1 || exec {HOG}", max_failures=3), image=self.with_busybox(), ram=32 * MIB)))
        self.assert_runs(outcome, "main", "SIGKILL", 0)

    def test_files_in_shared_memory_count(self):
        outcome = self.run_task(document(
            "dd if=/dev/zero of=/dev/shm/big bs=1M count=60", image=self.with_busybox(), ram=32 * MIB))
        self.assertEqual(outcome.code, 1, outcome)

    def test_less_than_mesos_gives_is_raised_and_said(self):
        made = document("ls -lR / | wc -l", "for i in 1 2 3; do echo hello; sleep 0.2; done", image=self.with_busybox(), ram=1 * MIB)
        outcome = self.assert_finished(self.run_task(made))
        self.assertGreater(int(outcome.out()), 100)
        self.assertIn("1048576 bytes are too few for a container: it gets 32 MiB", outcome.said)
        self.assertIn("it gets 32 MiB", self.aurora("validate", self.host.write("small.json", made)).err)
        self.assertIn("33554432", self.aurora("plan", self.host.write("small.json", made), "--role", "www-data", "--output", "json").out)

    def test_the_limit_is_the_tasks_in_its_cgroup(self):
        task = self.start_task(document("echo ready; sleep 1000", ram=48 * MIB, finalization_wait=2)).wait_log("ready")
        directory = os.path.join(need_controller("memory"), "aurora-executor", task.id, "task")
        with open(directory + "/memory.limit_in_bytes", encoding="ascii") as file:
            self.assertEqual(int(file.read()), 48 * MIB)
        task.signal(signal.SIGTERM).wait()


class Processes(ExecutorTestCase):
    def setUp(self):
        super().setUp()
        need_controller("pids")

    def test_a_fork_bomb_stops_at_the_pids_limit_and_harms_nothing_else(self):
        image = self.with_busybox()
        bomb = self.start_task(document(
            'echo ready; b() { b | b & }; b; while :; do sleep 1; done', image=image, pids=40, finalization_wait=3))
        bomb.wait_log("ready")
        directory = os.path.join(need_controller("pids"), "aurora-executor", bomb.id, "task")

        def refusals():
            with open(directory + "/pids.events", encoding="ascii") as file:
                return int(file.read().split()[1])
        wait_until(refusals, "the bomb meets the limit")
        with open(directory + "/pids.current", encoding="ascii") as file:
            self.assertLessEqual(int(file.read()), 40)
        # Another task runs as if nothing were.
        self.assert_finished(self.run_task(document("for i in 1 2 3 4 5; do (true); done", image=image)))
        outcome = bomb.signal(signal.SIGTERM).wait(20)
        self.assertIn(outcome.code, (1, 3), outcome)

    def test_the_limit_counts_processes_of_all_kinds(self):
        outcome = self.assert_finished(self.run_task(document(
            "(while :; do sleep 5 & echo started; done); true", image=self.with_busybox(), pids=20)))
        self.assertLess(outcome.out().count("started"), 20)
        self.assertGreater(outcome.out().count("started"), 10)
        self.assertIn("fork", outcome.err())

    def test_the_standard_limit_is_4096(self):
        task = self.start_task(document("echo ready; sleep 1000", finalization_wait=2)).wait_log("ready")
        directory = os.path.join(need_controller("pids"), "aurora-executor", task.id, "task")
        with open(directory + "/pids.max", encoding="ascii") as file:
            self.assertEqual(file.read().strip(), "4096")
        task.signal(signal.SIGTERM).wait()


class CPU(ExecutorTestCase):
    def test_cpu_shares_and_quota_are_set(self):
        top = need_controller("cpu")
        for cpu, shares, quota in ((0.5, "512", "50000"), (2, "2048", "200000"), (0.001, "2", "1000")):
            with self.subTest(cpu=cpu):
                task = self.start_task(document("echo ready; sleep 1000", cpu=cpu, finalization_wait=2)).wait_log("ready")
                directory = os.path.join(top, "aurora-executor", task.id, "task")
                found = []
                for name in ("cpu.shares", "cpu.cfs_quota_us", "cpu.cfs_period_us"):
                    with open(os.path.join(directory, name), encoding="ascii") as file:
                        found.append(file.read().strip())
                self.assertEqual(found, [shares, quota, "100000"])
                task.signal(signal.SIGTERM).wait()

    def test_a_limited_task_gets_no_more_than_its_cpu(self):
        need_controller("cpuacct")
        # 0.2 of a CPU for about a second of wall time.
        outcome = self.assert_finished(self.run_task(document(
            "end=$(($(date +%s)+2)); while [ $(date +%s) -lt $end ]; do :; done", cpu=0.2)))
        self.assertLess(outcome.result["usage"]["cpu_seconds"], 1.0)

    def test_an_isolator_that_is_not_known_is_refused(self):
        outcome = self.run_task(document("true"), "--isolation", "cgroups/nothing")
        self.assertNotEqual(outcome.code, 0)
        self.assertIn("cgroups/nothing", outcome.said)
