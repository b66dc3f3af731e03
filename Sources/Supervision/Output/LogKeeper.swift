import Glibc
import LinuxKernel
import TaskModel
import TaskStore

/// Holds a task to its ceiling. What the logs of an ended run take is looked up once, and nothing is while no run could go.
final class LogKeeper {
  /// What a stream of a run that is started may take.
  let bound: LogBound
  private let ceiling: LogCeiling
  private let tree: LogTree
  private let complaints = Complaints()
  private let timer: TimerDescriptor
  private var sizes: [RunReference: UInt64] = [:]
  private var removed: [(process: String, run: Int)]
  private var gone: Set<RunReference>
  /// Where looking costs, it is not done for more than a tenth of the time.
  private var notBefore: UInt64 = 0
  private static let cheap: UInt64 = 2_000_000
  private var isTimed = false
  private static let second: UInt64 = 1_000_000_000
  /// What is taken for the most that all runs together write in a second.
  private static let speed: UInt64 = 256 << 20

  private final class Complaints {
    var all: [String] = []
    /// How many of them.
    var told = 0
  }

  /// - Parameter removed: what another executor has removed.
  init(
    _ ceiling: LogCeiling, _ processes: [ProcessDefinition], _ paths: TaskPaths, removed: [RunReference]
  ) throws(Errno) {
    self.ceiling = ceiling
    tree = try LogTree(paths.logs) { [complaints] in complaints.all.append($0) }
    bound = LogBound(ceiling: ceiling.asked, processes)
    timer = try TimerDescriptor()
    self.removed = removed.map { ($0.process, $0.run) }
    gone = Set(removed)
  }

  var notes: [String] { ceiling.note(removed) + complaints.all }

  /// What among the logs is none of ours, each once.
  func takeWarnings() -> [String] {
    defer { complaints.told = complaints.all.count }
    return Array(complaints.all.dropFirst(complaints.told))
  }

  /// Readable when it is time for `makeRoom`.
  var descriptor: Int32 { timer.descriptor.rawValue }

  /// Removes what is too much; returns the runs whose logs it was.
  func makeRoom(_ processes: [ProcessRecord], _ definitions: [String: ProcessDefinition]) -> [RunReference] {
    let began = Clock.now
    guard processes.contains(where: { $0.runs.count > 1 }) else { return [] }
    guard began >= notBefore else {
      if !isTimed { setTimer(notBefore) }
      return []
    }
    var runs: [LogCeiling.Run] = []
    for process in processes where definitions[process.name]?.keepsLog ?? true {
      for run in process.runs {
        let reference = RunReference(process: process.name, run: run.number)
        guard run.forkedAt != nil, !gone.contains(reference) else { continue }
        let endedAt = run.state.isTerminal ? run.endedAt ?? 0 : nil
        runs.append(.init(process: process.name, number: run.number, endedAt: endedAt, bytes: size(reference, endedAt)))
      }
    }
    let cost = Clock.now - began
    if cost > LogKeeper.cheap { notBefore = Clock.now + 9 * cost }
    var done: [RunReference] = []
    for run in ceiling.surplus(runs) {
      let reference = RunReference(process: run.process, run: run.number)
      guard tree.remove(run.process, run.number) else { continue }
      sizes[reference] = nil
      gone.insert(reference)
      removed.append((run.process, run.number))
      done.append(reference)
    }
    let left = done.isEmpty ? runs : runs.filter { !gone.contains(RunReference(process: $0.process, run: $0.number)) }
    setTimer(nextLook(left).map { max($0, notBefore) })
    return done
  }

  /// Runs that live write on, and those that are over make room for them: looked at again when the ceiling may be reached.
  private func nextLook(_ runs: [LogCeiling.Run]) -> UInt64? {
    guard runs.contains(where: { $0.endedAt == nil }), ceiling.hasSpare(runs) else { return nil }
    let sum = runs.reduce(0 as UInt64) { $0 + min($1.bytes, 1 << 50) }
    let seconds = min(max(1, (ceiling.bytes - min(sum, ceiling.bytes)) / LogKeeper.speed), 60)
    return Clock.now + seconds * LogKeeper.second
  }

  private func setTimer(_ instant: UInt64?) {
    // Also takes an expiry that nobody has read.
    bestEffort("set the timer of the logs' ceiling") { try timer.set(instant) }
    isTimed = instant != nil
  }

  private func size(_ run: RunReference, _ endedAt: UInt64?) -> UInt64 {
    if let known = sizes[run] { return known }
    var bytes: UInt64 = 0
    if let directory = tree.run(run.process, run.run) {
      let number = directory.rawValue
      bestEffort("measure the logs of \(run.process) run \(run.run)") {
        try forEachEntry(of: number) { name, _ in
          bytes += ((try? status(of: name, at: number))?.blocks ?? 0) * 512
          return true
        }
      }
    }
    // A run that lives writes on.
    if endedAt != nil { sizes[run] = bytes }
    return bytes
  }
}
