"""Logs: files, rotation, who may write them, and showing them."""

import os
import signal
import time

from support import ExecutorTestCase, document, process


def rotated(name, cmdline, log_size, backups, **fields):
    return process(name, cmdline, logger={"mode": "rotate", "rotate": {"log_size": log_size, "backups": backups}}, **fields)


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
        self.assertEqual(names, ["stdout", "stdout.1", "stdout.2"])
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

    def test_standard_output_can_be_opened_again_by_name(self):
        outcome = self.assert_finished(self.run_task(document(
            "echo one > /dev/stdout; echo two >> /dev/stderr; echo three > /proc/self/fd/1", image=self.with_busybox())))
        self.assertEqual((outcome.out(), outcome.err()), ("one\nthree\n", "two\n"))

    def test_a_process_that_writes_nothing_has_empty_files(self):
        outcome = self.assert_finished(self.run_task(document("true")))
        self.assertEqual((outcome.out(), outcome.err()), ("", ""))

    def test_a_child_that_holds_the_log_does_not_hold_the_task(self):
        began = time.monotonic()
        self.assert_finished(self.run_task(document("sleep 1000 & echo done")))
        self.assertLess(time.monotonic() - began, 20)


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
        self.assertEqual(self.aurora("logs", outcome.id).out, outcome.out())
        self.assertEqual(self.aurora("logs", outcome.id, "--stderr").out, "bad\n")
        self.assertEqual(self.aurora("logs", outcome.id, "--tail", "3").out, "98\n99\n100\n")
        self.assertEqual(self.aurora("logs", outcome.id, "--tail=0").out, "")
        self.assertEqual(self.aurora("logs", outcome.id, "--tail", "1000").out, outcome.out())

    def test_logs_of_several_processes_are_told_apart(self):
        outcome = self.assert_finished(self.run_task(document(process("a", "echo x"), process("b", "echo y"))))
        self.assertEqual(self.aurora("logs", outcome.id).out, "a | x\nb | y\n")
        self.assertEqual(self.aurora("logs", outcome.id, "--process", "b").out, "y\n")

    def test_logs_of_an_earlier_run_are_printed(self):
        outcome = self.assert_finished(self.run_task(document(
            process("main", "echo $AURORA_RUN; test $AURORA_RUN = 2", max_failures=5))))
        self.assertEqual(self.aurora("logs", outcome.id).out, "2\n")
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
        follower = self.host.start("logs", task.id, "-f", task_id=task.id)
        time.sleep(0.3)
        task.signal(signal.SIGTERM).wait()
        outcome = follower.wait(10)
        self.assertEqual(outcome.code, 0, outcome)
        self.assertEqual(outcome.finished.out, "first\nlast\n")

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
