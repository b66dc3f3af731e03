import CLinux

/// What identifies a process for as long as the host is up: a pid alone can come to mean another one.
package struct ProcessIdentity: Sendable, Equatable {
  /// `/proc/sys/kernel/random/boot_id`.
  package var bootID: String
  package var pid: Int32
  /// Field 22 of `/proc/PID/stat`: clock ticks after boot.
  package var startTime: UInt64
  /// The inode of its pidfd, unique until the next boot (Linux 6.9); 0 where pidfds share one.
  package var inode: UInt64

  package init(bootID: String, pid: Int32, startTime: UInt64, inode: UInt64) {
    self.bootID = bootID
    self.pid = pid
    self.startTime = startTime
    self.inode = inode
  }

  /// Reads the identity of a process through its handle.
  package init(pid: Int32, pidfd: Int32) throws(Errno) {
    self.init(
      bootID: try ProcessIdentity.currentBootID(), pid: pid, startTime: try ProcessIdentity.startTime(of: pid),
      inode: try ProcessIdentity.pidfdInode(pidfd))
  }

  package static func currentBootID() throws(Errno) -> String {
    String(decoding: try readFile("/proc/sys/kernel/random/boot_id").prefix(36), as: UTF8.self)
  }

  /// A handle on this very process; `nil` when it is gone, whoever has its number now.
  package func open() throws(Errno) -> FileDescriptor? {
    guard bootID == (try ProcessIdentity.currentBootID()) else { return nil }
    let handle: FileDescriptor
    do throws(Errno) { handle = try openProcess(pid) } catch  where error.code == ESRCH { return nil }
    // What cannot be read for want of descriptors or memory says nothing about the process.
    do throws(Errno) {
      guard try ProcessIdentity(pid: pid, pidfd: handle.rawValue) == self else { return nil }
    } catch  where error.code == ENOENT || error.code == ESRCH {
      return nil
    }
    return handle
  }

  private static func pidfdInode(_ pidfd: Int32) throws(Errno) -> UInt64 {
    // On the anonymous-inode file system every pidfd has the same number, which says nothing.
    let pidfs: UInt64 = 0x5049_4446
    return try fileSystemMagic(of: pidfd) == pidfs ? try status(of: pidfd).inode : 0
  }

  private static func startTime(of pid: Int32) throws(Errno) -> UInt64 {
    let bytes = try readFile("/proc/\(pid)/stat", limit: 8192)
    // The command name may hold anything; after its last parenthesis come numbers only.
    guard let end = bytes.lastIndex(of: UInt8(ascii: ")")) else { throw Errno("read", code: EPROTO) }
    let fields = bytes[(end + 1)...].split(separator: UInt8(ascii: " "))
    guard fields.count > 19, let value = UInt64(String(decoding: fields[19], as: UTF8.self)) else {
      throw Errno("read", code: EPROTO)
    }
    return value
  }
}

/// Calls on a pidfd by its number.
package enum ProcessHandle {
  /// False when the process is gone.
  package static func signal(_ signal: Int32, _ pidfd: Int32) -> Bool { ax_pidfd_send_signal(pidfd, signal) == 0 }

  /// Whether the process has ended, reaped or not.
  package static func hasEnded(_ pidfd: Int32) -> Bool {
    var request = pollfd(fd: pidfd, events: Int16(POLLIN), revents: 0)
    return poll(&request, 1, 0) == 1
  }

  /// Waits until the process has ended; false when it has not in time.
  package static func waitForEnd(_ pidfd: Int32, milliseconds: Int32) -> Bool {
    let deadline = Clock.now + UInt64(milliseconds) * 1_000_000
    while true {
      var request = pollfd(fd: pidfd, events: Int16(POLLIN), revents: 0)
      let now = Clock.now
      if now >= deadline { return false }
      let ready = poll(&request, 1, Int32((deadline - now) / 1_000_000 + 1))
      if ready > 0 { return true }
    }
  }

  /// How a child of ours ended that nobody has reaped; `nil` of any other process.
  package static func end(_ pidfd: Int32) -> ExitStatus? {
    var (signaled, status): (Int32, Int32) = (0, 0)
    guard ax_child_end(pidfd, &signaled, &status) == 0 else { return nil }
    return signaled == 0 ? .exited(status) : .signaled(status)
  }

  /// A copy of a descriptor that the process has open (pidfd_getfd(2)), for who may trace it.
  package static func copy(_ number: Int32, from pidfd: Int32) throws(Errno) -> FileDescriptor {
    FileDescriptor(owning: try retrying("pidfd_getfd") { ax_pidfd_getfd(pidfd, number) })
  }

  /// Reaps an ended child through its handle; a process that is not our child is left to its parent.
  package static func reap(_ pidfd: Int32) {
    var info = siginfo_t()
    _ = ax_waitid_pidfd(pidfd, WEXITED | WNOHANG, &info, nil)
  }
}
