// Kills an executor, its container-init or both when one of them enters or leaves a system call.
//
//   kill_at executor|init NUMBER executor|init|both FILE COMMAND [ARGUMENT …]
//   kill_at pid NUMBER PID FILE
//
// Runs the command, counts its own stops at system calls, or those of the container-init that it starts, and kills at the
// NUMBERth; the second form does so with a process that is there. Writes to FILE how many stops there were, and the pid of
// container-init, if there was one. Its own exit status is the executor's, or 128 and the signal.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

static const long following = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC;
static const long alone = PTRACE_O_TRACESYSGOOD;

static void report(const char *path, long count, pid_t init) {
  FILE *file = fopen(path, "w");
  if (!file || fprintf(file, "%ld %d\n", count, init) < 0 || fclose(file)) exit(2);
}

// Whether a process was executed as container-init.
static int is_init(pid_t pid) {
  char path[64], text[256];
  snprintf(path, sizeof path, "/proc/%d/cmdline", pid);
  int file = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t length = file < 0 ? 0 : read(file, text, sizeof text);
  if (file >= 0) close(file);
  return length > 0 && memmem(text, length, "\0__init", 7) != NULL;
}

// What a stop hands on to the process: its signal, when it is one.
static int handed_on(int status) {
  int number = WSTOPSIG(status);
  return status >> 16 || number == SIGTRAP || number == (SIGTRAP | 0x80) ? 0 : number;
}

static int follow_one(long number, pid_t pid, const char *path) {
  if (ptrace(PTRACE_SEIZE, pid, 0, alone) || ptrace(PTRACE_INTERRUPT, pid, 0, 0)) return 3;
  long count = 0;
  int status;
  while (waitpid(pid, &status, __WALL) == pid && WIFSTOPPED(status)) {
    if (WSTOPSIG(status) == (SIGTRAP | 0x80) && ++count == number) kill(pid, SIGKILL);
    // A stop of all its threads is kept up.
    int is_group = status >> 16 == PTRACE_EVENT_STOP && WSTOPSIG(status) != SIGTRAP;
    if (is_group) ptrace(PTRACE_LISTEN, pid, 0, 0);
    else ptrace(PTRACE_SYSCALL, pid, 0, handed_on(status));
  }
  report(path, count, pid);
  return 0;
}

int main(int argc, char **argv) {
  if (argc < 5) return 64;
  long number = atol(argv[2]);
  const char *path = argv[4];
  if (!strcmp(argv[1], "pid")) return follow_one(number, atoi(argv[3]), path);
  int counts_init = !strcmp(argv[1], "init");
  int kills_executor = strcmp(argv[3], "init") != 0, kills_init = strcmp(argv[3], "executor") != 0;

  pid_t executor = fork(), init = 0;
  if (executor == 0) {
    ptrace(PTRACE_TRACEME, 0, 0, 0);
    raise(SIGSTOP);
    execvp(argv[5], argv + 5);
    _exit(127);
  }
  int status, hasBegun = 0, end = 0;
  long count = 0;
  pid_t pid;
  static char isKnown[1 << 22];
  while ((pid = waitpid(-1, &status, __WALL)) > 0) {
    if (!WIFSTOPPED(status)) {
      if (pid != executor) continue;
      end = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
      break;
    }
    int event = status >> 16, given = handed_on(status);
    if (pid == executor && !hasBegun) {
      hasBegun = isKnown[pid] = 1;
      ptrace(PTRACE_SETOPTIONS, pid, 0, following);
      given = 0;
    } else if (!isKnown[pid]) {
      // A process that was just made stops once.
      isKnown[pid] = 1;
      given = 0;
    }
    if (event == PTRACE_EVENT_EXEC && pid != executor) {
      if (!init && is_init(pid)) {
        init = pid;
        ptrace(PTRACE_SETOPTIONS, pid, 0, alone);
      }
      if (pid != init || !counts_init) {
        ptrace(PTRACE_DETACH, pid, 0, 0);
        isKnown[pid] = 0;
        continue;
      }
    }
    int counts = counts_init ? pid == init : pid == executor;
    if (counts && WSTOPSIG(status) == (SIGTRAP | 0x80) && ++count == number) {
      if (kills_init && init) kill(init, SIGKILL);
      if (kills_executor) kill(executor, SIGKILL);
    }
    ptrace(counts ? PTRACE_SYSCALL : PTRACE_CONT, pid, 0, given);
  }
  report(path, count, init);
  return end;
}
