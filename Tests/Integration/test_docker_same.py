"""The same tasks in both containerizers: the same bytes, the same ends, the same limits."""

import os
import pwd
import signal

from support import DockerTestCase, document, process
from support.engine import in_docker

CONFIG = {"Env": ["PATH=/bin", "FROM=image", "HOME=/image", "USER=image"], "User": "1000:1000", "WorkingDir": "/image"}


class SameTestCase(DockerTestCase):
    def both(self, *processes, role="www-data", config=None, **fields):
        """Runs one task in both containerizers."""
        name = self.with_busybox(**({"config": config} if config else {}))
        image = self.with_engine_image(**({"config": config} if config else {}))
        native = self.run_task(document(*processes, image=name, **fields), role=role)
        return native, self.run_docker(*processes, image=image, role=role, **fields)

    @staticmethod
    def told(outcome):
        """What a result says that is not time, place or usage."""
        result = outcome.result
        kept = {key: result.get(key) for key in ("state", "reason", "message", "hint", "decider", "role", "notes")}
        kept["processes"] = {
            name: (about["state"], [{key: value for key, value in run.items() if not key.endswith("_at")}
                                    for run in about["runs"]])
            for name, about in result["processes"].items()}
        return outcome.code, kept, outcome.updates()

    @staticmethod
    def logs(outcome):
        """Every byte of every stream of every run."""
        top = os.path.join(outcome.directory, "logs")
        found = {}
        for directory, _, files in os.walk(top):
            # Nothing beside the streams: indexes have times, and what finals are told names the task.
            for name in (name for name in files if name in ("stdout", "stderr")):
                path = os.path.join(directory, name)
                about = os.stat(path)
                with open(path, "rb") as file:
                    found[os.path.relpath(path, top)] = (file.read(), about.st_uid, about.st_gid, about.st_mode)
        return found

    def assert_same(self, native, docker):
        self.assertEqual(self.told(docker), self.told(native), f"{native}\n{docker}")
        self.assertEqual(self.logs(docker), self.logs(native))


class Commands(SameTestCase):
    COMMANDS = {
        "identity": "id; id -u; id -g; id -G; cat /etc/passwd /etc/group; umask; whoami",
        "environment": "env | grep -v AURORA_TASK_ID | sort",
        "directory": "pwd; ls -A | sort; stat -c '%a %u %g' . .tmp .logs",
        "limits": "grep -v -E 'processes|pending signals' /proc/self/limits; ulimit -c; ulimit -H -c",
        "privileges": "grep -E '^(Cap|NoNewPrivs)' /proc/self/status",
        "exit status": "echo before; exit 7",
        "shell's not found": "nosuchprogram",
        "terminated": "kill -TERM $$",
        "killed": "kill -KILL $$",
        "aborted": "kill -ABRT $$",
        "bytes": "printf 'a\\000b\\377\\n'; printf 'no newline' >&2",
        "much output": "seq 1 200000",
        "logs are read-only": "echo x >.logs/main/0/stdout; rm -rf .logs/main/0/stdout; ls .logs",
        "files": "touch a; mkdir b; ln -s a c; stat -c '%n %a %u %g' a b; hostname >h",
        "signals are as new": "grep -E '^Sig(Blk|Ign)' /proc/self/status",
        "standard input": "cat; readlink /proc/self/fd/0",
        "descriptors": "ls /proc/self/fd | wc -l",
        "a child that stays behind": "sleep 100 & echo done",
        "a process group": "[ $(cut -d' ' -f5 /proc/self/stat) = $$ ] && [ $(cut -d' ' -f6 /proc/self/stat) = $$ ] && echo own",
        "the host's name": "hostname",
        "nice": "cut -d' ' -f19 /proc/self/stat; cat /proc/self/oom_score_adj",
    }

    def test_commands_end_alike(self):
        for what, command in self.COMMANDS.items():
            with self.subTest(what):
                self.assert_same(*self.both(command, config=CONFIG))

    def test_the_superuser_is_the_same_too(self):
        command = "id -u; pwd; grep -E '^(Cap|NoNewPrivs)' /proc/self/status; touch /x && stat -c '%u %g' /x; env | grep -v _ID | sort"
        self.assert_same(*self.both(command, role="root"))

    def test_groups_that_the_host_gives_are_given(self):
        # In account files that are this test machine's own.
        with open("/etc/group", "r+", encoding="utf-8") as file:
            length = len(file.read().encode())
            self.addCleanup(os.truncate, "/etc/group", length)
            file.write("of-the-test:x:4242:www-data\n")
        role, groups = "www-data", os.getgrouplist("www-data", pwd.getpwnam("www-data").pw_gid)
        self.assertIn(4242, groups)
        native, docker = self.both("id -G", role=role)
        self.assert_same(native, docker)
        self.assertEqual(sorted(map(int, docker.out().split())), sorted(groups))


class ResourceLimits(SameTestCase):
    """`ulimit` parameters: what `docker run` gives a process, and nothing of it for container-init."""

    VALUES = {
        "core": "0:-1", "cpu": "50:60", "data": "400000000", "fsize": "4096:8192", "locks": "7:8", "memlock": "65536",
        "msgqueue": "5000:6000", "nice": "5:6", "nofile": "64:128", "nproc": "500:600", "rss": "300000000",
        "rtprio": "3:4", "rttime": "2000000", "sigpending": "99:100", "stack": "8388608:16777216",
    }
    SHOW = "cat /proc/self/limits"

    def docker_run(self, *options):
        """What the same program sees in a container of Docker's own; None when it does not start."""
        return self.engine.try_docker(
            "run", "--rm", "--network", "none", "--user", "33:33", *options, self.with_engine_image(), "sh", "-c", self.SHOW)

    @staticmethod
    def may_raise():
        """Whether root has CAP_SYS_RESOURCE here."""
        with open("/proc/self/status", encoding="ascii") as file:
            return any(line.startswith("CapEff:") and int(line.split()[1], 16) >> 24 & 1 for line in file)

    def test_each_is_what_docker_run_gives(self):
        for chosen in [[name] for name in self.VALUES] + [list(self.VALUES)]:
            given = [f"ulimit={name}={self.VALUES[name]}" for name in chosen]
            options = [word for text in given for word in ("--ulimit", text.split("=", 1)[1])]
            # Core dumps are off here unless somebody asks for them.
            seen = self.docker_run(*([] if "core" in chosen else ["--ulimit", "core=1"]), *options)
            with self.subTest(chosen):
                outcome = self.run_docker(self.SHOW, parameters=given)
                if seen is None:
                    # Above the hard limit of everybody, without the right to raise it: the engine cannot either.
                    self.assertFalse(self.may_raise(), outcome)
                    self.assert_failed(outcome, "cannot set resource limit", "EPERM")
                else:
                    self.assertEqual(self.assert_finished(outcome).out(), seen)

    def test_the_engines_own_are_the_processes_and_not_inits(self):
        # The kernel counts processes of a uid on the whole host, those of other tests among them.
        self.own_engine("--default-ulimit", "nofile=50:60", "--default-ulimit", "nproc=7000:8000")
        show = [process(f"p{index}", self.SHOW) for index in range(5)]
        for parameters, options in (((), ()), (("ulimit=nofile=51",), ("--ulimit", "nofile=51"))):
            outcome = self.assert_finished(self.run_docker(*show, parameters=parameters))
            self.assertEqual({outcome.out(f"p{index}") for index in range(5)},
                             {self.docker_run("--ulimit", "core=1", *options)})

    def test_a_file_size_of_the_engines_own_never_cuts_a_log(self):
        self.own_engine("--default-ulimit", "fsize=4096:4096")
        outcome = self.run_docker(process("show", self.SHOW), process("much", "seq 1 100000"))
        if not self.may_raise():
            self.assert_failed(outcome, "4096 bytes, logs included")
            self.assertIn("CAP_SYS_RESOURCE", outcome.said)
            return
        self.assert_finished(outcome)
        self.assertEqual(outcome.out("show"), self.docker_run("--ulimit", "core=1"))
        self.assertEqual(len(outcome.out("much").splitlines()), 100_000)

    def test_logs_and_the_record_of_ends_have_no_limit(self):
        for limit in (4096, 512, 0):
            with self.subTest(limit):
                outcome = self.assert_finished(self.run_docker("seq 1 100000", parameters=(f"ulimit=fsize={limit}",)))
                self.assertEqual(outcome.out(), "".join(f"{number}\n" for number in range(1, 100_001)))

    def test_a_file_over_the_limit_is_the_processes_own_failure(self):
        outcome = self.run_docker("dd if=/dev/zero of=big bs=1k count=100", parameters=("ulimit=fsize=4096",))
        self.assertEqual(outcome.result["state"], "TASK_FAILED", outcome)
        self.assertEqual(os.path.getsize(os.path.join(outcome.sandbox, "big")), 4096)

    def test_few_files_are_few_for_each_process_and_not_for_all(self):
        processes = [process(f"p{index}", "ulimit -n") for index in range(30)]
        for limit in (64, 12):
            with self.subTest(limit):
                outcome = self.assert_finished(self.run_docker(*processes, parameters=(f"ulimit=nofile={limit}",)))
                self.assertEqual({outcome.out(f"p{index}") for index in range(30)}, {f"{limit}\n"})

    def test_more_than_the_kernel_gives_is_said_so(self):
        outcome = self.run_docker("true", parameters=("ulimit=nofile=-1",))
        self.assert_failed(outcome, "resource limit", "EPERM")

    def test_a_task_that_was_taken_over_is_held_to_them_too(self):
        task = self.start_docker(
            "echo up; while ! test -e go; do sleep 0.05; done", process("last", self.SHOW, final=True),
            parameters=("ulimit=nofile=64:128",)).wait_log("up").kill()
        with open(os.path.join(task.sandbox, "go"), "w", encoding="utf-8"):
            pass
        outcome = self.assert_finished(self.host.recover(task.id))
        self.assertEqual(outcome.out("last"), self.docker_run("--ulimit", "core=1", "--ulimit", "nofile=64:128"))


class Limits(SameTestCase):
    FILES = {
        "memory": ("memory.limit_in_bytes", "memory.soft_limit_in_bytes", "memory.memsw.limit_in_bytes"),
        "cpu": ("cpu.shares", "cpu.cfs_period_us", "cpu.cfs_quota_us"),
    }

    def limits(self, task, controller, name):
        # Of a process: natively init is not held to the task's limits.
        init = task.launched()["pid"]
        with open(f"/proc/{init}/task/{init}/children", encoding="ascii") as file:
            process_id = file.read().split()[0]
        with open(f"/proc/{process_id}/cgroup", encoding="ascii") as file:
            fields = [line.rstrip("\n").split(":", 2) for line in file]
        path = next((place for _, controllers, place in fields if controller in controllers.split(",")), None)
        if path is None:
            return None
        for mount in (f"/sys/fs/cgroup/{controller}", "/sys/fs/cgroup/cpu,cpuacct"):
            if os.path.exists(mount + path + "/" + name):
                with open(mount + path + "/" + name, encoding="ascii") as file:
                    return int(file.read())
        return None

    def test_the_kernel_holds_both_to_the_same_numbers(self):
        fields = {"cpu": 0.5, "ram": 48 << 20, "disk": 0}
        native = self.start_task(document("echo up; sleep 1000", image=self.with_busybox(), **fields))
        docker = self.start_docker("echo up; sleep 1000", **fields)
        tasks = [native.wait_log("up"), docker.wait_log("up")]
        seen = [{name: self.limits(task, controller, name) for controller, names in self.FILES.items() for name in names}
                for task in tasks]
        for task in tasks:
            task.signal(signal.SIGTERM)
        states = [task.wait().result["state"] for task in tasks]
        self.assertEqual(states, ["TASK_KILLED", "TASK_KILLED"])
        self.assertEqual(seen[1], seen[0])
        self.assertEqual(seen[0]["memory.limit_in_bytes"], 48 << 20)
        self.assertEqual(seen[0]["cpu.cfs_quota_us"], 50_000)

    def test_less_memory_than_mesos_gives_is_raised(self):
        for outcome in self.both("ls -lR / | wc -l", ram=1 << 20):
            self.assertGreater(int(self.assert_finished(outcome).out()), 100)

    def test_out_of_memory_ends_alike(self):
        native, docker = self.both("dd if=/dev/zero of=/dev/null bs=100M count=1", ram=64 << 20)
        for outcome in (native, docker):
            self.assert_failed(outcome, "64 MiB limit", reason="REASON_CONTAINER_LIMITATION_MEMORY")


class Examples(SameTestCase):
    """The tasks of Aurora's documentation, without what they fetch from elsewhere."""

    def test_hello_world(self):
        # hello_world: fetch a program, then run it.
        fetch = process("fetch_package", "printf 'echo \"hello world\"\\n' >hello_world.sh && chmod +x hello_world.sh")
        run = process("hello_world", "sh -u hello_world.sh")
        native, docker = self.both(fetch, run, order=["fetch_package", "hello_world"])
        self.assert_same(native, docker)
        self.assertEqual(docker.out("hello_world"), "hello world\n")

    def test_hello_docker_image_and_hello_docker_engine(self):
        # They differ in their container only, and run until somebody ends them.
        loop = process("hello", "while true; do echo hello world; sleep 10; done")
        made = document(loop, image=self.with_busybox())
        engine = in_docker(document(loop), self.with_engine_image())
        tasks = [self.start_task(made), self.start_task(engine, "--docker-socket", self.engine.socket)]
        for task in tasks:
            task.wait_log("hello world", process="hello")
        outcomes = [task.signal(signal.SIGTERM).wait() for task in tasks]
        for outcome in outcomes:
            self.assertEqual((outcome.code, outcome.result["state"]), (3, "TASK_KILLED"))
        told = [self.told(outcome)[1]["processes"] for outcome in outcomes]
        self.assertEqual(told[0], told[1])

    def test_a_pipeline_with_order_retries_and_finals(self):
        processes = (
            process("setup", "mkdir data; echo 1 >data/n"),
            process("left", "sed 's/1/left/' data/n"), process("right", "sed 's/1/right/' data/n"),
            process("flaky", "test -e once && exit 0; touch once; echo failing >&2; exit 1", max_failures=2),
            process("join", "cat data/n .logs/left/0/stdout .logs/right/0/stdout"),
            process("cleanup", "rm -r data; ls -A", final=True),
        )
        order = ["setup", "left", "join"], ["setup", "right", "join"], ["join", "flaky"]
        constraints = [{"order": list(names)} for names in order]
        native, docker = self.both(*processes, constraints=constraints)
        self.assert_finished(docker)
        self.assertEqual(docker.out("join"), "1\nleft\nright\n")
        self.assertEqual({name: about["state"] for name, about in docker.result["processes"].items()},
                         {name: about["state"] for name, about in native.result["processes"].items()})
        self.assertEqual(self.logs(docker), self.logs(native))

    def test_a_pipeline_that_breaks_runs_its_finals_only(self):
        processes = (process("first", "exit 3"), process("second", "echo never"), process("last", "echo last", final=True))
        native, docker = self.both(*processes, order=["first", "second"])
        self.assert_failed(docker, "first")
        self.assert_same(native, docker)

    def test_daemons_run_again_and_ephemeral_ones_are_not_waited_for(self):
        processes = (
            process("daemon", "echo x >>log; test $(wc -l <log) -lt 3 || { sleep 1; exit 1; }", daemon=True, min_duration=0, max_failures=1),
            process("logger", "sleep 1000", ephemeral=True),
            process("main", "while [ ! -e log ] || [ $(wc -l <log) -lt 3 ]; do sleep 0.02; done; echo seen"),
        )
        native, docker = self.both(*processes)
        self.assertEqual(self.told(docker)[:2], self.told(native)[:2])
        self.assertEqual(self.logs(docker).keys(), self.logs(native).keys())

    def test_more_failures_than_allowed(self):
        native, docker = self.both(process("main", "exit 1", max_failures=3, min_duration=0))
        self.assert_same(native, docker)
        self.assert_runs(docker, "main", 1, 1, 1)


class ImageCommands(SameTestCase):
    """A task without processes runs what the image would."""

    FORMS = {
        "command": {"Cmd": ["sh", "-c", "echo $0 $PWD"]},
        "entry point": {"Entrypoint": ["/bin/echo", "entry"]},
        "both": {"Entrypoint": ["/bin/echo", "entry"], "Cmd": ["command", "and more"]},
        "a shell's form": {"Entrypoint": ["/bin/sh", "-c", "echo $#:$*"], "Cmd": ["ignored", "a b"]},
        "by PATH": {"Cmd": ["pwd"], "WorkingDir": "/tmp/made/by/nobody", "Env": ["PATH=/bin"]},
        "its user does not count": {"Cmd": ["id", "-u"], "User": "0"},
        "nor one that nobody knows": {"Cmd": ["id", "-u"], "User": "nosuch:nosuch"},
        "its directory is made": {"Cmd": ["/bin/sh", "-c", "pwd; stat -c '%a %u' ."], "WorkingDir": "/made/here"},
        "a program that is not there": {"Entrypoint": ["/nosuch"]},
        "a status": {"Cmd": ["sh", "-c", "exit 9"]},
    }

    def test_they_run_alike(self):
        for index, (what, config) in enumerate(self.FORMS.items()):
            with self.subTest(what):
                made = document("true", image=self.with_busybox(name=f"form{index}:test", config=config))
                made["processes"] = []
                native = self.run_task(made)
                engine = in_docker(made, self.with_engine_image(name=f"form{index}:test", config=config))
                docker = self.run_task(engine, "--docker-socket", self.engine.socket)
                self.assert_same(native, docker)

    def test_its_directory_is_cleaned_as_the_engine_does(self):
        config = {"Cmd": ["/bin/sh", "-c", "pwd"], "WorkingDir": "/a/b/../c/./d"}
        made = document("true", image=self.with_busybox(name="dots:test", config=config))
        made["processes"] = []
        engine = in_docker(made, self.with_engine_image(name="dots:test", config=config))
        for task in (made, engine):
            outcome = self.assert_finished(self.run_task(task, "--docker-socket", self.engine.socket))
            self.assertEqual(outcome.out("task"), "/a/c/d\n")

    ASKED = "trap 'echo INT; exit 0' INT; trap 'echo TERM; exit 5' TERM; trap 'echo 37; exit 0' 37; echo up; while :; do sleep 0.1; done"

    def stopped(self, made, says, main):
        task = self.start_task(made, "--docker-socket", self.engine.socket).wait_log("up", main)
        outcome = task.signal(signal.SIGTERM).wait()
        self.assertEqual(outcome.result["state"], "TASK_KILLED", outcome)
        self.assertEqual(outcome.out(main), f"up\n{says}\n", outcome)

    def test_the_image_says_what_ends_its_own_command(self):
        for index, (signal_name, says) in enumerate((("SIGINT", "INT"), ("37", "37"), ("SIGRTMIN+3", "37"), ("NONE", "TERM"), (None, "TERM"))):
            config = {"Cmd": ["sh", "-c", self.ASKED], **({"StopSignal": signal_name} if signal_name else {})}
            name = f"stop{index}:test"
            native = document("true", image=self.with_busybox(name=name, config=config))
            native["processes"] = []
            image = self.with_engine_image(name=name, config=config)
            with self.subTest(signal_name):
                self.stopped(native, says, "task")
                self.stopped(in_docker(native, image), says, "task")
        with self.subTest("a parameter comes before the image"):
            self.stopped(in_docker(native, image, ("stop-signal=INT",)), "INT", "task")
        with self.subTest("processes of the document have their own"):
            config = {"StopSignal": "SIGINT"}
            own = document(self.ASKED, image=self.with_busybox(name="own:test", config=config))
            self.stopped(own, "TERM", "main")
            self.stopped(in_docker(own, self.with_engine_image(name="own:test", config=config)), "TERM", "main")

    def test_a_stop_signal_that_is_none_is_refused(self):
        made = in_docker(document("true"), self.with_engine_image(config={"Cmd": ["true"]}), ("stop-signal=NONE",))
        made["processes"] = []
        self.assert_failed(self.run_task(made, "--docker-socket", self.engine.socket), "\"NONE\" is no signal")

    def test_variables_that_are_none(self):
        native, docker = self.both("env | grep -E 'NOVALUE|GOOD'", config={"Env": ["PATH=/bin", "NOVALUE", "GOOD=1"]})
        self.assertEqual((native.out(), docker.out()), ("GOOD=1\n", "GOOD=1\n"))
        for outcome in self.both("true", config={"Env": ["PATH=/bin", "=x=y"]}):
            self.assert_failed(outcome, "an environment variable that cannot be: \"=x=y\"")

    def test_an_image_that_has_no_command_is_said_so(self):
        for make in (self.with_busybox, self.with_engine_image):
            name = make(name="empty:test", config={"Entrypoint": None, "Cmd": None})
            made = document("true", image=name)
            made["processes"] = []
            if make == self.with_engine_image:
                made = in_docker(made, name)
            outcome = self.run_task(made, "--docker-socket", self.engine.socket)
            self.assert_failed(outcome, "there is no command to start")
