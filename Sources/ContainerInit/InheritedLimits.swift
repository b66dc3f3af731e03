import LaunchModel
import LinuxKernel

/// The resource limits that an engine has given its container (setrlimit(2)): those of its own configuration among them.
///
/// They are meant for the processes. Init is given more by the executor before it hears of its plan, and hands them on.
enum InheritedLimits {
  /// What this process has now; to be read before the executor knows of it.
  static func read() -> [ResourceLimit] {
    ProcessLimits.resources.compactMap { resource in
      (try? ProcessLimits.get(resource)).map { ResourceLimit(resource: resource, soft: $0.soft, hard: $0.hard) }
    }
  }

  /// The plan's limits, and of the inherited ones those that it says nothing of and that have been raised since. Of pending
  /// signals processes with init's uid have half of what it has (`PosixResourceLimits` says why).
  static func completed(_ limits: [ResourceLimit], _ inherited: [ResourceLimit], for uid: UInt32) -> [ResourceLimit] {
    let present = read()
    var all = inherited.filter { !present.contains($0) }
    if uid == CurrentProcess.effectiveUser,
      let own = inherited.first(where: { $0.resource == ResourceLimit.pendingSignals })
    {
      all.removeAll { $0.resource == own.resource }
      all.append(ResourceLimit(resource: own.resource, soft: own.hard / 2, hard: own.hard / 2))
    }
    return limits + all.filter { limit in !limits.contains { $0.resource == limit.resource } }
  }
}
