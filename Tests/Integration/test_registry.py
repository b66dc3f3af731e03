"""Images of registries, pulled into our own store: from a real registry, and from one that answers as none should."""

import atexit
import base64
import json
import os
import signal
import subprocess
import threading
import time

from support import ExecutorTestCase, Image, Layer, TarWriter, busybox_image, document, job, need_command
from support.executor import wait_until
from support.faulty_registry import INDEX, OCI, FaultyRegistry, digest_of
from support.images import busybox_tar
from support.registry import PASSWORD, USER, Registry

_started = {}


def registry(kind, make):
    """One of each kind for all tests of this file."""
    if kind not in _started:
        _started[kind] = make()
        atexit.register(_started[kind].stop)
    return _started[kind]


def certificate(directory):
    """A certificate for loopback, of an authority of its own; returns the authority's, and certificate and key."""
    need_command("openssl")
    def run(*words):
        subprocess.run(["openssl", *words], check=True, cwd=directory, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    run("req", "-x509", *curve, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=tests", "-days", "2")
    run("req", *curve, "-keyout", "own.key", "-out", "own.csr", "-subj", "/CN=127.0.0.1")
    with open(os.path.join(directory, "names"), "w", encoding="ascii") as file:
        file.write("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
    run("x509", "-req", "-in", "own.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-out", "own.pem", "-days", "2",
        "-extfile", "names")
    return tuple(os.path.join(directory, name) for name in ("ca.pem", "own.pem", "own.key"))


class PullTestCase(ExecutorTestCase):
    def pull(self, reference, *options, **rest):
        return self.aurora("image", "pull", reference, *options, **rest)

    def assert_pulled(self, done):
        self.assertEqual(done.code, 0, done)
        self.assertEqual(os.listdir(self.host.work + "/images/pulls"), [])
        self.assertEqual(os.listdir(self.host.work + "/images/staging"), [])
        return done

    def assert_refused(self, done, code, *words):
        self.assertEqual(done.code, code, done)
        for word in words:
            self.assertIn(word, done.err, done)
        images = self.aurora("image", "ls", "-q")
        self.assertEqual(images.out, "", images)
        self.assertFalse(os.listdir(self.host.work + "/images/layers"))
        return done

    def config(self, address, name="config.json", password=PASSWORD):
        secret = base64.b64encode(f"{USER}:{password}".encode()).decode()
        return self.host.write(name, {"auths": {address: {"auth": secret}}})


def noisy_image(layers=3, size=1 << 20, name="team/app:1"):
    """An image that no other is like, and whose layers cannot be made smaller."""
    return Image(
        [Layer(busybox_tar(), "gzip")]
        + [Layer(TarWriter().file(f"noise{number}", os.urandom(size)), "gzip") for number in range(layers)], name=name)


class RealRegistry(PullTestCase):
    def setUp(self):
        self.registry = registry("open", lambda: Registry(users=False))
        super().setUp()

    def test_a_pulled_image_runs_and_is_not_fetched_twice(self):
        reference, digest = self.registry.push(busybox_image(config={"Env": ["PATH=/bin", "SET=by image"]}), "team/run:1")
        done = self.assert_pulled(self.pull(reference))
        self.assertIn(f"{reference}  ", done.out)
        outcome = self.assert_finished(self.run_task(document("echo $SET", image=reference)))
        self.assertEqual(outcome.out(), "by image\n")
        self.assertEqual(outcome.result["image"]["digest"], digest)
        self.assertIn("the store has it", self.assert_pulled(self.pull(reference)).err)
        self.assertEqual(self.pull(reference, "-q").err, "")

    def test_layers_that_are_here_are_not_fetched(self):
        base = Layer(busybox_tar(), "gzip")
        names = []
        for name in ("one", "two"):
            names.append(self.registry.push(
                Image([base, Layer(TarWriter().file(name, name))], name=f"team/{name}:1"), f"team/{name}:1")[0])
        self.assert_pulled(self.pull(names[0]))
        self.assertIn("1 of 2 layers to fetch", self.assert_pulled(self.pull(names[1])).err)
        self.assertEqual(self.assert_finished(self.run_task(document("cat /two; [ ! -e /one ]", image=names[1]))).out(), "two")

    def test_a_digest_is_what_is_pulled(self):
        reference, digest = self.registry.push(busybox_image(config={"Env": ["A=1"]}), "team/pinned:1")
        self.registry.push(busybox_image(config={"Env": ["A=2"]}), "team/pinned:1")
        pinned = reference.rsplit(":", 1)[0] + "@" + digest
        self.assert_pulled(self.pull(pinned))
        found = json.loads(self.aurora("image", "inspect", pinned).out)
        self.assertEqual((found["digest"], found["environment"]), (digest, ["A=1"]))
        self.assertEqual(self.pull(reference.rsplit(":", 1)[0] + "@sha256:" + "0" * 64).code, 66)

    def test_what_is_not_there_is_said(self):
        self.assert_refused(self.pull(f"{self.registry.address}/team/none:9"), 66, "team/none: manifest 9", "MANIFEST_UNKNOWN")

    def test_images_of_other_platforms_are_chosen_by_the_option(self):
        name = f"{self.registry.address}/team/many"
        layout = busybox_image(name="x").oci_layout(self.host.path("layout"))
        # The registry takes what is pushed; the index is made here.
        subprocess.run(
            ["skopeo", "--insecure-policy", "copy", "-q", "--dest-tls-verify=false", f"oci:{layout}:x", f"docker://{name}:1"], check=True)
        self.assertEqual(self.pull(name + ":1", "--platform", "linux/arm64").code, 1)
        self.assertIn("for linux/amd64, not for linux/arm64", self.pull(name + ":1", "--platform", "aarch64").err)
        self.assert_pulled(self.pull(name + ":1", "--platform", "x86_64"))


class Credentials(PullTestCase):
    def setUp(self):
        self.registry = registry("users", Registry)
        super().setUp()
        self.reference, self.digest = self.registry.push(busybox_image(), "team/private:1")

    def pull(self, reference, *options, plain=True, **rest):
        # Who has credentials has to say that they may be shown in plain.
        return super().pull(reference, *options, *(("--plain-http", self.registry.address) if plain else ()), **rest)

    def test_credentials_are_not_shown_in_plain_unasked(self):
        config = self.config(self.registry.address)
        self.assert_refused(
            self.pull(self.reference, "--docker-config", config, plain=False), 1, "does not speak TLS",
            "credentials are not shown", f"--plain-http {self.registry.address}")

    def test_a_configuration_that_is_no_file_is_not_waited_for(self):
        fifo = self.host.path("fifo.json")
        os.mkfifo(fifo)
        done = self.assert_refused(self.pull(self.reference, "--docker-config", fifo), 78, "fifo.json", "EINVAL")
        self.assertNotIn("EAGAIN", done.err)
        link = self.host.path("link.json")
        os.symlink(self.config(self.registry.address), link)
        self.assert_pulled(self.pull(self.reference, "--docker-config", link))

    def test_a_user_with_a_password(self):
        config = self.config(self.registry.address, "docker/config.json")
        for options, env in (
                (("--docker-config", config), {}), (("--docker-config", os.path.dirname(config)), {}),
                ((), {"DOCKER_CONFIG": os.path.dirname(config)}), ((), {"REGISTRY_AUTH_FILE": config})):
            with self.subTest(options=options, env=env):
                self.assert_pulled(self.pull(self.reference, *options, env=env))
                self.assertEqual(self.aurora("image", "rm", self.reference).code, 0)

    def test_a_wrong_one_or_none_is_refused_without_being_shown(self):
        wrong = "wr0ng-w0rd"
        for options in ((), ("--docker-config", self.config(self.registry.address, password=wrong))):
            with self.subTest(options=options):
                done = self.assert_refused(self.pull(self.reference, *options), 1, "wants to know who asks", "docker login")
                self.assertNotIn(wrong, str(done))
                self.assertNotIn(base64.b64encode(f"{USER}:{wrong}".encode()).decode(), str(done))

    def test_a_helper_has_it(self):
        answer = json.dumps({"ServerURL": self.registry.address, "Username": USER, "Secret": PASSWORD})
        helper = self.host.write("bin/docker-credential-test", f"#!/bin/sh\necho '{answer}'\n")
        os.chmod(helper, 0o755)
        config = self.host.write("helped.json", {"credHelpers": {self.registry.address: "test"}})
        path = {"PATH": os.path.dirname(helper) + ":/usr/bin:/bin"}
        self.assert_pulled(self.pull(self.reference, "--docker-config", config, env=path))


class Certificates(PullTestCase):
    def test_an_authority_that_is_named_is_believed_and_no_other(self):
        authority, own, key = certificate(self.host.directory)
        server = FaultyRegistry(busybox_image(), tls=(own, key))
        self.addCleanup(server.stop)
        self.assert_refused(self.pull(server.reference), 69, "certificate", "--ca-file")
        self.assert_pulled(self.pull(server.reference, "--ca-file", authority))
        # Only root can read it, and curl is nobody's.
        os.chmod(authority, 0o600)
        self.aurora("image", "rm", server.reference)
        self.assert_pulled(self.pull(server.reference, "--ca-file", authority))
        os.symlink(authority, self.host.path("link.pem"))
        self.aurora("image", "rm", server.reference)
        self.assert_pulled(self.pull(server.reference, "--ca-file", self.host.path("link.pem")))
        # Who names authorities means TLS, whoever listens.
        plain = FaultyRegistry(busybox_image())
        self.addCleanup(plain.stop)
        self.assertEqual(self.pull(plain.reference, "--ca-file", authority).code, 69)
        self.assertEqual(self.pull(server.reference, "--ca-file", self.host.path("none.pem")).code, 78)

    def test_a_registry_with_tls_and_users(self):
        authority, own, key = certificate(self.host.directory)
        server = Registry(tls=(own, key))
        self.addCleanup(server.stop)
        reference, _ = server.push(busybox_image(), "team/secret:1")
        config = self.config(server.address)
        self.assert_refused(self.pull(reference, "--ca-file", authority), 1, "wants to know who asks")
        self.assert_refused(self.pull(reference, "--docker-config", config), 69, "certificate")
        self.assert_pulled(self.pull(reference, "--ca-file", authority, "--docker-config", config))

    def test_a_mirror_with_tls(self):
        authority, own, key = certificate(self.host.directory)
        server = FaultyRegistry(busybox_image(), name="library/busybox", tls=(own, key))
        self.addCleanup(server.stop)
        self.assert_pulled(self.pull("busybox:1", "--ca-file", authority, "--docker-registry", f"https://{server.address}"))
        self.assertIn("busybox:1", self.aurora("image", "ls").out)


class Tokens(PullTestCase):
    def setUp(self):
        super().setUp()
        self.server = FaultyRegistry(noisy_image())
        self.addCleanup(self.server.stop)
        self.realm = f"http://{self.server.address}/token"
        self.issued = 0
        self.lifetime = 300
        self.server.answer = self.answer

    def pull(self, reference, *options, **rest):
        return super().pull(reference, *options, "--plain-http", self.server.address, **rest)

    def answer(self, handler):
        if handler.path.startswith("/token"):
            self.issued += 1
            handler.reply(200, json.dumps({"token": f"t{self.issued}", "expires_in": self.lifetime}).encode())
            return True
        if handler.headers.get("Authorization") != f"Bearer t{max(self.issued, 1)}":
            handler.reply(401, b"{}", [(
                "WWW-Authenticate", f'Bearer realm="{self.realm}",service="it",scope="repository:team/app:pull"')])
            return True
        return False

    def test_an_anonymous_token_is_fetched_once(self):
        self.assert_pulled(self.pull(self.server.reference))
        self.assertEqual(self.issued, 1)
        self.assertEqual([path for path, _ in self.server.asked("token")], ["/token?service=it&scope=repository%3Ateam%2Fapp%3Apull"])

    def test_a_token_that_ends_is_replaced(self):
        # Before it ends, as far as its server says when that is…
        self.lifetime = 11
        self.assert_pulled(self.pull(self.server.reference))
        self.aurora("image", "rm", self.server.reference)
        # …and when the registry says that it has, in the middle of a pull.
        self.lifetime = 300
        self.issued, refused = 0, []

        def once_more(handler):
            if "/blobs/" in handler.path and not refused:
                refused.append(handler.path)
                self.issued += 1
            return self.answer(handler)
        self.server.answer = once_more
        self.assert_pulled(self.pull(self.server.reference))
        self.assertGreaterEqual(self.issued, 3)

    def test_a_password_is_shown_to_the_registrys_own_token_server(self):
        self.assert_pulled(self.pull(self.server.reference, "--docker-config", self.config(self.server.address)))
        secret = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        self.assertEqual([fields.get("Authorization") for _, fields in self.server.asked("token")], [f"Basic {secret}"])
        self.assertFalse([path for path, fields in self.server.asked("/v2/") if secret in str(fields)])

    def test_and_to_another_only_when_the_configuration_names_it(self):
        other = FaultyRegistry()
        self.addCleanup(other.stop)
        other.answer = self.answer
        self.realm = f"http://{other.address}/token"
        self.assert_pulled(self.pull(self.server.reference, "--docker-config", self.config(self.server.address)))
        self.assertEqual([fields.get("Authorization") for _, fields in other.asked("token")], [None])
        self.aurora("image", "rm", self.server.reference)
        secret = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        config = self.host.write("both.json", {"auths": {self.server.address: {"auth": secret}, other.address: {}}})
        self.assert_pulled(self.pull(self.server.reference, "--docker-config", config))
        self.assertEqual(other.asked("token")[-1][1].get("Authorization"), f"Basic {secret}")

    def test_an_identity_token_is_posted(self):
        bodies = []

        def answer(handler):
            if handler.path.startswith("/token"):
                bodies.append((handler.command, handler.path, handler.body))
            return self.answer(handler)
        self.server.answer = answer
        config = self.host.write("identity.json", {"auths": {self.server.address: {"identitytoken": "id=tok en"}}})
        self.assert_pulled(self.pull(self.server.reference, "--docker-config", config))
        self.assertEqual(bodies[0][:2], ("POST", "/token"))
        self.assertIn("refresh_token=id%3Dtok%20en", bodies[0][2])

    def test_an_identity_token_goes_nowhere_else(self):
        other = FaultyRegistry()
        self.addCleanup(other.stop)
        config = self.host.write("identity.json", {"auths": {self.server.address: {"identitytoken": "secret"}}})
        for status in (301, 302, 303, 307, 308):
            with self.subTest(status):
                self.server.answer = lambda handler, status=status: (
                    handler.reply(status, b"", [("Location", f"http://{other.address}/token")]) or True
                    if handler.path.startswith("/token") else self.answer(handler))
                self.assert_refused(self.pull(self.server.reference, "--docker-config", config), 1, f"not followed ({status}")
        self.assertEqual(other.requests, [])

    def test_a_token_server_that_fails_is_named(self):
        for status, body, word in ((500, b"", "token server"), (200, b"{}", "no token"), (200, b'{"token":"a\\nX: y"}', "characters")):
            with self.subTest(status=status, body=body):
                self.server.answer = lambda handler, status=status, body=body: (
                    handler.reply(status, body) or True if handler.path.startswith("/token") else self.answer(handler))
                self.assert_refused(self.pull(self.server.reference), 69 if status == 500 else 1, f"token server {self.server.address}", word)


class Faults(PullTestCase):
    SECONDS = 240

    def setUp(self):
        super().setUp()
        self.image = noisy_image()
        self.server = FaultyRegistry(self.image)
        self.addCleanup(self.server.stop)
        self.layer = digest_of(self.image.layers[1].blob)

    def on(self, word, answer):
        """Answers requests of what has the word in its path by `answer(handler)`."""
        self.server.answer = lambda handler: (answer(handler) or True) if word in handler.path else False

    def refuse(self, answer, code, *words, on=None):
        self.on(on or self.layer, answer)
        return self.assert_refused(self.pull(self.server.reference, timeout=90), code, *words)

    def test_a_layer_that_was_cut_is_gone_on_with(self):
        cuts = []

        def cut(handler):
            if len(cuts) == 2:
                return self.server.serve(handler)
            data, start = self.server.blobs[self.layer], self.server.start(handler)
            cuts.append(start)
            fields = [("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")] if start else []
            handler.reply(206 if start else 200, data[start:start + 300_000], fields, length=len(data) - start)
        self.on(self.layer, cut)
        done = self.assert_pulled(self.pull(self.server.reference))
        self.assertIn("once more in", done.err)
        ranges = [fields.get("Range") for _, fields in self.server.asked(self.layer)]
        self.assertEqual(ranges, [None, "bytes=300000-", "bytes=600000-"])

    def test_a_server_without_ranges_sends_it_anew(self):
        cuts = []

        def cut(handler):
            data = self.server.blobs[self.layer]
            cuts.append(1)
            handler.reply(200, data if len(cuts) > 1 else data[:300_000], length=len(data))
        self.on(self.layer, cut)
        self.assert_pulled(self.pull(self.server.reference))

    def test_a_server_that_sends_another_part_is_not_believed(self):
        cuts = []

        def cut(handler):
            data = self.server.blobs[self.layer]
            cuts.append(handler.headers.get("Range"))
            if len(cuts) == 1:
                return handler.reply(200, data[:300_000], length=len(data))
            if len(cuts) == 2:
                return handler.reply(206, data[:1000], [("Content-Range", f"bytes 0-999/{len(data)}")])
            return self.server.serve(handler)
        self.on(self.layer, cut)
        self.assert_pulled(self.pull(self.server.reference))
        self.assertEqual(cuts, [None, "bytes=300000-", None])

    def test_what_is_not_what_was_asked_for_is_refused(self):
        data = self.server.blobs[self.layer]
        changed = data[:-1] + bytes([data[-1] ^ 1])
        self.refuse(lambda handler: handler.reply(200, changed), 1, "layer " + self.layer[7:19], "has the digest", self.layer)
        self.refuse(lambda handler: handler.reply(200, data + b"x" * 9), 1, f"longer than {len(data)} bytes")
        self.refuse(lambda handler: handler.reply(200, data[:-1]), 69, "are announced")

    def test_a_body_without_an_end_is_ended(self):
        def endless(handler):
            handler.send_response(200)
            handler.send_header("Connection", "close")
            handler.end_headers()
            handler.close_connection = True
            while True:
                handler.wfile.write(bytes(1 << 16))
        before = time.monotonic()
        self.refuse(endless, 1, f"longer than {len(self.server.blobs[self.layer])} bytes")
        self.refuse(endless, 1, "longer than 4194304 bytes", on="manifests")
        self.assertLess(time.monotonic() - before, 30)

    def test_refusals_say_who_refused_what(self):
        place = f"{self.server.address}/team/app"
        words = b'{"errors":[{"code":"DENIED","message":"not you\\u001b[31m"}]}'
        self.refuse(lambda handler: handler.reply(403, words), 1, place, "does not allow it", "DENIED, not you", on="manifests")
        self.refuse(lambda handler: handler.reply(403), 1, place, "layer", "does not allow it")
        self.refuse(lambda handler: handler.reply(404), 66, place, "layer", "no such thing")
        self.refuse(lambda handler: handler.reply(401), 1, place, "wants to know who asks", on="manifests")
        self.refuse(lambda handler: handler.reply(418), 1, place, "418", on="manifests")
        self.refuse(lambda handler: handler.reply(429, b"", [("Retry-After", "3600")]), 69, place, "3600 s", on="manifests")

    def test_a_busy_registry_is_asked_again(self):
        busy = []

        def answer(handler):
            busy.append(time.monotonic())
            if len(busy) == 1:
                return handler.reply(429, b"", [("Retry-After", "2")])
            if len(busy) == 2:
                return handler.reply(503)
            return self.server.serve(handler)
        self.on("manifests", answer)
        done = self.assert_pulled(self.pull(self.server.reference))
        self.assertGreaterEqual(busy[1] - busy[0], 2)
        self.assertIn("asked too often", done.err)
        self.assertIn("cannot serve it now", done.err)
        self.refuse_after_five()

    def refuse_after_five(self):
        self.aurora("image", "rm", self.server.reference)
        self.server.requests.clear()
        self.refuse(lambda handler: handler.reply(503), 69, "cannot serve it now", on="manifests")
        self.assertEqual(len(self.server.requests), 5)

    def test_documents_that_are_none(self):
        for data, media_type, word in (
                (b"<html>", OCI, "not JSON"), (b"{}", "text/html", "no image"), (b'{"schemaVersion":2}', OCI, "configuration"),
                (b'{"schemaVersion":1,"fsLayers":[]}', "application/vnd.docker.distribution.manifest.v1+prettyjws", "schema 1"),
                (b"[" * 100_000, OCI, "not JSON"),
                (json.dumps({"schemaVersion": 2, "manifests": [
                    {"mediaType": OCI, "digest": "sha256:" + "a" * 64, "size": 9, "platform": {"os": "linux", "architecture": "s390x"}},
                ]}).encode(), INDEX, "there are: linux/s390x")):
            with self.subTest(word=word):
                self.server.put(data, media_type)
                self.assert_refused(self.pull(self.server.reference), 1, word)

    def test_an_index_leads_to_the_image_for_this_host(self):
        def entry(digest, architecture):
            return {"mediaType": OCI, "digest": digest, "size": len(self.server.documents[digest][0]),
                    "platform": {"os": "linux", "architecture": architecture}}
        own, other = self.server.digest, self.server.add(busybox_image(config={"Env": ["OTHER=1"]}), "other")
        attested = dict(entry(other, "unknown"), platform={"os": "unknown", "architecture": "unknown"})
        index = self.server.put(json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [
            attested, entry(other, "arm64"), entry(own, "amd64")]}).encode(), INDEX)
        self.assert_pulled(self.pull(self.server.reference))
        self.assertEqual(json.loads(self.aurora("image", "inspect", self.server.reference).out)["digest"], own)
        # The index can be named by its digest as well, and then is what its tag meant.
        pinned = f"{self.server.address}/team/app@{index}"
        self.assert_pulled(self.pull(pinned))
        self.assert_finished(self.run_task(document("true", image=pinned)))

    def test_redirects(self):
        other = FaultyRegistry(self.image)
        self.addCleanup(other.stop)
        config = self.config(self.server.address)
        secret = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()

        def away(handler):
            if handler.headers.get("Authorization") != f"Basic {secret}":
                return handler.reply(401, b"", [("WWW-Authenticate", "Basic realm=x")]) or True
            if "/blobs/" not in handler.path:
                return False
            return handler.reply(307, b"", [("Location", f"http://{other.address}{handler.path}")]) or True
        self.server.answer = away
        self.assert_pulled(self.pull(self.server.reference, "--docker-config", config, "--plain-http", self.server.address))
        # Another port is another server.
        self.assertTrue(other.requests)
        self.assertFalse([fields for _, fields in other.requests if "Authorization" in fields])
        self.aurora("image", "rm", self.server.reference)
        self.server.requests.clear()
        self.refuse(lambda handler: handler.reply(307, b"", [("Location", handler.path)]), 1, "redirected without end")
        self.assertLessEqual(len(self.server.asked(self.layer)), 6)
        self.refuse(lambda handler: handler.reply(307, b"", [("Location", "file:///etc/shadow")]), 1, "neither HTTP nor HTTPS")

    def test_a_registry_that_is_not_there(self):
        before = time.monotonic()
        for reference, word in (("127.0.0.1:1/x", "no connection"), ("nothing.invalid/x", "cannot be resolved")):
            self.assertIn(word, self.assert_refused(self.pull(reference), 69).err)
        self.assertLess(time.monotonic() - before, 20)
        self.assertEqual(os.listdir(self.host.work + "/images/pulls"), [])

    def test_without_curl_the_package_is_named(self):
        empty = self.host.path("empty")
        os.mkdir(empty)
        hidden = ["unshare", "-m", "sh", "-c", 'mount --bind /dev/null /usr/bin/curl && exec "$@"', "sh"]
        done = subprocess.run(
            hidden + self.host.words(["image", "pull", self.server.reference]), env={"PATH": empty + ":/usr/bin:/bin"}, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.assertEqual(done.returncode, 78, done)
        self.assertIn("apt install curl", done.stderr)


class Together(PullTestCase):
    def setUp(self):
        super().setUp()
        self.image = noisy_image()
        self.server = FaultyRegistry(self.image)
        self.addCleanup(self.server.stop)
        self.layer = digest_of(self.image.layers[1].blob)

    def start(self, *options, reference=None):
        process = subprocess.Popen(
            self.host.words(["image", "pull", reference or self.server.reference, *options]), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, env=self.host.environment())
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process

    def test_two_at_once_fetch_once(self):
        gate = threading.Event()
        self.addCleanup(gate.set)
        self.server.answer = lambda handler: (self.layer in handler.path and gate.wait(20)) and False
        first = self.start()
        wait_until(lambda: self.server.asked(self.layer), "the first pull asks for a layer")
        second = self.start()
        self.assertIn(b"waiting", second.stderr.readline() + second.stderr.readline())
        gate.set()
        self.assertEqual((first.wait(30), second.wait(30)), (0, 0))
        for layer in self.image.layers:
            self.assertEqual(len(self.server.asked(digest_of(layer.blob))), 1)

    def test_what_a_killed_pull_had_fetched_is_used(self):
        data = self.server.blobs[self.layer]
        held = []

        def half(handler):
            if self.layer not in handler.path or held:
                return False
            held.append(1)
            handler.send_response(200)
            handler.send_header("Content-Length", str(len(data)))
            handler.end_headers()
            handler.wfile.write(data[:500_000])
            self.server.hang(handler)
            return True
        self.server.answer = half
        first = self.start()
        others = [layer for layer in self.image.layers if digest_of(layer.blob) != self.layer]
        pulls = self.host.work + "/images/pulls"

        def fetched():
            found = [os.path.join(path, name) for path, _, names in os.walk(pulls) for name in names]
            return (len([name for name in found if "/blobs/" in name]) == 2 + len(others)
                    and [name for name in found if "/partial/" in name and os.path.getsize(name) == 500_000])
        wait_until(fetched, "half of a layer and all others are there")
        secret_free = subprocess.run(["ps", "axww", "-o", "args"], stdout=subprocess.PIPE, text=True, check=True).stdout
        self.assertNotIn(self.server.address + "/v2", secret_free)
        first.kill()
        first.wait()
        # The curl of a pull that is gone goes with it.
        wait_until(lambda: "curl --disable" not in subprocess.run(
            ["ps", "axww", "-o", "args"], stdout=subprocess.PIPE, text=True, check=True).stdout.replace("sh -c", ""), "the end of curl")
        self.server.requests.clear()
        self.assert_pulled(self.pull(self.server.reference))
        self.assertEqual([fields.get("Range") for _, fields in self.server.asked(self.layer)], ["bytes=500000-"])
        for layer in others:
            self.assertEqual(self.server.asked(digest_of(layer.blob)), [])

    def test_a_layer_is_unpacked_while_it_comes(self):
        first, second = os.urandom(3 << 20), os.urandom(1 << 20)
        for compression in ("gzip", "none"):
            with self.subTest(compression=compression):
                tar = TarWriter().file("first", first).file("second", second).file(f"as-{compression}", b"")
                image = Image([Layer(busybox_tar(), "gzip"), Layer(tar, compression)], name="team/app:1")
                server = FaultyRegistry(image)
                self.addCleanup(server.stop)
                layer = digest_of(image.layers[1].blob)
                data, gate = server.blobs[layer], threading.Event()
                self.addCleanup(gate.set)

                def half(handler, layer=layer, data=data, gate=gate):
                    if layer not in handler.path:
                        return False
                    handler.send_response(200)
                    handler.send_header("Content-Length", str(len(data)))
                    handler.end_headers()
                    handler.wfile.write(data[:7 << 19])
                    gate.wait(60)
                    handler.wfile.write(data[7 << 19:])
                    return True
                server.answer = half
                process = self.start(reference=server.reference)
                staging = self.host.work + "/images/staging"

                def unpacked():
                    return [path for path, _, names in os.walk(staging) if "second" in names and "first" in names]
                tree = wait_until(unpacked, "the first half is unpacked")[0]
                with open(tree + "/first", "rb") as file:
                    self.assertEqual(file.read()[:3 << 20], first)
                gate.set()
                self.assertEqual(process.wait(30), 0, process.stderr.read())
                self.assertEqual(os.listdir(staging), [])
                self.assertEqual(os.listdir(self.host.work + "/images/pulls"), [])

    def test_a_layer_that_begins_anew_is_unpacked_anew(self):
        data, wrong = self.server.blobs[self.layer], []

        def answer(handler):
            if self.layer not in handler.path:
                return False
            if wrong:
                handler.reply(200, data)
            else:
                # Not what it should be from the middle on, then cut; and then a server that knows no ranges.
                wrong.append(data[:300_000] + bytes(300_000))
                handler.reply(200, wrong[0], length=len(data))
            return True
        self.server.answer = answer
        process = self.start()
        self.assertEqual(process.wait(60), 0)
        self.assertEqual(len(self.server.asked(self.layer)), 2)
        listed = json.loads(self.aurora("image", "ls", "--output", "json").out)
        self.assertEqual(len(listed["layers"]), 4)

    def test_what_had_come_whole_is_not_asked_for_again(self):
        """A pull that died between the last byte and the rename."""
        for made in (1, 2):
            data = self.server.blobs[self.layer]
            if made == 2:
                data = bytes(len(data))
            gate = threading.Event()
            self.addCleanup(gate.set)
            self.server.answer = lambda handler, gate=gate: (self.layer in handler.path and gate.wait(20)) and False
            first = self.start()
            wait_until(lambda: self.server.asked(self.layer), "the layer is asked for")
            partial = wait_until(lambda: [
                os.path.join(path, name) for path, _, names in os.walk(self.host.work + "/images/pulls") for name in names
                if path.endswith("/partial") and self.layer.endswith(name)], "its file")[0]
            first.kill()
            first.wait()
            gate.set()
            with open(partial, "wb") as file:
                file.write(data)
            self.server.requests.clear()
            self.assert_pulled(self.pull(self.server.reference))
            # What is not the layer is not taken for it.
            self.assertEqual(len(self.server.asked(self.layer)), made - 1)
            self.assertEqual(self.aurora("image", "rm", self.server.reference).code, 0)

    def test_a_program_is_told_of_everything_in_json(self):
        told = [json.loads(line) for line in self.assert_pulled(self.pull(self.server.reference, "--output", "json")).out.splitlines()]
        events = [line["event"] for line in told]
        self.assertEqual(events[0], "resolved")
        self.assertEqual(events[-1], "image")
        self.assertEqual(told[-1]["references"], [self.server.reference])
        self.assertEqual(events.count("fetched"), len(self.image.layers))
        last = [line for line in told if line["event"] == "unpacking"][-1]
        self.assertEqual([layer["phase"] for layer in last["layers"]], ["done"] * len(self.image.layers))
        quiet = self.pull(self.server.reference, "--output", "json", "--quiet")
        self.assertEqual([json.loads(line)["event"] for line in quiet.out.splitlines()], ["image"])
        self.assertEqual(quiet.err, "")

    def test_curl_is_nobodys_and_knows_no_secret(self):
        secret = "s3cr3t-t0ken"
        config = self.host.write("token.json", {"auths": {self.server.address: {"registrytoken": secret}}})

        def answer(handler):
            if handler.headers.get("Authorization") != "Bearer " + secret:
                return handler.reply(401, b"", [("WWW-Authenticate", "Bearer realm=x")]) or True
            if self.layer in handler.path:
                handler.send_response(200)
                handler.send_header("Content-Length", str(len(self.server.blobs[self.layer])))
                handler.end_headers()
                self.server.hang(handler)
                return True
            return False
        self.server.answer = answer
        self.start("--docker-config", config, "--plain-http", self.server.address)
        wait_until(lambda: self.server.asked(self.layer), "the layer is asked for")

        def curls():
            found = []
            for pid in filter(str.isdigit, os.listdir("/proc")):
                try:
                    with open(f"/proc/{pid}/cmdline", "rb") as file:
                        words = file.read()
                    if words.startswith(b"/usr/bin/curl\0--disable"):
                        with open(f"/proc/{pid}/environ", "rb") as file:
                            found.append((pid, words + file.read(), os.listdir(f"/proc/{pid}/fd")))
                except OSError:
                    pass
            return found
        pid, known, descriptors = wait_until(curls, "a curl that hangs")[0]
        self.assertNotIn(secret.encode(), known)
        self.assertNotIn(self.server.address.encode(), known)
        with open(f"/proc/{pid}/status", encoding="ascii") as file:
            status = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
        # A user of its own, which no account has: who had the same one could read its request, and answer in its place.
        self.assertGreaterEqual(int(status["Uid"].split()[0]), 1879048192)
        self.assertEqual(status["Uid"].split(), [status["Uid"].split()[0]] * 4)
        self.assertEqual(status["Gid"].split(), status["Uid"].split())
        for attempt in (lambda: os.kill(int(pid), signal.SIGSTOP), lambda: open(f"/proc/{pid}/fd/0", "rb")):
            def as_nobody(attempt=attempt):
                os.setgroups([])
                os.setresgid(65534, 65534, 65534)
                os.setresuid(65534, 65534, 65534)
                attempt()
            with self.assertRaises(subprocess.SubprocessError):
                subprocess.run(["true"], preexec_fn=as_nobody, check=True)
        self.assertEqual(status["Groups"].strip(), "")
        for name in ("CapEff", "CapPrm", "CapInh", "CapBnd"):
            self.assertEqual(int(status[name], 16), 0, name)
        self.assertEqual(status["NoNewPrivs"], "1")
        self.assertTrue({"0", "1", "2"} <= set(descriptors))


class OnDemand(PullTestCase):
    """`run` fetches the image of a native task."""

    def setUp(self):
        super().setUp()
        self.server = FaultyRegistry(busybox_image(config={"Env": ["PATH=/bin", "VERSION=1"]}))
        self.addCleanup(self.server.stop)
        self.document = document("echo $VERSION", image=self.server.reference)

    def test_what_is_missing_is_fetched_and_what_is_there_is_not(self):
        outcome = self.assert_finished(self.run_task(self.document))
        self.assertEqual(outcome.out(), "1\n")
        self.assertEqual(outcome.result["image"]["digest"], self.server.digest)
        self.assertIn("layer ", outcome.said)
        self.server.requests.clear()
        self.assertEqual(self.assert_finished(self.run_task(self.document)).out(), "1\n")
        self.assertEqual(self.server.requests, [])

    def test_always_takes_what_the_name_means_now(self):
        self.assert_finished(self.run_task(self.document))
        self.server.add(busybox_image(config={"Env": ["PATH=/bin", "VERSION=2"]}))
        self.assertEqual(self.assert_finished(self.run_task(self.document)).out(), "1\n")
        self.assertEqual(self.assert_finished(self.run_task(self.document, "--pull", "always")).out(), "2\n")

    def test_never_takes_what_is_there(self):
        self.assert_failed(self.run_task(self.document, "--pull", "never"), "not in the image store", "image pull")
        self.assertEqual(self.server.requests, [])
        self.assertEqual(self.run_task(self.document, "--pull", "sometimes").code, 64)

    def test_a_registry_that_does_not_have_it_or_is_not_there(self):
        name = self.server.address + "/team/none:1"
        self.assert_failed(self.run_task(document("true", image=name)), "team/none: manifest 1", "no such thing")
        outcome = self.run_task(document("true", image="127.0.0.1:1/x:1"))
        self.assertEqual((outcome.code, outcome.result["state"]), (69, "TASK_FAILED"), outcome)
        self.assertIn("no connection", outcome.result["message"])

    def test_a_stop_ends_a_pull_that_hangs(self):
        self.server.answer = lambda handler: self.server.hang(handler) or True
        task = self.start_task(self.document)
        wait_until(lambda: self.server.requests, "the registry is asked")
        outcome = task.signal(signal.SIGTERM).wait()
        self.assertEqual((outcome.code, outcome.result["state"]), (3, "TASK_KILLED"), outcome)
        self.assertIn("stopped while the image", outcome.said)

    def test_options_reach_a_detached_executor_and_one_that_takes_over(self):
        authority, own, key = certificate(self.host.directory)
        server = FaultyRegistry(busybox_image(), name="library/busybox", tls=(own, key))
        self.addCleanup(server.stop)
        task = self.task_with_mirror(server, os.path.basename(authority))
        self.assertEqual(task.code, 0, task)
        wait_until(lambda: "TASK_FINISHED" in self.aurora("ps").out, "the end of the task")

    def task_with_mirror(self, server, authority):
        made = self.host.write("mirror.json", document("true", image="busybox:1"))
        return self.aurora(
            "run", "--task", made, "--role", "www-data", "--detach", "--ca-file", authority, "--docker-registry",
            f"https://{server.address}", cwd=self.host.directory)


class Resolve(ExecutorTestCase):
    def setUp(self):
        super().setUp()
        self.server = FaultyRegistry(busybox_image(), name="library/python")
        self.addCleanup(self.server.stop)

    def assert_resolved(self, done, name):
        self.assertEqual((done.code, done.out), (0, f"{name}@{self.server.digest}\n"), done)

    def test_a_tag_is_resolved_to_what_it_means_now(self):
        self.assert_resolved(
            self.aurora("resolve", "library/python:1", "--docker-registry", f"http://{self.server.address}"), "library/python")
        self.assert_resolved(self.aurora("resolve", "python:1", "--docker-registry", f"http://{self.server.address}"), "python")
        name = f"{self.server.address}/library/python"
        self.assert_resolved(self.aurora("resolve", name + ":1"), name)
        told = json.loads(self.aurora("resolve", name + ":1", "--output", "json").out)
        self.assertEqual(told, {"image": name + ":1", "digest": self.server.digest, "resolved": f"{name}@{self.server.digest}"})
        self.server.add(busybox_image(config={"Env": ["A=2"]}))
        self.assertNotIn(self.server.digest, self.aurora("resolve", name + ":1").out)

    def test_the_registry_of_a_cluster(self):
        url = f"http://{self.server.address}"
        for clusters in ([{"name": "devcluster", "docker_registry": url}, {"no": "name"}],
                         {"x": {"name": "devcluster", "docker_registry": url + "/"}}):
            path = self.host.write("clusters.json", clusters)
            self.assert_resolved(
                self.aurora("resolve", "--clusters", path, "--cluster", "devcluster", "library/python:1"),
                f"{self.server.address}/library/python")
        done = self.aurora("resolve", "--clusters", path, "--cluster", "other", "library/python:1")
        self.assertEqual(done.code, 66, done)
        self.assertIn("no cluster other", done.err)
        self.assertIn("it has devcluster", done.err)
        for text, code in (("{", 78), ("3", 78), ('[{"name":"devcluster","docker_registry":"ftp://x"}]', 78)):
            path = self.host.write("clusters.json", text)
            self.assertEqual(self.aurora("resolve", "--clusters", path, "--cluster", "devcluster", "x").code, code, text)
        self.assertEqual(self.aurora("resolve", "x", "--cluster", "devcluster").code, 66)
        self.assertEqual(self.aurora("resolve", "x", "--clusters", path).code, 64)

    def test_what_cannot_be_resolved_says_why(self):
        name = f"{self.server.address}/library/none:1"
        done = self.aurora("resolve", name)
        self.assertEqual(done.code, 66, done)
        self.assertIn(f"resolve {name}: {self.server.address}/library/none: manifest 1", done.err)
        self.assertEqual(self.aurora("resolve", "127.0.0.1:1/x").code, 69)
        self.assertEqual(self.aurora("resolve", "NOT A NAME").code, 64)
        self.server.answer = lambda handler: handler.reply(401, b"", [("WWW-Authenticate", "Basic realm=x")]) or True
        self.assertIn("wants to know who asks", self.aurora("resolve", f"{self.server.address}/library/python:1").err)


class Bound(PullTestCase):
    """`{{docker.image[NAME][TAG]}}` is what the tag means when the task begins, and stays that."""

    KEY = "{{docker.image[library/python][1]}}"

    def setUp(self):
        super().setUp()
        self.server = FaultyRegistry(busybox_image(config={"Env": ["PATH=/bin", "VERSION=1"]}), name="library/python")
        self.addCleanup(self.server.stop)
        self.clusters = self.host.write(
            "clusters.json", [{"name": "devcluster", "docker_registry": f"http://{self.server.address}"}, {"name": "bare"}])
        self.value = f"{self.server.address}/library/python@{self.server.digest}"

    def job(self, command, cluster="devcluster", image=None):
        made = job(command)
        made["cluster"] = cluster
        if image:
            made["container"] = {"mesos": {"image": {"docker": {"name": image}}}}
        return made

    def run_job(self, *words, **rest):
        return self.run_task(self.job(*words, **rest), "--clusters", self.clusters)

    def test_a_job_runs_in_the_image_that_its_clusters_registry_has(self):
        outcome = self.assert_finished(self.run_job("echo $VERSION {{docker.image[library/python][1]}}", image=self.KEY))
        self.assertEqual(outcome.out(), f"1 {self.value}\n")
        self.assertIn(f"{self.KEY} is {self.value}", outcome.said)
        # By its digest it is in the store, and nobody is asked for it but for what the tag means.
        self.server.requests.clear()
        self.assert_finished(self.run_job("true", image=self.KEY))
        self.assertEqual({path for path, _ in self.server.requests} - {"/v2/", "/v2/library/python/manifests/1"}, set())

    def test_who_goes_on_with_a_task_does_not_ask_again(self):
        task = self.start_task(
            self.job("sleep 1; echo {{docker.image[library/python][1]}}"), "--clusters", self.clusters).wait_running().kill()
        self.server.add(busybox_image(config={"Env": ["A=2"]}))
        self.server.requests.clear()
        outcome = self.assert_finished(self.host.recover(task.id))
        self.assertEqual((outcome.out(), self.server.requests), (self.value + "\n", []))

    def test_in_the_background_as_well(self):
        made = self.host.write("job.json", self.job("echo {{docker.image[library/python][1]}}", image=self.KEY))
        done = self.aurora(
            "run", "--task", made, "--detach", "--task-id", self.host.task_id(), "--clusters", os.path.basename(self.clusters),
            cwd=self.host.directory)
        self.assertEqual(done.code, 0, done)
        task = done.out.strip()
        wait_until(lambda: "TASK_FINISHED" in self.aurora("ps").out, "the end of the task")
        self.assertEqual(self.aurora("logs", task).out, self.value + "\n")

    def test_a_binding_of_ones_own_asks_nobody(self):
        outcome = self.run_task(
            self.job("echo {{docker.image[library/python][1]}}"), "--bind", "docker.image[library/python][1]=mine",
            "--clusters", self.clusters)
        self.assertEqual((self.assert_finished(outcome).out(), self.server.requests), ("mine\n", []))

    def test_files_of_the_client_are_found(self):
        os.makedirs(self.host.path(".aurora"))
        os.rename(self.clusters, self.host.path(".aurora/clusters.json"))
        for variable, value in (("HOME", self.host.directory), ("AURORA_CONFIG_ROOT", self.host.path(".aurora"))):
            done = self.aurora("render", self.host.write("job.json", self.job("echo " + self.KEY)), env={variable: value})
            self.assertEqual(done.code, 0, done)
            self.assertIn(self.value, done.out)

    def test_the_file_may_be_a_link(self):
        os.symlink(self.clusters, self.host.path("link.json"))
        outcome = self.run_task(self.job("echo " + self.KEY), "--clusters", self.host.path("link.json"))
        self.assertEqual(self.assert_finished(outcome).out(), self.value + "\n")

    def test_who_launches_nothing_asks_nobody(self):
        made = self.host.write("job.json", self.job("echo " + self.KEY))
        self.assertEqual(self.aurora("validate", made, "--clusters", self.clusters).code, 0)
        self.assertEqual(self.aurora("simulate", "--task", made, "--clusters", self.clusters).code, 0)
        self.assertEqual(self.server.requests, [])

    def test_what_cannot_be_bound_says_why(self):
        other = self.run_job("echo " + self.KEY, cluster="other")
        self.assertEqual(other.code, 66, other)
        self.assertIn("has no cluster other", other.said)
        self.assertIn("it has devcluster, bare", other.said)
        none = self.run_job("echo {{docker.image[library/none][1]}}")
        self.assertEqual(none.code, 66, none)
        self.assertIn(f"{{{{docker.image[library/none][1]}}}}: resolve {self.server.address}/library/none:1", none.said)
        bad = self.run_job("echo {{docker.image[NO][1]}}")
        self.assertEqual(bad.code, 65, bad)
        gone = self.host.write("gone.json", [{"name": "devcluster", "docker_registry": "http://127.0.0.1:1"}])
        away = self.run_task(self.job("echo " + self.KEY), "--clusters", gone)
        self.assertEqual(away.code, 69, away)
        self.assertIn("no connection", away.said)
        # Nothing was begun.
        self.assertFalse(os.path.exists(self.host.work + "/tasks") and os.listdir(self.host.work + "/tasks"))

    def test_a_stop_ends_the_question(self):
        self.server.answer = lambda handler: self.server.hang(handler) or True
        task = self.start_task(self.job("echo " + self.KEY), "--clusters", self.clusters)
        wait_until(lambda: self.server.requests, "the registry is asked")
        outcome = task.signal(signal.SIGTERM).wait()
        self.assertEqual(outcome.code, 3, outcome)
        self.assertIn("stopped while it was being resolved", outcome.said)
