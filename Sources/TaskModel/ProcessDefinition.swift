/// One process of a task, bound and checked.
package struct ProcessDefinition: Sendable, Equatable {
  package var name: String
  /// The command line, for the shell; `nil`: the image's own entrypoint and command.
  package var command: String?
  /// How many failed runs make the process fail for good; 0: no number does.
  package var maxFailures: Int
  /// Run again after a success.
  package var isDaemon: Bool
  /// Does not keep the task going.
  package var isEphemeral: Bool
  /// Seconds between the end of a run and the start of the next.
  package var minDuration: Double
  /// Runs when the others are done, whatever became of them.
  package var isFinal: Bool
  package var logger: LoggerConfig?
  /// What other processes must have come to before this one starts.
  package var after: [Prerequisite]
  /// Exit statuses that count as success.
  package var successExitCodes: [Int32]
  /// The signal that asks a run to end.
  package var stopSignal: Int32
  /// Seconds from that signal to SIGKILL for this process; `nil`: what `finalization_wait` leaves.
  package var stopTimeout: Double?
  package var backoff: Backoff?
  /// How the health of each run is asked for; an unhealthy run is ended and has failed.
  package var healthCheck: HealthCheck?

  package init(
    name: String, command: String?, maxFailures: Int = 1, isDaemon: Bool = false, isEphemeral: Bool = false,
    minDuration: Double = 5, isFinal: Bool = false, logger: LoggerConfig? = nil, after: [Prerequisite] = [],
    successExitCodes: [Int32] = [0], stopSignal: Int32 = SignalName.terminate, stopTimeout: Double? = nil,
    backoff: Backoff? = nil, healthCheck: HealthCheck? = nil
  ) {
    self.name = name
    self.command = command
    self.maxFailures = maxFailures
    self.isDaemon = isDaemon
    self.isEphemeral = isEphemeral
    self.minDuration = minDuration
    self.isFinal = isFinal
    self.logger = logger
    self.after = after
    self.successExitCodes = successExitCodes
    self.stopSignal = stopSignal
    self.stopTimeout = stopTimeout
    self.backoff = backoff
    self.healthCheck = healthCheck
  }
}

/// What a process waits for.
package struct Prerequisite: Sendable, Equatable {
  package enum Condition: String, Sendable, CaseIterable {
    /// A run of it executes its command.
    case started
    /// A run of it was found healthy.
    case healthy
    /// It succeeded, and will not run again.
    case finished

    /// The end of a sentence about the process that is waited for.
    package var text: String {
      switch self {
      case .started: "has started"
      case .healthy: "is healthy"
      case .finished: "has finished"
      }
    }
  }

  package var process: String
  package var condition: Condition

  package init(_ process: String, _ condition: Condition = .finished) {
    self.process = process
    self.condition = condition
  }
}

/// Where the output of a process goes.
package struct LoggerConfig: Sendable, Equatable {
  package enum Destination: String, Sendable, CaseIterable { case file, console, both, none }
  package enum Mode: String, Sendable, CaseIterable { case standard, rotate }

  package var destination: Destination
  package var mode: Mode
  /// Bytes of a file before it is rotated.
  package var logSize: Int64
  /// Rotated files kept beside the current one.
  package var backups: Int

  package init(
    destination: Destination = .file, mode: Mode = .rotate, logSize: Int64 = 100 << 20, backups: Int = 5
  ) {
    self.destination = destination
    self.mode = mode
    self.logSize = logSize
    self.backups = backups
  }
}

/// Longer waits between runs that keep failing: `min_duration` × `factor`ⁿ⁻¹ after the n-th failure in a row.
package struct Backoff: Sendable, Equatable {
  /// At least 1.
  package var factor: Double
  /// Seconds the wait never exceeds.
  package var max: Double
  /// Up to this share of the wait is taken off, so that many tasks do not start again at one moment; 0 to 1.
  package var jitter: Double

  package init(factor: Double = 2, max: Double = 300, jitter: Double = 0) {
    self.factor = factor
    self.max = max
    self.jitter = jitter
  }
}
