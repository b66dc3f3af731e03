/// Mesos' `LinuxInfo`, `RLimitInfo` and `TTYInfo` (`mesos.proto`), as far as they are supported.
enum LinuxFields {
  static let effective = "effective_capabilities"
  static let formerEffective = "capability_info"
  static let shmSize = Field("shm_size", .integer(1...(1 << 30)), "MiB of a private /dev/shm.")
  static let seccomp = Field("seccomp", .record(SeccompFields.record), "Which system calls are filtered.")

  static let table = RecordTable<LinuxInfo>(
    "LinuxInfo", "What the task may do to the kernel.",
    [
      // Before its new name, which wins where both are written.
      Row(formerEffective, CapabilityFields.table, \.effectiveCapabilities, "The old name of `\(effective)`."),
      Row(
        "bounding_capabilities", CapabilityFields.table, \.boundingCapabilities,
        "What a process of the task can ever gain."),
      Row(effective, CapabilityFields.table, \.effectiveCapabilities, "What a process of the task has."),
      Row("share_pid_namespace", .flag, \.sharePIDNamespace, "Whether the task sees the host's processes."),
      Row(
        "ipc_mode", .choice(of: LinuxInfo.IPCMode.self), \.ipcMode,
        "Whether the task has its own IPC namespace and /dev/shm."),
      .other(shmSize), .other(seccomp),
    ])
}

extension LinuxInfo: RecordValue {
  static let standard = LinuxInfo()
}
extension LinuxInfo.IPCMode: FieldValue {}

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

  static let table = RecordTable<[String]>(
    "CapabilityInfo", "A set of capabilities.",
    [
      Row("capabilities", .list(.choice(names)), \.self, "Capabilities without `CAP_`; an empty list drops all.")
    ])
}

/// A record that has one member and is that.
extension [String]: RecordValue {
  static let standard: [String] = []
}

enum SeccompFields {
  static let profileName = Field(
    "profile_name", .text(.line), "`default`, or the absolute path of a profile.")
  static let unconfined = Field("unconfined", .flag, standard: false, "No filter.")
  static let record = RecordType("SeccompInfo", "Which system calls are filtered.", [profileName, unconfined])
}

enum RlimitInfoFields {
  static let rlimits = Field("rlimits", .list(.record(RlimitFields.table.record)), standard: [], "The limits.")
  static let record = RecordType("RLimitInfo", "Limits of each process of the task.", [rlimits])
}

enum RlimitFields {
  static let types = [
    "AS", "CORE", "CPU", "DATA", "FSIZE", "LOCKS", "MEMLOCK", "MSGQUEUE", "NICE", "NOFILE", "NPROC", "RSS", "RTPRIO",
    "RTTIME", "SIGPENDING", "STACK",
  ].map { "RLMT_" + $0 }

  static let table = RecordTable<RlimitEntry>(
    "RLimit", "One limit, with both bounds or none.",
    [
      Row("type", .choice(types), required: true, \.type, "Which limit, as getrlimit(2) names it."),
      Row("hard", .integer(0...Int64.max), \.hard, "The hard limit; neither of the two: no limit."),
      Row("soft", .integer(0...Int64.max), \.soft, "The soft limit, at most the hard one."),
    ])
}

extension RlimitEntry: RecordValue {
  static let standard = RlimitEntry(type: "", hard: nil, soft: nil)
}

enum TTYFields {
  static let table = RecordTable<TTYInfo>(
    "TTYInfo", "A terminal for the task.", [Row("window_size", within: window, "The terminal's first size.")])

  private static let window = RecordTable<TTYInfo>(
    "WindowSize", "The size of a terminal.",
    [
      Row("rows", .integer(1...65535), required: true, \.rows, "Rows."),
      Row("columns", .integer(1...65535), required: true, \.columns, "Columns."),
    ])
}

extension TTYInfo: RecordValue {
  static let standard = TTYInfo()
}
