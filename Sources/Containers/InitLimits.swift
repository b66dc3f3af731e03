import LaunchModel
import LinuxKernel
import TaskStore

/// What container-init may use, in a container of the engine's.
package enum InitLimits {
  package typealias Pair = (soft: UInt64, hard: UInt64)
  private static let fileSize: Int32 = 1

  /// Gives it what it has natively, which is what the executor has: a `fsize` that the engine gives its containers would
  /// cut the logs, a `nofile` their number. And hard limits no lower than the processes are to have: in the container
  /// it has no CAP_SYS_RESOURCE to raise theirs by.
  ///
  /// An executor without that capability leaves it the engine's hard limits. A process that is to have more then fails to
  /// start and says so; logs would be cut without a word, so that is refused.
  package static func raise(of pid: Int32, for limits: [ResourceLimit]) throws(ExecutorFailure) {
    for resource in ProcessLimits.resources {
      var present: Pair
      let own: Pair
      do throws(Errno) {
        (present, own) = (try ProcessLimits.get(resource, of: pid), try ProcessLimits.get(resource))
      } catch {
        throw ExecutorFailure(.failed, "cannot read the limit \(resource) of container-init: \(error)")
      }
      // Without a bound where that can be: whoever has its uid could use up what there is (`InitServer.mayBeNameless`).
      let most = resource == ResourceLimit.pendingSignals ? .max : limits.first { $0.resource == resource }?.hard
      for wanted in attempts(present, own, asked: most) {
        let isSet: Void? = bestEffort("set the limit \(resource) of container-init to \(wanted.soft):\(wanted.hard)") {
          try ProcessLimits.set(resource, of: pid, soft: wanted.soft, hard: wanted.hard)
        }
        guard isSet != nil else { continue }
        present = wanted
        break
      }
      guard resource != fileSize || present.soft >= own.soft else {
        throw ExecutorFailure(
          .failed, "the engine lets no process of a container write files above \(present.soft) bytes, logs included",
          hint: "the executor lacks CAP_SYS_RESOURCE to lift that for the logs; see `dockerd --default-ulimit`")
      }
    }
  }

  /// What to set, best first; nothing that takes from what is there. What is asked for may be more than the kernel gives
  /// anybody (fs.nr_open), and another hard limit more than it gives us.
  package static func attempts(_ present: Pair, _ own: Pair, asked: UInt64?) -> [Pair] {
    let soft = max(present.soft, own.soft)
    let standard = max(present.hard, own.hard)
    return [max(standard, asked ?? 0), standard, present.hard].map { hard in (min(soft, hard), hard) }
      .filter { $0 != present }
  }
}
