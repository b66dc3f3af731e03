// Connects to an abstract UNIX socket and says what it was handed; with `own`, to one that it made itself.
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int address(struct sockaddr_un *to, const char *name) {
  memset(to, 0, sizeof *to);
  to->sun_family = AF_UNIX;
  strncpy(to->sun_path + 1, name, sizeof to->sun_path - 2);
  return offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name);
}

int main(int argc, char **argv) {
  struct sockaddr_un to;
  int isOwn = !strcmp(argv[1], "own"), size = address(&to, argv[1]), listener = -1;
  if (isOwn) {
    char name[64];
    snprintf(name, sizeof name, "aurora-own-%d", getpid());
    size = address(&to, name);
    listener = socket(AF_UNIX, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&to, size) || listen(listener, 1)) return perror("bind"), 1;
  }
  int connection = socket(AF_UNIX, SOCK_STREAM, 0);
  if (connect(connection, (struct sockaddr *)&to, size)) return printf("connect: %s\n", strerror(errno)), 0;
  if (isOwn) return puts("own socket"), 0;
  char byte, control[CMSG_SPACE(sizeof(int))];
  struct iovec part = {&byte, 1};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  if (recvmsg(connection, &message, 0) < 0) return printf("recvmsg: %s\n", strerror(errno)), 0;
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  struct stat found;
  int file = -1;
  if (header) memcpy(&file, CMSG_DATA(header), sizeof file);
  puts(file >= 0 && !fstat(file, &found) && S_ISDIR(found.st_mode) ? "handed a directory" : "handed nothing");
  return 0;
}
