// What `import Glibc` hides, for the LinuxKernel module only.
//
// Three kinds of things stand here: headers that are not in Glibc's module map, one-line wrappers for variadic or
// missing libc functions (they return -1 and set errno, like every system call), and macros Swift cannot import.
#pragma once

#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/dqblk_xfs.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <linux/quota.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/fsuid.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

// File system calls without a libc wrapper or with a variadic one.
int ax_open(const char *path, int flags, mode_t mode);
/// A file without a name, for appending, that can be given one.
int ax_open_temporary(const char *directory);
int ax_allocate(int fd, off_t offset, off_t length);
int ax_openat(int dirfd, const char *path, int flags, mode_t mode);
int ax_openat2(int dirfd, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve);
int ax_fcntl(int fd, int command, long argument);
int ax_statx(int dirfd, const char *path, int flags, unsigned mask, struct statx *out);
int ax_ioctl_int(int fd, unsigned long request, int argument);
int ax_ioctl_pointer(int fd, unsigned long request, void *argument);
ssize_t ax_getdents64(int fd, void *buffer, size_t size);
int ax_quotactl(int fd, unsigned command, unsigned id, void *argument);

// Mounts by descriptor (fsopen(2) family, Linux 5.2; mount_setattr, Linux 5.12).
int ax_pivot_root(const char *new_root, const char *put_old);
int ax_fsopen(const char *type, unsigned flags);
int ax_fsconfig(int fd, unsigned command, const char *key, const void *value, int aux);
int ax_fsmount(int fd, unsigned flags, unsigned attributes);
int ax_open_tree(int dirfd, const char *path, unsigned flags);
int ax_move_mount(int from, const char *from_path, int to, const char *to_path, unsigned flags);
int ax_mount_setattr(int fd, const char *path, unsigned flags, uint64_t set, uint64_t clear, uint64_t propagation);

// The command line, also where there is no /proc.
int ax_argument_count(void);
const char *ax_argument(int index);

// Processes.
int ax_pidfd_open(pid_t pid);
int ax_pidfd_send_signal(int pidfd, int signal);
int ax_pidfd_getfd(int pidfd, int target);
pid_t ax_fork(void);
/* Sends this process SIGALRM after so many milliseconds, more than none. */
void ax_end_after(uint64_t milliseconds);
int ax_waitid_pidfd(int pidfd, int options, siginfo_t *info, struct rusage *usage);
int ax_child_end(int pidfd, int *signaled, int *status);
int ax_wait4(pid_t pid, int *status, int options, struct rusage *usage);
int ax_close_range(unsigned first, unsigned last, unsigned flags);
/// Makes `sources[i]` number `first + i`, those below `kept` open across exec, and closes everything from `first + count` on.
int ax_keep_descriptors(const int *sources, int count, int first, int kept);
int ax_execveat(int fd, const char *path, char *const argv[], char *const envp[], int flags);
int ax_execve(const char *path, char *const argv[], char *const envp[]);
int ax_memfd_create(const char *name, unsigned flags);
int ax_capset(uint64_t effective, uint64_t permitted, uint64_t inheritable);
int ax_effective_capabilities(uint64_t *effective);
int ax_reset_signals(void);
int ax_ignore_sigpipe(void);
int ax_ignore(int number);
int ax_is_ignored(int number);
int ax_ignore_sigxfsz(void);
pid_t ax_siginfo_pid(const siginfo_t *info);

// Fixed uses of prctl(2), each by its own name so that the call site says what it means.
int ax_set_no_new_privileges(void);
int ax_set_dumpable(int on);
int ax_set_child_subreaper(void);
int ax_unshare_cgroups(void);
/// The size of a terminal, in characters; 0 for what it does not say.
int ax_terminal_size(int descriptor, unsigned short *columns, unsigned short *rows);
/// Attaches `count` instructions (`struct bpf_insn`) to an open version 2 cgroup.
int ax_attach_device_program(int cgroup, const void *instructions, unsigned count);
int ax_set_parent_death_signal(int signal);
int ax_drop_bounding_capability(int capability);
int ax_clear_ambient_capabilities(void);
int ax_set_keep_capabilities(int on);
int ax_set_process_name(const char *name);
int ax_join_new_session_keyring(void);

// Macros.
static inline int ax_errno(void) { return errno; }
int ax_wait_exited(int status);
int ax_wait_exit_status(int status);
int ax_wait_signaled(int status);
int ax_wait_term_signal(int status);
unsigned ax_major(dev_t device);
unsigned ax_minor(dev_t device);
dev_t ax_makedev(unsigned major, unsigned minor);
size_t ax_cmsg_space(size_t length);

// With _GNU_SOURCE the socket calls take a transparent union, which Swift cannot pass.
int ax_bind(int socket, const struct sockaddr_un *address);
int ax_connect(int socket, const struct sockaddr_un *address);
int ax_accept(int socket);
int ax_connect_loopback(int socket, int is_ipv6, uint16_t port);
int ax_is_connected_to_itself(int socket);
/// A new socket bound to a TCP port of every address, of IPv6 and IPv4 where the host has both, or -1.
int ax_bind_tcp(uint16_t port);

/// Sends `length` bytes with `count` descriptors attached (SCM_RIGHTS). Returns as sendmsg(2).
ssize_t ax_send_descriptors(int socket, const void *bytes, size_t length, const int *descriptors, int count, int flags);
/// Receives up to `length` bytes and up to `capacity` descriptors, close-on-exec. Sets `*count`, and `*truncated` where
/// bytes are lost. Descriptors that this process has no room for are missing.
ssize_t ax_receive_descriptors(
    int socket, void *bytes, size_t length, int *descriptors, int capacity, int *count, int *truncated, int flags);

/// Whether two threads have one table of descriptors (kcmp(2)); false as well where that cannot be told.
int ax_share_descriptors(pid_t one, pid_t other);

/// Generic netlink, without blocking. What is received from anyone but the kernel is 0 bytes long.
int ax_open_generic_netlink(void);
int ax_join_netlink_group(int socket, unsigned group);
ssize_t ax_receive_netlink(int socket, void *buffer, size_t size);
/// From now on the socket gets nothing but warnings of this project's quota: that something was refused, or that a soft
/// limit was passed.
int ax_receive_warnings_of_project(int socket, unsigned project, int refusals);

/// How many descriptors a child can be given.
#define AX_SPAWN_DESCRIPTORS 1024

/// What the child of `ax_spawn` shall be. Everything is prepared before the call: between clone and exec only
/// async-signal-safe calls run.
struct ax_spawn_request {
  uint64_t clone_flags;         // CLONE_NEW*; CLONE_PIDFD is added
  int cgroup;                   // cgroup2 directory to be born in, or -1
  const int *join_tasks;        // descriptors of cgroup v1 `tasks` files to join by writing "0"
  int join_tasks_count;
  int executable;               // descriptor to execute (execveat), or -1 to execute `path`
  const char *path;
  char **argv;
  char **envp;
  const int *sources;           // descriptor `sources[i]` becomes number i in the child
  int source_count;
  int new_session;              // setsid(2)
  // Whether it gives up what its parent has of processors and of the host's memory.
  int own_priorities;
  int parent_death_signal;      // 0 for none
};

/// What a failed child was doing when it failed.
enum ax_spawn_stage {
  AX_STAGE_NONE = 0,
  AX_STAGE_CLONE = 1,
  AX_STAGE_CGROUP = 2,
  AX_STAGE_SESSION = 3,
  AX_STAGE_DESCRIPTORS = 4,
  AX_STAGE_EXEC = 5,
};

/// Starts a child. Returns its pid and sets `*pidfd`; on failure returns -1, sets errno and `*stage`, and no child is
/// left behind.
pid_t ax_spawn(const struct ax_spawn_request *request, int *pidfd, int *stage);

/// fork(2) with CLONE_PIDFD, into `cgroup` (a cgroup2 directory) when that is not -1. For single-threaded callers only.
pid_t ax_fork_into(int cgroup, int *pidfd);

/// Lets this process do nothing any more but read, compute and make files; see file_work_filter.c.
int ax_filter_file_work(void);
/// Keeps the project ids of files as they are; see project_filter.c.
int ax_filter_project_changes(void);
/// Lets no cgroup namespace be made; see cgroup_filter.c.
int ax_filter_cgroup_namespaces(void);
/// Answers ENOSYS to landlock_create_ruleset(2) from now on; see landlock_filter.c.
int ax_filter_landlock(void);
/// The version of the kernel's Landlock; -1 where it has none.
int ax_landlock_version(void);

/// 1 when the kernel was told that the wall clock is right (adjtimex(2)), else 0.
int ax_clock_synchronized(void);
/// Has this process, and what it starts, connect to no abstract UNIX socket of others; see landlock.c.
int ax_scope_abstract_sockets(void);
/// Puts a program of `count` instructions on this process, for good (seccomp(2)).
int ax_install_filter(const void *program, size_t count);

extern char **environ;
