"""Pulls that would fill the host's disk, or keep it busy: what others need stays free, and a stop is heard."""

import os
import signal
import subprocess
import threading
import time

from support import Image, Layer, TarWriter, document, need_command
from support.executor import wait_until
from support.faulty_registry import FaultyRegistry, digest_of
from support.images import busybox_tar
from test_appc import Server, task
from test_registry import PullTestCase

MIB = 1 << 20
GIB = 1 << 30


class RoomTestCase(PullTestCase):
    """The store is on a file system of 4 GiB, of which little is free; a twentieth of it is to stay so."""

    SECONDS = 180
    FREE, RESERVE = 640 * MIB, 4 * GIB // 20
    # Room is looked for after each 4 MiB of a download.
    STRIDE = 4 * MIB

    def setUp(self):
        super().setUp()
        need_command("mkfs.ext4")
        os.makedirs(self.host.work)
        image = self.host.path("disk")
        with open(image, "wb") as file:
            file.truncate(4 * GIB)
        subprocess.run(["mkfs.ext4", "-q", "-m", "0", image], check=True)
        subprocess.run(["mount", "-o", "loop", image, self.host.work], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", self.host.work], check=True)
        # Blocks without anything in them: nothing is written.
        with open(os.path.join(self.host.work, "others"), "wb") as file:
            os.posix_fallocate(file.fileno(), 0, self.free() - self.FREE)
        self.least = self.FREE
        self.is_over = threading.Event()
        watcher = threading.Thread(target=self.watch)
        watcher.start()
        self.addCleanup(watcher.join)
        self.addCleanup(self.is_over.set)

    def free(self):
        found = os.statvfs(self.host.work)
        return found.f_bavail * found.f_frsize

    def watch(self):
        while not self.is_over.wait(0.002):
            self.least = min(self.least, self.free())

    def neighbour(self):
        """A task that goes on writing, and says when it could not."""
        script = "echo up; while dd if=/dev/zero of=file bs=1M count=2 2>/dev/null; do rm file; sleep 0.01; done; echo failed; sleep 1000"
        return self.start_task(document(script, disk=0, finalization_wait=1)).wait_log("up")

    def pull_beside(self, reference, *options):
        pulling = subprocess.Popen(
            self.host.words(["image", "pull", reference, *options]), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, env=self.host.environment())
        self.addCleanup(pulling.communicate)
        self.addCleanup(pulling.kill)
        return pulling

    def assert_room_was_left(self, neighbour, downloads=1):
        self.assertEqual(self.aurora("image", "ls", "-q").out, "")
        for name in ("pulls", "staging", "layers"):
            self.assertEqual(os.listdir(os.path.join(self.host.work, "images", name)), [])
        self.assertGreater(self.least, self.RESERVE - downloads * self.STRIDE - 8 * MIB)
        wait_until(lambda: self.free() > self.FREE - 8 * MIB, "what was fetched is gone")
        self.assertEqual(self.assert_finished(self.run_task(document("echo fine > here; cat here", disk=0))).out(), "fine\n")
        self.assertEqual(neighbour.out(), "up\n")
        self.assertEqual(neighbour.signal(signal.SIGTERM).wait().result["state"], "TASK_KILLED")
        self.is_over.set()


class Layers(RoomTestCase):
    def setUp(self):
        super().setUp()
        self.server = FaultyRegistry()
        self.addCleanup(self.server.stop)

    def is_made_up(self, handler):
        return "/blobs/" in handler.path and handler.path.rpartition("/")[2] not in self.server.blobs

    def test_layers_for_which_there_is_no_room_are_not_asked_for(self):
        neighbour = self.neighbour()
        self.server.answer = lambda handler: self.is_made_up(handler) and (self.server.flood(handler) or True)
        for tag, sizes in (("large", [7 * GIB]), ("rest", [self.FREE - self.RESERVE // 2]), ("many", [64 * MIB] * 100)):
            with self.subTest(tag):
                reference, digests = self.server.announce(tag, *sizes)
                words = (f"the layers need {sum(sizes) >> 20} MiB, and ", " MiB are free where images are stored")
                self.assert_refused(self.pull(reference), 73, *words)
                outcome = self.run_task(document("true", image=reference))
                self.assertEqual((outcome.code, outcome.result["state"]), (73, "TASK_FAILED"), outcome)
                for word in words:
                    self.assertIn(word, outcome.said)
                for digest in digests:
                    self.assertEqual(self.server.asked(digest), [])
        self.assert_room_was_left(neighbour, 0)

    def test_of_two_that_have_no_room_together_one_ends(self):
        neighbour = self.neighbour()
        image = Image([Layer(busybox_tar()), Layer(TarWriter().file("large", bytes(150 * MIB)))])
        self.server.add(image, "one")
        layer, data = digest_of(image.layers[1].blob), image.layers[1].blob
        first, (other, _) = self.server.named("one"), self.server.announce("other", 420 * MIB)
        is_asked, is_held, go = threading.Event(), threading.Event(), threading.Event()
        self.addCleanup(go.set)

        def answer(handler):
            if layer in handler.path:
                # Both have found that there is room.
                is_asked.wait(60)
                handler.send_response(200)
                handler.send_header("Content-Length", str(len(data)))
                handler.end_headers()
                handler.wfile.write(data[:145 * MIB])
                is_held.set()
                go.wait(120)
                handler.wfile.write(data[145 * MIB:])
                return True
            if self.is_made_up(handler):
                is_asked.set()
                is_held.wait(60)
                self.server.flood(handler, 420 * MIB)
                return True
            return False

        self.server.answer = answer
        one = self.pull_beside(first)
        wait_until(lambda: self.server.asked(layer), "the first pull asks for its layer", 30)
        done = self.pull(other, timeout=90)
        self.assertEqual(done.code, 73, done)
        self.assertRegex(done.err, r"layer .*: only \d+ MiB are free where images are stored")
        self.assertEqual(len(os.listdir(self.host.work + "/images/pulls")), 1)
        self.assertEqual(neighbour.out(), "up\n")
        go.set()
        self.assertEqual(one.wait(60), 0)
        self.assert_finished(self.run_task(document("ls -l /large", disk=0, image=first)))
        self.assertEqual(self.aurora("image", "rm", first).code, 0)
        self.assert_room_was_left(neighbour)


class Appc(RoomTestCase):
    def setUp(self):
        super().setUp()
        self.server = Server(self.host.path("store"))
        self.addCleanup(self.server.stop)
        self.options = ("--appc-discovery-prefix", self.server.url)

    def test_a_file_without_an_end_leaves_room(self):
        neighbour = self.neighbour()
        self.server.answer = lambda handler: FaultyRegistry.flood(handler) or True
        outcome = self.run_task(task("example.com/app", None, "true"), *self.options, timeout=90)
        self.assertEqual((outcome.code, outcome.result["state"]), (73, "TASK_FAILED"), outcome)
        self.assertRegex(outcome.said, r"http://127.*: only \d+ MiB are free where images are stored")
        self.assert_room_was_left(neighbour)

    def test_two_together_leave_room(self):
        neighbour = self.neighbour()
        names = ("example.com/one", "example.com/other")
        both = threading.Barrier(len(names), timeout=60)

        def answer(handler):
            both.wait()
            FaultyRegistry.flood(handler)
            return True

        self.server.answer = answer
        for pulling in [self.pull_beside(name, *self.options) for name in names]:
            self.assertEqual(pulling.wait(90), 73)
            self.assertIn(b"MiB are free where images are stored", pulling.stderr.read())
        self.assert_room_was_left(neighbour, len(names))


class Leftovers(PullTestCase):
    """What was fetched of large layers before a pull was killed is hashed by the next one: that takes long, and can be ended."""

    SECONDS = 180
    # All holes: it takes no room, and as long as anything else.
    SIZE, LEFT, LAYERS = 8 * GIB, 7 * GIB, 4

    def setUp(self):
        super().setUp()
        os.makedirs(self.host.work)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755,size=64g", "own", self.host.work], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", self.host.work], check=True)
        self.server = FaultyRegistry()
        self.addCleanup(self.server.stop)
        self.reference, self.digests = self.server.announce("1", *[self.SIZE] * self.LAYERS)
        self.server.answer = self.begin
        self.leave()

    def begin(self, handler):
        """A little of a layer, and then nothing more."""
        if not any(digest in handler.path for digest in self.digests):
            return False
        handler.send_response(200)
        handler.send_header("Content-Length", str(self.SIZE))
        handler.end_headers()
        handler.wfile.write(bytes(MIB))
        self.server.hang(handler)
        return True

    def left(self):
        """The sizes of what there is of the layers."""
        found = []
        for path, _, names in os.walk(self.host.work + "/images/pulls"):
            found += [os.path.join(path, name) for name in names if path.endswith("/partial")]
        return {path: os.path.getsize(path) for path in found}

    def leave(self):
        pulling = self.start()
        wait_until(lambda: list(self.left().values()) == [MIB] * self.LAYERS, "the beginning of each layer", 30)
        pulling.kill()
        pulling.wait()
        for path in self.left():
            os.truncate(path, self.LEFT)
        self.server.requests.clear()

    def start(self):
        pulling = subprocess.Popen(
            self.host.words(["image", "pull", self.reference]), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, env=self.host.environment())
        self.addCleanup(pulling.communicate)
        self.addCleanup(pulling.kill)
        return pulling

    def wait_hashing(self, pid):
        def has_read():
            with open(f"/proc/{pid}/io", encoding="ascii") as file:
                return int(file.readline().removeprefix("rchar: ")) > 256 * MIB
        wait_until(has_read, "what is left is read", 30)

    def assert_stopped_soon(self, began):
        self.assertLess(time.monotonic() - began, 5)
        self.assertEqual([path for path, _ in self.server.requests if "/blobs/" in path and any(
            digest in path for digest in self.digests)], [])
        # The next may go on with it.
        self.assertEqual(list(self.left().values()), [self.LEFT] * self.LAYERS)

    def test_a_signal_ends_a_pull(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(number):
                pulling = self.start()
                self.wait_hashing(pulling.pid)
                began = time.monotonic()
                pulling.send_signal(number)
                self.assertNotEqual(pulling.wait(60), 0)
                self.assert_stopped_soon(began)

    def test_a_stop_ends_a_task_that_waits_for_its_image(self):
        for how in ("stop", "signal"):
            with self.subTest(how):
                live = self.start_task(document("true", image=self.reference))
                self.wait_hashing(live.process.pid)
                began = time.monotonic()
                if how == "stop":
                    self.assertEqual(self.aurora("stop", live.id, timeout=60).code, 0)
                else:
                    live.signal(signal.SIGTERM)
                outcome = live.wait(60)
                self.assertEqual((outcome.code, outcome.result["state"]), (3, "TASK_KILLED"), outcome)
                self.assertIn("stopped while the image", outcome.said)
                self.assert_stopped_soon(began)
