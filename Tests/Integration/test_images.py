"""Images: what is imported, and what of it is seen; and that hostile archives change nothing."""

import fcntl
import gzip
import hashlib
import json
import os
import subprocess
import threading
import time

from support import ExecutorTestCase, Image, Layer, TarWriter, busybox_image, document, need_command
from support.images import busybox_tar


class Import(ExecutorTestCase):
    def test_every_form_of_archive_is_imported_and_runs(self):
        layers = [Layer(TarWriter().directory("srv").file("srv/a", "one")), Layer(TarWriter().file("srv/b", "two"))]
        for form in ("docker_archive", "old_docker_archive", "docker25_archive", "oci_layout", "oci_archive"):
            with self.subTest(form=form):
                name = f"busybox:{form.replace('_', '-')}"
                image = busybox_image(name=name, config={"Env": ["SET=by image"]}, layers=layers)
                self.host.import_image(image, form)
                outcome = self.assert_finished(self.run_task(document("cat /srv/a /srv/b; echo $SET", image=name)))
                self.assertEqual(outcome.out(), "onetwoby image\n")

    def test_layers_are_plain_gzip_or_zstd(self):
        for compression in ("none", "gzip", "zstd"):
            with self.subTest(compression=compression):
                name = f"busybox:{compression}"
                layers = [Layer(busybox_tar(), compression), Layer(TarWriter().file("made", compression), compression)]
                self.host.import_image(Image(layers, name=name), "oci_archive")
                self.assertEqual(self.assert_finished(self.run_task(document("cat /made", image=name))).out(), compression)

    def test_archives_themselves_may_be_compressed(self):
        path = busybox_image().docker_archive(self.host.path("image.tar"))
        for tool in ("gzip", "zstd", "xz", "bzip2"):
            need_command(tool)
            with self.subTest(tool), open(path, "rb") as file:
                # In two pieces, as tools that work in parallel write them.
                content = file.read()
                packed = b"".join(
                    subprocess.run([tool, "-c", "-1"], input=piece, stdout=subprocess.PIPE, check=True).stdout
                    for piece in (content[:70000], content[70000:]))
                done = self.aurora("image", "import", self.host.write("packed", packed), f"{tool}:1")
                self.assertEqual(done.code, 0, done)
                self.assert_finished(self.run_task(document("true", image=f"{tool}:1")))
                cut = self.aurora("image", "import", self.host.write("packed", packed[:-20]), "cut:1")
                self.assertEqual(cut.code, 1, cut)
                self.assertRegex(cut.err, f"{tool} data is cut off")

    def test_standard_input_is_imported(self):
        path = busybox_image().docker_archive(self.host.path("image.tar"))
        for tool in ("cat", "xz -1"):
            with self.subTest(tool):
                packed = subprocess.run(f"{tool} < {path}", shell=True, stdout=subprocess.PIPE, check=True).stdout
                done = self.aurora("image", "import", "-", "--tag", "piped:1", input=packed)
                self.assertEqual(done.code, 0, done)
                self.assert_finished(self.run_task(document("true", image="piped:1")))
        with open(path, "rb") as file:
            # The beginning is read already.
            file.seek(100)
            done = self.aurora("image", "import", "-", stdin=file)
        self.assertEqual(done.code, 1, done)
        self.assertIn("import standard input: ", done.err)

    def test_a_tar_of_a_root_is_an_image_where_it_is_named_so(self):
        tar = busybox_tar().fifo("srv/pipe").entry("dev/null", b"3", major=1, minor=3).file("srv/a", "one")
        path = self.host.write("root.tar", tar.bytes())
        for words in ((path,), (path, "plain:1")):
            done = self.aurora("image", "import", *words)
            self.assertEqual(done.code, 1, done)
        self.assertIn("--tag NAME:TAG", self.aurora("image", "import", self.host.write("a.tar", busybox_tar().bytes())).err)
        for tool in ("cat", "bzip2 -c"):
            packed = subprocess.run(f"{tool} < {path}", shell=True, stdout=subprocess.PIPE, check=True).stdout
            done = self.aurora("image", "import", "--tag", "plain:1", self.host.write("root.packed", packed))
            self.assertEqual(done.code, 0, done)
            outcome = self.assert_finished(self.run_task(document("cat /srv/a; test -p /srv/pipe", image="plain:1")))
            self.assertEqual(outcome.out(), "one")
        self.assertEqual(self.aurora("image", "import", path, "x:1", "--tag", "plain:1").code, 64)

    def test_an_archive_of_skopeo_and_one_of_umoci_are_imported(self):
        need_command("skopeo")
        need_command("umoci")
        source = busybox_image().docker_archive(self.host.path("image.tar"))
        layout = self.host.path("layout")
        policy = ["--insecure-policy", "--tmpdir", self.host.directory]
        subprocess.run(["skopeo", *policy, "copy", "-q", f"docker-archive:{source}", f"oci:{layout}:busybox"], check=True)
        subprocess.run(["skopeo", *policy, "copy", "-q", f"docker-archive:{source}", f"oci-archive:{self.host.path('oci.tar')}:x"], check=True)
        subprocess.run(["umoci", "config", "--image", f"{layout}:busybox", "--config.env", "MADE=umoci"], check=True)
        for path, name in ((layout, "busybox:umoci"), (self.host.path("oci.tar"), "busybox:skopeo")):
            with self.subTest(path=path):
                self.assertEqual(self.aurora("image", "import", path, name).code, 0)
                self.assert_finished(self.run_task(document("true", image=name)))
        self.assertEqual(self.run_task(document("echo $MADE", image="busybox:umoci")).out(), "umoci\n")

    def test_importing_twice_keeps_every_layer_once(self):
        self.with_busybox()
        before = self.files()
        self.with_busybox()
        self.assertEqual(self.files(), before)
        self.assertEqual(len(self.aurora("image", "ls", "--quiet").out.split()), 1)

    def test_images_that_share_a_layer_share_it_on_disk(self):
        base = Layer(busybox_tar())
        for name in ("one", "two"):
            self.host.import_image(Image([base, Layer(TarWriter().file(name, name))], name=f"{name}:1"))
        copies = [path for path in self.files() if path.endswith("/bin/busybox")]
        self.assertEqual(len(copies), 1)
        self.assertEqual(self.run_task(document("cat /two; ls /one", image="two:1")).out(), "two")

    def files(self):
        found = {}
        for directory, _, names in os.walk(self.host.work + "/images"):
            for name in names:
                path = os.path.join(directory, name)
                # Locks and indexes are rewritten; layers are not.
                if "/layers/" in path:
                    found[path] = os.lstat(path).st_ino
        return found

    def test_whiteouts_and_opaque_directories_hide_what_is_below(self):
        lower = TarWriter().directory("d").file("d/kept", "k").file("d/gone", "g").directory("o").file("o/old", "o")
        lower.directory("tree").directory("tree/sub").file("tree/sub/f", "f")
        upper = TarWriter().file("d/.wh.gone").directory("o").file("o/.wh..wh..opq").file("o/new", "n").file(".wh.tree")
        image = busybox_image(layers=[Layer(lower), Layer(upper)])
        self.host.import_image(image)
        outcome = self.assert_finished(self.run_task(document("cd /; ls d o; ls tree || true", image=image.name)))
        self.assertEqual(outcome.out(), "d:\nkept\n\no:\nnew\n")

    def test_directories_without_an_entry_are_as_the_layers_below_have_them(self):
        below = TarWriter().directory("srv", mode=0o750, uid=2, gid=2, mtime=1000).symlink("lib", "/usr/lib")
        below.directory("usr", mode=0o711).directory("usr/lib", mode=0o751).file("usr/lib/old", "old")
        above = TarWriter().file("tmp/marker").file("srv/new", uid=2, gid=2).file("lib/new", "new").hardlink("lib/third", "lib/old")
        image = busybox_image(layers=[Layer(below), Layer(above)])
        self.host.import_image(image)
        command = "cd /; stat -c '%n %a %u %Y' srv; stat -c '%n %a %F' tmp lib usr usr/lib; cat usr/lib/new usr/lib/third; touch /tmp/mine"
        outcome = self.assert_finished(self.run_task(document(command, image=image.name)))
        self.assertEqual(outcome.out(), (
            "srv 750 2 1000\ntmp 1777 directory\nlib 777 symbolic link\nusr 711 directory\nusr/lib 751 directory\nnewold"))
        shown = json.loads(self.aurora("image", "inspect", image.name).out)
        self.assertEqual([layer["diff_id"] for layer in shown["layers"]], [layer.diff_id for layer in image.layers])
        self.assertEqual((len(shown["supplements"]), len(shown["stack"])), (2, 5))

        # The same layer on another base is what it is there, and the supplements go with their images.
        other = busybox_image(name="other:1", layers=[Layer(TarWriter().file("tmp/marker"))])
        self.host.import_image(other)
        self.host.import_image(image)
        self.assertEqual(self.run_task(document("stat -c %a /tmp", image="other:1")).out(), "1777\n")
        for name in (image.name, "other:1"):
            self.assertEqual(self.aurora("image", "rm", name).code, 0)
        self.assertEqual(os.listdir(self.host.work + "/images/layers"), [])

    def test_a_file_that_comes_back_after_its_whiteout_is_there(self):
        image = busybox_image(layers=[
            Layer(TarWriter().file("f", "old")), Layer(TarWriter().file(".wh.f")), Layer(TarWriter().file("f", "new"))])
        self.host.import_image(image)
        self.assertEqual(self.run_task(document("cat /f", image=image.name)).out(), "new")

    def test_hard_links_modes_owners_and_long_names_are_kept(self):
        long = "/".join(["x" * 60] * 5)
        tar = TarWriter().directory("d").file("d/one", "1", mode=0o640, uid=7, gid=8).hardlink("d/two", "d/one")
        tar.file("sticky", mode=0o6711)
        for depth in range(1, 5):
            tar.directory("/".join(["x" * 60] * depth))
        tar.file(long, "deep").file("big-owner", "", uid=4_000_000_000, gid=4_000_000_001)
        image = busybox_image(layers=[Layer(tar)])
        self.host.import_image(image)
        outcome = self.assert_finished(self.run_task(document(
            f"cd /; stat -c '%h %a %u %g' d/one d/two; stat -c %a sticky; cat {long}; echo; stat -c '%u %g' big-owner",
            image=image.name)))
        self.assertEqual(outcome.out(), "2 640 7 8\n2 640 7 8\n6711\ndeep\n4000000000 4000000001\n")

    def test_names_of_strange_bytes_are_kept(self):
        names = ["with space", "new\nline", "q'uote", "ünï", "-dash"]
        tar = TarWriter().directory("d")
        for name in names:
            tar.file("d/" + name, "x")
        tar.file(b"d/\xff\xfe", "x")
        image = busybox_image(layers=[Layer(tar)])
        self.host.import_image(image)
        outcome = self.assert_finished(self.run_task(document("cd /d; for f in *; do cat -- \"$f\"; done", image=image.name)))
        self.assertEqual(outcome.out(), "x" * 6)

    def test_a_layer_is_the_root_of_the_names_in_it(self):
        # As kaniko writes them: an entry for the root, absolute names and targets.
        tar = TarWriter().entry("/", b"5", mode=0o755).directory("/app").file("/app/data", "data", mode=0o644)
        tar.hardlink("/app/other", "/app/data").symlink("lib", "/app").hardlink("third", "lib/data").file("../a/../up", "up")
        image = busybox_image(layers=[Layer(tar)])
        self.host.import_image(image)
        outcome = self.assert_finished(self.run_task(document("cat /app/data /up; stat -c %h /third", image=image.name)))
        self.assertEqual(outcome.out(), "dataup3\n")

    def test_names_of_processors_are_compared_by_their_meaning(self):
        for about in ({"architecture": "x86_64"}, {"os": "Linux"}, {"architecture": "AMD64"}):
            image = busybox_image()
            image.configuration = json.dumps({**json.loads(image.configuration), **about}).encode()
            self.host.import_image(image)

    def test_blobs_that_are_links_out_of_the_layout_are_refused_with_the_reason(self):
        layout = busybox_image().oci_layout(self.host.path("layout"))
        os.rename(layout + "/blobs/sha256", self.host.path("elsewhere"))
        os.mkdir(layout + "/blobs/sha256")
        for name in os.listdir(self.host.path("elsewhere")):
            os.symlink(self.host.path("elsewhere/" + name), layout + "/blobs/sha256/" + name)
        done = self.aurora("image", "import", layout, "linked:1")
        self.assertEqual(done.code, 1, done)
        self.assertIn("leads out of the layout", done.err)
        self.assertIn("hint: ", done.err)

    def test_a_name_is_needed_where_the_archive_has_none(self):
        path = busybox_image(name="x:y").oci_archive(self.host.path("oci.tar"))
        done = self.aurora("image", "import", path, "mine:1")
        self.assertEqual(done.code, 0, done)
        self.assertIn("mine:1", self.aurora("image", "ls").out)


    def test_imports_at_once_do_not_disturb_each_other(self):
        path = busybox_image().docker_archive(self.host.path("image.tar"))
        words = self.host.words(["image", "import", path])
        running = [
            subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            for _ in range(6)]
        for item in running:
            out, _ = item.communicate(timeout=30)
            self.assertEqual(item.returncode, 0, out)
        self.assertEqual(len([name for name in self.files() if name.endswith("/bin/busybox")]), 1)
        self.assert_finished(self.run_task(document("true", image="busybox:test")))

    def test_an_import_that_is_killed_leaves_a_store_that_works(self):
        tar = TarWriter()
        for index in range(3000):
            tar.file(f"f{index}", "x" * 3000)
        path = busybox_image(layers=[Layer(tar)]).docker_archive(self.host.path("image.tar"))
        words = self.host.words(["image", "import", path])
        for delay in (0.0, 0.01, 0.03, 0.06, 0.1):
            running = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(delay)
            running.kill()
            running.wait()
        self.assertEqual(self.aurora("image", "import", path).code, 0)
        self.assert_finished(self.run_task(document("test -e /f2999", image="busybox:test")))
        # What the killed ones had begun is not kept for ever.
        self.assertEqual(len([name for name in self.everything() if name.endswith("/f2999")]), 1)

    def test_who_holds_an_import_back_does_so_for_a_while(self):
        """The lock of an import belongs to whoever has the configuration, which is no secret."""
        image = busybox_image()
        path = image.docker_archive(self.host.path("image.tar"))
        self.assertEqual(self.aurora("image", "import", path).code, 0)
        self.assertEqual(self.aurora("image", "rm", "busybox:test").code, 0)
        locks = [os.path.join(self.host.work, "images/importing", name) for name in os.listdir(self.host.work + "/images/importing")]
        self.assertEqual(len(locks), 1)
        with open(locks[0], "rb") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            done = self.aurora("image", "import", path, timeout=90)
        self.assertEqual(done.code, 0, done)
        self.assertIn("another import of it is under way", done.err)
        self.assert_finished(self.run_task(document("true", image="busybox:test")))

    def everything(self):
        return [
            os.path.join(directory, name) for directory, _, names in os.walk(self.host.work + "/images") for name in names]


class Beside(ExecutorTestCase):
    """What lies beside the wanted image is no concern of its import."""

    ARM = {"architecture": "arm64", "variant": "v8"}

    def other(self, name, **about):
        image = busybox_image(name=name)
        image.configuration = json.dumps({**json.loads(image.configuration), **about}).encode()
        return image

    def layout(self, *descriptors, blobs=(), image=None):
        """A layout of an image, with more in its index and among its blobs."""
        image = image or busybox_image(name="case/good:1")
        path = image.oci_layout(self.host.path(f"layout{len(os.listdir(self.host.directory))}"))
        for blob in blobs:
            self.host.write(os.path.join(path, "blobs/sha256", hashlib.sha256(blob).hexdigest()), blob)
        with open(path + "/index.json", encoding="utf-8") as file:
            index = json.load(file)
        index["manifests"] = [*descriptors, *index["manifests"]]
        with open(path + "/index.json", "w", encoding="utf-8") as file:
            json.dump(index, file)
        return path

    @staticmethod
    def descriptor(blob, kind="application/vnd.oci.image.manifest.v1+json", **more):
        return {"mediaType": kind, "digest": "sha256:" + hashlib.sha256(blob).hexdigest(), "size": len(blob), **more}

    def artifact(self, config, layers, **more):
        """A manifest that is no image, with its blobs: cosign's, oras', buildkit's."""
        blobs = [blob for blob, _ in (config, *layers)]
        manifest = json.dumps({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": self.descriptor(*config), "layers": [self.descriptor(*layer) for layer in layers], **more}).encode()
        return manifest, [manifest, *blobs]

    def assert_taken(self, path, *passed, name="case/good:1", words=()):
        done = self.aurora("image", "import", path, *words)
        self.assertEqual(done.code, 0, done)
        self.assertIn(name, done.out)
        lines = [line for line in done.err.splitlines() if "passed over: " in line]
        self.assertEqual(len(lines), len(passed), done.err)
        for line, expected in zip(lines, passed):
            for word in expected:
                self.assertIn(word, line)
        self.assert_finished(self.run_task(document("true", image=name)))
        self.aurora("image", "rm", "--force", name)

    def test_signatures_attestations_and_bills_are_passed_over(self):
        config = json.dumps({"architecture": "", "os": "", "config": {}, "rootfs": {"type": "layers", "diff_ids": ["sha256:" + "0" * 64]}}).encode()
        oci_config = "application/vnd.oci.image.config.v1+json"
        signature, blobs = self.artifact(
            (config, oci_config), [(b'{"critical":{}}', "application/vnd.dev.cosign.simplesigning.v1+json")])
        self.assert_taken(self.layout(self.descriptor(signature), blobs=blobs), ["unknown media type", "cosign"])
        bill, blobs = self.artifact(
            (b"{}", "application/vnd.oci.empty.v1+json"), [(b"{1}", "application/spdx+json")], artifactType="application/spdx+json")
        self.assert_taken(
            self.layout(self.descriptor(bill, artifactType="application/spdx+json"), blobs=blobs), ["(application/spdx+json)", "empty.v1"])
        attestation, blobs = self.artifact((config, oci_config), [(b"{}", "application/vnd.in-toto+json")])
        unknown = {"platform": {"os": "unknown", "architecture": "unknown"}, "annotations": {"io.containerd.image.name": "case/good:1"}}
        self.assert_taken(self.layout(self.descriptor(attestation, **unknown), blobs=blobs), ["case/good:1 (unknown/unknown)"])
        # One whose blob is not there at all, and what is no descriptor.
        self.assert_taken(self.layout(self.descriptor(b"absent"), {"digest": "md5:1"}), ["md5:1"], ["missing"])

    def test_other_processors_are_passed_over_and_a_name_chooses_first(self):
        arm = self.other("case/two:arm", **self.ARM)
        x86 = busybox_image(name="case/two:x86")
        two = self.save(arm, x86)
        why = ["case/two:arm", "the image is for linux/arm64/v8, not for linux/amd64"]
        self.assert_taken(two, why, name="case/two:x86")
        self.assert_taken(two, name="case/two:x86", words=["case/two:x86"])
        self.assert_taken(two, why, name="mine:1", words=["mine:1"])
        for words in (["case/two:arm"], ["--tag", "case/two:arm"]):
            done = self.aurora("image", "import", two, *words)
            self.assertEqual(done.code, 1, done)
            self.assertIn("the image is for linux/arm64/v8", done.err)
        done = self.aurora("image", "import", self.save(arm, self.other("case/two:s", architecture="s390x")))
        self.assertEqual(done.code, 1, done)
        for word in ("none of the 2 images", "case/two:arm", "case/two:s", "s390x"):
            self.assertIn(word, done.err)
        self.assertEqual(self.aurora("image", "ls", "--quiet").out, "")

    def save(self, *images):
        """One archive of `docker save` with several images."""
        tar, items = TarWriter(), []
        for image in images:
            config = hashlib.sha256(image.configuration).hexdigest() + ".json"
            names = []
            for layer in image.layers:
                names.append(layer.diff_id.removeprefix("sha256:") + "/layer.tar")
                tar.file(names[-1], layer.tar)
            tar.file(config, image.configuration)
            items.append({"Config": config, "RepoTags": [image.name], "Layers": names})
        tar.file("manifest.json", json.dumps(items))
        return self.host.write(f"two{len(os.listdir(self.host.directory))}.tar", tar.bytes())

    def test_a_broken_neighbour_is_passed_over(self):
        broken = busybox_image(name="case/broken:1", config={"Env": ["broken"]})
        broken.configuration = b"{"
        self.assert_taken(self.save(broken, busybox_image(name="case/good:1")), ["case/broken:1", ".json: 1:2"])


class HostileArchives(ExecutorTestCase):
    """Only what can be seen from outside; the unpacker's own tests are with it."""

    def setUp(self):
        super().setUp()
        self.canary = self.host.write("canary/file", "untouched")
        os.chmod(os.path.dirname(self.canary), 0o777)
        os.chmod(self.canary, 0o666)

    def check(self, tar, *words, refused=True):
        """The import is refused and names the entry, or harmless; the host is as it was, and the store is empty."""
        path = Image([Layer(tar)], name="hostile:1").docker_archive(self.host.path("hostile.tar"))
        done = self.aurora("image", "import", path)
        if refused:
            self.assertNotEqual(done.code, 0, done)
            for word in words:
                self.assertIn(word, done.err)
            self.assertEqual(self.aurora("image", "ls", "--quiet").out, "")
            self.assertEqual(self.layers(), [])
        self.assertEqual(os.listdir(os.path.dirname(self.canary)), ["file"])
        with open(self.canary, encoding="utf-8") as file:
            self.assertEqual(file.read(), "untouched")
        self.assertEqual(os.stat(self.canary).st_mode & 0o7777, 0o666)
        return done

    def layers(self):
        directory = self.host.work + "/images/layers"
        return os.listdir(directory) if os.path.isdir(directory) else []

    def test_names_do_not_leave_the_layer(self):
        for name in ("..", "a/..", "/"):
            with self.subTest(name=name):
                self.check(TarWriter().directory("a").file(name, "planted"), "root")
        for name in ("../../../../../../../.." + self.canary, self.canary, "a/../.." + self.canary):
            with self.subTest(name=name):
                self.check(TarWriter().directory("a").file(name, "planted"), refused=False)

    def test_a_file_through_a_link_that_was_unpacked_before_does_not_leave_the_layer(self):
        directory = os.path.dirname(self.canary)
        self.check(TarWriter().symlink("out", directory).file("out/planted", "x"), refused=False)
        self.check(TarWriter().symlink("out", directory).file("out/file", "x"), refused=False)
        self.check(TarWriter().symlink("out", self.canary).file("out", "x", mode=0o777), refused=False)

    def test_a_hard_link_to_outside_is_refused(self):
        for target in (self.canary, "../../../../../../../.." + self.canary, "/etc/shadow", "/proc/self/exe"):
            with self.subTest(target=target):
                self.check(TarWriter().hardlink("stolen", target).file("stolen", "x", mode=0o777), "stolen")

    def test_a_hard_link_through_a_link_is_refused(self):
        tar = TarWriter().symlink("out", os.path.dirname(self.canary)).hardlink("stolen", "out/file")
        self.check(tar, "stolen")

    def test_a_whiteout_with_dots_removes_nothing_outside(self):
        for name in (".wh..", ".wh...", "a/.wh..", ".wh."):
            with self.subTest(name=name):
                self.check(TarWriter().directory("a").file(name), refused=False)

    def test_a_layer_that_is_not_what_its_digest_says_is_refused(self):
        image = busybox_image()
        image.layers[0].tar = image.layers[0].tar[:-2048] + b"\1" * 512 + b"\0" * 1536
        done = self.aurora("image", "import", image.docker_archive(self.host.path("forged.tar")))
        self.assertNotEqual(done.code, 0, done)
        self.assertEqual(self.layers(), [])

    def test_truncated_and_random_archives_are_refused(self):
        data = open(busybox_image().docker_archive(self.host.path("image.tar")), "rb").read()
        for name, content in {
            "cut": data[:len(data) // 2], "cut in a header": data[:700], "empty": b"", "zeros": bytes(10240),
            "random": os.urandom(20000), "text": b"hello\n", "gzip of nothing": b"\x1f\x8b\x08\0\0\0\0\0\0\3",
        }.items():
            with self.subTest(name=name):
                done = self.aurora("image", "import", self.host.write("broken.tar", content), "x:1")
                self.assertNotEqual(done.code, 0, done)
                self.assertNotIn("Fatal error", done.err)
                self.assertEqual(self.layers(), [])

    def test_sizes_that_lie_are_refused(self):
        for size in (1 << 40, (1 << 63) - 1, (1 << 64) + 5):
            with self.subTest(size=size):
                tar = TarWriter().entry("big", b"0", b"x", size=size)
                self.check(tar)

    def test_a_compression_bomb_is_refused_before_it_fills_the_disk(self):
        bomb = gzip.compress(bytes(1 << 30), 9)
        layer = Layer(TarWriter().file("f", "x"))
        layer.compression, layer.blob = "gzip", bomb
        path = Image([layer], name="bomb:1").oci_archive(self.host.path("bomb.tar"))
        done = self.aurora("image", "import", path, "bomb:1", timeout=60)
        self.assertNotEqual(done.code, 0, done)
        self.assertEqual(self.layers(), [])

    def test_what_becomes_large_leaves_room(self):
        """On a file system of its own: what little is read is no measure of what is written."""
        os.makedirs(self.host.work)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512m,nr_inodes=40k,mode=711", "tmpfs", self.host.work], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", self.host.work], check=True)
        least = {"bytes": 1 << 40, "inodes": 1 << 40}
        over = threading.Event()

        def watch():
            while not over.wait(0.002):
                found = os.statvfs(self.host.work)
                least["bytes"] = min(least["bytes"], found.f_bavail * found.f_frsize)
                least["inodes"] = min(least["inodes"], found.f_favail)
        watcher = threading.Thread(target=watch)
        watcher.start()
        self.addCleanup(watcher.join)
        self.addCleanup(over.set)

        big, many = TarWriter().file("f", os.urandom(16 << 10) * (700 << 6)).bytes(), TarWriter()
        for index in range(60_000):
            many.file(f"d/{index}", b"")
        whole = self.host.path("whole.tar.gz")
        with open(whole, "wb") as file:
            file.write(gzip.compress(big, 1))
        layer = Image([Layer(big, "gzip")], name="big:1").oci_archive(self.host.path("layer.tar"))
        inodes = Image([Layer(many, "gzip")], name="many:1").oci_archive(self.host.path("many.tar"))
        for name, words in ((whole, ("big:1",)), (layer, ("big:1",)), (inodes, ("many:1",))):
            with self.subTest(name=name):
                done = self.aurora("image", "import", name, *words, timeout=120)
                self.assertEqual(done.code, 73, done)
                self.assertIn("are free where images are stored", done.err)
                # What takes long to remove is left to whoever cleans up.
                self.assertEqual(self.aurora("image", "gc").code, 0)
                self.assertEqual(os.listdir(self.host.work + "/images/staging"), [])
        # A twentieth, but for what is written between two looks.
        self.assertGreater(least["bytes"], (512 << 20) // 20 - (10 << 20))
        self.assertGreater(least["inodes"], 40_000 // 20 - 1800)

    def test_a_manifest_that_names_paths_outside_is_refused(self):
        config = busybox_image().configuration
        for layer in ("../../../../.." + self.canary, self.canary, "/etc/passwd"):
            with self.subTest(layer=layer):
                tar = TarWriter().file("c.json", config).file("manifest.json", json.dumps(
                    [{"Config": "c.json", "RepoTags": ["x:1"], "Layers": [layer]}]))
                done = self.aurora("image", "import", self.host.write("m.tar", tar.bytes()))
                self.assertNotEqual(done.code, 0, done)
                self.assertEqual(self.layers(), [])

    def test_names_of_images_that_are_no_references_are_refused(self):
        for name in ("../../x:1", "x:../../y", "UPPER:1", "x:" + "t" * 200, "x y:1", "x\n:1", ""):
            with self.subTest(name=name):
                path = busybox_image().docker_archive(self.host.path("image.tar"))
                self.assertNotEqual(self.aurora("image", "import", path, name).code, 0)
