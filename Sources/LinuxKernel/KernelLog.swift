import CLinux

/// A process that the kernel killed because its cgroup, or the host, was out of memory.
package struct OutOfMemoryKill: Sendable, Equatable {
  /// As the host numbers it.
  package let pid: Int32
  /// The memory cgroup that the process was in, from the root of its hierarchy.
  package let cgroup: String
  /// When, in nanoseconds of `CLOCK_MONOTONIC`, within some milliseconds.
  package let time: UInt64

  package init(pid: Int32, cgroup: String, time: UInt64) {
    self.pid = pid
    self.cgroup = cgroup
    self.time = time
  }

  /// Reads a record of `/dev/kmsg` (Documentation/ABI/testing/dev-kmsg):
  ///
  ///     6,1234,3581983560,-;oom-kill:constraint=CONSTRAINT_MEMCG,…,oom_memcg=/a,task_memcg=/a/b,task=tail,pid=3125,uid=33
  ///
  /// - Returns: `nil` for any other record.
  package init?(record: [UInt8]) {
    guard let semicolon = record.firstIndex(of: UInt8(ascii: ";")) else { return nil }
    let text = String(decoding: record[(semicolon + 1)...].prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
    let head = String(decoding: record[..<semicolon], as: UTF8.self).split(separator: ",")
    guard text.utf8.starts(with: "oom-kill:".utf8), head.count >= 3, let microseconds = UInt64(head[2]) else {
      return nil
    }
    // The name of the process may hold anything; what comes after it does not.
    let fields = text.split(separator: ",", omittingEmptySubsequences: false)
    guard fields.count >= 2, let pid = fields[fields.count - 2].value(of: "pid").flatMap({ Int32($0) }),
      let cgroup = fields.lazy.compactMap({ $0.value(of: "task_memcg") }).first
    else { return nil }
    self.init(pid: pid, cgroup: String(cgroup), time: microseconds &* 1000)
  }
}

extension Substring {
  fileprivate func value(of key: String) -> Substring? {
    utf8.starts(with: (key + "=").utf8) ? self[utf8.index(startIndex, offsetBy: key.utf8.count + 1)...] : nil
  }
}

/// The kernel's log.
package enum KernelLog {
  /// What the kernel has killed for want of memory, as far as the log goes back; `nil` where it cannot be read (it wants
  /// CAP_SYSLOG).
  package static func outOfMemoryKills() -> [OutOfMemoryKill]? {
    guard let log = try? openFile("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_NOCTTY) else { return nil }
    var kills: [OutOfMemoryKill] = []
    // Each read is one record; one that was overwritten meanwhile is EPIPE, and the next read goes on after it.
    for _ in 0..<mostRecords {
      do throws(Errno) {
        guard let record = try log.read(upTo: 8192) else { return kills }
        if let kill = OutOfMemoryKill(record: record) { kills.append(kill) }
      } catch  where error.code == EPIPE {
      } catch {
        return nil
      }
    }
    return kills
  }

  /// Whether pids in the log are those that this process knows others by.
  package static var hasOwnPIDs: Bool {
    // PROC_PID_INIT_INO (include/linux/proc_ns.h).
    CurrentProcess.pidNamespace == 0xefff_fffc
  }

  /// More than any log has.
  private static let mostRecords = 1_000_000
}
