"""Pulls by the engine from a real registry that wants to know who asks."""

import atexit
import base64
import json
import os
import pty
import subprocess

from support import DockerTestCase, busybox_image
from support.registry import PASSWORD, USER, Registry

_registry = None


def registry():
    """One for all tests of this file."""
    global _registry
    if _registry is None:
        _registry = Registry()
        atexit.register(_registry.stop)
    return _registry


class PullTestCase(DockerTestCase):
    def setUp(self):
        self.registry = registry()
        super().setUp()
        self.image, self.digest = self.push("1")
        self.addCleanup(self.forget)

    def push(self, version):
        """An image that differs from every other in a layer, so that the engine has something to pull."""
        noise = os.urandom(1 << 20).hex()
        image = busybox_image(
            name="pushed:1", config={"Env": ["PATH=/bin", "A=" + version]}, extra=lambda tar: tar.file("noise", noise))
        return self.registry.push(image, "team/app:1")

    def forget(self):
        # By name: another image of these tests may have the same content, and so the same id.
        for form in ("{{.Repository}}:{{.Tag}}", "{{.Repository}}@{{.Digest}}"):
            for name in self.engine.docker(
                    "image", "ls", "--digests", "--format", form, self.registry.address + "/team/app").split():
                if "<none>" not in name:
                    self.engine.try_docker("rmi", name)

    def config(self, name="config.json", password=PASSWORD, **fields):
        """A file as `docker login` writes it."""
        secret = base64.b64encode(f"{USER}:{password}".encode()).decode()
        return self.host.write(name, fields or {"auths": {self.registry.address: {"auth": secret}}})

    def helper(self, script):
        """A directory for PATH with a credential helper."""
        path = self.host.write("bin/docker-credential-test", "#!/bin/sh\n" + script)
        os.chmod(path, 0o755)
        return os.path.dirname(path)

    def pull(self, *options, image=None, env=None):
        made = self.docker_document("echo ran", image=image or self.image)
        return self.run_task(made, "--docker-socket", self.engine.socket, *options, env=env)

    def assert_pulled(self, outcome):
        self.assert_finished(outcome)
        self.assertEqual(outcome.out(), "ran\n")
        self.assertEqual(outcome.result["image"]["digest"], self.digest)
        identity = self.engine.docker("image", "inspect", "--format", "{{.Id}}", self.image).strip()
        self.assertEqual(outcome.result["image"]["id"], identity)
        for word in (PASSWORD, base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()):
            self.assertNotIn(word, outcome.said)
        return outcome


class Credentials(PullTestCase):
    def test_a_file_that_is_named_has_them(self):
        outcome = self.assert_pulled(self.pull("--docker-config", self.config()))
        # Plain lines, each once, without counting.
        self.assertIn(f"pulling {self.image}\n", outcome.said)
        self.assertIn("Pull complete\n", outcome.said)
        self.assertNotIn("\r", outcome.said)

    def test_the_usual_places_have_them(self):
        self.config("elsewhere/config.json")
        self.assert_pulled(self.pull(env={"DOCKER_CONFIG": self.host.path("elsewhere")}))
        self.forget()
        self.config("home/.docker/config.json")
        self.assert_pulled(self.pull(env={"HOME": self.host.path("home")}))

    def test_a_helper_has_them(self):
        answer = json.dumps({"ServerURL": self.registry.address, "Username": USER, "Secret": PASSWORD})
        directory = self.helper(f"read server; [ \"$1 $server\" = 'get {self.registry.address}' ] || exit 1\necho '{answer}'\n")
        path = {"PATH": directory + ":/usr/bin:/bin"}
        for fields in ({"credHelpers": {self.registry.address: "test"}}, {"credsStore": "test"}):
            with self.subTest(fields):
                self.assert_pulled(self.pull("--docker-config", self.config(**fields), env=path))
                self.forget()

    def test_a_helper_that_fails_is_said_without_what_it_said(self):
        directory = self.helper("echo hunter2; echo hunter2 >&2; exit 3\n")
        outcome = self.pull("--docker-config", self.config(credsStore="test"), env={"PATH": directory + ":/usr/bin:/bin"})
        self.assert_failed(outcome, "docker-credential-test", "status 3")
        self.assertNotIn("hunter2", outcome.said)

    def test_wrong_or_no_credentials_are_the_registrys_own_words(self):
        for options in (("--docker-config", self.config(password="wrong")), ()):
            with self.subTest(options):
                outcome = self.assert_failed(self.pull(*options), "cannot pull the image", self.image, "docker login")
                self.assertRegex(outcome.result["message"], "unauthorized|no basic auth credentials|authentication required")


class Digests(PullTestCase):
    def test_a_reference_by_digest_runs_that_digest(self):
        name = self.image.rsplit(":", 1)[0]
        # The tag has moved on.
        _, other = self.push("2")
        self.assertNotEqual(other, self.digest)
        outcome = self.assert_finished(self.pull("--docker-config", self.config(), image=f"{name}@{self.digest}"))
        self.assertEqual(outcome.result["image"]["digest"], self.digest)
        self.assertEqual(outcome.result["image"]["reference"], f"{name}@{self.digest}")
        self.forget()
        outcome = self.pull("--docker-config", self.config(), image=f"{name}@sha256:{'0' * 64}")
        self.assert_failed(outcome, "cannot pull the image", "0000")

    def test_a_tag_that_has_moved_is_pulled_when_the_task_says_so(self):
        options = ("--docker-config", self.config())
        self.assert_pulled(self.pull(*options))
        _, other = self.push("2")
        self.assertEqual(self.assert_finished(self.pull(*options)).result["image"]["digest"], self.digest)
        made = self.docker_document("echo $A", image=self.image, docker={"force_pull_image": True})
        outcome = self.assert_finished(self.run_task(made, "--docker-socket", self.engine.socket, *options))
        self.assertEqual((outcome.out(), outcome.result["image"]["digest"]), ("2\n", other))


class Progress(PullTestCase):
    def test_a_terminal_sees_bytes_counted_on_one_line(self):
        path = self.host.write("task.json", self.docker_document("echo ran", image=self.image))
        words = self.host.words(["run", "--task", path, "--task-id", self.host.task_id(), "--role", "www-data",
                                 "--docker-socket", self.engine.socket, "--docker-config", self.config()])
        main, terminal = pty.openpty()
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=terminal,
                                   env=self.host.environment({"TERM": "xterm"}))
        os.close(terminal)
        seen = b""
        try:
            while piece := os.read(main, 65536):
                seen += piece
        except OSError:
            pass
        os.close(main)
        self.assertEqual(process.wait(), 0, seen)
        self.assertIn(b"pulling " + self.image.encode(), seen)
        # A line that is written over, and wiped at the end.
        self.assertRegex(seen, rb"\r\x1b\[K[^\r\n]*/ [0-9.]+ [kM]i?B")
        self.assertIn(b"TASK_FINISHED", seen)
