"""Health checks and the HTTP lifecycle. Tasks here share the host's network, so the server that is asked is the test."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import threading
import time

from support import DockerTestCase, ExecutorTestCase, document, process
from support.executor import wait_until

FOREVER = "echo up; exec sleep 1000"


class Server:
    """Answers each connection with what a function makes of the request's first line; None: never."""

    def __init__(self, answer, family=socket.AF_INET, host="127.0.0.1"):
        self.requests = []
        self._answer = answer
        self._listener = socket.socket(family)
        self._listener.bind((host, 0))
        self._listener.listen(64)
        self.port = self._listener.getsockname()[1]
        self._open = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(connection)
            threading.Thread(target=self._one, args=(connection,), daemon=True).start()

    def _one(self, connection):
        with contextlib.suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                piece = connection.recv(4096)
                if not piece:
                    return
                head += piece
            line = head.split(b"\r\n")[0].decode()
            self.requests.append((time.monotonic(), line))
            answer = self._answer(line)
            if answer is not None:
                for piece in [answer] if isinstance(answer, bytes) else answer:
                    connection.sendall(piece)
                connection.close()

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            connection.close()

    @property
    def lines(self):
        return [line for _, line in self.requests]


def response(body=b"ok", status="200 OK"):
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status.encode(), len(body), body)


def shell(command):
    return {"shell": {"shell_command": command}}


def config(checker=None, interval=0.1, initial=0, **fields):
    made = {"interval_secs": interval, "initial_interval_secs": initial, **fields}
    if checker:
        made["health_checker"] = checker
    return made


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class HealthTestCase(ExecutorTestCase):
    def server(self, answer=lambda line: response(), **options):
        made = Server(answer, **options)
        self.addCleanup(made.close)
        return made

    def start(self, *processes, server=None, health=None, **fields):
        if health:
            fields["health_check_config"] = health
        ports = ("--port", f"health:{server.port}") if server else ()
        return self.start_task(document(*(processes or (FOREVER,)), **fields), *ports)

    def stop(self, task):
        return task.signal(signal.SIGTERM).wait()


class Checks(HealthTestCase):
    def test_a_task_is_running_when_its_server_says_ok(self):
        isWell = threading.Event()
        server = self.server(lambda line: response(b" OK\n" if isWell.is_set() else b"starting"))
        task = self.start(server=server, health=config(initial=30))
        wait_until(lambda: len(server.lines) >= 3, "three checks")
        self.assertEqual(task.updates(), ["TASK_STARTING"])
        isWell.set()
        task.wait_running()
        self.assertEqual(server.lines[0], "GET /health HTTP/1.1")
        outcome = self.stop(task)
        self.assertEqual(outcome.result["state"], "TASK_KILLED", outcome)
        update = next(item for item in outcome.journal() if item.get("state") == "TASK_RUNNING")
        self.assertEqual(
            (update["reason"], update["message"]),
            ("REASON_TASK_HEALTH_CHECK_STATUS_UPDATED", "Task is healthy."))

    def test_what_differs_is_said_in_auroras_words(self):
        for answer, fields, words in (
            (response(b"not ok"), {}, 'Response differs from expected response (expected "ok", got "not ok")'),
            (response(b"a long answer"), {}, 'got "a long ..."'),
            (response(b"ok", "501 No"), {"expected_response": "", "expected_response_code": 200},
             "Response code differs from expected response (expected 200, got 501)"),
            (response(b"ok", "500 No"), {}, 'got "" with HTTP status 500'),
            (b"SSH-2.0-OpenSSH\r\n", {}, "does not answer in HTTP"),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", {}, "the connection ended"),
        ):
            with self.subTest(words):
                server = self.server(lambda line, answer=answer: answer)
                outcome = self.start(server=server, health=config({"http": fields})).wait()
                self.assert_failed(
                    outcome, "Failed health check!", words, reason="REASON_TASK_HEALTH_CHECK_STATUS_UPDATED")

    def test_old_servers_are_understood(self):
        for answer in (b"HTTP/1.0 200 OK\r\n\r\nok", b"HTTP/1.1 200 OK\n\nok", b"HTTP/1.0 200\r\nContent-Length: 2\n\nok"):
            with self.subTest(answer):
                task = self.start(server=self.server(lambda line, answer=answer: answer), health=config())
                task.wait_running()
                self.stop(task)

    def test_nobody_who_listens_is_a_failure_after_the_initial_interval(self):
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            port = unused.getsockname()[1]
        began = time.monotonic()
        outcome = self.start_task(
            document(FOREVER, health_check_config=config(interval=0.2, initial=1)), "--port", f"health:{port}").wait()
        self.assert_failed(outcome, f"nobody listens on port {port} (ECONNREFUSED)")
        self.assertGreaterEqual(time.monotonic() - began, 0.9)

    def test_a_server_that_never_answers_times_out(self):
        def slowly(line):
            for byte in response():
                yield bytes([byte])
                time.sleep(0.1)
        for answer in (lambda line: None, slowly):
            outcome = self.start(server=self.server(answer), health=config(timeout_secs=0.3)).wait()
            self.assert_failed(outcome, "Failed health check! Health check timed out.")

    def test_a_server_that_never_stops_talking_does_no_harm(self):
        def flood(line, start):
            yield start
            while True:
                yield b"x" * 65536
        for start in (b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\n\r\n"):
            server = self.server(lambda line, start=start: flood(line, start))
            outcome = self.start(server=server, health=config(timeout_secs=5)).wait()
            self.assert_failed(outcome, "Failed health check!")

    def test_an_answer_in_tiny_pieces_costs_the_executor_little(self):
        """What reading it takes is charged to nobody."""
        for chunk in (b"1;" + b"x" * 240 + b"\nz\n", b"1\nz\n"):
            def flood(line, piece=chunk * (65536 // len(chunk))):
                yield b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                while True:
                    yield piece
            with self.subTest(chunk[:3]):
                server = self.server(flood)
                checked = [process(f"p{number}", "sleep 100", health_check_config=config(
                    {"http": {"expected_response": "never"}}, initial=1000, timeout_secs=5)) for number in range(10)]
                task = self.start(process("main", FOREVER), *checked, server=server, finalization_wait=1)
                wait_until(lambda: len(server.lines) > 20, "checks")
                before, began = cpu_seconds(task.process.pid), time.monotonic()
                time.sleep(3)
                used, passed = cpu_seconds(task.process.pid) - before, time.monotonic() - began
                self.assertLess(used / passed, 0.5)
                self.stop(task)

    def test_any_answer_will_do_when_nothing_is_compared(self):
        server = self.server(lambda line: response(b"anything", "500 No"))
        self.stop(self.start(server=server, health=config({"http": {"expected_response": ""}})).wait_running())

    def test_a_connection_is_enough_for_tcp(self):
        server = self.server(lambda line: None)
        self.stop(self.start(health=config({"tcp": {"port": str(server.port)}})).wait_running())

    def test_a_connection_to_itself_is_none(self):
        # With one port to choose from, the kernel gives a socket the one that it connects to.
        script = "ip link set lo up; echo '40000 40001' >/proc/sys/net/ipv4/ip_local_port_range; exec \"$@\""
        made = self.host.write("self.json", document(
            FOREVER, health_check_config=config({"tcp": {"port": "40000"}}, interval=0.1, initial=0.6)))
        words = self.host.words(["run", "--task", made, "--role", "www-data", "--task-id", self.host.task_id()])
        done = subprocess.run(
            ["unshare", "--net", "sh", "-c", script, "sh", *words], capture_output=True, text=True, timeout=30,
            check=False, env=self.host.environment())
        self.assertEqual(done.returncode, 1, done)
        self.assertIn("nobody listens on port 40000", done.stderr)
        self.assertNotIn("TASK_RUNNING", done.stderr)

    def test_a_server_on_ipv6_alone_is_found(self):
        server = self.server(family=socket.AF_INET6, host="::1")
        self.stop(self.start(server=server, health=config()).wait_running())

    def test_failures_in_a_row_are_counted(self):
        answers = iter([True, False, False, True, False, False, False])
        server = self.server(lambda line: response(b"ok" if next(answers, False) else b"no"))
        outcome = self.start(server=server, health=config(max_consecutive_failures=2)).wait()
        self.assert_failed(outcome, 'got "no"')
        self.assertEqual(len(server.lines), 7)
        self.assertEqual(outcome.updates()[:2], ["TASK_STARTING", "TASK_RUNNING"])

    def test_a_file_in_the_sandbox_pauses_the_checks(self):
        server = self.server(lambda line: response(b"no"))
        task = self.start("touch .healthchecksnooze; " + FOREVER, server=server, health=config(initial=0.2)).wait_log("up")
        # Several checks would have failed by then.
        time.sleep(0.5)
        self.assertEqual(task.updates(), ["TASK_STARTING"])
        os.remove(os.path.join(task.sandbox, ".healthchecksnooze"))
        self.assert_failed(task.wait(), "Failed health check!")

    def test_status_shows_the_last_ten(self):
        count = iter(range(1000))
        server = self.server(lambda line: response(b"ok" if next(count) < 12 else b"sick"))
        outcome = self.start(server=server, health=config()).wait()
        shown = self.aurora("status", outcome.id)
        self.assertIn("health: unhealthy", shown.out)
        self.assertEqual(shown.out.count("HTTP 200: ok"), 9, shown)
        self.assertIn('(expected "ok", got "sick")', shown.out)
        health = json.loads(self.aurora("status", outcome.id, "--output", "json").out)["health"]
        self.assertEqual([check["outcome"] for check in health[0]["checks"]], ["success"] * 9 + ["failure"])

    def test_a_task_that_is_unhealthy_runs_its_finals(self):
        outcome = self.start(
            FOREVER, process("last", "echo last", final=True), health=config(shell("exit 1"))).wait()
        self.assert_failed(outcome, "exit status 1")
        self.assertEqual(outcome.out("last"), "last\n")


class Commands(HealthTestCase):
    def test_a_command_runs_as_the_role_in_the_sandbox_with_the_tasks_environment(self):
        # Renamed when it is whole: the next check writes it anew.
        command = ("{ id -un; id -G; pwd; echo $HOME $AURORA_TASK_ID; cat /proc/self/cgroup; umask; } >new 2>&1;"
                   " mv new seen")
        task = self.start("cat /proc/self/cgroup >mine; mv mine own; " + FOREVER, health=config(shell(command))).wait_running()
        wait_until(lambda: task.sandbox_file("seen").endswith("0022\n"), "the check has written")
        seen = task.sandbox_file("seen")
        self.assertEqual(
            seen.splitlines()[:4], ["www-data", "33", task.sandbox, f"{task.sandbox} {task.id}"])
        wait_until(lambda: os.path.exists(os.path.join(task.sandbox, "own")), "the process has written")
        self.assertIn(task.sandbox_file("own"), seen)
        self.stop(task)

    def test_a_failure_says_what_the_command_wrote(self):
        outcome = self.start(health=config(shell("echo first; echo broken >&2; exit 3"))).wait()
        self.assert_failed(
            outcome, "Command 'echo first; echo broken >&2; exit 3' returned non-zero exit status 3 with output",
            "broken")

    def test_a_command_in_an_image_sees_the_image(self):
        name = self.with_busybox()
        task = self.start(
            FOREVER, image=name, health=config(shell("test -e /bin/busybox && test ! -e /etc/debian_version")))
        self.stop(task.wait_running())

    def test_a_command_that_takes_too_long_is_killed_with_its_children(self):
        outcome = self.start(health=config(shell("sleep 987 & sleep 986"), timeout_secs=0.3)).wait()
        self.assert_failed(outcome, "Health check timed out.")

    def test_a_command_that_writes_without_end_does_no_harm(self):
        began = time.monotonic()
        outcome = self.start(health=config(shell("yes"), timeout_secs=3600)).wait()
        self.assert_failed(outcome, "the command wrote more than 1 MiB")
        self.assertLess(time.monotonic() - began, 10)

    def test_checks_leave_no_processes_and_no_descriptors(self):
        task = self.start(health=config(shell("true"), interval=0.1)).wait_running().wait_log("up")
        task.wait_for("running")
        pid = task.process.pid
        init = task.launched()["pid"]

        def descriptors():
            return [len(os.listdir(f"/proc/{one}/fd")) for one in (pid, init)]
        before = descriptors()
        journal = len(task.journal())
        # Time for checks to leave something.
        time.sleep(1)
        self.assertLessEqual(max(a - b for a, b in zip(descriptors(), before)), 3)
        self.assertEqual(len(task.journal()), journal)
        self.stop(task)

    def test_hundreds_of_checks_leave_the_executor_its_ears(self):
        check = config(shell("printf %0500d 7; echo >> checked"), interval=0.1, initial=60)
        task = self.start(*[
            process(f"p{index}", FOREVER, health_check_config=check) for index in range(200)])
        task.wait_running()
        checked = os.path.join(task.sandbox, "checked")
        wait_until(lambda: os.path.exists(checked) and os.path.getsize(checked) > 400, "hundreds of checks", 30)
        began = time.monotonic()
        outcome = self.stop(task)
        self.assertEqual(outcome.result["state"], "TASK_KILLED", outcome)
        self.assertLess(time.monotonic() - began, 10)
        stopped = next(record for record in outcome.journal() if record["type"] == "stop")
        self.assertLess(stopped["boot"] / 1e9 - began, 2)

    def test_an_executor_that_stands_still_fails_no_check(self):
        task = self.start(health=config(shell("sleep 0.3"))).wait_running()
        for _ in range(3):
            task.signal(signal.SIGSTOP)
            # Longer than a check may take.
            time.sleep(1.5)
            task.signal(signal.SIGCONT)
            time.sleep(0.5)
        self.assertEqual(self.stop(task).result["state"], "TASK_KILLED")

    def test_checks_that_hang_do_not_keep_others_from_theirs(self):
        # As many as may be under way at a time, and one more.
        hang = config(shell("exec sleep 100"), timeout_secs=60, initial=60)
        task = self.start(
            *[process(f"p{index}", "exec sleep 2", ephemeral=True, health_check_config=hang) for index in range(64)],
            process("main", "echo up; exec sleep 1000",
                    health_check_config=config(shell("touch checked"), interval=0.2, initial=60)))
        wait_until(lambda: os.path.exists(os.path.join(task.sandbox, "checked")), "the check of main", 20)
        self.stop(task)

    def test_the_check_of_a_run_ends_with_the_run(self):
        task = self.start(
            process("main", "sleep 0.2", daemon=True,
                    health_check_config=config(shell("exec sleep 987"), timeout_secs=1e6)))
        task.wait_for("ended", process="main", run=3)
        pids = subprocess.run(["pgrep", "-fx", "sleep 987"], capture_output=True, text=True, check=False).stdout.split()
        self.assertLessEqual(len(pids), 2)
        self.stop(task)

    def test_checks_go_on_after_a_takeover(self):
        task = self.start(health=config(shell("test ! -e sick"), initial=30)).wait_running().kill()
        with open(os.path.join(task.sandbox, "sick"), "w", encoding="utf-8"):
            pass
        # Nothing is forgiven a task that was healthy already.
        outcome = self.host.recover(task.id)
        self.assert_failed(outcome, "Failed health check!")


class Processes(HealthTestCase):
    def test_one_waits_until_another_is_healthy(self):
        outcome = self.run_task(document(
            process("db", "sleep 0.3; touch ready; exec sleep 1000", ephemeral=True, daemon=True,
                    health_check_config=config(shell("test -e ready"), initial=30)),
            process("client", "ls ready", after={"db": "healthy"})))
        self.assert_finished(outcome)
        self.assertEqual(outcome.out("client"), "ready\n")

    def test_final_processes_are_checked_too(self):
        outcome = self.run_task(document(
            "true",
            process("server", "echo up; exec sleep 1000", final=True, ephemeral=True,
                    health_check_config=config(shell("true"), initial=30)),
            process("client", "echo ran", final=True, after={"server": "healthy"}), finalization_wait=20))
        self.assert_finished(outcome)
        self.assertEqual(outcome.out("client"), "ran\n")

    def test_an_unhealthy_run_is_ended_and_tried_again(self):
        outcome = self.run_task(document(process(
            "web", "echo run $AURORA_RUN; if [ $AURORA_RUN = 1 ]; then exit 0; fi; exec sleep 1000", max_failures=2,
            health_check_config=config(shell("test $AURORA_RUN = 1 || { echo no from $AURORA_PROCESS $AURORA_RUN; exit 1; }")))))
        self.assert_finished(outcome)
        self.assertEqual([run["state"] for run in outcome.runs("web")], ["FAILED", "SUCCESS"])
        self.assertEqual(outcome.runs("web")[0]["reason"], "unhealthy")
        self.assertIn("no from web 0", outcome.runs("web")[0]["message"])


class Lifecycle(HealthTestCase):
    def start_with_lifecycle(self, server, *processes, **lifecycle):
        return self.start(
            *(processes or ("trap 'echo term' TERM; echo up; while :; do sleep 0.05; done",)), server=server,
            lifecycle={"http": lifecycle}, finalization_wait=1, health=config()).wait_log("up")

    def test_a_task_is_asked_before_it_is_signalled(self):
        server = self.server()
        task = self.start_with_lifecycle(server, graceful_shutdown_wait_secs=0.4, shutdown_wait_secs=0.2).wait_running()
        began = time.monotonic()
        task.signal(signal.SIGTERM).wait_log("term")
        took = time.monotonic() - began
        posts = [line for line in server.lines if line.startswith("POST")]
        self.assertEqual(posts, ["POST /quitquitquit HTTP/1.1", "POST /abortabortabort HTTP/1.1"])
        self.assertGreaterEqual(took, 0.6)
        self.assertEqual(task.wait().result["state"], "TASK_KILLED")
        # Nobody asks any more how a task is that was told to end.
        self.assertTrue(server.lines[-1].startswith("POST"), server.lines)

    def test_a_task_that_ends_when_asked_is_not_signalled(self):
        command = "trap 'echo term' TERM; echo up; while ! test -e quit; do sleep 0.02; done; echo bye"
        sandbox = []

        def answer(line):
            if line.startswith("POST"):
                with open(os.path.join(sandbox[0], "quit"), "w", encoding="utf-8"):
                    pass
            return response()
        server = self.server(answer)
        task = self.start_with_lifecycle(server, command, graceful_shutdown_wait_secs=30).wait_running()
        sandbox.append(task.sandbox)
        outcome = self.stop(task)
        self.assertEqual(outcome.result["state"], "TASK_KILLED", outcome)
        self.assertEqual(outcome.out(), "up\nbye\n")
        self.assert_runs(outcome, "main", 0)

    def test_no_such_endpoint_costs_no_wait(self):
        for status in ("404 Not Found", "501 Not Implemented"):
            with self.subTest(status):
                server = self.server(lambda line, status=status: response() if "GET" in line else response(b"", status))
                task = self.start_with_lifecycle(server, graceful_shutdown_wait_secs=30, shutdown_wait_secs=30)
                task.wait_running()
                began = time.monotonic()
                task.signal(signal.SIGTERM).wait_log("term")
                self.assertLess(time.monotonic() - began, 5)
                task.wait()

    def test_a_server_that_hangs_costs_a_second_each(self):
        server = self.server(lambda line: response() if "GET" in line else None)
        task = self.start_with_lifecycle(server, graceful_shutdown_wait_secs=30, shutdown_wait_secs=30).wait_running()
        began = time.monotonic()
        task.signal(signal.SIGTERM).wait_log("term")
        self.assertTrue(1.9 < time.monotonic() - began < 6)
        task.wait()

    def test_a_second_sigint_cuts_the_wait_short(self):
        server = self.server()
        task = self.start_with_lifecycle(server, graceful_shutdown_wait_secs=60).wait_running()
        task.signal(signal.SIGINT)
        wait_until(lambda: server.lines[-1].startswith("POST"), "the task is asked")
        began = time.monotonic()
        outcome = task.signal(signal.SIGINT).wait()
        self.assertLess(time.monotonic() - began, 5)
        self.assertEqual(outcome.result["state"], "TASK_KILLED", outcome)

    def test_a_takeover_asks_again(self):
        server = self.server()
        task = self.start_with_lifecycle(server, graceful_shutdown_wait_secs=0.2, shutdown_wait_secs=0.2).wait_running()
        server.requests.clear()
        task.signal(signal.SIGTERM)
        wait_until(lambda: server.lines and server.lines[-1].startswith("POST"), "the task is asked")
        task.kill()
        outcome = self.host.recover(task.id)
        self.assertEqual(outcome.result["state"], "TASK_KILLED", outcome)
        self.assertEqual(outcome.out(), "up\nterm\n")


class InDocker(DockerTestCase):
    def test_checks_are_made_inside_the_container(self):
        # Busybox's own server, in a network that the host's loopback interface has no part in.
        server = "mkdir www; echo ok >www/health; trap 'echo term; exit 0' TERM; httpd -f -p 8123 -h www & wait"
        task = self.start_docker(
            process("web", server), docker={"network": "NONE"}, lifecycle={"http": {}},
            options=("--port", "health:8123"), health_check_config=config(initial=30)).wait_running()
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", 8123))
        outcome = task.signal(signal.SIGTERM).wait()
        self.assertEqual(outcome.result["state"], "TASK_KILLED", outcome)

    def test_commands_run_inside_the_container_as_the_role(self):
        outcome = self.start_docker(
            FOREVER, health_check_config=config(shell("id -un; ls -d /.aurora-executor; exit 1"))).wait()
        self.assert_failed(outcome, "with output 'www-data", "/.aurora-executor")
