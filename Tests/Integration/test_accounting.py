"""What is done for a task counts against it: logs, console files, inodes, the journal."""

import json
import os
import signal
import subprocess
import time

from support import DockerTestCase, ExecutorTestCase, document, process
from support.executor import wait_until
from test_policy import PolicyCase

MIB = 1 << 20
REASON = "REASON_CONTAINER_LIMITATION_DISK"
FOREVER = "exec sleep 1000"


def logged(name, cmdline, log_size, backups, **fields):
    return process(name, cmdline, logger={"mode": "rotate", "rotate": {"log_size": log_size, "backups": backups}}, **fields)


def disk_of(directory):
    """Allocated bytes, as du(1) counts."""
    # Files go while they are looked at, and du says so.
    done = subprocess.run(
        ["du", "-s", "--block-size=1", directory], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    return int(done.stdout.split()[0])


class Logs(ExecutorTestCase):
    def fails(self, outcome, *words):
        return self.assert_failed(outcome, "disk limit exceeded", *words, reason=REASON)

    def test_logs_count_as_the_tasks_disk(self):
        outcome = self.fails(self.run_task(document(
            "head -c 60000000 /dev/zero; " + FOREVER, disk=16 * MIB, finalization_wait=1), timeout=60),
            "16 MiB limit", "logs/main/0/stdout")
        self.assertGreater(outcome.result["usage"]["disk_bytes"], 16 * MIB)

    def test_a_log_without_rotation_is_bounded_by_the_disk(self):
        began = time.monotonic()
        outcome = self.fails(self.run_task(document(
            process("main", "while :; do head -c 2000000 /dev/zero; sleep 0.2; done",
                    logger={"mode": "standard"}), disk=16 * MIB, finalization_wait=1), timeout=60), "logs/main/0/stdout ")
        self.assertLess(time.monotonic() - began, 25)
        self.assertLess(disk_of(os.path.join(outcome.directory, "logs")), 200 * MIB)

    def test_logs_and_sandbox_together_are_the_tasks_disk(self):
        self.fails(self.run_task(document(
            "head -c 10000000 /dev/zero; head -c 10000000 /dev/zero > here; " + FOREVER, disk=16 * MIB, finalization_wait=1),
            timeout=60), "sandbox/here 9.5 MiB", "logs/main/0/stdout 9.5 MiB")

    def test_logs_of_the_oldest_runs_go_for_those_of_the_newest(self):
        # Ten runs of 2 MiB each, and a limit of disk of which logs may take half.
        outcome = self.run_task(document(
            process("web", "echo run $AURORA_RUN; head -c 2097152 /dev/zero; exit 1", max_failures=10, min_duration=0),
            process("once", "echo once; exec sleep 1000", daemon=False, ephemeral=True),
            disk=16 * MIB, max_failures=1), timeout=60)
        self.assertEqual(outcome.result["state"], "TASK_FAILED", outcome)
        self.assertIn("web run 9", outcome.result["message"])
        kept = sorted(int(name) for name in os.listdir(os.path.join(outcome.directory, "logs", "web")))
        # The newest, and as many before them as fit.
        self.assertEqual(kept, list(range(kept[0], 10)), outcome)
        self.assertLess(disk_of(os.path.join(outcome.directory, "logs")), 8 * MIB + 2 * 2.2 * MIB)
        self.assertGreater(len(kept), 2)
        self.assertIn(f"logs of web runs 0 to {kept[0] - 1} were removed: the logs of all runs may take 8 MiB",
                      outcome.result["notes"])
        self.assertEqual(outcome.out("once"), "once\n")
        for word in (["logs", outcome.id], ["status", outcome.id],
                     ["logs", outcome.id, "--tail", "3"], ["logs", outcome.id, "--since", "1h"], ["explain", outcome.id]):
            done = self.aurora(*word)
            self.assertEqual(done.code, 0, done)
        done = self.aurora("logs", outcome.id, "--process", "web", "--run", "0")
        self.assertIn("the logs of web run 0 are not there any more", done.err)
        self.assertIn(f"the oldest that it has are of run {kept[0]}", done.err)
        said = self.aurora("logs", outcome.id).out
        self.assertNotIn("run 0\n", said)
        self.assertIn(f"run {kept[0]}\n", said)
        self.assertIn("run 9\n", said)

    def test_who_follows_takes_a_run_that_is_gone_in_his_stride(self):
        task = self.start_task(document(
            process("web", "echo run $AURORA_RUN; head -c 2097152 /dev/zero | tr '\\0' '\\n'; sleep 0.3; "
                    "test $AURORA_RUN -lt 12", daemon=True, max_failures=1), disk=16 * MIB))
        task.wait_running()
        follower = subprocess.Popen(
            self.host.words(["logs", task.id, "-f", "--stdout"]), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=self.host.environment())
        out, err = follower.communicate(timeout=60)
        task.wait(60)
        self.assertEqual(follower.returncode, 0, err)
        lines = [line for line in out.decode().split("\n") if line.startswith("run ")]
        self.assertEqual(lines[-1], "run 12")

    def test_a_rotation_costs_the_same_whatever_is_kept(self):
        outcome = self.assert_finished(self.run_task(document(
            logged("main", "i=0; while [ $i -lt 60000 ]; do echo line $i; i=$((i+1)); done", 4096, 10000), disk=256 * MIB)))
        directory = os.path.dirname(outcome.log_path())
        names = [name for name in os.listdir(directory) if name.startswith("stdout") and not name.endswith(".index")]
        renamed = [name for name in names if name.count(".") == 1]
        self.assertEqual(sorted(renamed, key=lambda name: int(name[7:])), [f"stdout.{number}" for number in range(1, 11)])
        self.assertGreater(len(names), 50)
        text = "".join(f"line {number}\n" for number in range(60000))
        self.assertEqual(self.aurora("logs", outcome.id).out, text)
        self.assertEqual(self.aurora("logs", outcome.id, "--tail", "30000").out.count("\n"), 30000)
        self.assertEqual(self.aurora("logs", outcome.id, "--since", "1h").out, text)


class Ceiling(PolicyCase, ExecutorTestCase):
    """What an operator says of the logs holds for all of them, of runs that live as well."""

    LOUD = ("yes $(head -c 100 /dev/zero | tr '\\0' x) | head -c {0}; yes | head -c {0} >&2; echo; echo the end; "
            "echo done > done; " + FOREVER)

    def ceiling(self, log_bytes):
        return self.policy({"ceilings": {"log_bytes": log_bytes}})

    def held(self, *processes, executor_dies=False):
        task = self.start_task(
            document(*processes, finalization_wait=1), "--policy", self.ceiling(MIB))
        if executor_dies:
            task.wait_running().kill()
        done = os.path.join(task.sandbox, "done")
        wait_until(lambda: os.path.exists(done), "the end of what is written", 40)
        # It stays below.
        time.sleep(0.3)
        logs = os.path.join(os.path.dirname(task.sandbox), "logs")
        self.assertLess(disk_of(logs), MIB + 32768)
        return task

    def end(self, task):
        outcome = task.signal(signal.SIGTERM).wait()
        self.assertEqual(outcome.result["state"], "TASK_KILLED", outcome)
        self.assertTrue(self.aurora("logs", outcome.id, "--process", "main", "--stdout").out.endswith("\nthe end\n"))
        return outcome

    def test_a_live_log_without_rotation(self):
        self.end(self.held(process("main", self.LOUD.format(40 * MIB), logger={"mode": "standard"})))

    def test_a_live_log_that_asks_for_larger_files(self):
        self.end(self.held(logged("main", self.LOUD.format(20 * MIB), 50 * MIB, 4)))

    def test_several_live_logs_share_it(self):
        loud = "yes | head -c 20000000; " + FOREVER
        self.end(self.held(
            process("main", "while ! [ -e three ]; do sleep 0.05; done;" + self.LOUD.format(5 * MIB), logger={"mode": "standard"}),
            logged("two", loud, 50 * MIB, 4),
            process("three", "yes | head -c 20000000; echo > three; " + FOREVER, logger={"mode": "standard"})))

    def test_without_an_executor(self):
        task = self.held(
            process("main", "sleep 1; " + self.LOUD.format(40 * MIB).replace(FOREVER, "sleep 3"), logger={"mode": "standard"}),
            executor_dies=True)
        self.assert_finished(self.host.recover(task.id))
        self.assertTrue(self.aurora("logs", task.id, "--stdout").out.endswith("\nthe end\n"))

    def test_runs_that_are_over_make_room_for_one_that_lives(self):
        script = ("echo run $AURORA_RUN; [ $AURORA_RUN -lt 3 ] && { yes | head -c 150000; yes | head -c 150000 >&2; exit 1; }; "
                  + self.LOUD.format(20 * MIB))
        task = self.start_task(
            document(process("main", script, max_failures=9, min_duration=0, logger={"mode": "standard"})),
            "--policy", self.ceiling(MIB))
        wait_until(lambda: os.path.exists(os.path.join(task.sandbox, "done")), "the end of what is written", 40)
        logs = os.path.join(os.path.dirname(task.sandbox), "logs")
        wait_until(lambda: disk_of(logs) < MIB + 32768, "room", 5)
        outcome = self.end(task)
        self.assertIn("were removed: the logs of all runs may take 1 MiB", " ".join(outcome.result["notes"]))

    def test_the_plan_says_what_is_held(self):
        path = self.host.write("p.json", document(
            process("main", "true", logger={"mode": "standard"}), logged("web", "true", 50 * MIB, 4),
            logged("small", "true", 4096, 1)))
        words = ("plan", "--task", path, "--policy", self.ceiling(100 * MIB), "--role", "nobody")
        said = self.aurora(*words).out
        self.assertIn("logs       at most 100 MiB, of all runs\n", said)
        self.assertRegex(said, r"\n  main: a stream has a file of .* and 9 old ones\n")
        self.assertRegex(said, r"\n  web: a stream has a file of .* instead of 50 MiB and 4 old ones\n")
        self.assertNotIn("small: a stream", said)
        logs = json.loads(self.aurora(*words, "--output", "json").out)["logs"]
        self.assertEqual(logs["most_bytes"], 100 * MIB)
        self.assertEqual(logs["files"][1]["asked"], {"log_size": 50 * MIB, "backups": 4})
        self.assertEqual(logs["files"][2], {"process": "small", "log_size": 4096, "backups": 1})


class Files(ExecutorTestCase):
    CREATE = ("i=0; while [ $i -lt 60 ]; do mkdir d$i; cd d$i; seq 5000 | xargs touch; cd ..; i=$((i+1)); done; echo made; "
              + FOREVER)

    def test_files_without_anything_in_them_are_bounded(self):
        began = time.monotonic()
        outcome = self.assert_failed(self.run_task(document(
            self.CREATE, disk=16 * MIB, finalization_wait=1), timeout=80), "disk limit exceeded: ",
            "files and directories, a limit of 16 MiB allows 32768", reason=REASON)
        self.assertLess(time.monotonic() - began, 40, outcome)

    def test_as_many_files_as_could_hold_something_are_allowed(self):
        task = self.start_task(document("mkdir d; cd d; seq 12000 | xargs touch; echo made; " + FOREVER, disk=64 * MIB))
        task.wait_log("made", seconds=30)
        # Several looks at the disk.
        time.sleep(6)
        self.assertEqual(task.signal(signal.SIGTERM).wait().result["state"], "TASK_KILLED")


class Consoles(ExecutorTestCase):
    def test_what_waits_for_a_console_is_bounded_for_the_task(self):
        """A hundred consoles that nobody reads."""
        consoles = [
            process(f"p{number}", "yes | head -c 500000; yes | head -c 500000 >&2; echo done > done$AURORA_PROCESS; "
                    + FOREVER, logger={"destination": "console"}) for number in range(100)]
        reader, writer = os.pipe()
        path = self.host.write("many.json", document(*consoles, ram=1 << 30, disk=64 * MIB, cpu=2, finalization_wait=1))
        name = self.host.task_id()
        run = subprocess.Popen(
            self.host.words(["run", "--task", path, "--task-id", name, "--role", "www-data"]), stdin=subprocess.DEVNULL,
            stdout=writer, stderr=subprocess.DEVNULL, env=self.host.environment())
        os.close(writer)
        try:
            sandbox = os.path.join(self.host.work, "tasks", name, "sandbox")
            wait_until(lambda: os.path.isdir(sandbox) and len(os.listdir(sandbox)) >= 102, "the output of all", 60)
            self.assertLess(disk_of(os.path.join(self.host.run_directory, name, "console")), 34 * MIB)
        finally:
            os.close(reader)
            run.send_signal(signal.SIGINT)
            run.send_signal(signal.SIGINT)
            # One that comes before the last was taken is not counted.
            time.sleep(0.2)
            run.send_signal(signal.SIGINT)
            run.wait(30)


# Ends at once, is started again at once, and keeps no log: nothing of it but what is written down about it.
RESTLESS = process("p" * 200, "true", daemon=True, max_failures=0, min_duration=0, logger={"destination": "none"})


class Journal(ExecutorTestCase):
    def test_what_is_written_down_about_runs_counts_as_the_tasks_disk(self):
        outcome = self.assert_failed(
            self.run_task(document(RESTLESS, disk=MIB, finalization_wait=1), "--max-runs", "1000000", timeout=60),
            "disk limit exceeded: 1 MiB limit", "record/events.jsonl", reason=REASON)
        self.assertGreater(outcome.result["usage"]["disk_bytes"], MIB)

    def test_orphans_that_come_and_go_are_told_of_now_and_then(self):
        # Each lives for a moment, and has a session of its own; the shell goes on while it is asked to end.
        storm = "trap '' TERM; echo up; while :; do setsid sh -c 'sleep 0.005' & done"
        task = self.start_task(document(process("main", storm), finalization_wait=5, pids=400, cpu=2)).wait_log("up")
        outcome = task.signal(signal.SIGTERM).wait()
        strays = [record for record in outcome.journal() if record["type"] == "strays"]
        self.assertGreater(len(strays), 0)
        self.assertLessEqual(len(strays), 14, strays[:20])

    def test_the_last_orphan_is_told_of_at_once(self):
        task = self.start_task(document(
            "(setsid sh -c 'trap \"sleep 1; exit\" TERM; echo $$ > orphan; while :; do sleep 0.05; done' > /dev/null 2>&1 &); echo up; "
            + FOREVER, finalization_wait=20)).wait_log("up")
        wait_until(lambda: os.path.exists(os.path.join(task.sandbox, "orphan")), "the orphan")
        began = time.monotonic()
        task.signal(signal.SIGTERM).wait()
        self.assertTrue(1 < time.monotonic() - began < 4, time.monotonic() - began)


class DockerAccounting(PolicyCase, DockerTestCase):
    def test_a_ceiling_holds_a_live_log(self):
        path = self.policy({"ceilings": {"log_bytes": MIB}})
        task = self.start_docker(
            process("main", "yes | head -c 40000000; echo; echo the end; echo > done; " + FOREVER, logger={"mode": "standard"}),
            options=("--policy", path), finalization_wait=1)
        wait_until(lambda: os.path.exists(os.path.join(task.sandbox, "done")), "the end of what is written", 40)
        # It stays below.
        time.sleep(0.3)
        self.assertLess(disk_of(os.path.join(os.path.dirname(task.sandbox), "logs")), MIB + 32768)
        task.signal(signal.SIGTERM).wait()
        self.assertTrue(self.aurora("logs", task.id, "--stdout").out.endswith("\nthe end\n"))

    def test_what_is_written_down_about_runs_counts_as_the_tasks_disk(self):
        self.assert_failed(
            self.run_docker(RESTLESS, options=("--max-runs", "1000000"), disk=MIB, finalization_wait=1),
            "disk limit exceeded: 1 MiB limit", "record/events.jsonl", reason=REASON)

    def test_logs_count_as_the_tasks_disk(self):
        self.assert_failed(self.run_docker(
            "head -c 60000000 /dev/zero; " + FOREVER, disk=16 * MIB, finalization_wait=1),
            "disk limit exceeded", "logs/main/0/stdout", reason=REASON)
