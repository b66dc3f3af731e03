import LinuxKernel
import TaskModel

/// What became of the processes beside the one that decided.
enum OtherProcesses {
  static func sentences(_ known: TaskEvidence) -> [String] {
    let others = known.processes.filter { $0.name != known.verdict?.decider?.process }
    let finals = Set(known.task.processes.filter(\.isFinal).map(\.name))
    func named(_ matching: (ProcessRecord) -> Bool) -> [String] { others.filter(matching).map(\.name) }
    var sentences: [String] = []
    func say(_ names: [String], _ what: String) {
      if !names.isEmpty { sentences.append("\(Self.names(names)) \(what)") }
    }
    say(named { $0.state == .success }, "finished well")
    for process in others where process.state == .failed && !isNoted(process, known) {
      let end = process.runs.last?.outcome?.textWithHint ?? "for a reason that is not known"
      let runs = process.runs.count > 1 ? " in the last of \(process.runs.count) runs" : ""
      sentences.append("\(quoted(process.name)) failed\(runs): \(printable(end.utf8))")
      if sentences.count > 8 { break }
    }
    say(named { $0.state == .killed }, "ended with the task, by the executor's own signals")
    say(named { $0.state == .lost }, "cannot be known about")
    if known.verdict != nil { say(named { $0.state == .running || $0.state == .forked }, "still running") }
    let unstarted = others.filter { $0.runs.isEmpty || $0.state == .waiting }
    var reasons: [(why: String, names: [String])] = []
    for process in unstarted {
      let why = finals.contains(process.name) ? nil : waitsFor(process.name, known)
      let text =
        why.map { known.verdict == nil ? "waits for \($0)" : "never started, because it waits for \($0)" }
        ?? (known.verdict == nil
          ? (finals.contains(process.name) ? "runs when the others have ended" : "waits for its turn")
          : "was never started")
      if let index = reasons.firstIndex(where: { $0.why == text }) {
        reasons[index].names.append(process.name)
      } else {
        reasons.append((text, [process.name]))
      }
    }
    for reason in reasons.prefix(8) { say(reason.names, reason.why) }
    return sentences
  }

  /// Whether the verdict's notes tell of its last run.
  private static func isNoted(_ process: ProcessRecord, _ known: TaskEvidence) -> Bool {
    guard known.verdict != nil, let last = process.runs.last else { return false }
    return known.notedRuns.contains(RunReference(process: process.name, run: last.number))
  }

  /// What other processes must come to before this one, as far as they have not.
  private static func waitsFor(_ name: String, _ known: TaskEvidence) -> String? {
    var earlier = known.task.processes.first { $0.name == name }?.after ?? []
    for order in known.task.orders {
      for (first, second) in zip(order, order.dropFirst()) where second == name { earlier.append(Prerequisite(first)) }
    }
    let missing = earlier.filter { !isMet($0, known) }.map { prerequisite in
      switch prerequisite.condition {
      case .finished: quoted(prerequisite.process)
      case .started: "\(quoted(prerequisite.process)) to start"
      case .healthy: "\(quoted(prerequisite.process)) to be healthy"
      }
    }
    return missing.isEmpty ? nil : list(missing)
  }

  private static func isMet(_ prerequisite: Prerequisite, _ known: TaskEvidence) -> Bool {
    let process = known.processes.first { $0.name == prerequisite.process }
    return switch prerequisite.condition {
    case .finished: process?.state == .success
    case .started: process?.runs.contains { $0.startedAt != nil } == true
    // Whoever waits for that and has not started waits for that.
    case .healthy: false
    }
  }

  /// `a, b and c`; at most five of them.
  static func names(_ all: [String]) -> String { list(all.map(quoted)) }

  private static func list(_ all: [String]) -> String {
    let shown = all.prefix(5)
    let rest = all.count - shown.count
    if rest > 0 { return shown.joined(separator: ", ") + " and \(rest) more" }
    guard let last = shown.last, shown.count > 1 else { return shown.first ?? "" }
    return shown.dropLast().joined(separator: ", ") + " and " + last
  }

  private static func quoted(_ name: String) -> String { "`\(printable(name.utf8))`" }
}
