"""A Docker engine of the tests' own: its own data, its own socket, its own mount namespace, no bridge."""

import atexit
import os
import shutil
import signal
import subprocess
import tempfile

from .case import ExecutorTestCase
from .documents import document
from .executor import wait_until
from .images import busybox_image
from .needs import need, need_command, need_root

_PARENT = os.environ.get("AURORA_TEST_DIR", "/var/tmp")


class Engine:
    """A dockerd, from start to stop."""

    def __init__(self, *options, maps_users=False, size=None):
        self.directory = tempfile.mkdtemp(prefix="aurora-engine-", dir=_PARENT)
        # A remapped root has to get through.
        os.chmod(self.directory, 0o711)
        self.socket = os.path.join(self.directory, "docker.sock")
        self.options = [*options, "--userns-remap=daemon"] if maps_users else options
        self.preparation = self._subordinate_ids() if maps_users else ""
        if size:
            # Seen by the engine alone, and gone with it.
            os.mkdir(self.directory + "/data")
            self.preparation += f"mount -t tmpfs -o size={size} tmpfs {self.directory}/data && "
        self.process = None
        self.images = {}
        self.start()

    def start(self):
        log = open(os.path.join(self.directory, "log"), "ab")
        # What the engine mounts shall be seen by nobody else: the tests count mounts.
        self.process = subprocess.Popen(
            ["unshare", "--mount", "--propagation", "slave", "sh", "-c", self.preparation + 'exec dockerd "$@"', "dockerd",
             "--data-root", self.directory + "/data",
             "--exec-root", self.directory + "/exec", "--host", "unix://" + self.socket, "--pidfile",
             self.directory + "/pid", "--bridge=none", "--iptables=false", *self.options],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        log.close()
        wait_until(lambda: self.process.poll() is not None or self.try_docker("version") is not None,
                   "the Docker engine answers", 30)
        if self.process.poll() is not None:
            with open(os.path.join(self.directory, "log"), encoding="utf-8", errors="replace") as file:
                lines = file.read().splitlines()[-3:]
            self.process = None
            shutil.rmtree(self.directory, ignore_errors=True)
            need(False, "a Docker engine that starts here: " + " / ".join(lines))
        return self

    def _subordinate_ids(self):
        """Shell commands that give `daemon` ids to map to, for the engine alone."""
        path = os.path.join(self.directory, "subordinate")
        with open(path, "w", encoding="ascii") as file:
            file.write("daemon:200000:65536\n")
        # The files may be missing on a host where nobody has such ids.
        need(os.path.exists("/etc/subuid") and os.path.exists("/etc/subgid"), "/etc/subuid and /etc/subgid")
        return f"mount --bind {path} /etc/subuid && mount --bind {path} /etc/subgid && "

    def signal(self, number):
        """To the engine alone; containers and containerd go on."""
        self.process.send_signal(number)
        return self

    def wait(self):
        self.process.wait(60)
        self.process = None
        # A killed engine leaves its file, and would take it for a running one.
        if os.path.exists(self.directory + "/pid"):
            os.unlink(self.directory + "/pid")
        return self

    def restart(self):
        return self.signal(signal.SIGKILL).wait().start()

    def stop(self):
        """Ends the engine and whatever it started, and removes everything."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(60)
            self.process = None
        # After a kill its containerd is still there; it names the engine's directory.
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    if self.directory.encode() in file.read():
                        os.kill(int(pid), signal.SIGKILL)
            except OSError:
                pass
        shutil.rmtree(self.directory, ignore_errors=True)

    def try_docker(self, *words):
        done = subprocess.run(
            ["docker", "--host", "unix://" + self.socket, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, timeout=60, check=False)
        return done.stdout.decode(errors="replace") if done.returncode == 0 else None

    def docker(self, *words):
        """Docker's own command line, as an operator beside the executor uses it."""
        out = self.try_docker(*words)
        if out is None:
            raise AssertionError(f"docker {' '.join(words)} failed")
        return out

    def containers(self):
        return self.docker("ps", "--all", "--quiet", "--no-trunc").split()

    def load(self, image):
        """Loads an image once; returns its name."""
        if self.images.get(image.name) != image.configuration:
            path = os.path.join(self.directory, "image.tar")
            image.docker_archive(path)
            self.docker("load", "--quiet", "--input", path)
            os.unlink(path)
            self.images[image.name] = image.configuration
        return image.name


_shared = None


def shared_engine():
    """The engine that most tests of a worker share."""
    global _shared
    if _shared is None:
        _shared = Engine()
        atexit.register(_shared.stop)
    return _shared


def in_docker(made, image, parameters=(), **fields):
    """The document as a Docker task; parameters as `name=value`."""
    pairs = [text.split("=", 1) for text in parameters]
    made = dict(made)
    made["container"] = {"docker": {
        "image": image, "parameters": [{"name": name, "value": value} for name, value in pairs], **fields}}
    return made


class DockerTestCase(ExecutorTestCase):
    """A test with an engine, which has no container more after it than before."""

    def setUp(self):
        need_root()
        need_command("dockerd")
        need_command("docker")
        need_command("unshare")
        self.engine = shared_engine()
        super().setUp()
        self.addCleanup(self._check_containers)

    def own_engine(self, *options, **rest):
        """An engine for this test alone, which may end it."""
        self.engine = Engine(*options, **rest)
        self.addCleanup(self.engine.stop)
        self.addCleanup(self._check_containers)
        return self.engine

    def _check_containers(self):
        if self.engine.process is None:
            return
        left = self.engine.containers()
        volumes = self.engine.docker("volume", "ls", "--quiet").split()
        for container in left:
            self.engine.try_docker("rm", "--force", "--volumes", container)
        self.assertEqual((left, volumes), ([], []), "containers or volumes are left at the engine")

    def with_engine_image(self, **options):
        """Loads a busybox image into the engine and returns its name."""
        return self.engine.load(busybox_image(**options))

    def docker_document(self, *processes, image=None, parameters=(), docker=None, **fields):
        image = image or self.with_engine_image()
        return in_docker(document(*processes, **fields), image, parameters, **(docker or {}))

    def run_docker(self, *processes, options=(), role="www-data", **fields):
        """Runs a Docker task to its end."""
        made = self.docker_document(*processes, **fields)
        return self.run_task(made, "--docker-socket", self.engine.socket, *options, role=role)

    def start_docker(self, *processes, options=(), role="www-data", **fields):
        """Starts a Docker task and goes on beside it."""
        made = self.docker_document(*processes, **fields)
        return self.start_task(made, "--docker-socket", self.engine.socket, *options, role=role)
