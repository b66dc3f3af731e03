import LinuxKernel
import Supervision
import TaskModel
import TaskStore

/// Something that an operator wants to know of in an incident: facts, which `LogFormat` puts into words. It has nothing of a
/// task's environment, bindings and command lines.
struct OperatorEvent: Sendable {
  enum Fact: Sendable {
    /// A task is begun.
    case started(version: String, containerizer: String)
    /// A task is gone on with whose executor died.
    case tookOver(version: String, containerizer: String)
    case ended(TaskState, reason: String?)
    /// The command has failed: a task is not run, or not gone on with. Why is what its caller is told.
    case refused(ExecutorFailure.Kind)
    /// `stop` or `kill` was called.
    case asked(String, user: UInt32)
    case swept(removed: Int, left: Int)
    /// Tried in vain, for the given time.
    case failed(FailedAttempt, times: Int)
    /// The log has not taken so many events before this one.
    case lost(Int)
  }

  /// Nanoseconds since 1970.
  let wall: UInt64
  let pid: Int32
  /// `nil` where it is about none, or none is known yet.
  let taskID: String?
  let fact: Fact

  init(_ fact: Fact, taskID: String?, wall: UInt64 = Clock.wall, pid: Int32 = CurrentProcess.pid) {
    (self.fact, self.taskID, self.wall, self.pid) = (fact, taskID, wall, pid)
  }

  /// syslog(3)'s levels, as far as there are any here.
  enum Severity: Int { case warning = 4, informational = 6 }

  var severity: Severity {
    switch fact {
    case .failed, .lost, .refused: .warning
    case .started, .tookOver, .ended, .asked, .swept: .informational
    }
  }

  /// The error number of what was refused.
  var errno: Int32? { if case .failed(let attempt, _) = fact { attempt.errno?.code } else { nil } }

  var message: String {
    switch fact {
    case .started(let version, let containerizer): "started, version \(version), containerizer \(containerizer)"
    case .tookOver(let version, let containerizer): "taken over, version \(version), containerizer \(containerizer)"
    case .ended(let state, let reason): "ended, \(state.rawValue)" + (reason.map { ", \($0)" } ?? "")
    case .refused(let kind): "refused, exit status \(ExitCode(kind).rawValue)"
    case .asked(let request, let user): "\(request) asked for by uid \(user)"
    case .swept(let removed, let left): "swept, \(removed) removed, \(left) left"
    case .failed(let attempt, let times):
      "cannot \(attempt.what): \(attempt.reason)" + (times > 1 ? " (\(times) times by now)" : "")
    case .lost(let count): "\(count) \(count == 1 ? "event" : "events") before this one could not be logged"
    }
  }
}

extension OperatorEvent.Fact {
  static func started(_ task: TaskSpecification) -> Self {
    .started(version: Version.number, containerizer: task.containerizer)
  }

  static func tookOver(_ task: TaskSpecification) -> Self {
    .tookOver(version: Version.number, containerizer: task.containerizer)
  }

  static func ended(_ end: Result<TaskEnd, ExecutorFailure>) -> Self {
    switch end {
    case .success(let end): .ended(end.state, reason: end.reason)
    case .failure(let failure): .refused(failure.kind)
    }
  }
}

extension FailedAttempt {
  /// What may help then is for whoever is asked to do something.
  fileprivate var reason: String { (error as? ExecutorFailure)?.message ?? "\(error)" }
}
