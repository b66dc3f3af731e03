"""The image store: what it lists, keeps, verifies and removes, whatever an image is called or holds."""

import json
import os
import signal
import tarfile
import time

from support import ExecutorTestCase, Image, Layer, TarWriter, busybox_image, document
from support.images import busybox_tar


class Store(ExecutorTestCase):
    def test_ls_and_inspect_tell_of_an_image(self):
        image = busybox_image(config={"Env": ["A=b"], "Cmd": ["sh"], "WorkingDir": "/srv"})
        self.host.import_image(image)
        listed = json.loads(self.aurora("image", "ls", "--output", "json").out)
        shown = json.loads(self.aurora("image", "inspect", "busybox:test").out)
        self.assertEqual(listed["id"], shown["id"])
        self.assertEqual((shown["environment"], shown["command"], shown["working_directory"]), (["A=b"], ["sh"], "/srv"))
        self.assertEqual([layer["diff_id"] for layer in shown["layers"]], [layer.diff_id for layer in image.layers])
        short = self.aurora("image", "ls", "--quiet").out.strip()
        self.assertEqual(json.loads(self.aurora("image", "inspect", short).out)["id"], shown["id"])

    def test_rm_removes_the_image_and_its_layers(self):
        self.with_busybox()
        done = self.aurora("image", "rm", "busybox:test")
        self.assertEqual(done.code, 0, done)
        self.assertEqual(self.aurora("image", "ls", "--quiet").out, "")
        self.assertEqual(self.busyboxes(), [])
        self.assert_failed(self.run_task(document("true", image="busybox:test"), "--pull", "never"), "busybox:test")

    def test_rm_keeps_a_layer_that_another_image_has(self):
        base = Layer(busybox_tar())
        for name in ("one:1", "two:1"):
            self.host.import_image(Image([base, Layer(TarWriter().file(name[:3], name))], name=name))
        self.assertEqual(self.aurora("image", "rm", "one:1").code, 0)
        self.assert_finished(self.run_task(document("cat /two", image="two:1")))

    def test_rm_of_an_image_that_a_task_uses_is_refused(self):
        task = self.start_task(document("echo ready; sleep 1000", image=self.with_busybox(), finalization_wait=2))
        task.wait_log("ready")
        done = self.aurora("image", "rm", "busybox:test")
        self.assertNotEqual(done.code, 0, done)
        self.assertIn("busybox:test", done.err)
        self.assertEqual(len(self.busyboxes()), 1)
        task.signal(signal.SIGTERM).wait()
        self.assertEqual(self.aurora("image", "rm", "busybox:test").code, 0)

    def test_rm_is_refused_also_while_only_the_container_is_left_of_the_task(self):
        task = self.start_task(document("echo ready; sleep 1000", image=self.with_busybox(), finalization_wait=2))
        task.wait_log("ready").kill()
        done = self.aurora("image", "rm", "busybox:test")
        self.assertNotEqual(done.code, 0, done)
        rest = self.host.start("recover", task.id, task_id=task.id)
        rest.wait_for("recovered").signal(signal.SIGTERM)
        self.assertEqual(rest.wait().code, 3)

    def busyboxes(self):
        return [directory for directory, _, names in os.walk(self.host.work + "/images") if "busybox" in names]

    def test_an_image_that_is_not_there_is_exit_status_66_and_names_it(self):
        self.with_busybox()
        for action in ("inspect", "rm"):
            done = self.aurora("image", action, "busybos:test")
            self.assertEqual(done.code, 66, done)
            self.assertIn("busybos:test", done.err)
        outcome = self.assert_failed(self.run_task(document("true", image="absent:1"), "--pull", "never"), "absent:1")
        self.assertFalse(outcome.has_record("launched"))

    def test_an_archive_that_is_not_there_is_exit_status_66(self):
        self.assertEqual(self.aurora("image", "import", "/no/such/archive.tar").code, 66)


class Names(ExecutorTestCase):
    """Names are read by every command: none may end them."""

    def archive(self, tags):
        image = busybox_image()
        image.name = tags[0]
        path = image.docker_archive(self.host.path("names.tar"))
        with tarfile.open(path) as tar:
            members = {member.name: tar.extractfile(member).read() for member in tar if member.isfile()}
        manifest = json.loads(members["manifest.json"])
        manifest[0]["RepoTags"] = tags
        members["manifest.json"] = json.dumps(manifest).encode()
        out = TarWriter()
        for name, content in members.items():
            out.file(name, content)
        return self.host.write("names.tar", out.bytes())

    def assert_store_works(self):
        self.assert_finished(self.run_task(document("true", image=self.with_busybox())))
        self.assertEqual(self.aurora("image", "ls").code, 0)

    def test_the_longest_names_and_longer_ones(self):
        for length in (247, 248, 255, 256):
            with self.subTest(length=length):
                name = "a" * length + ":1"
                done = self.aurora("image", "import", "-q", self.archive([name]))
                self.assertEqual(done.code == 0, length <= 247, done)
                self.assert_store_works()

    def test_an_archive_of_thousands_of_names(self):
        path = self.archive(["%s/%05d:%s" % ("x" * 240, number, "t" * 120) for number in range(9000)])
        done = self.aurora("image", "import", "-q", path)
        self.assertEqual(done.code, 1, done)
        self.assertIn("9000", done.err)
        self.assert_store_works()
        self.assertEqual(self.aurora("image", "import", "-q", path, "mine:1").code, 0)

    def test_a_name_that_is_none_is_left_out_and_said(self):
        self.with_busybox()
        table = self.host.work + "/images/references.json"
        with open(table, encoding="utf-8") as file:
            content = json.load(file)
        content["references"].append({"name": "docker.io/library/" + "a" * 250 + ":1", "id": content["references"][0]["id"]})
        with open(table, "w", encoding="utf-8") as file:
            json.dump(content, file)
        self.assertIn("references[1]", self.aurora("image", "ls").err)
        self.assert_store_works()


class Keeping(ExecutorTestCase):
    """`gc`, `pin`, `verify` and `df`."""

    def images(self):
        return self.host.work + "/images"

    def add(self, *names):
        base = Layer(busybox_tar())
        for name in names:
            self.host.import_image(Image([base, Layer(TarWriter().file(name, name * 100))], name=name + ":1"))

    def events(self, *options):
        done = self.aurora("image", "gc", "--output", "json", *options)
        return done, [json.loads(line) for line in done.out.splitlines()]

    def listed(self):
        return [json.loads(line)["references"][0] for line in self.aurora("image", "ls", "--output", "json").out.splitlines()]

    def age(self, name, days):
        image = json.loads(self.aurora("image", "inspect", name).out)["id"].split(":")[1]
        when = time.time() - days * 86400
        os.utime(f"{self.images()}/images/{image}/used", (when, when))

    def test_gc_goes_by_age_and_says_why(self):
        self.add("old", "pinned", "used", "young")
        self.assertEqual(self.aurora("image", "pin", "pinned:1").code, 0)
        task = self.start_task(document("echo ready; sleep 1000", image="used:1", finalization_wait=2))
        task.wait_log("ready")
        for name in ("old", "pinned", "used"):
            self.age(name + ":1", 20)
        expected = [("removed", "old:1", "unused since 20 days"), ("kept", "pinned:1", "pinned"),
                    ("kept", "used:1", "in use by a container, or used just now")]
        for options in (["--dry-run"], []):
            done, events = self.events(*options)
            self.assertEqual(done.code, 0, done)
            told = sorted((event["event"], event["references"][0], event["reason"]) for event in events if event["event"] != "end")
            self.assertEqual(told, sorted(expected))
            self.assertEqual(events[-1]["images"], 1)
            self.assertEqual({event["dry_run"] for event in events}, {bool(options)})
            self.assertEqual("old:1" in self.listed(), bool(options))
        self.assertEqual(self.listed(), ["pinned:1", "used:1", "young:1"])
        task.signal(signal.SIGTERM).wait()
        self.assertEqual(self.aurora("image", "unpin", "pinned:1").code, 0)
        done = self.aurora("image", "gc", "--unused-for", "10d")
        self.assertIn("removed image pinned:1", done.out)
        self.assertEqual(self.listed(), ["young:1"])

    def test_gc_goes_by_room_least_recently_used_first(self):
        self.add("first", "second", "third")
        self.age("second:1", 3)
        self.age("first:1", 1)
        self.aurora("image", "pin", "third:1")
        done, events = self.events("--until-free", "1K")
        self.assertEqual((done.code, [event["event"] for event in events]), (0, ["end"]))
        done, events = self.events("--until-free", "900T")
        self.assertEqual(done.code, 79, done)
        self.assertIn("900 TiB are not free", done.err)
        told = [(event["event"], event["references"][0]) for event in events[:-1]]
        self.assertEqual(told, [("removed", "second:1"), ("removed", "first:1"), ("kept", "third:1")])
        self.assertIn("to free, least recently used", events[0]["reason"])
        self.assertEqual(self.listed(), ["third:1"])

    def test_gc_takes_leftovers_and_layers_without_an_image(self):
        self.add("kept")
        os.makedirs(self.images() + "/staging/dead/fs")
        os.makedirs(self.images() + "/pulls/failed/partial")
        with open(self.images() + "/pulls/failed/partial/x", "wb") as file:
            file.write(bytes(1 << 20))
        os.makedirs(f"{self.images()}/layers/{'ab' * 32}/fs")
        usage = json.loads(self.aurora("image", "df", "--output", "json").out)
        self.assertEqual([item["kind"] for item in usage["leftovers"]], ["staging", "pull"])
        self.assertGreaterEqual(usage["leftovers"][1]["bytes"], 1 << 20)
        self.assertIn("left by pulls", self.aurora("image", "df").out)
        # A command that has to do with nothing of it leaves what may be of use; `sweep` too.
        self.assertEqual(self.aurora("sweep").code, 0)
        self.assertEqual(os.listdir(self.images() + "/staging"), [])
        self.assertEqual(os.listdir(self.images() + "/pulls"), ["failed"])
        when = time.time() - 90_000
        done, events = self.events()
        self.assertEqual(done.code, 0, done)
        self.assertEqual([event["kind"] for event in events[:-1]], ["pull", "layer"])
        self.assertEqual(os.listdir(self.images() + "/pulls"), [])
        os.makedirs(self.images() + "/pulls/old")
        os.utime(self.images() + "/pulls/old", (when, when))
        self.assertIn("pulls/old", self.aurora("sweep").out)
        self.assertEqual(os.listdir(self.images() + "/pulls"), [])
        self.assert_finished(self.run_task(document("true", image="kept:1")))

    def test_what_gc_does_not_understand_is_said(self):
        for options in (["--unused-for", "soon"], ["--until-free", "much"], ["--until-free", "1.5G"], ["x"]):
            self.assertEqual(self.aurora("image", "gc", *options).code, 64, options)
        self.assertEqual(self.aurora("image", "gc", "--dry-run").code, 0)

    def test_pins_are_shown(self):
        self.add("one")
        self.assertEqual(self.aurora("image", "pin", "one:1").code, 0)
        self.assertTrue(json.loads(self.aurora("image", "inspect", "one:1").out)["pinned"])
        self.assertIn("pinned", self.aurora("image", "ls").out)
        self.aurora("image", "unpin", "one:1")
        self.assertFalse(json.loads(self.aurora("image", "inspect", "one:1").out)["pinned"])
        self.assertEqual(self.aurora("image", "pin", "absent:1").code, 66)

    def test_df_tells_shared_from_unique(self):
        self.add("one", "two")
        usage = json.loads(self.aurora("image", "df", "--output", "json").out)
        self.assertEqual([image["unique_bytes"] for image in usage["images"]], [300, 300])
        shared = {image["shared_bytes"] for image in usage["images"]}
        self.assertEqual(shared, {max(layer["bytes"] for layer in usage["layers"])})
        self.assertEqual(sorted(layer["images"] for layer in usage["layers"]), [1, 1, 2])
        self.assertEqual(usage["reclaimable_bytes"], usage["layer_bytes"])
        self.aurora("image", "pin", "one:1")
        self.assertEqual(json.loads(self.aurora("image", "df", "--output", "json").out)["reclaimable_bytes"], 300)

    def test_verify_names_what_is_another(self):
        self.add("one", "two")
        done = self.aurora("image", "verify")
        self.assertEqual((done.code, done.out.count("sound")), (0, 2), done)
        shown = json.loads(self.aurora("image", "inspect", "two:1").out)
        path = shown["layers"][1]["path"] + "/two"
        before = os.stat(path)
        with open(path, "r+b") as file:
            file.write(b"T")
        os.utime(path, (before.st_atime, before.st_mtime))
        done = self.aurora("image", "verify", "two:1")
        self.assertEqual(done.code, 1, done)
        self.assertIn("changed /two", done.out)
        self.assertEqual(self.aurora("image", "verify", "one:1").code, 0)
        with open(path, "r+b") as file:
            file.write(b"t")
        os.utime(path, (before.st_atime, before.st_mtime))
        self.assertEqual(self.aurora("image", "verify").code, 0)
        # A layer of before there was anything to compare with.
        os.unlink(os.path.dirname(shown["layers"][1]["path"]) + "/digests")
        done = self.aurora("image", "verify")
        self.assertEqual(done.code, 79, done)
        self.assertIn("nothing was written down", done.out)
        self.assertEqual(self.aurora("image", "verify", "--record").code, 0)
        self.assertEqual(self.aurora("image", "verify").code, 0)
        self.assertEqual(self.aurora("image", "verify", "absent:1").code, 66)
