import Supervision
import TaskModel
import TaskStore

/// Exit statuses of the executor (those of sysexits(3) where one fits).
enum ExitCode: Int32, Sendable {
  case finished = 0
  case failed = 1
  case killed = 3
  case lost = 4
  /// The command line is wrong.
  case usage = 64
  /// The task document is invalid.
  case invalidDocument = 65
  case notFound = 66
  /// The Docker engine, a registry or a log's daemon cannot be reached.
  case unavailable = 69
  case internalError = 70
  case cannotCreate = 73
  /// What was to be shown could not be written.
  case outputFailed = 74
  /// Root is needed, or leave that the operator's policy does not give.
  case needsPrivileges = 77
  /// The executor's own configuration is wrong.
  case configuration = 78
  /// `--assert-clean` found something left over.
  case residue = 79
}

extension ExitCode {
  init(_ failure: ExecutorFailure) { self.init(failure.kind) }

  init(_ kind: ExecutorFailure.Kind) {
    switch kind {
    case .failed: self = .failed
    case .stopped: self = .killed
    case .usage: self = .usage
    case .invalidDocument: self = .invalidDocument
    case .notFound: self = .notFound
    case .unavailable: self = .unavailable
    case .internalError: self = .internalError
    case .cannotCreate: self = .cannotCreate
    case .needsPrivileges: self = .needsPrivileges
    case .configuration: self = .configuration
    }
  }

  /// Of a task that was run, or of why it could not be.
  init(_ end: Result<TaskEnd, ExecutorFailure>) {
    switch end {
    case .failure(let failure): self.init(failure)
    case .success(let end):
      if let failure = end.launchFailure, failure.kind != .failed {
        self.init(failure)
      } else if end.isUnclean {
        self = .residue
      } else {
        switch end.state {
        case .finished: self = .finished
        case .killed: self = .killed
        case .lost: self = .lost
        default: self = .failed
        }
      }
    }
  }
}
