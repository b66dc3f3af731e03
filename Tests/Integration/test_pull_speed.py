"""What a pull does with bandwidth and memory. Nothing here is a benchmark: connections are shaped, and a generous ratio is asserted."""

import ctypes
import os
import socket
import subprocess
import threading
import time

from support import Image, Layer, TarWriter, need_command
from support.executor import children_of, wait_until
from support.faulty_registry import FaultyRegistry, digest_of
from support.images import busybox_tar
from test_registry import PullTestCase

MIB = 1 << 20
CLONE_NEWNET = 0x40000000
SO_PRIORITY = 12


class Network:
    """A network namespace with a loopback of its own. Nobody else's packets are in it."""

    def __init__(self):
        self._wanted, self._answers = threading.Semaphore(0), []
        self._ready, self._work, self._is_over = threading.Event(), None, False
        self._thread = threading.Thread(target=self._live)
        self._thread.start()
        self._ready.wait()

    def _live(self):
        # A thread has one of its own; a socket that it makes stays in there.
        if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "unshare")
        self._namespace = os.open(f"/proc/self/task/{threading.get_native_id()}/ns/net", os.O_RDONLY)
        self._ready.set()
        while True:
            self._wanted.acquire()
            if self._is_over:
                return os.close(self._namespace)
            self._answers.append(self._work())
            self._ready.set()

    def within(self, work):
        self._ready.clear()
        self._work = work
        self._wanted.release()
        self._ready.wait()
        return self._answers.pop()

    def words(self, *words):
        return ["nsenter", f"--net=/proc/{os.getpid()}/fd/{self._namespace}", *words]

    def run(self, *words):
        return subprocess.run(self.words(*words), check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def close(self):
        self._is_over = True
        self._wanted.release()
        self._thread.join()


class Bandwidth(PullTestCase):
    """Each connection that a layer comes by has 4 Mbit/s, as if a link or a registry bounded it."""

    CLASSES, RATE = 8, "4mbit"

    def setUp(self):
        super().setUp()
        need_command("tc")
        need_command("nsenter")
        network = Network()
        self.addCleanup(network.close)
        network.run("ip", "link", "set", "lo", "up")
        network.run("tc", "qdisc", "add", "dev", "lo", "root", "handle", "1:", "htb")
        for number in range(1, self.CLASSES + 1):
            network.run("tc", "class", "add", "dev", "lo", "parent", "1:", "classid", f"1:{number}", "htb", "rate", self.RATE)
        self.network, self.transfers, self.lock = network, [], threading.Lock()

    def server(self, image):
        server = self.network.within(lambda: FaultyRegistry(image))
        self.addCleanup(server.stop)
        layers = {digest_of(layer.blob) for layer in image.layers}

        def shaped(handler):
            if handler.path.rpartition("/")[2] not in layers:
                return False
            with self.lock:
                number = len(self.transfers) % self.CLASSES + 1
                transfer = [time.monotonic(), None]
                self.transfers.append(transfer)
            handler.connection.setsockopt(socket.SOL_SOCKET, SO_PRIORITY, 1 << 16 | number)
            # What was written has been sent then, but for so much.
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 64 << 10)
            server.serve(handler)
            transfer[1] = time.monotonic()
            return True
        server.answer = shaped
        return server

    def rate(self, layers, size):
        """Bytes a second that came while layers came, and how many came at once."""
        image = Image([Layer(TarWriter().file(f"noise{number}", os.urandom(size))) for number in range(layers)], name="team/app:1")
        server = self.server(image)
        self.transfers.clear()
        done = subprocess.run(
            self.network.words(*self.host.words(["image", "pull", server.reference])), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.host.environment(), check=False, timeout=80)
        self.assertEqual(done.returncode, 0, done)
        self.assertEqual(len(self.transfers), layers)
        begin, end = min(first for first, _ in self.transfers), max(last for _, last in self.transfers)
        most = max(sum(first <= moment < last for first, last in self.transfers) for moment, _ in self.transfers)
        return layers * size / (end - begin), most

    def test_layers_come_by_connections_of_their_own(self):
        single, at_once = self.rate(1, 2 * MIB)
        self.assertEqual(at_once, 1)
        several, at_once = self.rate(4, 2 * MIB)
        self.assertEqual(at_once, 4)
        # Four times as much, were it not for whoever else is on this host.
        self.assertGreater(several, 2 * single)

    def test_there_are_four_at_most(self):
        image = Image([Layer(TarWriter().file(f"noise{number}", os.urandom(1000))) for number in range(7)], name="team/app:1")
        server = FaultyRegistry(image)
        self.addCleanup(server.stop)
        layers, arrived, gate = {digest_of(layer.blob) for layer in image.layers}, [], threading.Event()

        def held(handler):
            if handler.path.rpartition("/")[2] not in layers:
                return False
            arrived.append(handler)
            return not gate.wait(60)
        server.answer = held
        process = subprocess.Popen(
            self.host.words(["image", "pull", server.reference]), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, env=self.host.environment())
        self.addCleanup(process.wait)
        self.addCleanup(gate.set)
        wait_until(lambda: len(arrived) >= 4, "four are asked for")
        # No fifth comes.
        time.sleep(1)
        self.assertEqual(len(arrived), 4)
        gate.set()
        self.assertEqual(process.wait(60), 0)
        self.assertEqual(len(arrived), 7)


class Memory(PullTestCase):
    SECONDS = 180
    SIZE = 256 * MIB
    # All processes of a pull together, what they share counted for each.
    MOST = 64 * MIB

    def family(self, pid):
        try:
            return [pid] + [other for child in children_of(pid) for other in self.family(child)]
        except (FileNotFoundError, ProcessLookupError):
            return [pid]

    def peak(self, pid):
        """The most memory that a process ever had, in bytes, 0 for one that has ended; and what it is called."""
        try:
            with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
                fields = dict(line.split(":", 1) for line in file)
        except (FileNotFoundError, ProcessLookupError):
            return 0, ""
        return int(fields.get("VmHWM", "0 kB").split()[0]) << 10, fields["Name"].strip()

    def test_a_large_image_takes_no_more_than_a_small_one(self):
        piece = os.urandom(64 << 10)
        plain = TarWriter().file("plain", piece * (self.SIZE // len(piece)))
        # A tenth of it is no smaller than it is.
        packed = TarWriter().file("packed", (piece + bytes(9 * len(piece))) * (self.SIZE // (10 * len(piece))))
        layers = [Layer(busybox_tar(), "gzip"), Layer(plain), Layer(packed, "gzip")]
        server = FaultyRegistry(Image(layers, name="team/app:1"))
        self.addCleanup(server.stop)
        process = subprocess.Popen(
            self.host.words(["image", "pull", server.reference]), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, env=self.host.environment())
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        most, seen = 0, {}
        while process.poll() is None:
            now = {pid: self.peak(pid) for pid in self.family(process.pid)}
            most = max(most, sum(size for size, _ in now.values()))
            seen.update({pid: found for pid, found in now.items() if found[0]})
            time.sleep(0.005)
        self.assertEqual(process.returncode, 0, process.stderr.read())
        sizes = sorted(((size >> 20, name) for size, name in seen.values()), reverse=True)
        self.assertGreater(len(seen), 5, sizes)
        self.assertLess(most, self.MOST, sizes)
        print(f"\nat most {most >> 20} MiB at once: {sizes[:12]}")
