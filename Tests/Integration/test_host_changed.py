"""What was launched is read and not computed again: a task goes on, whatever its host looks like by now."""

import json
import os
import re
import shutil
import subprocess

from support import DockerTestCase, ExecutorTestCase, document, process
from support.images import busybox_image
from support.needs import controller_directory, need_controller

# A process that runs on, one that is run again afterwards, one that follows, and one at the end.
WAIT = "echo up; while ! test -e go; do sleep 0.05; done; echo $WORD"
PROCESSES = (
    process("running", WAIT, health_check_config={
        "health_checker": {"shell": {"shell_command": "test -d ."}}, "interval_secs": 0.2, "initial_interval_secs": 0}),
    process("again", "while ! test -e go; do sleep 0.05; done; echo $WORD; test $AURORA_RUN = 1", max_failures=2),
    process("after", "echo $WORD; id -u", after=["running"]),
    process("last", "echo $WORD $AURORA_TASK_STATE", final=True))
WORD = {"Env": ["WORD=old", "PATH=/bin"]}


class GoesOn:
    """A task that loses its executor, and what it is held to afterwards."""

    def release(self, task):
        with open(os.path.join(task.sandbox, "go"), "w", encoding="utf-8"):
            pass

    def goes_on(self, start, change, *options, uid="33"):
        """Starts a task, kills its executor, changes the host, and takes the task over."""
        task = start()
        task.wait_log("up", "running", seconds=30).wait_for("running", process="again").kill()
        change(task)
        self.release(task)
        outcome = self.assert_finished(self.host.recover(task.id, *options))
        self.assert_runs(outcome, "running", 0)
        self.assert_runs(outcome, "again", 1, 0)
        self.assertEqual(outcome.out("again", 1), "old\n")
        self.assertEqual(outcome.out("after"), f"old\n{uid}\n")
        self.assertEqual(outcome.out("last"), "old TASK_FINISHED\n")
        self.assertEqual(outcome.result["role"]["uid"], int(uid))
        return outcome


class Changed(GoesOn):
    """What both back ends are held to."""

    @staticmethod
    def edit_accounts(change):
        """This worker's account files are its own. Returns how to undo it."""
        with open("/etc/passwd", "r", encoding="utf-8") as file:
            before = file.read()
        with open("/etc/passwd", "w", encoding="utf-8") as file:
            file.write(change(before))
        return lambda: open("/etc/passwd", "w", encoding="utf-8").write(before)  # pylint: disable=consider-using-with

    def accounts(self, change):
        def edit(_task):
            self.addCleanup(self.edit_accounts(change))
        return edit

    def other_work_directory(self, task):
        """The same by another path."""
        other = self.host.path("elsewhere")
        os.mkdir(other)
        subprocess.run(["mount", "--bind", self.host.work, other], check=True)
        self.addCleanup(subprocess.run, ["umount", other], check=True)
        self.host.work = other

    def test_its_directories_are_reached_by_other_paths(self):
        self.goes_on(self.start, self.other_work_directory)

    def test_another_run_directory_is_asked_for(self):
        def change(_task):
            self.host.run_directory = self.host.path("other-run")
        self.goes_on(self.start, change)
        # Nothing of it is left where it was.
        self.assertEqual([name for name in os.listdir(self.host.path("run")) if name != ".init"], [])


GONE = (lambda text: re.sub(r"^www-data:.*\n", "", text, flags=re.M))
RENUMBERED = (lambda text: re.sub(r"^www-data:x:33:33:", "www-data:x:4033:4033:", text, flags=re.M))


class Native(Changed, ExecutorTestCase):
    def start(self, container=None, **options):
        image = self.host.import_image(busybox_image(config=WORD))
        return self.start_task(document(*PROCESSES, image=image, container=container), **options)

    def test_its_image_has_another_name_or_none(self):
        def anew(_task):
            self.host.import_image(busybox_image(config={"Env": ["WORD=new", "PATH=/bin"]}))

        def removed(task):
            # The one that is used cannot be.
            anew(task)
            self.assertEqual(self.aurora("image", "rm", "busybox:test").code, 0)
        for change in (anew, removed):
            with self.subTest(change=change.__name__):
                digests = []

                def start():
                    task = self.start()
                    digests.append(json.loads(self.aurora("image", "inspect", "busybox:test", "--output", "json").out)["id"])
                    return task
                outcome = self.goes_on(start, change)
                self.assertEqual(outcome.result["image"]["reference"], "busybox:test")
                self.assertEqual(outcome.result["image"]["id"], digests[0])

    def test_the_source_of_a_volume_is_renamed(self):
        source = self.host.path("source")
        os.mkdir(source)
        volume = {"volumes": [{"container_path": "/v", "host_path": source, "mode": "RO"}]}
        self.goes_on(lambda: self.start(volume), lambda _task: os.rename(source, source + ".renamed"))

    def test_the_role_is_gone_or_has_another_number(self):
        for change in (GONE, RENUMBERED):
            with self.subTest(change=change):
                self.goes_on(self.start, self.accounts(change))
                self.doCleanups_of_accounts()

    def doCleanups_of_accounts(self):
        """Between two subtests."""
        function, arguments, named = self._cleanups.pop()
        function(*arguments, **named)

    def test_the_isolators_that_a_task_gets_are_others_by_now(self):
        # As where another version has other ones by default: those of the launch hold, for the processes to come as well.
        def change(task):
            def other(record):
                if "settings" in record:
                    record["settings"]["isolation"] = ["posix/rlimits"]
                return record
            task.rewrite_journal(other)
        outcome = self.goes_on(self.start, change)
        self.assertIn("filesystem/linux", outcome.result["isolation"]["applied"])

    def test_a_controller_is_not_mounted_any_more(self):
        need_controller("freezer")
        directory = controller_directory("freezer")
        task = self.start()
        task.wait_log("up", "running").wait_for("running", process="again").kill()
        self.release(task)
        words = self.host.words(["recover", task.id])
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-c", f'umount {directory} && exec "$@"', "sh", *words],
            stdin=subprocess.DEVNULL, capture_output=True, env=self.host.environment(), check=False, timeout=30)
        self.assertEqual(done.returncode, 0, done)
        self.assertEqual(task.result["state"], "TASK_FINISHED")
        # What could not be seen from there is left, for whoever sees it.
        os.rmdir(f"{directory}/aurora-executor/{task.id}")


    def test_its_program_is_replaced(self):
        program = self.host.path("executor")
        shutil.copy2(os.environ.get("AURORA_BINARY") or self.host.words([])[0], program)

        def change(_task):
            # A new file by the old name, and nothing of the old one.
            with open(program + ".new", "wb") as file:
                file.write(b"#!/bin/false\n")
            os.rename(program + ".new", program)
        saved = os.environ.get("AURORA_BINARY")
        os.environ["AURORA_BINARY"] = program
        try:
            task = self.start()
        finally:
            if saved is None:
                del os.environ["AURORA_BINARY"]
            else:
                os.environ["AURORA_BINARY"] = saved
        self.goes_on(lambda: task, change)


class Docker(Changed, DockerTestCase):
    def start(self, **more):
        return self.start_docker(*PROCESSES, image=self.engine.load(busybox_image(config=WORD)), **more)

    def test_its_image_has_another_name_or_none(self):
        def anew(_task):
            self.engine.load(busybox_image(config={"Env": ["WORD=new", "PATH=/bin"]}))

        def removed(_task):
            self.engine.docker("image", "rm", "--force", "busybox:test")
        self.own_engine()
        for change in (anew, removed):
            with self.subTest(change=change.__name__):
                self.goes_on(self.start, change)

    def test_the_source_of_a_volume_is_renamed(self):
        source = self.host.path("source")
        os.mkdir(source)
        self.goes_on(lambda: self.start(parameters=[f"volume={source}:/v:ro"]),
                     lambda _task: os.rename(source, source + ".renamed"))

    def test_the_role_is_gone(self):
        self.goes_on(self.start, self.accounts(GONE))

