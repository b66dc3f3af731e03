import TaskModel

/// What the logs of all runs of a task may take together: those of the oldest ended runs are removed for the others.
///
/// The newest run of each process keeps its logs: `LogBound` has it that those fit. The last run that has ended before it
/// stays as long as anything else can go: of a process that keeps crashing, the run before matters most.
package struct LogCeiling {
  /// A run of which there are logs.
  package struct Run: Equatable {
    package let process: String
    package let number: Int
    /// Nil while it has not ended.
    package let endedAt: UInt64?
    package let bytes: UInt64

    package init(process: String, number: Int, endedAt: UInt64?, bytes: UInt64) {
      self.process = process
      self.number = number
      self.endedAt = endedAt
      self.bytes = bytes
    }
  }

  /// What the settings say.
  package let asked: UInt64
  /// What runs that are over and not the last make room for.
  package let bytes: UInt64

  /// - Parameters:
  ///   - asked: what the settings say.
  ///   - disk: the task's limit of disk: at most half of it, so that logs that could be removed do not end the task.
  package init(asked: UInt64, disk: UInt64?) {
    self.asked = asked
    bytes = min(asked, disk.map { $0 / 2 } ?? .max)
  }

  /// Without an operator's word.
  package static let standard: UInt64 = 10 << 30

  /// The runs whose logs go, the one that ended first first.
  package func surplus(_ runs: [Run]) -> [Run] {
    var sum = runs.reduce(0 as UInt64) { $0 + min($1.bytes, 1 << 50) }
    guard sum > bytes else { return [] }
    var (newest, lastEnd): ([[UInt8]: Int], [[UInt8]: Int]) = ([:], [:])
    for run in runs {
      let name = Array(run.process.utf8)
      newest[name] = max(newest[name] ?? 0, run.number)
      if run.endedAt != nil { lastEnd[name] = max(lastEnd[name] ?? 0, run.number) }
    }
    func isLastEnd(_ run: Run) -> Bool { run.number == lastEnd[Array(run.process.utf8)] }
    let ended = runs.filter { $0.endedAt != nil }
      .sorted { ($0.endedAt ?? 0, $0.number) < ($1.endedAt ?? 0, $1.number) }
    var surplus: [Run] = []
    for run in ended where !isLastEnd(run) && sum > bytes {
      sum -= run.bytes
      surplus.append(run)
    }
    for run in ended where isLastEnd(run) && run.number < newest[Array(run.process.utf8)] ?? 0 && sum > asked {
      sum -= run.bytes
      surplus.append(run)
    }
    return surplus
  }

  /// Whether any run has logs that could go.
  package func hasSpare(_ runs: [Run]) -> Bool { !LogCeiling(asked: 0, disk: nil).surplus(runs).isEmpty }

  /// For the result: `logs of web runs 0 to 7 were removed: …`.
  package func note(_ removed: [(process: String, run: Int)]) -> [String] {
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
