/// A process of a task with all its runs.
package struct ProcessRecord: Sendable, Equatable {
  package let name: String
  /// Numbered from 0, the current or last one at the end.
  package internal(set) var runs: [RunRecord] = []
  /// Whether the process will not run again because it succeeded or because it failed for good.
  package internal(set) var isDone = false

  /// The state of the last run; WAITING when there is none.
  package var state: ProcessState { runs.last?.state ?? .waiting }

  init(name: String) { self.name = name }

  /// The same without all runs but the last.
  package var withLastRunOnly: ProcessRecord {
    var record = self
    record.runs = runs.suffix(1)
    return record
  }
}

/// One run of a process. Instants are nanoseconds of the clock that the machine is driven by.
package struct RunRecord: Sendable, Equatable {
  package let number: Int
  package internal(set) var state: ProcessState = .waiting
  /// How it ended; nil also for a run that was killed with the container and not seen to end.
  package internal(set) var outcome: RunOutcome?
  package let requestedAt: UInt64
  package internal(set) var forkedAt: UInt64?
  package internal(set) var startedAt: UInt64?
  /// When its own health check first found it healthy.
  package internal(set) var healthyAt: UInt64?
  package internal(set) var endedAt: UInt64?

  init(number: Int, requestedAt: UInt64) {
    self.number = number
    self.requestedAt = requestedAt
  }
}
