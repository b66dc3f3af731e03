// Makes system calls that a filter refuses, in each way that a processor offers, and prints what the kernel says:
//
//     WAY NAME RESULT        ways: 64, x32, 32; results: ok, a number of an error, or none (no such way here)
//
// Without a filter none of them would do anything, and none would answer EPERM to anybody: what they are asked to do is
// nonsense. `native` as an argument tells which ordinary calls work.
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define X32 0x40000000L
#define BAD 0x10L  // an address where nothing is
#define NONSENSE 0x4L  // no flag of clone or unshare

static sigjmp_buf back;
static void fault(int number) { siglongjmp(back, number); }

static long call64(long number, long a, long b, long c, long d, long e) {
  long result;
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8) : "rcx", "r11", "memory");
  return result;
}

static long call32(long number, long a, long b, long c, long d, long e) {
  long result;
  __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e) : "r8", "r9", "r10", "r11", "memory");
  return (int)result;
}

static struct {
  const char *name;
  long number64, number_x32, number32, a, b, c, d, e;
} calls[] = {
    {"prlimit64", 302, 302, 340, 1, RLIMIT_NOFILE, BAD, 0, 0},
    {"keyctl", 250, 250, 288, 99999, 0, 0, 0, 0},
    {"add_key", 248, 248, 286, BAD, BAD, 0, 0, 0},
    {"request_key", 249, 249, 287, BAD, BAD, 0, 0, 0},
    {"io_uring_setup", 425, 425, 425, 1, BAD, 0, 0, 0},
    {"io_uring_enter", 426, 426, 426, -1, 0, 0, 0, 0},
    {"io_uring_register", 427, 427, 427, -1, 0, 0, 0, 0},
    {"userfaultfd", 323, 323, 374, 0x7fffffff, 0, 0, 0, 0},
    {"perf_event_open", 298, 298, 336, BAD, 0, -1, -1, 0},
    {"unshare", 272, 272, 310, 0x10000000 | NONSENSE, 0, 0, 0, 0},
    {"clone-user", 56, 56, 120, 0x10000000 | 0x200, 0, 0, 0, 0},
    {"clone-mount-fs", 56, 56, 120, 0x20000 | 0x200, 0, 0, 0, 0},
    {"clone3", 435, 435, 435, BAD, 0, 0, 0, 0},
    {"setns", 308, 308, 346, -1, 0, 0, 0, 0},
    {"vsock", 41, 41, 359, 40, SOCK_STREAM, 0, 0, 0},
    {"vsock-high", 41, 41, 359, 0x100000028, SOCK_STREAM, 0, 0, 0},
    {"connector", 41, 41, 359, 16, SOCK_DGRAM, 11, 0, 0},
    {"alg", 41, 41, 359, 38, SOCK_SEQPACKET, 0, 0, 0},
    {"tiocsti", 16, 514, 54, -1, 0x5412, BAD, 0, 0},
    {"tiocsti-high", 16, 514, 54, -1, 0x100005412, BAD, 0, 0},
    {"tiocsti-sign", 16, 514, 54, -1, (long)0xffffffff00005412, BAD, 0, 0},
    {"tioclinux", 16, 514, 54, -1, 0x541c, BAD, 0, 0},
    {"remove-key", 16, 514, 54, -1, 0xc0406618, BAD, 0, 0},
    {"subvolume", 16, 514, 54, -1, 0x5000940e, BAD, 0, 0},
    {"setlease", 72, 72, 221, -1, 1024, 1, 0, 0},
    {"setlease-high", 72, 72, 55, -1, 0x100000400, 1, 0, 0},
    {"setdeleg", 72, 72, 221, -1, 1040, BAD, 0, 0},
    {"socketcall", 0, 0, 102, 1, BAD, 0, 0, 0},
    {"nobody-knows", 999, 999, 999, 0, 0, 0, 0, 0},
};

static void say(const char *way, const char *name, long result) {
  if (result >= 0) printf("%s %s ok\n", way, name);
  else printf("%s %s %ld\n", way, name, -result);
}

static void *in_a_thread(void *nothing) { return nothing; }

static void native(void) {
  pthread_t thread;
  say("native", "thread", -pthread_create(&thread, NULL, in_a_thread, NULL));
  pthread_join(thread, NULL);
  pid_t child = fork();
  if (child == 0) _exit(7);
  int status = 0;
  waitpid(child, &status, 0);
  say("native", "fork", WIFEXITED(status) && WEXITSTATUS(status) == 7 ? 0 : -1);
  int pair[2];
  say("native", "socketpair", socketpair(AF_UNIX, SOCK_STREAM, 0, pair) ? -errno : 0);
  say("native", "inet", socket(AF_INET, SOCK_STREAM, 0) < 0 ? -errno : 0);
  say("native", "netlink", socket(AF_NETLINK, SOCK_RAW, 0) < 0 ? -errno : 0);
  struct rlimit limit;
  say("native", "getrlimit", getrlimit(RLIMIT_NOFILE, &limit) ? -errno : 0);
  say("native", "setrlimit", setrlimit(RLIMIT_NOFILE, &limit) ? -errno : 0);
  say("native", "limits-of-parent", prlimit(getppid(), RLIMIT_NOFILE, NULL, &limit) ? -errno : 0);
}

int main(int count, char **words) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  if (count > 1 && !strcmp(words[1], "native")) {
    native();
    return 0;
  }
  struct sigaction action = {.sa_handler = fault, .sa_flags = SA_NODEFER};
  sigaction(SIGSEGV, &action, NULL);
  sigaction(SIGSYS, &action, NULL);
  for (unsigned i = 0; i < sizeof calls / sizeof *calls; i++) {
    long a = calls[i].a, b = calls[i].b, c = calls[i].c, d = calls[i].d, e = calls[i].e;
    for (int way = 0; way < 3; way++) {
      const char *const names[] = {"64", "x32", "32"};
      if (calls[i].number64 == 0 && way != 2) continue;
      volatile long result = 0;
      if (sigsetjmp(back, 1)) {
        printf("%s %s none\n", names[way], calls[i].name);
        continue;
      }
      if (way == 0) result = call64(calls[i].number64, a, b, c, d, e);
      if (way == 1) result = call64(calls[i].number_x32 | X32, a, b, c, d, e);
      if (way == 2) result = call32(calls[i].number32, a, b, c, d, e);
      if (result >= 0 && !strncmp(calls[i].name, "clone", 5)) {
        if (result == 0) _exit(0);
        waitpid((pid_t)result, NULL, __WALL);
      }
      say(names[way], calls[i].name, result);
    }
  }
  return 0;
}
