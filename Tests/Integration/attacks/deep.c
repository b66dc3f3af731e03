// Makes COUNT directories in PLACE, each in the one before: `deep PLACE COUNT`.
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

int main(int count, char **words) {
  if (count != 3 || chdir(words[1])) return perror("chdir"), 1;
  int depth = atoi(words[2]), made = 0;
  while (made < depth && mkdir("d", 0700) == 0 && chdir("d") == 0) made++;
  printf("depth %d\n", made);
  return made == depth ? 0 : 1;
}
