// Starting a child from the executor: clone3 and exec with nothing but async-signal-safe calls between.
//
//   parent (waits, for it is its memory)  child
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

static struct clone_arguments clone_arguments(uint64_t flags, int cgroup, int *pidfd) {
  struct clone_arguments arguments;
  memset(&arguments, 0, sizeof arguments);
  arguments.flags = flags | CLONE_PIDFD;
  arguments.pidfd = (uint64_t)(uintptr_t)pidfd;
  arguments.exit_signal = SIGCHLD;
  if (cgroup >= 0) {
    arguments.flags |= CLONE_INTO_CGROUP;
    arguments.cgroup = (uint64_t)cgroup;
  }
  return arguments;
}

// A filter that cannot look into clone3's arguments answers that there is none (Docker's default profile), and so does a kernel
// before 5.3. What it would have done with the cgroup the child does itself.
static int is_missing(int error) { return error == ENOSYS || error == EPERM; }

static int join_cgroup(int cgroup) {
  if (cgroup < 0) return 0;
  int processes = openat(cgroup, "cgroup.procs", O_WRONLY | O_CLOEXEC);
  if (processes < 0) return -1;
  ssize_t written = write(processes, "0", 1);
  int error = errno;
  close(processes);
  errno = error;
  return written == 1 ? 0 : -1;
}

pid_t ax_fork_into(int cgroup, int *pidfd) {
  struct clone_arguments arguments = clone_arguments(0, cgroup, pidfd);
  pid_t pid = (pid_t)syscall(SYS_clone3, &arguments, sizeof arguments);
  if (pid >= 0 || !is_missing(errno)) return pid;
  *pidfd = -1;
  pid = fork();
  // Nobody has been told of it yet: it ends as one that could not be let go.
  if (pid == 0 && join_cgroup(cgroup) < 0) _exit(127);
  return pid;
}

// A child that runs `body(argument)` on a stack of its own, in the memory of the caller, who waits until it executes or ends
// (CLONE_VFORK): no page table is copied and no page is written a second time, which is most of what a fork costs a
// process of some size. As in any vfork(2) the child may call system calls and write to its own stack, and nothing else.
static pid_t clone_in_place(struct clone_arguments *arguments, void (*body)(void *), void *argument) {
  arguments->flags |= CLONE_VM | CLONE_VFORK;
  long result;
#if defined(__x86_64__)
  register void (*function)(void *) __asm__("r12") = body;
  register void *value __asm__("r13") = argument;
  __asm__ volatile(
      "syscall\n\t"
      "test %%rax, %%rax\n\t"
      "jnz 1f\n\t"
      "xor %%ebp, %%ebp\n\t"
      "mov %%r13, %%rdi\n\t"
      "call *%%r12\n\t"
      "hlt\n"
      "1:"
      : "=a"(result)
      : "0"((long)SYS_clone3), "D"(arguments), "S"(sizeof *arguments), "r"(function), "r"(value)
      : "rcx", "r11", "memory", "cc");
#elif defined(__aarch64__)
  register long number __asm__("x8") = SYS_clone3;
  register struct clone_arguments *first __asm__("x0") = arguments;
  register size_t second __asm__("x1") = sizeof *arguments;
  register void (*function)(void *) __asm__("x19") = body;
  register void *value __asm__("x20") = argument;
  __asm__ volatile(
      "svc #0\n\t"
      "cbnz x0, 1f\n\t"
      "mov x29, xzr\n\t"
      "mov x0, x20\n\t"
      "blr x19\n\t"
      "brk #1\n"
      "1:"
      : "+r"(first)
      : "r"(number), "r"(second), "r"(function), "r"(value)
      : "x30", "memory", "cc");
  result = (long)first;
#else
#error "clone3 on a stack of its own is written for x86_64 and aarch64"
#endif
  if (result < 0) {
    errno = (int)-result;
    return -1;
  }
  return (pid_t)result;
}

static void fail(int pipe, int stage) {
  struct failure failure = {.stage = stage, .error = errno};
  ssize_t ignored = write(pipe, &failure, sizeof failure);
  (void)ignored;
  _exit(127);
}

// What a caller has of a processor and of the host's memory is its own: which CPUs, in which order, and when the kernel kills it.
// Where this needs a capability that is not there, what was inherited stays.
static void leave_priorities(void) {
  struct sched_param none = {0};
  sched_setscheduler(0, SCHED_OTHER, &none);
  setpriority(PRIO_PROCESS, 0, 0);
  syscall(SYS_ioprio_set, 1 /* IOPRIO_WHO_PROCESS */, 0, 0 /* by nice */);
  // All that the cgroup allows.
  unsigned char cpus[1024];
  memset(cpus, 0xff, sizeof cpus);
  syscall(SYS_sched_setaffinity, 0, sizeof cpus, cpus);
  int score = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (score < 0) return;
  ssize_t ignored = write(score, "0", 1);
  (void)ignored;
  close(score);
}

static void run_child(const struct ax_spawn_request *request, int error_pipe) {
  // Before cgroups: one may have no time for who is scheduled in real time.
  if (request->own_priorities) leave_priorities();
  if (request->parent_death_signal && prctl(PR_SET_PDEATHSIG, request->parent_death_signal) < 0)
    fail(error_pipe, AX_STAGE_SESSION);
  // A single-threaded process that moves *itself* ("0" to `tasks`) skips the kernel's global thread-group lock, and
  // with it the RCU grace period of 10 to 20 ms that moving another process costs.
  for (int i = 0; i < request->join_tasks_count; i++)
    if (write(request->join_tasks[i], "0", 1) != 1) fail(error_pipe, AX_STAGE_CGROUP);
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

struct child {
  const struct ax_spawn_request *request;
  int error_pipe;
  // To join, when it was not born there.
  int cgroup;
};

static void run(void *child) {
  const struct child *own = child;
  if (join_cgroup(own->cgroup) < 0) fail(own->error_pipe, AX_STAGE_CGROUP);
  run_child(own->request, own->error_pipe);
}

static int run_by_clone(void *child) {
  run(child);
  return 127;
}

pid_t ax_spawn(const struct ax_spawn_request *request, int *pidfd, int *stage) {
  int error_pipe[2];
  char stack[32768] __attribute__((aligned(16)));
  *stage = AX_STAGE_CLONE;
  if (pipe2(error_pipe, O_CLOEXEC) < 0) return -1;

  // No handler of ours may run in the child before it has default dispositions.
  sigset_t all, old;
  sigfillset(&all);
  sigprocmask(SIG_BLOCK, &all, &old);
  struct child child = {.request = request, .error_pipe = error_pipe[1], .cgroup = -1};
  struct clone_arguments arguments = clone_arguments(request->clone_flags, request->cgroup, pidfd);
  arguments.stack = (uint64_t)(uintptr_t)stack;
  arguments.stack_size = sizeof stack;
  pid_t pid = clone_in_place(&arguments, run, &child);
  if (pid < 0 && is_missing(errno)) {
    child.cgroup = request->cgroup;
    int flags = (int)request->clone_flags | CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD;
    pid = clone(run_by_clone, stack + sizeof stack, flags, &child, pidfd);
  }
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
