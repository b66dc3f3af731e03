"""Recovery: an executor may be killed at any moment; no run is started twice, and none is lost."""

import contextlib
import json
import os
import random
import signal
import socket
import struct
import subprocess
import threading
import time

from support import ExecutorTestCase, document, need_command, process
from support.executor import Host, children_of, has_ended, wait_until
from support.needs import need_version2

# Each run leaves one line, so that a second start would be seen.
MARK = "echo $AURORA_PROCESS $AURORA_RUN >> ran; "


class Recovery(ExecutorTestCase):
    def assert_ran_once(self, task, *expected):
        self.assertEqual(sorted(task.sandbox_file("ran").splitlines()), sorted(expected))

    def test_a_task_goes_on_while_its_executor_is_gone_and_is_taken_over(self):
        task = self.start_task(document(MARK + "sleep 1; echo end", image=self.with_busybox()))
        task.wait_log("", "main").wait_running().kill()
        outcome = self.assert_finished(self.host.recover(task.id))
        self.assert_ran_once(outcome, "main 0")
        self.assertEqual(outcome.out(), "end\n")
        self.assertEqual(outcome.result["image"]["reference"], "busybox:test")

    def test_exits_that_happened_meanwhile_are_reported_as_they_were(self):
        task = self.start_task(document(
            process("seven", MARK + "sleep 0.3; exit 7"), process("good", MARK + "sleep 0.3"),
            process("killed", MARK + "sleep 0.3; kill -TERM $$"), process("long", MARK + "sleep 1.5"), max_failures=0))
        task.wait_running()
        wait_until(lambda: self.count(task) == 4, "four processes run")
        init = task.launched()["pid"]
        task.kill()
        wait_until(lambda: sum(not has_ended(pid) for pid in children_of(init)) == 1, "three of them have ended")
        outcome = self.host.recover(task.id)
        self.assert_runs(outcome, "seven", 7)
        self.assert_runs(outcome, "good", 0)
        self.assert_runs(outcome, "killed", "SIGTERM")
        self.assert_runs(outcome, "long", 0)
        self.assert_ran_once(outcome, "seven 0", "good 0", "killed 0", "long 0")

    @staticmethod
    def count(task):
        try:
            return len(task.sandbox_file("ran").splitlines())
        except FileNotFoundError:
            return 0

    def test_the_plan_goes_on_after_a_takeover(self):
        task = self.start_task(document(
            process("a", MARK + "sleep 0.3"), process("b", MARK + "test $AURORA_RUN = 1", max_failures=3),
            process("c", MARK), process("last", MARK, final=True), order=["a", "b", "c"]))
        task.wait_for("running", process="a").kill()
        outcome = self.assert_finished(self.host.recover(task.id))
        self.assert_ran_once(outcome, "a 0", "b 0", "b 1", "c 0", "last 0")
        self.assertEqual(outcome.out("last"), "")

    def test_killed_at_any_moment_every_run_happens_once(self):
        seed = int(os.environ.get("AURORA_TEST_SEED", time.time_ns() % 1_000_000))
        chance = random.Random(seed)
        image = self.with_busybox()
        for attempt in range(14):
            delay = chance.uniform(0, 0.12) if attempt < 10 else chance.uniform(0, 0.6)
            with self.subTest(seed=seed, attempt=attempt, delay=delay):
                task = self.start_task(document(
                    process("a", MARK + "sleep 0.1"), process("b", MARK + "exit $((AURORA_RUN < 1))", max_failures=2),
                    process("c", MARK), process("last", MARK, final=True), order=["a", "b", "c"],
                    image=image if attempt % 2 else None))
                time.sleep(delay)
                task.kill()
                if not os.path.exists(task.journal_path) or not task.journal():
                    # Killed before there was a task.
                    self.assertNotEqual(self.host.recover(task.id).code, 0)
                    self.forget(task)
                    continue
                if os.path.exists(task.result_path):
                    continue
                outcome = self.assert_finished(self.host.recover(task.id))
                self.assert_ran_once(outcome, "a 0", "b 0", "b 1", "c 0", "last 0")

    def forget(self, task):
        """A directory without a journal is nothing that a recovery goes on with; running it anew may refuse it."""
        self.assertFalse(os.path.exists(task.sandbox + "/ran"))

    def test_killed_while_it_concludes_the_known_end_is_told(self):
        for attempt in range(8):
            with self.subTest(attempt=attempt):
                task = self.start_task(document(MARK + "exit 0", image=self.with_busybox()))
                task.wait_for("ended", process="main")
                time.sleep(attempt * 0.002)
                task.kill()
                if os.path.exists(task.result_path):
                    continue
                self.assert_finished(self.host.recover(task.id))
                self.assert_ran_once(task, "main 0")

    def test_killed_again_and_again_it_still_ends_well(self):
        task = self.start_task(document(
            *[process(name, MARK + "sleep 0.4") for name in "abcde"], order=list("abcde")))
        task.wait_for("running", process="a").kill()
        for _ in range(4):
            rest = self.host.start("recover", task.id, task_id=task.id)
            time.sleep(0.15)
            rest.kill()
        outcome = self.host.recover(task.id)
        if outcome.code != 73:
            self.assert_finished(outcome)
        self.assert_ran_once(task, "a 0", "b 0", "c 0", "d 0", "e 0")

    def test_a_torn_last_line_of_the_journal_is_cut_off(self):
        task = self.start_task(document(MARK + "sleep 0.8"))
        task.wait_running().kill()
        with open(task.journal_path, "ab") as journal:
            journal.write(b'{"seq":99,"boot":1,"ty')
        outcome = self.assert_finished(self.host.recover(task.id))
        self.assert_ran_once(outcome, "main 0")
        for line in open(outcome.journal_path, encoding="utf-8"):
            json.loads(line)

    def test_a_damaged_journal_is_refused_and_named(self):
        task = self.start_task(document(MARK + "sleep 1000", finalization_wait=2))
        task.wait_running().kill()
        with open(task.journal_path, "rb") as journal:
            good = journal.read()
        with open(task.journal_path, "wb") as journal:
            journal.write(good.replace(b'"type":"forked"', b'"type":"forkad"'))
        done = self.host.recover(task.id)
        self.assertNotIn(done.code, (0, 1), done)
        self.assertIn("events.jsonl", done.said)
        with open(task.journal_path, "wb") as journal:
            journal.write(good)
        self.stop(task.id)

    def stop(self, task_id):
        rest = self.host.start("recover", task_id, task_id=task_id)
        rest.wait_for("recovered").signal(signal.SIGTERM)
        outcome = rest.wait()
        self.assertEqual(outcome.code, 3, outcome)

    def test_what_a_newer_executor_has_written_is_understood_as_far_as_it_goes(self):
        task = self.start_task(document(MARK + "echo up; while ! test -e go; do sleep 0.02; done; exit 3"))
        task.wait_log("up").kill()
        task.rewrite_journal(lambda record: {
            **record, "newer": {"much": [1]}, "type": "newer" if record["type"] == "update" else record["type"]})
        # Fields that are added come last.
        with open(os.path.join(self.host.work, "tasks", task.id, "launch"), "ab") as record:
            record.write(b"more")
        with open(os.path.join(task.sandbox, "go"), "w", encoding="ascii"):
            pass
        outcome = self.host.recover(task.id)
        self.assertEqual(outcome.code, 1, outcome)
        self.assertEqual([run["exit_code"] for run in outcome.runs()], [3])
        self.assert_ran_once(outcome, "main 0")

    def test_a_task_that_was_held_when_its_executor_died_goes_on(self):
        task = self.start_task(document("echo up; while ! test -e go; do sleep 0.05; done; echo went"))
        task.wait_log("up")
        path = os.path.join(need_version2(), "aurora-executor", task.id, "task", "cgroup.freeze")
        # As for a measurement of its files.
        with open(path, "w", encoding="ascii") as file:
            file.write("1")
        task.kill()
        with open(os.path.join(task.sandbox, "go"), "w", encoding="ascii"):
            pass
        wait_until(lambda: "went" in task.out(), "it goes on")
        self.assert_finished(self.host.recover(task.id))

    def test_run_with_the_same_id_and_document_adopts(self):
        task = self.start_task(document(MARK + "sleep 1"))
        task.wait_running().kill()
        outcome = self.assert_finished(self.run_task(self.host.path(f"{task.id}.json"), task_id=task.id))
        self.assert_ran_once(outcome, "main 0")

    def test_run_with_the_same_id_and_another_document_is_refused(self):
        task = self.start_task(document("sleep 1000", finalization_wait=2))
        task.wait_running().kill()
        other = self.host.write("other.json", document("echo other"))
        self.assertEqual(self.run_task(other, task_id=task.id).code, 73)
        self.stop(task.id)

    def test_a_live_task_is_refused_with_73(self):
        task = self.start_task(document("echo ready; sleep 1000", finalization_wait=2)).wait_log("ready")
        self.assertEqual(self.host.recover(task.id).code, 73)
        self.assertEqual(self.run_task(self.host.path(f"{task.id}.json"), task_id=task.id).code, 73)
        # It was not disturbed.
        self.assertEqual(task.signal(signal.SIGTERM).wait().code, 3)

    def test_an_id_that_lives_in_other_directories_is_refused_with_73(self):
        task = self.start_task(document("echo ready; sleep 1000", finalization_wait=2)).wait_log("ready")
        os.mkdir(self.host.path("elsewhere"), 0o755)
        elsewhere = Host(self.host.path("elsewhere"), self.host.prefix)
        done = elsewhere.run_task(self.host.path(f"{task.id}.json"), task_id=task.id).finished
        self.assertEqual(done.code, 73, done)
        self.assertIn("another task of this id lives", done.err)
        self.assertEqual(task.signal(signal.SIGTERM).wait().code, 3)

    def test_a_task_that_has_ended_is_refused_with_73(self):
        outcome = self.assert_finished(self.run_task(document("true")))
        self.assertEqual(self.host.recover(outcome.id).code, 73)
        self.assertEqual(self.run_task(self.host.path(f"{outcome.id}.json"), task_id=outcome.id).code, 73)

    def test_of_two_that_recover_at_once_one_is_refused(self):
        task = self.start_task(document(MARK + "sleep 1"))
        task.wait_running().kill()
        both = [self.host.start("recover", task.id, task_id=task.id) for _ in range(2)]
        codes = sorted(rest.wait().code for rest in both)
        self.assertEqual(codes, [0, 73])
        self.assert_ran_once(task, "main 0")

    def test_a_killed_init_is_task_lost(self):
        for image in (None, self.with_busybox()):
            with self.subTest(image=image):
                task = self.start_task(document("echo ready; sleep 1000", image=image)).wait_log("ready")
                outcome = task.kill_init().wait()
                self.assertEqual((outcome.code, outcome.result["state"]), (4, "TASK_LOST"), outcome)
                self.assertEqual(outcome.result["processes"]["main"]["state"], "LOST")

    def test_an_init_that_is_silent_when_all_is_to_be_killed_is_not_waited_for_for_ever(self):
        task = self.start_task(document("trap '' TERM; echo up; while :; do sleep 0.1; done", finalization_wait=1)).wait_log("up")
        pid = task.launched()["pid"]
        os.kill(pid, signal.SIGSTOP)
        try:
            task.signal(signal.SIGTERM).wait_for("stop")
            # finalization_wait is over: by then its init has been told to kill.
            time.sleep(1.5)
            task.kill()
            began = time.monotonic()
            outcome = self.host.recover(task.id, timeout=60)
            self.assertLess(time.monotonic() - began, 30)
        finally:
            try:
                os.kill(pid, signal.SIGCONT)
            except ProcessLookupError:
                pass
        self.assertEqual(outcome.result["state"], "TASK_KILLED", outcome)

    def test_an_init_of_another_version_is_left_alone(self):
        # Its first word: protocol 9, of which nothing older is understood; and no word that could be one.
        later = bytes([0, 0]) + struct.pack("<IIII", 8, 9, 9, 0)
        for word in (later, b"\0\0\xff"):
            with self.subTest(word=word):
                task = self.start_task(document("echo up; while ! test -e go; do sleep 0.05; done")).wait_log("up").kill()
                path = os.path.join(self.host.run_directory, task.id, "control.sock")
                os.rename(path, path + ".real")
                with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as other:
                    other.bind(path)
                    other.listen()

                    def speak():
                        connection, _ = other.accept()
                        connection.recv(65536)
                        connection.send(word)
                        # Until nobody listens any more.
                        with contextlib.suppress(OSError):
                            while connection.recv(65536):
                                pass
                        connection.close()
                    speaker = threading.Thread(target=speak, daemon=True)
                    speaker.start()
                    done = self.aurora("recover", task.id)
                    speaker.join()
                self.assertEqual(done.code, 78, done)
                self.assertIn("another version", done.err)
                self.assertIn(f"aurora-executor recover {task.id}", done.err)
                self.assertFalse(task.has_record("recovered"))
                os.replace(path + ".real", path)
                with open(os.path.join(task.sandbox, "go"), "w", encoding="utf-8"):
                    pass
                self.assert_finished(self.host.recover(task.id))

    def test_a_stopped_init_of_a_healthy_task_is_waited_for(self):
        task = self.start_task(document("echo up; while ! test -e go; do sleep 0.05; done")).wait_log("up").kill()
        pid = task.launched()["pid"]
        os.kill(pid, signal.SIGSTOP)
        taken = self.host.start("recover", task.id, task_id=task.id)
        # Longer than one is waited for whose task is to be killed.
        time.sleep(12)
        os.kill(pid, signal.SIGCONT)
        with open(os.path.join(task.sandbox, "go"), "w", encoding="utf-8"):
            pass
        outcome = self.assert_finished(taken.wait())
        self.assertIn("container-init does not answer", outcome.result["notes"])

    def test_executor_and_init_killed_is_task_lost_and_what_ended_before_is_told(self):
        task = self.start_task(document(
            process("short", MARK + "exit 0"), process("long", MARK + "sleep 1000"), image=self.with_busybox()))
        task.wait_for("ended", process="short").wait_for("running", process="long")
        task.kill().kill_init()
        outcome = self.host.recover(task.id)
        self.assertEqual((outcome.code, outcome.result["state"]), (4, "TASK_LOST"), outcome)
        self.assertEqual(outcome.result["processes"]["short"]["state"], "SUCCESS")
        self.assertEqual(outcome.result["processes"]["long"]["state"], "LOST")

    def test_what_init_wrote_down_before_it_was_killed_is_not_lost(self):
        task = self.start_task(document(
            process("short", "sleep 0.4; exit 0"), process("long", "sleep 1000")))
        task.wait_for("running", process="long").wait_for("running", process="short").kill()
        wait_until(lambda: os.path.getsize(task.directory + "/exits") > 0, "the exit that init writes down")
        task.kill_init()
        outcome = self.host.recover(task.id)
        self.assertEqual(outcome.code, 4, outcome)
        self.assert_runs(outcome, "short", 0)

    def test_a_stop_before_the_kill_is_still_a_stop_after_the_takeover(self):
        task = self.start_task(document(
            "trap '' TERM; echo ready; while :; do sleep 0.1; done", finalization_wait=3)).wait_log("ready")
        task.signal(signal.SIGTERM).wait_for("stop")
        task.kill()
        outcome = self.host.recover(task.id)
        self.assertEqual((outcome.code, outcome.result["state"]), (3, "TASK_KILLED"), outcome)

    def test_final_processes_run_with_user_and_image_after_a_takeover(self):
        task = self.start_task(document(
            process("main", "sleep 0.5"), process("last", "id -u; pwd; echo $HOME; ls /bin/busybox", final=True),
            image=self.with_busybox()))
        task.wait_running().kill()
        outcome = self.assert_finished(self.host.recover(task.id))
        self.assertEqual(outcome.out("last"), "33\n/mnt/mesos/sandbox\n/mnt/mesos/sandbox\n/bin/busybox\n")

    def test_limits_hold_after_a_takeover(self):
        task = self.start_task(document("sleep 0.5; tail /dev/zero", image=self.with_busybox(), ram=32 << 20))
        task.wait_running().kill()
        outcome = self.host.recover(task.id)
        self.assertEqual(outcome.result.get("reason"), "REASON_CONTAINER_LIMITATION_MEMORY", outcome)

    def test_a_task_whose_executor_is_gone_is_shown_as_such(self):
        task = self.start_task(document("sleep 1000", finalization_wait=2)).wait_running()
        task.kill()
        self.assertIn("recover", self.aurora("ps").out)
        shown = json.loads(self.aurora("ps", "--output", "json").out)
        self.assertEqual((shown["state"], shown["ended"], shown["executor"]), ("TASK_RUNNING", False, False))
        self.stop(task.id)

    def test_logs_that_are_written_meanwhile_are_all_there(self):
        task = self.start_task(document("for i in $(seq 1 400); do echo $i; sleep 0.002; done"))
        task.wait_log("10\n").kill()
        wait_until(lambda: "\n200\n" in task.out(), "more without an executor")
        outcome = self.assert_finished(self.host.recover(task.id))
        self.assertEqual(outcome.out(), "".join(f"{number}\n" for number in range(1, 401)))


class HalfATask(ExecutorTestCase):
    """An executor that is killed while it makes a task's directory, or removes it, leaves a task or none."""

    CALLS = "mkdirat,openat,flock,write,renameat,renameat2,symlinkat,unlinkat"

    def setUp(self):
        super().setUp()
        need_command("strace")
        self.tasks = os.path.join(self.host.work, "tasks")

    def run_traced(self, *options, rm=()):
        """Runs a task under strace; its id."""
        task_id = self.host.task_id()
        words = self.host.words(
            ["run", "--task", self.host.write("t.json", document(process("main", MARK))), "--role", "www-data",
             "--task-id", task_id, *rm])
        subprocess.run(
            ["strace", "-qq", "-e", f"trace={self.CALLS}", *options, *words], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=self.host.environment(), check=False, timeout=30)
        return task_id

    def calls(self, *options):
        """Every call of a run: its name, how many of that name there were by then, and the line."""
        trace = self.host.path("trace")
        # The first task of all makes more directories.
        self.run_traced("-o", trace)
        task_id = self.run_traced("-o", trace, rm=options)
        counts, found = {}, []
        with open(trace, encoding="utf-8", errors="replace") as lines:
            for line in lines:
                name = line.partition("(")[0]
                if name in self.CALLS.split(","):
                    counts[name] = counts.get(name, 0) + 1
                    found.append((name, counts[name], line.replace(task_id, "ID")))
        return found

    def assert_whole_or_absent(self, task_id):
        listed = self.aurora("ps", "-q").out.split()
        if task_id in listed:
            summary = json.loads(self.aurora("ps", "--output", "json").out.splitlines()[listed.index(task_id)])
            self.assertEqual(summary["role"], "www-data")
            if not summary["ended"]:
                self.assert_finished(self.host.recover(task_id))
        hidden = [name for name in os.listdir(self.tasks) if name.startswith(".")]
        swept = self.aurora("sweep")
        self.assertEqual(swept.code, 0, swept)
        for name in hidden:
            self.assertIn(f"{self.tasks}/{name}\n", swept.out)
        self.assertEqual([name for name in os.listdir(self.tasks) if name.startswith(".")], [])
        self.assertNotIn(task_id, os.listdir(self.host.run_directory))
        return task_id in listed

    def killed_at(self, moments, *options):
        """Whether there is a task, for each of the moments."""
        found = []
        for name, number, line in moments:
            with self.subTest(call=line.strip()):
                kill = f"inject={name}:signal=SIGKILL:when={number}"
                found.append(self.assert_whole_or_absent(self.run_traced("-o", "/dev/null", "-e", kill, rm=options)))
        return found

    def test_killed_while_it_makes_one(self):
        calls = self.calls()
        first = next(index for index, call in enumerate(calls) if "/tasks" in call[2])
        last = next(index for index, call in enumerate(calls) if "/run/ID/work-dir" in call[2])
        found = self.killed_at(calls[first:last + 1])
        # From some moment on it is there.
        self.assertEqual(found, sorted(found))
        self.assertEqual(set(found), {False, True})

    def test_killed_while_it_removes_one(self):
        calls = self.calls("--rm")
        first = max(index for index, call in enumerate(calls) if call[0] == "renameat" and "/tasks/" in call[2])
        found = self.killed_at(calls[first - 1:], "--rm")
        self.assertIn(False, found)
