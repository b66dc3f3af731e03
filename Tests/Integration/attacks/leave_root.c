// Writes files without a name below /tmp, after it has gone into another root where it may: leave_root COUNT MEBIBYTES.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int count, char **words) {
  int directory = open("/tmp", O_PATH | O_DIRECTORY);
  if (directory < 0) return 1;
  printf(chroot("/dev/shm") ? "stays\n" : "left\n");
  if (fchdir(directory)) return 2;
  for (int i = 0; i < atoi(words[1]); i++) {
    char name[32];
    snprintf(name, sizeof name, "nameless%d", i);
    int file = open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
    if (file < 0 || posix_fallocate(file, 0, atol(words[2]) << 20)) return 3;
    unlink(name);
  }
  fflush(stdout);
  pause();
}
