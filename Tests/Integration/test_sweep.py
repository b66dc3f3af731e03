"""Sweeping takes what ended tasks have left, and never anything that a task may still need."""

import errno
import fcntl
import glob
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import threading

from support import DockerTestCase, ExecutorTestCase, document, need_command, process
from support.executor import binary, has_ended, wait_until

UNTIL_GO = "echo up; while ! test -e go; do sleep 0.05; done; echo done; exit 5"


# Root without the capabilities that pass over permissions.
NO_OVERRIDE = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")


class SweepTestCase(ExecutorTestCase):
    def sweep(self, *options, work=None, run=None, prefix=(), **rest):
        """With directories as they are spelled here."""
        words = [binary(), "sweep", f"--work-dir={work or self.host.work}", f"--run-dir={run or self.host.run_directory}"]
        done = subprocess.run([*prefix, *words, *options], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, env=self.host.environment(), timeout=30, check=False, **rest)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def assert_nothing_to_sweep(self, *options, **rest):
        done = self.sweep(*options, **rest)
        self.assertEqual((done[0], done[1]), (0, ""), done)

    def run_path(self, task):
        return os.path.join(self.host.run_directory, task.id)

    def assert_recovers(self, task):
        """The executor is killed; another goes on to the end that the task was waiting for."""
        task.kill()
        with open(os.path.join(task.sandbox, "go"), "w", encoding="utf-8"):
            pass
        outcome = self.host.recover(task.id)
        self.assert_failed(outcome, "exit status 5")
        self.assertEqual(outcome.out(), "up\ndone\n")

    def leave_run_directory(self, options=()):
        """A task that is gone, its directory removed by hand, and what is left of it in the run directory."""
        outcome = self.assert_finished(self.run_task(document("true"), *options))
        shutil.rmtree(outcome.directory)
        path = self.run_path(outcome)
        os.makedirs(os.path.join(path, "console"))
        os.symlink(self.host.work, os.path.join(path, "work-dir"))
        return path


class LiveTasks(SweepTestCase):
    def test_a_task_of_another_work_directory_is_left_alone(self):
        task = self.start_task(document(UNTIL_GO)).wait_log("up")
        other = self.host.path("other")
        for path in (other, os.path.join(other, "tasks")):
            os.mkdir(path)
            self.assert_nothing_to_sweep(work=other)
        self.assert_recovers(task)

    def test_a_task_is_left_alone_while_its_work_directory_is_not_there(self):
        task = self.start_task(document(UNTIL_GO)).wait_log("up")
        away = self.host.path("away")
        os.rename(self.host.work, away)
        self.assert_nothing_to_sweep()
        # As the place where it would be mounted.
        os.mkdir(self.host.work)
        self.assert_nothing_to_sweep()
        os.rmdir(self.host.work)
        os.rename(away, self.host.work)
        self.assert_recovers(task)

    def test_a_task_whose_directory_the_caller_cannot_reach_is_left_alone(self):
        task = self.start_task(document(UNTIL_GO)).wait_log("up")
        # Directories of somebody else's.
        for path in (self.host.work, os.path.join(self.host.work, "tasks"), task.directory):
            about = os.stat(path)
            os.chown(path, 1, 1)
            os.chmod(path, 0o700)
            try:
                with self.subTest(path):
                    if path == task.directory:
                        self.assert_nothing_to_sweep(prefix=NO_OVERRIDE)
                    else:
                        self.assertEqual(self.aurora("sweep").code, 77)
            finally:
                os.chown(path, about.st_uid, about.st_gid)
                os.chmod(path, about.st_mode & 0o7777)
        self.assert_recovers(task)

    def test_a_work_directory_can_be_moved_under_a_task(self):
        task = self.start_task(document(UNTIL_GO)).wait_log("up").kill()
        moved = self.host.path("moved")
        os.rename(self.host.work, moved)
        self.host.work = moved
        task = type(task)(self.host, task.id, task.process)
        self.assert_nothing_to_sweep()
        with open(os.path.join(task.sandbox, "go"), "w", encoding="utf-8"):
            pass
        self.assert_failed(self.host.recover(task.id), "exit status 5")
        self.assertFalse(os.path.exists(self.run_path(task)))


class DeadTasks(SweepTestCase):
    """Neither an executor nor an init, and no result."""

    def left_of(self, task):
        cgroups = [os.path.join(top, "aurora-executor", task.id) for top in glob.glob("/sys/fs/cgroup/*")]
        return [path for path in (*cgroups, os.path.join(task.directory, "rootfs"), self.run_path(task)) if os.path.exists(path)]

    def start_dead(self, made, *options):
        task = self.start_task(made, *options).wait_log("up").wait_running().kill()
        self.die(task)
        return task

    def die(self, task):
        pid = task.launched()["pid"]
        task.kill_init()
        # Its parent was the executor: whoever is it now takes it from the table.
        wait_until(lambda: has_ended(pid), "container-init has ended")

    def test_a_task_whose_init_is_dead_is_lost_and_nothing_of_it_stays(self):
        task = self.start_dead(document("echo up; exec sleep 1000", image=self.with_busybox()))
        self.assertNotEqual(self.left_of(task), [])
        shown = json.loads(self.aurora("ps", "--output", "json").out)
        self.assertEqual((shown["executor"], shown["container"]), (False, False))
        for command in (["ps"], ["status", task.id], ["explain", task.id]):
            self.assertIn("`sweep`", self.aurora(*command).out)
        only_said = self.sweep("--dry-run")
        self.assertEqual((only_said[0], only_said[1]), (0, f"{task.id}, whose container-init is dead\n"), only_said)
        self.assertIn("1 would be removed", only_said[2])
        self.assertFalse(os.path.exists(task.result_path))
        done = self.sweep()
        self.assertEqual((done[0], done[1]), (0, f"{task.id}, whose container-init is dead: TASK_LOST\n"), done)
        self.assertEqual(task.result["state"], "TASK_LOST")
        self.assertEqual(self.left_of(task), [])
        self.assert_nothing_to_sweep()
        self.assertIn("TASK_LOST", self.aurora("ps").out)

    def test_what_init_wrote_down_counts(self):
        task = self.start_task(document(process("a", "echo up; exit 3"), process("b", "exec sleep 1000"), max_failures=2))
        task.wait_log("up", "a").wait_for("ended", process="a").kill()
        self.die(task)
        self.assertEqual(self.sweep()[0], 0)
        self.assertEqual(task.result["state"], "TASK_LOST")
        self.assert_runs_of(task.result, "a", 3)

    def assert_runs_of(self, result, name, code):
        self.assertEqual([run.get("exit_code") for run in result["processes"][name]["runs"]], [code])

    def test_one_of_before_a_reboot_is_dead(self):
        task = self.start_task(document(UNTIL_GO)).wait_log("up").kill()
        self.die(task)
        # As if the number had come to mean another process of another boot.
        with open("/proc/self/stat", encoding="ascii") as file:
            start = int(file.read().split(") ")[1].split()[19])
        self.rewrite(task, boot_id="00000000-0000-0000-0000-000000000000", pid=os.getpid(), start_time=start)
        self.assertEqual(self.sweep()[0], 0)
        self.assertEqual(task.result["state"], "TASK_LOST")

    def test_another_process_with_its_number_is_left_alone(self):
        task = self.start_task(document(UNTIL_GO)).wait_log("up").kill()
        self.die(task)
        bystander = subprocess.Popen(["sleep", "1000"])
        try:
            self.rewrite(task, pid=bystander.pid)
            self.assertEqual(self.sweep()[0], 0)
            self.assertEqual(task.result["state"], "TASK_LOST")
            self.assertIsNone(bystander.poll())
        finally:
            bystander.kill()
            bystander.wait()

    def rewrite(self, task, **members):
        """The record of the launch with other members."""
        task.rewrite_journal(lambda record: {**record, **members} if record["type"] == "launched" else record)

    def test_what_must_wait_is_named_with_its_remedy(self):
        task = self.start_task(document(UNTIL_GO)).wait_log("up").kill()
        done = self.sweep()
        self.assertEqual((done[0], done[1]), (0, ""), done)
        self.assertIn(f"{task.id}: its executor is gone, its processes run; `aurora-executor recover {task.id}`", done[2])
        self.assert_recovers(task)

    def test_a_kept_one_is_not_kept(self):
        task = self.start_dead(document("echo up; exec sleep 1000", image=self.with_busybox()), "--keep")
        done = self.sweep()
        self.assertEqual(done[0], 0, done)
        self.assertEqual(self.left_of(task), [])


class OwnFileSystem(SweepTestCase):
    """On a file system of its own."""

    make = ()

    def setUp(self):
        super().setUp()
        need_command(self.make[0])
        self.top = self.host.path("top")
        os.mkdir(self.top)
        with open(self.top + ".image", "wb") as file:
            file.truncate(320 << 20)
        subprocess.run([*self.make, self.top + ".image"], check=True)
        subprocess.run(["mount", "-o", "loop", self.top + ".image", self.top], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", self.top], check=True)


class Projects(OwnFileSystem):
    """Somebody accounts for files by project id, and has no quotas."""

    make = ("mkfs.xfs", "-q")

    def setUp(self):
        super().setUp()
        self.work = os.path.join(self.top, "work")
        os.makedirs(self.work)
        subprocess.run(["chattr", "-p", "5", "+P", self.work], check=True)

    def project(self, path):
        return subprocess.check_output(["lsattr", "-pd", path], encoding="utf-8").split()[0]

    def test_a_task_does_not_leave_its_project(self):
        self.host.work = self.work
        outcome = self.assert_failed(self.run_task(document("touch file; exec chattr -p 6 file")))
        self.assertIn("Operation not permitted", outcome.err())
        self.assertEqual(self.project(os.path.join(outcome.sandbox, "file")), "5")
        plan = self.aurora("plan", "--task", self.host.write("t.json", document("true", disk=16 << 20)))
        self.assertEqual(plan.code, 0, plan)
        self.assertIn("project ids cannot be changed", plan.out)
        self.assertNotIn("by a project quota", plan.out)

    def test_directories_of_different_projects_are_removed_however_deep(self):
        rest = os.path.join(self.work, "tasks", ".new-left-1")
        os.makedirs(rest)
        os.chmod(rest, 0o700)
        depth = 3000
        directory = os.open(rest, os.O_RDONLY)
        for level in range(depth):
            os.mkdir("d", dir_fd=directory)
            below = os.open("d", os.O_RDONLY, dir_fd=directory)
            os.close(directory)
            directory = below
            attributes = bytearray(28)
            fcntl.ioctl(directory, 0x801c581f, attributes)
            # Each hands on what it is told, and takes in nothing else.
            struct.pack_into("=I8xI", attributes, 0, 0x200, 6 + level % 2)
            fcntl.ioctl(directory, 0x401c5820, attributes)
        os.close(directory)
        done = self.sweep(work=self.work)
        self.assertEqual(done[0], 0, done)
        self.assertFalse(os.path.exists(rest))


class Encrypted(OwnFileSystem):
    """What fscrypt(5) has to do with the removal of files."""

    make = ("mkfs.ext4", "-q", "-O", "encrypt")
    REMOVE_KEY, ADD_KEY, SET_POLICY = 0xc0406618, 0xc0506617, 0x800c6613

    def ask(self, path, request, words):
        directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(directory, request, words)
        finally:
            os.close(directory)

    def test_a_directory_whose_key_is_gone_is_removed_with_what_is_beside_it(self):
        work = os.path.join(self.top, "work")
        rest = os.path.join(work, "tasks", ".new-left-1")
        secret = os.path.join(rest, "a", "secret")
        os.makedirs(secret)
        os.chmod(rest, 0o700)
        key = bytearray(struct.pack("=II32xII32x", 2, 0, 64, 0) + os.urandom(64))
        self.ask(self.top, self.ADD_KEY, key)
        name = bytes(key[8:24])
        self.ask(secret, self.SET_POLICY, bytearray(struct.pack("=BBBBB3x16s", 2, 1, 4, 3, 0, name)))
        os.makedirs(os.path.join(secret, "one", "two", "three"))
        for directory, _, _ in list(os.walk(rest)):
            with open(os.path.join(directory, "file"), "w", encoding="utf-8"):
                pass
        self.ask(self.top, self.REMOVE_KEY, bytearray(struct.pack("=II16s16xI20x", 2, 0, name, 0)))
        with self.assertRaises(OSError) as refused:
            os.rename(os.path.join(secret, os.listdir(secret)[0]), os.path.join(rest, "out"))
        self.assertEqual(refused.exception.errno, errno.ENOKEY)
        done = self.sweep(work=work)
        self.assertEqual(done[0], 0, done)
        self.assertFalse(os.path.exists(rest))


class OneRunDirectory(SweepTestCase):
    def test_what_says_nothing_of_this_work_directory_stays(self):
        mine = self.leave_run_directory()
        unmarked = os.path.join(self.host.run_directory, "unmarked")
        os.makedirs(os.path.join(unmarked, "something"))
        done = self.sweep()
        self.assertEqual((done[0], done[1]), (0, mine + "\n"), done)
        self.assertEqual(os.listdir(self.host.run_directory), ["unmarked"])

    def test_two_tasks_with_one_id_do_not_share_a_run_directory(self):
        task = self.start_task(document(UNTIL_GO)).wait_log("up")
        first, self.host.work = self.host.work, self.host.path("second")
        outcome = self.run_task(document("echo ran"), task_id=task.id)
        self.assertEqual(outcome.code, 73, outcome)
        self.assertIn(first, outcome.said)
        # Nothing was begun: the id is free here.
        self.assertEqual(os.listdir(os.path.join(self.host.work, "tasks")), [])
        self.host.work = first
        self.assert_recovers(task)

    def test_cgroups_of_anothers_task_with_the_id_of_an_ended_one_stay(self):
        ended = self.assert_finished(self.run_task(document("true")))
        first, self.host.work = self.host.work, self.host.path("second")
        task = self.start_task(document(UNTIL_GO), task_id=ended.id).wait_log("up")
        self.assert_nothing_to_sweep(work=first)
        self.assert_recovers(task)

    def test_a_socket_of_its_name_does_not_keep_a_run_directory(self):
        path = self.leave_run_directory()
        # Whoever is in the host's network binds one of any name, below a root of his own.
        elsewhere = self.host.path("root")
        os.makedirs(elsewhere + path)
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
            pid = os.fork()
            if pid == 0:
                os.chroot(elsewhere)
                listener.bind(os.path.join(path, "control.sock"))
                listener.listen()
                os._exit(0)
            os.waitpid(pid, 0)
            done = self.aurora("sweep")
        self.assertEqual(done.code, 0, done)
        self.assertFalse(os.path.exists(path))

    def test_a_run_directory_that_was_removed_by_half_is_swept_still(self):
        path = self.leave_run_directory()
        os.rmdir(os.path.join(path, "console"))
        self.assertEqual(self.sweep()[1], path + "\n")
        self.assertFalse(os.path.exists(path))


class Spellings(SweepTestCase):
    def test_every_spelling_of_a_directory_is_the_same_directory(self):
        link = self.host.path("link")
        os.symlink(self.host.directory, link)
        here = self.host.directory
        name = os.path.basename(self.host.work)
        for form in (here + "//{}/", here + "/./{}", here + "/missing/../{}", link + "/{}",
                     link + "/../" + os.path.basename(here) + "/{}"):
            spelled = form.format(name)
            with self.subTest(spelled):
                task_id = self.host.task_id()
                words = [f"--work-dir={spelled}", f"--run-dir={form.format('run')}"]
                self.host.write("task.json", document("echo $HOME"))
                done = subprocess.run(
                    [binary(), "--task", self.host.path("task.json"), "--task-id", task_id, "--role", "www-data", *words],
                    stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False,
                    env=self.host.environment(), timeout=30)
                self.assertEqual(done.returncode, 0, done.stderr)
                with open(f"{self.host.work}/tasks/{task_id}/logs/main/0/stdout", encoding="utf-8") as file:
                    self.assertEqual(file.read(), f"{self.host.work}/tasks/{task_id}/sandbox\n")
                path = self.leave_run_directory()
                self.assertEqual(self.sweep(work=spelled, run=form.format("run"))[1], path + "\n")
        self.assertFalse(os.path.exists(here + "/missing"))

    def test_a_link_in_the_place_of_a_moved_directory_is_followed(self):
        path = self.leave_run_directory()
        moved = self.host.path("moved")
        os.rename(self.host.work, moved)
        os.symlink(moved, self.host.work)
        self.assertEqual(self.sweep(work=moved)[1], path + "\n")

    def test_a_run_directory_among_the_tasks_is_refused(self):
        made = self.host.write("t.json", document("true"))
        work = self.host.path("w")
        os.makedirs(work + "/tasks")
        os.symlink("w", self.host.path("link"))
        for run in ("w/tasks", "w/tasks/run", "w", "link/tasks/", "link/../w", "w/images/x", "."):
            for command in (["run", "--task", made, "--role", "www-data"], ["plan", "--task", made], ["sweep"]):
                with self.subTest(run=run, command=command[0]):
                    done = self.aurora_with(command, work, self.host.path(run))
                    self.assertEqual(done.returncode, 64, done)
                    self.assertIn(b"--run-dir", done.stderr)
        # One directory with two names: by a mount in a mount namespace of its own.
        other = self.host.path("other")
        os.mkdir(other)
        script = f"mount --bind {work}/tasks {other} && exec \"$@\""
        done = self.aurora_with(["sweep"], work, other, before=["unshare", "--mount", "sh", "-c", script, "sh"])
        self.assertEqual(done.returncode, 64, done)
        done = self.aurora_with(["run", "--task", made, "--role", "www-data"], work, self.host.path("w-run"))
        self.assertEqual(done.returncode, 0, done)

    def aurora_with(self, command, work, run, before=()):
        return subprocess.run(
            [*before, binary(), *command, f"--work-dir={work}", f"--run-dir={run}"], stdin=subprocess.DEVNULL,
            capture_output=True, env=self.host.environment(), check=False, timeout=20)

    def test_a_relative_path_is_refused(self):
        self.assertEqual(self.sweep(work="work", cwd=self.host.directory)[0], 64)


class Sweepers:
    """Sweeps that never stop, beside what a test does."""

    def __init__(self, host, *options, count=2):
        self.stopped = threading.Event()
        self.failures = []
        self.threads = [threading.Thread(target=self._run, args=(host, options)) for _ in range(count)]

    def _run(self, host, options):
        while not self.stopped.is_set():
            done = host.aurora("sweep", *options)
            if done.code not in (0, 79):
                self.failures.append(str(done))

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        for thread in self.threads:
            thread.join()


class WhileTasksStart(SweepTestCase):
    COUNT = int(os.environ.get("AURORA_TEST_SWEPT_STARTS", "30"))

    def test_native_tasks_start_while_others_sweep(self):
        with Sweepers(self.host) as sweepers:
            for _ in range(self.COUNT):
                self.assert_finished(self.run_task(document("true")))
        self.assertEqual(sweepers.failures, [])

    def test_an_id_can_be_used_again_while_others_sweep(self):
        task_id = self.host.task_id()
        with Sweepers(self.host) as sweepers:
            for _ in range(self.COUNT):
                self.assertEqual(self.run_task(document("true"), "--rm", task_id=task_id).code, 0)
                self.leave_stale(task_id)
        self.sweep()
        self.assertEqual(sweepers.failures, [])

    def leave_stale(self, task_id):
        """As an executor that was killed leaves it, at once."""
        path = self.host.path("stale")
        for index in range(20):
            os.makedirs(os.path.join(path, "console", str(index)))
        os.symlink(self.host.work, os.path.join(path, "work-dir"))
        os.rename(path, os.path.join(self.host.run_directory, task_id))


class DockerSweeping(DockerTestCase, SweepTestCase):
    def setUp(self):
        super().setUp()
        self.socket = ("--docker-socket", self.engine.socket)

    def test_a_task_whose_init_is_dead_is_lost_and_its_container_goes(self):
        task = self.start_docker("echo up; exec sleep 1000").wait_log("up").kill()
        task.kill_init()
        wait_until(lambda: not self.engine.docker("ps", "--quiet"), "the container has ended")
        # The engine is the task's own, whether or not this command names one.
        done = self.sweep()
        self.assertEqual((done[0], done[1]), (0, f"{task.id}, whose container-init is dead: TASK_LOST\n"), done)
        self.assertEqual(task.result["state"], "TASK_LOST")
        self.assertEqual(self.engine.containers(), [])
        self.assertFalse(os.path.exists(self.run_path(task)))

    def test_what_an_engine_that_is_away_keeps_is_named(self):
        engine = self.own_engine()
        self.socket = ("--docker-socket", engine.socket)
        task = self.start_docker("echo up; exec sleep 1000").wait_log("up").kill()
        task.kill_init()
        engine.signal(signal.SIGKILL).wait()
        done = self.sweep()
        self.assertEqual(done[0], 79, done)
        self.assertIn("may be left at the Docker engine", done[2])
        self.assertEqual(task.result["state"], "TASK_LOST")
        engine.start()
        self.assertEqual(self.sweep(*self.socket)[0], 0)
        self.assertEqual(engine.containers(), [])

    def test_containers_of_tasks_that_cannot_be_seen_stay(self):
        task = self.start_docker(UNTIL_GO).wait_log("up")
        away = self.host.path("away")
        os.rename(self.host.work, away)
        os.mkdir(self.host.work)
        try:
            self.assert_nothing_to_sweep(*self.socket)
        finally:
            os.rmdir(self.host.work)
            os.rename(away, self.host.work)
        os.chown(os.path.join(self.host.work, "tasks"), 1, 1)
        os.chmod(os.path.join(self.host.work, "tasks"), 0o700)
        self.assertEqual(self.aurora("sweep", *self.socket).code, 77)
        os.chown(os.path.join(self.host.work, "tasks"), 0, 0)
        self.assertEqual(len(self.engine.containers()), 1)
        self.assert_recovers(task)

    def test_what_runs_stays_although_its_work_directory_says_nothing_of_it(self):
        # A moved one, or another mounted in its place: there are tasks, and this one is not among them.
        task = self.start_docker(UNTIL_GO).wait_log("up")
        away = self.host.path("away")
        os.rename(self.host.work, away)
        os.makedirs(self.host.work + "/tasks")
        try:
            self.assert_nothing_to_sweep(*self.socket)
        finally:
            shutil.rmtree(self.host.work)
            os.rename(away, self.host.work)
        self.assertEqual(len(self.engine.containers()), 1)
        self.assert_recovers(task)

    def test_containers_are_found_however_the_directory_is_spelled(self):
        outcome = self.assert_finished(self.run_docker("true", options=("--keep",)))
        self.assertEqual(len(self.engine.containers()), 1)
        link = self.host.path("link")
        os.symlink(self.host.directory, link)
        done = self.sweep(*self.socket, work=f"{link}//{os.path.basename(self.host.work)}/", run=link + "/./run")
        self.assertEqual(done[0], 0, done)
        self.assertIn(outcome.id, done[1])
        self.assertEqual(self.engine.containers(), [])
        self.assertFalse(os.path.exists(self.run_path(outcome)))

    def test_a_container_of_a_task_that_was_removed_is_swept(self):
        outcome = self.assert_finished(self.run_docker("true", options=("--keep",)))
        shutil.rmtree(outcome.directory)
        self.assertEqual(self.sweep(*self.socket)[0], 0)
        self.assertEqual(self.engine.containers(), [])
        self.assertFalse(os.path.exists(self.run_path(outcome)))

    def test_docker_tasks_start_while_others_sweep(self):
        # Another version takes the program of this one away, as this one does with that of others.
        init = os.path.join(self.host.run_directory, ".init")
        stopped = threading.Event()

        def other_version():
            while not stopped.wait(0.001):
                for name in os.listdir(init) if os.path.isdir(init) else []:
                    try:
                        os.unlink(os.path.join(init, name))
                    except FileNotFoundError:
                        pass
        thread = threading.Thread(target=other_version)
        thread.start()
        try:
            with Sweepers(self.host, *self.socket) as sweepers:
                for _ in range(max(5, WhileTasksStart.COUNT // 5)):
                    self.assert_finished(self.run_docker("true"))
        finally:
            stopped.set()
            thread.join()
        self.assertEqual(sweepers.failures, [])
        self.assertEqual([name for name in os.listdir(init) if name.count("-") != 3 or "." in name], [])

    def test_programs_of_other_versions_are_swept(self):
        self.assert_finished(self.run_docker("true"))
        init = os.path.join(self.host.run_directory, ".init")
        own = os.listdir(init)
        self.assertEqual(len(own), 1)
        with open(os.path.join(init, "1-2-3-4"), "w", encoding="utf-8"):
            pass
        self.assertEqual(self.sweep(*self.socket)[1], os.path.join(init, "1-2-3-4") + "\n")
        self.assertEqual(os.listdir(init), own)
