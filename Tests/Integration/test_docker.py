"""The Docker containerizer: the same contract through the engine."""

import json
import os
import signal
import socket
import threading
import time

from support import DockerTestCase, process
from support.executor import wait_until
from support.images import Layer
from support.tar import TarWriter

FOREVER = "echo up; sleep 1000"


class Launch(DockerTestCase):
    def test_a_task_runs_as_the_role_with_its_logs_and_its_result(self):
        outcome = self.assert_finished(self.run_docker("id; pwd; echo $HOME; echo oops >&2; touch made"))
        self.assertEqual(
            outcome.out(), "uid=33(www-data) gid=33(www-data)\n/mnt/mesos/sandbox\n/mnt/mesos/sandbox\n")
        self.assertEqual(outcome.err(), "oops\n")
        made = os.stat(os.path.join(outcome.sandbox, "made"))
        self.assertEqual((made.st_uid, made.st_gid), (33, 33))
        self.assertEqual(outcome.result["containerizer"], "docker")
        image = self.engine.docker("image", "inspect", "--format", "{{.Id}}", "busybox:test").strip()
        self.assertEqual(outcome.result["image"], {"reference": "busybox:test", "digest": image, "id": image})

    def test_the_image_needs_nothing_but_the_program(self):
        image = self.with_engine_image(
            name="bare:test", accounts=False, shell=False, config={"Entrypoint": ["/bin/busybox", "id"], "Cmd": ["-u"]})
        made = self.docker_document(image=image)
        made["processes"] = []
        outcome = self.assert_finished(self.run_task(made, "--docker-socket", self.engine.socket))
        self.assertEqual(outcome.out("task"), "33\n")

    def test_an_images_own_command_starts_in_its_directory_which_is_made(self):
        image = self.with_engine_image(
            name="command:test", config={"Cmd": ["sh", "-c", "pwd; echo $A"], "WorkingDir": "/made/here", "Env": ["A=b"]})
        made = self.docker_document(image=image)
        made["processes"] = []
        outcome = self.assert_finished(self.run_task(made, "--docker-socket", self.engine.socket))
        self.assertEqual(outcome.out("task"), "/made/here\nb\n")

    def test_the_container_says_whose_it_is_and_is_gone_afterwards(self):
        task = self.start_docker(FOREVER).wait_log("up")
        about = json.loads(self.engine.docker("inspect", self.engine.containers()[0]))[0]
        labels = about["Config"]["Labels"]
        self.assertEqual(labels["org.apache.aurora.executor.task-id"], task.id)
        self.assertEqual(labels["org.apache.aurora.executor.role"], "www-data")
        self.assertEqual(about["HostConfig"]["RestartPolicy"]["Name"], "no")
        self.assertEqual(about["HostConfig"]["LogConfig"]["Type"], "none")
        self.assertEqual(about["HostConfig"]["NetworkMode"], "host")
        self.assertEqual(about["HostConfig"]["Memory"], 128 << 20)
        self.assertEqual(about["HostConfig"]["MemorySwap"], 128 << 20)
        self.assertEqual(about["HostConfig"]["CpuQuota"], 100_000)
        # One more than natively: init is in the container.
        self.assertEqual(about["HostConfig"]["PidsLimit"], 4097)
        outcome = task.signal(signal.SIGTERM).wait()
        self.assertEqual((outcome.code, outcome.result["state"]), (3, "TASK_KILLED"), outcome)
        self.assertEqual(self.engine.containers(), [])

    def test_neither_plan_nor_socket_is_a_file_in_the_container(self):
        command = "cd /.aurora-executor.*; ls -A; cat /proc/1/environ; ls /proc/1/fd/3; echo x >init"
        outcome = self.run_docker(command, role="root")
        self.assertEqual(outcome.out(), "init\n", outcome)
        for words in ("/proc/1/environ': Permission denied", "/proc/1/fd/3: ", "Read-only file system"):
            self.assertIn(words, outcome.err(), outcome)

    def test_nobody_sets_a_trigger_that_his_own_end_waits_for(self):
        outcome = self.run_docker("exec 3<>/proc/pressure/cpu", role="root")
        self.assertIn("/proc/pressure/cpu: Read-only file system", outcome.err(), outcome)


class HostileImages(DockerTestCase):
    """What an image puts at and below the paths of ours."""

    PROGRAM = "#!/bin/sh\ncp /bin/busybox /mnt/mesos/sandbox/su; chmod 4755 /mnt/mesos/sandbox/su; sleep 100\n"

    def image(self, link, volume):
        def contents(tar):
            tar.directory(volume[1:]).file(volume[1:] + "/init", self.PROGRAM, mode=0o755)
            tar.symlink(link[1:], volume)
        return self.with_engine_image(name="evil:test", extra=contents, config={"Volumes": {volume: {}}})

    def test_a_program_of_the_image_does_not_run_in_place_of_init(self):
        # The engine follows the link, and lays the volume over what it has mounted there.
        outcome = self.assert_finished(self.run_docker("id -u", image=self.image("/.aurora-executor", "/foo")))
        self.assertEqual(outcome.out(), "33\n")
        self.assertEqual(sorted(os.listdir(outcome.sandbox)), [".logs", ".tmp"])

    def test_a_volume_over_the_sandbox_is_refused(self):
        # Deeper than the sandbox, so that the engine mounts it afterwards.
        for link in ("/mnt/mesos/sandbox", "/mnt/mesos"):
            with self.subTest(link):
                outcome = self.run_docker("touch made", image=self.image(link, "/a/b/c/d/e/f"))
                self.assert_failed(outcome, "of the container would", "/mnt/mesos/sandbox", "VOLUME")
                self.assertFalse(outcome.has_record("forked"), outcome)

    def test_a_volume_above_the_sandbox_is_below_it(self):
        image = self.with_engine_image(name="above:test", config={"Volumes": {"/mnt": {}, "/mnt/mesos/sandbox": {}}})
        outcome = self.assert_finished(self.run_docker("echo x >made", image=image))
        self.assertEqual(outcome.sandbox_file("made"), "x\n")

    def test_a_volume_over_the_devices_is_refused(self):
        devices = TarWriter().directory("dev", mode=0o777, uid=33, gid=33).character_device("dev/null", 1, 3)
        image = self.with_engine_image(name="dev:test", config={"Volumes": {"/dev": {}}}, layers=[Layer(devices)])
        outcome = self.run_docker("true", image=image)
        self.assert_failed(outcome, "/dev of the container is not the engine's own")
        self.assertFalse(outcome.has_record("forked"), outcome)

    def test_account_files_that_are_no_files_are_not_opened_by_the_engine(self):
        for name in ("passwd", "group"):
            place = "etc/" + name
            for number, (plant, words) in enumerate((
                    (lambda tar, place=place: tar.fifo(place), "not a regular file"),
                    (lambda tar, place=place: tar.character_device(place, 1, 5), "not a regular file"),
                    (lambda tar, place=place: tar.directory(place), "not a regular file"),
                    (lambda tar, place=place: tar.fifo("pipe").symlink("hop", "pipe").symlink(place, "../hop"),
                     "not a regular file"),
                    (lambda tar, place=place: tar.file(place, "#" * ((1 << 20) + 1)), "more than 1048576 bytes"))):
                image = self.with_engine_image(
                    name=f"{name}{number}:test", accounts=False, extra=lambda tar, plant=plant: plant(tar.directory("etc")))
                for options, parameters in (((), ()), (("--no-create-user",), ("tmpfs=/t",))):
                    with self.subTest(file=name, number=number, options=options):
                        began = time.monotonic()
                        outcome = self.run_docker("true", image=image, options=options, parameters=parameters)
                        self.assert_failed(outcome, f"/{place} of the image cannot be used", words)
                        self.assertLess(time.monotonic() - began, 20)
                        self.assertEqual(self.engine.containers(), [])
        # Links that lead to ordinary files, and nowhere, are none.
        image = self.with_engine_image(
            name="linked:test", accounts=False, extra=lambda tar: tar.directory("etc").file(
                "real", "root:x:0:0:root:/root:/bin/sh\n").symlink("etc/passwd", "/real").symlink("etc/group", "/none"))
        self.assert_finished(self.run_docker("true", image=image, options=("--no-create-user",)))

    def test_variables_of_the_image_reach_its_processes_and_not_init(self):
        # Both runtimes below init would obey the first two, as root.
        variables = ["SWIFT_BACKTRACE=enable=yes,swift-backtrace=/evil", "GLIBC_TUNABLES=glibc.malloc.mmap_max=20",
                     "MALLOC_TOP_PAD_=1", "GREETING=hello", "PATH=/bin"]
        image = self.with_engine_image(name="environment:test", config={"Env": variables})
        task = self.start_docker("env; echo up; exec sleep 100", image=image).wait_log("up")
        self.assertEqual({line for line in task.out().splitlines() if line in variables}, set(variables))
        init = task.launched()["pid"]
        with open(f"/proc/{init}/environ", encoding="utf-8") as file:
            seen = file.read().split("\0")
        self.assertEqual([line for line in seen if line in variables[:3]], [])
        self.assertIn("SWIFT_BACKTRACE=enable=no", seen)
        # An operator's way in has what the image says.
        self.assertEqual(self.engine.docker("exec", self.engine.containers()[0], "sh", "-c", "echo $GREETING"), "hello\n")
        # Nor would it if the engine had left them there: it has set up no handler for a crash.
        with open(f"/proc/{init}/status", encoding="ascii") as file:
            caught = next(int(line.split()[1], 16) for line in file if line.startswith("SigCgt"))
        self.assertFalse(caught >> (signal.SIGSEGV - 1) & 1)
        task.signal(signal.SIGTERM).wait()


class Identity(DockerTestCase):
    def test_a_role_that_the_host_lacks_is_refused_before_anything(self):
        outcome = self.run_docker("true", role="nobody-has-this")
        self.assert_failed(outcome, "nobody-has-this")
        self.assertEqual(outcome.result["containerizer"], "docker")

    def test_an_image_that_has_another_uid_for_the_role_is_refused(self):
        def accounts(tar):
            tar.directory("etc")
            tar.file("etc/passwd", "root:x:0:0::/:/bin/sh\nwww-data:x:1033:33::/:/bin/sh\n")
        for parameters in ((), ("read-only=true",)):
            with self.subTest(parameters):
                image = self.with_engine_image(name="other:test", accounts=False, extra=accounts)
                outcome = self.run_docker("echo ran", image=image, parameters=parameters)
                self.assert_failed(outcome, "www-data:x:33:33", "www-data:x:1033:33")
                self.assertFalse(outcome.has_record("forked"), outcome)

    def test_a_root_that_cannot_be_written_has_the_user_all_the_same(self):
        outcome = self.run_docker(
            "id -un; id -gn; touch /x; echo ok >written; cat /etc/passwd", parameters=("read-only=true",))
        self.assertEqual(outcome.out().splitlines()[:2], ["www-data", "www-data"], outcome)
        self.assertIn("root:x:0:0:root:/root:/bin/sh\n", outcome.out())
        self.assertIn("Read-only file system", outcome.err())
        self.assertEqual(outcome.sandbox_file("written"), "ok\n")

    def test_a_read_only_root_without_account_files_has_the_user(self):
        image = self.with_engine_image(name="none:test", accounts=False)
        outcome = self.assert_finished(self.run_docker("id -un", image=image, parameters=("read-only=true",)))
        self.assertEqual(outcome.out(), "www-data\n")

    def test_an_engine_that_maps_users_is_refused_with_the_way_out(self):
        self.own_engine(maps_users=True)
        self.assert_failed(self.run_docker("id"), "userns-remap", "uid 33", '"userns"')
        outcome = self.assert_finished(self.run_docker("id -u; touch made", parameters=("userns=host",)))
        self.assertEqual(outcome.out(), "33\n")
        self.assertEqual(os.stat(os.path.join(outcome.sandbox, "made")).st_uid, 33)


class Parameters(DockerTestCase):
    def test_options_do_what_docker_run_does(self):
        directory = self.host.path("shared")
        os.mkdir(directory)
        with open(os.path.join(directory, "file"), "w", encoding="utf-8") as file:
            file.write("shared\n")
        outcome = self.assert_finished(self.run_docker(
            "cat /shared/file; echo $A $FROM; ulimit -n; df /extra | tail -1 | awk '{print $1}'; grep '^CapBnd' /proc/self/status",
            image=self.with_engine_image(name="env:test", config={"Env": ["PATH=/bin", "FROM=image"]}),
            parameters=(f"volume={directory}:/shared:ro", "env=A=b", "env=FROM", "ulimit=nofile=99", "tmpfs=/extra",
                        "cap-drop=ALL", "cap-add=NET_RAW")))
        self.assertEqual(outcome.out(), "shared\nb\n99\ntmpfs\nCapBnd:\t0000000000002000\n")

    def test_a_mount_over_etc_is_named_with_the_way_out(self):
        volume = self.with_engine_image(name="etc:test", config={"Volumes": {"/etc": {}}})
        for image, parameters, words in ((volume, (), "VOLUME at /etc"), (None, ("tmpfs=/etc",), "parameters mount something on /etc")):
            with self.subTest(words):
                outcome = self.run_docker("id -un", image=image, parameters=parameters)
                self.assert_failed(outcome, words)
                self.assertIn('"read-only"', outcome.said)
                self.assertFalse(outcome.has_record("launched"), outcome)
                outcome = self.run_docker("id -un", image=image, parameters=(*parameters, "read-only=true"))
                self.assertEqual(self.assert_finished(outcome).out(), "www-data\n")

        def link(tar):
            tar.symlink("config", "/etc")
        image = self.with_engine_image(name="etclink:test", extra=link, config={"Volumes": {"/config": {}}})
        self.assert_failed(self.run_docker("true", image=image), "/etc of the container is a mount, or a link leads into one")

    def test_validate_says_what_a_run_would_refuse_with_its_place(self):
        made = self.docker_document(
            "true", image="app:1", parameters=("env=A=b", "volum=/a:/b", "rm=true", "memory=lots", "cap-add=NET_RAW"))
        path = self.host.write("t.json", json.dumps(made, indent=1))
        done = self.aurora("validate", path)
        self.assertEqual(done.code, 65, done)
        for index, word in ((1, "volume"), (2, "removed once"), (3, "lots")):
            line = next(text for text in done.err.splitlines() if f"container.docker.parameters[{index}]: " in text)
            self.assertIn(word, line)
            self.assertRegex(line, r"t.json:\d+:\d+: container")
        self.assertIn("3 errors", done.err)
        good = self.docker_document("true", image="app:1", parameters=("env=A=b", "publish={{thermos.ports[http]}}:80"),
                                    docker={"network": "BRIDGE"})
        path = self.host.write("good.json", json.dumps(good))
        self.assertEqual(self.aurora("validate", path, "--role", "nosuchrole").code, 0)
        self.assertEqual(self.aurora("validate", path, "--allow-docker-parameters", "env").code, 65)
        for name, value in (("cap-add", "NOPE"), ("tmpfs", "/mnt/mesos/sandbox")):
            bad = self.docker_document("true", image="app:1", parameters=(f"{name}={value}",))
            done = self.aurora("validate", self.host.write("bad.json", json.dumps(bad)))
            self.assertEqual(done.code, 65, done)
            self.assertIn(value, done.err)

    def test_plan_shows_what_the_engine_would_be_asked(self):
        made = self.docker_document(
            "true", parameters=("volume=/tmp:/shared:ro", "ulimit=nofile=64:128", "network=none", "label=a=b"), ram=64 << 20)
        path = self.host.write("t.json", json.dumps(made))
        options = (path, "--role", "www-data", "--docker-socket", self.engine.socket, "--task-id", "planned-1")
        text = self.aurora("plan", *options)
        self.assertEqual(text.code, 0, text)
        for words in ("busybox:test", "aurora-planned-1", "HostConfig.NetworkMode = none", "HostConfig.Memory = 67108864",
                      '"Source":"/tmp"', '"Target":"/mnt/mesos/sandbox"', "/.aurora-executor.<random>", "nofile 64:128"):
            self.assertIn(words, text.out)
        self.assertNotIn("namespaces none", text.out)
        shown = json.loads(self.aurora("plan", *options, "--output", "json").out)["docker"]
        self.assertEqual((shown["name"], shown["image"]), ("aurora-planned-1", "busybox:test"))
        host = shown["create"]["HostConfig"]
        self.assertEqual((host["NetworkMode"], host["Memory"], host["Mounts"][0]), (
            "none", 64 << 20, {"Type": "bind", "Source": "/tmp", "Target": "/shared", "ReadOnly": True}))
        self.assertEqual(shown["create"]["Labels"]["a"], "b")

    def test_a_parameter_of_the_role_is_no_contradiction(self):
        self.assert_finished(self.run_docker("true", parameters=("user=www-data",)))

    def test_what_breaks_the_contract_is_refused_with_the_reason(self):
        for parameter, words in {
            "volum=/a:/b": "volume", "rm=true": "removed once its outcome", "name=x": "name", "restart=always": "restart",
            "detach=true": "watched to its end", "init=true": "container-init", "user=nobody": "www-data",
            "tty=true": "terminal", "entrypoint=/bin/sh": "processes of its own", "group-add=staff": "number",
            "label=org.apache.aurora.executor.nonce=1": "whose container",
            "label= org.apache.aurora.executor.nonce=1": "whose container",
            "l=\t org.apache.aurora.executor.foo=bar": "whose container",
            "tmpfs=/x/:remount,rw": "no tmpfs option", "tmpfs=/x:bind": "no tmpfs option",
            "tmpfs=/.aurora-executor/handover": "executor's own", "tmpfs=/mnt/mesos/sandbox/.logs": "the sandbox",
            "volume=/tmp:/mnt/x/../mesos/sandbox": "the sandbox", "cap-add=NOPE": "NOPE",
            "env-file=/etc/shadow": "not allowed", "network=nosuch": "nosuch",
        }.items():
            with self.subTest(parameter):
                outcome = self.run_docker("true", parameters=(parameter,))
                self.assert_failed(outcome, words)
                self.assertFalse(outcome.has_record("forked"), outcome)
                self.assertEqual(self.engine.containers(), [])

    def test_a_tmpfs_makes_nothing_writable_that_is_mounted_read_only(self):
        directory = os.path.dirname(self.host.write("data/file", "host\n"))
        os.chmod(directory, 0o777)
        for tmpfs in ("/data/:remount,rw", "/data:remount,rw", "/data/.:rw", "/x/../data", "/proc/self/root/sys:remount,rw"):
            with self.subTest(tmpfs):
                outcome = self.run_docker("touch /data/wrote", parameters=(f"volume={directory}:/data:ro", f"tmpfs={tmpfs}"))
                self.assert_failed(outcome, "tmpfs")
                self.assertFalse(outcome.has_record("forked"), outcome)
                self.assertEqual(os.listdir(directory), ["file"])
        outcome = self.run_docker(
            "findmnt -no FSTYPE,OPTIONS /extra/a || grep ' /extra/a ' /proc/self/mounts",
            parameters=(f"volume={directory}//:/data/.:ro", "tmpfs=//extra/./a/:size=64k,ro"))
        self.assertIn("size=64k", self.assert_finished(outcome).out())

    def test_an_operator_allows_some(self):
        options = ("--allow-docker-parameters", "env,v")
        self.assert_finished(self.run_docker("true", parameters=("env=A=b",), options=options))
        self.assert_failed(
            self.run_docker("true", parameters=("privileged=true",), options=options), "operator does not allow it",
            "env, volume")
        self.assert_failed(
            self.run_docker("true", parameters=("env=A=b",), options=("--allow-docker-parameters", "none")), "operator")
        # A field of the document is no way round.
        for docker in ({"privileged": True}, {"network": "BRIDGE", "port_mappings": [{"host_port": 1, "container_port": 1}]}):
            self.assert_failed(
                self.run_docker("true", docker=docker, options=("--allow-docker-parameters", "none")), "operator")
        outcome = self.run_docker("true", options=("--allow-docker-parameters", "volum"))
        self.assertEqual(outcome.code, 64, outcome)

    def test_volumes_without_a_name_go_with_the_container(self):
        self.assert_finished(self.run_docker("true", parameters=("volume=/data",)))


class Limits(DockerTestCase):
    def test_graphics_processors_that_the_engine_does_not_have_are_refused(self):
        made = self.docker_document("true")
        made["resources"]["gpu"] = 1
        outcome = self.run_task(made, "--docker-socket", self.engine.socket)
        self.assert_failed(outcome, "could not select device driver", "gpu")

    def test_out_of_memory_is_the_reason_with_limit_and_peak(self):
        outcome = self.run_docker("dd if=/dev/zero of=/dev/null bs=100M count=1", ram=64 << 20)
        self.assert_failed(
            outcome, "out of memory: 64 MiB limit", reason="REASON_CONTAINER_LIMITATION_MEMORY")
        self.assertLessEqual(outcome.result["usage"]["memory_peak_bytes"], 64 << 20)

    def test_out_of_memory_is_the_reason_also_when_init_is_chosen(self):
        # What lies in a tmpfs belongs to nobody who could be killed for it: sooner or later it is init's turn.
        outcome = self.run_docker(
            "dd if=/dev/zero of=/dev/shm/big bs=1M count=60; tail -c 200m /dev/zero | cat >/dev/null", ram=64 << 20)
        self.assert_failed(
            outcome, "out of memory: 64 MiB limit", reason="REASON_CONTAINER_LIMITATION_MEMORY")

    def test_a_kill_that_was_survived_is_no_reason_of_inits_end(self):
        task = self.start_docker("tail /dev/zero; echo survived; exec sleep 1000", ram=64 << 20).wait_log("survived")
        # In a pid namespace of its own the executor goes by the time.
        time.sleep(6)
        outcome = task.kill_init().wait()
        self.assertEqual((outcome.code, outcome.result["state"]), (4, "TASK_LOST"), outcome)
        self.assertNotIn("limit", outcome.result["message"])

    def test_usage_is_measured(self):
        outcome = self.assert_finished(self.run_docker("i=0; while [ $i -lt 50000 ]; do i=$((i+1)); done"))
        self.assertGreater(outcome.result["usage"]["cpu_seconds"], 0.01)
        self.assertGreater(outcome.result["usage"]["memory_peak_bytes"], 100_000)


class Trouble(DockerTestCase):
    def test_no_engine_is_no_fault_of_the_task(self):
        made = self.docker_document("true")
        outcome = self.run_task(made, "--docker-socket", self.host.path("no.sock"))
        self.assertEqual(outcome.code, 69, outcome)
        self.assertIn("no.sock", outcome.said)
        self.assertIn("ENOENT", outcome.said)

    def test_whoever_talks_and_is_no_engine_is_no_fault_of_the_task(self):
        for answer in (b"HTTP/1.0 200 OK\r\n\r\n", b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", b"garbage\n"):
            path = self.host.path(f"other-{len(answer)}.sock")
            with socket.socket(socket.AF_UNIX) as listener:
                listener.bind(path)
                listener.listen()

                def serve(listener=listener, answer=answer):
                    while True:
                        try:
                            connection, _ = listener.accept()
                        except OSError:
                            return
                        connection.recv(4096)
                        connection.sendall(answer)
                        connection.close()
                threading.Thread(target=serve, daemon=True).start()
                outcome = self.run_task(self.docker_document("true"), "--docker-socket", path)
                listener.shutdown(socket.SHUT_RDWR)
            self.assertEqual(outcome.code, 69, outcome)
            self.assertIn("does not answer as a Docker engine does", outcome.said)

    def test_a_process_from_outside_that_ends_holds_nothing_up(self):
        task = self.start_docker("echo up; trap '' TERM; sleep 1", finalization_wait=60).wait_log("up")
        self.engine.docker("exec", "--detach", self.engine.containers()[0], "sleep", "1000")
        began = time.monotonic()
        self.assert_finished(task.wait())
        self.assertLess(time.monotonic() - began, 20)

    def test_docker_stop_reaches_a_container_in_the_hosts_pid_namespace(self):
        task = self.start_docker(FOREVER, parameters=("pid=host",)).wait_log("up")
        self.engine.docker("stop", self.engine.containers()[0])
        outcome = task.wait()
        self.assertEqual((outcome.code, outcome.result["state"]), (3, "TASK_KILLED"), outcome)

    def test_a_listener_that_is_no_engine_is_said_so(self):
        path = self.host.path("dead.sock")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
        outcome = self.run_task(self.docker_document("true"), "--docker-socket", path)
        self.assertEqual(outcome.code, 69, outcome)
        self.assertIn("ECONNREFUSED", outcome.said)

    def test_an_image_that_cannot_be_had_fails_the_task(self):
        outcome = self.run_docker("true", image="127.0.0.1:1/nosuch:1")
        self.assert_failed(outcome, "cannot pull the image 127.0.0.1:1/nosuch:1")
        outcome = self.run_docker("true", image="nosuch:1", parameters=("pull=never",))
        self.assert_failed(outcome, "the engine has no image nosuch:1")

    def test_a_pull_that_hangs_can_be_stopped(self):
        with socket.create_server(("127.0.0.1", 0)) as registry:
            task = self.start_docker("true", image=f"127.0.0.1:{registry.getsockname()[1]}/slow:1")
            connection, _ = registry.accept()
            outcome = task.signal(signal.SIGTERM).wait(10)
            connection.close()
        self.assertEqual((outcome.code, outcome.result["state"]), (3, "TASK_KILLED"), outcome)
        self.assertIn("being pulled", outcome.result["message"], outcome)

    def test_a_container_that_somebody_removes_is_lost(self):
        task = self.start_docker(FOREVER).wait_log("up")
        self.engine.docker("rm", "--force", self.engine.containers()[0])
        outcome = task.wait()
        self.assertEqual((outcome.code, outcome.result["state"]), (4, "TASK_LOST"), outcome)
        self.assertIn("the engine", outcome.result["message"], outcome)

    def test_docker_stop_stops_the_task_gracefully(self):
        task = self.start_docker(FOREVER, process("last", "echo last", final=True)).wait_log("up")
        self.engine.docker("stop", self.engine.containers()[0])
        outcome = task.wait()
        self.assertEqual((outcome.code, outcome.result["state"]), (3, "TASK_KILLED"), outcome)
        self.assertEqual(outcome.out("last"), "last\n")

    def test_a_paused_container_can_be_stopped(self):
        task = self.start_docker(FOREVER).wait_log("up")
        self.engine.docker("pause", self.engine.containers()[0])
        outcome = task.signal(signal.SIGTERM).wait()
        self.assertEqual(outcome.result["state"], "TASK_KILLED", outcome)

    def test_a_name_that_is_taken_is_not_taken_over(self):
        name = self.host.task_id()
        image = self.with_engine_image()
        other = self.engine.docker("create", "--name", "aurora-" + name, image, "true").strip()
        try:
            outcome = self.run_task(
                self.docker_document("true"), "--docker-socket", self.engine.socket, task_id=name)
            self.assert_failed(outcome, "taken by a container that is not this task's", other[:12])
            self.assertEqual(self.engine.containers(), [other])
        finally:
            self.engine.docker("rm", other)

    def test_a_program_that_is_not_there_is_said_so(self):
        made = self.docker_document(image=self.with_engine_image(name="no:test", config={"Entrypoint": ["/nosuch"]}))
        made["processes"] = []
        outcome = self.run_task(made, "--docker-socket", self.engine.socket)
        self.assert_failed(outcome, "/nosuch: not in the container (ENOENT)")


class NewPrivileges(DockerTestCase):
    def test_a_task_that_may_gain_privileges_may(self):
        for parameters, expected in (((), "1"), (("security-opt=no-new-privileges=false",), "0")):
            with self.subTest(parameters=parameters):
                outcome = self.assert_finished(self.run_docker("grep NoNewPrivs /proc/self/status", parameters=parameters))
                self.assertEqual(outcome.out().split(), ["NoNewPrivs:", expected])


class Recovery(DockerTestCase):
    COMMAND = "echo up; while ! test -e go; do sleep 0.05; done; echo done; exit 5"

    def release(self, task):
        with open(os.path.join(task.sandbox, "go"), "w", encoding="utf-8"):
            pass

    def test_a_task_outlives_its_executor(self):
        task = self.start_docker(self.COMMAND).wait_log("up").kill()
        self.release(task)
        wait_until(lambda: "done" in task.out(), "the process goes on")
        outcome = self.host.recover(task.id)
        self.assert_failed(outcome, "exit status 5")
        self.assert_runs(outcome, "main", 5)
        self.assertEqual(outcome.result["image"]["reference"], "busybox:test")
        self.assertEqual(self.engine.containers(), [])

    def test_a_launch_that_was_cut_short_is_done_anew(self):
        # Before the container is known to the journal.
        made = self.docker_document("echo ran")
        task = self.start_task(made, "--docker-socket", self.engine.socket)
        wait_until(lambda: os.path.exists(os.path.join(task.directory, "container.nonce")), "the container is asked for")
        task.kill()
        outcome = self.host.recover(task.id)
        self.assert_finished(outcome)
        self.assertEqual(outcome.out(), "ran\n")

    def test_a_container_that_vanished_meanwhile_is_lost(self):
        task = self.start_docker(FOREVER).wait_log("up").kill()
        self.engine.docker("rm", "--force", self.engine.containers()[0])
        outcome = self.host.recover(task.id)
        self.assertEqual((outcome.code, outcome.result["state"]), (4, "TASK_LOST"), outcome)


class LostWord(DockerTestCase):
    def test_a_container_that_nothing_says_is_the_tasks_is_named_with_the_way_out(self):
        task = self.start_docker(FOREVER).wait_log("up").kill()
        os.unlink(os.path.join(task.directory, "container.nonce"))
        container = self.engine.containers()[0]
        done = self.aurora("recover", task.id)
        self.assertEqual(done.code, 70, done)
        self.assertIn(f"docker rm -f -v {container[:12]}", done.err)
        # It may be somebody else's.
        self.assertEqual(self.engine.containers(), [container])
        self.engine.docker("rm", "-f", "-v", container)
        outcome = self.host.recover(task.id)
        self.assertEqual((outcome.code, outcome.result["state"]), (4, "TASK_LOST"), outcome)
        self.assertIn(f"docker rm -f -v {container[:12]}", outcome.result["notes"][0])


class EngineEnds(DockerTestCase):
    def setUp(self):
        super().setUp()
        self.own_engine()

    def test_a_task_does_not_notice_that_the_engine_was_killed(self):
        task = self.start_docker(Recovery.COMMAND).wait_log("up")
        self.engine.signal(signal.SIGKILL).wait()
        with open(os.path.join(task.sandbox, "go"), "w", encoding="utf-8"):
            pass
        outcome = self.assert_failed(task.wait(), "exit status 5")
        self.assertIn("sweep", outcome.result["notes"][0], outcome)
        self.engine.start()
        self.assertEqual(len(self.engine.containers()), 1)
        done = self.aurora("sweep", "--docker-socket", self.engine.socket)
        self.assertEqual(done.code, 0, done)
        self.assertIn(task.id, done.out)
        self.assertEqual(self.engine.containers(), [])

    def test_recovery_needs_no_engine(self):
        task = self.start_docker(Recovery.COMMAND).wait_log("up").kill()
        self.engine.signal(signal.SIGKILL).wait()
        with open(os.path.join(task.sandbox, "go"), "w", encoding="utf-8"):
            pass
        self.assert_failed(self.host.recover(task.id), "exit status 5")
        self.engine.start()
        self.assertEqual(self.aurora("sweep", "--docker-socket", self.engine.socket).code, 0)

    def test_an_engine_that_shuts_down_stops_its_tasks_gracefully(self):
        task = self.start_docker(FOREVER, process("last", "echo last", final=True)).wait_log("up")
        self.engine.signal(signal.SIGTERM)
        outcome = task.wait(40)
        self.assertEqual((outcome.code, outcome.result["state"]), (3, "TASK_KILLED"), outcome)
        self.assertEqual(outcome.out("last"), "last\n")
        self.engine.wait().start()
        self.aurora("sweep", "--docker-socket", self.engine.socket)

    def test_with_live_restore_a_restart_changes_nothing(self):
        self.engine.stop()
        self.own_engine("--live-restore")
        task = self.start_docker(Recovery.COMMAND).wait_log("up")
        self.engine.signal(signal.SIGTERM).wait().start()
        with open(os.path.join(task.sandbox, "go"), "w", encoding="utf-8"):
            pass
        outcome = self.assert_failed(task.wait(), "exit status 5")
        self.assertNotIn("notes", outcome.result)


class Sweeping(DockerTestCase):
    def test_a_live_task_is_left_alone(self):
        task = self.start_docker(FOREVER).wait_log("up")
        foreign = self.engine.docker("create", self.with_engine_image(), "true").strip()
        try:
            done = self.aurora("sweep", "--docker-socket", self.engine.socket)
            self.assertEqual(done.code, 0, done)
            self.assertEqual(len(self.engine.containers()), 2)
        finally:
            self.engine.docker("rm", foreign)
        self.assertEqual(task.signal(signal.SIGTERM).wait().result["state"], "TASK_KILLED")

    def test_labels_that_came_with_an_image_make_no_container_ours(self):
        # As `docker commit` of a container of ours hands them on, and as anybody can write them.
        outcome = self.run_docker("true", options=("--keep",))
        kept = outcome.result["container_id"]
        labels = json.loads(self.engine.docker("inspect", kept))[0]["Config"]["Labels"]
        work = labels["org.apache.aurora.executor.work-dir"]
        foreign = [
            self.engine.docker("create", self.with_engine_image(name="labels:test", config={"Labels": made}), "true").strip()
            for made in (labels, {**labels, "org.apache.aurora.executor.task-id": "nosuchtask"})]
        # The name alone does not make it ours either: this task never asked for a container of this nonce.
        named = self.host.task_id()
        os.makedirs(os.path.join(work, "tasks", named))
        with open(os.path.join(work, "tasks", named, "result.json"), "w", encoding="utf-8"):
            pass
        foreign.append(self.engine.docker(
            "create", "--name", "aurora-" + named, "--label", "org.apache.aurora.executor.work-dir=" + work,
            "--label", "org.apache.aurora.executor.task-id=" + named, self.with_engine_image(), "true").strip())
        try:
            done = self.aurora("sweep", "--docker-socket", self.engine.socket)
            self.assertEqual(done.code, 0, done)
            self.assertEqual(sorted(self.engine.containers()), sorted(foreign))
        finally:
            self.engine.docker("rm", *foreign)
