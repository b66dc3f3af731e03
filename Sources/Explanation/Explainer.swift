import ContainerInit
import LinuxKernel
import TaskModel

/// Explains a task: a function of what is known of it.
package enum Explainer {
  package static func explain(_ known: TaskEvidence) -> Explanation {
    guard let verdict = known.verdict else { return notDecided(known) }
    var explanation = known.hasEnded ? decided(known, verdict) : ending(known, verdict)
    explanation.evidence += verdict.notes.prefix(mostNotes).map { "Also: \(printable($0.utf8))" }
    if verdict.notes.count > mostNotes {
      explanation.evidence.append("\(verdict.notes.count - mostNotes) more notes are in its result")
    }
    explanation.evidence += known.oddLogs
    if known.lacksResult {
      explanation.evidence.append("Its result.json is missing or damaged: this is from its journal")
    }
    explanation.others = OtherProcesses.sentences(known)
    return explanation
  }

  private static let mostNotes = 8

  private static func decided(_ known: TaskEvidence, _ verdict: Verdict) -> Explanation {
    var explanation = Explanation(
      taskID: known.taskID, state: known.state, reason: verdict.reason, decider: verdict.decider, kind: .other,
      cause: printable(firstLine(verdict.message)))
    func say(_ kind: Explanation.Kind, _ cause: String? = nil, _ evidence: [String] = [], next: [String] = []) {
      explanation.kind = kind
      if let cause { explanation.cause = cause }
      explanation.evidence = evidence
      explanation.next = next
    }
    switch (verdict.state, verdict.reason) {
    case (.finished, _): say(.finished, "every process that counts has done its work")
    case (.killed, Reason.killedDuringLaunch?): say(.stopped)
    case (.killed, _):
      let isWell = !known.processes.contains { $0.state == .failed }
      say(.stopped, nil, isWell ? ["Nothing had failed by then"] : [], next: stopAdvice(verdict.stopOrigin))
    case (.lost, _):
      say(
        .lost, nil, ["What became of its processes cannot be known, so it is called neither finished nor failed"],
        next: ["look at the kernel's log and at what else happened on the host then", "run the task again"])
    case (_, Reason.disk?):
      let limit = known.task.resources.map { Quantity.bytes(UInt64(clamping: $0.disk)) } ?? "?"
      say(
        .disk, nil,
        ["Counted are the sandbox and what the container writes elsewhere, volumes are not"],
        next: [
          "let the task remove what it does not need any more", "raise resources.disk above \(limit)",
          "see what is left with `du -ah <sandbox> | sort -h | tail`",
        ])
    case (_, Reason.health?) where verdict.decider == nil: health(known, &explanation)
    case (_, Reason.maxCompletionTime?):
      say(.timeLimit, nil, next: ["raise max_completion_time, or see what took so long"] + logs(known, nil))
    case (_, Reason.launchFailed?):
      say(
        .launchFailed, nil, ["No process of it was started"] + initWords(known), next: verdict.hint.map { [$0] } ?? [])
    case (_, Reason.invalid?): say(.deadlock, nil, next: ["correct the order constraints: they lead in a circle"])
    default:
      if verdict.decider != nil { run(known, &explanation) }
    }
    return explanation
  }

  // MARK: By cause

  private static func run(_ known: TaskEvidence, _ explanation: inout Explanation) {
    guard let decider = known.verdict?.decider, let outcome = known.decidingRun?.outcome else { return }
    let cause = RunCause(outcome, known)
    explanation.kind = cause.kind
    explanation.cause = "process \(printable(decider.process.utf8)) run \(decider.run) \(cause.text)"
    var evidence = cause.evidence
    let isSilent = known.stderr.isEmpty && !known.hasOutput
    evidence += lastWords(known).map { [$0] } ?? (isSilent ? ["It wrote nothing"] : [])
    evidence += retries(known, decider.process).map { [$0] } ?? []
    explanation.evidence = evidence
    explanation.next = cause.next
    guard !isSilent else { return }
    explanation.next += logs(known, decider)
  }

  private static func health(_ known: TaskEvidence, _ explanation: inout Explanation) {
    explanation.kind = .health
    explanation.evidence = known.checkWords(of: nil)
    explanation.next = known.checkAdvice(known.task.healthCheck) + logs(known, nil)
  }

  /// The end of what the run wrote to stderr.
  private static func lastWords(_ known: TaskEvidence) -> String? {
    let lines = known.stderr.suffix(2)
    guard !lines.isEmpty else { return nil }
    return "Its last words on stderr: \"" + lines.map(brief).joined(separator: " / ") + "\""
  }

  private static func retries(_ known: TaskEvidence, _ name: String) -> String? {
    guard let runs = known.processes.first(where: { $0.name == name })?.runs,
      let definition = known.task.processes.first(where: { $0.name == name })
    else { return nil }
    let failures = runs.filter { $0.state == .failed }
    guard failures.count > 1 else { return nil }
    let ends = failures.suffix(5).map { $0.outcome?.textWithHint ?? "unknown" }
    let same = Set(ends).count == 1 ? "each with \(ends[0])" : "the last with " + ends.joined(separator: ", ")
    if definition.maxFailures > 0, failures.count >= definition.maxFailures {
      return "It was tried \(definition.maxFailures) times, as often as its max_failures allows, \(same)"
    }
    return "It failed \(failures.count) times, \(same)"
  }

  private static func initWords(_ known: TaskEvidence) -> [String] {
    let lines = known.initLog.split(separator: UInt8(ascii: "\n"))
    return lines.last.map { ["container-init's last words: \"\(brief(Array($0)))\""] } ?? []
  }

  private static func stopAdvice(_ origin: StopOrigin?) -> [String] {
    origin == .container
      ? ["`docker events` tells who stopped the container, if it was a Docker task"] : []
  }

  // MARK: Not ended

  private static func ending(_ known: TaskEvidence, _ verdict: Verdict) -> Explanation {
    var explanation = decided(known, verdict)
    explanation.kind = known.hasExecutor ? .ending : .abandoned
    explanation.cause = "it is ending, because: " + explanation.cause
    let live = known.processes.filter { $0.state == .running || $0.state == .forked }.map(\.name)
    if !live.isEmpty { explanation.evidence.append("It waits for \(OtherProcesses.names(live)) to end") }
    if !known.hasExecutor { abandon(known, &explanation) }
    return explanation
  }

  private static func notDecided(_ known: TaskEvidence) -> Explanation {
    var explanation = Explanation(taskID: known.taskID, state: known.state, kind: .running, cause: "")
    let live = known.processes.filter { $0.state == .running || $0.state == .forked }
    if known.phase == .starting {
      explanation.cause =
        known.state == TaskState.staging.rawValue && known.image != nil
        ? "its image is made ready" : "its container is set up"
    } else if live.isEmpty {
      explanation.cause = "no process runs at the moment"
    } else {
      explanation.cause = "it waits for \(OtherProcesses.names(live.map(\.name))) to end"
    }
    explanation.others = OtherProcesses.sentences(known)
    if !known.hasExecutor { abandon(known, &explanation) }
    return explanation
  }

  private static func abandon(_ known: TaskEvidence, _ explanation: inout Explanation) {
    explanation.kind = .abandoned
    switch known.hasContainer {
    case true?: explanation.evidence.append("Its executor is gone; its processes go on without it")
    case false?: explanation.evidence.append("Its executor is gone, and so is its container")
    case nil: explanation.evidence.append("Its executor is gone")
    }
    let remedy =
      known.hasContainer == false
      ? "ends it, removes what it left and says how it ended; so does `sweep`" : "goes on with it"
    explanation.next = command(known, "recover").map { ["`\($0)` \(remedy)"] } ?? []
  }

  // MARK: Small things

  /// The command that shows everything a run wrote, where a terminal can show it as it is to be typed.
  private static func logs(_ known: TaskEvidence, _ run: RunReference?) -> [String] {
    guard let command = command(known, "logs") else { return [] }
    guard let run else { return ["`\(command)` shows what its processes wrote"] }
    guard let process = quoted(run.process) else { return [] }
    let stream = known.stderr.isEmpty && known.hasOutput ? "" : " --stderr"
    return ["`\(command) --process \(process) --run \(run.run)\(stream)` shows all that it wrote"]
  }

  private static func command(_ known: TaskEvidence, _ name: String) -> String? {
    guard let directory = known.workDirectory else { return "aurora-executor \(name) \(known.taskID)" }
    return quoted(directory).map { "aurora-executor \(name) \(known.taskID) --work-dir \($0)" }
  }

  /// As a shell takes it for one word; `nil` when it cannot be shown as it is.
  private static func quoted(_ word: String) -> String? {
    let isPlain = word.utf8.allSatisfy {
      (0x30...0x39).contains($0) || (0x41...0x5a).contains($0) || (0x61...0x7a).contains($0) || "_.-/".utf8.contains($0)
    }
    if isPlain, !word.isEmpty { return word }
    guard printable(word.utf8).utf8.elementsEqual(word.utf8) else { return nil }
    let parts = word.utf8.split(separator: UInt8(ascii: "'"), omittingEmptySubsequences: false)
    return "'" + parts.map { String(decoding: Array($0), as: UTF8.self) }.joined(separator: #"'\''"#) + "'"
  }

  private static func firstLine(_ text: String) -> [UInt8] { Array(text.utf8.prefix { $0 != UInt8(ascii: "\n") }) }

  package static func brief(_ line: [UInt8]) -> String {
    let trimmed = line.last == 0x0a ? Array(line.dropLast()) : line
    return printable(trimmed.prefix(300)) + (trimmed.count > 300 ? "…" : "")
  }
}

extension TaskEvidence {
  /// What the last failed checks came back with, of a process or of the task.
  func checkWords(of process: String?) -> [String] {
    health.filter { $0.process == process && $0.hasFailed && !$0.output.isEmpty }.suffix(3)
      .map { "A check said: \"\(Explainer.brief(Array($0.output.utf8)))\"" }
  }

  func checkAdvice(_ check: HealthCheck?) -> [String] {
    guard let check else { return [] }
    let how =
      switch check.probe {
      case .http(let port, let endpoint, _, _): "`curl -i http://127.0.0.1:\(port)\(printable(endpoint.utf8))`"
      case .tcp(let port): "a connection to port \(port)"
      case .shell(let command): "`\(printable(command.utf8))`"
      }
    return [
      "try the check by hand inside the container while the task runs: \(how)",
      "raise initial_interval_secs (\(Quantity.seconds(check.initialInterval))) if it was still starting",
    ]
  }

  var programHead: ProgramHead? { if case .present(let head) = program { head } else { nil } }
}
