"""Somebody removes a task's run directory, as cleaners of temporary files do: the task goes on and can be taken over."""

import os
import shutil
import signal
import subprocess
import time

from support import DockerTestCase, ExecutorTestCase, document, process
from support.executor import binary, wait_until
from support.images import busybox_image

UNTIL_GO = "echo up; while ! test -e go; do sleep 0.05; done; echo done; exit 5"


def read(path):
    with open(path, "rb") as file:
        return file.read()


class LostRunDirectory:
    def remove(self, task):
        shutil.rmtree(self.run_path(task))

    def run_path(self, task):
        return os.path.join(self.host.run_directory, task.id)

    def let_go(self, task):
        with open(os.path.join(task.sandbox, "go"), "w", encoding="utf-8"):
            pass

    def begin(self, made):
        raise NotImplementedError

    def test_without_an_executor_the_task_is_taken_over_all_the_same(self):
        task = self.begin(document(UNTIL_GO)).wait_log("up")
        self.remove(task)
        task.kill()
        self.assertIn("recover", self.aurora("ps").out)
        self.assertIn(f"recover {task.id}", self.host.aurora("sweep").err)
        rest = self.host.start("recover", task.id, task_id=task.id)
        rest.wait_for("resumed")
        # And again: what it has made serves the next one too.
        rest.kill()
        self.let_go(task)
        outcome = self.host.recover(task.id)
        self.assert_failed(outcome, "exit status 5")
        self.assertEqual(outcome.out(), "up\ndone\n")
        self.assertFalse(os.path.exists(self.run_path(task)))

    def test_it_is_made_anew_while_the_task_runs(self):
        task = self.begin(document(UNTIL_GO)).wait_log("up")
        self.remove(task)
        wait_until(lambda: os.path.exists(self.run_path(task) + "/executor.sock"), "it is made anew", 40)
        self.assertEqual(os.readlink(self.run_path(task) + "/work-dir"), self.host.work)
        # It says so when all of it is there.
        time.sleep(0.5)
        # Both sockets lead somewhere: `recover` connects to init, `stop` to the executor.
        task.kill()
        rest = self.host.start("recover", task.id, task_id=task.id)
        rest.wait_for("resumed")
        stopped = self.aurora("stop", task.id)
        self.assertEqual(stopped.code, 0, stopped)
        self.assertIn("TASK_KILLED", stopped.out)
        self.assertIn("made anew", task.wait().said)
        rest.wait()

    def test_a_stale_socket_in_its_place_is_none(self):
        task = self.begin(document(UNTIL_GO)).wait_log("up")
        path = self.run_path(task) + "/control.sock"
        os.unlink(path)
        task.kill()
        with open(path, "w", encoding="ascii"):
            pass
        self.let_go(task)
        self.assert_failed(self.host.recover(task.id), "exit status 5")


class Native(LostRunDirectory, ExecutorTestCase):
    def begin(self, made):
        return self.start_task(made)

    def test_a_console_process_starts_and_is_shown_all_the_same(self):
        task = self.start_task(document(
            process("a", "echo a; while ! test -e go; do sleep 0.05; done"),
            process("b", "echo b; sleep 0.3; echo c", logger={"destination": "console"}),
            process("c", "echo first", logger={"destination": "console"}), order=["c", "a", "b"]))
        task.wait_log("a", "a")
        self.remove(task)
        self.let_go(task)
        outcome = self.assert_finished(task.wait())
        self.assertEqual(outcome.finished.out, "first\nb\nc\n")

    def test_without_root_the_task_is_ended_and_lost(self):
        own = self.host.path("own")
        os.mkdir(own)
        os.chown(own, 65534, 65534)
        directories = [f"--work-dir={own}/state", f"--run-dir={own}/run"]
        path = self.host.write("t.json", document("echo up; sh -c 'sleep 98761; true'; exit 5"))
        task = subprocess.Popen(
            [binary(), "run", "--task", path, "--task-id", "x", *directories], user=65534, group=65534, extra_groups=[],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=self.host.environment())
        log = f"{own}/state/tasks/x/logs/main/0/stdout"
        wait_until(lambda: os.path.exists(log) and os.path.getsize(log), "it runs")
        shutil.rmtree(f"{own}/run/x")
        task.kill()
        task.wait()
        done = subprocess.run(
            [binary(), "recover", "x", *directories], user=65534, group=65534, extra_groups=[], stdin=subprocess.DEVNULL,
            capture_output=True, text=True, env=self.host.environment(), check=False, timeout=20)
        self.assertEqual(done.returncode, 4, done)
        self.assertIn("could be reached by nobody any more", done.stderr)
        self.assertNotEqual(subprocess.run(["pgrep", "-f", "sleep 98761"], check=False, capture_output=True).returncode, 0)

    def test_who_may_not_reach_init_is_told_so(self):
        task = self.start_task(document(UNTIL_GO)).wait_log("up")
        self.remove(task)
        task.kill()
        began = time.monotonic()
        done = self.without_ptrace("recover", task.id)
        self.assertEqual(done.returncode, 77, done)
        self.assertIn("has lost its socket", done.stderr)
        self.assertIn("CAP_SYS_PTRACE", done.stderr)
        self.assertLess(time.monotonic() - began, 5)
        self.let_go(task)
        self.assert_failed(self.host.recover(task.id), "exit status 5")

    def without_ptrace(self, *arguments):
        return subprocess.run(
            ["setpriv", "--bounding-set=-sys_ptrace", *self.host.words(arguments)], stdin=subprocess.DEVNULL,
            capture_output=True, text=True, env=self.host.environment(), check=False, timeout=30)

    def test_logs_are_followed_until_the_task_has_ended(self):
        task = self.start_task(document(UNTIL_GO)).wait_log("up")
        self.remove(task)
        task.kill()
        follower = self.host.start("logs", task.id, "-f", "--stdout", task_id=task.id)
        # It does not take that for the end.
        time.sleep(1.5)
        self.assertIsNone(follower.process.poll())
        self.let_go(task)
        self.host.recover(task.id)
        self.assertEqual(follower.wait(10).finished.out, "up\ndone\n")

    def test_recover_needs_no_work_directory_named(self):
        task = self.begin(document(UNTIL_GO)).wait_log("up")
        task.kill()
        self.let_go(task)
        words = [binary(), "recover", task.id, f"--run-dir={self.host.run_directory}"]
        done = subprocess.run(words, capture_output=True, env=self.host.environment(), timeout=30, check=False)
        self.assertEqual((done.returncode, task.result["state"]), (1, "TASK_FAILED"), done)

    def test_recover_needs_no_run_directory_named(self):
        task = self.start_task(document(UNTIL_GO)).wait_log("up")
        self.remove(task)
        task.kill()
        self.let_go(task)
        launched, self.host.run_directory = self.host.run_directory, self.host.path("another")
        outcome = self.host.recover(task.id)
        self.host.run_directory = launched
        self.assert_failed(outcome, "exit status 5")
        self.assertEqual(os.listdir(launched), [])


class Docker(LostRunDirectory, DockerTestCase):
    def begin(self, made):
        made["container"] = {"docker": {"image": self.with_engine_image()}}
        return self.start_task(made, "--docker-socket", self.engine.socket)


class Shared(ExecutorTestCase):
    """Two tasks of one id, of two work directories, in the place of one run directory: the first one's was removed. Without
    root, for cgroups of root say whose they are.
    """

    def setUp(self):
        super().setUp()
        self.own = self.host.path("own")
        os.mkdir(self.own)
        os.chown(self.own, 65534, 65534)
        self.directory = f"{self.own}/run/x"
        self.path = self.host.write("t.json", document(UNTIL_GO))
        os.chmod(self.host.path(""), 0o755)

    def words(self, work, *arguments):
        return [binary(), *arguments, f"--work-dir={self.own}/{work}", f"--run-dir={self.own}/run"]

    def options(self):
        return {"user": 65534, "group": 65534, "extra_groups": [], "stdin": subprocess.DEVNULL, "env": self.host.environment()}

    def begin(self, work):
        task = subprocess.Popen(
            self.words(work, "run", "--task", self.path, "--task-id", "x"), **self.options(), stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        self.addCleanup(task.wait)
        self.addCleanup(task.kill)
        journal = f"{self.own}/{work}/tasks/x/events.jsonl"
        wait_until(lambda: os.path.exists(journal) and b"TASK_RUNNING" in read(journal), f"{work} runs")
        return task

    def command(self, work, *arguments):
        return subprocess.run(
            self.words(work, *arguments), **self.options(), capture_output=True, text=True, check=False, timeout=30)

    def two(self, change):
        """Both run; what is changed of the second one's."""
        for work in ("first", "second", "moved"):
            shutil.rmtree(f"{self.own}/{work}", ignore_errors=True)
        first = self.begin("first")
        shutil.rmtree(self.directory)
        second = self.begin("second")
        if change == "link":
            os.unlink(self.directory + "/work-dir")
        elif change == "move":
            os.rename(f"{self.own}/second", f"{self.own}/moved")
        return first, second, "moved" if change == "move" else "second"

    def go(self, work):
        with open(f"{self.own}/{work}/tasks/x/sandbox/go", "w", encoding="utf-8"):
            pass

    def test_what_is_asked_of_one_reaches_no_other(self):
        for change in ("none", "link", "move"):
            with self.subTest(change):
                first, second, work = self.two(change)
                names = sorted(os.listdir(self.directory))
                done = self.command("first", "stop", "x", "--wait", "2")
                self.assertIn(done.returncode, (1, 73), done)
                self.assertIn("another work directory", done.stderr)
                first.kill()
                done = self.command("first", "recover", "x")
                self.assertEqual(done.returncode, 73, done)
                self.assertNotIn("took over", done.stderr)
                self.assertEqual(sorted(os.listdir(self.directory)), names)
                stopped = self.command(work, "stop", "x")
                self.assertEqual(stopped.returncode, 0, stopped)
                self.assertIn("TASK_KILLED", stopped.stdout)
                self.assertEqual(second.wait(20), 3)
                # What is left of the first is nobody's to reach any more, and ended.
                shutil.rmtree(f"{self.own}/{work}")
                self.assertEqual(self.command("first", "recover", "x").returncode, 4)
                self.assertFalse(os.path.exists(self.directory))

    def test_the_end_of_one_leaves_the_other_alone(self):
        for change in ("none", "link", "move"):
            with self.subTest(change):
                first, second, work = self.two(change)
                names = sorted(os.listdir(self.directory))
                self.go("first")
                self.assertEqual(first.wait(20), 1)
                self.assertEqual(sorted(os.listdir(self.directory)), names)
                self.go(work)
                self.assertEqual(second.wait(20), 1)
                self.assertFalse(os.path.exists(self.directory))


class OthersRunDirectory(ExecutorTestCase):
    """Somebody else makes what a cleaner has removed: nothing in it is believed."""

    def take(self, path):
        """A local user's directory in the place of ours."""
        shutil.rmtree(self.host.run_directory, ignore_errors=True)
        os.makedirs(path)
        for directory in {self.host.run_directory, path}:
            os.chown(directory, 65534, 65534)

    def assert_refused(self, done):
        self.assertEqual(done.code, 77, done)
        self.assertIn("is of uid 65534", done.err)

    def test_no_task_is_run_in_it(self):
        self.take(self.host.run_directory)
        task = self.host.task_id()
        self.assert_refused(self.run_task(document("true"), task_id=task).finished)
        self.assertIn("no tasks", self.aurora("ps").err)

    def test_sweep_removes_nothing_by_a_link_in_it(self):
        self.take(self.host.run_directory)
        victim = self.host.write("victim/file", "kept")
        link = os.path.join(self.host.run_directory, ".init")
        os.symlink(os.path.dirname(victim), link)
        os.chown(link, 65534, 65534, follow_symlinks=False)
        self.assert_refused(self.aurora("sweep"))
        self.assertTrue(os.path.exists(victim))
        os.chown(self.host.run_directory, 0, 0)
        self.assertEqual(self.aurora("sweep").code, 77)
        self.assertTrue(os.path.exists(victim))

    def test_who_answers_there_is_not_taken_for_init(self):
        task = self.start_task(document(UNTIL_GO)).wait_log("up")
        task.kill()
        self.take(os.path.join(self.host.run_directory, task.id))
        self.assert_refused(self.host.recover(task.id).finished)
        shutil.rmtree(self.host.run_directory)
        with open(os.path.join(task.sandbox, "go"), "w", encoding="utf-8"):
            pass
        self.assert_failed(self.host.recover(task.id), "exit status 5")

    def test_places_on_the_way(self):
        # Mode, owner and group of the directory above, owner of the run directory in it.
        table = [
            ((0o755, 0, 0, 0), 0), ((0o777, 0, 0, 0), 77), ((0o775, 0, 0, 0), 77), ((0o775, 0, 65534, 0), 77),
            ((0o1777, 0, 0, 0), 0), ((0o1777, 0, 0, 65534), 77), ((0o1777, 65534, 0, 0), 77), ((0o755, 65534, 0, 0), 77),
        ]
        above = self.host.path("above")
        environment = {"SUDO_UID": "65534", "SUDO_GID": "65534"}
        for option in ("--work-dir", "--run-dir"):
            self.host.work, self.host.run_directory = (
                self.host.path("above/state" if option == place else place[2:]) for place in ("--work-dir", "--run-dir"))
            for (mode, owner, group, own), code in table:
                with self.subTest(option=option, mode=oct(mode), owner=owner, group=group, own=own):
                    shutil.rmtree(above, ignore_errors=True)
                    os.makedirs(above + "/state")
                    os.chown(above + "/state", own, own)
                    os.chown(above, owner, group)
                    os.chmod(above, mode)
                    done = self.run_task(document("true"), env=environment)
                    self.assertEqual(done.code, code, done)
                    for command in (["sweep"], ["recover", "--all"], ["stop", "x"], ["image", "rm", "x"]):
                        if code and (option == "--work-dir" or command[0] != "image"):
                            self.assertEqual(self.aurora(*command).code, code, command)

    def test_a_link_of_somebody_else_leads_nowhere(self):
        private = self.host.path("private")
        kept = self.host.write("private/.init/1-2-3-4", "kept")
        shared = self.host.path("shared")
        os.mkdir(shared)
        os.chmod(shared, 0o1777)
        for owner, code in ((65534, 77), (0, 0)):
            link = f"{shared}/{owner}"
            os.symlink(private, link)
            os.chown(link, owner, owner, follow_symlinks=False)
            self.host.run_directory = link
            self.assertEqual(self.run_task(document("true")).code, code)
            self.assertEqual(self.aurora("sweep").code, code)
            self.assertEqual(os.path.exists(kept), owner != 0)

    def test_a_directory_that_is_no_tasks_is_left_alone(self):
        made = self.host.write("run/.init/important", "kept")
        for files in (["file"], [], ["network/important"]):
            with self.subTest(files):
                directory = os.path.join(self.host.run_directory, "other")
                os.makedirs(directory)
                kept = [self.host.write("run/other/" + name, "kept") for name in files]
                done = self.run_task(document("true"), task_id="other")
                self.assertEqual(done.code, 73, done)
                self.assertIn("is there already, and no task's", done.said)
                self.assertTrue(all(map(os.path.exists, [directory, *kept])))
                shutil.rmtree(directory)
        self.aurora("sweep")
        self.assertTrue(os.path.exists(made))

    def test_what_only_looks_like_a_tasks_is_left_alone(self):
        directory = os.path.join(self.host.run_directory, "other")
        for make in (lambda path: os.mkdir(path), lambda path: open(path, "w", encoding="utf-8").close(),
                     lambda path: os.symlink(b"caf\xe9", os.fsencode(path))):
            kept = self.host.write("run/other/network/file", "kept")
            make(directory + "/work-dir")
            os.chmod(directory, 0o700)
            self.assertEqual(self.run_task(document("true"), task_id="other").code, 73)
            self.assertTrue(os.path.exists(kept))
            shutil.rmtree(directory)

    def test_another_task_of_the_id_is_neither_stopped_nor_removed(self):
        first = self.start_task(document("echo up; sleep 1000")).wait_log("up")
        shutil.rmtree(os.path.join(self.host.run_directory, first.id))
        # Another's, of a work directory that is there.
        other = self.host.path("other")
        os.makedirs(f"{other}/tasks/{first.id}")
        kept = self.host.write(f"run/{first.id}/network/hosts", "kept")
        os.symlink(other, os.path.join(self.host.run_directory, first.id, "work-dir"))
        self.assertEqual(self.aurora("stop", first.id).code, 73)
        self.assertEqual(first.signal(signal.SIGTERM).wait().code, 3)
        self.assertTrue(os.path.exists(kept))

    def test_what_is_in_the_place_of_a_former_work_directory_is_no_obstacle(self):
        task = self.start_task(document(UNTIL_GO)).wait_log("up")
        task.kill()
        former = self.host.work
        self.host.work = self.host.path("moved")
        os.rename(former, self.host.work)
        self.host.write("work", "no directory")
        with open(os.path.join(self.host.work, "tasks", task.id, "sandbox", "go"), "w", encoding="utf-8"):
            pass
        self.assert_failed(self.host.recover(task.id), "exit status 5")

    def test_the_set_group_id_bit_is_no_obstacle(self):
        os.makedirs(self.host.run_directory)
        os.chmod(self.host.run_directory, 0o2755)
        task = self.start_task(document(UNTIL_GO)).wait_log("up")
        task.kill()
        os.unlink(os.path.join(self.host.run_directory, task.id, "work-dir"))
        with open(os.path.join(task.sandbox, "go"), "w", encoding="utf-8"):
            pass
        self.assert_failed(self.host.recover(task.id), "exit status 5")

    def test_a_task_of_somebody_else_is_not_believed(self):
        task = self.start_task(document(UNTIL_GO)).wait_log("up")
        task.kill()
        for owner, mode in ((65534, 0o700), (0, 0o777)):
            os.chown(task.directory, owner, owner)
            os.chmod(task.directory, mode)
            done = self.host.recover(task.id).finished
            self.assertEqual(done.code, 77, done)
            self.assertIn("what is in it is not believed", done.err)
            self.assertNotEqual(self.aurora("recover", "--all").code, 0)
            self.assertFalse(os.path.exists(task.directory + "/executor.log"))
        os.chmod(task.directory, 0o700)
        with open(os.path.join(task.sandbox, "go"), "w", encoding="utf-8"):
            pass
        self.assert_failed(self.host.recover(task.id), "exit status 5")

    def test_who_only_looks_changes_nothing(self):
        task = self.run_task(document("/bin/missing", image=self.host.import_image(busybox_image())))
        self.assertEqual(task.code, 1, task)
        private = self.host.path("private")
        os.mkdir(private, 0o700)
        kept = self.host.write("private/staging/file", "kept")
        os.rename(self.host.work + "/images", self.host.path("images"))
        os.symlink(private, self.host.work + "/images")
        for command in (["explain", task.id], ["plan", "--task", self.host.path(f"{task.id}.json")], ["status", task.id],
                        ["ps"], ["logs", task.id], ["image", "ls"]):
            self.aurora(*command)
            self.assertEqual((os.listdir(private), os.path.exists(kept)), (["staging"], True), command)

    def test_what_came_into_its_place_is_not_removed_with_the_task(self):
        above = self.host.path("above")
        self.host.run_directory = above + "/run"
        for console in (False, True):
            made = process("main", "echo up; sleep 1000", **({"logger": {"destination": "console"}} if console else {}))
            later = process("last", "echo last", final=True, **({"logger": {"destination": "console"}} if console else {}))
            task = self.start_task(document(made, later), "--follow").wait_running()
            private = self.host.path(f"private{console}")
            victim = self.host.write(f"private{console}/{task.id}/file", "kept")
            shutil.rmtree(above)
            os.mkdir(above)
            os.chown(above, 65534, 65534)
            os.symlink(private, above + "/run")
            outcome = task.signal(signal.SIGTERM).wait()
            self.assertEqual((outcome.code, outcome.result["state"]), (3, "TASK_KILLED"), outcome)
            self.assertEqual(os.listdir(os.path.dirname(victim)), ["file"])
            self.assertEqual(os.listdir(private), [task.id])
            os.unlink(above + "/run")
            os.rmdir(above)

    def test_what_came_into_the_tasks_place_is_not_removed_with_it(self):
        above = self.host.path("above")
        self.host.work = above + "/work"
        task = self.start_task(document("echo up; sleep 1000"), "--rm").wait_log("up")
        private = self.host.path("private")
        victim = self.host.write(f"private/tasks/{task.id}/file", "kept")
        os.rename(above, above + ".old")
        os.mkdir(above)
        os.chown(above, 65534, 65534)
        os.symlink(private, above + "/work")
        task.process.send_signal(signal.SIGTERM)
        self.assertEqual(task.process.wait(30), 3)
        self.assertTrue(os.path.exists(victim))

    def test_a_task_that_was_begun_keeps_its_role(self):
        task = self.start_task(document(UNTIL_GO)).wait_log("up")
        task.kill()
        path = self.host.path(f"{task.id}.json")
        done = self.aurora("run", "--task", path, "--task-id", task.id, "--role", "root")
        self.assertEqual(done.code, 73, done)
        self.assertIn("with the role www-data and not root", done.err)
        with open(os.path.join(task.sandbox, "go"), "w", encoding="utf-8"):
            pass
        self.assert_failed(self.host.recover(task.id), "exit status 5")

    def test_a_strangers_file_does_not_say_who_may_read_a_result(self):
        for owner, mode in ((65534, 0o600), (0, 0o644)):
            path = self.host.write(f"result{owner}", "")
            os.chown(path, owner, owner)
            os.chmod(path, 0o644)
            self.assert_finished(self.run_task(document("true"), "--result", path))
            about = os.stat(path)
            self.assertEqual((about.st_mode & 0o777, about.st_uid), (mode, 0))

    def test_in_a_user_namespace_the_hosts_root_is_nobody(self):
        path = self.host.write("t.json", document("true"))
        os.chmod(self.host.path(""), 0o755)
        # Where nobody else can make a name: /tmp might be of anybody whom the namespace does not know.
        script = (
            "mount -t tmpfs -o mode=755,uid=65534,gid=65534 own /mnt && "
            "exec setpriv --reuid 65534 --regid 65534 --clear-groups unshare --user --map-user=33 \"$@\"")
        for place, code in (("/mnt", 0), ("/tmp/x", 77)):
            done = subprocess.run(
                ["unshare", "--mount", "sh", "-c", script, "sh", binary(), "run", "--task", path, "--task-id", "x",
                 f"--work-dir={place}/state", f"--run-dir={place}/run"],
                stdin=subprocess.DEVNULL, capture_output=True, text=True, env=self.host.environment(), check=False,
                timeout=30)
            self.assertEqual(done.returncode, code, done)

    def test_whoever_is_in_another_pid_namespace_knows_nothing_of_the_end(self):
        task = self.start_task(document(UNTIL_GO)).wait_log("up")
        task.kill()
        shutil.rmtree(self.host.run_directory)
        done = subprocess.run(
            ["unshare", "--pid", "--fork", "--mount-proc", *self.host.words(["sweep"])], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.host.environment(), timeout=30, check=False)
        self.assertIn(b"another pid namespace", done.stderr)
        self.assertFalse(os.path.exists(task.result_path))
        with open(os.path.join(task.sandbox, "go"), "w", encoding="utf-8"):
            pass
        self.assert_failed(self.host.recover(task.id), "exit status 5")
