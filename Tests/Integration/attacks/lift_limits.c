#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <linux/sched.h>
#ifndef CLONE_NEWCGROUP
#define CLONE_NEWCGROUP 0x02000000
#endif
static void put(const char *path, const char *text) {
  int file = open(path, O_WRONLY);
  if (file < 0 || write(file, text, strlen(text)) < 0) printf("%s: %s\n", path, strerror(errno));
  else printf("%s: written\n", path);
  if (file >= 0) close(file);
}
static void lift(void) {
  mkdir("/tmp/m", 0700);
  if (mount("none", "/tmp/m", "cgroup", 0, "memory")) { printf("mount: %s\n", strerror(errno)); return; }
  put("/tmp/m/memory.limit_in_bytes", "-1");
}
int main(void) {
  setvbuf(stdout, 0, _IONBF, 0);
  unsigned flags = CLONE_NEWUSER | CLONE_NEWNS;
  if (fork() == 0) { if (unshare(flags | CLONE_NEWCGROUP)) printf("unshare: %s\n", strerror(errno)); else lift(); _exit(0); }
  wait(0);
  if (fork() == 0) { if (unshare(flags)) printf("user: %s\n", strerror(errno)); else if (unshare(CLONE_NEWCGROUP)) printf("cgroup: %s\n", strerror(errno)); if (1) lift(); _exit(0); }
  wait(0);
  struct clone_args args = {.flags = flags | CLONE_NEWCGROUP, .exit_signal = 17};
  long pid = syscall(SYS_clone3, &args, sizeof args);
  if (pid == 0) { lift(); _exit(0); }
  if (pid < 0) printf("clone3: %s\n", strerror(errno));
  wait(0);
  pid = syscall(SYS_clone, flags | CLONE_NEWCGROUP | 17, 0, 0, 0, 0);
  if (pid == 0) { lift(); _exit(0); }
  if (pid < 0) printf("clone: %s\n", strerror(errno));
  wait(0);
  if (syscall(SYS_unshare | 0x40000000, flags | CLONE_NEWCGROUP)) printf("x32: %s\n", strerror(errno)); else lift();
  // i386's numbers.
  int result;
  __asm__ volatile("int $0x80" : "=a"(result) : "a"(310), "b"(flags | CLONE_NEWCGROUP) : "memory", "r8", "r9", "r10", "r11");
  if (result < 0) printf("i386: %s\n", strerror(-result)); else lift();
  return 0;
}
