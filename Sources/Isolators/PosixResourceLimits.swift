import Glibc
import LaunchModel
import LinuxKernel

/// `posix/rlimits`: the limits of setrlimit(2), as the task asks for them. Core dumps are off unless it does: a crash
/// would start whatever program the host has set in `core_pattern`, as the host's root and with the task's memory.
package struct PosixResourceLimits: Isolator {
  package static let name = "posix/rlimits"
  package init(host: HostFacts) {}

  /// The kernel's numbers by name, without `RLIMIT_` or Mesos' `RLMT_`.
  package static let resources: [String: Int32] = [
    "CPU": 0, "FSIZE": 1, "DATA": 2, "STACK": 3, "CORE": 4, "RSS": 5, "NPROC": 6, "NOFILE": 7, "MEMLOCK": 8, "AS": 9,
    "LOCKS": 10, "SIGPENDING": 11, "MSGQUEUE": 12, "NICE": 13, "RTPRIO": 14, "RTTIME": 15,
  ]

  /// The kernel's number of open files.
  package static let openFiles: Int32 = 7

  /// One byte, which is none: with 0 the kernel still starts a program that `core_pattern` names, with 1 it does not
  /// (core(5), `do_coredump` in fs/coredump.c).
  package static let noCoreDump = ResourceLimit(resource: 4, soft: 1, hard: 1)

  /// Half of what the executor has, and init after it: the kernel counts by uid, and at its limit it delivers a signal to
  /// init without who has sent it. What a task queues leaves that much to init, and to others of its uid on the host.
  private static var pendingSignals: ResourceLimit {
    let most = ((try? ProcessLimits.get(ResourceLimit.pendingSignals))?.hard ?? 1024) / 2
    return ResourceLimit(resource: ResourceLimit.pendingSignals, soft: most, hard: most)
  }

  package func prepare(_ container: ContainerConfig) throws(IsolationError) -> PlanFragment {
    // The supervisor has raised its own limit of open files; the task gets the one that the executor was started with.
    let files = DescriptorLimit.inherited
    let most = container.mostOpenFiles ?? .max
    var limits = [
      Self.noCoreDump, Self.pendingSignals,
      ResourceLimit(resource: Self.openFiles, soft: min(files.soft, most), hard: min(files.hard, most)),
    ]
    var seen: Set<Int32> = []
    for limit in container.limits {
      var name = limit.name
      for prefix in ["RLMT_", "RLIMIT_"] where name.utf8.starts(with: prefix.utf8) {
        name = String(name.dropFirst(prefix.count))
      }
      guard let resource = Self.resources[name] else {
        let known = Self.resources.keys.sorted().map { "RLMT_" + $0 }.joined(separator: ", ")
        throw IsolationError(Self.name, "unknown limit \"\(limit.name)\"", hint: "known are \(known)")
      }
      guard seen.insert(resource).inserted else { throw IsolationError(Self.name, "\(limit.name) is given twice") }
      guard (limit.soft == nil) == (limit.hard == nil) else {
        throw IsolationError(Self.name, "\(limit.name) needs both soft and hard, or neither for unlimited")
      }
      let (soft, hard) = (limit.soft ?? .max, limit.hard ?? .max)
      guard soft <= hard else {
        throw IsolationError(Self.name, "\(limit.name): the soft limit \(soft) is above the hard limit \(hard)")
      }
      let half = Self.pendingSignals.hard
      guard resource != ResourceLimit.pendingSignals || hard <= half else {
        throw IsolationError(
          Self.name, "\(limit.name): a task may have \(half) pending signals at most, half of what its executor may",
          hint: "the kernel counts them by uid: the rest is what others of the uid have")
      }
      limits.removeAll { $0.resource == resource }
      limits.append(ResourceLimit(resource: resource, soft: soft, hard: hard))
    }
    var fragment = PlanFragment()
    fragment.limits = limits
    return fragment
  }
}
