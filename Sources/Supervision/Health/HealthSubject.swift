import LinuxKernel
import StrictJSON
import TaskModel

/// Whose health is asked for: the task's, or that of one run of a process. With the count so far and the last checks.
final class HealthSubject {
  /// One check that was made.
  struct Entry {
    var wall: UInt64
    var milliseconds: UInt64
    var finding: HealthVerdict.Finding
  }

  /// `nil` for the task as a whole.
  let run: RunReference?
  let check: HealthCheck
  var counter: HealthCounter
  /// When the next check is due; `nil` while one is under way.
  var dueAt: UInt64?
  /// The check that is under way.
  var probe: ContainerProbes.Token?
  /// Whether nothing is asked any more: the run has ended, or the task ends.
  private(set) var isOver = false
  /// The newest last.
  private(set) var entries: [Entry] = []

  private static let kept = 10

  init(_ run: RunReference?, _ check: HealthCheck, isHealthy: Bool) {
    self.run = run
    self.check = check
    counter = HealthCounter(check, isRunning: isHealthy)
  }

  /// By which it is known: the bytes of the process's name, empty for the task.
  var key: [UInt8] { run.map { Array($0.process.utf8) } ?? [] }

  func end() {
    isOver = true
    dueAt = nil
    probe = nil
  }

  /// Takes down that the checks pause, once a pause; true when it is news.
  func snooze(wall: UInt64) -> Bool {
    if entries.last?.finding.outcome == .snoozed { return false }
    counter.record(.snoozed)
    add(Entry(wall: wall, milliseconds: 0, finding: .init(outcome: .snoozed, output: "")))
    return true
  }

  func add(_ entry: Entry) {
    if entries.count == Self.kept { entries.removeFirst() }
    entries.append(entry)
  }

  /// As `health.json` and `status` have it.
  var json: JSON {
    JSON(object: [
      ("process", run.map { JSON($0.process) }), ("run", run.map { JSON($0.run) }), ("status", JSON(status)),
      ("consecutive_failures", JSON(counter.consecutiveFailures)),
      ("consecutive_successes", JSON(counter.consecutiveSuccesses)),
      ("checks", JSON(entries.map(Self.json))),
    ])
  }

  private var status: String {
    switch counter.status {
    case .starting: "starting"
    case .running: "healthy"
    case .unhealthy: "unhealthy"
    }
  }

  private static func json(_ entry: Entry) -> JSON {
    var (outcome, reason): (String, String?) = ("success", nil)
    switch entry.finding.outcome {
    case .success: break
    case .snoozed: (outcome, reason) = ("snoozed", "no checks from here on, while the sandbox has .healthchecksnooze")
    case .failure(let why): (outcome, reason) = ("failure", entry.finding.reason ?? why)
    }
    return JSON(object: [
      ("at", JSON(Clock.timestamp(entry.wall))), ("milliseconds", JSON(entry.milliseconds)),
      ("outcome", JSON(outcome)), ("reason", reason.map { JSON($0) }),
      ("output", entry.finding.output.isEmpty ? nil : JSON(entry.finding.output)),
    ])
  }
}
