// Has whoever looks at its memory wait: mmlock GIBIBYTES MEBIBYTES
//
// One thread changes the rights of a very large mapping again and again, for which the kernel holds the lock of the memory. It is
// SCHED_IDLE, and others spin on every processor: what takes a tenth of a second takes minutes. All of it is the page of zeros.
// A child holds MEBIBYTES of a file without a name; whoever lists the processes comes to it after the one that holds the lock.
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static char *memory, block[1 << 20];
static size_t size;

static void fail(const char *what) { perror(what); exit(1); }

static void hold(int mebibytes, int locked) {
  char byte;
  int file = open(".", O_TMPFILE | O_RDWR, 0600);
  if (file < 0 || read(locked, &byte, 1) != 1) fail("open");
  for (int i = 0; i < mebibytes; i++)
    if (write(file, block, sizeof block) != sizeof block) fail("write");
  for (;;) pause();
}

static void *spin(void *unused) {
  (void)unused;
  volatile long turns = 0;
  for (;;) turns++;
}

static void *lock(void *unused) {
  (void)unused;
  struct sched_param none = {0};
  if (sched_setscheduler(0, SCHED_IDLE, &none)) fail("sched_setscheduler");
  for (;;)
    if (mprotect(memory, size, PROT_NONE) || mprotect(memory, size, PROT_READ)) fail("mprotect");
}

int main(int count, char **words) {
  if (count != 3) return 2;
  size = strtoul(words[1], NULL, 10) << 30;
  signal(SIGTERM, SIG_IGN);
  int locked[2];
  if (pipe(locked)) fail("pipe");
  if (atoi(words[2]) && !fork()) hold(atoi(words[2]), locked[0]);
  memory = mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  // Small pages, of which each has to be changed.
  if (memory == MAP_FAILED || madvise(memory, size, MADV_NOHUGEPAGE)) fail("mmap");
  for (size_t at = 0; at < size; at += 4096) (void)*(volatile char *)(memory + at);
  pthread_t thread;
  for (long i = 4 * sysconf(_SC_NPROCESSORS_ONLN); i > 0; i--) pthread_create(&thread, NULL, spin, NULL);
  if (pthread_create(&thread, NULL, lock, NULL)) fail("pthread_create");
  puts("locked");
  fflush(stdout);
  sleep(1);
  if (write(locked[1], "l", 1) != 1) fail("write");
  for (;;) pause();
}
