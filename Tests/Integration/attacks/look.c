// Looks for a way into container-init, and into its children before they execute: for some seconds every other process is
// looked at by every door that proc(5), ptrace(2) and pidfd_getfd(2) have. Prints what it got hold of.
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int is_init(const char *pid) {
  char path[64], name[32] = "";
  snprintf(path, sizeof path, "/proc/%s/comm", pid);
  int fd = open(path, O_RDONLY);
  if (fd < 0) return 0;
  ssize_t count = read(fd, name, sizeof name - 1);
  close(fd);
  return count > 0 && strncmp(name, "aurora-init", 11) == 0;
}

static long tries;

static void found(const char *pid, const char *what) { printf("FOUND %s of %s\n", what, pid); }

static void look(const char *pid) {
  static const char *const doors[] = {"root/.", "cwd/.", "exe", "environ", "mem", "maps", "auxv"};
  char path[128], target[256];
  for (unsigned i = 0; i < sizeof doors / sizeof *doors; i++) {
    snprintf(path, sizeof path, "/proc/%s/%s", pid, doors[i]);
    int fd = open(path, O_RDONLY);
    // A process that has executed in between is no more init's.
    if (fd >= 0 && is_init(pid)) found(pid, doors[i]);
    if (fd >= 0) close(fd);
  }
  for (int number = 0; number < 64; number++) {
    snprintf(path, sizeof path, "/proc/%s/fd/%d/..", pid, number);
    int fd = open(path, O_RDONLY | O_DIRECTORY);
    if (fd >= 0 && is_init(pid)) found(pid, path);
    snprintf(path, sizeof path, "/proc/%s/fd/%d", pid, number);
    if (readlink(path, target, sizeof target) >= 0 && is_init(pid)) found(pid, path);
    if (fd >= 0) close(fd);
  }
  int handle = (int)syscall(SYS_pidfd_open, atoi(pid), 0);
  if (handle >= 0) {
    for (int number = 0; number < 16; number++) {
      int fd = (int)syscall(SYS_pidfd_getfd, handle, number, 0);
      if (fd >= 0 && is_init(pid)) found(pid, "pidfd_getfd");
      if (fd >= 0) close(fd);
    }
    close(handle);
  }
  if (ptrace(PTRACE_SEIZE, atoi(pid), 0, 0) == 0) {
    if (is_init(pid)) found(pid, "ptrace");
    ptrace(PTRACE_DETACH, atoi(pid), 0, 0);
  }
  tries++;
}

int main(int count, char **arguments) {
  int seconds = count > 1 ? atoi(arguments[1]) : 2;
  time_t end = time(NULL) + seconds;
  char own[16];
  snprintf(own, sizeof own, "%d", getpid());
  while (time(NULL) < end) {
    DIR *processes = opendir("/proc");
    for (struct dirent *entry; processes && (entry = readdir(processes));)
      if (entry->d_name[0] > '0' && entry->d_name[0] <= '9' && strcmp(entry->d_name, own) != 0 && is_init(entry->d_name))
        look(entry->d_name);
    if (processes) closedir(processes);
  }
  printf("looked %s\n", tries > 0 ? "often" : "at nothing");
  return 0;
}
