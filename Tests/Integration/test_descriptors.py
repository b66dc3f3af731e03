"""No descriptor of the host's is open where a name of the task's is looked up, and none survives to its processes."""

import json
import os
import signal
import stat
import struct
import time

from support import DockerTestCase, ExecutorTestCase, document, process
from support.images import Image, Layer, busybox_image, busybox_tar
from support.programs import program
from support.tar import TarWriter

NUMBERS = range(48)
UP = "/../../../../../../../.."


def host_program():
    """A static program of the host's that the attacks try to start."""
    return "/bin/busybox" if os.path.exists("/bin/busybox") else "/usr/bin/busybox"


def identity(path):
    """Device and inode, as /proc/PID/maps has them."""
    about = os.stat(path)
    return f"{os.major(about.st_dev):02x}:{os.minor(about.st_dev):02x} {about.st_ino}"


def elf_with_interpreter(path):
    """A 64-bit program of one segment whose loader is named by the attacker."""
    name = path.encode() + b"\0"
    offset = 64 + 56 * 2
    header = bytes.fromhex("7f454c4602010100") + bytes(8) + struct.pack(
        "<HHIQQQIHHHHHH", 2, 62, 1, 0x400000, 64, 0, 0, 64, 56, 2, 0, 0, 0)
    size = offset + len(name)
    interpreter = struct.pack("<IIQQQQQQ", 3, 4, offset, 0x400000 + offset, 0x400000 + offset, len(name), len(name), 1)
    load = struct.pack("<IIQQQQQQ", 1, 5, 0, 0x400000, 0x400000, size, size, 0x1000)
    return header + interpreter + load + name


# What a process says of itself: which files it is made of.
MAPS = "while read -r a b c device inode rest; do echo \"$device $inode\"; done < /proc/self/maps | sort -u"


class Lookups(ExecutorTestCase):
    """Every way in which init's child looks a name up, with every number that a descriptor could have."""

    def assert_nothing_of_the_host(self, text, what):
        self.assertNotIn(identity(host_program()), text, what)

    def test_the_search_path_finds_nothing_by_a_descriptor(self):
        tar = TarWriter().directory("etc").directory("proc").directory("tmp", mode=0o1777)
        path = ":".join(f"/proc/self/fd/{number}{UP}{place}" for number in NUMBERS for place in ("/bin", "/usr/bin"))
        for name, command in (("by-path:1", ["busybox", "echo", "found"]), ("by-path:2", ["sh", "-c", "echo found"])):
            image = Image([Layer(tar)], {"Env": ["PATH=" + path], "Cmd": command}, name)
            self.host.import_image(image)
            for role in ("www-data", "root"):
                with self.subTest(command=command, role=role):
                    outcome = self.run_task(document(image=name), role=role)
                    self.assertEqual(outcome.code, 1, outcome)
                    self.assertIn("not found", json.dumps(outcome.result))

    def test_an_absolute_command_finds_nothing_by_a_descriptor(self):
        for number in NUMBERS[:24]:
            for command in (f"/proc/self/fd/{number}{UP}{host_program()}", f"/dev/fd/{number}{UP}{host_program()}"):
                name = f"by-name{number}:1"
                self.host.import_image(Image([Layer(busybox_tar())], {"Cmd": [command, "true"]}, name))
                self.assertEqual(self.run_task(document(image=name)).code, 1, command)

    def test_the_working_directory_of_an_image_leads_nowhere_by_a_descriptor(self):
        for number in NUMBERS[:16]:
            for directory in (f"/proc/self/fd/{number}", f"/proc/self/fd/{number}/..", f"/proc/1/fd/{number}{UP}"):
                name = f"by-directory{number}:1"
                self.host.import_image(Image(
                    [Layer(busybox_tar())], {"Cmd": ["ls", "-la"], "WorkingDir": directory}, name))
                outcome = self.run_task(document(image=name))
                process_name = next(iter(outcome.result["processes"]))
                if outcome.code == 0:
                    self.assertNotIn("lost+found", outcome.out(process_name), directory)
                    self.assertNotIn("boot", outcome.out(process_name).split(), directory)

    def attacked(self, shells, **fields):
        """A task of root whose every second process has another shell, made by the one before."""
        processes = []
        for index, shell in enumerate(shells):
            processes += [process(f"set{index}", shell), process(f"run{index}", MAPS, max_failures=1)]
        names = [item["name"] for item in processes]
        # `ash` is not what is attacked: `/bin/sh` is what remains when the attacked one cannot be executed.
        return document(*processes, order=names, image=self.with_busybox(), ram=256 << 20, **fields), names[1::2]

    def test_a_shell_that_is_a_link_a_script_or_needs_a_loader_finds_nothing_by_a_descriptor(self):
        target = UP + host_program()
        shells = []
        for number in NUMBERS:
            door = f"/proc/self/fd/{number}{target}"
            elf = "".join(f"\\{byte:03o}" for byte in elf_with_interpreter(door))
            shells += [
                f"rm -f /bin/bash; ln -s {door} /bin/bash",
                f"rm -f /bin/bash; echo '#!{door} sh' > /bin/bash; chmod 755 /bin/bash",
                f"rm -f /bin/bash; printf '{elf}' > /bin/bash; chmod 755 /bin/bash",
            ]
        made, runs = self.attacked(shells)
        outcome = self.assert_finished(self.run_task(made, role="root", timeout=80))
        for name in runs:
            out = outcome.out(name)
            self.assertTrue(out, name)
            self.assert_nothing_of_the_host(out, (name, shells[runs.index(name)]))

    def test_a_health_command_and_a_final_process_find_nothing_either(self):
        doors = " ".join(f"/proc/self/fd/{number}{UP}{host_program()}" for number in NUMBERS[:12])
        # The shell is exchanged all the time; checks and finals are started with whatever is there.
        script = f"echo ready; while :; do for d in {doors}; do ln -sf $d /bin/bash; sleep 0.05; done; done"
        check = {"health_checker": {"shell": {"shell_command": MAPS + " > /tmp/check.$$"}}, "initial_interval_secs": 0,
                 "interval_secs": 0.1}
        task = self.start_task(document(
            process("main", script), process("fin", "cat /tmp/check.*; " + MAPS, final=True), image=self.with_busybox(),
            health_check_config=check, finalization_wait=10), role="root")
        task.wait_log("ready")
        # Time for checks to find what they are not to find.
        time.sleep(2)
        outcome = task.signal(signal.SIGTERM).wait()
        self.assertTrue(outcome.out("fin"), outcome)
        self.assert_nothing_of_the_host(outcome.out("fin"), outcome)


class Inside(ExecutorTestCase):
    SCRIPT = "for f in /proc/self/fd/*; do n=${f##*/}; stat -L -c \"$n %F %d\" $f 2>/dev/null; done"

    def devices_of_the_host(self):
        return {os.stat(path).st_dev for path in ("/", "/dev", "/etc", "/run", self.host.directory)}

    def assert_own(self, text, where):
        for line in text.splitlines():
            number, kind, device = line.split()[0], " ".join(line.split()[1:-1]), int(line.split()[-1])
            # The third is the shell's own, and where the check's output goes is its redirection.
            if int(number) > 2 or (where[1] == "check" and number == "1"):
                continue
            self.assertNotIn(device, self.devices_of_the_host(), (where, line))
            self.assertIn(kind, ("fifo", "character special file"), (where, line))

    def test_no_descriptor_of_a_host_inode_survives_to_any_kind_of_process(self):
        image = self.with_busybox()
        check = {"health_checker": {"shell": {"shell_command": self.SCRIPT + " > check; false"}},
                 "initial_interval_secs": 0, "interval_secs": 0.2, "max_consecutive_failures": 2}
        for role in ("www-data", "root"):
            outcome = self.run_task(document(
                process("main", self.SCRIPT + "; sleep 30"), process("fin", self.SCRIPT, final=True), image=image,
                health_check_config=check), role=role)
            for name, text in (("main", outcome.out()), ("fin", outcome.out("fin")), ("check", outcome.sandbox_file("check"))):
                self.assertGreaterEqual(len(text.splitlines()), 3, (name, text))
                self.assert_own(text, (role, name))

    def test_standard_input_is_the_containers_own_null_device(self):
        outcome = self.assert_finished(self.run_task(
            document("chmod 000 /proc/self/fd/0; chown 7 /proc/self/fd/0; stat -L -c %a /proc/self/fd/0", image=self.with_busybox()),
            role="root"))
        self.assertEqual(outcome.out(), "0\n")
        about = os.stat("/dev/null")
        self.assertEqual((stat.S_IMODE(about.st_mode), about.st_uid), (0o666, 0))

    def test_the_destination_none_is_what_init_opened_before_the_task(self):
        # Whatever has the name now: a pipe would block init, and a link would lead it astray with all its rights.
        swap = "mv /dev/null /dev/n && ln -s /proc/self/mem /dev/null && mv -f /dev/n /dev/null"
        look = "stat -L -c %t:%T /proc/$$/fd/2 >&3"
        outcome = self.run_task(
            document(
                process("swap", f"for i in $(seq 300); do {swap}; done; touch over"),
                process("look", f"exec 3>>seen; {look}; test -e over", logger={"destination": "none"}, max_failures=1000,
                        min_duration=0),
                image=self.with_busybox()), role="root", timeout=60)
        self.assertEqual(set(outcome.sandbox_file("seen").split()), {"1:3"}, outcome)

    def test_a_pipe_in_the_place_of_null_blocks_nobody(self):
        outcome = self.run_task(
            document(process("pipe", "rm /dev/null && mkfifo /dev/null"), process("none", "true", logger={"destination": "none"}),
                     order=["pipe", "none"], image=self.with_busybox()), role="root", timeout=20)
        self.assertEqual(outcome.code, 1, outcome)
        self.assertIn("/dev/null", outcome.said)

    def test_network_files_are_copies(self):
        outcome = self.assert_finished(self.run_task(document(
            "stat -c '%n %i %d' /etc/hosts /etc/hostname /etc/resolv.conf; cat /etc/hostname; "
            "(echo x >> /etc/hosts) 2>/dev/null; chmod 777 /etc/hosts 2>/dev/null; true", image=self.with_busybox()), role="root"))
        for line in outcome.out().splitlines():
            if line.startswith("/"):
                name, inode, device = line.split()
                about = os.stat(name)
                self.assertNotEqual((about.st_ino, about.st_dev), (int(inode), int(device)))
        self.assertIn(os.uname().nodename, outcome.out())

    def test_init_holds_no_directory_that_leads_out(self):
        for image in (None, self.with_busybox()):
            task = self.start_task(document("echo ready; sleep 1000", image=image, finalization_wait=2))
            task.wait_log("ready")
            pid = task.launched()["pid"]
            seen = 0
            for number in os.listdir(f"/proc/{pid}/fd"):
                path = f"/proc/{pid}/fd/{number}"
                if not stat.S_ISDIR(os.stat(path).st_mode):
                    continue
                seen += 1
                # Up as far as it goes: it ends in what is the task's own.
                top = os.stat(path + "/.." * 40)
                allowed = [os.stat(os.path.join(task.directory, "logs"))]
                if image:
                    store = os.path.join(self.host.work, "images", "images")
                    allowed += [os.stat(os.path.join(store, name)) for name in os.listdir(store)]
                for cgroup in ("/sys/fs/cgroup/unified", "/sys/fs/cgroup"):
                    own = f"{cgroup}/aurora-executor/{task.id}/task"
                    if os.path.exists(own):
                        allowed.append(os.stat(own))
                self.assertIn((top.st_dev, top.st_ino), [(one.st_dev, one.st_ino) for one in allowed], os.readlink(path))
            self.assertGreater(seen, 0)
            task.signal(signal.SIGTERM).wait()


class Doors(ExecutorTestCase):
    """Nobody in the container gets at init or a child of its that has not executed yet, whatever `fs.suid_dumpable` is."""

    def look(self, role, **fields):
        processes = [process("look", "/look 3 || ./look 3")]
        processes += [process(f"p{index}", "true", daemon=True, min_duration=0, max_failures=0) for index in range(3)]
        outcome = self.run_task(document(
            *processes, image=self.with_busybox(extra=lambda tar: tar.file(
                "look", open(program("look"), "rb").read(), mode=0o755)), **fields), "--max-runs", "200", role=role)
        self.assertIn("looked often", outcome.out("look"), outcome)
        self.assertNotIn("FOUND", outcome.out("look"))

    def test_init_and_held_children_are_closed_to_the_container(self):
        path = "/proc/sys/fs/suid_dumpable"
        with open(path, encoding="ascii") as file:
            before = file.read()
        try:
            for value in ("0", "1", "2"):
                with open(path, "w", encoding="ascii") as file:
                    file.write(value)
                for role in ("www-data", "root"):
                    with self.subTest(suid_dumpable=value, role=role):
                        self.look(role)
        finally:
            with open(path, "w", encoding="ascii") as file:
                file.write(before)


class InDocker(DockerTestCase):
    def test_the_search_path_finds_nothing_by_a_descriptor(self):
        path = ":".join(f"/proc/self/fd/{number}{UP}{place}" for number in NUMBERS for place in ("/bin", "/usr/bin"))
        tar = TarWriter().directory("etc").directory("proc").directory("tmp", mode=0o1777)
        name = self.engine.load(Image([Layer(tar)], {"Env": ["PATH=" + path], "Cmd": ["busybox", "echo", "found"]}, "by-path:1"))
        for role in ("www-data", "root"):
            outcome = self.run_docker(image=name, role=role)
            self.assertEqual(outcome.code, 1, outcome)
            self.assertIn("not found", json.dumps(outcome.result))

    def test_a_shell_that_leads_to_a_descriptor_finds_nothing(self):
        processes = []
        for number in NUMBERS[:24]:
            processes += [
                process(f"set{number}", f"rm -f /bin/bash; ln -s /proc/self/fd/{number}{UP}{host_program()} /bin/bash"),
                process(f"run{number}", MAPS)]
        names = [item["name"] for item in processes]
        outcome = self.assert_finished(self.run_docker(*processes, order=names, role="root"))
        for name in names[1::2]:
            self.assertTrue(outcome.out(name))
            self.assertNotIn(identity(host_program()), outcome.out(name), name)

    def test_init_and_held_children_are_closed_to_the_container(self):
        image = self.engine.load(busybox_image(extra=lambda tar: tar.file(
            "look", open(program("look"), "rb").read(), mode=0o755)))
        processes = [process("look", "/look 3")]
        processes += [process(f"p{index}", "true", daemon=True) for index in range(3)]
        for role in ("www-data", "root"):
            outcome = self.run_docker(*processes, image=image, role=role, options=("--max-runs", "200"))
            self.assertIn("looked often", outcome.out("look"), outcome)
            self.assertNotIn("FOUND", outcome.out("look"))
