"""Engines that hang, lie, are old, new, full or gone: what a real one does not do on demand is a proxy's doing."""

import json
import os
import signal
import subprocess
import threading
import time

from support import DockerTestCase, process
from support.executor import wait_until
from support.proxy import Proxy

FOREVER = "echo up; sleep 1000"
UNTIL_GO = "echo up; while ! test -e go; do sleep 0.05; done; echo done; exit 5"


class ProxyTestCase(DockerTestCase):
    def proxy(self, **options):
        made = Proxy(self.engine, self.host.path(f"proxy-{len(os.listdir(self.host.directory))}.sock"), **options)
        self.addCleanup(made.stop)
        return made

    def through(self, proxy, *processes, start=False, options=(), **fields):
        document = self.docker_document(*processes, **fields)
        return (self.start_task if start else self.run_task)(document, "--docker-socket", proxy.socket, *options)

    def release(self, task):
        with open(os.path.join(task.sandbox, "go"), "w", encoding="utf-8"):
            pass


class Hung(ProxyTestCase):
    STAGES = {
        "ping": ("GET", "/_ping", ""), "image": ("GET", "/images/", "/json"), "create": ("POST", "/containers/create", ""),
        "start": ("POST", "/containers/", "/start"),
    }

    def test_a_task_can_be_stopped_whatever_the_engine_does_not_answer(self):
        for what, stage in self.STAGES.items():
            with self.subTest(what):
                proxy = self.proxy(before=lambda request, stage=stage: "hang" if request.is_(*stage) else None)
                task = self.through(proxy, "true", start=True)
                wait_until(lambda: proxy.seen(*stage), "the engine is asked")
                began = time.monotonic()
                outcome = task.signal(signal.SIGTERM).wait(15)
                # A container may come of a request to create one: that is waited for, and said.
                self.assertLess(time.monotonic() - began, 10 if what == "create" else 2)
                self.assertEqual((outcome.code, outcome.result["state"]), (3, "TASK_KILLED"), outcome)
                self.assertFalse(outcome.has_record("forked"), outcome)
                if what == "create":
                    self.assertIn("has not said whether it made one", outcome.result["notes"][0])
                else:
                    self.assertNotIn("notes", outcome.result)

    def test_a_task_can_be_stopped_while_a_warning_is_looked_into(self):
        def before(request):
            if request.is_("POST", "/containers/create"):
                warned.append(request)
            return "hang" if warned and request.is_("GET", "/info") else None

        def warn(connection, request, forward):
            if not request.is_("POST", "/containers/create"):
                return forward(connection, request)
            answer = _Kept()
            forward(answer, request)
            body = json.loads(answer.received.partition(b"\r\n\r\n")[2])
            return proxy._reply(connection, 201, {**body, "Warnings": ["something was left out"]})
        warned = []
        proxy = self.proxy(before=before)
        forward = proxy._forward
        proxy._forward = lambda connection, request: warn(connection, request, forward)
        task = self.through(proxy, "true", start=True)
        wait_until(lambda: proxy.seen("GET", "/info"), "the engine is asked what it is")
        began = time.monotonic()
        outcome = task.signal(signal.SIGTERM).wait(15)
        self.assertLess(time.monotonic() - began, 2)
        self.assertEqual((outcome.code, outcome.result["state"]), (3, "TASK_KILLED"), outcome)
        self.assertNotIn("notes", outcome.result)

    def test_an_engine_that_never_answers_is_given_up_soon(self):
        proxy = self.proxy(before=lambda request: "hang")
        outcome = self.through(proxy, "true")
        self.assertEqual(outcome.code, 69, outcome)
        self.assertIn("may be hung", outcome.result["message"])

    def test_the_answer_to_a_start_is_not_waited_for_when_the_container_is_up(self):
        def before(request):
            if request.is_("POST", end="/start"):
                subprocess.run(["curl", "--silent", "--unix-socket", self.engine.socket, "--request", "POST",
                                "http://x" + request.path], check=True, stdout=subprocess.DEVNULL)
                return "hang"
            return None
        outcome = self.assert_finished(self.through(self.proxy(before=before), "echo ran"))
        self.assertEqual(outcome.out(), "ran\n")
        self.assertNotIn("notes", outcome.result)

    def test_a_stopped_engine_is_waited_for_only_so_long(self):
        self.own_engine()
        task = self.start_docker(FOREVER, process("last", "echo last", final=True)).wait_log("up")
        self.engine.signal(signal.SIGSTOP)
        try:
            began = time.monotonic()
            outcome = task.signal(signal.SIGTERM).wait(25)
            took = time.monotonic() - began
        finally:
            self.engine.signal(signal.SIGCONT)
        self.assertEqual((outcome.code, outcome.result["state"]), (3, "TASK_KILLED"), outcome)
        self.assertEqual(outcome.out("last"), "last\n")
        self.assertIn("may be left at the Docker engine", outcome.result["notes"][0])
        self.assertLess(took, 20)
        # The request stands in the engine's socket, and is carried out once it goes on.
        wait_until(lambda: not self.engine.containers(), "the engine removes the container after all", 15)
        self.assertEqual(self.aurora("sweep", "--docker-socket", self.engine.socket).code, 0)


    def test_sweep_waits_only_so_long_for_all_containers_together(self):
        kept = [self.assert_finished(self.run_docker("true", options=("--keep",))) for _ in range(4)]
        proxy = self.proxy(before=lambda request: "hang" if request.method == "DELETE" else None)
        began = time.monotonic()
        done = self.aurora("sweep", "--docker-socket", proxy.socket)
        self.assertEqual(done.code, 79, done)
        self.assertLess(time.monotonic() - began, 25)
        self.assertIn("did not answer for others, and was not asked", done.err)
        self.assertEqual(len(proxy.seen("DELETE")), 3)
        self.assertEqual(self.aurora("sweep", "--docker-socket", self.engine.socket).code, 0)
        self.assertEqual((len(kept), self.engine.containers()), (4, []))


class Pulls(ProxyTestCase):
    """An engine that is asked to pull, and what it is given and says."""

    def pulling(self, image, answer, *options):
        """Runs a task of an image that the engine lacks; its answer to the pull is one piece of bytes."""
        proxy = self.proxy()
        forward = proxy._forward

        def answering(connection, request):
            if request.is_("POST", "/images/create"):
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
                                   b"Content-Length: %d\r\n\r\n" % len(answer) + answer)
            else:
                forward(connection, request)
        proxy._forward = answering
        return proxy, self.through(proxy, "true", image=image, options=options)

    def test_an_error_that_comes_with_what_was_before_it_is_said(self):
        lines = ({"status": "Pulling", "id": "a"}, {"status": "Downloading", "id": "a"}, {"error": "no space, says the engine"})
        answer = b"".join(json.dumps(line).encode() + b"\r\n" for line in lines)
        _, outcome = self.pulling("example.com/none:1", answer)
        self.assert_failed(outcome, "cannot pull the image example.com/none:1", "no space, says the engine")

    def test_credentials_go_to_the_registry_that_they_are_for(self):
        answer = json.dumps({"error": "no such image"}).encode() + b"\r\n"
        auths = {"https://index.docker.io/v1/": {"auth": "aHViOnMzY3IzdA=="}}
        config = self.host.write("hub.json", json.dumps({"auths": auths}))
        for image, is_hub in (("team/none:1", True), ("docker.io/none:1", True), ("EVIL/none:1", False),
                              ("LOCALHOST/none:1", False), ("localhost/none:1", False), ("Hub.docker.io/none:1", False)):
            with self.subTest(image=image):
                proxy, outcome = self.pulling(image, answer, "--docker-config", config)
                self.assert_failed(outcome, "no such image")
                sent = [line for request in proxy.seen("POST", "/images/create") for line in request.lines
                        if line.lower().startswith(b"x-registry-auth:")]
                self.assertEqual(len(sent), 1 if is_hub else 0)


class SlowCreation(ProxyTestCase):
    """The engine is asked for a container, and makes it when nobody waits for it any more."""

    def slow(self, seconds=1.5, first=None):
        """The first request takes so long. With `first` it is the first whose name begins so, and its answer is lost."""
        self.arrived = threading.Event()
        self.made = threading.Event()

        def before(request):
            if request.is_("POST", "/containers/create") and not self.arrived.is_set():
                if first is None or ("name=" + first) in request.target:
                    self.arrived.set()
                    time.sleep(seconds)
                    if first is not None:
                        proxy._forward(_Nowhere(), request)
                        self.made.set()
                        return "close"
            return None
        proxy = self.proxy(before=before)
        return proxy

    def test_a_task_that_is_stopped_meanwhile_leaves_nothing(self):
        task = self.through(self.slow(), "true", start=True)
        self.assertTrue(self.arrived.wait(10))
        outcome = task.signal(signal.SIGTERM).wait(10)
        self.assertEqual((outcome.code, outcome.result["state"]), (3, "TASK_KILLED"), outcome)
        self.assertNotIn("notes", outcome.result)
        self.assertEqual(self.engine.containers(), [])

    def test_one_that_comes_later_is_noted_and_swept(self):
        # A probe: it has nothing of the task's mounted, without which a container cannot be made any more.
        task = self.through(self.slow(9, "aurora.probe-"), "true", start=True, parameters=("read-only=true",))
        self.assertTrue(self.arrived.wait(10))
        outcome = task.signal(signal.SIGTERM).wait(12)
        self.assertEqual((outcome.code, outcome.result["state"]), (3, "TASK_KILLED"), outcome)
        self.assertIn("sweep", outcome.result["notes"][0])
        self.assertTrue(self.made.wait(10))
        wait_until(self.engine.containers, "the container is there after all")
        self.assertEqual(self.aurora("sweep", "--docker-socket", self.engine.socket).code, 0)
        self.assertEqual(self.engine.containers(), [])

    def test_recovery_takes_the_tasks_own_container_for_its_own(self):
        proxy = self.slow(0, "aurora-")
        looked = []

        def before(request, slow=proxy.before):
            # Recovery looks before the container has come: it meets it as the holder of the name.
            if request.is_("GET", "/containers/json") and not looked:
                looked.append(request)
                return 200, []
            return slow(request)
        proxy.before = before
        task = self.through(proxy, "echo ran", start=True)
        self.assertTrue(self.made.wait(10))
        task.kill()
        looked.clear()
        outcome = self.assert_finished(self.host.recover(task.id))
        self.assertEqual((outcome.out(), len(looked)), ("ran\n", 1))
        self.assertGreaterEqual(len(proxy.seen("POST", "/containers/create")), 2)
        self.assertEqual(self.engine.containers(), [])

    def test_a_name_that_is_not_a_containers_yet_is_waited_for(self):
        asked = []

        def before(request):
            if request.is_("POST", "/containers/create"):
                asked.append(request)
                if len(asked) < 3:
                    return 409, {"message": "Conflict. The container name is already in use"}
            return None
        outcome = self.assert_finished(self.through(self.proxy(before=before), "echo ran"))
        self.assertEqual((outcome.out(), len(asked)), ("ran\n", 3))

    def test_a_probe_that_comes_late_does_not_stay(self):
        task = self.through(
            self.slow(1, "aurora.probe-"), "echo up; while ! test -e go; do sleep 0.05; done", start=True,
            parameters=("read-only=true",))
        self.assertTrue(self.arrived.wait(10))
        task.kill()
        again = self.host.start("recover", task.id, task_id=task.id)
        self.assertTrue(self.made.wait(10))
        again.wait_log("up")
        self.release(again)
        outcome = self.assert_finished(again.wait())
        self.assertNotIn("notes", outcome.result)
        self.assertEqual(self.engine.containers(), [])


class Lost(ProxyTestCase):
    def test_a_create_whose_answer_is_lost_leaves_nothing(self):
        def before(request):
            if request.is_("POST", "/containers/create"):
                self.proxied._forward(_Nowhere(), request)
                return "close"
            return None
        self.proxied = self.proxy(before=before)
        outcome = self.through(self.proxied, "echo ran")
        self.assertEqual(outcome.code, 69, outcome)
        self.assertIn("the engine closed the connection", outcome.result["message"])
        self.assertEqual(self.engine.containers(), [])

    def test_other_things_that_are_not_found_are_no_image(self):
        image = self.with_engine_image()
        outcome = self.run_docker("true", image=image, parameters=("platform=linux/arm64",))
        self.assert_failed(outcome, "platform")
        self.assertNotIn("meanwhile", outcome.said)
        self.assertIn("for another platform", outcome.said)
        outcome = self.run_docker("true", image=image, parameters=("volumes-from=nosuch",))
        self.assert_failed(outcome, "nosuch")
        self.assertNotIn("meanwhile", outcome.said)

    def test_an_engine_that_is_away_while_it_removes_is_asked_again(self):
        lost = []

        def before(request):
            if request.method == "DELETE" and len(lost) < 2:
                lost.append(request)
                return "close"
            return None
        outcome = self.assert_finished(self.through(self.proxy(before=before), "true"))
        self.assertEqual(len(lost), 2)
        self.assertNotIn("notes", outcome.result)

    def test_an_image_that_goes_before_the_container_is_made_fails_the_task(self):
        def before(request):
            if request.is_("POST", "/containers/create"):
                return 404, {"message": "No such image: sha256:0"}
            return None
        outcome = self.through(self.proxy(before=before), "true")
        self.assert_failed(outcome, "404", "No such image", "may have been removed meanwhile")

    def test_an_image_that_goes_while_the_task_runs_changes_nothing(self):
        image = self.with_engine_image(name="gone:test")
        task = self.start_docker(UNTIL_GO, image=image).wait_log("up")
        identity = self.engine.docker("image", "inspect", "--format", "{{.Id}}", image).strip()
        self.engine.docker("rmi", "--force", image)
        self.engine.images.pop(image)
        self.release(task)
        outcome = self.assert_failed(task.wait(), "exit status 5")
        self.assertEqual(outcome.result["image"]["id"], identity)

    def test_a_killed_shim_takes_its_container_with_it(self):
        task = self.start_docker(FOREVER).wait_log("up")
        with open(f"/proc/{task.launched()['pid']}/status", encoding="ascii") as file:
            parent = next(int(line.split()[1]) for line in file if line.startswith("PPid:"))
        os.kill(parent, signal.SIGKILL)
        outcome = task.wait()
        self.assertEqual((outcome.code, outcome.result["state"]), (4, "TASK_LOST"), outcome)
        self.assertIn("the engine says", outcome.result["message"], outcome)

    def test_a_digest_is_what_runs_or_nothing_does(self):
        wrong = "sha256:" + "0" * 64
        outcome = self.run_docker("true", image="busybox@" + wrong, parameters=("pull=never",))
        self.assert_failed(outcome, "has no image busybox@" + wrong)
        # An engine that answers with something else.
        image = json.loads(self.engine.docker("image", "inspect", self.with_engine_image()))[0]
        proxy = self.proxy(before=lambda request: (200, image) if request.is_("GET", "/images/") else None)
        outcome = self.through(proxy, "true", image="busybox@" + wrong)
        self.assert_failed(outcome, "another image", image["Id"])
        self.assertFalse(outcome.has_record("forked"), outcome)


class _Nowhere:
    """A connection that takes everything and gives it to nobody."""

    def sendall(self, data):
        pass


class _Kept:
    """A connection that keeps what it is sent."""

    def __init__(self):
        self.received = b""

    def sendall(self, data):
        self.received += data


class Versions(ProxyTestCase):
    def test_an_engine_of_the_oldest_version_is_spoken_to_in_it(self):
        proxy = self.proxy(version="1.40", oldest="1.12")
        self.assertEqual(self.assert_finished(self.through(proxy, "echo ran")).out(), "ran\n")
        self.assertEqual({request.version for request in proxy.requests} - {None}, {"1.40"})

    def test_engines_that_are_newer_than_this_executor_are_spoken_to_in_its_own(self):
        for version in ("1.52", "1.55"):
            with self.subTest(version):
                proxy = self.proxy(version=version, oldest="1.44", answer=self.modern)
                outcome = self.assert_finished(self.through(proxy, "echo ran"))
                self.assertEqual(outcome.out(), "ran\n")
                spoken = {request.version for request in proxy.requests} - {None}
                self.assertEqual(len(spoken), 1)
                self.assertGreaterEqual(int(spoken.pop().split(".")[1]), 44)

    @staticmethod
    def modern(request, value):
        """What newer engines leave out, and add."""
        if request.path.startswith("/images/"):
            for name in ("Container", "ContainerConfig", "DockerVersion", "GraphDriver", "Parent", "VirtualSize", "Comment"):
                value.pop(name, None)
            value["Config"] = {name: field for name, field in value["Config"].items() if field}
            value["Descriptor"] = {"mediaType": "application/vnd.oci.image.index.v1+json", "digest": value["Id"], "size": 1}
            value["Identity"] = {"Build": []}
        if request.path.startswith("/containers/") and isinstance(value, dict):
            value["NetworkSettings"] = {"Ports": {}, "Networks": value["NetworkSettings"]["Networks"]}
            value["ImageManifestDescriptor"] = {"digest": value["Image"]}
            value.pop("GraphDriver", None)
            value["Storage"] = {"RootFS": {"Snapshot": {"Name": "overlayfs"}}}
        return value

    def test_where_there_is_no_version_in_common_both_ranges_are_said(self):
        for version, oldest, words in (("1.39", "1.12", ("1.39 at most", "1.40 to")), ("2.4", "2.0", ("2.0 at least", "1.40 to"))):
            with self.subTest(version):
                outcome = self.through(self.proxy(version=version, oldest=oldest), "true")
                self.assertEqual(outcome.code, 69, outcome)
                for word in words:
                    self.assertIn(word, outcome.result["message"])


class Full(DockerTestCase):
    def test_a_disk_that_is_full_is_the_engines_own_words(self):
        self.own_engine(size="24m")
        image = self.with_engine_image()
        filler = os.path.join(f"/proc/{self.engine.process.pid}/root", self.engine.directory[1:], "data", "filler")
        with open(filler, "wb") as file:
            try:
                while True:
                    file.write(bytes(65536))
                    file.flush()
            except OSError:
                pass
        outcome = self.run_docker("true", image=image)
        self.assert_failed(outcome, "no space left on device")
        self.assertFalse(outcome.has_record("forked"), outcome)
        os.unlink(filler)


class Kept(DockerTestCase):
    def test_a_container_is_kept_as_it_ended_until_it_is_swept(self):
        outcome = self.run_docker("echo x >/written; exit 5", role="root", options=("--keep",))
        self.assert_failed(outcome, "exit status 5")
        identity = outcome.result["container_id"]
        self.assertIn("kept", outcome.result["notes"][0])
        self.assertEqual(self.engine.containers(), [identity])
        about = json.loads(self.engine.docker("inspect", identity))[0]
        self.assertEqual((about["State"]["Running"], about["State"]["Status"]), (False, "exited"))
        self.assertIn("A /written\n", self.engine.docker("diff", identity))
        # What was mounted into it is needed for a copy out of it.
        copied = self.host.path("copied")
        self.engine.docker("cp", identity + ":/written", copied)
        with open(copied, encoding="utf-8") as file:
            self.assertEqual(file.read(), "x\n")
        # It has no life of its own any more.
        self.assertIsNone(self.engine.try_docker("start", identity))
        done = self.aurora("sweep", "--docker-socket", self.engine.socket)
        self.assertEqual(done.code, 0, done)
        self.assertEqual(self.engine.containers(), [])

    def test_one_with_account_files_of_ours_can_be_copied_from_too(self):
        outcome = self.assert_finished(
            self.run_docker("true", parameters=("read-only=true",), options=("--keep",)))
        copied = self.host.path("copied")
        self.engine.docker("cp", outcome.result["container_id"] + ":/bin/busybox", copied)
        self.assertGreater(os.path.getsize(copied), 1000)
        self.assertEqual(os.listdir(os.path.join(self.host.run_directory, outcome.id, "handover")), [])
        self.assertEqual(self.aurora("sweep", "--docker-socket", self.engine.socket).code, 0)
        self.assertFalse(os.path.exists(os.path.join(self.host.run_directory, outcome.id)))

    def test_a_container_that_never_came_up_is_kept_too(self):
        outcome = self.run_docker("true", parameters=("network=container:nosuch",), options=("--keep",))
        self.assert_failed(outcome, "nosuch")
        for container in self.engine.containers():
            self.assertEqual(self.engine.docker("inspect", "--format", "{{.State.Running}}", container), "false\n")
        self.assertEqual(self.aurora("sweep", "--docker-socket", self.engine.socket).code, 0)

    def test_a_recovered_task_keeps_its_container_as_it_was_told(self):
        task = self.start_docker(FOREVER, options=("--keep",)).wait_log("up").kill()
        self.engine.docker("kill", self.engine.containers()[0])
        outcome = self.host.recover(task.id)
        self.assertEqual(outcome.result["state"], "TASK_LOST", outcome)
        self.assertEqual(self.engine.containers(), [outcome.result["container_id"]])
        self.assertEqual(self.aurora("sweep", "--docker-socket", self.engine.socket).code, 0)

    def test_a_native_task_keeps_what_it_wrote_over_its_image(self):
        from support import document
        outcome = self.run_task(document("echo x >/written", image=self.with_busybox()), "--keep", role="root")
        self.assert_finished(outcome)
        kept = os.path.join(outcome.directory, "rootfs", "upper", "written")
        self.assertTrue(os.path.exists(kept), outcome)
        self.assertIn("kept in", outcome.result["notes"][0])
        self.assertEqual(self.aurora("sweep").code, 0)
        self.assertFalse(os.path.exists(kept))

    def test_keeping_and_leaving_nothing_contradict_each_other(self):
        for option in ("--rm", "--assert-clean"):
            outcome = self.run_docker("true", options=("--keep", option))
            self.assertEqual(outcome.code, 64, outcome)


class BothEnd(ProxyTestCase):
    """The executor and the engine are killed, and come back in either order."""

    def setUp(self):
        super().setUp()
        self.own_engine("--live-restore")

    def test_the_executor_comes_back_first(self):
        task = self.start_docker(UNTIL_GO).wait_log("up").kill()
        self.engine.signal(signal.SIGKILL).wait()
        again = self.host.start("recover", task.id, task_id=task.id)
        again.wait_for("recovered")
        self.engine.start()
        self.release(task)
        outcome = self.assert_failed(again.wait(), "exit status 5")
        self.assertNotIn("notes", outcome.result)
        self.assertEqual(self.engine.containers(), [])

    def test_the_engine_comes_back_first(self):
        task = self.start_docker(UNTIL_GO).wait_log("up").kill()
        self.engine.signal(signal.SIGKILL).wait().start()
        self.release(task)
        outcome = self.assert_failed(self.host.recover(task.id), "exit status 5")
        self.assertNotIn("notes", outcome.result)
        self.assertEqual(self.engine.containers(), [])


class AskedToStopWithoutAnExecutor(DockerTestCase):
    def test_docker_stop_is_heeded_by_the_executor_that_takes_over(self):
        task = self.start_docker(FOREVER, process("last", "echo last", final=True)).wait_log("up").kill()
        [container], began = self.engine.containers(), int(time.time())
        stopping = subprocess.Popen(
            ["docker", "--host", "unix://" + self.engine.socket, "stop", "--time", "20", container], stdout=subprocess.DEVNULL)
        wait_until(lambda: self.engine.docker(
            "events", "--since", str(began), "--until", f"{time.time():.9f}", "--filter", "event=kill"), "the engine's signal")
        outcome = self.host.recover(task.id)
        stopping.wait(10)
        self.assertEqual((outcome.code, outcome.result["state"]), (3, "TASK_KILLED"), outcome)
        self.assertEqual(outcome.out("last"), "last\n")
