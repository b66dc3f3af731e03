/// What a task is, in Mesos' words.
package enum TaskState: String, Sendable, Equatable {
  case staging = "TASK_STAGING"
  case starting = "TASK_STARTING"
  case running = "TASK_RUNNING"
  case finished = "TASK_FINISHED"
  case failed = "TASK_FAILED"
  case killed = "TASK_KILLED"
  case lost = "TASK_LOST"

  /// Whether nothing comes after it.
  package var isTerminal: Bool {
    switch self {
    case .staging, .starting, .running: false
    case .finished, .failed, .killed, .lost: true
    }
  }
}

/// What a run of a process is, in Thermos' words.
package enum ProcessState: String, Sendable, Equatable {
  /// Not started yet; a run: asked for, not yet forked.
  case waiting = "WAITING"
  case forked = "FORKED"
  case running = "RUNNING"
  case success = "SUCCESS"
  case failed = "FAILED"
  case killed = "KILLED"
  case lost = "LOST"

  package var isTerminal: Bool {
    switch self {
    case .waiting, .forked, .running: false
    case .success, .failed, .killed, .lost: true
    }
  }
}

/// The names that Mesos has for why a task ended, as far as they are given here (`mesos.proto`, `TaskStatus.Reason`).
package enum Reason {
  package static let processFailed = "REASON_COMMAND_EXECUTOR_FAILED"
  package static let memory = "REASON_CONTAINER_LIMITATION_MEMORY"
  package static let disk = "REASON_CONTAINER_LIMITATION_DISK"
  package static let launchFailed = "REASON_CONTAINER_LAUNCH_FAILED"
  package static let executorTerminated = "REASON_EXECUTOR_TERMINATED"
  package static let health = "REASON_TASK_HEALTH_CHECK_STATUS_UPDATED"
  package static let killedDuringLaunch = "REASON_TASK_KILLED_DURING_LAUNCH"
  package static let maxCompletionTime = "REASON_MAX_COMPLETION_TIME_REACHED"
  package static let invalid = "REASON_TASK_INVALID"
}
