"""The role user: the same numbers inside and out, whatever the image's account files are."""

import os
import signal

from support import ExecutorTestCase, document, need, private_machine

ROOT_USER = "root:x:0:0:root:/root:/bin/sh\n"
ROOT_GROUP = "root:x:0:\n"


class IdentityTestCase(ExecutorTestCase):
    def image(self, passwd=ROOT_USER, group=ROOT_GROUP, extra=None, **options):
        """A busybox whose account files are given; None leaves one out."""
        def accounts(tar):
            if passwd is not None or group is not None:
                tar.directory("etc")
            if passwd is not None:
                tar.file("etc/passwd", passwd)
            if group is not None:
                tar.file("etc/group", group)
            if extra:
                extra(tar)
        return self.with_busybox(accounts=False, extra=accounts, **options)

    def runs(self, image, command="id", role="www-data"):
        return self.assert_finished(self.run_task(document(command, image=image), role=role))

    def refused(self, image, *words, role="www-data"):
        """The task fails before any process runs, with the words in the message."""
        outcome = self.assert_failed(self.run_task(document("echo ran", image=image), role=role), *words)
        self.assertFalse(outcome.has_record("forked"), outcome)
        return outcome

    def add_account(self, passwd=None, group=None):
        """Adds lines to the host's account files for the time of the test."""
        need(private_machine.name(), "account files of its own (support/private_machine.py gives them)")
        for path, line in (("/etc/passwd", passwd), ("/etc/group", group)):
            if line is None:
                continue
            with open(path, "rb") as file:
                before = file.read()
            self.addCleanup(self._write, path, before)
            self._write(path, before + line.encode() + b"\n")

    @staticmethod
    def _write(path, data):
        with open(path, "r+b") as file:
            file.write(data)
            file.truncate()


class AccountFiles(IdentityTestCase):
    def test_a_user_and_group_that_the_image_lacks_are_added(self):
        outcome = self.runs(self.image(), "id; cat /etc/passwd /etc/group; stat -c %a /etc/passwd")
        self.assertIn("uid=33(www-data) gid=33(www-data)", outcome.out())
        for line in (ROOT_USER, ROOT_GROUP, "www-data:x:33:33:", "www-data:x:33:\n", "644\n"):
            self.assertIn(line, outcome.out())

    def test_a_user_that_is_there_with_the_same_numbers_is_used_as_it_is(self):
        passwd = ROOT_USER + "www-data:x:33:33:the image's:/var/www:/bin/nologin\n"
        group = ROOT_GROUP + "www-data:x:33:somebody\n"
        outcome = self.runs(self.image(passwd, group), "cat /etc/passwd /etc/group")
        self.assertEqual(outcome.out(), passwd + group)

    def test_a_user_without_its_group_gets_the_group(self):
        passwd = ROOT_USER + "www-data:x:33:33::/:/bin/sh\n"
        outcome = self.runs(self.image(passwd), "cat /etc/passwd /etc/group")
        self.assertEqual(outcome.out(), passwd + ROOT_GROUP + "www-data:x:33:\n")

    def test_a_group_without_its_user_gets_the_user(self):
        outcome = self.runs(self.image(group=ROOT_GROUP + "www-data:x:33:\n"), "id -un; cat /etc/group")
        self.assertEqual(outcome.out(), "www-data\n" + ROOT_GROUP + "www-data:x:33:\n")

    def test_a_user_with_another_uid_is_refused_and_both_lines_are_shown(self):
        line = "www-data:x:1033:33::/:/bin/sh"
        self.refused(self.image(ROOT_USER + line + "\n"), "www-data:x:33:33", line)

    def test_a_user_with_another_gid_is_refused(self):
        self.refused(self.image(ROOT_USER + "www-data:x:33:34::/:/bin/sh\n"), "www-data:x:33:34")

    def test_a_uid_that_belongs_to_another_name_is_refused(self):
        self.refused(self.image(ROOT_USER + "other:x:33:33::/:/bin/sh\n"), "other:x:33:33", "www-data:x:33:33")

    def test_a_group_with_another_gid_is_refused(self):
        self.refused(self.image(group=ROOT_GROUP + "www-data:x:34:\n"), "www-data:x:34", "www-data:x:33")

    def test_a_gid_that_belongs_to_another_group_is_refused(self):
        self.refused(self.image(group=ROOT_GROUP + "other:x:33:\n"), "other:x:33")

    def test_a_second_line_that_contradicts_the_first_is_refused(self):
        self.refused(self.image(ROOT_USER + "www-data:x:33:33::/:/bin/sh\nwww-data:x:0:0::/:/bin/sh\n"), "www-data:x:0:0")

    def test_an_image_without_etc_gets_one(self):
        outcome = self.runs(self.image(None, None), "cat /etc/passwd /etc/group; id -un")
        self.assertIn("www-data:x:33:33:", outcome.out())
        self.assertTrue(outcome.out().endswith("www-data\n"))

    def test_an_image_without_group_file_gets_one(self):
        self.assertIn("www-data:x:33:", self.runs(self.image(ROOT_USER, None), "cat /etc/group").out())

    def test_empty_account_files_are_filled(self):
        self.assertIn("(www-data)", self.runs(self.image("", "")).out())

    def test_files_without_a_final_newline_keep_their_last_line(self):
        last = "last:x:7:7::/:/bin/sh"
        outcome = self.runs(self.image(ROOT_USER + last, ROOT_GROUP + "last:x:7:"), "cat /etc/passwd /etc/group")
        for line in (last, "last:x:7:", "www-data:x:33:"):
            self.assertIn(line, outcome.out().splitlines())
        self.assertIn("\nwww-data:x:33:33:", outcome.out())

    def test_a_shadow_file_gets_a_line_without_a_password_and_keeps_its_mode(self):
        image = self.image(extra=lambda tar: tar.file("etc/shadow", "root:*:19000::::::\n", mode=0o600))
        outcome = self.assert_failed(self.run_task(document("stat -c '%a %u' /etc/shadow; cat /etc/shadow", image=image)))
        self.assertEqual(outcome.out(), "600 0\n")
        self.assertIn("root:*:19000::::::\nwww-data:!:", self.shadow_of_a_live_task(image))

    def shadow_of_a_live_task(self, image):
        """Read where the task's own layer keeps it."""
        task = self.start_task(document("echo ready; sleep 1000", image=image, finalization_wait=2)).wait_log("ready")
        with open(task.directory + "/rootfs/upper/etc/shadow", encoding="utf-8") as file:
            text = file.read()
        task.signal(signal.SIGTERM).wait()
        return text

    def test_a_user_is_not_added_when_that_is_asked_for(self):
        outcome = self.assert_finished(self.run_task(
            document("cat /etc/passwd; id -u", image=self.image()), "--no-create-user"))
        self.assertEqual(outcome.out(), ROOT_USER + "33\n")

    def test_adding_the_user_changes_the_tasks_layer_only(self):
        image = self.image()
        self.runs(image)
        found = [
            os.path.join(directory, name) for directory, _, names in os.walk(self.host.work + "/images") for name in names
            if name == "passwd"]
        self.assertEqual(len(found), 1)
        with open(found[0], encoding="utf-8") as file:
            self.assertEqual(file.read(), ROOT_USER)

    def test_lines_of_strange_bytes_are_kept_as_they_are(self):
        strange = "ünï:x:9:9::/:/bin/sh\n#comment\n\n+::::::\nshort:x\ncr:x:8:8::/:/bin/sh\r\n"
        outcome = self.runs(self.image(ROOT_USER + strange), "cat /etc/passwd")
        self.assertTrue(outcome.out().startswith(ROOT_USER + strange), outcome.out())


class HostileAccountFiles(IdentityTestCase):
    def canary(self):
        """A file of the host, and what must still be in it at the end."""
        path = self.host.write("outside/passwd", "root:x:0:0:host\n")
        os.chmod(path, 0o666)
        os.chmod(os.path.dirname(path), 0o777)
        return path

    def unchanged(self, path):
        with open(path, encoding="utf-8") as file:
            self.assertEqual(file.read(), "root:x:0:0:host\n")
        self.assertEqual(os.listdir(os.path.dirname(path)), ["passwd"])

    def with_link(self, target):
        return self.image(None, ROOT_GROUP, extra=lambda tar: tar.symlink("etc/passwd", target))

    def test_a_link_to_the_host_writes_nothing_there(self):
        path = self.canary()
        for target in (path, "../../../../../../../.." + path, "/proc/1/root" + path, "/proc/self/cwd/../../.." + path):
            with self.subTest(target=target):
                self.refused(self.with_link(target), "/etc/passwd")
                self.unchanged(path)

    def test_an_etc_that_is_a_link_to_the_host_writes_nothing_there(self):
        path = self.canary()
        image = self.image(None, None, extra=lambda tar: tar.symlink("etc", os.path.dirname(path)))
        self.run_task(document("true", image=image))
        self.unchanged(path)

    def test_a_link_into_a_writable_volume_writes_nothing_there(self):
        path = self.canary()
        outcome = self.run_task(document("true", image=self.with_link("/vol/passwd"), container={"volumes": [
            {"container_path": "/vol", "host_path": os.path.dirname(path), "mode": "RW"}]}))
        self.assertEqual(outcome.code, 1, outcome)
        self.unchanged(path)

    def test_a_passwd_that_is_no_regular_file_is_refused_and_not_waited_for(self):
        kinds = {
            "a directory": lambda tar: tar.directory("etc/passwd"),
            "a fifo": lambda tar: tar.fifo("etc/passwd"),
            "a link to a device": lambda tar: tar.symlink("etc/passwd", "/dev/zero"),
            "a link to itself": lambda tar: tar.symlink("etc/passwd", "passwd"),
        }
        for kind, extra in kinds.items():
            with self.subTest(kind=kind):
                self.refused(self.image(None, ROOT_GROUP, extra=extra), "/etc/passwd")

    def test_a_passwd_that_is_a_device_is_never_opened(self):
        # An image's device nodes may be left out when it is unpacked; then the file is simply absent.
        image = self.image(None, ROOT_GROUP, extra=lambda tar: tar.character_device("etc/passwd", 1, 5))
        outcome = self.run_task(document("cat /etc/passwd", image=image))
        if outcome.code == 0:
            self.assertRegex(outcome.out(), r"^www-data:x:33:33:[^\n]*\n$")
        else:
            self.assert_failed(outcome, "/etc/passwd")

    def test_a_group_that_is_a_directory_is_refused(self):
        self.refused(self.image(ROOT_USER, None, extra=lambda tar: tar.directory("etc/group")), "/etc/group")

    def test_an_etc_that_is_a_file_is_refused(self):
        outcome = self.run_task(document("true", image=self.image(None, None, extra=lambda tar: tar.file("etc", "x"))))
        self.assertEqual(outcome.code, 1, outcome)

    def test_a_huge_passwd_is_refused(self):
        self.refused(self.image("x:x:1000:1000::/:/bin/sh\n" * 200_000), "/etc/passwd")

    def test_a_passwd_with_a_nul_is_refused(self):
        self.refused(self.image(b"root:x:0:0::/:\0www-data:x:0:0::/:/bin/sh\n"), "/etc/passwd")

    def test_a_group_writable_passwd_does_not_stay_writable(self):
        image = self.image(None, ROOT_GROUP, extra=lambda tar: tar.file("etc/passwd", ROOT_USER, mode=0o666))
        self.assertEqual(self.runs(image, "stat -c %a /etc/passwd").out(), "644\n")

    def test_numbers_in_odd_notation_do_not_pass_for_the_same(self):
        for number in ("033", "+33", " 33", "0x21", "33 ", "4294967329"):
            with self.subTest(number=number):
                self.refused(self.image(ROOT_USER + f"www-data:x:{number}:33::/:/bin/sh\n"), "www-data")


class Roles(IdentityTestCase):
    def test_names_that_no_user_can_have_are_refused_before_anything_runs(self):
        for role in ("a:b", "a\nb", "-x", "123", "0", "", ".", "..", "a/b", "a b", "x" * 33, "ü", "$(id)", "www-data\n", "www-data:x"):
            with self.subTest(role=role):
                outcome = self.run_task(document("echo ran"), f"--role={role}", role=None)
                self.assertIn(outcome.code, (1, 64, 65), outcome)
                self.assertFalse(outcome.has_record("launched"))

    def test_names_that_no_user_can_have_are_refused_in_a_document(self):
        for role in ("a:b", "a\nb", "-x", "www-data\n"):
            with self.subTest(role=role):
                outcome = self.run_task({"task": document("echo ran"), "role": role, "environment": "e", "instance": 0})
                self.assertIn(outcome.code, (1, 65), outcome)
                self.assertFalse(outcome.has_record("launched"))

    def test_a_name_of_every_allowed_kind_of_byte_works(self):
        name = "Odd_Name.1-x"
        self.add_account(f"{name}:x:4321:4322::/nowhere:/bin/sh", "Odd.Group:x:4322:")
        outcome = self.runs(self.image(), "id; tail -n 1 /etc/group", role=name)
        self.assertIn(f"uid=4321({name}) gid=4322(Odd.Group)", outcome.out())

    def test_a_uid_beyond_two_gigabytes_works(self):
        self.add_account("big:x:4000000000:4000000001::/:/bin/sh", "big:x:4000000001:")
        outcome = self.assert_finished(self.run_task(document("touch f; stat -c '%u %g' f", image=self.image()), role="big"))
        self.assertEqual(outcome.out(), "4000000000 4000000001\n")
        self.assertEqual(os.stat(outcome.sandbox).st_uid, 4000000000)

    def test_supplementary_groups_are_the_hosts(self):
        self.add_account(group="aurora-one:x:54321:www-data")
        self.add_account(group="aurora-two:x:54322:nobody,www-data")
        for image in (None, self.image()):
            with self.subTest(image=image):
                outcome = self.assert_finished(self.run_task(document("id -G", image=image)))
                self.assertEqual(set(outcome.out().split()), {"33", "54321", "54322"})

    def test_groups_of_the_executor_are_not_inherited(self):
        for role, image in (("www-data", None), ("www-data", self.image()), ("root", self.image())):
            with self.subTest(role=role, image=image):
                outcome = self.run_task(
                    document("grep ^Groups: /proc/self/status", image=image), role=role,
                    preexec_fn=lambda: os.setgroups([4, 27, 1000]))
                self.assertNotRegex(self.assert_finished(outcome).out(), r"\b(4|27|1000)\b")

    def test_groups_that_the_image_gives_the_user_do_not_count(self):
        image = self.image(group=ROOT_GROUP + "wheel:x:10:www-data\n")
        outcome = self.runs(image, "grep ^Groups: /proc/self/status")
        self.assertNotIn("10", outcome.out().split())

    def test_the_images_user_does_not_override_the_role(self):
        image = self.with_busybox(config={"User": "0:0", "Cmd": ["id", "-u"]})
        self.assertEqual(self.runs(image, "id -u").out(), "33\n")
        outcome = self.assert_finished(self.run_task(document(image=image)))
        self.assertEqual(outcome.out(next(iter(outcome.result["processes"]))), "33\n")

    def test_sandbox_and_logs_have_the_same_numbers_inside_and_out(self):
        outcome = self.runs(self.image(), "touch f; stat -c '%u:%g' . f .logs/main/0/stdout")
        self.assertEqual(outcome.out(), "33:33\n33:33\n33:0\n")
        about = os.stat(outcome.sandbox + "/f")
        self.assertEqual((about.st_uid, about.st_gid), (33, 33))
        log = os.stat(outcome.log_path())
        self.assertEqual((log.st_uid, log.st_gid, log.st_mode & 0o777), (33, 0, 0o400))

    def test_root_as_a_role_works_in_an_image_without_accounts(self):
        self.assertIn("uid=0", self.runs(self.image(None, None), role="root").out())
