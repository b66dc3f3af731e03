import Glibc
import LinuxKernel
import TaskModel

/// What the logs of all runs of a task may take together: those of the oldest ended runs are removed for the others.
///
/// A run that lives keeps its logs, and so do the last run of each process that has ended and what comes after it: of a
/// process that keeps crashing, the run before matters most. The bounds on what these write are those of rotation, and the
/// task's limit of disk.
struct LogCeiling {
  /// A run of which there are logs.
  struct Run: Equatable {
    let process: String
    let number: Int
    /// Nil while it has not ended.
    let endedAt: UInt64?
    let bytes: UInt64
  }

  let bytes: UInt64

  /// - Parameters:
  ///   - asked: what the settings say.
  ///   - disk: the task's limit of disk: at most half of it, so that logs that could be removed do not end the task.
  init(asked: UInt64, disk: UInt64?) { bytes = min(asked, disk.map { $0 / 2 } ?? .max) }

  /// Without an operator's word.
  static let standard: UInt64 = 10 << 30

  /// The runs whose logs go, the one that ended first first.
  func surplus(_ runs: [Run]) -> [Run] {
    var sum = runs.reduce(0 as UInt64) { $0 + min($1.bytes, 1 << 50) }
    guard sum > bytes else { return [] }
    var last: [[UInt8]: Int] = [:]
    for run in runs where run.endedAt != nil {
      last[Array(run.process.utf8)] = max(last[Array(run.process.utf8)] ?? 0, run.number)
    }
    var surplus: [Run] = []
    let candidates = runs.filter { $0.endedAt != nil && $0.number < last[Array($0.process.utf8)] ?? 0 }
    for run in candidates.sorted(by: { ($0.endedAt ?? 0, $0.number) < ($1.endedAt ?? 0, $1.number) }) {
      guard sum > bytes else { break }
      sum -= run.bytes
      surplus.append(run)
    }
    return surplus
  }

  /// For the result: `logs of web runs 0 to 7 were removed: …`.
  func note(_ removed: [(process: String, run: Int)]) -> [String] {
    var names: [String] = []
    var runs: [[UInt8]: [Int]] = [:]
    for (process, run) in removed {
      let key = Array(process.utf8)
      if runs[key] == nil { names.append(process) }
      runs[key, default: []].append(run)
    }
    return names.map { name in
      let all = (runs[Array(name.utf8)] ?? []).sorted()
      var pieces: [ClosedRange<Int>] = []
      for run in all {
        if let end = pieces.last, run <= end.upperBound + 1 {
          pieces[pieces.count - 1] = end.lowerBound...max(end.upperBound, run)
        } else {
          pieces.append(run...run)
        }
      }
      let text = pieces.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound) to \($0.upperBound)" }
      return
        "logs of \(name) run\(all.count == 1 ? "" : "s") \(text.joined(separator: ", ")) were removed: the logs of all "
        + "runs may take \(Quantity.bytes(bytes))"
    }
  }
}

/// Holds a task to its ceiling. What the logs of an ended run take is looked up once, and nothing is while no run could go.
final class LogKeeper {
  private let ceiling: LogCeiling
  private let paths: TaskPaths
  private var sizes: [RunReference: UInt64] = [:]
  private var removed: [(process: String, run: Int)]
  private var gone: Set<RunReference>
  /// Where looking costs, it is not done for more than a tenth of the time.
  private var notBefore: UInt64 = 0
  private static let cheap: UInt64 = 2_000_000

  /// - Parameter removed: what another executor has removed.
  init(_ ceiling: LogCeiling, _ paths: TaskPaths, removed: [RunReference]) {
    (self.ceiling, self.paths) = (ceiling, paths)
    self.removed = removed.map { ($0.process, $0.run) }
    gone = Set(removed)
  }

  var notes: [String] { ceiling.note(removed) }

  /// Removes what is too much; returns the runs whose logs it was.
  func makeRoom(_ processes: [ProcessRecord], _ definitions: [String: ProcessDefinition]) -> [RunReference] {
    let began = Clock.now
    guard began >= notBefore, processes.contains(where: hasSpare) else { return [] }
    var runs: [LogCeiling.Run] = []
    for process in processes where writesFiles(definitions[process.name]) {
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
      guard (try? removeTree(paths.logs(run.process, run.number))) != nil else { continue }
      sizes[reference] = nil
      gone.insert(reference)
      removed.append((run.process, run.number))
      done.append(reference)
    }
    return done
  }

  /// Whether it has an ended run besides the last one.
  private func hasSpare(_ process: ProcessRecord) -> Bool { process.runs.count > 1 && process.runs[1].state.isTerminal }

  private func writesFiles(_ process: ProcessDefinition?) -> Bool {
    ![.console, .none].contains(process?.logger?.destination ?? .file)
  }

  private func size(_ run: RunReference, _ endedAt: UInt64?) -> UInt64 {
    if let known = sizes[run] { return known }
    var bytes: UInt64 = 0
    if let directory = try? openFile(paths.logs(run.process, run.run), O_RDONLY | O_DIRECTORY | O_NOFOLLOW) {
      let number = directory.rawValue
      try? forEachEntry(of: number) { name, _ in
        bytes += ((try? status(of: name, at: number))?.blocks ?? 0) * 512
        return true
      }
    }
    // A run that lives writes on.
    if endedAt != nil { sizes[run] = bytes }
    return bytes
  }
}
