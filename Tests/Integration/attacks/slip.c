// A file with a name that nobody meets who lists its directory: while that is read (inotify) it has the first name of it,
// which has been listed already, and else the last.
//
//     slip MEBIBYTES STEPS SECONDS [BLOCKERS]     so many more at each step, a step every so many seconds
//
// BLOCKERS are threads in a call that takes long and cannot be interrupted: who has one does not stop at once.
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static char block[1 << 20], first[256], last[256];

static void *watch(void *unused) {
  (void)unused;
  static char buffer[65536] __attribute__((aligned(8)));
  int events = inotify_init(), is_moved = 0;
  inotify_add_watch(events, ".", IN_ACCESS | IN_CLOSE_NOWRITE | IN_ONLYDIR);
  for (;;) {
    ssize_t length = read(events, buffer, sizeof buffer);
    for (char *at = buffer; at < buffer + length;) {
      struct inotify_event *event = (void *)at;
      at += sizeof *event + event->len;
      if (event->len) continue;
      if (event->mask & IN_ACCESS && !is_moved) is_moved = !rename(last, first);
      if (event->mask & IN_CLOSE_NOWRITE && is_moved) is_moved = rename(first, last) != 0;
    }
  }
}

// Reads of 2 GiB of holes, which take no memory.
static void *stay(void *unused) {
  (void)unused;
  static struct iovec pieces[1024];
  char *memory = mmap(NULL, 2 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (int i = 0; i < 1024; i++) pieces[i] = (struct iovec){memory, 2 << 20};
  int holes = open("/dev/shm/slip-holes", O_CREAT | O_RDWR, 0600);
  unlink("/dev/shm/slip-holes");
  if (holes < 0 || ftruncate(holes, 1L << 32)) exit(3);
  for (;;) preadv(holes, pieces, 1024, 0);
}

int main(int count, char **words) {
  if (count < 4) return 2;
  int mebibytes = atoi(words[1]), steps = atoi(words[2]), seconds = atoi(words[3]);
  if (mkdir("D", 0700) || chdir("D")) return 1;
  for (int i = 0; i < 25000; i++) {
    char name[64];
    snprintf(name, sizeof name, "some-file-%d", i);
    close(open(name, O_CREAT | O_WRONLY, 0600));
  }
  DIR *directory = opendir(".");
  for (struct dirent *entry; (entry = readdir(directory));) {
    if (entry->d_name[0] == '.') continue;
    if (!first[0]) strcpy(first, entry->d_name);
    strcpy(last, entry->d_name);
  }
  closedir(directory);
  unlink(first);
  int file = open(last, O_WRONLY);
  memset(block, 7, sizeof block);
  // Until the directory is no new one any more.
  sleep(4);
  pthread_t thread;
  pthread_create(&thread, NULL, watch, NULL);
  for (int i = 0; count > 4 && i < atoi(words[4]); i++) pthread_create(&thread, NULL, stay, NULL);
  for (int step = 0; step < steps; step++) {
    for (int i = 0; i < mebibytes; i++)
      if (write(file, block, sizeof block) != sizeof block) return 1;
    sleep(seconds);
  }
  _exit(0);
}
