// Takes a write lease on each file that it is given and may only read, says "FILE ok" or "FILE ERRNO", and holds them.
//
// Nobody else opens such a file without waiting: the kernel first asks who holds the lease to give it back (fcntl(2)).
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

int main(int count, char **words) {
  signal(SIGIO, SIG_IGN);
  setvbuf(stdout, NULL, _IOLBF, 0);
  for (int i = 1; i < count; i++) {
    int file = open(words[i], O_RDONLY);
    if (fcntl(file, F_SETLEASE, F_WRLCK) == 0) printf("%s ok\n", words[i]);
    else printf("%s %d\n", words[i], errno);
  }
  for (;;) pause();
}
