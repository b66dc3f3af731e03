import LaunchModel
import LinuxKernel

/// What container-init may use, in a container of the engine's.
enum InitLimits {
  /// Gives it what it has natively, which is what the executor has: a `fsize` that the engine gives its containers would
  /// cut the logs, a `nofile` their number. And hard limits no lower than the processes are to have: in the container
  /// it has no CAP_SYS_RESOURCE to raise theirs by.
  ///
  /// Without that capability on the host it is left with what the engine gave it, and a process that is to have more
  /// fails to start and says so.
  static func raise(of pid: Int32, for limits: [ResourceLimit]) {
    for resource in ProcessLimits.resources {
      guard let present = try? ProcessLimits.get(resource, of: pid), let own = try? ProcessLimits.get(resource)
      else { continue }
      let soft = max(present.soft, own.soft)
      let wanted = limits.first { $0.resource == resource }?.hard ?? 0
      // What is asked for may be more than the kernel gives anybody (fs.nr_open).
      for hard in [max(present.hard, own.hard, wanted), max(present.hard, own.hard), present.hard] {
        guard min(soft, hard) != present.soft || hard != present.hard else { break }
        if (try? ProcessLimits.set(resource, of: pid, soft: min(soft, hard), hard: hard)) != nil { break }
      }
    }
  }
}
