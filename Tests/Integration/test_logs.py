"""Logs: files, rotation, who may write them, and showing them."""

import ctypes
import os
import signal
import struct
import subprocess
import time

from support import ExecutorTestCase, document, need, process
from support.executor import binary, children_of, has_ended, wait_until
from support.host import open_files
from support.programs import program
from support.silent_files import silent_file
from test_policy import PolicyCase


def rotated(name, cmdline, log_size, backups, **fields):
    return process(name, cmdline, logger={"mode": "rotate", "rotate": {"log_size": log_size, "backups": backups}}, **fields)


def console(name, cmdline, destination="console", **fields):
    return process(name, cmdline, logger={"destination": destination}, **fields)


def waiting(path):
    """A piece of a script that waits for a file."""
    return f"while ! test -e {path}; do sleep 0.02; done; "


def files_of(directory, stream="stdout"):
    """The log files of a stream, oldest first, without their indexes."""
    names = [name for name in os.listdir(directory) if name == stream or name[len(stream) + 1:].isdigit()]
    return sorted(names, key=lambda name: -int(name[len(stream) + 1:] or 0))


def window(directory, stream="stdout"):
    """What is kept of a stream."""
    data = b""
    for name in files_of(directory, stream):
        with open(os.path.join(directory, name), "rb") as file:
            data += file.read()
    return data


def inodes_of(directory):
    return {entry.inode() for entry in os.scandir(directory)}


def index_of(path):
    """Position of the file in its stream, and (seconds, offset) for each record."""
    with open(path + ".index", "rb") as file:
        data = file.read()
    assert data[:8] == b"axlogix1", data[:16]
    records = [struct.unpack_from("<QQ", data, at) for at in range(16, len(data) - 15, 16)]
    return struct.unpack_from("<Q", data, 8)[0], [(time / 1e9, offset) for time, offset in records]


class Files(ExecutorTestCase):
    def test_output_and_errors_go_to_files_of_their_run(self):
        outcome = self.assert_failed(self.run_task(document(
            process("a b", "echo out $AURORA_RUN; echo err $AURORA_RUN >&2; exit 1", max_failures=2))))
        for run in (0, 1):
            self.assertEqual((outcome.out("a b", run), outcome.err("a b", run)), (f"out {run}\n", f"err {run}\n"))

    def test_bytes_of_every_kind_arrive_as_they_are(self):
        outcome = self.assert_finished(self.run_task(document(
            "head -c 3000000 /dev/urandom | tee copy; printf 'no newline'")))
        with open(outcome.log_path(), "rb") as log, open(outcome.sandbox + "/copy", "rb") as copy:
            self.assertEqual(log.read(), copy.read() + b"no newline")

    def test_what_a_process_wrote_just_before_its_end_is_there(self):
        processes = [process(f"p{index}", "seq 20000; kill -9 $$") for index in range(8)]
        outcome = self.run_task(document(*processes, max_failures=0))
        for item in processes:
            self.assertTrue(outcome.out(item["name"]).endswith("\n20000\n"))

    def test_rotation_keeps_the_newest_and_bounds_size_and_number(self):
        outcome = self.assert_finished(self.run_task(document(rotated("main", "seq 1 5000", 4096, 2))))
        directory = os.path.dirname(outcome.log_path())
        names = sorted(name for name in os.listdir(directory) if name.startswith("stdout"))
        self.assertEqual(names, sorted(name + end for name in ("stdout", "stdout.1", "stdout.2") for end in ("", ".index")))
        names = files_of(directory)
        text = "".join(outcome.log(stream=name) for name in ("stdout.2", "stdout.1", "stdout"))
        lines = "\n".join(str(number) for number in range(1, 5001)) + "\n"
        self.assertTrue(lines.endswith(text))
        for name in names:
            self.assertLessEqual(os.path.getsize(os.path.join(directory, name)), 4096 + 65536)
        self.assertGreater(len(text), 4096)

    def test_rotation_never_touches_an_earlier_run(self):
        outcome = self.assert_finished(self.run_task(document(
            rotated("main", "seq 1 500; test $AURORA_RUN = 1", 512, 1, max_failures=3))))
        first = os.listdir(os.path.dirname(outcome.log_path(run=0)))
        self.assertIn("stdout", first)
        self.assertTrue(outcome.out(run=0).endswith("500\n"))

    def test_logs_can_be_read_inside_and_not_changed(self):
        script = """
        cat .logs/main/0/stdout
        for c in "rm .logs/main/0/stdout" "mv .logs/main .logs/other" "rm -r .logs" "mv .logs x" "touch .logs/new" \
                 "ln -sf /etc/passwd .logs/main/0/stdout" "chmod 777 .logs"; do
          $c 2>/dev/null && echo "done: $c" >> found
        done
        (echo forged > .logs/main/0/stdout) 2>/dev/null && echo "done: write" >> found
        true"""
        for image, role in ((None, "www-data"), (self.with_busybox(), "www-data"), (self.with_busybox(), "root")):
            with self.subTest(image=image, role=role):
                outcome = self.assert_finished(self.run_task(document("echo before;" + script, image=image), role=role))
                self.assertTrue(outcome.out().startswith("before\n"))
                self.assertFalse(os.path.exists(outcome.sandbox + "/found"), outcome)

    def test_links_planted_in_the_sandbox_change_nothing_outside(self):
        path = self.host.write("outside/file", "host\n")
        os.chmod(path, 0o666)
        directory = os.path.dirname(path)
        outcome = self.run_task(document(
            process("main", f"rm -rf .tmp .logs; ln -s {directory} .tmp; ln -s {directory} .logs; "
                    f"ln -s {path} stdout; ln -s {path} result.json; exit 1", max_failures=2),
            process("after", f"echo x; ln -sfn {directory} ../logs; true", final=True)))
        self.assertEqual(outcome.code, 1, outcome)
        self.assertEqual(os.listdir(directory), ["file"])
        with open(path, encoding="utf-8") as file:
            self.assertEqual(file.read(), "host\n")
        self.assertEqual(outcome.out("after"), "x\n")

    def test_rotation_follows_no_link_planted_in_the_place_of_the_logs(self):
        """As root on the host's file system, the most that a task can be; its logs are mounted read-only."""
        path = self.host.write("outside/stdout", "host\n")
        directory = os.path.dirname(path)
        script = (f"cd .. ; for name in stdout.1 stdout.index stdout.new stdout.1.index; do "
                  f"ln -s {path} sandbox/.logs/main/0/$name; done; ln -sfn {directory} sandbox/.logs/main/0; "
                  f"mount --bind {directory} sandbox/.logs/main/0; umount -l sandbox/.logs; rm -rf sandbox/.logs; "
                  f"ln -s {directory} sandbox/.logs; seq 1 20000; true")
        outcome = self.assert_finished(self.run_task(document(rotated("main", script, 4096, 2)), role="root"))
        self.assertEqual(os.listdir(directory), ["stdout"])
        with open(path, encoding="utf-8") as file:
            self.assertEqual(file.read(), "host\n")
        self.assertTrue(outcome.out().endswith("\n20000\n"))
        self.assertEqual(files_of(os.path.dirname(outcome.log_path())), ["stdout.2", "stdout.1", "stdout"])

    def test_standard_output_can_be_opened_again_by_name(self):
        outcome = self.assert_finished(self.run_task(document(
            "echo one > /dev/stdout; echo two >> /dev/stderr; echo three > /proc/self/fd/1", image=self.with_busybox())))
        self.assertEqual((outcome.out(), outcome.err()), ("one\nthree\n", "two\n"))

    def test_a_process_that_writes_nothing_has_empty_files(self):
        outcome = self.assert_finished(self.run_task(document("true")))
        self.assertEqual((outcome.out(), outcome.err()), ("", ""))

    def test_the_standard_mode_writes_one_file_that_its_process_cannot_cut(self):
        outcome = self.assert_finished(self.run_task(document(process(
            "main", "seq 1 50000; : > /dev/stdout; echo end", logger={"mode": "standard"}), image=self.with_busybox())))
        self.assertEqual(outcome.out(), "".join(f"{number}\n" for number in range(1, 50001)) + "end\n")
        self.assertEqual(files_of(os.path.dirname(outcome.log_path())), ["stdout"])

    def test_the_destination_none_keeps_and_shows_nothing(self):
        outcome = self.assert_finished(self.run_task(
            document(process("main", "echo x; echo y >&2", logger={"destination": "none"})), "--follow"))
        self.assertFalse(os.path.exists(outcome.log_path()))
        self.assertEqual(outcome.finished.out, "")

    def test_rotation_loses_no_byte_while_the_executor_is_dead(self):
        """200 MB of numbered lines, and no executor for a part of them."""
        task = self.start_task(document(rotated(
            "main", "seq -f %099.0f 1 2000000; sleep 0.1", 5 << 20, 3), ram=256 << 20))
        directory = os.path.dirname(task.log_path())
        wait_until(lambda: os.path.exists(directory + "/stdout.2"), "two rotations")
        task.kill()
        before = inodes_of(directory)
        wait_until(lambda: inodes_of(directory) - before, "a rotation without an executor")
        done = self.aurora("recover", task.id)
        self.assertEqual(done.code, 0, done)
        kept = window(directory)
        self.assertGreater(len(kept), 15 << 20)
        lines = kept.split(b"\n")
        self.assertEqual((len(kept) % 100, lines.pop()), (0, b""))
        self.assertEqual(lines, [b"%099d" % number for number in range(2000001 - len(lines), 2000001)])
        position, _ = index_of(directory + "/stdout")
        self.assertEqual(position + os.path.getsize(directory + "/stdout"), 200_000_000)

    def test_a_child_that_holds_the_log_does_not_hold_the_task(self):
        began = time.monotonic()
        self.assert_finished(self.run_task(document("sleep 1000 & echo done")))
        self.assertLess(time.monotonic() - began, 20)

    def test_ends_of_others_do_not_put_off_the_end_of_a_run_whose_log_is_held(self):
        """The log lies in a message that nobody takes: no process has it, so it is cut off after a second."""
        send = ("python3 -c \"import array, socket, time; time.sleep({}); s = socket.socket(socket.AF_UNIX); s.connect('s'); "
                "s.sendmsg([b'x'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [1, 2]))])\"; date +%s.%N > {}")
        keep = ("python3 -c \"import os, socket, time; s = socket.socket(socket.AF_UNIX); s.bind('s'); s.listen(9)\n"
                "while not os.path.exists('next'): time.sleep(0.02)\"")
        outcome = self.assert_finished(self.run_task(document(
            process("keep", keep), process("a", waiting("s") + send.format(0, "a")), process("next", "date +%s.%N > next"),
            *[process(f"b{index}", waiting("a") + send.format(0.6 * index, f"b{index}")) for index in range(1, 5)],
            order=["a", "next"], ram=256 << 20)))
        waited = float(outcome.sandbox_file("next")) - float(outcome.sandbox_file("a"))
        self.assertTrue(0.9 < waited < 1.6, waited)

    def test_a_file_system_that_never_answers_does_not_stop_the_search_for_who_holds_a_log(self):
        directory = self.host.path("silent")
        with silent_file(directory) as (path, asked):
            task = self.start_task(document(
                f"exec 5<{path}; setsid sh -c 'touch held; exec sleep 1000' 0<&5 & " + waiting("held") + "echo done",
                container={"volumes": [{"container_path": directory, "host_path": directory, "mode": "RO"}]}))
            self.assert_finished(task.wait(15))
            self.assertEqual(asked, [])


class WhatIsPlanted(PolicyCase, ExecutorTestCase):
    """Links in the place of what is root's among the logs, as a task that could write there would leave them."""

    def setUp(self):
        super().setUp()
        self.victim = self.host.path("victim")
        for run in range(8):
            os.makedirs(f"{self.victim}/{run}/deep")
            for name in ("stdout", "stderr", "deep/precious"):
                with open(f"{self.victim}/{run}/{name}", "w", encoding="ascii") as file:
                    file.write("secret: not found\n" * 100_000)

    def listing(self):
        found = []
        for directory, _, names in os.walk(self.victim):
            for name in [".", *names]:
                about = os.stat(os.path.join(directory, name))
                found.append((directory, name, about.st_size, about.st_mode, about.st_uid, about.st_mtime_ns))
        return sorted(found)

    def plant(self, task, place="main"):
        os.rename(f"{task.directory}/logs/{place}", task.directory + "/kept")
        os.symlink(self.victim + ("/0" if place != "main" else ""), f"{task.directory}/logs/{place}")

    def test_nothing_is_removed_through_a_link(self):
        policy = self.policy({"ceilings": {"log_bytes": 1 << 20}})
        for place in ("main", "main/1"):
            with self.subTest(place):
                before = self.listing()
                task = self.start_task(document(process(
                    "main", "head -c 120000 /dev/zero | tee /dev/stderr; test $AURORA_RUN = 2 && { touch there; "
                    + waiting("go") + "}; exit 1", max_failures=6)), "--policy", policy)
                wait_until(lambda: os.path.exists(task.sandbox + "/there"), "its third run")
                self.plant(task, place)
                open(task.sandbox + "/go", "w", encoding="ascii").close()
                outcome = self.assert_failed(task.wait())
                self.assertEqual(self.listing(), before)
                self.assertIn("is not followed", outcome.said)
                self.assertIn("is not followed", str(outcome.result["notes"]))

    def test_nothing_is_shown_through_a_link(self):
        for place in ("main", "main/0"):
            with self.subTest(place):
                outcome = self.run_task(document("echo ours; exit 127"))
                self.plant(outcome, place)
                for words in (("logs", outcome.id), ("logs", outcome.id, "-f"), ("logs", outcome.id, "--tail", "2"), ("explain", outcome.id)):
                    shown = self.aurora(*words)
                    self.assertNotIn("secret", shown.out + shown.err, words)
                    self.assertIn("is not followed", shown.out + shown.err, words)

    def test_the_outcome_is_not_written_through_a_link(self):
        before = self.listing()
        task = self.start_task(document(
            process("main", waiting("go")), process("last", "cat $AURORA_OUTCOME_FILE", final=True)))
        task.wait_running()
        for name in (".outcome.json", ".outcome.json.new"):
            os.symlink(self.victim + "/0/stdout", f"{task.directory}/logs/{name}")
        open(task.sandbox + "/go", "w", encoding="ascii").close()
        outcome = self.assert_finished(task.wait())
        self.assertIn("schema_version", outcome.out("last"))
        self.assertEqual(self.listing(), before)


class Leases(ExecutorTestCase):
    """A task that keeps others from opening what it has written."""

    LOGS = [f"{{0}}/main/0/{name}" for name in ("stdout", "stderr", "stdout.index")]

    def holder(self, container=None):
        """A task whose second run holds leases on the logs of its first."""
        path = self.host.write("lease", open(program("lease"), "rb").read())
        os.chmod(path, 0o755)
        files = " ".join(name.format(".logs") for name in self.LOGS)
        task = self.start_task(document(process(
            "main", f"test $AURORA_RUN = 1 && exec {path} {files}; echo told; echo complained >&2; exit 1", max_failures=2),
            container=container, finalization_wait=1))
        task.wait_log("stdout.index", run=1)
        return task

    def test_none_is_taken_with_the_default_profile(self):
        task = self.holder()
        self.assertEqual([line.split()[1] for line in task.out(run=1).splitlines()], ["1"] * 3)
        shown = self.aurora("logs", task.id, "--run", "0")
        self.assertEqual(shown.code, 0, shown)
        self.assertIn("told", shown.out)
        task.signal(signal.SIGTERM).wait()

    def test_what_is_there_and_cannot_be_read_is_a_failure(self):
        task = self.holder({"linux_info": {"seccomp": {"unconfined": True}}})
        self.assertEqual([line.split()[1] for line in task.out(run=1).splitlines()], ["ok"] * 3)
        for words in ((), ("--tail", "5"), ("--since", "1h"), ("--run", "0", "--stdout")):
            with self.subTest(words):
                shown = self.aurora("logs", task.id, *words)
                self.assertEqual(shown.code, 70, shown)
                self.assertIn(f"cannot read {task.log_path()}: ", shown.err)
                self.assertIn("lease", shown.err)
                self.assertEqual(shown.err.count(f"{task.log_path()}: "), 1, shown)
        followed = self.host.start("logs", task.id, "-f", task_id=task.id)
        self.assertIn(b"cannot read", followed.process.stderr.readline())
        task.signal(signal.SIGTERM).wait()
        self.assertEqual(followed.process.wait(10), 70)
        # With the task the leases are gone.
        shown = self.aurora("logs", task.id, "--run", "0")
        self.assertEqual((shown.code, shown.out), (0, "told\nstderr | complained\n"), shown)


class Index(ExecutorTestCase):
    def test_the_index_says_when_each_line_was_written(self):
        began = time.time()
        outcome = self.assert_finished(self.run_task(document("for i in 1 2 3; do echo $i; sleep 0.2; done")))
        position, records = index_of(outcome.log_path())
        self.assertEqual((position, [offset for _, offset in records]), (0, [0, 2, 4]))
        for earlier, later in zip(records, records[1:]):
            self.assertTrue(0.15 < later[0] - earlier[0] < 2, records)
        self.assertTrue(began < records[0][0] < time.time())

    def test_the_index_is_owned_and_hidden_as_its_log(self):
        outcome = self.assert_finished(self.run_task(document("echo x")))
        log, index = os.stat(outcome.log_path()), os.stat(outcome.log_path() + ".index")
        self.assertEqual((log.st_uid, log.st_gid, log.st_mode), (index.st_uid, index.st_gid, index.st_mode))
        self.assertFalse(os.path.exists(outcome.log_path(stream="stderr") + ".index"))

    def test_the_index_of_a_log_that_is_written_byte_by_byte_stays_small(self):
        outcome = self.assert_finished(self.run_task(document(
            "python3 -c 'import os\nfor i in range(60000): os.write(1, b\"x\")'")))
        self.assertEqual(os.path.getsize(outcome.log_path()), 60000)
        self.assertLess(os.path.getsize(outcome.log_path() + ".index"), 65536 + 60000 / 2 + 32)

    def test_a_missing_torn_or_lying_index_takes_nothing_away(self):
        outcome = self.assert_finished(self.run_task(document(
            rotated("main", "seq 1 3000", 4096, 3), process("other", "echo other"))))
        path = outcome.log_path()
        whole = self.aurora("logs", outcome.id, "--process", "main").out
        self.assertTrue(whole.endswith("\n3000\n"))
        with open(path + ".index", "rb") as file:
            index = file.read()
        lies = [b"", index[:20], b"\xff" * 4096, index[:16] + b"\xff" * 160, index[:8] + b"\xff" * 8 + index[16:],
                index[:16] + struct.pack("<QQ", 0, 1 << 63) * 3 + index[16:], None]
        for lie in lies:
            with self.subTest(lie=lie):
                if lie is None:
                    os.unlink(path + ".index")
                else:
                    with open(path + ".index", "wb") as file:
                        file.write(lie)
                for words in ((), ("--tail", "100000"), ("--since", "1h")):
                    self.assertEqual(self.aurora("logs", outcome.id, "--process", "main", *words).out, whole, words)
                merged = self.aurora("logs", outcome.id).out.splitlines()
                self.assertEqual([line[7:] for line in merged if line.startswith("main | ")], whole.splitlines())
                self.assertIn("other | other", merged)
                self.assertEqual(self.aurora("logs", outcome.id, "--process", "main", "--tail", "2").out, "2999\n3000\n")


class Shown(ExecutorTestCase):
    def test_follow_prefixes_each_line_with_its_process(self):
        outcome = self.assert_finished(self.run_task(
            document(process("web", "echo one; echo two; printf three"), process("longer", "echo err >&2")), "--follow"))
        lines = outcome.finished.out.splitlines()
        self.assertEqual([line for line in lines if line.startswith("web ")],
                         ["web    | one", "web    | two", "web    | three"])
        self.assertIn("longer | err", outcome.finished.err)

    def test_without_follow_and_terminal_nothing_of_the_processes_is_shown(self):
        outcome = self.assert_finished(self.run_task(document("echo out; echo err >&2")))
        self.assertEqual(outcome.finished.out, "")
        self.assertNotIn("err\n", outcome.finished.err)

    def test_logs_prints_what_was_written(self):
        outcome = self.assert_finished(self.run_task(document("seq 1 100; echo bad >&2")))
        everything = outcome.out() + "stderr | bad\n"
        self.assertEqual(self.aurora("logs", outcome.id).out, everything)
        self.assertEqual(self.aurora("logs", outcome.id, "--stdout").out, outcome.out())
        self.assertEqual(self.aurora("logs", outcome.id, "--stderr").out, "bad\n")
        self.assertEqual(self.aurora("logs", outcome.id, "--tail", "3").out, "99\n100\nstderr | bad\n")
        self.assertEqual(self.aurora("logs", outcome.id, "--stdout", "--tail", "3").out, "98\n99\n100\n")
        self.assertEqual(self.aurora("logs", outcome.id, "--tail=0").out, "")
        self.assertEqual(self.aurora("logs", outcome.id, "--tail", "1000").out, everything)
        self.assertEqual(self.aurora("logs", outcome.id, "--stdout", "--stderr").code, 64)

    def test_logs_of_several_processes_are_told_apart(self):
        outcome = self.assert_finished(self.run_task(document(process("a", "echo x"), process("b", "echo y"), order=["a", "b"])))
        self.assertEqual(self.aurora("logs", outcome.id).out, "a | x\nb | y\n")
        self.assertEqual(self.aurora("logs", outcome.id, "--process", "b").out, "y\n")

    def test_lines_of_all_processes_come_in_the_order_in_which_they_were_written(self):
        wait = "while ! test -e {}; do sleep 0.01; done; sleep 0.02; "
        outcome = self.assert_finished(self.run_task(document(
            process("a", "echo 1; touch 1; " + wait.format(2) + "echo 3; touch 3; " + wait.format(4) + "echo 5 >&2; touch 5"),
            process("b", wait.format(1) + "echo 2 >&2; touch 2; " + wait.format(3) + "echo 4; touch 4; " + wait.format(5) +
                    "printf 6"))))
        lines = ["a | 1", "b stderr | 2", "a | 3", "b | 4", "a stderr | 5", "b | 6"]
        self.assertEqual(self.aurora("logs", outcome.id).out, "\n".join(lines) + "\n")
        self.assertEqual(self.aurora("logs", outcome.id, "--tail", "3").out, "\n".join(lines[3:]) + "\n")
        self.assertEqual(self.aurora("logs", outcome.id, "--stderr").out, "b | 2\na | 5\n")
        self.assertEqual(self.aurora("logs", outcome.id, "--process", "b").out, "stderr | 2\n4\n6")
        self.assertEqual(self.aurora("logs", outcome.id, "--process", "b", "--stdout").out, "4\n6")

    def test_since_leaves_out_what_is_older(self):
        outcome = self.assert_finished(self.run_task(document(
            process("a", "echo old; date +%s.%N > ../sandbox/then; sleep 0.3; echo new"), process("b", "sleep 0.4; echo newer"))))
        then = float(outcome.sandbox_file("then")) + 0.1
        for since in (f"{then:.6f}", time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(then)) + f"{then % 1:.9f}"[1:] + "Z"):
            self.assertEqual(self.aurora("logs", outcome.id, "--since", since).out, "a | new\nb | newer\n", since)
        self.assertEqual(self.aurora("logs", outcome.id, f"--since={then:.6f}", "--tail", "1").out, "b | newer\n")
        self.assertEqual(self.aurora("logs", outcome.id, f"--since={then:.6f}", "--tail", "9").out, "a | new\nb | newer\n")
        self.assertEqual(self.aurora("logs", outcome.id, "--since", "1h30m").out, "a | old\na | new\nb | newer\n")
        self.assertEqual(self.aurora("logs", outcome.id, "--since", str(int(time.time()) + 3600)).out, "")
        done = self.aurora("logs", outcome.id, "--since", "yesterday")
        self.assertEqual(done.code, 64, done)
        self.assertIn("1h30m", done.err)

    def test_last_lines_without_an_end_are_lines_like_others(self):
        outcome = self.assert_finished(self.run_task(document(
            process("a", "printf aend"), process("b", "sleep 0.3; printf bend"), process("c", "sleep 0.6; echo cend"))))
        self.assertEqual(self.aurora("logs", outcome.id).out, "a | aend\nb | bend\nc | cend\n")
        self.assertEqual(self.aurora("logs", outcome.id, "--tail", "2").out, "b | bend\nc | cend\n")
        self.assertEqual(self.aurora("logs", outcome.id, "--tail", "1").out, "c | cend\n")

    def test_a_thousand_runs_are_shown_as_one_log(self):
        outcome = self.assert_finished(self.run_task(document("true")))
        folder = os.path.dirname(os.path.dirname(outcome.log_path()))
        for run in range(1, 1000):
            os.makedirs(f"{folder}/{run}")
            for stream in ("stdout", "stderr"):
                with open(f"{folder}/{run}/{stream}", "w", encoding="ascii") as file:
                    file.write(f"{run}\n" if stream == "stdout" else "")
        lines = [f"{run}\n" for run in range(1, 1000)]
        began = time.monotonic()
        self.assertEqual(self.aurora("logs", outcome.id).out, "".join(lines))
        self.assertEqual(self.aurora("logs", outcome.id, "--tail", "5").out, "".join(lines[-5:]))
        self.assertEqual(self.aurora("logs", outcome.id, "--run", "last").out, "999\n")
        self.assertLess(time.monotonic() - began, 5)

    def test_a_line_of_many_megabytes_and_nul_bytes_are_shown_as_they_are(self):
        outcome = self.assert_finished(self.run_task(document(
            "head -c 30000000 /dev/zero; echo end; head -c 100000 /dev/zero | tr '\\0' x", ram=256 << 20)))
        expected = b"\0" * 30_000_000 + b"end\n" + b"x" * 100_000
        for words in ((), ("--tail", "2"), ("--since", "1h")):
            shown = subprocess.run(self.host.words(["logs", outcome.id, *words]), stdout=subprocess.PIPE, check=True).stdout
            self.assertTrue(shown == expected, (words, len(shown)))
        shown = subprocess.run(self.host.words(["logs", outcome.id, "--tail", "1"]), stdout=subprocess.PIPE, check=True).stdout
        self.assertEqual(shown, b"x" * 100_000)

    def test_logs_of_an_earlier_run_are_printed(self):
        outcome = self.assert_finished(self.run_task(document(
            process("main", "echo $AURORA_RUN; test $AURORA_RUN = 2", max_failures=5))))
        self.assertEqual(self.aurora("logs", outcome.id).out, "0\n1\n2\n")
        self.assertEqual(self.aurora("logs", outcome.id, "--run", "last").out, "2\n")
        self.assertEqual(self.aurora("logs", outcome.id, "--run", "0").out, "0\n")
        self.assertEqual(self.aurora("logs", outcome.id, "--process", "main", "--run", "9").code, 66)

    def test_logs_goes_over_rotated_files(self):
        outcome = self.assert_finished(self.run_task(document(rotated("main", "seq 1 3000", 2048, 3))))
        tail = self.aurora("logs", outcome.id, "--tail", "500").out
        self.assertEqual(tail, "".join(f"{number}\n" for number in range(2501, 3001)))

    def test_logs_of_an_unknown_process_names_the_nearest(self):
        outcome = self.run_task(document(process("webserver", "true")))
        done = self.aurora("logs", outcome.id, "--process", "websever")
        self.assertEqual(done.code, 66, done)
        self.assertIn("webserver", done.err)

    def test_logs_f_follows_until_the_task_ends(self):
        task = self.start_task(document(
            process("main", "trap 'echo last; exit 0' TERM; echo first; while :; do sleep 0.05; done")))
        task.wait_log("first")
        follower = self.host.start("logs", task.id, "-f", "--stdout", task_id=task.id)
        follower.wait_shown("first\n")
        task.signal(signal.SIGTERM).wait()
        outcome = follower.wait(10)
        self.assertEqual(outcome.code, 0, outcome)
        self.assertEqual(outcome.finished.out, "first\nlast\n")

    def test_logs_f_shows_runs_and_processes_that_begin_later_and_goes_on_without_an_executor(self):
        task = self.start_task(document(
            process("a", "echo a $AURORA_RUN; while ! test -e $AURORA_RUN; do sleep 0.02; done; test $AURORA_RUN = 1",
                    max_failures=3),
            process("b", "echo b; while ! test -e b; do sleep 0.02; done; printf end"), order=["a", "b"]))
        task.wait_log("a 0", "a")
        follower = self.host.start("logs", task.id, "-f", task_id=task.id)
        task.kill()
        open(task.sandbox + "/0", "w", encoding="ascii").close()
        # It does not take that for the end.
        time.sleep(1.2)
        self.assertIsNone(follower.process.poll())
        rest = self.host.start("recover", task.id, task_id=task.id)
        rest.wait_log("a 1", "a", run=1)
        open(task.sandbox + "/1", "w", encoding="ascii").close()
        rest.wait_log("b", "b")
        open(task.sandbox + "/b", "w", encoding="ascii").close()
        self.assertEqual(rest.wait(10).code, 0)
        outcome = follower.wait(10)
        self.assertEqual(outcome.finished.out, "a | a 0\na | a 1\nb | b\nb | end\n")

    def test_logs_f_loses_nothing_when_several_files_are_rotated_between_two_looks(self):
        task = self.start_task(document(rotated(
            "main", "echo 0; while ! test -e go; do sleep 0.02; done; for i in $(seq 1 20); do seq -f %03.0f-$i 1 500; done;"
            "while ! test -e end; do sleep 0.02; done", 8192, 100)))
        task.wait_log("0")
        follower = self.host.start("logs", task.id, "-f", "--stdout", task_id=task.id).wait_shown("0\n")
        follower.process.send_signal(signal.SIGSTOP)
        open(task.sandbox + "/go", "w", encoding="ascii").close()
        task.wait_log("500-20")
        follower.process.send_signal(signal.SIGCONT)
        follower.wait_shown("500-20\n")
        open(task.sandbox + "/end", "w", encoding="ascii").close()
        task.wait()
        lines = follower.wait(10).finished.out.splitlines()
        self.assertEqual(lines, ["0"] + [f"{n:03}-{i}" for i in range(1, 21) for n in range(1, 501)])
        self.assertGreater(len(files_of(os.path.dirname(task.log_path()))), 5)

    def test_logs_f_says_how_much_was_rotated_away_before_it_was_shown(self):
        task = self.start_task(document(rotated(
            "main", "echo 0; while ! test -e go; do sleep 0.02; done; seq -f %099.0f 1 5000; "
            "while ! test -e end; do sleep 0.02; done", 8192, 2)))
        task.wait_log("0")
        follower = self.host.start("logs", task.id, "-f", task_id=task.id).wait_shown("0\n")
        follower.process.send_signal(signal.SIGSTOP)
        open(task.sandbox + "/go", "w", encoding="ascii").close()
        task.wait_log(f"{5000:099}")
        open(task.sandbox + "/end", "w", encoding="ascii").close()
        task.wait()
        follower.process.send_signal(signal.SIGCONT)
        outcome = follower.wait(10)
        missing = [int(word) for line in outcome.finished.err.splitlines() for word in line.split()
                   if "rotated away" in line and word.isdigit()]
        self.assertEqual(len(outcome.finished.out) + sum(missing), 2 + 500_000, outcome.finished.err)
        self.assertTrue(outcome.finished.out.endswith(f"{5000:099}\n"))

    def test_logs_f_shows_every_one_of_many_runs(self):
        """Made here, as nothing makes them faster: a listing of the folder is never one of one moment."""
        task = self.start_task(document(waiting("end")))
        task.wait_running()
        os.makedirs(f"{task.directory}/logs/many")
        followers = [self.host.start("logs", task.id, "-f", "--stdout", task_id=task.id) for _ in range(2)]
        for follower in followers:
            wait_until(lambda pid=follower.process.pid: inotify_of(pid), "it looks at the folder")
        lines = [f"many | {run}" for run in range(3000)]
        for run in range(len(lines)):
            os.mkdir(f"{task.directory}/logs/many/{run}")
            with open(f"{task.directory}/logs/many/{run}/stdout", "w", encoding="ascii") as file:
                file.write(f"{run}\n")
        open(task.sandbox + "/end", "w", encoding="ascii").close()
        task.wait()
        for follower in followers:
            self.assertEqual(follower.wait(10).finished.out.splitlines(), lines)

    def test_logs_f_of_one_stream_shows_a_line_before_it_has_an_end(self):
        task = self.start_task(document(
            "printf .; " + waiting("go") + "printf .; echo .; " + waiting("end") + "printf last"))
        task.wait_log(".")
        follower = self.host.start("logs", task.id, "-f", "--process", "main", "--stdout", task_id=task.id)
        shown = follower.process.stdout.fileno()
        self.assertEqual(os.read(shown, 100), b".")
        open(task.sandbox + "/go", "w", encoding="ascii").close()
        data = b""
        while len(data) < 3:
            data += os.read(shown, 100)
        self.assertEqual(data, b"..\n")
        mixed = self.host.start("logs", task.id, "-f", "--tail", "1", task_id=task.id)
        self.assertEqual(os.read(mixed.process.stdout.fileno(), 100), b"...\n")
        open(task.sandbox + "/end", "w", encoding="ascii").close()
        task.wait()
        self.assertEqual((follower.wait(10).finished.out, mixed.wait(10).finished.out), ("last", "last"))

    def test_logs_f_goes_on_after_the_log_was_emptied(self):
        task = self.start_task(document(
            "seq 1 500; " + waiting("a") + "echo after; " + waiting("b") + "seq 1001 2000; echo whole; " + waiting("end")))
        task.wait_log("500")
        follower = self.host.start("logs", task.id, "-f", "--process", "main", task_id=task.id)
        shown = follower.process.stdout.fileno()
        data = b""
        while not data.endswith(b"\n500\n"):
            data += os.read(shown, 65536)
        os.truncate(task.log_path(), 0)
        open(task.sandbox + "/a", "w", encoding="ascii").close()
        self.assertEqual(os.read(shown, 100), b"after\n")
        # Now it has outgrown the old place by the time of the next look.
        follower.process.send_signal(signal.SIGSTOP)
        os.truncate(task.log_path(), 0)
        open(task.sandbox + "/b", "w", encoding="ascii").close()
        task.wait_log("whole")
        follower.process.send_signal(signal.SIGCONT)
        open(task.sandbox + "/end", "w", encoding="ascii").close()
        task.wait()
        outcome = follower.wait(10).finished
        self.assertEqual(outcome.out, "".join(f"{number}\n" for number in range(1001, 2001)) + "whole\n")
        self.assertEqual(outcome.err.count("was truncated"), 2, outcome.err)
        position, records = index_of(task.log_path())
        self.assertEqual(position, len("".join(f"{number}\n" for number in range(1, 501))) + len("after\n"))
        self.assertLess(records[-1][1], os.path.getsize(task.log_path()))

    def test_logs_f_shows_nothing_twice_when_the_log_is_removed(self):
        task = self.start_task(document(rotated(
            "main", "seq -f %099.0f 1 300; " + waiting("go") + "seq -f %099.0f 301 600; " + waiting("end"), 8192, 20)))
        task.wait_log(f"{300:099}\n")
        follower = self.host.start("logs", task.id, "-f", "--stdout", task_id=task.id)
        shown, data = follower.process.stdout.fileno(), b""
        while len(data) < 30000:
            data += os.read(shown, 65536)
        os.unlink(task.log_path())
        open(task.sandbox + "/go", "w", encoding="ascii").close()
        task.wait_log(f"{600:099}\n")
        open(task.sandbox + "/end", "w", encoding="ascii").close()
        task.wait()
        data += follower.wait(10).finished.out.encode()
        self.assertEqual(data, b"".join(b"%099d\n" % number for number in range(1, 601)))

    def test_logs_f_ends_when_nobody_reads_it_any_more(self):
        task = self.start_task(document("echo first; echo second; sleep 1000"))
        task.wait_log("second")
        words = self.host.words(["logs", task.id, "-f"])
        began = time.monotonic()
        done = subprocess.run(
            ["bash", "-c", 'set -o pipefail; "$@" | head -n 1', "bash", *words], stdout=subprocess.PIPE, timeout=10, check=False)
        self.assertEqual((done.stdout, done.returncode), (b"first\n", 0))
        self.assertLess(time.monotonic() - began, 3)
        task.signal(signal.SIGTERM).wait()

    def test_logs_of_a_process_that_never_stops_writing_come_to_an_end(self):
        task = self.start_task(document(rotated("main", "echo first; exec yes", 1 << 20, 3)))
        task.wait_running()
        wait_until(lambda: len(files_of(os.path.dirname(task.log_path()))) > 2, "rotations")
        for words in ((), ("--tail", "3"), ("--since", "1h")):
            done = self.aurora("logs", task.id, *words, timeout=60)
            self.assertEqual(done.code, 0)
            self.assertTrue(done.out.endswith("y\n"), words)
        task.signal(signal.SIGTERM).wait()

    def test_a_reader_that_stops_reading_stops_nobody(self):
        task = self.start_task(document(
            "while ! test -e go; do sleep 0.02; done; seq 1 200000; touch written; sleep 1000"))
        task.wait_running()
        reader, writer = os.pipe()
        follower = subprocess.Popen(self.host.words(["logs", task.id, "-f"]), stdout=writer, stderr=subprocess.DEVNULL)
        os.close(writer)
        open(task.sandbox + "/go", "w", encoding="ascii").close()
        wait_until(lambda: os.path.exists(task.sandbox + "/written"), "all is written though nobody reads")
        os.close(reader)
        self.assertEqual(follower.wait(5), 0)
        task.signal(signal.SIGTERM).wait()

    def test_a_line_without_end_is_followed_in_pieces_and_all_of_it(self):
        outcome = self.assert_finished(self.run_task(
            document("head -c 200000 /dev/zero | tr '\\0' x", image=self.with_busybox()), "--follow"))
        self.assertEqual(outcome.finished.out.count("x"), 200000)

    def test_following_across_rotation_loses_nothing_that_is_kept(self):
        task = self.start_task(document(rotated("main", "for i in $(seq 1 300); do echo $i; sleep 0.002; done", 256, 5)), "--follow")
        outcome = self.assert_finished(task.wait())
        numbers = [int(line.split("| ")[1]) for line in outcome.finished.out.splitlines()]
        self.assertEqual(numbers, sorted(numbers))
        self.assertEqual(numbers[-1], 300)
        self.assertGreater(len(numbers), 150)


def inotify_of(pid):
    """The inotify instances that a process holds."""
    return [number for number, target in open_files(pid).items() if target == "anon_inode:inotify"]


class WithoutInotify(ExecutorTestCase):
    """The kernel gives each user some 128 instances, and others may have them all."""

    def setUp(self):
        super().setUp()
        with open("/proc/sys/fs/inotify/max_user_instances", encoding="ascii") as file:
            need(int(file.read()) < 500, "few inotify instances a user")
        # nobody's: root's are others' as well.
        self.uid = 65534
        self.own = self.host.path("own")
        os.mkdir(self.own)
        os.chown(self.own, self.uid, self.uid)
        self.words = [f"--work-dir={self.own}/state", f"--run-dir={self.own}/run"]

    def without(self):
        """Becomes a user all of whose instances are taken."""
        os.setgroups([])
        os.setresgid(self.uid, self.uid, self.uid)
        os.setresuid(self.uid, self.uid, self.uid)
        libc = ctypes.CDLL(None)
        # Not closed by exec: they live as long as the command.
        while libc.inotify_init1(0) >= 0:
            pass

    def popen(self, *arguments):
        return subprocess.Popen(
            [binary(), *arguments, *self.words], preexec_fn=self.without, close_fds=False, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.host.environment())

    def run_here(self, made, *options):
        path = self.host.write("t.json", made)
        done = self.popen("run", "--task", path, "--task-id", "x", *options)
        out, err = done.communicate(timeout=30)
        self.assertEqual(done.returncode, 0, err)
        return out.decode(), err.decode()

    def test_output_is_shown_all_the_same(self):
        script = "echo first; sleep 0.4; seq 1 2000; sleep 1.5; printf last"
        expected = ["first", *map(str, range(1, 2001)), "last"]
        out, err = self.run_here(document(script), "--follow")
        self.assertEqual(out.splitlines(), ["main | " + line for line in expected])
        self.assertNotIn("inotify", err)
        self.words[0] += "2"
        out, err = self.run_here(document(console("main", script)))
        self.assertEqual(out.splitlines(), expected)
        self.assertNotIn("inotify", err)

    def test_logs_are_followed_across_runs_and_rotations(self):
        script = waiting("go") + "for i in 1 2 3 4 5 6; do seq $((i * 100 - 99)) $((i * 100)); sleep 0.2; done; test $AURORA_RUN = 1"
        path = self.host.write("t.json", document(rotated("main", script, 4096, 3, max_failures=2)))
        task = self.popen("run", "--task", path, "--task-id", "x")
        sandbox = f"{self.own}/state/tasks/x/sandbox"
        wait_until(lambda: os.path.exists(f"{sandbox}/../logs/main/0/stdout"), "it runs")
        follower = self.popen("logs", "x", "-f", "--stdout")
        open(sandbox + "/go", "w", encoding="ascii").close()
        self.assertEqual(task.wait(30), 0, task.communicate())
        task.communicate()
        out, err = follower.communicate(timeout=10)
        self.assertEqual(follower.returncode, 0, err)
        self.assertEqual(err, b"")
        self.assertEqual(out.decode().splitlines(), 2 * list(map(str, range(1, 601))))

    def test_who_shows_nothing_takes_none(self):
        task = self.start_task(document(waiting("go"))).wait_running()
        self.assertEqual(inotify_of(task.process.pid), [])
        open(task.sandbox + "/go", "w", encoding="ascii").close()
        self.assert_finished(task.wait())
        task = self.start_task(document(waiting("go")), "--follow").wait_running()
        self.assertEqual(len(inotify_of(task.process.pid)), 1)
        open(task.sandbox + "/go", "w", encoding="ascii").close()
        self.assert_finished(task.wait())


class OnTheConsole(ExecutorTestCase):
    def test_console_shows_the_bytes_and_keeps_no_log(self):
        outcome = self.assert_finished(self.run_task(document(
            console("main", "echo out; printf 'a\\0b'; echo err >&2"), process("other", "echo quiet"))))
        self.assertEqual(outcome.finished.out, "out\na\0b")
        self.assertIn("err\n", outcome.finished.err)
        self.assertNotIn("quiet", str(outcome.finished))
        self.assertFalse(os.path.exists(outcome.log_path()))
        self.assertEqual(os.listdir(self.host.run_directory), [])

    def test_both_shows_and_keeps(self):
        outcome = self.assert_finished(self.run_task(document(console("main", "seq 1 100000; echo err >&2", "both"))))
        self.assertEqual(outcome.finished.out, outcome.out())
        self.assertTrue(outcome.out().endswith("\n100000\n"))
        self.assertIn("err\n", outcome.finished.err)

    def test_with_follow_a_console_has_prefixes_like_all(self):
        outcome = self.assert_finished(self.run_task(document(console("a", "echo x"), process("b", "echo y")), "--follow"))
        self.assertEqual(sorted(outcome.finished.out.splitlines()), ["a | x", "b | y"])

    def test_every_run_is_shown_and_nothing_of_it_stays(self):
        outcome = self.assert_failed(self.run_task(document(console("main", "echo $AURORA_RUN; exit 1", max_failures=5))))
        self.assertEqual(outcome.finished.out, "0\n1\n2\n3\n4\n")

    def test_a_console_that_stands_still_stops_no_process_and_what_is_lost_is_counted(self):
        reader, writer = os.pipe()
        task_id = self.host.task_id()
        path = self.host.write("t.json", document(console("main", "seq -f %099.0f 1 100000; touch written"),
                                                  process("next", "sleep 0.1"), order=["main", "next"]))
        with open(self.host.path("err"), "wb") as errors:
            executor = subprocess.Popen(
                self.host.words(["run", "--task", path, "--task-id", task_id, "--role", "www-data"]),
                stdout=writer, stderr=errors)
        os.close(writer)
        self.assertEqual(executor.wait(20), 0)
        shown = b""
        while piece := os.read(reader, 1 << 20):
            shown += piece
        os.close(reader)
        with open(self.host.path("err"), encoding="utf-8") as errors:
            text = errors.read()
        missing = sum(int(line.split()[3]) for line in text.splitlines() if "could not be shown" in line)
        self.assertGreater(missing, 5_000_000, text)
        self.assertEqual(len(shown) + missing, 10_000_000)

    def test_a_standard_error_that_stands_still_does_not_keep_the_rest_of_the_task_waiting(self):
        reader, writer = os.pipe()
        task_id = self.host.task_id()
        path = self.host.write("t.json", document(console("main", "seq 1 100000 >&2"), process("next", "echo ran"),
                                                  order=["main", "next"]))
        executor = subprocess.Popen(
            self.host.words(["run", "--task", path, "--task-id", task_id, "--role", "www-data"]),
            stdout=subprocess.DEVNULL, stderr=writer)
        os.close(writer)
        self.assertEqual(executor.wait(20), 0)
        os.close(reader)
        with open(f"{self.host.work}/tasks/{task_id}/logs/next/0/stdout", encoding="ascii") as file:
            self.assertEqual(file.read(), "ran\n")

    def test_a_console_goes_on_under_recover_where_it_was(self):
        def wait_for(name):
            return f"while ! test -e {name}; do sleep 0.02; done"

        def lines(first, last):
            return "".join(f"{number}\n" for number in range(first, last + 1))

        for destination in ("console", "both"):
            with self.subTest(destination=destination):
                task = self.start_task(document(console(
                    "main", f"seq 1 5; {wait_for('more')}; seq 6 10; {wait_for('go')}; seq 11 20; touch gone; "
                    f"{wait_for('end')}; seq 21 30", destination)))
                task.wait_running().wait_shown("5\n")
                open(task.sandbox + "/more", "w", encoding="ascii").close()
                first = task.wait_shown("10\n").kill().wait().finished.out
                self.assertEqual(first, lines(1, 10))
                open(task.sandbox + "/go", "w", encoding="ascii").close()
                wait_until(lambda: os.path.exists(task.sandbox + "/gone"), "the process goes on")
                rest = self.host.start("recover", task.id, task_id=task.id).wait_shown("20\n")
                open(task.sandbox + "/end", "w", encoding="ascii").close()
                outcome = rest.wait(10)
                self.assertEqual(outcome.code, 0, outcome)
                # The executor may have been killed between showing lines and noting that it has.
                self.assertIn(outcome.finished.out, (lines(11, 30), lines(6, 30)))

    def test_what_ended_without_an_executor_is_shown_by_the_next(self):
        task = self.start_task(document(console("main", "while ! test -e go; do sleep 0.02; done; seq 1 20")))
        init = task.wait_running().launched()["pid"]
        [main] = children_of(init)
        task.kill()
        open(task.sandbox + "/go", "w", encoding="ascii").close()
        wait_until(lambda: has_ended(main), "its end")
        self.assertTrue(os.path.exists(f"/proc/{init}"))
        done = self.aurora("recover", task.id)
        self.assertEqual((done.code, done.out), (0, "".join(f"{number}\n" for number in range(1, 21))), done)
