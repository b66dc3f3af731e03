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
  /// signals half of what init has (`PosixResourceLimits` says why).
  static func completed(_ limits: [ResourceLimit], _ inherited: [ResourceLimit]) -> [ResourceLimit] {
    let present = read()
    let pending = present.filter { $0.resource == ResourceLimit.pendingSignals }
      .map { ResourceLimit(resource: $0.resource, soft: $0.hard / 2, hard: $0.hard / 2) }
    let others = inherited.filter { $0.resource != ResourceLimit.pendingSignals && !present.contains($0) }
    return limits + (pending + others).filter { limit in !limits.contains { $0.resource == limit.resource } }
  }
}
