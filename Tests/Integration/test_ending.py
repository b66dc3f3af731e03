"""The end of a task: bounded, and not the task's to bend."""

import os
import resource
import signal
import subprocess
import time

from support import DockerTestCase, ExecutorTestCase, document, process
from support.executor import wait_until
from support.needs import controller_directory, need_controller
from support.programs import compiler

# Children that hold many descriptors, and one that has left the session and holds the log among them, the last of all.
MANY = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>
int main(int argc, char **argv) {
  int children = atoi(argv[1]), each = atoi(argv[2]), hidden = argc > 3;
  int ready[2];
  if (pipe(ready)) return 90;
  for (int child = 0; child < children; child++) {
    pid_t pid = fork();
    if (pid < 0) return 91;
    if (pid) continue;
    setsid();
    if (fork()) _exit(0);
    close(ready[0]);
    int log = fcntl(1, F_DUPFD, 3), null = open("/dev/null", O_RDWR);
    for (int number = 0; number < 3; number++) dup2(null, number);
    for (int count = 0; count < each; count++) if (dup(null) < 0) _exit(1);
    if (hidden && child == children - 1) dup2(log, each + 20);
    close(log);
    write(ready[1], "x", 1);
    close(ready[1]);
    for (;;) pause();
  }
  close(ready[1]);
  char byte;
  int up = 0;
  while (read(ready[0], &byte, 1) == 1) up++;
  printf("up %d\n", up);
  fflush(stdout);
  return 7;
}
"""

# Signals that say of themselves where they come from.
# Fills the queue of its uid first: the kernel then delivers a signal without what came with it.
FORGE_FULL = r"""
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(void) {
  sigset_t all;
  union sigval value = {0};
  siginfo_t info;
  long queued = 0;
  sigfillset(&all);
  sigprocmask(SIG_BLOCK, &all, 0);
  while (sigqueue(getpid(), SIGRTMIN + 1, value) == 0) queued++;
  struct rlimit none = {0, 0};
  prlimit(1, RLIMIT_SIGPENDING, &none, 0);
  for (int i = 0; i < 100; i++) {
    memset(&info, 0, sizeof info);
    info.si_signo = SIGTERM;
    info.si_code = SI_QUEUE;
    syscall(SYS_rt_sigqueueinfo, 1, SIGTERM, &info);
  }
  printf("forged %d\n", queued > 100);
  fflush(stdout);
  sleep(1);
  return 7;
}
"""

# Old signals are counted without asking for the limit: each process can have each of them pending once.
FORGE_OLD = r"""
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(void) {
  sigset_t all;
  long sent = 0;
  sigfillset(&all);
  sigprocmask(SIG_BLOCK, &all, 0);
  for (int child = 0; child < 40; child++) {
    int pid = fork();
    if (pid == 0) for (;;) pause();
    for (int number = 1; number < 32; number++)
      if (number != SIGKILL && number != SIGSTOP && number != SIGCONT && number != SIGTSTP && number != SIGTTIN &&
          number != SIGTTOU && kill(pid, number) == 0)
        sent++;
  }
  for (int i = 0; i < 20; i++) { syscall(SYS_tgkill, 1, 1, SIGTERM); usleep(20000); }
  printf("sent %d\n", sent > 900);
  fflush(stdout);
  sleep(1);
  return 7;
}
"""

FORGE = r"""
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(void) {
  int numbers[] = {SIGTERM, SIGINT, SIGHUP}, codes[] = {-1, -2, -3, -4, -5, -60};
  for (int n = 0; n < 3; n++)
    for (int c = 0; c < 6; c++) {
      siginfo_t info;
      memset(&info, 0, sizeof info);
      info.si_signo = numbers[n];
      info.si_code = codes[c];
      syscall(SYS_rt_sigqueueinfo, 1, numbers[n], &info);
      syscall(SYS_rt_tgsigqueueinfo, 1, 1, numbers[n], &info);
      int pidfd = syscall(SYS_pidfd_open, 1, 0);
      syscall(SYS_pidfd_send_signal, pidfd, numbers[n], &info, 0);
      close(pidfd);
    }
  puts("forged");
  return 0;
}
"""


# Limits of the first process, which one of its uid may lower: none of a file's size, no descriptor, no process.
LOWER = r"""
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
int main(int argc, char **argv) {
  int all = argc > 1 && !strcmp(argv[1], "hard"), sizes = argc > 1 && !strcmp(argv[1], "sizes");
  int resources[] = {RLIMIT_FSIZE, RLIMIT_NOFILE, RLIMIT_NPROC, RLIMIT_CORE, RLIMIT_STACK};
  for (int r = 0; r < 5; r++) {
    struct rlimit limit;
    if (prlimit(1, resources[r], NULL, &limit)) { perror("prlimit"); continue; }
    limit.rlim_cur = resources[r] == RLIMIT_STACK ? 65536 : resources[r] == RLIMIT_NOFILE ? 4 : 0;
    if (all || (sizes && resources[r] == RLIMIT_FSIZE)) limit.rlim_max = limit.rlim_cur;
    if (prlimit(1, resources[r], &limit, NULL)) perror("prlimit");
  }
  return 0;
}
"""


def compiled(case, source):
    """A static program from C."""
    path = case.host.write("program.c", source)
    out = case.host.path("program")
    subprocess.run([compiler(), "-O1", "-static", "-w", "-o", out, path], check=True)
    os.chmod(out, 0o755)
    return out


def volume_of(case, name="/tools"):
    """A volume with the compiled programs."""
    return {"volumes": [{"container_path": name, "host_path": case.host.directory, "mode": "RO"}]}


class Bounded(ExecutorTestCase):
    def attack(self, hidden, children=300, each=15000, **more):
        program = compiled(self, MANY)
        # The document's own limits: so many descriptors, so many processes.
        limits = [{"type": "RLMT_NOFILE", "soft": each + 100, "hard": each + 100}]
        made = document(
            process("main", f"{program} {children} {each} {'hidden' if hidden else ''}"),
            process("beside", "trap '' TERM; echo up; while :; do sleep 0.05; echo tick; done"),
            pids=2 * children + 100, ram=4 << 30, finalization_wait=3, max_failures=0,
            container={"rlimit_info": {"rlimits": limits}}, **more)
        # A role that no other test has: the kernel counts processes by user, too (RLIMIT_NPROC).
        return self.start_task(made, role="games")

    def test_many_descriptors_do_not_hold_up_the_end_of_a_run_nor_init(self):
        task = self.attack(hidden=True)
        task.wait_log("up 300", seconds=80)
        began = time.monotonic()
        task.wait_for("ended", process="main", seconds=20)
        took = time.monotonic() - began
        # The streams are cut off after a second; init has served the others meanwhile.
        self.assertLess(took, 10)
        before = os.path.getsize(task.log_path("beside"))
        wait_until(lambda: os.path.getsize(task.log_path("beside")) > before, "more of the other's log", 10)
        began = time.monotonic()
        outcome = task.signal(signal.SIGTERM).wait(60)
        self.assertLess(time.monotonic() - began, 25, outcome)
        self.assert_runs(outcome, "main", 7)

    def test_next_to_no_cpu_does_not_hold_up_the_end_of_all(self):
        need_controller("cpu")
        task = self.attack(hidden=False, children=200, each=15000, cpu=0.04)
        task.wait_log("up 200", seconds=200)
        quota = f"{controller_directory('cpu')}/aurora-executor/{task.id}/task/cpu.cfs_quota_us"
        with open(quota, encoding="ascii") as file:
            self.assertEqual(file.read(), "4000\n")
        began = time.monotonic()
        outcome = task.signal(signal.SIGTERM).wait(60)
        took = time.monotonic() - began
        self.assertLess(took, 12, outcome)

    def test_a_holder_among_them_that_inherited_the_log_goes_with_the_run(self):
        task = self.start_task(document(
            "(setsid sh -c 'echo $$ > holder; exec sleep 1000' &); while ! test -s holder; do sleep 0.01; done; exit 3",
            process("beside", "exec sleep 1000"), max_failures=0))
        task.wait_for("ended", process="main", exit_code=3)
        holder = int(task.sandbox_file("holder"))
        self.assertGreater(holder, 0)
        records = {record["type"]: record["boot"] for record in task.journal() if record.get("process") == "main"}
        # Killed rather than waited for: well below the second after which a stream is cut off.
        self.assertLess((records["ended"] - records["running"]) / 1e9, 0.9)
        task.signal(signal.SIGTERM).wait()


    def test_an_init_that_does_not_answer_is_gone_over(self):
        task = self.start_task(document("trap '' TERM; echo up; while :; do sleep 0.1; done", finalization_wait=1))
        task.wait_log("up")
        pid = task.launched()["pid"]
        os.kill(pid, signal.SIGSTOP)
        self.addCleanup(self.go_on, pid)
        began = time.monotonic()
        task.signal(signal.SIGTERM)
        # Its processes first, as soon as it is clear that nobody else does it.
        cgroup = f"/sys/fs/cgroup/unified/aurora-executor/{task.id}/task/cgroup.procs"

        def gone():
            try:
                with open(cgroup, encoding="ascii") as file:
                    return not file.read()
            except FileNotFoundError:
                return True
        if os.path.exists(os.path.dirname(cgroup)):
            wait_until(gone, "the end of the task's processes", 5)
            self.assertLess(time.monotonic() - began, 4)
        outcome = task.wait(30)
        self.assertLess(time.monotonic() - began, 20)
        self.assertEqual(outcome.result["state"], "TASK_KILLED", outcome)
        notes = " ".join(outcome.result["notes"])
        self.assertIn("killed over its head", notes)
        self.assertIn("container-init has not answered for 10 s", notes)

    def go_on(self, pid):
        try:
            os.kill(pid, signal.SIGCONT)
        except ProcessLookupError:
            pass

    def test_an_init_that_answers_late_ends_the_task_itself(self):
        task = self.start_task(document(
            process("main", "trap '' TERM; echo up; while :; do sleep 0.1; done"),
            process("last", "echo cleaned", final=True), finalization_wait=8))
        task.wait_log("up")
        pid = task.launched()["pid"]
        os.kill(pid, signal.SIGSTOP)
        task.signal(signal.SIGTERM).signal(signal.SIGINT)
        # Late enough to be killed over its head, and not to be given up.
        time.sleep(3)
        task.signal(signal.SIGINT)
        time.sleep(2.5)
        self.go_on(pid)
        outcome = task.wait(30)
        self.assertEqual(outcome.result["state"], "TASK_KILLED", outcome)
        self.assertIn("killed over its head", " ".join(outcome.result["notes"]))
        self.assertNotIn("lost", " ".join(outcome.result["notes"]))


class Truth(ExecutorTestCase):
    def test_a_stop_cannot_be_forged_from_inside(self):
        compiled(self, FORGE)
        outcome = self.run_task(document(
            "/tools/program && sleep 1 && echo lived", image=self.with_busybox(), container=volume_of(self)), role="root")
        self.assertEqual(outcome.out(), "forged\nlived\n", outcome)
        self.assert_finished(outcome)

    def test_a_stop_cannot_be_forged_when_the_queue_of_signals_is_full(self):
        compiled(self, FORGE_FULL)
        outcome = self.run_task(document("/tools/program", image=self.with_busybox(), container=volume_of(self)), role="root")
        self.assertEqual(outcome.out(), "forged 1\n", outcome)
        self.assert_failed(outcome)
        self.assertEqual(outcome.runs()[-1]["exit_code"], 7)

    def test_a_stop_cannot_be_forged_by_signals_that_no_limit_holds_for(self):
        compiled(self, FORGE_OLD)
        outcome = self.run_task(
            document("/tools/program", image=self.with_busybox(), container=volume_of(self)), role="root",
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_SIGPENDING, (500, 500)))
        self.assertEqual(outcome.out(), "sent 1\n", outcome)
        self.assert_failed(outcome)
        self.assertEqual(outcome.runs()[-1]["exit_code"], 7)

    def test_no_document_has_more_than_half_of_the_pending_signals(self):
        limits = [{"type": "RLMT_SIGPENDING", "soft": 1 << 30, "hard": 1 << 30}]
        outcome = self.run_task(document("true", container={"rlimit_info": {"rlimits": limits}}))
        self.assert_failed(outcome, "RLMT_SIGPENDING", "half")

    def cut(self, run, hard):
        """Limits of init are nobody's to take, also not of who has its uid: logs, exits and processes are whole."""
        compiled(self, LOWER)
        outcome = run(
            process("main", f"/tools/program {hard}; i=0; while [ $i -lt 20 ]; do echo line $i; /tools/program {hard}; "
                    "i=$((i+1)); done; ulimit -n; exit 7", max_failures=2),
            process("last", "echo last; ulimit -n", final=True))
        lines = "".join(f"line {number}\n" for number in range(20))
        self.assert_runs(outcome, "main", 7, 7)
        for number in (0, 1):
            said = outcome.out("main", number)
            self.assertTrue(said.startswith(lines), outcome)
            self.assertGreater(int(said.splitlines()[-1]), 100)
            # Five limits, each time.
            self.assertEqual(outcome.err("main", number), "prlimit: Operation not permitted\n" * 5 * 21)
        self.assertTrue(outcome.out("last").startswith("last\n"), outcome)
        self.assertGreater(int(outcome.out("last").splitlines()[-1]), 100)
        self.assertGreater(os.path.getsize(os.path.join(outcome.directory, "exits")), 3 * 40)
        self.assertEqual(outcome.result.get("notes", []), [])

    def test_the_filter_of_system_calls_keeps_inits_limits(self):
        compiled(self, LOWER)
        outcome = self.run_task(document(
            "/tools/program; /tools/program sizes; cat /proc/1/limits", image=self.with_busybox(), container=volume_of(self)), role="root")
        self.assert_finished(outcome)
        for line in outcome.out().splitlines():
            if line.startswith("Max file size"):
                self.assertEqual(line.split()[3:5], ["unlimited", "unlimited"])

    def test_limits_of_init_cannot_be_taken_without_a_filter_either(self):
        image = self.with_busybox()
        unconfined = {"linux_info": {"seccomp": {"unconfined": True}}, **volume_of(self)}
        for hard in ("", "sizes", "hard"):
            with self.subTest(hard=hard):
                self.cut(lambda *processes: self.run_task(
                    document(*processes, image=image, container=unconfined), role="root"), hard)

    def test_a_stop_is_not_forged_in_a_shared_namespace(self):
        # Its task's processes see init under its own number; what they do is the same. One has ended when init looks.
        for command in ("kill -TERM $PPID; echo lived", "(setsid sh -c 'kill -TERM '$PPID'; sleep 1' &); sleep 0.3; echo lived"):
            with self.subTest(command=command):
                outcome = self.run_task(document(command, container={
                    "linux_info": {"share_pid_namespace": True}}), role="root")
                self.assertEqual(outcome.out(), "lived\n", outcome)
                self.assert_finished(outcome)

    def test_a_stop_from_outside_is_believed(self):
        for shared in (False, True):
            with self.subTest(shared=shared):
                task = self.start_task(document("echo up; exec sleep 1000", container={
                    "linux_info": {"share_pid_namespace": shared}})).wait_log("up")
                os.kill(task.launched()["pid"], signal.SIGTERM)
                outcome = task.wait()
                self.assertEqual(outcome.result["state"], "TASK_KILLED", outcome)
                self.assertIn("SIGTERM to the container from outside", outcome.result["message"])

    def test_in_a_shared_namespace_only_the_tasks_own_orphans_are_signalled(self):
        stranger = subprocess.Popen(["sleep", "1000"], start_new_session=True)
        self.addCleanup(stranger.wait)
        self.addCleanup(stranger.kill)
        orphans = ("for i in 1 2 3; do (setsid bash -c 'trap \"echo told > told$0; exit\" TERM; echo > up$0; "
                   "while :; do sleep 0.05; done' $i > /dev/null 2>&1 &); done; "
                   "(setsid bash -c 'trap \"\" TERM; echo > up4; while :; do sleep 0.05; done' > /dev/null 2>&1 &); "
                   "for i in 1 2 3 4; do while ! test -e up$i; do sleep 0.02; done; done; echo up; exec sleep 1000")
        task = self.start_task(document(orphans, finalization_wait=2, container={
            "linux_info": {"share_pid_namespace": True}})).wait_log("up")
        began = time.monotonic()
        outcome = task.signal(signal.SIGTERM).wait()
        self.assertEqual(outcome.result["state"], "TASK_KILLED", outcome)
        # The one that does not listen has its time, and is killed then.
        self.assertGreater(time.monotonic() - began, 1.9)
        self.assertEqual([outcome.sandbox_file(f"told{number}") for number in (1, 2, 3)], ["told\n"] * 3)
        self.assertIsNone(stranger.poll())


class DockerTruth(DockerTestCase):
    cut = Truth.cut

    def test_a_stop_cannot_be_forged_from_inside(self):
        compiled(self, FORGE)
        outcome = self.run_docker(
            "/tools/program && sleep 1 && echo lived", role="root",
            parameters=[f"volume={self.host.directory}:/tools:ro"])
        self.assertEqual(outcome.out(), "forged\nlived\n", outcome)
        self.assert_finished(outcome)

    def test_a_stop_cannot_be_forged_when_the_queue_of_signals_is_full(self):
        compiled(self, FORGE_FULL)
        outcome = self.run_docker("/tools/program", role="root", parameters=[f"volume={self.host.directory}:/tools:ro"])
        self.assertEqual(outcome.out(), "forged 1\n", outcome)
        self.assert_failed(outcome)
        self.assertEqual(outcome.runs()[-1]["exit_code"], 7)

    def test_limits_of_init_cannot_be_taken(self):
        for hard in ("", "sizes", "hard"):
            with self.subTest(hard=hard):
                self.cut(lambda *processes: self.run_docker(
                    *processes, role="root", parameters=[f"volume={self.host.directory}:/tools:ro"]), hard)

    def test_an_init_that_does_not_answer_is_gone_over(self):
        task = self.start_docker("trap '' TERM; echo up; while :; do sleep 0.1; done", finalization_wait=1)
        task.wait_log("up", seconds=30)
        os.kill(task.launched()["pid"], signal.SIGSTOP)
        began = time.monotonic()
        outcome = task.signal(signal.SIGTERM).wait(40)
        self.assertLess(time.monotonic() - began, 25)
        self.assertEqual(outcome.result["state"], "TASK_KILLED", outcome)
        self.assertIn("killed over its head", " ".join(outcome.result["notes"]))

    def test_an_init_that_does_not_answer_is_gone_over_in_the_hosts_pid_namespace(self):
        task = self.start_docker(
            "trap '' TERM; echo $$ > pid; echo up; while :; do sleep 0.1; done", finalization_wait=1,
            parameters=["pid=host"])
        task.wait_log("up", seconds=30)
        pid = task.launched()["pid"]
        with open(task.sandbox + "/pid", encoding="ascii") as file:
            shell = int(file.read())
        os.kill(pid, signal.SIGSTOP)
        task.signal(signal.SIGTERM)

        def is_dead():
            try:
                with open(f"/proc/{shell}/stat", encoding="ascii") as file:
                    return file.read().split()[2] == "Z"
            except FileNotFoundError:
                return True
        # Init is stopped: it has not done it, nor has its end.
        wait_until(is_dead, "the end of the task's process", 8)
        self.assertTrue(os.path.exists(f"/proc/{pid}"))
        outcome = task.wait(40)
        self.assertIn("killed over its head", " ".join(outcome.result["notes"]))

    def test_what_is_killed_does_not_wait_for_its_cpu(self):
        """A container with next to no CPU, and processes whose descriptors take some to be closed."""
        compiled(self, MANY)
        children, each = 400, 19000
        task = self.start_docker(
            process("main", f"/tools/program {children} {each}; exec sleep 1000"), cpu=2, pids=2 * children + 100, ram=4 << 30,
            finalization_wait=1, role="root",
            parameters=[f"volume={self.host.directory}:/tools:ro", f"ulimit=nofile={each + 100}"])
        task.wait_log(f"up {children}", seconds=80)
        container = self.engine.containers()[0]
        self.engine.docker("update", "--cpu-quota", "3000", container)
        began = time.monotonic()
        outcome = task.signal(signal.SIGTERM).signal(signal.SIGINT).signal(signal.SIGINT).wait(120)
        self.assertLess(time.monotonic() - began, 20, outcome)
        self.assertNotIn("has not ended", " ".join(outcome.result.get("notes", [])))
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cgroup", encoding="utf-8", errors="replace") as file:
                    self.assertNotIn(container, file.read())
            except OSError:
                pass
