import DockerEngineClient
import LinuxKernel

/// Removes containers of ours with their anonymous volumes, as far as the engine lets us, and says what stays.
struct DockerRemoval {
  let engine: DockerEngine
  /// What tells a container of ours from everybody else's.
  let owner: DockerOwnership
  /// Only ends them, for somebody to look at what is left.
  let keeps: Bool
  /// The engine may be making one that it has not told of.
  let isUncertain: Bool
  /// There may be more than the one that is known.
  let looksFurther: Bool

  /// What an engine is given for all of it, in nanoseconds: the end of a task waits no longer.
  static let timeout: UInt64 = 15_000_000_000
  /// Of that, for one that is away to come back.
  private static let absence: UInt64 = 10_000_000_000
  /// What an engine that works needs for a list many times over.
  private static let listing: UInt64 = 10_000_000_000

  /// How long one that may be in the making is looked for.
  private static let appearance: UInt64 = 3_000_000_000

  /// Removes every container of ours.
  /// - Parameter known: the one there is as far as anybody knows; mostly nothing is looked for when it can be removed.
  func run(_ known: ContainerID? = nil) -> [String] {
    // The end of a task is not for a further signal to cut short.
    engine.interrupt = nil
    let start = Clock.now
    var known = known
    var delay: Int32 = 50
    var problem = ""
    while true {
      do throws(DockerEngineError) {
        var kept: [String] = []
        if let known {
          kept = [try end(known, since: start)].compactMap { $0 }
          guard looksFurther else { return kept }
        }
        let listed = try engine.beginList(filters: ["label": owner.labels])
        let all = try listed.finish(within: left(start, DockerRemoval.listing))
          .filter { owner.holds($0) && $0.id != known }
        for container in all { if let note = try end(container.id, since: start) { kept.append(note) } }
        if !isUncertain || !all.isEmpty { return kept }
        guard Clock.now < start + DockerRemoval.appearance else { return [DockerRemoval.unseen] }
      } catch {
        problem = error.description
        // A hung engine has had its time.
        if case .timeout = error.kind { break }
        known = nil
      }
      guard Clock.now < start + DockerRemoval.absence else { break }
      CurrentProcess.pause(milliseconds: delay)
      delay = min(delay * 2, 1000)
    }
    return [
      "a container of this task may be left at the Docker engine: \(problem); "
        + "`aurora-executor sweep` removes it when the engine works again"
    ]
  }

  private static let unseen =
    "a container of this task may be left at the Docker engine, which has not said whether it made one; "
    + "`aurora-executor sweep` removes it"

  /// What is left of the time, at most `limit`.
  private func left(_ start: UInt64, _ limit: UInt64 = .max) -> Duration {
    .nanoseconds(Int64(min(limit, start + DockerRemoval.timeout - min(Clock.now, start + DockerRemoval.timeout))))
  }

  /// Removes or ends one container, and says what is kept.
  private func end(_ id: ContainerID, since start: UInt64) throws(DockerEngineError) -> String? {
    do throws(DockerEngineError) {
      guard keeps else {
        try engine.beginRemove(id, force: true, volumes: true).finish(within: left(start))
        return nil
      }
      if try engine.beginInspect(id).finish(within: left(start)).state.running {
        try engine.beginKill(id).finish(within: left(start))
        _ = try engine.beginWait(id).finish(within: left(start))
      }
      return "the container \(id.short) is kept as it ended; `aurora-executor sweep` removes it"
    } catch  where error.status == 404 {
      // Gone meanwhile: that is what was wanted, or somebody else's doing.
      return nil
    } catch  where error.status == 409 && keeps {
      // It has ended between the question and the signal.
      return "the container \(id.short) is kept as it ended; `aurora-executor sweep` removes it"
    }
  }
}
