import CLinux

/// The kernel's capabilities (capabilities(7)) as a bit set; bit n is capability number n.
package struct Capabilities: OptionSet, Sendable, Hashable {
  package let rawValue: UInt64
  package init(rawValue: UInt64) { self.rawValue = rawValue }
  package init(arrayLiteral elements: Capabilities...) { rawValue = elements.reduce(0) { $0 | $1.rawValue } }

  /// Names without `CAP_`, in the order of their numbers.
  package static let names = [
    "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP",
    "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER",
    "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE",
    "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP",
    "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF",
    "CHECKPOINT_RESTORE",
  ]

  /// The capability called `name`, with or without `CAP_`, in any case; `nil` when there is none.
  package init?(name: String) {
    var plain = name.uppercased()
    if plain.utf8.starts(with: "CAP_".utf8) { plain.removeFirst(4) }
    guard let number = Capabilities.names.firstIndex(of: plain) else { return nil }
    self.init(rawValue: 1 << UInt64(number))
  }

  package var list: [String] {
    Capabilities.names.indices.filter { rawValue & (1 << UInt64($0)) != 0 }.map { "CAP_" + Capabilities.names[$0] }
  }
}

/// Changes of this process' own credentials. None of them may be skipped or ignored by a caller.
package enum Credentials {
  /// What this process may; nothing where it cannot be found out.
  package static var effectiveCapabilities: Capabilities {
    var effective: UInt64 = 0
    return ax_effective_capabilities(&effective) == 0 ? Capabilities(rawValue: effective) : []
  }

  /// Takes every capability that is not in `keep` out of the bounding set.
  package static func limitBoundingSet(to keep: Capabilities) throws(Errno) {
    for number in 0..<64 where keep.rawValue & (1 << UInt64(number)) == 0 {
      do throws(Errno) {
        try check("prctl(PR_CAPBSET_DROP)") { ax_drop_bounding_capability(Int32(number)) }
      } catch  where error.code == EINVAL {
        return  // past the kernel's last capability
      }
    }
  }

  /// Sets the effective and permitted sets; inheritable and ambient become empty, so that no file capability of an
  /// image can raise more than the bounding set allows (CVE-2022-29162 and its kin).
  package static func setCapabilities(_ capabilities: Capabilities) throws(Errno) {
    try check("prctl(PR_CAP_AMBIENT)") { ax_clear_ambient_capabilities() }
    try check("capset") { ax_capset(capabilities.rawValue, capabilities.rawValue, 0) }
  }

  /// Sets the supplementary groups, always: an empty list must not mean "keep root's".
  package static func setGroups(_ groups: [UInt32]) throws(Errno) {
    try check("setgroups") { setgroups(groups.count, groups) }
  }

  /// Becomes the group and the user, real, effective and saved. Leaving uid 0 drops the effective capabilities; the permitted
  /// ones stay until `setCapabilities` takes them.
  package static func become(uid: UInt32, gid: UInt32) throws(Errno) {
    try check("prctl(PR_SET_KEEPCAPS)") { ax_set_keep_capabilities(1) }
    try check("setresgid") { setresgid(gid, gid, gid) }
    try check("setresuid") { setresuid(uid, uid, uid) }
    // A filter can answer that a call was done which it has not let through.
    guard getuid() == uid, geteuid() == uid, getgid() == gid, getegid() == gid else {
      throw Errno("setresuid", code: EPERM)
    }
  }

  /// Gives this process a saved group that differs from its real and effective one. Nobody has both: so nobody
  /// without CAP_SYS_RESOURCE or CAP_SYS_PTRACE passes for its owner, not even its own uid, when its limits shall be set
  /// (prlimit(2)) or it shall be looked into (ptrace(2)). What it may open and what it makes stay as they are.
  ///
  /// Only root may, and has processes of its own uid to fear; a user namespace that has no other group has nobody else either.
  package static func becomeNobodys() throws(Errno) {
    guard geteuid() == 0 else { return }
    let group = getegid()
    do throws(Errno) {
      try check("setresgid") { setresgid(group, group, group == 1 ? 2 : 1) }
    } catch  where error.code == EINVAL {}
  }

  /// Gives this process, and what it starts, the identity of a user in the host's audit trail (`/proc/self/loginuid`), where it has
  /// none yet: whoever has none may give himself any, and whoever has one keeps it without CAP_AUDIT_CONTROL.
  ///
  /// Only root can, and without root all are the same user. A kernel without audit has no such file.
  package static func identifyForAudit(_ uid: UInt32) throws(Errno) {
    guard geteuid() == 0 else { return }
    do throws(Errno) {
      let file = try openFile("/proc/self/loginuid", O_RDWR | O_NOFOLLOW)
      let none = Array(String(UInt32.max).utf8)
      guard try file.read(upTo: 16, at: 0).starts(with: none) else { return }
      try file.writeAll(Array(String(uid).utf8), at: 0)
    } catch  where error.code == ENOENT {}
  }

  package static func setNoNewPrivileges() throws(Errno) {
    try check("prctl(PR_SET_NO_NEW_PRIVS)") { ax_set_no_new_privileges() }
  }

  package static func setDumpable(_ on: Bool) throws(Errno) {
    try check("prctl(PR_SET_DUMPABLE)") { ax_set_dumpable(on ? 1 : 0) }
  }
}
