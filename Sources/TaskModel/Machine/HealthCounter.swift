/// Counts the answers of health checks, by Aurora's rules: forgiven attempts first, then failures in a row
/// (`docs/task-document.md` has them). Pure; whoever checks asks `mayCheck` before each check and reports what came of it.
///
/// The first check is due at once, the others `interval_secs` after one another.
package struct HealthCounter: Sendable, Equatable {
  /// What came of one check.
  package enum Outcome: Sendable, Equatable {
    case success
    case failure(String)
    /// The task asked not to be checked: nothing is counted, so it makes nothing healthy and nothing sick.
    case snoozed
  }

  package enum Status: Sendable, Equatable {
    /// Not healthy yet.
    case starting
    case running
    /// Final: there is no way back.
    case unhealthy(String)
  }

  package private(set) var status = Status.starting
  package private(set) var consecutiveFailures = 0
  package private(set) var consecutiveSuccesses = 0

  /// Attempts that are forgiven: as many as fit into `initial_interval_secs`.
  private let forgiven: Int
  /// Attempts in which the task must have become healthy.
  private let limit: Int
  private let maxFailures: Int
  private let minSuccesses: Int
  private var attempts = 0

  /// - Parameter isRunning: whether it was found healthy already, by an executor before this one: nothing is forgiven then.
  package init(_ check: HealthCheck, isRunning: Bool = false) {
    // Both come from a document: their quotient may be anything.
    let quotient = (check.initialInterval / check.interval).rounded(.up)
    forgiven = quotient >= 0 && quotient < 1e9 ? Int(quotient) : 1_000_000_000
    maxFailures = max(0, check.maxConsecutiveFailures)
    minSuccesses = max(1, check.minConsecutiveSuccesses)
    let sum = forgiven.addingReportingOverflow(maxFailures)
    let total = sum.partialValue.addingReportingOverflow(minSuccesses)
    limit = sum.overflow || total.overflow ? Int.max : total.partialValue
    if isRunning {
      status = .running
      attempts = limit
    }
  }

  /// Whether a check is still of use; a task that has used up its attempts becomes unhealthy here.
  package mutating func mayCheck() -> Bool {
    if case .unhealthy = status { return false }
    guard status == .starting, attempts > limit else { return true }
    status = .unhealthy("Not enough successful health checks in time.")
    return false
  }

  /// Takes what came of a check, and gives the state that follows.
  @discardableResult package mutating func record(_ outcome: Outcome) -> Status {
    if case .unhealthy = status { return status }
    switch outcome {
    case .snoozed: break
    case .success:
      countAttempt()
      consecutiveSuccesses = min(consecutiveSuccesses, Int.max - 1) + 1
      consecutiveFailures = 0
      if consecutiveSuccesses >= minSuccesses { status = .running }
    case .failure(let why):
      countAttempt()
      consecutiveSuccesses = 0
      // Also when the task runs already: the first attempts are forgiven.
      guard attempts > forgiven else { break }
      consecutiveFailures += 1
      let left = limit - attempts
      let cannotSucceed = status == .starting && left > 1 && minSuccesses > left
      if cannotSucceed || consecutiveFailures > maxFailures { status = .unhealthy(why) }
    }
    return status
  }

  private mutating func countAttempt() {
    if attempts <= limit, attempts < Int.max { attempts += 1 }
  }
}
