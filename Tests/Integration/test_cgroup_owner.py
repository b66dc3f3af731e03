"""A task's cgroups say which work directory they are of: nobody else ends or removes what is in them."""

import glob
import json
import os
import shutil
import subprocess

from support import ExecutorTestCase, document
from support.executor import Host, binary, has_ended, wait_until
from support.needs import need_command

MARK = "trusted.aurora-executor"
UNTIL_GO = "echo up; while ! test -e go; do sleep 0.05; done; echo done; exit 5"
SLEEP = "echo up; exec sleep 1000"


def hierarchies():
    """Where a task has a cgroup each."""
    with open("/proc/self/mountinfo", encoding="utf-8") as mounts:
        lines = [line.partition(" - ") for line in mounts]
    return [left.split()[4] for left, _, right in lines if right.split()[0] in ("cgroup", "cgroup2")]


class OwnerTestCase(ExecutorTestCase):
    def elsewhere(self):
        """Another work directory, with another run directory."""
        os.mkdir(self.host.path("elsewhere"), 0o755)
        other = Host(self.host.path("elsewhere"), self.host.prefix)
        self.addCleanup(other.end_everything)
        return other

    def cgroups(self, task_id):
        return sorted(glob.glob(f"/sys/fs/cgroup/*/aurora-executor/{task_id}"))

    def mark(self, work=None):
        about = os.stat(os.path.join(work or self.host.work, "tasks"))
        return f"{os.major(about.st_dev)}:{os.minor(about.st_dev)}:{about.st_ino}".encode()

    def assert_sweeps(self, *lines, before=(), work=None):
        words = [*before, binary(), "sweep", f"--work-dir={work or self.host.work}", f"--run-dir={self.host.run_directory}"]
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, env=self.host.environment(), check=False,
                              timeout=30)
        self.assertEqual((done.returncode, done.stdout.decode()), (0, "".join(line + "\n" for line in lines)), done)
        self.assertIn(f"{len(lines)} removed", done.stderr.decode())

    def assert_sweeps_nothing(self):
        self.assert_sweeps()

    def assert_ends_well(self, task):
        """It was not disturbed, and nothing of it stays."""
        with open(os.path.join(task.sandbox, "go"), "w", encoding="utf-8"):
            pass
        outcome = task.wait()
        self.assert_failed(outcome, "exit status 5")
        self.assertEqual(outcome.out(), "up\ndone\n")
        self.assertNotIn("notes", outcome.result)
        self.assertEqual(self.cgroups(task.id), [])

    def remove_cgroups(self, task_id):
        """By hand."""
        for path in self.cgroups(task_id):
            for directory in (path + "/task", path + "/init", path):
                wait_until(lambda d=directory: self.is_removed(d), f"{directory} is empty")

    def is_removed(self, directory):
        try:
            os.rmdir(directory)
        except OSError:
            pass
        return not os.path.exists(directory)

    def die(self, task):
        """Its executor and its init, one after the other."""
        pid = task.launched()["pid"]
        task.kill().kill_init()
        wait_until(lambda: has_ended(pid), "container-init has ended")

    def begin_only(self, task_id):
        """A task whose executor was killed before it launched anything."""
        outcome = self.assert_finished(self.run_task(document("echo again"), task_id=task_id))
        with open(outcome.journal_path, encoding="utf-8") as file:
            first = file.readline()
        with open(outcome.journal_path, "w", encoding="utf-8") as file:
            file.write(first)
        os.unlink(outcome.result_path)
        os.unlink(os.path.join(outcome.directory, "exits"))
        shutil.rmtree(os.path.join(outcome.directory, "logs", "main"))
        return outcome

    def leave_cgroups(self, mark):
        """Those of an ended task that could not be removed; its id."""
        task_id = self.assert_finished(self.run_task(document("true"))).id
        for mount in hierarchies():
            path = os.path.join(mount, "aurora-executor", task_id)
            os.makedirs(os.path.join(path, "task"))
            if mark:
                os.setxattr(path, MARK, mark)
        return task_id


class Marks(OwnerTestCase):
    def test_every_cgroup_of_a_task_has_it(self):
        task = self.start_task(document(UNTIL_GO)).wait_log("up")
        found = self.cgroups(task.id)
        self.assertEqual(len(found), len(hierarchies()))
        self.assertEqual({os.getxattr(path, MARK) for path in found}, {self.mark()})
        self.assert_ends_well(task)

    def run_traced(self, inject, task_id):
        need_command("strace")
        made = self.host.write("t.json", document("echo ran"))
        words = self.host.words(["run", "--task", made, "--role", "www-data", "--task-id", task_id])
        return subprocess.run(
            ["strace", "-qq", "-o", "/dev/null", "-e", "trace=setxattr", "-e", f"inject=setxattr:{inject}", *words],
            stdin=subprocess.DEVNULL, capture_output=True, env=self.host.environment(), check=False, timeout=30)

    def test_where_none_can_be_set_a_task_runs_without(self):
        for error in ("EOPNOTSUPP", "EPERM"):
            with self.subTest(error):
                task_id = self.host.task_id()
                done = self.run_traced(f"error={error}", task_id)
                self.assertEqual(done.returncode, 0, done)
                self.assertEqual(self.cgroups(task_id), [])

    def test_where_one_cannot_be_set_for_another_reason_nothing_is_launched(self):
        for when in ("1", "3"):
            with self.subTest(when):
                task_id = self.host.task_id()
                done = self.run_traced(f"error=EIO:when={when}", task_id)
                self.assertEqual(done.returncode, 1, done)
                self.assertIn(b"cannot mark the cgroup /sys/fs/cgroup/", done.stderr)
                self.assertIn(b"setxattr: EIO", done.stderr)
                self.assertEqual(self.cgroups(task_id), [])

    def test_one_that_was_not_marked_yet_when_its_executor_was_killed_is_not_lost(self):
        for when in ("1", "3"):
            with self.subTest(when):
                task_id = self.host.task_id()
                self.run_traced(f"error=EINTR:signal=SIGKILL:when={when}", task_id)
                self.assertEqual(len(self.cgroups(task_id)), int(when))
                outcome = self.assert_finished(self.host.recover(task_id))
                self.assertEqual(outcome.out(), "ran\n")
                self.assertEqual(self.cgroups(task_id), [])


class Others(OwnerTestCase):
    def test_sweep_leaves_a_living_task_alone_whose_id_was_refused_here(self):
        other = self.elsewhere()
        task = other.start_task(document(UNTIL_GO)).wait_log("up")
        refused = self.run_task(document("echo never"), "--assert-clean", task_id=task.id)
        self.assertEqual(refused.code, 73, refused)
        inode = os.stat(os.path.join(other.work, "tasks")).st_ino
        self.assertIn(f"it is of a task of another work directory, whose `tasks` is inode {inode} of device", refused.said)
        self.assertIn(f"find / -inum {inode} -name tasks", refused.said)
        self.assertNotIn("left behind:", refused.said)
        self.assert_sweeps_nothing()
        self.assert_ends_well(task)
        self.assert_sweeps_nothing()

    def test_recovery_of_what_was_never_launched_leaves_a_living_task_of_its_id_alone(self):
        other = self.elsewhere()
        task_id = self.begin_only(self.host.task_id()).id
        task = other.start_task(document(UNTIL_GO), task_id=task_id).wait_log("up")
        refused = self.host.recover(task_id)
        self.assertEqual(refused.code, 73, refused)
        self.assertIn("it is of a task of another work directory", refused.said)
        self.assert_sweeps_nothing()
        self.assert_ends_well(task)

    def test_what_was_never_launched_is_launched_when_nobody_has_its_id(self):
        outcome = self.assert_finished(self.host.recover(self.begin_only(self.host.task_id()).id))
        self.assertEqual(outcome.out(), "again\n")

    def test_a_lost_task_takes_nobody_along_who_has_its_id(self):
        # Its own cgroups were removed by hand.
        lost = self.start_task(document(SLEEP)).wait_log("up").wait_running()
        self.die(lost)
        self.remove_cgroups(lost.id)
        other = self.elsewhere()
        task = other.start_task(document(UNTIL_GO), task_id=lost.id).wait_log("up")
        self.assert_sweeps(f"{lost.id}, whose container-init is dead: TASK_LOST")
        self.assert_ends_well(task)

    def test_what_another_has_left_stays(self):
        task_id = self.leave_cgroups(b"8:1:1")
        self.assert_sweeps_nothing()
        self.assertEqual(len(self.cgroups(task_id)), len(hierarchies()))
        self.remove_cgroups(task_id)

    def test_one_that_another_is_about_to_mark_stays(self):
        task_id = self.leave_cgroups(b"8:1:1")
        os.removexattr(self.cgroups(task_id)[-1], MARK)
        self.assert_sweeps_nothing()
        self.assertEqual(len(self.cgroups(task_id)), len(hierarchies()))
        self.remove_cgroups(task_id)


class Leftovers(OwnerTestCase):
    def by_mount(self):
        """The work directory by another path, in a mount namespace of its own."""
        path = self.host.path("mounted")
        os.makedirs(path, exist_ok=True)
        script = f"mount --bind {self.host.work} {path} && exec \"$@\""
        return {"work": path, "before": ["unshare", "--mount", "sh", "-c", script, "sh"]}

    def by_link(self):
        path = self.host.path("link")
        if not os.path.lexists(path):
            os.symlink(self.host.work, path)
        return {"work": path}

    def test_a_dead_task_is_swept_by_whatever_path(self):
        for way in (dict, self.by_link, self.by_mount):
            with self.subTest(way.__name__):
                task = self.start_task(document(SLEEP)).wait_log("up").wait_running()
                self.die(task)
                self.assertNotEqual(self.cgroups(task.id), [])
                self.assert_sweeps(f"{task.id}, whose container-init is dead: TASK_LOST", **way())
                self.assertEqual(self.cgroups(task.id), [])

    def test_a_dead_task_without_marks_is_swept(self):
        task = self.start_task(document(SLEEP)).wait_log("up").wait_running()
        self.die(task)
        for path in self.cgroups(task.id):
            os.removexattr(path, MARK)
        self.assert_sweeps(f"{task.id}, whose container-init is dead: TASK_LOST")
        self.assertEqual(self.cgroups(task.id), [])

    def test_what_an_ended_task_has_left_is_swept_by_whatever_path(self):
        self.assert_finished(self.run_task(document("true")))
        for mark in (self.mark(), None):
            for way in (dict, self.by_link, self.by_mount):
                with self.subTest(way=way.__name__, mark=mark):
                    task_id = self.leave_cgroups(mark)
                    self.assert_sweeps(f"cgroups of {task_id}", **way())
                    self.assertEqual(self.cgroups(task_id), [])

    def test_the_mark_counts_for_more_than_a_run_directory_of_anothers(self):
        self.assert_finished(self.run_task(document("true")))
        for mark, goes in ((None, False), (self.mark(), True)):
            task_id = self.leave_cgroups(mark)
            path = os.path.join(self.host.run_directory, task_id)
            os.makedirs(path)
            os.symlink(self.host.path("another"), os.path.join(path, "work-dir"))
            with self.subTest(mark=mark):
                self.assert_sweeps(*([f"cgroups of {task_id}"] if goes else []))
                self.assertEqual(self.cgroups(task_id) == [], goes)
            self.remove_cgroups(task_id)

    def test_a_work_directory_that_was_moved_keeps_what_is_its_own(self):
        task = self.start_task(document(SLEEP)).wait_log("up").wait_running()
        self.die(task)
        moved = self.host.path("moved")
        os.rename(self.host.work, moved)
        self.host.work = moved
        self.assert_sweeps(f"{task.id}, whose container-init is dead: TASK_LOST")
        with open(os.path.join(moved, "tasks", task.id, "result.json"), encoding="utf-8") as file:
            self.assertNotIn("notes", json.load(file))
        self.assertEqual(self.cgroups(task.id), [])
