import StrictJSON
import TaskModel

/// Why a task ended as it did, or what it is at: for people as one paragraph, for programs as JSON.
package struct Explanation: Equatable {
  enum Kind: String, CaseIterable {
    case finished, stopped, running, ending, abandoned, lost
    case exitStatus = "exit_status"
    case commandNotFound = "command_not_found"
    case notExecutable = "not_executable"
    case missingInterpreter = "missing_interpreter"
    case wrongArchitecture = "wrong_architecture"
    case cannotStart = "cannot_start"
    case signal
    case childSignal = "child_signal"
    case outOfMemory = "out_of_memory"
    case disk, health
    case timeLimit = "time_limit"
    case launchFailed = "launch_failed"
    case deadlock
    case other
  }

  var taskID: String
  var state: String
  var reason: String?
  /// The run that decided it.
  var decider: RunReference?
  var kind: Kind
  /// A clause: `process web run 2 was killed by SIGSEGV`.
  var cause: String
  /// Sentences.
  var evidence: [String] = []
  /// What became of the other processes; sentences.
  var others: [String] = []
  /// What to try; clauses.
  var next: [String] = []

  package var text: String {
    let verb =
      switch state {
      case TaskState.finished.rawValue: "finished"
      case TaskState.failed.rawValue: "failed"
      case TaskState.killed.rawValue: "was killed"
      case TaskState.lost.rawValue: "was lost"
      default: "has not ended (\(state))"
      }
    var sentences = ["\(taskID) \(verb): \(cause)"] + evidence + others
    if !next.isEmpty { sentences.append("What to try: " + next.joined(separator: "; ")) }
    return sentences.map(Explanation.sentence).joined(separator: " ")
  }

  private static func sentence(_ text: String) -> String {
    guard let last = text.utf8.last else { return text }
    return [UInt8(ascii: "."), UInt8(ascii: "?"), UInt8(ascii: "!")].contains(last) ? text : text + "."
  }

  package var json: JSON {
    func list(_ texts: [String]) -> JSON? { texts.isEmpty ? nil : JSON(texts.map { JSON($0) }) }
    return JSON(object: [
      ("schema_version", 1), ("task_id", JSON(taskID)), ("state", JSON(state)), ("reason", reason.map { JSON($0) }),
      ("decider", decider.map { JSON(object: [("process", JSON($0.process)), ("run", JSON($0.run))]) }),
      ("cause", JSON(object: [("kind", JSON(kind.rawValue)), ("text", JSON(cause))])),
      ("evidence", list(evidence)), ("others", list(others)), ("next", list(next)), ("text", JSON(text)),
    ])
  }
}
