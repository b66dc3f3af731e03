// Starting a child from the executor: clone3 and exec with nothing but async-signal-safe calls between.
//
//   parent                                child
//   clone3 ------------------------------> join cgroups, unshare their namespace, setsid, place descriptors
//   read(error pipe)                       exec
//     EOF: exec succeeded  <-------------- (close-on-exec closes the pipe)
//     {stage, errno}: the child has failed and is reaped here
#include "CLinux.h"

#include <linux/sched.h>
#include <string.h>
#include <sys/syscall.h>

struct failure {
  int stage;
  int error;
};

// struct clone_args as of Linux 5.7 (CLONE_INTO_CGROUP); declared here because not every libc header has it.
struct clone_arguments {
  uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup;
};
_Static_assert(sizeof(struct clone_arguments) == 88, "struct clone_args version 2");

static pid_t clone_process(uint64_t flags, int cgroup, int *pidfd) {
  struct clone_arguments arguments;
  memset(&arguments, 0, sizeof arguments);
  arguments.flags = flags | CLONE_PIDFD;
  arguments.pidfd = (uint64_t)(uintptr_t)pidfd;
  arguments.exit_signal = SIGCHLD;
  if (cgroup >= 0) {
    arguments.flags |= CLONE_INTO_CGROUP;
    arguments.cgroup = (uint64_t)cgroup;
  }
  return (pid_t)syscall(SYS_clone3, &arguments, sizeof arguments);
}

pid_t ax_fork_into(int cgroup, int *pidfd) { return clone_process(0, cgroup, pidfd); }

static void fail(int pipe, int stage) {
  struct failure failure = {.stage = stage, .error = errno};
  ssize_t ignored = write(pipe, &failure, sizeof failure);
  (void)ignored;
  _exit(127);
}

static void run_child(const struct ax_spawn_request *request, int error_pipe) {
  if (request->parent_death_signal && prctl(PR_SET_PDEATHSIG, request->parent_death_signal) < 0)
    fail(error_pipe, AX_STAGE_SESSION);
  // A single-threaded process that moves *itself* ("0" to `tasks`) skips the kernel's global thread-group lock, and
  // with it the RCU grace period of 10 to 20 ms that moving another process costs.
  for (int i = 0; i < request->join_tasks_count; i++)
    if (write(request->join_tasks[i], "0", 1) != 1) fail(error_pipe, AX_STAGE_CGROUP);
  // The root of a new cgroup namespace is where its maker is at this moment (cgroup_namespaces(7)): not what clone3 would
  // take, which is where the parent is.
  if (request->new_cgroup_namespace && unshare(CLONE_NEWCGROUP) < 0) fail(error_pipe, AX_STAGE_CGROUP);
  for (int i = 0; i < request->own_tasks_count; i++)
    if (write(request->own_tasks[i], "0", 1) != 1) fail(error_pipe, AX_STAGE_CGROUP);
  if (request->new_session && setsid() < 0) fail(error_pipe, AX_STAGE_SESSION);

  // Move every source above the highest target first, so that placing one cannot overwrite another.
  int count = request->source_count;
  int moved[AX_SPAWN_DESCRIPTORS];
  if (count > AX_SPAWN_DESCRIPTORS) { errno = EMFILE; fail(error_pipe, AX_STAGE_DESCRIPTORS); }
  int floor = count < 3 ? 3 : count;
  int error_high = fcntl(error_pipe, F_DUPFD_CLOEXEC, floor);
  int executable = request->executable;
  if (error_high < 0) fail(error_pipe, AX_STAGE_DESCRIPTORS);
  if (executable >= 0 && (executable = fcntl(executable, F_DUPFD_CLOEXEC, floor)) < 0)
    fail(error_high, AX_STAGE_DESCRIPTORS);
  for (int i = 0; i < count; i++)
    if ((moved[i] = fcntl(request->sources[i], F_DUPFD_CLOEXEC, floor)) < 0) fail(error_high, AX_STAGE_DESCRIPTORS);
  for (int i = 0; i < count; i++)
    if (dup2(moved[i], i) < 0) fail(error_high, AX_STAGE_DESCRIPTORS);
  if (ax_close_range((unsigned)floor, ~0u, CLOSE_RANGE_CLOEXEC) < 0) fail(error_high, AX_STAGE_DESCRIPTORS);

  ax_reset_signals();
  if (executable >= 0)
    ax_execveat(executable, "", request->argv, request->envp, AT_EMPTY_PATH);
  else
    execve(request->path, request->argv, request->envp);
  fail(error_high, AX_STAGE_EXEC);
}

pid_t ax_spawn(const struct ax_spawn_request *request, int *pidfd, int *stage) {
  int error_pipe[2];
  *stage = AX_STAGE_CLONE;
  if (pipe2(error_pipe, O_CLOEXEC) < 0) return -1;

  // No handler of ours may run in the child before it has default dispositions.
  sigset_t all, old;
  sigfillset(&all);
  sigprocmask(SIG_BLOCK, &all, &old);
  pid_t pid = clone_process(request->clone_flags, request->cgroup, pidfd);
  if (pid == 0) run_child(request, error_pipe[1]);
  int error = errno;
  sigprocmask(SIG_SETMASK, &old, NULL);
  close(error_pipe[1]);

  if (pid > 0) {
    struct failure failure;
    ssize_t received;
    do received = read(error_pipe[0], &failure, sizeof failure);
    while (received < 0 && errno == EINTR);
    *stage = AX_STAGE_NONE;
    if (received == (ssize_t)sizeof failure) {
      *stage = failure.stage;
      error = failure.error;
      waitpid(pid, NULL, 0);
      close(*pidfd);
      pid = -1;
    }
  }
  close(error_pipe[0]);
  errno = error;
  return pid;
}
