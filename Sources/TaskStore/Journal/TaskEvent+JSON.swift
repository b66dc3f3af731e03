import StrictJSON
import TaskModel

// Every event that the task machine takes has a form in the journal, so that a replay gives the same state.

extension TaskEvent {
  /// The record's type and members.
  package var journalForm: (type: String, members: [(String, JSON?)]) {
    func run(_ process: String, _ number: Int) -> [(String, JSON?)] {
      [("process", JSON(process)), ("run", JSON(number))]
    }
    switch self {
    case .containerReady: return ("container_ready", [])
    case .containerFailed(let reason, let message, let hint):
      return (
        "container_failed",
        [("reason", JSON(reason)), ("message", JSON(message)), ("hint", hint.map { JSON($0) })]
      )
    case .containerLost(let message): return ("container_lost", [("message", JSON(message))])
    case .forked(let process, let number): return ("forked", run(process, number))
    case .running(let process, let number): return ("running", run(process, number))
    case .ended(let process, let number, let outcome): return ("ended", run(process, number) + outcome.journalMembers)
    case .healthy: return ("healthy", [])
    case .unhealthy(let message): return ("unhealthy", [("message", JSON(message))])
    case .processHealthy(let process, let number): return ("healthy", run(process, number))
    case .processUnhealthy(let process, let number, let message):
      return ("unhealthy", run(process, number) + [("message", JSON(message))])
    case .limitation(let reason, let message):
      return ("limitation", [("reason", JSON(reason)), ("message", JSON(message))])
    case .stop(.graceful(let by, let origin)):
      return ("stop", [("by", JSON(by)), ("origin", origin.map { JSON($0.rawValue) })])
    case .stop(.now(let by, let origin)):
      return ("stop", [("by", JSON(by)), ("origin", origin.map { JSON($0.rawValue) }), ("now", true)])
    case .restart(let process, let by): return ("restart", [("process", JSON(process)), ("by", JSON(by))])
    case .lifecycleAnswered(let handled): return ("lifecycle_answered", [("handled", JSON(handled))])
    case .strays(let count): return ("strays", [("count", JSON(count))])
    case .allGone: return ("all_gone", [])
    case .timer: return ("timer", [])
    case .resumed: return ("resumed", [])
    }
  }

  /// The event a record stands for; `nil` for records that are no event, such as `update`.
  package init?(journal record: JournalContents.Record) {
    let json = record.json
    let message = json["message"]?.string ?? ""
    switch record.type {
    case "container_ready": self = .containerReady
    case "container_failed":
      self = .containerFailed(
        reason: json["reason"]?.string ?? "", message: message, hint: json["hint"]?.string)
    case "container_lost": self = .containerLost(message)
    case "healthy" where json["process"] == nil: self = .healthy
    case "unhealthy" where json["process"] == nil: self = .unhealthy(message)
    case "limitation": self = .limitation(reason: json["reason"]?.string ?? "", message: message)
    case "stop":
      let by = json["by"]?.string ?? ""
      let origin = json["origin"]?.string.flatMap(StopOrigin.init)
      self = .stop(json["now"]?.bool == true ? .now(by: by, origin: origin) : .graceful(by: by, origin: origin))
    case "restart": self = .restart(process: json["process"]?.string ?? "", by: json["by"]?.string ?? "")
    case "lifecycle_answered": self = .lifecycleAnswered(handled: json["handled"]?.bool ?? false)
    case "strays": self = .strays(Int(clamping: json["count"]?.integer ?? 0))
    case "all_gone": self = .allGone
    case "timer": self = .timer
    case "resumed": self = .resumed
    case "forked", "running", "ended", "healthy", "unhealthy":
      guard let process = json["process"]?.string, let number = json["run"]?.integer else { return nil }
      switch record.type {
      case "forked": self = .forked(process: process, run: Int(clamping: number))
      case "running": self = .running(process: process, run: Int(clamping: number))
      case "healthy": self = .processHealthy(process: process, run: Int(clamping: number))
      case "unhealthy": self = .processUnhealthy(process: process, run: Int(clamping: number), message)
      default: self = .ended(process: process, run: Int(clamping: number), RunOutcome(journal: json))
      }
    default: return nil
    }
  }
}

extension Verdict {
  /// How the task ended and why: the first members of a result, and those of a `finished` record.
  package var members: [(String, JSON?)] {
    [
      ("state", JSON(state.rawValue)), ("reason", reason.map { JSON($0) }), ("message", JSON(message)),
      ("hint", hint.map { JSON($0) }), ("stop_origin", stopOrigin.map { JSON($0.rawValue) }),
    ]
  }

  /// As a result or a `finished` record has it.
  package init?(result json: JSON) {
    guard let state = json["state"]?.string.flatMap(TaskState.init(rawValue:)) else { return nil }
    self.init(
      state: state, reason: json["reason"]?.string, message: json["message"]?.string ?? "", hint: json["hint"]?.string,
      stopOrigin: json["stop_origin"]?.string.flatMap(StopOrigin.init),
      decider: json["decider"].flatMap { decider in
        guard let process = decider["process"]?.string, let run = decider["run"]?.integer else { return nil }
        return RunReference(process: process, run: Int(clamping: run))
      }, notes: (json["notes"]?.array ?? []).compactMap(\.string))
  }
}

extension RunOutcome {
  /// Members of an `ended` record, and of a run in `result.json`.
  package var journalMembers: [(String, JSON?)] {
    switch self {
    case .exited(let status): return [("exit_code", JSON(status))]
    case .signaled(let signal): return [("signal", JSON(SignalName.name(of: signal)))]
    case .outOfMemory(let signal, let status, let limit, let peak):
      return [
        ("exit_code", status.map { JSON($0) }), ("signal", signal.map { JSON(SignalName.name(of: $0)) }),
        ("reason", "oom"), ("memory_limit_bytes", JSON(limit)), ("memory_peak_bytes", JSON(peak)),
      ]
    case .cannotStart(let kind, let reason, let hint):
      return [
        ("reason", "cannot_start"), ("message", JSON(reason)), ("hint", hint.map { JSON($0) }),
        ("cause", JSON(kind.name)),
      ]
    case .unhealthy(let message): return [("reason", "unhealthy"), ("message", JSON(message))]
    case .lost(let message): return [("reason", "lost"), ("message", JSON(message))]
    }
  }

  package init(journal json: JSON) {
    let status = json["exit_code"]?.integer.flatMap { Int32(exactly: $0) }
    let signal = json["signal"]?.string.flatMap { SignalName.number(of: $0) }
    switch json["reason"]?.string {
    case "oom":
      self = .outOfMemory(
        signal: signal, exitCode: status, limitBytes: UInt64(clamping: json["memory_limit_bytes"]?.integer ?? 0),
        peakBytes: UInt64(clamping: json["memory_peak_bytes"]?.integer ?? 0))
    case "cannot_start":
      self = .cannotStart(
        json["cause"]?.string.map(StartFailureKind.init) ?? .other, reason: json["message"]?.string ?? "",
        hint: json["hint"]?.string)
    case "unhealthy": self = .unhealthy(json["message"]?.string ?? "")
    case "lost": self = .lost(json["message"]?.string ?? "")
    default:
      if let status {
        self = .exited(status)
      } else if let signal {
        self = .signaled(signal)
      } else {
        self = .lost("the record of its end cannot be read")
      }
    }
  }
}
