/// Arguments of which the kernel looks at 32 bits only, though a register has 64.
///
/// A comparison of all 64 is got round with a bit in the upper half, which the kernel then drops: so a permission for
/// `family > 40` let AF_VSOCK through, and a refusal of `request == TIOCSTI` was none at all (CVE-2019-10063).
enum IntegerArguments {
  private static let table: [String: [UInt32]] = [
    "accept": [0], "accept4": [0, 3], "add_key": [4], "arch_prctl": [0], "bind": [0, 2], "bpf": [0, 2],
    "clock_nanosleep": [0, 1], "clock_settime": [0], "clone": [0], "close": [0], "close_range": [0, 1, 2],
    "connect": [0, 2], "epoll_create": [0], "epoll_create1": [0], "epoll_ctl": [0, 1, 2], "execveat": [0, 4],
    "faccessat": [0, 2], "faccessat2": [0, 2, 3], "fanotify_init": [0, 1], "fanotify_mark": [0, 1, 3],
    "fchmod": [0, 1], "fchmodat": [0, 2], "fchmodat2": [0, 2, 3], "fchown": [0, 1, 2], "fchownat": [0, 2, 3, 4],
    "fcntl": [0, 1], "fcntl64": [0, 1], "flock": [0, 1], "fsconfig": [0, 1, 4], "fsopen": [1], "futex": [1, 2, 5],
    "getpriority": [0, 1], "getrandom": [2], "getsockopt": [0, 1, 2], "inotify_init1": [0],
    "io_uring_enter": [0, 1, 2, 3], "io_uring_register": [0, 1, 3], "io_uring_setup": [0], "ioctl": [0, 1],
    "ioperm": [2], "iopl": [0], "ioprio_get": [0, 1], "ioprio_set": [0, 1, 2], "keyctl": [0], "kill": [0, 1],
    "listen": [0, 1], "madvise": [2], "membarrier": [0, 1, 2], "memfd_create": [1], "mknod": [1, 2],
    "mknodat": [0, 2, 3], "mlock2": [2], "mlockall": [0], "modify_ldt": [0], "move_mount": [0, 2, 4],
    "msgget": [0, 1], "open": [1, 2], "open_by_handle_at": [0, 2], "open_tree": [0, 2], "openat": [0, 2, 3],
    "perf_event_open": [1, 2, 3], "personality": [0], "pidfd_getfd": [0, 1, 2], "pidfd_open": [0, 1],
    "pidfd_send_signal": [0, 1, 3], "pipe2": [1], "prctl": [0], "prlimit64": [0, 1], "process_madvise": [0, 3, 4],
    "quotactl": [0, 2], "quotactl_fd": [0, 1, 2], "reboot": [0, 1, 2], "recvfrom": [0, 3], "recvmsg": [0, 2],
    "request_key": [3], "rt_sigqueueinfo": [0, 1], "rt_tgsigqueueinfo": [0, 1, 2], "sched_setaffinity": [0, 1],
    "sched_setattr": [0, 2], "sched_setparam": [0], "sched_setscheduler": [0, 1], "seccomp": [0, 1],
    "semget": [0, 1, 2], "sendmsg": [0, 2], "sendto": [0, 3, 5], "setgid": [0], "setns": [0, 1], "setpgid": [0, 1],
    "setpriority": [0, 1, 2], "setregid": [0, 1], "setresgid": [0, 1, 2], "setresuid": [0, 1, 2],
    "setreuid": [0, 1], "setrlimit": [0], "setsockopt": [0, 1, 2, 4], "setuid": [0], "shmat": [0, 2],
    "shmget": [0, 2], "shutdown": [0, 1], "signalfd4": [0, 2, 3], "socket": [0, 1, 2], "socketpair": [0, 1, 2],
    "swapon": [1], "syslog": [0, 2], "tgkill": [0, 1, 2], "timerfd_create": [0, 1], "tkill": [0, 1], "umount2": [1],
    "unlinkat": [0, 2], "userfaultfd": [0], "vmsplice": [0, 3], "waitid": [0, 1, 3],
  ]

  static func contains(_ call: String, _ index: UInt32) -> Bool { table[call]?.contains(index) ?? false }
}
