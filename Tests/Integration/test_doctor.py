"""`doctor`: what a host has of what tasks need."""

import json
import os
import subprocess

from support import ExecutorTestCase, document
from support.executor import binary


class Doctor(ExecutorTestCase):
    def started(self, *words):
        return subprocess.run(
            [str(word) for word in words], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=False,
            env=self.host.environment())

    def checks(self, *options, code=0, **rest):
        done = self.aurora("doctor", "--output", "json", *options, **rest)
        self.assertEqual(done.code, code, done)
        told = json.loads(done.out)
        self.assertEqual(told["usable"], code == 0)
        return {check["name"]: check for check in told["checks"]}

    def test_this_host_can_run_tasks(self):
        checks = self.checks()
        for name in ("root", "kernel", "namespaces", "cgroups", "isolators", "seccomp", "images", "curl"):
            self.assertEqual(checks[name]["state"], "ok", checks[name])
            self.assertNotIn("remedy", checks[name])
        self.assertIn(os.uname().release, checks["kernel"]["found"])
        lines = self.aurora("doctor").out.splitlines()
        for check in checks.values():
            self.assertTrue(any(line.split()[:2] == [check["state"], check["name"]] for line in lines), (check, lines))
            hint = any(line.startswith(f"hint: {check['name']}: ") for line in lines)
            self.assertEqual(hint, check["state"] != "ok", check)

    def test_what_is_missing_has_a_remedy(self):
        checks = self.checks("--docker-socket", self.host.path("none.sock"))
        self.assertEqual(checks["docker"]["state"], "limited")
        self.assertIn(self.host.path("none.sock"), checks["docker"]["found"])
        self.assertIn("--docker-socket", checks["docker"]["remedy"])

    def test_a_policy_that_cannot_be_used_is_told(self):
        policy = self.host.write("policy.json", "{")
        checks = self.checks("--policy", policy, code=78)
        self.assertEqual((checks["policy"]["state"], checks["policy"]["required"]), ("missing", True))

    def test_without_root_it_says_so(self):
        done = self.started(
            "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", binary(), "doctor", "--output", "json")
        self.assertEqual(done.returncode, 78, done)
        told = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
        self.assertEqual((told["root"]["state"], told["root"]["found"]), ("missing", "uid 65534"))

    def test_an_isolator_says_what_a_launch_says(self):
        without = "umount -l /sys/fs/cgroup/memory || exit 99; exec \"$@\""
        inside = ["unshare", "--mount", "sh", "-c", without, "sh"]
        done = self.started(*inside, *self.host.words(["doctor", "--output", "json"]))
        told = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
        words = told["cgroups/mem"]["found"]
        self.assertEqual(told["cgroups/mem"]["state"], "limited")
        path = self.host.write("t.json", document("true"))
        run = self.started(
            *inside, *self.host.words(["run", "--task", path, "--task-id", self.host.task_id(), "--role", "www-data"]))
        self.assertEqual(run.returncode, 78, run)
        self.assertIn(words, run.stderr)
