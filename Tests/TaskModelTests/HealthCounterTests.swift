import Testing

@testable import TaskModel

/// The counting of health checks (aurora.md §6.7).
@Suite struct HealthCounterTests {
  /// Feeds answers, `+` and `-` and `z` for a snooze, and gives the state after each: `s`, `r`, `u`.
  private func states(_ answers: String, _ check: HealthCheck) -> String {
    var counter = HealthCounter(check)
    var states = ""
    for answer in answers {
      if counter.mayCheck() {
        counter.record(answer == "+" ? .success : answer == "-" ? .failure("sick") : .snoozed)
      }
      switch counter.status {
      case .starting: states += "s"
      case .running: states += "r"
      case .unhealthy: states += "u"
      }
    }
    return states
  }

  private func check(
    initial: Double = 15, interval: Double = 10, failures: Int = 0, successes: Int = 1
  ) -> HealthCheck {
    HealthCheck(
      probe: .shell(command: "true"), initialInterval: initial, interval: interval, maxConsecutiveFailures: failures,
      minConsecutiveSuccesses: successes)
  }

  @Test(arguments: [("---", "ssu"), ("--+", "ssr"), ("+--", "rru"), ("+++-", "rrru"), ("--+-", "ssru")])
  func byDefaultTwoAttemptsAreForgiven(answers: String, result: String) {
    #expect(states(answers, check()) == result)
  }

  @Test func withoutAnInitialIntervalTheFirstFailureIsTheLast() {
    #expect(states("-", check(initial: 0)) == "u")
    #expect(states("+-", check(initial: 0)) == "ru")
  }

  @Test func failuresInARowAreToleratedUpToTheirNumber() {
    #expect(states("+--+--+---", check(initial: 0, failures: 2)) == "rrrrrrrrru")
  }

  @Test func successesInARowMakeTheTaskRun() {
    #expect(states("+-++", check(initial: 100, successes: 2)) == "sssr")
  }

  @Test func aTaskThatFlapsForTooLongIsUnhealthy() {
    // Two are forgiven, three failures tolerated, two successes needed: seven attempts, one more, and then no more.
    var counter = HealthCounter(check(failures: 3, successes: 2))
    for index in 0..<8 {
      let isChecked = counter.mayCheck()
      #expect(isChecked)
      counter.record(index % 2 == 0 ? .success : .failure("sick"))
    }
    let isChecked = counter.mayCheck()
    #expect(!isChecked)
    #expect(counter.status == .unhealthy("Not enough successful health checks in time."))
  }

  @Test func aSnoozeCountsForNothing() {
    #expect(states("zzzz", check()) == "ssss")
    #expect(states("+zz-z-", check()) == "rrrrru")
  }

  @Test func thereIsNoWayBackAndTheReasonStays() {
    var counter = HealthCounter(check(initial: 0))
    counter.record(.failure("first"))
    counter.record(.success)
    #expect(counter.status == .unhealthy("first"))
  }

  @Test func numbersOfAnySizeAreCounted() {
    #expect(states("--", check(initial: 1e9, interval: 1e-300, failures: .max, successes: .max)) == "ss")
    #expect(states("--", check(initial: 0, interval: 0, failures: .min, successes: .min)) != "")
  }
}
