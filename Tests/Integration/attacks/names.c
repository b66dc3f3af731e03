// Gives a file without anything in it COUNT further names, as many in each directory as a file may have: names COUNT
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

// Fewer than ext4 allows.
enum { MOST = 60000 };

int main(int count, char **words) {
  if (count != 2) return 2;
  int wanted = atoi(words[1]);
  char name[64];
  for (int made = 0; made < wanted; made++) {
    if (made % MOST == 0) {
      snprintf(name, sizeof name, "d%d", made / MOST);
      if (mkdir(name, 0700) || chdir(name)) return perror("mkdir"), 1;
      FILE *file = fopen("file", "w");
      if (!file || fclose(file)) return perror("file"), 1;
    }
    snprintf(name, sizeof name, "%d", made);
    if (link("file", name)) return perror("link"), 1;
  }
  puts("done");
  fflush(stdout);
  pause();
}
