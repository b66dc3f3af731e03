"""`explain` tells why a task ended, with real ends."""

import json
import os
import shutil
import signal
import struct

from support import ExecutorTestCase, Layer, TarWriter, busybox_image, document, need_controller, process
from support.executor import wait_until
from support.images import busybox_binary
from support.needs import need


def dynamic_program():
    """A program of the host that needs its loader."""
    for path in ("/bin/true", "/usr/bin/true"):
        with open(path, "rb") as file:
            data = file.read()
        if b"/ld-linux" in data[:4096]:
            return data
    need(False, "a dynamically linked /bin/true")
    return b""


def foreign_program():
    """A program for s390x, as far as its header says."""
    data = bytearray(busybox_binary())
    data[18:20] = struct.pack("<H", 22)
    return bytes(data)


class Explain(ExecutorTestCase):
    def explain(self, task, kind, *words):
        """What is said in both forms; it has the words."""
        done = self.aurora("explain", task.id)
        self.assertEqual((done.code, done.err), (0, ""), done)
        said = json.loads(self.aurora("explain", task.id, "--output", "json").out)
        self.assertEqual(said["text"] + "\n", done.out)
        self.assertEqual(said["cause"]["kind"], kind, done)
        for word in words:
            self.assertIn(word, done.out)
        return said

    def of(self, kind, *words, processes, options=(), **fields):
        return self.explain(self.run_task(document(*processes, **fields), *options), kind, *words)

    def test_an_exit_status_with_the_last_words_and_a_command_that_works(self):
        said = self.of(
            "exit_status", "process web run 1 ended with exit status 3", '"no such table"', "tried 2 times",
            processes=[process("web", "echo no such table >&2; exit 3", max_failures=2)])
        self.assertEqual(said["decider"], {"process": "web", "run": 1})
        words = said["next"][-1].split("`")[1].split()
        self.assertEqual(words[0], "aurora-executor")
        self.assertEqual(self.aurora(*[word for word in words[1:] if not word.startswith(("--work-dir", "/"))]).out,
                         "no such table\n")

    def test_signals(self):
        self.of("signal", "killed by SIGSEGV", processes=["kill -SEGV $$"])
        self.of("child_signal", "exit status 139", "killed by SIGSEGV",
                processes=["sh -c 'kill -SEGV $$'; exit $?"])
        task = self.start_task(document("echo $$ >pid; echo up; exec sleep 1000", finalization_wait=2), "--isolation",
                               "filesystem/linux").wait_log("up")
        os.kill(int(task.sandbox_file("pid")), signal.SIGKILL)
        self.explain(task.wait(), "signal", "killed by SIGKILL", "The executor did not send it")

    def test_out_of_memory(self):
        need_controller("memory")
        self.of("out_of_memory", "memory limit of 32 MiB (peak 32 MiB)", "raise resources.ram above 32 MiB",
                processes=["exec tail /dev/zero"], ram=32 << 20)

    def test_a_missing_command(self):
        for image in (None, self.with_busybox()):
            with self.subTest(image=image):
                self.of("command_not_found", "did not find the command `nosuch`", "PATH was /", processes=["nosuch --x"],
                        image=image)

    def test_a_missing_interpreter(self):
        script = "printf '#!/opt/nosuch -x\\n' >run; chmod +x run; ./run"
        for image in (None, self.with_busybox()):
            with self.subTest(image=image):
                self.of("missing_interpreter", "`./run`", "its interpreter `/opt/nosuch` is not", processes=[script], image=image)

    def test_a_missing_loader(self):
        image = self.host.import_image(busybox_image(
            name="lacks:loader", extra=lambda tar: tar.file("bin/hello", dynamic_program(), mode=0o755)))
        self.of("missing_interpreter", "`/bin/hello` is there, and its loader `/lib64/ld-linux-x86-64.so.2` is not",
                "use an image that has", processes=["/bin/hello"], image=image)

    def test_the_same_for_an_images_own_command(self):
        image = self.host.import_image(busybox_image(
            {"Cmd": ["/bin/hello"]}, name="lacks:loader",
            extra=lambda tar: tar.file("bin/hello", dynamic_program(), mode=0o755)))
        made = document("x", image=image)
        made["processes"] = []
        self.explain(self.run_task(made), "missing_interpreter", "/bin/hello: its interpreter /lib64/ld-linux-x86-64.so.2")

    def test_another_architecture(self):
        image = self.host.import_image(busybox_image(
            {"Cmd": ["/bin/prog"]}, name="other:arch",
            extra=lambda tar: tar.file("bin/prog", foreign_program(), mode=0o755)))
        made = document("x", image=image)
        made["processes"] = []
        self.explain(self.run_task(made), "wrong_architecture", "built for s390x")
        # The same file, started by the host's shell.
        path = self.host.write("prog", foreign_program())
        os.chmod(path, 0o755)
        outcome = self.run_task(document(f"cp {path} prog; ./prog"))
        self.explain(outcome, "wrong_architecture", "`./prog` is built for s390x, which this host is not")

    def test_a_file_that_may_not_be_executed(self):
        self.of("not_executable", "`./x` may not be executed", processes=["touch x; ./x"])

    def test_disk(self):
        self.of("disk", "sandbox/big 12 MiB", "raise resources.disk above 8 MiB",
                processes=["dd if=/dev/zero of=big bs=1M count=12; exec sleep 100"], disk=8 << 20)

    def test_a_failed_health_check_with_what_it_said(self):
        check = {"health_checker": {"shell": {"shell_command": "echo database is away; exit 1"}},
                 "initial_interval_secs": 0, "interval_secs": 0.2, "max_consecutive_failures": 1}
        self.of("health", "Failed health check!", 'A check said: "database is away', "try the check by hand",
                processes=["exec sleep 1000"], health_check_config=check, finalization_wait=2)

    def test_a_dead_end_by_a_failed_predecessor(self):
        said = self.of("exit_status", "process first run 0 ended with exit status 4",
                       processes=[process("first", "exit 4"), process("second", "true"), process("third", "true")],
                       order=["first", "second", "third"], max_failures=5)
        self.assertIn("`second` never started, because it waits for `first`", said["others"])

    def test_an_image_that_is_not_there(self):
        self.of("launch_failed", "nowhere:1 is not in the image store", "No process of it was started", "image import",
                processes=["true"], image="nowhere:1", options=("--pull", "never"))

    def test_a_task_that_runs_one_that_was_stopped_and_one_that_finished(self):
        task = self.start_task(document(
            process("web", "echo up; exec sleep 1000"), process("after", "true"), order=["web", "after"],
            finalization_wait=2)).wait_log("up", "web")
        task.wait_running()
        self.explain(task, "running", "it waits for `web` to end", "`after` waits for `web`")
        outcome = task.signal(signal.SIGTERM).wait()
        self.explain(outcome, "stopped", f"stopped by SIGTERM from pid {os.getpid()} (uid 0)",
                     "`web` ended with the task, by the executor's own signals", "`after` never started")
        self.of("finished", "every process that counts has done its work", processes=["true"])

    def test_no_kind_depends_on_the_words_of_a_message(self):
        def own_command(path, content=None, mode=0o755):
            image = self.host.import_image(busybox_image(
                {"Cmd": [path]}, name=f"own:{os.path.basename(path)}",
                extra=lambda tar: content and tar.file(path[1:], content, mode=mode)))
            made = document("x", image=image)
            made["processes"] = []
            return self.run_task(made)

        stopped = self.start_task(document("echo up; exec sleep 1000", finalization_wait=2)).wait_log("up")
        stopped.wait_running()
        os.kill(stopped.launched()["pid"], signal.SIGTERM)
        ends = [
            ("launch_failed", self.run_task(document("true", image="nowhere:1"), "--pull", "never")),
            ("command_not_found", own_command("/bin/nosuch")),
            ("not_executable", own_command("/bin/plain", b"#!/bin/sh\n", 0o644)),
            ("missing_interpreter", own_command("/bin/script", b"#!/opt/nosuch\n")),
            ("wrong_architecture", own_command("/bin/prog", foreign_program())),
            ("stopped", stopped.wait()),
        ]

        def garbled(value):
            if isinstance(value, list):
                return [garbled(item) for item in value]
            if not isinstance(value, dict):
                return value
            return {
                key: "not found, from outside" if key in ("message", "hint", "by", "text")
                else ["rubbish" for _ in item] if key == "notes" else garbled(item)
                for key, item in value.items()}

        for kind, outcome in ends:
            with self.subTest(kind=kind):
                before = self.explain(outcome, kind)
                outcome.rewrite_journal(garbled)
                result = garbled(outcome.result)
                with open(outcome.result_path, "w", encoding="utf-8") as file:
                    json.dump(result, file)
                after = self.explain(outcome, kind)
                self.assertEqual(len(after["next"]), len(before["next"]))
                self.assertEqual(any("docker events" in word for word in after["next"]), kind == "stopped")
                # The journal alone, as where the result is lost.
                if kind != "launch_failed":
                    os.remove(outcome.result_path)
                    self.explain(outcome, kind)

    def test_a_lost_task_and_one_without_executor(self):
        task = self.start_task(document("echo up; exec sleep 1000")).wait_log("up")
        task.kill()
        self.explain(task, "abandoned", "Its executor is gone", "aurora-executor recover")
        task.kill_init()
        self.explain(self.host.recover(task.id), "lost", "cannot be known")

    def test_what_the_kernel_makes_of_a_file_is_not_read(self):
        # Reading it waits for ever and takes the messages away from others.
        self.of("command_not_found", "could not start `/proc/kmsg`",
                processes=["echo 'sh: /proc/kmsg: not found' >&2; exit 127"])
        said = "echo 'sh: /opt-of-this-test/k: not found' >&2; exit 127"
        os.mkdir("/opt-of-this-test")
        self.addCleanup(shutil.rmtree, "/opt-of-this-test")
        os.symlink("/proc/kmsg", "/opt-of-this-test/k")
        self.of("missing_interpreter", "`/opt-of-this-test/k` is there", processes=[said])

    def test_what_may_have_been_elsewhere_is_not_called_absent(self):
        either = "Either it is not there, or the interpreter"
        image = self.with_busybox()
        self.of("command_not_found", either, image=image,
                processes=["printf '#!/opt/nosuch\\n' >/tmp/s; chmod +x /tmp/s; /tmp/s"])
        self.of("command_not_found", either, processes=["mkdir d; cd d; ./nosuch"])
        self.of("command_not_found", "there is no `/opt/nosuch/x`", processes=["/opt/nosuch/x"])

    def test_what_a_layer_hides_is_not_taken_for_the_file(self):
        def lower(tar):
            tar.directory("real")
            tar.directory("opt")
            for name in ("opt/s", "gone"):
                tar.file(name, b"#!/opt/nosuch\n", mode=0o755)
        upper = TarWriter()
        upper.symlink("opt", "real")
        upper.file(".wh.gone")
        image = self.host.import_image(busybox_image(name="two:layers", extra=lower, layers=(Layer(upper.bytes()),)))
        for path in ("/opt/s", "/gone"):
            self.of("command_not_found", f"could not start `{path}`", processes=[path], image=image)

    def test_a_task_whose_container_or_result_is_gone(self):
        task = self.start_task(document("echo up; exec sleep 1000")).wait_log("up")
        task.kill()
        self.explain(task, "abandoned", "its processes go on without it")
        task.kill_init()
        gone = "Its executor is gone, and so is its container"
        wait_until(lambda: gone in self.aurora("explain", task.id).out, "its container is gone")
        self.explain(task, "abandoned", gone)
        self.host.recover(task.id)
        outcome = self.run_task(document("exit 3"))
        with open(os.path.join(self.host.work, "tasks", outcome.id, "result.json"), "w", encoding="utf-8") as file:
            file.write("{")
        self.explain(outcome, "exit_status", "failed: process main run 0 ended with exit status 3",
                     "result.json is missing or damaged")

    def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(self):
        outcome = self.run_task(document("exit 3"))
        for name in ("health.json", "result.json"):
            path = os.path.join(self.host.work, "tasks", outcome.id, name)
            if os.path.exists(path):
                os.unlink(path)
            os.mkfifo(path)
        self.explain(outcome, "exit_status", "ended with exit status 3")
        self.assertEqual(self.aurora("status", outcome.id).code, 0)
        self.assertEqual(self.aurora("ps").code, 0)

    def test_an_unknown_task_names_a_near_one(self):
        outcome = self.run_task(document("true"))
        done = self.aurora("explain", outcome.id[:-1] + "x")
        self.assertEqual(done.code, 66, done)
        self.assertIn(f"did you mean {outcome.id}?", done.err)
