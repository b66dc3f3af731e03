// Holds deleted files in a chain of processes, of which each has them open, forks the next and ends: whoever lists the
// processes finds one that has gone when it is looked at. Their reaper has many threads, which are looked at in between.
//
//     flee MEBIBYTES STEPS SECONDS     so many at each step, a step every so many seconds
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

static char block[1 << 20];

static void *idle(void *unused) {
  (void)unused;
  for (;;) pause();
}

int main(int count, char **words) {
  if (count != 4) return 2;
  int mebibytes = atoi(words[1]), steps = atoi(words[2]), seconds = atoi(words[3]);
  signal(SIGCHLD, SIG_IGN);
  if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)) return 1;
  int alive[2];
  if (pipe(alive)) return 1;
  if (fork()) {
    close(alive[1]);
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 65536);
    for (int i = 0; i < 300; i++) {
      pthread_t thread;
      pthread_create(&thread, &small, idle, NULL);
    }
    // Until the last of the chain has ended.
    char byte;
    return read(alive[0], &byte, 1) == 1 ? 0 : 1;
  }
  close(alive[0]);
  memset(block, 7, sizeof block);
  time_t next = time(NULL) + 3;
  for (int step = 0;;) {
    if (time(NULL) >= next) {
      if (step == steps) return write(alive[1], "e", 1) != 1;
      int file = open(".", O_TMPFILE | O_RDWR, 0600);
      for (int i = 0; i < mebibytes; i++)
        if (write(file, block, sizeof block) != sizeof block) return 1;
      step++;
      next = time(NULL) + seconds;
    }
    pid_t child = fork();
    if (child > 0) _exit(0);
    usleep(child ? 1000 : 300);
  }
}
