/// The profile of a task that asks for none: `packaging/seccomp-default.json`, byte for byte, which a test compares.
enum DefaultProfile {
  static let text = #"""
    {
      "defaultAction": "SCMP_ACT_ERRNO",
      "defaultErrnoRet": 38,
      "archMap": [
        {"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86", "SCMP_ARCH_X32"]},
        {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": ["SCMP_ARCH_ARM"]}
      ],
      "syscalls": [
        {
          "comment": "Reading, writing and positions of open files.",
          "names": [
            "read", "write", "readv", "writev", "pread64", "pwrite64", "preadv", "pwritev", "preadv2", "pwritev2",
            "lseek", "_llseek", "close", "close_range", "dup", "dup2", "dup3", "fcntl", "fcntl64", "flock",
            "fsync", "fdatasync", "sync", "syncfs", "sync_file_range", "readahead", "fadvise64", "fadvise64_64",
            "fallocate", "copy_file_range", "sendfile", "sendfile64", "splice", "tee", "vmsplice", "ftruncate",
            "ftruncate64", "truncate", "truncate64", "cachestat"
          ],
          "action": "SCMP_ACT_ALLOW"
        },
        {
          "comment": "Names: to open, make, rename, link and remove, and to go there.",
          "names": [
            "open", "openat", "openat2", "creat", "name_to_handle_at", "mkdir", "mkdirat", "mknod", "mknodat",
            "rmdir", "unlink", "unlinkat", "rename", "renameat", "renameat2", "link", "linkat", "symlink",
            "symlinkat", "readlink", "readlinkat", "getdents", "getdents64", "chdir", "fchdir", "getcwd"
          ],
          "action": "SCMP_ACT_ALLOW"
        },
        {
          "comment": "What is known of a file and of a file system, and who may do what with it.",
          "names": [
            "stat", "stat64", "lstat", "lstat64", "fstat", "fstat64", "fstatat64", "newfstatat", "statx",
            "statfs", "statfs64", "fstatfs", "fstatfs64", "statmount", "listmount", "access", "faccessat",
            "faccessat2", "chmod", "fchmod", "fchmodat", "fchmodat2", "chown", "chown32", "lchown", "lchown32",
            "fchown", "fchown32", "fchownat", "umask", "utime", "utimes", "utimensat", "utimensat_time64",
            "futimesat", "getxattr", "lgetxattr", "fgetxattr", "getxattrat", "setxattr", "lsetxattr", "fsetxattr",
            "setxattrat", "listxattr", "llistxattr", "flistxattr", "listxattrat", "removexattr", "lremovexattr",
            "fremovexattr", "removexattrat"
          ],
          "action": "SCMP_ACT_ALLOW"
        },
        {
          "comment": "Waiting for files, watching them, and files that stand for something else.",
          "names": [
            "poll", "ppoll", "ppoll_time64", "select", "_newselect", "pselect6", "pselect6_time64",
            "epoll_create", "epoll_create1", "epoll_ctl", "epoll_ctl_old", "epoll_wait", "epoll_wait_old",
            "epoll_pwait", "epoll_pwait2", "inotify_init", "inotify_init1", "inotify_add_watch",
            "inotify_rm_watch", "fanotify_mark", "eventfd", "eventfd2", "signalfd", "signalfd4", "memfd_create",
            "memfd_secret", "pipe", "pipe2"
          ],
          "action": "SCMP_ACT_ALLOW"
        },
        {
          "comment": "Asynchronous input and output of the old kind. The new kind, io_uring, is refused below.",
          "names": [
            "io_setup", "io_destroy", "io_submit", "io_cancel", "io_getevents", "io_pgetevents",
            "io_pgetevents_time64"
          ],
          "action": "SCMP_ACT_ALLOW"
        },
        {"comment": "Devices. Some requests are refused below.", "names": ["ioctl"], "action": "SCMP_ACT_ALLOW"},
        {
          "comment": "Memory.",
          "names": [
            "brk", "mmap", "mmap2", "munmap", "mremap", "mprotect", "madvise", "mincore", "msync", "mlock",
            "mlock2", "mlockall", "munlock", "munlockall", "mseal", "map_shadow_stack", "remap_file_pages",
            "pkey_alloc", "pkey_free", "pkey_mprotect", "membarrier"
          ],
          "action": "SCMP_ACT_ALLOW"
        },
        {
          "comment": "Processes and threads: to begin, to end, to wait. Which flags clone may have is said below.",
          "names": [
            "fork", "vfork", "clone", "execve", "execveat", "exit", "exit_group", "wait4", "waitid", "waitpid",
            "restart_syscall", "pidfd_open", "pidfd_send_signal", "process_mrelease", "set_tid_address",
            "set_robust_list", "get_robust_list", "rseq", "futex", "futex_time64", "futex_wait", "futex_waitv",
            "futex_wake", "futex_requeue", "get_thread_area", "set_thread_area", "prctl", "uretprobe"
          ],
          "action": "SCMP_ACT_ALLOW"
        },
        {
          "comment": "Signals and alarms.",
          "names": [
            "kill", "tkill", "tgkill", "rt_sigaction", "rt_sigpending", "rt_sigprocmask", "rt_sigqueueinfo",
            "rt_tgsigqueueinfo", "rt_sigreturn", "rt_sigsuspend", "rt_sigtimedwait", "rt_sigtimedwait_time64",
            "sigaltstack", "sigprocmask", "sigreturn", "pause", "alarm", "getitimer", "setitimer"
          ],
          "action": "SCMP_ACT_ALLOW"
        },
        {
          "comment": "Who a process is. The kernel asks for capabilities where these change anything.",
          "names": [
            "getpid", "getppid", "gettid", "getpgid", "getpgrp", "setpgid", "getsid", "setsid", "getuid",
            "getuid32", "geteuid", "geteuid32", "getgid", "getgid32", "getegid", "getegid32", "getresuid",
            "getresuid32", "getresgid", "getresgid32", "getgroups", "getgroups32", "setuid", "setuid32", "setgid",
            "setgid32", "setreuid", "setreuid32", "setregid", "setregid32", "setresuid", "setresuid32",
            "setresgid", "setresgid32", "setgroups", "setgroups32", "setfsuid", "setfsuid32", "setfsgid",
            "setfsgid32", "capget", "capset"
          ],
          "action": "SCMP_ACT_ALLOW"
        },
        {
          "comment": "Giving up rights.",
          "names": [
            "seccomp", "landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self"
          ],
          "action": "SCMP_ACT_ALLOW"
        },
        {
          "comment": "Limits, scheduling and what was used. Limits of others are refused below.",
          "names": [
            "getrlimit", "ugetrlimit", "setrlimit", "prlimit64", "getrusage", "times", "getpriority",
            "setpriority", "ioprio_get", "ioprio_set", "sched_yield", "sched_getaffinity", "sched_setaffinity",
            "sched_getattr", "sched_setattr", "sched_getparam", "sched_setparam", "sched_getscheduler",
            "sched_setscheduler", "sched_get_priority_max", "sched_get_priority_min", "sched_rr_get_interval",
            "sched_rr_get_interval_time64", "getcpu"
          ],
          "action": "SCMP_ACT_ALLOW"
        },
        {
          "comment": "Time.",
          "names": [
            "time", "gettimeofday", "clock_gettime", "clock_gettime64", "clock_getres", "clock_getres_time64",
            "clock_nanosleep", "clock_nanosleep_time64", "nanosleep", "adjtimex", "clock_adjtime",
            "clock_adjtime64", "timer_create", "timer_delete", "timer_getoverrun", "timer_gettime",
            "timer_gettime64", "timer_settime", "timer_settime64", "timerfd_create", "timerfd_gettime",
            "timerfd_gettime64", "timerfd_settime", "timerfd_settime64"
          ],
          "action": "SCMP_ACT_ALLOW"
        },
        {
          "comment": "Sockets. Two families are refused below.",
          "names": [
            "socket", "socketpair", "bind", "listen", "accept", "accept4", "connect", "shutdown", "getsockname",
            "getpeername", "getsockopt", "setsockopt", "send", "sendto", "sendmsg", "sendmmsg", "recv",
            "recvfrom", "recvmsg", "recvmmsg", "recvmmsg_time64"
          ],
          "action": "SCMP_ACT_ALLOW"
        },
        {
          "comment": "System V and POSIX communication between processes.",
          "names": [
            "ipc", "msgget", "msgctl", "msgsnd", "msgrcv", "semget", "semctl", "semop", "semtimedop",
            "semtimedop_time64", "shmget", "shmctl", "shmat", "shmdt", "mq_open", "mq_unlink", "mq_timedsend",
            "mq_timedsend_time64", "mq_timedreceive", "mq_timedreceive_time64", "mq_notify", "mq_getsetattr"
          ],
          "action": "SCMP_ACT_ALLOW"
        },
        {
          "comment": "The system.",
          "names": ["uname", "sysinfo", "getrandom", "riscv_hwprobe"],
          "action": "SCMP_ACT_ALLOW"
        },
        {
          "comment": "What only one family of processors has.",
          "names": ["arch_prctl"],
          "includes": {"arches": ["amd64", "x32"]},
          "action": "SCMP_ACT_ALLOW"
        },
        {"names": ["modify_ldt"], "includes": {"arches": ["amd64", "x32", "x86"]}, "action": "SCMP_ACT_ALLOW"},
        {
          "names": [
            "arm_fadvise64_64", "arm_sync_file_range", "sync_file_range2", "breakpoint", "cacheflush", "set_tls"
          ],
          "includes": {"arches": ["arm", "arm64"]},
          "action": "SCMP_ACT_ALLOW"
        },
        {"names": ["riscv_flush_icache"], "includes": {"arches": ["riscv64"]}, "action": "SCMP_ACT_ALLOW"},
        {
          "comment": "As it is, as 32-bit Linux, named Linux 2.6, or only asked; not without random addresses.",
          "names": ["personality"],
          "args": [{"index": 0, "value": 0, "op": "SCMP_CMP_EQ"}],
          "action": "SCMP_ACT_ALLOW"
        },
        {
          "names": ["personality"],
          "args": [{"index": 0, "value": 8, "op": "SCMP_CMP_EQ"}],
          "action": "SCMP_ACT_ALLOW"
        },
        {
          "names": ["personality"],
          "args": [{"index": 0, "value": 131072, "op": "SCMP_CMP_EQ"}],
          "action": "SCMP_ACT_ALLOW"
        },
        {
          "names": ["personality"],
          "args": [{"index": 0, "value": 131080, "op": "SCMP_CMP_EQ"}],
          "action": "SCMP_ACT_ALLOW"
        },
        {
          "names": ["personality"],
          "args": [{"index": 0, "value": 4294967295, "op": "SCMP_CMP_EQ"}],
          "action": "SCMP_ACT_ALLOW"
        },
        {
          "comment": "Looking into other processes. Before Linux 4.8 a tracer could get round a filter.",
          "names": ["ptrace", "process_vm_readv", "process_vm_writev"],
          "includes": {"minKernel": "4.8"},
          "action": "SCMP_ACT_ALLOW"
        },
        {
          "names": ["ptrace", "process_vm_readv", "process_vm_writev"],
          "includes": {"caps": ["CAP_SYS_PTRACE"]},
          "action": "SCMP_ACT_ALLOW"
        },
        {
          "names": ["ptrace", "process_vm_readv", "process_vm_writev"],
          "excludes": {"caps": ["CAP_SYS_PTRACE"], "minKernel": "4.8"},
          "action": "SCMP_ACT_ERRNO", "errnoRet": 1
        },
        {
          "comment": "What takes a capability is let through where that may be had.",
          "names": ["kcmp", "pidfd_getfd", "process_madvise"],
          "includes": {"caps": ["CAP_SYS_PTRACE"]},
          "action": "SCMP_ACT_ALLOW"
        },
        {
          "names": ["kcmp", "pidfd_getfd", "process_madvise"],
          "excludes": {"caps": ["CAP_SYS_PTRACE"]},
          "action": "SCMP_ACT_ERRNO", "errnoRet": 1
        },
        {
          "comment": "Mounts, namespaces, and what the administrator of a host does.",
          "names": [
            "mount", "umount", "umount2", "mount_setattr", "move_mount", "open_tree", "open_tree_attr", "fsopen",
            "fsconfig", "fsmount", "fspick", "setns", "unshare", "sethostname", "setdomainname", "quotactl",
            "quotactl_fd", "fanotify_init", "lookup_dcookie", "lsm_get_self_attr", "lsm_set_self_attr",
            "lsm_list_modules"
          ],
          "includes": {"caps": ["CAP_SYS_ADMIN"]},
          "action": "SCMP_ACT_ALLOW"
        },
        {
          "names": [
            "mount", "umount", "umount2", "mount_setattr", "move_mount", "open_tree", "open_tree_attr", "fsopen",
            "fsconfig", "fsmount", "fspick", "setns", "unshare", "sethostname", "setdomainname", "quotactl",
            "quotactl_fd", "fanotify_init", "lookup_dcookie", "lsm_get_self_attr", "lsm_set_self_attr",
            "lsm_list_modules"
          ],
          "excludes": {"caps": ["CAP_SYS_ADMIN"]},
          "action": "SCMP_ACT_ERRNO", "errnoRet": 1
        },
        {
          "comment": "Programs in the kernel.",
          "names": ["bpf"],
          "includes": {"caps": ["CAP_SYS_ADMIN"]},
          "action": "SCMP_ACT_ALLOW"
        },
        {"names": ["bpf"], "includes": {"caps": ["CAP_BPF"]}, "action": "SCMP_ACT_ALLOW"},
        {
          "names": ["bpf"],
          "excludes": {"caps": ["CAP_SYS_ADMIN", "CAP_BPF"]},
          "action": "SCMP_ACT_ERRNO", "errnoRet": 1
        },
        {
          "comment": "Counters of the processor, and traces of the kernel.",
          "names": ["perf_event_open"],
          "includes": {"caps": ["CAP_SYS_ADMIN"]},
          "action": "SCMP_ACT_ALLOW"
        },
        {"names": ["perf_event_open"], "includes": {"caps": ["CAP_PERFMON"]}, "action": "SCMP_ACT_ALLOW"},
        {
          "names": ["perf_event_open"],
          "excludes": {"caps": ["CAP_SYS_ADMIN", "CAP_PERFMON"]},
          "action": "SCMP_ACT_ERRNO", "errnoRet": 1
        },
        {
          "comment": "The kernel's messages.",
          "names": ["syslog"],
          "includes": {"caps": ["CAP_SYS_ADMIN"]},
          "action": "SCMP_ACT_ALLOW"
        },
        {"names": ["syslog"], "includes": {"caps": ["CAP_SYSLOG"]}, "action": "SCMP_ACT_ALLOW"},
        {
          "names": ["syslog"],
          "excludes": {"caps": ["CAP_SYS_ADMIN", "CAP_SYSLOG"]},
          "action": "SCMP_ACT_ERRNO", "errnoRet": 1
        },
        {
          "comment": "Opening a file by its number, whatever directory it is in.",
          "names": ["open_by_handle_at"],
          "includes": {"caps": ["CAP_DAC_READ_SEARCH"]},
          "action": "SCMP_ACT_ALLOW"
        },
        {
          "names": ["open_by_handle_at"],
          "excludes": {"caps": ["CAP_DAC_READ_SEARCH"]},
          "action": "SCMP_ACT_ERRNO", "errnoRet": 1
        },
        {"names": ["chroot"], "includes": {"caps": ["CAP_SYS_CHROOT"]}, "action": "SCMP_ACT_ALLOW"},
        {"names": ["chroot"], "excludes": {"caps": ["CAP_SYS_CHROOT"]}, "action": "SCMP_ACT_ERRNO", "errnoRet": 1},
        {
          "names": ["init_module", "finit_module", "delete_module"],
          "includes": {"caps": ["CAP_SYS_MODULE"]},
          "action": "SCMP_ACT_ALLOW"
        },
        {
          "names": ["init_module", "finit_module", "delete_module"],
          "excludes": {"caps": ["CAP_SYS_MODULE"]},
          "action": "SCMP_ACT_ERRNO", "errnoRet": 1
        },
        {"names": ["reboot"], "includes": {"caps": ["CAP_SYS_BOOT"]}, "action": "SCMP_ACT_ALLOW"},
        {"names": ["reboot"], "excludes": {"caps": ["CAP_SYS_BOOT"]}, "action": "SCMP_ACT_ERRNO", "errnoRet": 1},
        {"names": ["acct"], "includes": {"caps": ["CAP_SYS_PACCT"]}, "action": "SCMP_ACT_ALLOW"},
        {"names": ["acct"], "excludes": {"caps": ["CAP_SYS_PACCT"]}, "action": "SCMP_ACT_ERRNO", "errnoRet": 1},
        {"names": ["iopl", "ioperm"], "includes": {"caps": ["CAP_SYS_RAWIO"]}, "action": "SCMP_ACT_ALLOW"},
        {
          "names": ["iopl", "ioperm"],
          "excludes": {"caps": ["CAP_SYS_RAWIO"]},
          "action": "SCMP_ACT_ERRNO", "errnoRet": 1
        },
        {
          "names": ["settimeofday", "stime", "clock_settime", "clock_settime64"],
          "includes": {"caps": ["CAP_SYS_TIME"]},
          "action": "SCMP_ACT_ALLOW"
        },
        {
          "names": ["settimeofday", "stime", "clock_settime", "clock_settime64"],
          "excludes": {"caps": ["CAP_SYS_TIME"]},
          "action": "SCMP_ACT_ERRNO", "errnoRet": 1
        },
        {"names": ["vhangup"], "includes": {"caps": ["CAP_SYS_TTY_CONFIG"]}, "action": "SCMP_ACT_ALLOW"},
        {
          "names": ["vhangup"],
          "excludes": {"caps": ["CAP_SYS_TTY_CONFIG"]},
          "action": "SCMP_ACT_ERRNO", "errnoRet": 1
        },
        {
          "names": ["get_mempolicy", "set_mempolicy", "set_mempolicy_home_node", "mbind"],
          "includes": {"caps": ["CAP_SYS_NICE"]},
          "action": "SCMP_ACT_ALLOW"
        },
        {
          "names": ["get_mempolicy", "set_mempolicy", "set_mempolicy_home_node", "mbind"],
          "excludes": {"caps": ["CAP_SYS_NICE"]},
          "action": "SCMP_ACT_ERRNO", "errnoRet": 1
        },
        {
          "comment": "Its flags lie in memory, where no filter looks. C libraries take clone where there is no clone3.",
          "names": ["clone3"],
          "includes": {"caps": ["CAP_SYS_ADMIN"]},
          "action": "SCMP_ACT_ALLOW"
        },
        {"names": ["clone3"], "excludes": {"caps": ["CAP_SYS_ADMIN"]}, "action": "SCMP_ACT_ERRNO", "errnoRet": 38},
        {
          "comment": "CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET.",
          "names": ["clone"],
          "args": [{"index": 0, "value": 131072, "valueTwo": 131072, "op": "SCMP_CMP_MASKED_EQ"}],
          "excludes": {"caps": ["CAP_SYS_ADMIN"]},
          "action": "SCMP_ACT_ERRNO", "errnoRet": 1
        },
        {
          "names": ["clone"],
          "args": [{"index": 0, "value": 33554432, "valueTwo": 33554432, "op": "SCMP_CMP_MASKED_EQ"}],
          "excludes": {"caps": ["CAP_SYS_ADMIN"]},
          "action": "SCMP_ACT_ERRNO", "errnoRet": 1
        },
        {
          "names": ["clone"],
          "args": [{"index": 0, "value": 67108864, "valueTwo": 67108864, "op": "SCMP_CMP_MASKED_EQ"}],
          "excludes": {"caps": ["CAP_SYS_ADMIN"]},
          "action": "SCMP_ACT_ERRNO", "errnoRet": 1
        },
        {
          "names": ["clone"],
          "args": [{"index": 0, "value": 134217728, "valueTwo": 134217728, "op": "SCMP_CMP_MASKED_EQ"}],
          "excludes": {"caps": ["CAP_SYS_ADMIN"]},
          "action": "SCMP_ACT_ERRNO", "errnoRet": 1
        },
        {
          "names": ["clone"],
          "args": [{"index": 0, "value": 268435456, "valueTwo": 268435456, "op": "SCMP_CMP_MASKED_EQ"}],
          "excludes": {"caps": ["CAP_SYS_ADMIN"]},
          "action": "SCMP_ACT_ERRNO", "errnoRet": 1
        },
        {
          "names": ["clone"],
          "args": [{"index": 0, "value": 536870912, "valueTwo": 536870912, "op": "SCMP_CMP_MASKED_EQ"}],
          "excludes": {"caps": ["CAP_SYS_ADMIN"]},
          "action": "SCMP_ACT_ERRNO", "errnoRet": 1
        },
        {
          "names": ["clone"],
          "args": [{"index": 0, "value": 1073741824, "valueTwo": 1073741824, "op": "SCMP_CMP_MASKED_EQ"}],
          "excludes": {"caps": ["CAP_SYS_ADMIN"]},
          "action": "SCMP_ACT_ERRNO", "errnoRet": 1
        },
        {
          "comment": "TIOCSTI and TIOCLINUX write into the input of a terminal, as if its user had typed it.",
          "names": ["ioctl"],
          "args": [{"index": 1, "value": 21522, "op": "SCMP_CMP_EQ"}],
          "action": "SCMP_ACT_ERRNO", "errnoRet": 1
        },
        {
          "names": ["ioctl"],
          "args": [{"index": 1, "value": 21532, "op": "SCMP_CMP_EQ"}],
          "action": "SCMP_ACT_ERRNO", "errnoRet": 1
        },
        {
          "comment": "FS_IOC_*_ENCRYPTION_*: a file system's own key ring; root could take the host's key away.",
          "names": ["ioctl"],
          "args": [{"index": 1, "value": 2148296211, "op": "SCMP_CMP_EQ"}],
          "action": "SCMP_ACT_ERRNO", "errnoRet": 1
        },
        {
          "names": ["ioctl"],
          "args": [{"index": 1, "value": 3226494487, "op": "SCMP_CMP_EQ"}],
          "action": "SCMP_ACT_ERRNO", "errnoRet": 1
        },
        {
          "names": ["ioctl"],
          "args": [{"index": 1, "value": 3225445912, "op": "SCMP_CMP_EQ"}],
          "action": "SCMP_ACT_ERRNO", "errnoRet": 1
        },
        {
          "names": ["ioctl"],
          "args": [{"index": 1, "value": 3225445913, "op": "SCMP_CMP_EQ"}],
          "action": "SCMP_ACT_ERRNO", "errnoRet": 1
        },
        {
          "comment": "BTRFS_IOC_*: subvolumes, whose files are not counted, and which may be read-only.",
          "names": ["ioctl"],
          "args": [{"index": 1, "value": 1342215169, "op": "SCMP_CMP_EQ"}],
          "excludes": {"caps": ["CAP_SYS_ADMIN"]},
          "action": "SCMP_ACT_ERRNO", "errnoRet": 1
        },
        {
          "names": ["ioctl"],
          "args": [{"index": 1, "value": 1342215182, "op": "SCMP_CMP_EQ"}],
          "excludes": {"caps": ["CAP_SYS_ADMIN"]},
          "action": "SCMP_ACT_ERRNO", "errnoRet": 1
        },
        {
          "names": ["ioctl"],
          "args": [{"index": 1, "value": 1342215191, "op": "SCMP_CMP_EQ"}],
          "excludes": {"caps": ["CAP_SYS_ADMIN"]},
          "action": "SCMP_ACT_ERRNO", "errnoRet": 1
        },
        {
          "names": ["ioctl"],
          "args": [{"index": 1, "value": 1342215192, "op": "SCMP_CMP_EQ"}],
          "excludes": {"caps": ["CAP_SYS_ADMIN"]},
          "action": "SCMP_ACT_ERRNO", "errnoRet": 1
        },
        {
          "names": ["ioctl"],
          "args": [{"index": 1, "value": 1074304026, "op": "SCMP_CMP_EQ"}],
          "excludes": {"caps": ["CAP_SYS_ADMIN"]},
          "action": "SCMP_ACT_ERRNO", "errnoRet": 1
        },
        {
          "comment": "Leases and delegations: who has one on a file keeps others from opening it.",
          "names": ["fcntl", "fcntl64"],
          "args": [{"index": 1, "value": 1024, "op": "SCMP_CMP_EQ"}],
          "action": "SCMP_ACT_ERRNO", "errnoRet": 1
        },
        {
          "names": ["fcntl", "fcntl64"],
          "args": [{"index": 1, "value": 1040, "op": "SCMP_CMP_EQ"}],
          "action": "SCMP_ACT_ERRNO", "errnoRet": 1
        },
        {
          "comment": "AF_ALG: the kernel's ciphers. AF_VSOCK: past network namespaces to a hypervisor.",
          "names": ["socket"],
          "args": [{"index": 0, "value": 38, "op": "SCMP_CMP_EQ"}],
          "action": "SCMP_ACT_ERRNO", "errnoRet": 1
        },
        {
          "names": ["socket"],
          "args": [{"index": 0, "value": 40, "op": "SCMP_CMP_EQ"}],
          "action": "SCMP_ACT_ERRNO", "errnoRet": 1
        },
        {
          "comment": "Netlink's connector: the kernel tells there of every process of the host.",
          "names": ["socket"],
          "args": [{"index": 0, "value": 16, "op": "SCMP_CMP_EQ"}, {"index": 2, "value": 11, "op": "SCMP_CMP_EQ"}],
          "action": "SCMP_ACT_ERRNO", "errnoRet": 1
        },
        {
          "comment": "i386: sockets, with the arguments in memory. There is a call for each thing that it does.",
          "names": ["socketcall"],
          "action": "SCMP_ACT_ERRNO", "errnoRet": 1
        },
        {
          "comment": "Limits of another process. One's own are those of 0; without new limits it only reads.",
          "names": ["prlimit64"],
          "args": [{"index": 0, "value": 0, "op": "SCMP_CMP_NE"}, {"index": 2, "value": 0, "op": "SCMP_CMP_NE"}],
          "action": "SCMP_ACT_ERRNO", "errnoRet": 1
        },
        {
          "comment": "Key rings are not the container's own.",
          "names": ["add_key", "request_key", "keyctl"],
          "action": "SCMP_ACT_ERRNO", "errnoRet": 1
        },
        {
          "comment": "A second way to nearly every system call, which no filter sees.",
          "names": ["io_uring_setup", "io_uring_enter", "io_uring_register"],
          "action": "SCMP_ACT_ERRNO", "errnoRet": 1
        },
        {
          "comment": "A page fault that waits for a program: every race in the kernel is won with it.",
          "names": ["userfaultfd"],
          "action": "SCMP_ACT_ERRNO", "errnoRet": 1
        },
        {
          "comment": "Another kernel, another root, memory and swap of everybody.",
          "names": [
            "kexec_load", "kexec_file_load", "pivot_root", "swapon", "swapoff", "migrate_pages", "move_pages"
          ],
          "action": "SCMP_ACT_ERRNO", "errnoRet": 1
        },
        {
          "comment": "What only old programs, or none, call.",
          "names": [
            "_sysctl", "bdflush", "nfsservctl", "oldfstat", "oldlstat", "oldolduname", "oldstat", "olduname",
            "readdir", "sgetmask", "sigaction", "signal", "sigpending", "sigsuspend", "ssetmask", "sysfs",
            "uselib", "ustat", "vm86", "vm86old"
          ],
          "action": "SCMP_ACT_ERRNO", "errnoRet": 1
        }
      ]
    }

    """#
}
