/// Mesos' `LinuxInfo`, `RLimitInfo` and `TTYInfo` (`mesos.proto`), as far as they are supported.
enum LinuxFields {
  static let capabilityInfo = Field(
    "capability_info", .record(CapabilityFields.record), "The old name of `effective_capabilities`.")
  static let bounding = Field(
    "bounding_capabilities", .record(CapabilityFields.record), "What a process of the task can ever gain.")
  static let effective = Field(
    "effective_capabilities", .record(CapabilityFields.record), "What a process of the task has.")
  static let sharePID = Field(
    "share_pid_namespace", .flag, standard: false, "Whether the task sees the host's processes.")
  static let ipcMode = Field(
    "ipc_mode", .choice(["PRIVATE", "SHARE_PARENT"]), "Whether the task has its own IPC namespace and /dev/shm.")
  static let shmSize = Field("shm_size", .integer(1...(1 << 30)), "MiB of a private /dev/shm.")
  static let seccomp = Field("seccomp", .record(SeccompFields.record), "Which system calls are filtered.")

  static let record = RecordType(
    "LinuxInfo", "What the task may do to the kernel.",
    [capabilityInfo, bounding, effective, sharePID, ipcMode, shmSize, seccomp])
}

enum CapabilityFields {
  /// capabilities(7), in the order of their numbers.
  static let names = [
    "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP",
    "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER",
    "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE",
    "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP",
    "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF",
    "CHECKPOINT_RESTORE",
  ]

  static let capabilities = Field(
    "capabilities", .list(.choice(names)), standard: [], "Capabilities without `CAP_`; an empty list drops all.")
  static let record = RecordType("CapabilityInfo", "A set of capabilities.", [capabilities])
}

enum SeccompFields {
  static let profileName = Field(
    "profile_name", .text(.line), "`default`, or the absolute path of a profile.")
  static let unconfined = Field("unconfined", .flag, standard: false, "No filter.")
  static let record = RecordType("SeccompInfo", "Which system calls are filtered.", [profileName, unconfined])
}

enum RlimitInfoFields {
  static let rlimits = Field("rlimits", .list(.record(RlimitFields.record)), standard: [], "The limits.")
  static let record = RecordType("RLimitInfo", "Limits of each process of the task.", [rlimits])
}

enum RlimitFields {
  static let types = [
    "AS", "CORE", "CPU", "DATA", "FSIZE", "LOCKS", "MEMLOCK", "MSGQUEUE", "NICE", "NOFILE", "NPROC", "RSS", "RTPRIO",
    "RTTIME", "SIGPENDING", "STACK",
  ].map { "RLMT_" + $0 }

  static let type = Field("type", .choice(types), required: true, "Which limit, as getrlimit(2) names it.")
  static let hard = Field("hard", .integer(0...Int64.max), "The hard limit; neither of the two: no limit.")
  static let soft = Field("soft", .integer(0...Int64.max), "The soft limit, at most the hard one.")
  static let record = RecordType("RLimit", "One limit, with both bounds or none.", [type, hard, soft])
}

enum TTYFields {
  static let windowSize = Field("window_size", .record(WindowFields.record), "The terminal's first size.")
  static let record = RecordType("TTYInfo", "A terminal for the task.", [windowSize])
}

enum WindowFields {
  static let rows = Field("rows", .integer(1...65535), required: true, "Rows.")
  static let columns = Field("columns", .integer(1...65535), required: true, "Columns.")
  static let record = RecordType("WindowSize", "The size of a terminal.", [rows, columns])
}
