import Glibc
import LinuxKernel

/// The resource limits of init as they were when it began (setrlimit(2)).
///
/// Who has init's uid in the container can lower them from outside (prlimit(2)): then nothing more could be written to a
/// log or to the record of exits, no process could be started, and those that could would have the lowered limits. So they
/// are set back before what depends on them.
final class LimitKeeper {
  private typealias Limit = (soft: UInt64, hard: UInt64)
  private let limits: [(resource: Int32, limit: Limit)]

  /// RLIMIT_FSIZE and RLIMIT_NOFILE.
  enum Needed: Int32 {
    case fileSize = 1
    case openFiles = 7
  }

  init() {
    limits = ProcessLimits.resources.compactMap { resource in
      (try? ProcessLimits.get(resource)).map { (resource, $0) }
    }
  }

  /// All of them, as far as init may: a hard limit that was lowered needs CAP_SYS_RESOURCE, which an engine may keep back.
  /// The executor looks after those.
  func restore() { for (resource, limit) in limits { restore(resource, limit) } }

  /// The one that the next call depends on.
  func restore(_ needed: Needed) {
    for (resource, limit) in limits where resource == needed.rawValue { restore(resource, limit) }
  }

  private func restore(_ resource: Int32, _ limit: Limit) {
    guard let present = try? ProcessLimits.get(resource), present.soft < limit.soft || present.hard < limit.hard else {
      return
    }
    if (try? ProcessLimits.set(resource, soft: limit.soft, hard: limit.hard)) != nil { return }
    try? ProcessLimits.set(resource, soft: min(limit.soft, present.hard), hard: present.hard)
  }
}
