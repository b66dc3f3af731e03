"""Running the executor from outside, as a user does."""

import json
import os
import select
import signal
import subprocess
import time

# Commands that know no directories.
_WITHOUT_DIRECTORIES = ("resolve", "validate", "policy", "render", "schema", "simulate", "version", "--help", "--version", "help")
_WITHOUT_RUN_DIRECTORY = ("doctor", "image", "plan")

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def binary():
    """The binary under test."""
    here = os.path.dirname(os.path.abspath(__file__))
    return os.environ.get("AURORA_BINARY") or os.path.abspath(
        os.path.join(here, "..", "..", "..", ".build", "release", "aurora-executor"))


def wait_until(condition, what, seconds=10.0):
    """Waits for a condition; returns its value, or fails naming what did not happen."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g} s: {what}")
        time.sleep(0.01)


def has_ended(pid):
    """Whether a process is gone, or only its parent has not asked for its end yet."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(") ")[2].startswith("Z")
    except (FileNotFoundError, ProcessLookupError):
        return True


def children_of(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(child) for child in file.read().split()]


class Finished:
    """A command that has ended."""

    def __init__(self, code, out, err):
        self.code = code
        self.out = out.decode(errors="replace")
        self.err = err.decode(errors="replace")

    def __str__(self):
        return f"exit status {self.code}\n--- stdout\n{self.out}--- stderr\n{self.err}"


def crc32c(data):
    """As each line of a journal has it."""
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
    return value ^ 0xFFFFFFFF


class TaskFiles:
    """The files of a task, where the README says that they are."""

    def __init__(self, host, task_id):
        self.host = host
        self.id = task_id
        self.directory = os.path.join(host.work, "tasks", task_id)
        self.sandbox = os.path.join(self.directory, "sandbox")
        self.journal_path = os.path.join(self.directory, "events.jsonl")
        self.result_path = os.path.join(self.directory, "result.json")

    @property
    def result(self):
        with open(self.result_path, encoding="utf-8") as file:
            return json.load(file)

    def log_path(self, process="main", run=0, stream="stdout"):
        return os.path.join(self.directory, "logs", process, str(run), stream)

    def log(self, process="main", run=0, stream="stdout"):
        with open(self.log_path(process, run, stream), "rb") as file:
            return file.read().decode(errors="replace")

    def out(self, process="main", run=0):
        return self.log(process, run, "stdout")

    def err(self, process="main", run=0):
        return self.log(process, run, "stderr")

    def sandbox_file(self, name):
        with open(os.path.join(self.sandbox, name), "rb") as file:
            return file.read().decode(errors="replace")

    def journal(self):
        """Records of the journal, oldest first; a torn last line is not one."""
        records = []
        try:
            with open(self.journal_path, "rb") as file:
                for line in file:
                    if line.endswith(b"\n"):
                        records.append(json.loads(line))
        except FileNotFoundError:
            pass
        return records

    def rewrite_journal(self, change):
        """Every record as `change` makes it, and its checksum with it."""
        lines = []
        for record in self.journal():
            del record["crc"]
            body = json.dumps(change(record), separators=(",", ":"), ensure_ascii=False)[:-1]
            lines.append(f'{body},"crc":"{crc32c(body.encode()):08x}"}}\n')
        with open(self.journal_path, "w", encoding="utf-8") as file:
            file.writelines(lines)

    def has_record(self, kind, **members):
        return any(
            record["type"] == kind and all(record.get(key) == value for key, value in members.items())
            for record in self.journal())

    def updates(self):
        return [record["state"] for record in self.journal() if record["type"] == "update"]

    def runs(self, process="main"):
        return self.result["processes"][process]["runs"]


class TaskOutcome(TaskFiles):
    """A task that was run to its end, with what the executor said and returned."""

    def __init__(self, host, task_id, finished):
        super().__init__(host, task_id)
        self.finished = finished
        self.code = finished.code

    @property
    def said(self):
        return self.finished.err

    def __str__(self):
        text = f"task {self.id}: {self.finished}"
        for name in (self.result_path, self.log_path(), self.log_path(stream="stderr")):
            if os.path.exists(name):
                with open(name, "rb") as file:
                    text += f"--- {os.path.relpath(name, self.directory)}\n" + file.read()[:4000].decode(errors="replace")
        return text


class LiveTask(TaskFiles):
    """A task whose executor runs beside the test."""

    def __init__(self, host, task_id, process):
        super().__init__(host, task_id)
        self.process = process
        self._shown = b""
        self._finished = None

    def wait_for(self, kind, seconds=15.0, **members):
        """Waits for a record of the journal."""
        wait_until(lambda: self.has_record(kind, **members) or self._ended(), f"journal record {kind} {members}", seconds)
        if not self.has_record(kind, **members):
            raise AssertionError(f"ended without the journal record {kind} {members}: {self.wait()}")
        return self

    def wait_running(self):
        return self.wait_for("update", state="TASK_RUNNING")

    def wait_log(self, text, process="main", run=0, stream="stdout", seconds=15.0):
        """Waits until a process has written the text."""
        def written():
            try:
                return text in self.log(process, run, stream)
            except FileNotFoundError:
                return False
        wait_until(lambda: written() or self._ended(), f"{text!r} in the {stream} of {process}", seconds)
        if not written():
            raise AssertionError(f"ended without {text!r}: {self.wait()}")
        return self

    def wait_shown(self, text, seconds=15.0):
        """Waits until the command has written the text to its standard output; what it has written stays part of that."""
        output = self.process.stdout.fileno()
        deadline = time.monotonic() + seconds
        while text.encode() not in self._shown:
            readable, _, _ = select.select([output], [], [], max(0, deadline - time.monotonic()))
            piece = os.read(output, 65536) if readable else b""
            if not piece:
                raise AssertionError(f"not on standard output within {seconds:g} s: {text!r}")
            self._shown += piece
        return self

    def _ended(self):
        return self.process.poll() is not None

    def signal(self, number):
        self.process.send_signal(number)
        return self

    def kill(self):
        """Kills the executor alone, as an OOM killer would."""
        self.process.kill()
        self._collect(10)
        return self

    def wait(self, seconds=30.0):
        return TaskOutcome(self.host, self.id, self._collect(seconds))

    def _collect(self, seconds):
        if self._finished is None:
            try:
                out, err = self.process.communicate(timeout=seconds)
            except subprocess.TimeoutExpired:
                raise AssertionError(f"the executor of {self.id} has not ended within {seconds:g} s") from None
            self._finished = Finished(self.process.returncode, self._shown + out, err)
        return self._finished

    def launched(self):
        """The journal's record of container-init."""
        self.wait_for("launched")
        return next(record for record in reversed(self.journal()) if record["type"] == "launched")

    def kill_init(self):
        pid = self.launched()["pid"]
        os.kill(pid, signal.SIGKILL)
        # The kernel ends its whole namespace first.
        wait_until(lambda: has_ended(pid), "the end of container-init")
        return self


class Host:
    """Directories of one test, and the executor on them."""

    def __init__(self, directory, prefix):
        self.directory = directory
        self.prefix = prefix
        self.work = os.path.join(directory, "work")
        self.run_directory = os.path.join(directory, "run")
        self._count = 0
        self.live = []

    def path(self, name):
        return os.path.join(self.directory, name)

    def write(self, name, data):
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if not isinstance(data, (bytes, str)):
            data = json.dumps(data)
        with open(path, "wb") as file:
            file.write(data.encode() if isinstance(data, str) else data)
        return path

    def task_id(self):
        self._count += 1
        return f"{self.prefix}{self._count}"

    def words(self, arguments):
        """The command line, with this test's directories."""
        arguments = [str(argument) for argument in arguments]
        first = arguments[0] if arguments else ""
        words = [binary(), *arguments]
        if not arguments or first in _WITHOUT_DIRECTORIES or "--help" in arguments:
            return words
        options = [f"--work-dir={self.work}"]
        if first not in _WITHOUT_RUN_DIRECTORY:
            options.append(f"--run-dir={self.run_directory}")
        at = words.index("--") if "--" in words else len(words)
        return words[:at] + options + words[at:]

    def environment(self, extra=None):
        return {"PATH": PATH, "LANG": "C.UTF-8", **(extra or {})}

    def aurora(self, *arguments, input=None, env=None, timeout=30, **options):
        """Runs a command to its end."""
        if input is not None:
            options["input"] = input.encode() if isinstance(input, str) else input
        elif "stdin" not in options:
            options["stdin"] = subprocess.DEVNULL
        done = subprocess.run(
            self.words(arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.environment(env),
            timeout=timeout, check=False, **options)
        return Finished(done.returncode, done.stdout, done.stderr)

    def _task_words(self, document, options, role, task_id):
        path = document if isinstance(document, str) else self.write(f"{task_id}.json", document)
        words = ["run", "--task", path, "--task-id", task_id, *options]
        # A job names its role itself.
        if role and not (isinstance(document, dict) and "role" in document):
            words += ["--role", role]
        return words

    def run_task(self, document, *options, role="www-data", task_id=None, timeout=60, **rest):
        """Runs a task to its end. A disk that others are busy with can hold up a write for half a minute."""
        task_id = task_id or self.task_id()
        words = self._task_words(document, options, role, task_id)
        return TaskOutcome(self, task_id, self.aurora(*words, timeout=timeout, **rest))

    def start_task(self, document, *options, role="www-data", task_id=None, env=None, **rest):
        """Starts a task and goes on beside it."""
        task_id = task_id or self.task_id()
        process = subprocess.Popen(
            self.words(self._task_words(document, options, role, task_id)), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.environment(env), **rest)
        task = LiveTask(self, task_id, process)
        self.live.append(task)
        return task

    def start(self, *arguments, task_id, env=None):
        """Starts another command on a task, such as `recover`."""
        process = subprocess.Popen(
            self.words(arguments), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=self.environment(env))
        task = LiveTask(self, task_id, process)
        self.live.append(task)
        return task

    def recover(self, task_id, *options, timeout=30):
        return TaskOutcome(self, task_id, self.aurora("recover", task_id, *options, timeout=timeout))

    def import_image(self, image, form="docker_archive"):
        """Writes an image as an archive and imports it."""
        path = getattr(image, form)(self.path("image.tar" if form != "oci_layout" else "image"))
        done = self.aurora("image", "import", path, *([image.name] if form.startswith("oci") else []))
        if done.code != 0:
            raise AssertionError(f"image import of {form}: {done}")
        return image.name

    def end_everything(self):
        """Ends what a failed test left running, so that the next test starts clean."""
        for task in self.live:
            if task.process.poll() is None:
                task.process.kill()
            task.process.communicate()
