import Containers
import LaunchModel
import LinuxKernel
import TaskModel

/// Says how a run ended, from what the kernel and init say of it.
///
/// A counter of the container's cgroup says that something in it was killed for want of memory, and not what or when. The kernel's
/// log does; a run fails because of a kill only where that was shortly before.
struct OutcomeJudge {
  /// What a run that lost a child has to end in, to clean up after it.
  static let window: UInt64 = 10_000_000_000

  private let definitions: [String: ProcessDefinition]
  /// Kills that ends so far account for.
  private(set) var knownKills: UInt64

  init(_ processes: [ProcessDefinition], knownKills: UInt64) {
    definitions = Dictionary(processes.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    self.knownKills = knownKills
  }

  /// - Parameters:
  ///   - killCount: of the container, after the end, as is its use; asked only where it matters.
  ///   - kills: times of the kills in the container by the clock of the record; `nil` where the kernel's log cannot be read. Asked
  ///     only where it matters.
  mutating func outcome(
    of record: ExitRecord, killCount: UInt64?, usage: () -> ContainerUsage, kills: () -> [UInt64]?
  ) -> RunOutcome {
    if let failure = record.startFailure { return failure.outcome }
    let count = killCount ?? 0
    // Also after a success: a kill that it survived is not the reason of a later failure.
    defer { knownKills = max(knownKills, count) }
    let outcome = ExitStatus(waitStatus: record.waitStatus).outcome
    guard count > knownKills, !isSuccess(outcome, record.key.process) else { return outcome }
    // Without the log there is nothing better than the counter.
    if let kills = kills(), !kills.contains(where: { isShortly($0, before: record.bootTime) }) { return outcome }
    let usage = usage()
    let (limit, peak) = (usage.memoryLimitBytes ?? 0, usage.memoryPeakBytes ?? 0)
    return switch outcome {
    case .exited(let code): .outOfMemory(signal: nil, exitCode: code, limitBytes: limit, peakBytes: peak)
    case .signaled(let signal): .outOfMemory(signal: signal, exitCode: nil, limitBytes: limit, peakBytes: peak)
    default: outcome
    }
  }

  private func isSuccess(_ outcome: RunOutcome, _ process: String) -> Bool {
    definitions[process].map { outcome.isSuccess(of: $0) } ?? (outcome == .exited(0))
  }

  /// The clocks differ by milliseconds.
  private func isShortly(_ kill: UInt64, before end: UInt64) -> Bool {
    kill <= end + 1_000_000_000 && end <= kill + OutcomeJudge.window
  }
}

extension Container {
  /// Kills in it for want of memory, by the clock that counts suspended time; `nil` where the log cannot be read.
  package func outOfMemoryKills() -> [OutOfMemoryKill]? {
    let suspended = Clock.now &- Clock.monotonic
    return KernelLog.outOfMemoryKills()?.filter { hasMemoryCgroup($0.cgroup) }
      .map { OutOfMemoryKill(pid: $0.pid, cgroup: $0.cgroup, time: $0.time &+ suspended) }
  }

  /// Whether its init, which has just ended, was killed for want of memory, as the kernel's log has it; where that cannot be
  /// read, as the engine says. The log has pids of the initial pid namespace: to who is in another, the time says it.
  func wasInitKilledForMemory(_ words: LastWords) -> Bool {
    guard initSharesMemory else { return false }
    guard let kills = outOfMemoryKills() else { return words.isOutOfMemory }
    let now = Clock.now
    return kills.contains {
      KernelLog.hasOwnPIDs ? $0.pid == initPID : words.isOutOfMemory && $0.time + 5_000_000_000 > now
    }
  }
}
