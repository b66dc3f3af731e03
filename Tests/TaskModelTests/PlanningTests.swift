import Testing

@testable import TaskModel

/// What starts when: orders, gaps, places, retries.
@Suite struct PlanningTests {
  @Test func anOrderHolds() throws {
    let plan = task(process("c"), process("b"), process("a"), orders: [["a", "b", "c"]])
    #expect(try simulate(plan).starts == ["0.0 a 0", "1.0 b 0", "2.0 c 0"])
  }

  @Test func afterIsAnOrderOfTwo() throws {
    let plan = task(process("c", after: ["a", "b"]), process("b"), process("a"))
    #expect(try simulate(plan, "b: exit 0 @3s").starts == ["0.0 b 0", "0.0 a 0", "3.0 c 0"])
  }

  @Test func noMoreThanMaxConcurrencyRunInTheOrderOfTheDocument() throws {
    let plan = task(process("d"), process("c"), process("b"), process("a"), maxConcurrency: 2)
    #expect(try simulate(plan, "d: exit 0 @5s").starts == ["0.0 d 0", "0.0 c 0", "1.0 b 0", "2.0 a 0"])
  }

  @Test func runsOfAProcessKeepTheirDistance() throws {
    let plan = task(process("a", maxFailures: 3, minDuration: 7))
    #expect(try simulate(plan, "a: exit 1 @2s").starts == ["0.0 a 0", "9.0 a 1", "18.0 a 2"])
  }

  @Test func aProcessWithoutDistanceRunsAgainAtOnce() throws {
    let plan = task(process("a", maxFailures: 3, minDuration: 0))
    #expect(try simulate(plan, "a: exit 1").starts == ["0.0 a 0", "1.0 a 1", "2.0 a 2"])
  }

  @Test func successesOfADaemonDoNotResetItsFailures() throws {
    let plan = task(process("d", maxFailures: 2, daemon: true))
    let result = try simulate(plan, "d: exit 1; d: exit 0 x2; d: exit 1")
    #expect(result.states(of: "d") == [.failed, .success, .success, .failed])
    #expect(result.verdict?.state == .failed)
  }

  @Test func backoffGrowsToItsBoundAndStartsAnewAfterASuccess() throws {
    var daemon = process("d", maxFailures: 0, daemon: true, minDuration: 1)
    daemon.backoff = Backoff(factor: 3, max: 10)
    let result = try simulate(task(daemon), "d: exit 1 @0s x4; d: exit 0 @0s; d: exit 1 @0s x2; d: runs; kill @100s")
    #expect(
      result.starts == [
        "0.0 d 0", "1.0 d 1", "4.0 d 2", "13.0 d 3", "23.0 d 4", "24.0 d 5", "25.0 d 6", "28.0 d 7",
      ])
  }

  @Test func jitterShortensWaitsAndIsTheSameEachTime() throws {
    var one = process("a", maxFailures: 9, minDuration: 10)
    one.backoff = Backoff(factor: 1, max: 10, jitter: 0.5)
    var two = one
    two.name = "b"
    let plan = task(one, two)
    let script = "a: exit 1 @0s; b: exit 1 @0s"
    let first = try simulate(plan, script)
    #expect(first.starts == (try simulate(plan, script)).starts)
    let gaps = first.processes.flatMap { record in
      zip(record.runs, record.runs.dropFirst()).map { $1.requestedAt - ($0.endedAt ?? 0) }
    }
    #expect(gaps.allSatisfy { $0 >= 5 * second && $0 <= 10 * second })
    #expect(Set(gaps).count > 8)
  }

  @Test func theTaskRunsWhenItsFirstProcessDoes() {
    var harness = MachineHarness(task(process("a")))
    harness.send(.containerReady)
    #expect(harness.states == [.starting])
    harness.send(.forked(process: "a", run: 0))
    #expect(harness.states == [.starting])
    harness.send(.running(process: "a", run: 0))
    #expect(harness.states == [.starting, .running])
  }

  @Test func aRunThatIsOverBeforeItWasSeenRunningRan() {
    var harness = MachineHarness(task(process("a")))
    harness.send(.containerReady)
    harness.send(.forked(process: "a", run: 0))
    harness.end("a", 0, .exited(0))
    harness.send(.allGone)
    #expect(harness.states == [.starting, .running, .finished])
  }

  @Test func withAHealthCheckTheTaskRunsWhenItIsHealthy() {
    var harness = MachineHarness(task(process("a")), health: true)
    harness.send(.containerReady)
    harness.run("a")
    #expect(harness.states == [.starting])
    let effects = harness.send(.healthy, at: 4)
    #expect(
      effects == [
        .update(.running, reason: "REASON_TASK_HEALTH_CHECK_STATUS_UPDATED", message: "Task is healthy.")
      ])
    #expect(harness.send(.healthy, at: 5) == [])
    harness.send(.unhealthy("no answer"), at: 6)
    harness.end("a", 0, .signaled(15), at: 6)
    harness.send(.allGone, at: 6)
    #expect(harness.verdict?.message == "Failed health check! no answer")
    #expect(harness.verdict?.reason == "REASON_TASK_HEALTH_CHECK_STATUS_UPDATED")
    #expect(harness.verdict?.state == .failed)
  }
}

/// Recovery: what a replay of the record gives.
@Suite struct ReplayTests {
  private let plan = task(
    process("a", maxFailures: 3), process("b"), process("c", after: ["b"]), process("f", final: true))

  @Test func aReplayWithoutTimersKnowsWhatWasAskedFor() {
    var live = MachineHarness(plan)
    var replay = MachineHarness(plan)
    let events: [(TaskEvent, Double)] = [
      (.containerReady, 0), (.forked(process: "a", run: 0), 0), (.running(process: "a", run: 0), 0),
      (.ended(process: "a", run: 0, .exited(1)), 1), (.timer, 6), (.forked(process: "a", run: 1), 6.01),
      (.forked(process: "b", run: 0), 6.2), (.ended(process: "b", run: 0, .exited(0)), 7),
    ]
    for (event, at) in events {
      live.send(event, at: at)
      if event != .timer { replay.send(event, at: at) }
    }
    #expect(replay.machine.outstandingStarts == [RunReference(process: "c", run: 0)])
    #expect(replay.machine.outstandingStarts == live.machine.outstandingStarts)
    #expect(replay.machine.liveRuns == live.machine.liveRuns)
    #expect(replay.send(.resumed, at: 8) == [.start(process: "c", run: 0)])
    #expect(replay.machine.record(of: "a")?.runs.map(\.state) == [.failed, .forked])
  }

  @Test func anUnansweredKillIsAskedForAgain() {
    var harness = MachineHarness(plan)
    harness.send(.containerReady)
    harness.run("a")
    harness.send(.stop(.now(by: "x")), at: 1)
    #expect(harness.machine.handle(.resumed, at: 2 * second) == [.killAll, .setTimer(61 * second)])
  }

  @Test func unansweredSignalsAreSentAgainAndUnforkedRunsForgotten() {
    var harness = MachineHarness(plan)
    harness.send(.containerReady)
    harness.run("a")
    harness.send(.stop(.graceful(by: "x")), at: 1)
    #expect(
      harness.machine.handle(.resumed, at: 2 * second) == [
        .terminate(process: "a", run: 0, signal: 15), .terminateStrays, .setTimer(31 * second),
      ])
    #expect(harness.machine.outstandingStarts == [])
    #expect(harness.end("a", 0, .signaled(15), at: 3) == [.killAll])
  }

  @Test func anUnansweredRequestToEndIsSentAgain() {
    var asked = plan
    asked.lifecycle = HTTPLifecycle(port: 80)
    var harness = MachineHarness(asked)
    harness.send(.containerReady)
    harness.run("a")
    harness.send(.stop(.graceful(by: "x")), at: 1)
    #expect(harness.send(.resumed, at: 2) == [.lifecycle(endpoint: "/quitquitquit")])
  }
}
