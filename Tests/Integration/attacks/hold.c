/* Holds what is deleted, and says "done": hold HOW PATH MEBIBYTES MAPPINGS
 *
 *   HOW   map       by mappings of it alone
 *         thread    the same, when the first thread has ended
 *         deep      by a descriptor, where its name was longer than the kernel tells
 *         open, in  a directory that had many names, by a descriptor or by being in it; MEBIBYTES of names
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static void fail(const char *what) { perror(what); exit(1); }

static void *stay(void *unused) {
  (void)unused;
  usleep(200000);
  puts("done");
  fflush(stdout);
  for (;;) pause();
}

/* A file system does not give the blocks of a directory back when the names in it go. */
static void hold_directory(const char *path, long names, int is_in) {
  char name[256];
  if (mkdir(path, 0700)) fail("mkdir");
  int directory = open(path, O_RDONLY | O_DIRECTORY), file = openat(directory, "file", O_WRONLY | O_CREAT, 0600);
  if (directory < 0 || file < 0) fail("open");
  for (int removes = 0; removes < 2; removes++)
    for (long number = 0; number < names; number++) {
      snprintf(name, sizeof name, "%0250ld", number);
      if (removes ? unlinkat(directory, name, 0) : linkat(directory, "file", directory, name, 0)) fail("names");
    }
  if (unlinkat(directory, "file", 0)) fail("unlink");
  if (is_in && fchdir(directory)) fail("fchdir");
  if (is_in) close(directory);
  char above[300];
  snprintf(above, sizeof above, is_in ? "../%s" : "%s", path);
  if (rmdir(above)) fail("rmdir");
  close(file);
}

int main(int count, char **words) {
  if (count != 5) return 2;
  int is_in = !strcmp(words[1], "in");
  if (is_in || !strcmp(words[1], "open")) {
    hold_directory(words[2], atol(words[3]) * 3000, is_in);
    stay(0);
  }
  int deep = !strcmp(words[1], "deep");
  for (int level = 0; deep && level < 30; level++) {
    char name[200];
    memset(name, 'd', sizeof name);
    name[199] = 0;
    if (mkdir(name, 0700) || chdir(name)) fail("mkdir");
  }
  int file = open(words[2], O_RDWR | O_CREAT, 0600);
  if (file < 0) fail("open");
  if (unlink(words[2])) fail("unlink");
  static char block[1 << 20];
  for (int left = atoi(words[3]); left > 0; left--)
    if (write(file, block, sizeof block) != sizeof block) fail("write");
  /* Each its own: neighbours of other rights, or of no neighbouring place in the file, are not made one. */
  for (int number = atoi(words[4]); number > 0; number--)
    if (mmap(0, 4096, number % 2 ? PROT_READ : PROT_READ | PROT_WRITE, MAP_SHARED, file, 0) == MAP_FAILED) fail("mmap");
  if (!deep) close(file);
  if (!strcmp(words[1], "thread")) {
    pthread_t other;
    if (pthread_create(&other, 0, stay, 0)) fail("pthread_create");
    pthread_exit(0);
  }
  stay(0);
}
