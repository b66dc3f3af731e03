"""What a path of the host leads to changes between the executor's look and the engine's: nothing of the host is made."""

import json
import os
import shutil
import tempfile

from support import DockerTestCase
from support.exchange import exchange
from support.proxy import Proxy


class SwappedSources(DockerTestCase):
    """`data/sub` and a link to `victim` change places when the engine is asked to start the container."""

    def setUp(self):
        super().setUp()
        # Where nobody but root can write, as a policy's directory has to be.
        self.top = tempfile.mkdtemp(prefix="aurora-swapped-", dir="/run")
        self.addCleanup(shutil.rmtree, self.top)
        self.data, self.victim = self.top + "/data", self.top + "/victim"
        os.makedirs(self.data + "/sub/deep")
        os.mkdir(self.victim)
        os.symlink(self.victim, self.data + "/link")
        for name in ("/file", "/sub/nologin"):
            with open(self.data + name, "w", encoding="ascii"):
                pass

    def attack(self, *parameters, options=(), role="www-data"):
        """Runs a task whose source is swapped at the last moment; returns its outcome and whether it came to that."""
        swapped = []

        def before(request):
            if request.is_("POST", "/containers/", "/start") and not swapped:
                exchange(self.data + "/sub", self.data + "/link")
                swapped.append(request)
        proxy = Proxy(self.engine, f"{self.top}/{len(os.listdir(self.top))}.sock", before=before)
        try:
            made = self.docker_document("true", parameters=[text.replace("D", self.data) for text in parameters])
            outcome = self.run_task(made, "--docker-socket", proxy.socket, *options, role=role)
        finally:
            proxy.stop()
            if swapped:
                exchange(self.data + "/sub", self.data + "/link")
        self.assertEqual(outcome.code, 1, outcome)
        self.assertEqual(os.listdir(self.victim), [], outcome)
        self.assertEqual(self.engine.containers(), [])
        return outcome, bool(swapped)

    def policy(self):
        path = self.top + "/policy.json"
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"docker_parameters": "all", "roles": {"allow": ["*", "root"]},
                       "host_paths": [{"path": self.data, "mode": "RW"}]}, file)
        return ("--policy", path)

    SOURCES = ("volume=D/sub/deep:/x", "volume=D/sub/deep:/x:ro,rprivate", "v=D/sub/deep:/x:rslave",
               "mount=type=bind,source=D/sub/deep,target=/x")

    def test_a_missing_source_is_not_made(self):
        for parameter in self.SOURCES:
            for role, options in (("root", self.policy()), ("www-data", ())):
                with self.subTest(parameter=parameter, options=options):
                    outcome, swapped = self.attack(parameter, options=options, role=role)
                    self.assertTrue(swapped, outcome)

    def test_a_missing_source_is_not_made_where_a_local_user_owns_the_directory(self):
        os.chown(self.data, 33, 33)
        for parameter in self.SOURCES:
            with self.subTest(parameter=parameter):
                outcome, swapped = self.attack(parameter)
                self.assertTrue(swapped, outcome)

    def test_no_mount_point_is_made_where_another_task_may_write(self):
        for inner in ("volume=D/file:/x/nologin", "tmpfs=/x/deep", "volume=/x/deep"):
            with self.subTest(inner=inner):
                outcome, swapped = self.attack("volume=D/sub:/x", inner, options=self.policy(), role="root")
                self.assertIn("can be swapped", outcome.said)
                self.assertFalse(swapped)

    def test_no_mount_point_is_made_by_way_of_a_link_that_somebody_owns(self):
        os.makedirs(self.top + "/home/deep")
        os.symlink(self.data + "/sub", self.top + "/home/link")
        os.chown(self.top + "/home", 33, 33)
        outcome, swapped = self.attack(f"volume={self.top}/home/link:/x", "tmpfs=/x/deep")
        self.assertIn("there is a link on the way", outcome.said)
        self.assertFalse(swapped)

    def test_what_another_container_has_is_not_made_either(self):
        os.chown(self.data, 33, 33)
        other = self.engine.docker(
            "create", "--volume", self.data + "/sub/deep:/x", self.with_engine_image(), "true").strip()
        try:
            os.rename(self.data + "/sub/deep", self.data + "/sub/gone")
            outcome = self.run_docker("true", parameters=(f"volumes-from={other}",))
            self.assert_failed(outcome, "another container has on /x")
            self.assertFalse(os.path.exists(self.data + "/sub/deep"))
            os.rename(self.data + "/sub/gone", self.data + "/sub/deep")
            outcome = self.run_docker("true", parameters=(f"volumes-from={other}",))
            self.assert_failed(outcome, "another container has on /x", "not root's alone")
            os.chown(self.data, 0, 0)
            self.assert_finished(self.run_docker("test -d /x", parameters=(f"volumes-from={other}",)))
        finally:
            self.engine.docker("rm", "--volumes", other)

    def test_what_would_make_a_source_is_refused(self):
        outcome = self.run_docker(
            "true", parameters=(f"mount=type=bind,source={self.data}/new,target=/x,bind-create-src",))
        self.assert_failed(outcome, "nothing is made on the host for a task")
        self.assertFalse(os.path.exists(self.data + "/new"))
