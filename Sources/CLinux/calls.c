#include "CLinux.h"

#include <netinet/in.h>

#include <linux/capability.h>
#include <linux/keyctl.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timex.h>

#ifndef P_PIDFD
#define P_PIDFD 3
#endif
#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442
#endif
#ifndef SYS_quotactl_fd
#define SYS_quotactl_fd 443
#endif

int ax_open(const char *path, int flags, mode_t mode) { return open(path, flags, mode); }
int ax_open_temporary(const char *directory) { return open(directory, O_TMPFILE | O_RDWR | O_APPEND | O_CLOEXEC, 0600); }
int ax_allocate(int fd, off_t offset, off_t length) { return fallocate(fd, FALLOC_FL_KEEP_SIZE, offset, length); }
int ax_openat(int dirfd, const char *path, int flags, mode_t mode) { return openat(dirfd, path, flags, mode); }

int ax_openat2(int dirfd, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve) {
  struct open_how how = {.flags = flags, .mode = mode, .resolve = resolve};
  return (int)syscall(SYS_openat2, dirfd, path, &how, sizeof how);
}

int ax_fcntl(int fd, int command, long argument) { return fcntl(fd, command, argument); }
int ax_statx(int dirfd, const char *path, int flags, unsigned mask, struct statx *out) {
  return statx(dirfd, path, flags, mask, out);
}
int ax_ioctl_int(int fd, unsigned long request, int argument) { return ioctl(fd, request, argument); }
int ax_ioctl_pointer(int fd, unsigned long request, void *argument) { return ioctl(fd, request, argument); }
ssize_t ax_getdents64(int fd, void *buffer, size_t size) { return syscall(SYS_getdents64, fd, buffer, size); }
int ax_quotactl(int fd, unsigned command, unsigned id, void *argument) {
  return (int)syscall(SYS_quotactl_fd, fd, command, id, argument);
}

int ax_pivot_root(const char *new_root, const char *put_old) { return (int)syscall(SYS_pivot_root, new_root, put_old); }
int ax_fsopen(const char *type, unsigned flags) { return (int)syscall(SYS_fsopen, type, flags); }
int ax_fsconfig(int fd, unsigned command, const char *key, const void *value, int aux) {
  return (int)syscall(SYS_fsconfig, fd, command, key, value, aux);
}
int ax_fsmount(int fd, unsigned flags, unsigned attributes) { return (int)syscall(SYS_fsmount, fd, flags, attributes); }
int ax_open_tree(int dirfd, const char *path, unsigned flags) { return (int)syscall(SYS_open_tree, dirfd, path, flags); }
int ax_move_mount(int from, const char *from_path, int to, const char *to_path, unsigned flags) {
  return (int)syscall(SYS_move_mount, from, from_path, to, to_path, flags);
}
int ax_mount_setattr(int fd, const char *path, unsigned flags, uint64_t set, uint64_t clear, uint64_t propagation) {
  uint64_t attributes[4] = {set, clear, propagation, 0};  // struct mount_attr, MOUNT_ATTR_SIZE_VER0
  return (int)syscall(SYS_mount_setattr, fd, path, flags, attributes, sizeof attributes);
}

int ax_pidfd_open(pid_t pid) { return (int)syscall(SYS_pidfd_open, pid, 0); }
int ax_pidfd_send_signal(int pidfd, int signal) { return (int)syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0); }
int ax_pidfd_getfd(int pidfd, int target) { return (int)syscall(SYS_pidfd_getfd, pidfd, target, 0); }
pid_t ax_fork(void) { return fork(); }

void ax_end_after(uint64_t milliseconds) {
  struct itimerval timer = {.it_value = {.tv_sec = (time_t)(milliseconds / 1000), .tv_usec = (suseconds_t)(milliseconds % 1000 * 1000)}};
  setitimer(ITIMER_REAL, &timer, NULL);
}
int ax_waitid_pidfd(int pidfd, int options, siginfo_t *info, struct rusage *usage) {
  return (int)syscall(SYS_waitid, P_PIDFD, pidfd, info, options, usage);
}
// 0 and, of an ended child that is left as it is, whether a signal ended it and the status or the signal; -1 with errno otherwise.
int ax_child_end(int pidfd, int *signaled, int *status) {
  siginfo_t info = {0};
  if (ax_waitid_pidfd(pidfd, WEXITED | WNOHANG | WNOWAIT, &info, NULL) != 0) return -1;
  if (info.si_pid == 0) {
    errno = EAGAIN;
    return -1;
  }
  *signaled = info.si_code != CLD_EXITED;
  *status = info.si_status;
  return 0;
}
int ax_wait4(pid_t pid, int *status, int options, struct rusage *usage) { return wait4(pid, status, options, usage); }
int ax_close_range(unsigned first, unsigned last, unsigned flags) {
  return (int)syscall(SYS_close_range, first, last, flags);
}
int ax_keep_descriptors(const int *sources, int count, int first, int kept) {
  // Above every target first, so that placing one cannot overwrite another.
  int moved[16];
  if (count > 16) { errno = EMFILE; return -1; }
  for (int i = 0; i < count; i++)
    if ((moved[i] = fcntl(sources[i], F_DUPFD_CLOEXEC, first + count)) < 0) return -1;
  for (int i = 0; i < count; i++)
    if (dup3(moved[i], first + i, first + i < kept ? 0 : O_CLOEXEC) < 0) return -1;
  return ax_close_range((unsigned)(first + count), ~0u, 0);
}
int ax_execveat(int fd, const char *path, char *const argv[], char *const envp[], int flags) {
  return (int)syscall(SYS_execveat, fd, path, argv, envp, flags);
}
int ax_execve(const char *path, char *const argv[], char *const envp[]) { return execve(path, argv, envp); }
int ax_memfd_create(const char *name, unsigned flags) { return (int)syscall(SYS_memfd_create, name, flags); }

int ax_capset(uint64_t effective, uint64_t permitted, uint64_t inheritable) {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  struct __user_cap_data_struct data[2] = {
      {(uint32_t)effective, (uint32_t)permitted, (uint32_t)inheritable},
      {(uint32_t)(effective >> 32), (uint32_t)(permitted >> 32), (uint32_t)(inheritable >> 32)}};
  return (int)syscall(SYS_capset, &header, data);
}

int ax_effective_capabilities(uint64_t *effective) {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  struct __user_cap_data_struct data[2];
  if (syscall(SYS_capget, &header, data) < 0) return -1;
  *effective = (uint64_t)data[1].effective << 32 | data[0].effective;
  return 0;
}

// Default dispositions and an empty mask, whatever the caller had: execve keeps ignored signals and the mask.
int ax_reset_signals(void) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = SIG_DFL;
  for (int signal = 1; signal < 65; signal++) {
    if (signal == SIGKILL || signal == SIGSTOP || signal == 32 || signal == 33) continue;
    sigaction(signal, &action, NULL);
  }
  sigset_t none;
  sigemptyset(&none);
  return sigprocmask(SIG_SETMASK, &none, NULL);
}

int ax_ignore_sigpipe(void) { return signal(SIGPIPE, SIG_IGN) == SIG_ERR ? -1 : 0; }
int ax_ignore_sigxfsz(void) { return signal(SIGXFSZ, SIG_IGN) == SIG_ERR ? -1 : 0; }
int ax_ignore(int number) { return signal(number, SIG_IGN) == SIG_ERR ? -1 : 0; }
int ax_is_ignored(int number) {
  struct sigaction action;
  return sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}
pid_t ax_siginfo_pid(const siginfo_t *info) { return info->si_pid; }

int ax_set_no_new_privileges(void) { return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); }
int ax_set_dumpable(int on) { return prctl(PR_SET_DUMPABLE, on, 0, 0, 0); }
int ax_set_child_subreaper(void) { return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); }
int ax_terminal_size(int descriptor, unsigned short *columns, unsigned short *rows) {
  struct winsize size;
  if (ioctl(descriptor, TIOCGWINSZ, &size) < 0) return -1;
  *columns = size.ws_col;
  *rows = size.ws_row;
  return 0;
}

int ax_unshare_cgroups(void) { return unshare(CLONE_NEWCGROUP); }

int ax_set_parent_death_signal(int signal) { return prctl(PR_SET_PDEATHSIG, signal, 0, 0, 0); }
int ax_drop_bounding_capability(int capability) { return prctl(PR_CAPBSET_DROP, capability, 0, 0, 0); }
int ax_clear_ambient_capabilities(void) { return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); }
int ax_set_keep_capabilities(int on) { return prctl(PR_SET_KEEPCAPS, on, 0, 0, 0); }
int ax_set_process_name(const char *name) { return prctl(PR_SET_NAME, name, 0, 0, 0); }
int ax_join_new_session_keyring(void) { return (int)syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL, 0, 0, 0); }

int ax_wait_exited(int status) { return WIFEXITED(status); }
int ax_wait_exit_status(int status) { return WEXITSTATUS(status); }
int ax_wait_signaled(int status) { return WIFSIGNALED(status); }
int ax_wait_term_signal(int status) { return WTERMSIG(status); }
unsigned ax_major(dev_t device) { return major(device); }
unsigned ax_minor(dev_t device) { return minor(device); }
dev_t ax_makedev(unsigned major_number, unsigned minor_number) { return makedev(major_number, minor_number); }
size_t ax_cmsg_space(size_t length) { return CMSG_SPACE(length); }

int ax_bind(int socket, const struct sockaddr_un *address) {
  return bind(socket, (const struct sockaddr *)address, sizeof *address);
}
int ax_connect(int socket, const struct sockaddr_un *address) {
  return connect(socket, (const struct sockaddr *)address, sizeof *address);
}
int ax_connect_loopback(int socket, int is_ipv6, uint16_t port) {
  if (is_ipv6) {
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    return connect(socket, (const struct sockaddr *)&address, sizeof address);
  }
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
  return connect(socket, (const struct sockaddr *)&address, sizeof address);
}
int ax_bind_tcp(uint16_t port) {
  // The wildcard of an IPv6 socket takes IPv4 along, and collides with a listener on any address of the two.
  struct sockaddr_in6 both = {.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = in6addr_any};
  struct sockaddr_in old = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {.s_addr = htonl(INADDR_ANY)}};
  int off = 0;
  int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int done = -1;
  if (fd >= 0 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) == 0)
    done = bind(fd, (const struct sockaddr *)&both, sizeof both);
  // A kernel without IPv6, or with its addresses turned off.
  if (fd < 0 || (done < 0 && errno == EADDRNOTAVAIL)) {
    if (fd >= 0) close(fd);
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    done = bind(fd, (const struct sockaddr *)&old, sizeof old);
  }
  if (done == 0) return fd;
  int code = errno;
  close(fd);
  errno = code;
  return -1;
}
int ax_is_connected_to_itself(int socket) {
  // Zeroed: what the kernel does not fill in must compare equal.
  struct sockaddr_storage own = {0}, peer = {0};
  socklen_t own_length = sizeof own, peer_length = sizeof peer;
  if (getsockname(socket, (struct sockaddr *)&own, &own_length) != 0) return 0;
  if (getpeername(socket, (struct sockaddr *)&peer, &peer_length) != 0) return 0;
  return own_length == peer_length && memcmp(&own, &peer, own_length) == 0;
}
int ax_accept(int socket) { return accept4(socket, NULL, NULL, SOCK_CLOEXEC); }

#define AX_MAX_DESCRIPTORS 64  // UnixSocket.mostDescriptors

ssize_t ax_send_descriptors(int socket, const void *bytes, size_t length, const int *descriptors, int count, int flags) {
  if (count < 0 || count > AX_MAX_DESCRIPTORS) { errno = EINVAL; return -1; }
  char control[CMSG_SPACE(sizeof(int) * AX_MAX_DESCRIPTORS)] __attribute__((aligned(16)));
  struct iovec piece = {.iov_base = (void *)bytes, .iov_len = length};
  struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
  if (count > 0) {
    memset(control, 0, sizeof control);
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)count);
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)count);
    memcpy(CMSG_DATA(header), descriptors, sizeof(int) * (size_t)count);
  }
  return sendmsg(socket, &message, flags | MSG_NOSIGNAL);
}

ssize_t ax_receive_descriptors(
    int socket, void *bytes, size_t length, int *descriptors, int capacity, int *count, int *truncated, int flags) {
  char control[CMSG_SPACE(sizeof(int) * AX_MAX_DESCRIPTORS)] __attribute__((aligned(16)));
  struct iovec piece = {.iov_base = bytes, .iov_len = length};
  struct msghdr message = {
      .msg_iov = &piece, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  *count = 0;
  ssize_t received = recvmsg(socket, &message, flags | MSG_CMSG_CLOEXEC);
  if (received < 0) return received;
  for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    int carried = (int)((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
    for (int i = 0; i < carried; i++) {
      int fd;
      memcpy(&fd, CMSG_DATA(header) + sizeof(int) * (size_t)i, sizeof fd);
      if (*count < capacity) descriptors[(*count)++] = fd;
      else close(fd);  // more than the caller has room for: nothing may stay open unseen
    }
  }
  *truncated = (message.msg_flags & MSG_TRUNC) != 0;
  return received;
}

int ax_share_descriptors(pid_t one, pid_t other) {
  return syscall(SYS_kcmp, one, other, 2 /* KCMP_FILES */, 0, 0) == 0;
}

int ax_clock_synchronized(void) {
    struct timex state = {0};
    return adjtimex(&state) >= 0 && !(state.status & STA_UNSYNC);
}
