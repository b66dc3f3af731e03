"""The end of a task: bounded, and not the task's to bend."""

import os
import shutil
import signal
import subprocess
import time

from support import DockerTestCase, ExecutorTestCase, document, need_command, process
from support.executor import wait_until

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


def compiled(case, source):
    """A static program from C."""
    need_command("gcc")
    path = case.host.write("program.c", source)
    out = case.host.path("program")
    subprocess.run(["gcc", "-O1", "-static", "-w", "-o", out, path], check=True)
    os.chmod(out, 0o755)
    return out


def volume_of(case, name="/tools"):
    """A volume with the compiled programs."""
    return {"volumes": [{"container_path": name, "host_path": case.host.directory, "mode": "RO"}]}


class Bounded(ExecutorTestCase):
    def attack(self, hidden, children=600, each=19000):
        program = compiled(self, MANY)
        # The document's own limits: so many descriptors, so many processes.
        limits = [{"type": "RLMT_NOFILE", "soft": each + 100, "hard": each + 100}]
        made = document(
            process("main", f"{program} {children} {each} {'hidden' if hidden else ''}"),
            process("beside", "trap '' TERM; echo up; while :; do sleep 0.05; echo tick; done"),
            pids=2 * children + 100, ram=4 << 30, finalization_wait=3,
            container={"rlimits": {"rlimits": limits}})
        return self.start_task(made)

    def test_many_descriptors_do_not_hold_up_the_end_of_a_run_nor_init(self):
        task = self.attack(hidden=True)
        task.wait_log("up 600", seconds=60)
        began = time.monotonic()
        task.wait_for("ended", process="main", seconds=20)
        took = time.monotonic() - began
        # The streams are cut off after a second; init has served the others meanwhile.
        self.assertLess(took, 4)
        before = os.path.getsize(task.log_path("beside"))
        time.sleep(0.5)
        self.assertGreater(os.path.getsize(task.log_path("beside")), before)
        began = time.monotonic()
        outcome = task.signal(signal.SIGTERM).wait(60)
        self.assertLess(time.monotonic() - began, 15, outcome)
        self.assert_runs(outcome, "main", 7)

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


class Truth(ExecutorTestCase):
    def test_a_stop_cannot_be_forged_from_inside(self):
        compiled(self, FORGE)
        outcome = self.run_task(document(
            "/tools/program && sleep 1 && echo lived", image=self.with_busybox(), container=volume_of(self)), role="root")
        self.assertEqual(outcome.out(), "forged\nlived\n", outcome)
        self.assert_finished(outcome)
