/// One of the two groups of a task's processes, regular or final, and which of them may start.
///
/// Everything that is asked at each event is a counter or the top of a heap, so that an event costs the logarithm of
/// the number of processes.
struct Plan: Sendable {
  /// Processes that may start now, by their place in the document.
  var ready = Heap<Int>()
  /// Processes that may start at an instant.
  var gates = Heap<Due>()
  /// Processes with a run that has been asked for and has not ended.
  var live: Set<Int> = []
  /// Processes that are not ephemeral and not done.
  var remaining = 0
  /// Processes that are ready, gated or live and can still move the plan on: those of `remaining`, and ephemeral ones
  /// that one of those waits for.
  var moving = 0

  /// Every process that has to end has ended.
  var isComplete: Bool { remaining == 0 }
  /// What is left waits for something that can never come.
  var isDeadlocked: Bool { remaining > 0 && moving == 0 }
}

/// A process that waits for another.
struct Edge: Sendable {
  let to: Int
  let condition: Prerequisite.Condition
}

/// A process inside the machine.
struct PlanNode: Sendable {
  enum Stage: Sendable {
    /// A predecessor has not finished.
    case blocked
    /// Waits for an instant.
    case gated
    case ready
    case live
    /// Succeeded, or will not be waited for any more.
    case finished
    case failed
  }

  var definition: ProcessDefinition
  var record: ProcessRecord
  var stage = Stage.blocked
  /// What waits for this process and has not got what it waits for.
  var successors: [Edge] = []
  /// Edges to this process that are not satisfied.
  var blockers = 0
  /// Whether a process that has to end waits for this one, straight or through others.
  var isAwaited = false
  /// Runs that counted as failures.
  var failures = 0
  /// Failures since the last success, for the backoff.
  var failuresInARow = 0
  /// The live run was sent a signal by us, or will be as soon as it is forked.
  var isAskedToEnd = false
  /// The live run was asked to end so that another begins.
  var isRestarting = false
  /// Why its health check gave the live run up.
  var illness: String?
  /// Whether the plan counts it among `moving`.
  var isCounted = false
  /// The process failed because of the number of its runs.
  var hitRunCap = false

  init(_ definition: ProcessDefinition) {
    self.definition = definition
    record = ProcessRecord(name: definition.name)
  }

  var currentRun: Int { record.runs.count - 1 }
  var lastRun: RunReference { RunReference(process: definition.name, run: max(0, currentRun)) }

  /// `web run 2: exit status 3`.
  var lastEnd: String { "\(lastRun): \(record.runs.last?.outcome?.text ?? "ended")" }
  /// The same for a note, which has no hint of its own.
  var lastEndWithHint: String { "\(lastRun): \(record.runs.last?.outcome?.textWithHint ?? "ended")" }

  /// Seconds from the end of a run to the start of the next.
  var delay: Double {
    let plain = definition.minDuration
    guard let backoff = definition.backoff, failuresInARow > 0 else { return plain }
    var wait = plain
    var step = 1
    while step < failuresInARow, wait < backoff.max {
      // A factor of 1 never reaches the bound.
      if backoff.factor <= 1 { break }
      // Without a first wait there is nothing to multiply.
      wait = max(wait, 0.001) * backoff.factor
      step += 1
    }
    wait = min(wait, max(backoff.max, plain))
    return max(0, wait - wait * backoff.jitter * spread)
  }

  /// A number in 0..<1 that depends on the process and its run only, so that a replay gives the same waits (FNV-1a).
  private var spread: Double {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in definition.name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    hash = (hash ^ UInt64(record.runs.count)) &* 0x100_0000_01b3
    hash ^= hash >> 29
    hash = hash &* 0xbf58_476d_1ce4_e5b9
    return Double(hash >> 11) * 0x1p-53
  }
}
