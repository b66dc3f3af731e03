// A file that is met twice by who walks over the directories: wander MEBIBYTES
//
// It lies in the directory that is looked at first, and moves to the last one as soon as the first is done with (inotify). Each
// time that has worked it says "twice".
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DIRECTORIES = 20, FILES = 50 };

static char block[1 << 20];

static void fail(const char *what) { perror(what); exit(1); }

static int move(int from, int to) {
  char old[32], new[32];
  snprintf(old, sizeof old, "d%d/big", from);
  snprintf(new, sizeof new, "d%d/big", to);
  return !rename(old, new);
}

int main(int count, char **words) {
  if (count != 2) return 2;
  static char buffer[65536] __attribute__((aligned(8)));
  int watched[DIRECTORIES], order[DIRECTORIES], known = 0, is_last = 0, events = inotify_init();
  for (int i = 0; i < DIRECTORIES; i++) {
    char name[32];
    snprintf(name, sizeof name, "d%d", i);
    if (mkdir(name, 0700)) fail("mkdir");
    for (int j = 0; j < FILES; j++) {
      snprintf(name, sizeof name, "d%d/%d", i, j);
      close(open(name, O_CREAT | O_WRONLY, 0600));
    }
  }
  int file = open("d0/big", O_CREAT | O_WRONLY, 0600);
  memset(block, 7, sizeof block);
  for (int i = atoi(words[1]); i > 0; i--)
    if (write(file, block, sizeof block) != sizeof block) fail("write");
  close(file);
  for (int i = 0; i < DIRECTORIES; i++) {
    char name[32];
    snprintf(name, sizeof name, "d%d", i);
    if ((watched[i] = inotify_add_watch(events, name, IN_CLOSE_NOWRITE | IN_ONLYDIR)) < 0) fail("inotify");
  }
  puts("done");
  fflush(stdout);
  for (;;) {
    ssize_t length = read(events, buffer, sizeof buffer);
    for (char *at = buffer; at < buffer + length;) {
      struct inotify_event *event = (void *)at;
      at += sizeof *event + event->len;
      int done = 0;
      while (done < DIRECTORIES && watched[done] != event->wd) done++;
      if (event->len || done == DIRECTORIES) continue;
      // The first walk shows the order of all.
      if (known < DIRECTORIES) {
        int is_new = 1;
        for (int i = 0; i < known; i++) is_new &= order[i] != done;
        if (is_new) order[known++] = done;
        if (known == DIRECTORIES && order[0]) move(0, order[0]);
      } else if (done == order[0]) {
        is_last |= move(order[0], order[DIRECTORIES - 1]);
      } else if (done == order[DIRECTORIES - 1] && is_last) {
        is_last = !move(order[DIRECTORIES - 1], order[0]);
        puts("twice");
        fflush(stdout);
      }
    }
  }
}
