"""AppC images: imported, run, put together of others, found; and hostile ones change nothing."""

import http.server
import json
import os
import subprocess
import tarfile
import threading
import time

from support import ExecutorTestCase, document
from support.appc import ACI, PACKED, manifest
from support.executor import wait_until


def task(name="example.com/app", image_id=None, *processes, **image):
    asked = {"name": name, "image_id": image_id, **image}
    return document(*processes, container={"image": {"appc": {key: value for key, value in asked.items() if value}}})


class AppcTestCase(ExecutorTestCase):
    def add(self, aci, how="plain", *options):
        done = self.aurora("image", "import", self.host.write("image.aci", aci.packed(how)), *options)
        self.assertEqual(done.code, 0, done)
        self.assertIn(aci.image_id(), done.out)
        return aci.image_id()

    def refused(self, data, *words, code=1):
        done = self.aurora("image", "import", self.host.write("image.aci", data))
        self.assertEqual(done.code, code, done)
        for word in words:
            self.assertIn(word, done.err)
        return done

    def images(self):
        return [json.loads(line) for line in self.aurora("image", "ls", "--output", "json").out.splitlines()]


class Import(AppcTestCase):
    def test_a_task_runs_in_an_image_of_every_compression(self):
        for how in PACKED:
            with self.subTest(how):
                aci = ACI(name=f"example.com/{how}", busybox=True).file("srv/a", how)
                image_id = self.add(aci, how)
                outcome = self.assert_finished(self.run_task(task(aci.document["name"], image_id, "cat /srv/a")))
                self.assertEqual(outcome.out(), how)

    def test_the_command_environment_and_directory_of_the_app_are_the_tasks(self):
        app = {"exec": ["/bin/sh", "-c", "echo $A $PWD $(id -un)"], "workingDirectory": "/srv/deep",
               "environment": [{"name": "A", "value": "by image"}], "user": "1234", "group": "1234"}
        aci = ACI(busybox=True, app=app).directory("srv/deep")
        image_id = self.add(aci)
        outcome = self.assert_finished(self.run_task(task(image_id=image_id)))
        self.assertEqual(outcome.log("task"), "by image /srv/deep www-data\n")
        self.assertIn("appc/runtime", outcome.result["isolation"]["applied"])
        self.assertEqual(outcome.result["image"]["digest"], image_id)
        # Its own command has the environment, and its own directory.
        outcome = self.assert_finished(self.run_task(task("example.com/app", image_id, "echo $A $PWD")))
        self.assertEqual(outcome.out(), "by image /mnt/mesos/sandbox\n")
        left = [name for name in outcome.result["isolation"]["applied"] if name != "appc/runtime"]
        refused = self.run_task(task(image_id=image_id), "--isolation", ",".join(left))
        self.assertEqual(refused.code, 78, refused)
        self.assertIn("appc/runtime", refused.said)

    def test_an_image_is_listed_inspected_and_removed_by_its_names(self):
        aci = ACI(version="1.2", busybox=True)
        image_id = self.add(aci)
        self.assertIn("example.com/app:1.2", self.aurora("image", "ls").out)
        for name in ("example.com/app", "example.com/app:1.2", "example.com/app:1.2,arch=x86_64", image_id, image_id[:20]):
            with self.subTest(name):
                shown = json.loads(self.aurora("image", "inspect", name).out)
                self.assertEqual(shown["appc"]["image_id"], image_id)
                self.assertEqual(shown["appc"]["labels"][0], {"name": "version", "value": "1.2"})
        self.assertEqual(self.aurora("image", "inspect", "example.com/app:1.3").code, 66)
        self.assertEqual(self.aurora("image", "rm", image_id).code, 0)
        self.assertEqual((self.images(), os.listdir(self.host.work + "/images/layers")), ([], []))

    def test_an_image_is_found_by_its_id_or_by_name_and_labels(self):
        first = self.add(ACI(version="1", busybox=True).file("is", "1"))
        self.add(ACI(version="2", busybox=True).file("is", "2"))
        for image_id, asked, expected in (
                (first, {}, "1"), (first.upper().replace("SHA", "sha"), {}, "1"), (None, {}, "2"),
                (None, {"labels": {"version": "1"}}, "1"), (None, {"labels": {"version": "2", "arch": "x86_64"}}, "2")):
            with self.subTest(f"{image_id} {asked}"):
                outcome = self.assert_finished(self.run_task(task("example.com/app", image_id, "cat /is", **asked)))
                self.assertEqual(outcome.out(), expected)

    def test_what_is_not_there_is_said(self):
        image_id = self.add(ACI(busybox=True))
        other = "sha512-" + "0" * 128
        for asked, words in (
                (task("example.com/gone", None, "true"), "the AppC image example.com/gone is not in the image store"),
                (task("example.com/app", other, "true"), "(sha512-000000000000) is not in the image store"),
                (task("example.com/other", image_id, "true"), "is not in the image store"),
                (task("example.com/app", "sha512-12", "true"), "image_id is not sha512- and 128 hexadecimal digits"),
                (task("Example", None, "true"), "is no AC identifier")):
            with self.subTest(words):
                outcome = self.run_task(asked)
                self.assertEqual(outcome.code, 1, outcome)
                self.assertIn(words, outcome.said)
        self.assertIn("--appc-store", self.run_task(task("example.com/gone", None, "true")).said)

    def test_a_task_in_use_keeps_its_image(self):
        image_id = self.add(ACI(busybox=True))
        live = self.start_task(task("example.com/app", image_id, "sleep 60"))
        live.wait_running()
        self.assertEqual(self.aurora("image", "rm", image_id).code, 1)
        live.signal(15)
        live.wait()
        self.assertEqual(self.aurora("image", "rm", image_id).code, 0)


class Together(AppcTestCase):
    def test_dependencies_lie_below_in_their_order(self):
        base = self.add(ACI(name="base", busybox=True).file("a", "base").file("b", "base").file("c", "base"))
        self.add(ACI(name="lib", dependencies=[{"imageName": "base", "imageID": base}]).file("b", "lib"))
        self.add(ACI(name="data").file("c", "data"))
        app = ACI(dependencies=[{"imageName": "lib"}, {"imageName": "data", "labels": [{"name": "arch", "value": "x86_64"}]}])
        image_id = self.add(app.file("d", "app"), "gzip")
        self.assertEqual(len(json.loads(self.aurora("image", "inspect", image_id).out)["layers"]), 4)
        outcome = self.assert_finished(self.run_task(task("example.com/app", image_id, "cat /a /b /c /d")))
        self.assertEqual(outcome.out(), "baselibdataapp")
        # It has what it is made of.
        for name in ("base", "lib", "data"):
            self.assertEqual(self.aurora("image", "rm", name).code, 0)
        self.assert_finished(self.run_task(task("example.com/app", image_id, "cat /a")))

    def test_a_dependency_that_is_missing_is_named_with_its_place(self):
        refused = self.refused(
            ACI(dependencies=[{"imageName": "base"}]).tar(), "image example.com/app: dependency base: it is not in the image store",
            code=66)
        self.assertIn("--appc-store", refused.err)
        base = self.add(ACI(name="base"))
        wrong = ACI(dependencies=[{"imageName": "base", "imageID": base[:-4] + "0000"}])
        self.refused(wrong.tar(), "dependency base (sha512-", "not in the image store", code=66)

    def test_a_whitelist_leaves_its_paths_alone(self):
        self.add(ACI(name="base", busybox=True).file("etc/keep", "base").file("etc/drop", "base").symlink("link", "etc"))
        kept = ["/bin/busybox", "/bin/sh", "/bin/find", "/bin/cat", "/bin/sort", "/etc/keep", "/own", "/empty/", "/nowhere", "/link/x"]
        app = ACI(dependencies=[{"imageName": "base"}], pathWhitelist=kept).file("own", "app").file("other", "app")
        image_id = self.add(app.directory("empty").file("empty/file"))
        shown = "find / -xdev -path /mnt -prune -o -path /dev -prune -o -path /proc -prune -o -type f -print | sort"
        outcome = self.assert_finished(self.run_task(task("example.com/app", image_id, shown + "; cat /etc/keep /own /link/keep")))
        self.assertNotIn("drop", outcome.out())
        self.assertNotIn("/other", outcome.out())
        self.assertNotIn("/empty/file", outcome.out())
        self.assertTrue(outcome.out().endswith("baseappbase"), outcome.out())
        # The dependency has all that it had, also when the other goes.
        self.assertEqual(self.aurora("image", "rm", image_id).code, 0)
        outcome = self.assert_finished(self.run_task(task("base", None, "cat /etc/drop")))
        self.assertEqual(outcome.out(), "base")


class Hostile(AppcTestCase):
    def test_what_is_no_aci_is_refused_and_leaves_nothing(self):
        link, directory, hard = tarfile.SYMTYPE, tarfile.DIRTYPE, tarfile.LNKTYPE
        bare = {"first": False}
        for made, word in (
                (ACI().add("rootfs/../../x"), "is neither its manifest nor below its rootfs"),
                (ACI().add("etc/passwd"), "etc/passwd is neither its manifest nor below its rootfs"),
                (ACI().add("manifest", "{}"), "there are 2 members called manifest"),
                (ACI().add("rootfs", kind=link, link="/etc"), "the root of the layer must be a directory"),
                (ACI().add("rootfs/x", kind=hard, link="manifest"), "not below rootfs"),
                (ACI().add("rootfs/x", kind=hard, link="/etc/shadow"), "not below rootfs"),
                (ACI(**bare).add("manifest", kind=link, link="rootfs/m").file("m", "{}"), "its manifest is no regular file"),
                (ACI(**bare).add("manifest", kind=link, link="/etc/passwd").file("m", "{}"), "its manifest is no regular file"),
                (ACI(**bare).add("manifest", kind=directory).file("m"), "its manifest is no regular file"),
                (ACI(" " * (5 << 20)), "a document of 5242880 bytes, more than 4194304"),
                (ACI("[" * 100000), "manifest"),
                (ACI('{"acKind": "ImageManifest", "acKind": "PodManifest"}'), "manifest"),
                (ACI(manifest("../x")), "is no AC identifier"),
                (ACI(arch="s390x"), "is for linux/s390x, not for linux/amd64"),
                (ACI(app={"exec": ["/bin/x"], "workingDirectory": "x"}), "not an absolute path")):
            with self.subTest(word):
                self.refused(made.tar(), word)
                self.assertEqual(self.images(), [])
                for name in ("layers", "staging"):
                    self.assertEqual(os.listdir(f"{self.host.work}/images/{name}"), [])

    def test_links_of_an_image_stay_inside(self):
        victim = self.host.path("victim")
        os.mkdir(victim)
        aci = ACI(busybox=True).symlink("out", victim).symlink("up", "../../../../..").file("up/made", "inside")
        self.add(ACI(name="x").symlink("out", victim).file("out/made", "x"))
        image_id = self.add(aci)
        self.assertEqual(os.listdir(victim), [])
        outcome = self.assert_finished(self.run_task(task("example.com/app", image_id, "cat /made")))
        self.assertEqual(outcome.out(), "inside")

    def test_a_damaged_archive_is_refused(self):
        for how in ("gzip", "bzip2", "xz"):
            with self.subTest(how):
                self.refused(ACI(busybox=True).packed(how)[:-20], "cut off")
        self.refused(ACI(busybox=True).tar()[:3000], "it ends")


class StoreTestCase(AppcTestCase):
    def setUp(self):
        super().setUp()
        self.store = self.host.path("store")
        os.makedirs(self.store)

    def place(self, aci, version="latest", arch="amd64", how="gzip", name=None):
        name = name or f"{aci.document['name']}-{version}-linux-{arch}.aci"
        self.host.write("store/" + name, aci.packed(how))
        return aci.image_id()


class Found(StoreTestCase):
    def test_a_directory_is_looked_into_for_an_image_and_its_dependencies(self):
        base = self.place(ACI(name="example.com/base", busybox=True).file("a", "base"), arch="x86_64")
        image_id = self.place(ACI(dependencies=[{"imageName": "example.com/base", "imageID": base}]).file("b", "app"))
        outcome = self.assert_finished(self.run_task(task("example.com/app", image_id, "cat /a /b"), "--appc-store", self.store))
        self.assertEqual(outcome.out(), "baseapp")
        # Both are in the store now.
        self.assertEqual(len(self.images()), 2)
        self.assert_finished(self.run_task(task("example.com/app", image_id, "true")))

    def test_versions_are_looked_for_by_label_and_by_id(self):
        first = self.place(ACI(version="1", busybox=True).file("is", "1"), "1")
        self.place(ACI(version="2", busybox=True).file("is", "2"), "2")
        self.place(ACI(name="example.com/app-other", busybox=True), "3")
        for image_id, asked, expected in ((first, {}, "1"), (None, {"labels": {"version": "2"}}, "2")):
            outcome = self.assert_finished(
                self.run_task(task("example.com/app", image_id, "cat /is", **asked), "--appc-store", self.store))
            self.assertEqual(outcome.out(), expected)
        self.assertEqual(sorted(image["appc"]["labels"][0]["value"] for image in self.images()), ["1", "2"])

    def test_what_is_not_what_was_asked_for_is_refused(self):
        other = "sha512-" + "0" * 128
        self.place(ACI(busybox=True))
        outcome = self.run_task(task("example.com/app", other, "true"), "--appc-store", self.store)
        self.assertEqual(outcome.code, 1, outcome)
        self.assertIn("its image id is sha512-", outcome.said)
        self.assertIn(f"{other} is asked for", outcome.said)
        self.place(ACI(name="example.com/else"), name="example.com/named-latest-linux-amd64.aci")
        outcome = self.run_task(task("example.com/named", None, "true"), "--appc-store", self.store)
        self.assertIn("it is called example.com/else, and example.com/named is asked for", outcome.said)
        self.assertEqual(self.images(), [])
        for asked, words in (
                (task("example.com/gone", None, "true"), f"there is none in {self.store}"),
                (task("example.com/app", None, "true", labels={"version": "../../x"}), "cannot be in the name of a file")):
            outcome = self.run_task(asked, "--appc-store", self.store)
            self.assertEqual(outcome.code, 1, outcome)
            self.assertIn(words, outcome.said)
        missing = self.run_task(task("example.com/app", None, "true"), "--appc-store", self.store + "/none")
        self.assertIn("there is no such directory", missing.said)

    def test_a_store_that_others_can_change_is_refused(self):
        aci = ACI(busybox=True)
        image_id = aci.image_id()
        asked = task("example.com/app", image_id, "true")
        unpacked = os.path.join(self.store, "images", image_id)
        os.makedirs(unpacked + "/rootfs")
        with open(unpacked + "/manifest", "w", encoding="utf-8") as file:
            json.dump(aci.document, file)
        for place, code in ((self.store, 77), (os.path.join(self.store, "images"), 1), (unpacked, 1)):
            for change in (lambda path: os.chmod(path, 0o777), lambda path: os.chown(path, 33, 33)):
                with self.subTest(place=place):
                    change(place)
                    outcome = self.run_task(asked, "--appc-store", self.store)
                    self.assertEqual(outcome.code, code, outcome)
                    self.assertIn(place, outcome.said)
                    self.assertEqual(self.images(), [])
                    os.chmod(place, 0o755)
                    os.chown(place, 0, 0)

    def test_a_link_out_of_the_store_is_not_followed(self):
        secret = self.host.write("secret.aci", ACI(busybox=True).packed("plain"))
        os.makedirs(self.store + "/example.com")
        os.symlink(secret, self.store + "/example.com/app-1-linux-amd64.aci")
        outcome = self.run_task(task("example.com/app", None, "true", labels={"version": "1"}), "--appc-store", self.store)
        self.assertEqual(outcome.code, 1, outcome)
        self.assertIn("links of an --appc-store stay in it", outcome.said)
        self.assertEqual(self.images(), [])
        # One that stays is.
        os.rename(secret, self.store + "/kept.aci")
        os.unlink(self.store + "/example.com/app-1-linux-amd64.aci")
        os.symlink("../kept.aci", self.store + "/example.com/app-1-linux-amd64.aci")
        outcome = self.run_task(task("example.com/app", None, "true", labels={"version": "1"}), "--appc-store", self.store)
        self.assertNotIn("stay in it", outcome.said)

    def test_a_whitelist_that_becomes_gigabytes_is_refused(self):
        deep = "/".join(["d%03d"] * 400)
        paths = ["/" + deep % tuple([number] * 400) for number in range(40)]
        done = self.aurora("image", "import", self.host.write("image.aci", ACI(pathWhitelist=paths).packed("plain")))
        self.assertEqual(done.code, 1, done)
        self.assertIn("pathWhitelist: the directories that lead to its paths have names of more than 8388608 bytes", done.err)

    def test_mesos_own_store_is_one(self):
        aci = ACI(busybox=True, app={"exec": ["/bin/sh", "-c", "cat /a"]}).file("a", "unpacked")
        image_id = aci.image_id()
        directory = f"{self.store}/images/{image_id}"
        os.makedirs(directory)
        with tarfile.open(self.host.write("image.aci", aci.tar())) as tar:
            tar.extractall(directory)
        outcome = self.assert_finished(self.run_task(task(image_id=image_id), "--appc-store", self.store))
        self.assertEqual((outcome.log("task"), outcome.result["image"]["digest"]), ("unpacked", image_id))
        for name, target in (("manifest", "/etc/passwd"), ("rootfs", "/etc")):
            os.rename(f"{directory}/{name}", f"{directory}/was-{name}")
            os.symlink(target, f"{directory}/{name}")
            done = self.aurora("image", "import", directory)
            self.assertEqual(done.code, 1, done)
            os.unlink(f"{directory}/{name}")
            os.rename(f"{directory}/was-{name}", f"{directory}/{name}")
        self.assertEqual(self.aurora("image", "import", directory).code, 0)
        self.assertEqual(len(self.images()), 1)

    def test_never_looks_nowhere(self):
        self.place(ACI(busybox=True))
        outcome = self.run_task(task("example.com/app", None, "true"), "--appc-store", self.store, "--pull", "never")
        self.assertEqual(outcome.code, 1, outcome)

    def test_a_cycle_of_dependencies_ends(self):
        for one, other in (("a", "b"), ("b", "a")):
            self.place(ACI(name=one, dependencies=[{"imageName": other}]))
        done = self.aurora("image", "pull", "a", "--appc-store", self.store)
        self.assertEqual(done.code, 1, done)
        self.assertIn("a cycle of dependencies: a, which depends on b, which depends on a", done.err)
        self.assertEqual(self.images(), [])

    def test_a_size_that_is_stated_is_held_against_the_file(self):
        self.place(ACI(name="base", busybox=True))
        self.place(ACI(dependencies=[{"imageName": "base", "size": 12}]))
        done = self.aurora("image", "pull", "example.com/app", "--appc-store", self.store)
        self.assertEqual(done.code, 1, done)
        self.assertIn("and 12 are stated of the dependency", done.err)

    def test_an_import_finds_its_dependencies(self):
        self.place(ACI(name="base", busybox=True).file("a", "base"))
        image_id = self.add(ACI(dependencies=[{"imageName": "base"}]), "xz", "--appc-store", self.store)
        self.assertEqual(self.assert_finished(self.run_task(task("example.com/app", image_id, "cat /a"))).out(), "base")


class Server:
    """A web server on loopback that serves a directory, or what `answer` says."""

    def __init__(self, directory):
        self.requests = []
        self.answer = lambda handler: False
        server = self

        class Handler(http.server.SimpleHTTPRequestHandler):
            def __init__(self, *arguments):
                super().__init__(*arguments, directory=directory)

            def log_message(self, *_):
                pass

            def do_GET(self):
                server.requests.append((self.path, dict(self.headers)))
                if not server.answer(self):
                    super().do_GET()

        self.httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.httpd.server_address[1]}/"
        threading.Thread(target=self.httpd.serve_forever, daemon=True).start()

    def stop(self):
        self.httpd.shutdown()
        self.httpd.server_close()


class Fetched(StoreTestCase):
    def setUp(self):
        super().setUp()
        self.server = Server(self.store)
        self.addCleanup(self.server.stop)

    def test_images_are_fetched_with_their_dependencies(self):
        base = self.place(ACI(name="example.com/base", busybox=True).file("a", "base"), arch="x86_64")
        image_id = self.place(ACI(version="1", dependencies=[{"imageName": "example.com/base", "imageID": base}]), "1")
        asked = task("example.com/app", image_id, "cat /a", labels={"version": "1"})
        outcome = self.assert_finished(self.run_task(asked, "--appc-discovery-prefix", self.server.url))
        self.assertEqual(outcome.out(), "base")
        self.assertEqual([path for path, _ in self.server.requests], [
            "/example.com/app-1-linux-amd64.aci", "/example.com/base-latest-linux-amd64.aci",
            "/example.com/base-latest-linux-x86_64.aci"])
        self.assertFalse(any("authorization" in map(str.lower, headers) for _, headers in self.server.requests))
        self.assertEqual(os.listdir(self.host.work + "/images/pulls"), [])
        self.assert_finished(self.run_task(asked, "--appc-discovery-prefix", self.server.url))
        self.assertEqual(len(self.server.requests), 3)

    def test_a_cycle_ends_however_it_is_written(self):
        itself = {"imageName": "a", "labels": [{"name": "env", "value": "x"}]}
        self.place(ACI(name="a", dependencies=[itself]))
        done = self.aurora("image", "pull", "a", "--appc-discovery-prefix", self.server.url)
        self.assertEqual(done.code, 1, done)
        self.assertIn("a cycle of dependencies: a, which depends on a,env=x", done.err)
        self.assertEqual(len(self.server.requests), 1)

    def test_two_at_once_fetch_once(self):
        self.place(ACI(busybox=True))
        go = threading.Event()
        self.server.answer = lambda handler: not go.wait(20)
        options = ("--appc-discovery-prefix", self.server.url)
        tasks = [self.start_task(task("example.com/app", None, "true"), *options)]
        wait_until(lambda: self.server.requests, "the first asks")
        tasks.append(self.start_task(task("example.com/app", None, "true"), *options))
        tasks[1].wait_for("update", state="TASK_STAGING")
        time.sleep(0.5)
        self.assertEqual(len(self.server.requests), 1)
        go.set()
        for live in tasks:
            self.assert_finished(live.wait())
        self.assertEqual(len(self.server.requests), 1)

    def test_servers_that_have_none_fail_or_are_not_there(self):
        options = ("--appc-discovery-prefix", self.server.url)
        outcome = self.run_task(task("example.com/gone", None, "true"), *options)
        self.assertEqual(outcome.code, 1, outcome)
        self.assertIn("there is none in http://127.0.0.1", outcome.said)
        self.place(ACI(busybox=True))
        failures = []

        def busy(handler):
            failures.append(handler)
            if len(failures) > 1:
                return False
            handler.send_error(503)
            return True

        self.server.answer = busy
        self.assert_finished(self.run_task(task("example.com/app", None, "true"), *options))
        self.server.answer = lambda handler: handler.send_error(403) or True
        done = self.aurora("image", "pull", "example.com/app", *options)
        self.assertEqual(done.code, 1, done)
        self.assertIn("(403", done.err)
        done = self.aurora("image", "pull", "example.com/app", "--appc-discovery-prefix", "http://127.0.0.1:1/")
        self.assertEqual(done.code, 69, done)
        done = self.aurora("image", "pull", "example.com/app", "--appc-discovery-prefix", "ftp://x/")
        self.assertEqual(done.code, 78, done)
        self.assertIn("--appc-discovery-prefix", done.err)

    def test_what_is_fetched_is_held_against_the_id(self):
        self.place(ACI(busybox=True))
        other = "sha512-" + "0" * 128
        outcome = self.run_task(task("example.com/app", other, "true"), "--appc-discovery-prefix", self.server.url)
        self.assertEqual(outcome.code, 1, outcome)
        self.assertIn(f"{other} is asked for", outcome.said)
        self.assertEqual((self.images(), os.listdir(self.host.work + "/images/pulls")), ([], []))


class Cut(StoreTestCase):
    """A web server that cuts what it sends, and goes on where it is asked to (RFC 9110)."""

    HALF = 500_000

    def setUp(self):
        super().setUp()
        self.server = Server(self.store)
        self.addCleanup(self.server.stop)
        self.options = ("--appc-discovery-prefix", self.server.url)
        self.data = ACI(busybox=True).file("noise", os.urandom(1 << 20)).packed("plain")
        self.version, self.cuts, self.hangs = ("ETag", '"one"'), 1, threading.Event()
        self.hangs.set()
        self.addCleanup(self.hangs.set)
        self.server.answer = self.serve

    def serve(self, handler):
        start = 0
        if "Range" in handler.headers and handler.headers.get("If-Range") == (self.version or (None, None))[1]:
            start = int(handler.headers["Range"].removeprefix("bytes=").rstrip("-"))
        data, self.cuts = self.data[start:], self.cuts - 1
        whole = f"*/{len(self.data)}" if not data else f"{start}-{len(self.data) - 1}/{len(self.data)}"
        handler.send_response(416 if not data else 206 if start else 200)
        for name, value in filter(None, [self.version, start and ("Content-Range", "bytes " + whole), ("Content-Length", str(len(data)))]):
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(data[:self.HALF] if self.cuts >= 0 else data)
        handler.wfile.flush()
        if self.cuts >= 0:
            self.hangs.wait(60)
        handler.close_connection = True
        return True

    def asked(self):
        return [(headers.get("Range"), headers.get("If-Range")) for _, headers in self.server.requests]

    def pull(self):
        done = self.aurora("image", "pull", "example.com/app", *self.options)
        self.assertEqual(done.code, 0, done)
        with open(os.path.join(self.layer(), "noise"), "rb") as file:
            self.assertEqual(file.read(), self.data[self.data.index(b"rootfs/noise") + 512:][:1 << 20])
        self.assertEqual(os.listdir(self.host.work + "/images/pulls"), [])
        return done

    def layer(self):
        layers = self.host.work + "/images/layers"
        return os.path.join(layers, os.listdir(layers)[0], "fs")

    def start(self):
        """A pull that has the first half."""
        self.hangs.clear()
        process = subprocess.Popen(
            self.host.words(["image", "pull", "example.com/app", *self.options]), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.host.environment())
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        wait_until(lambda: self.kept() == self.HALF, "the first half is there")
        return process

    def kept(self):
        sizes = [os.path.getsize(os.path.join(path, name)) for path, _, names in os.walk(self.host.work + "/images/pulls")
                 for name in names if name == "image.aci"]
        return sizes[0] if sizes else None

    def test_it_is_gone_on_with_as_long_as_it_is_the_same(self):
        for version in (("ETag", '"one"'), ("Last-Modified", "Wed, 21 Oct 2015 07:28:00 GMT")):
            with self.subTest(version):
                self.version, self.cuts = version, 2
                self.server.requests.clear()
                self.pull()
                self.assertEqual(self.asked(), [
                    (None, None), (f"bytes={self.HALF}-", version[1]), (f"bytes={2 * self.HALF}-", version[1])])
                self.aurora("image", "rm", "example.com/app")

    def test_by_the_next_pull_as_well(self):
        process = self.start()
        process.kill()
        process.wait()
        self.hangs.set()
        self.pull()
        self.assertEqual(self.asked(), [(None, None), (f"bytes={self.HALF}-", '"one"')])

    def test_after_a_stop_as_well(self):
        process = self.start()
        process.terminate()
        process.wait(20)
        self.hangs.set()
        self.assertEqual(self.kept(), self.HALF)
        self.pull()
        self.assertEqual(self.asked()[-1], (f"bytes={self.HALF}-", '"one"'))

    def test_another_version_begins_anew(self):
        process = self.start()
        process.kill()
        process.wait()
        self.hangs.set()
        self.version = ("ETag", '"two"')
        self.data = ACI(busybox=True).file("noise", os.urandom(1 << 20)).packed("plain")
        self.pull()
        self.assertEqual(self.asked()[-1], (f"bytes={self.HALF}-", '"one"'))

    def test_what_nothing_tells_from_others_begins_anew(self):
        for version in (None, ("ETag", 'W/"weak"'), ("ETag", '"' + "x" * 300 + '"')):
            with self.subTest(version):
                self.version, self.cuts = version, 1
                self.server.requests.clear()
                self.pull()
                self.assertEqual(self.asked(), [(None, None)] * 2)
                self.aurora("image", "rm", "example.com/app")

    def test_what_had_come_whole_is_not_fetched_again(self):
        process = self.start()
        process.kill()
        process.wait()
        self.hangs.set()
        path = [os.path.join(path, "image.aci") for path, _, names in os.walk(self.host.work + "/images/pulls") if "image.aci" in names][0]
        with open(path, "ab") as file:
            file.write(self.data[self.HALF:])
        self.pull()
        self.assertEqual(self.asked()[-1], (f"bytes={len(self.data)}-", '"one"'))
