import Testing

@testable import TaskModel

/// Stopping, cleaning, finalizing: who is signalled when, and what becomes of what is left.
@Suite struct EndingTests {
  @Test func oneDeadlineBoundsCleaningAndFinalizing() throws {
    let plan = task(
      process("a"), process("f", final: true), process("g", final: true, after: ["f"]), finalizationWait: 10)
    let result = try simulate(plan, "a: runs stops 4s; f: exit 0 @3s; g: exit 0 @5s; stop @100s")
    #expect(result.verdict?.state == .killed)
    #expect(result.states(of: "f") == [.success])
    #expect(result.states(of: "g") == [.killed])
    #expect(
      result.verdict?.notes == [
        "final processes not run to their end, because finalization_wait, 10 s, was used up: g"
      ])
    #expect(result.timeline.last?.at == 110 * second)
  }

  @Test func finalsAreSkippedWhenCleaningUsesUpTheTime() throws {
    let plan = task(process("a"), process("f", final: true), finalizationWait: 10)
    let result = try simulate(plan, "a: runs stops never; stop @1s")
    #expect(result.states(of: "a") == [.killed])
    #expect(result.states(of: "f") == [])
    #expect(
      result.verdict?.notes == [
        "final processes not run to their end, because finalization_wait, 10 s, was used up: f"
      ])
    #expect(result.timeline.last?.at == 11 * second)
  }

  @Test func finalsRunAfterAFailureAndEverythingElseIsKilledFirst() throws {
    let result = try simulate(task(process("a"), process("f", final: true)), "a: exit 1; f: exit 4 @2s")
    #expect(
      result.timeline.map(\.description) == [
        "0.000 container ready", "0.000 TASK_STARTING", "0.000 start a run 0", "0.000 a run 0: forked",
        "0.000 a run 0: running", "0.000 TASK_RUNNING", "1.000 a run 0: exit status 1", "1.000 SIGTERM to strays",
        "1.000 SIGKILL to all", "1.000 all processes gone", "1.000 start f run 0", "1.000 f run 0: forked",
        "1.000 f run 0: running", "3.000 f run 0: exit status 4", "3.000 SIGKILL to all", "3.000 all processes gone",
        "3.000 TASK_FAILED: a run 0: exit status 1",
      ])
    #expect(result.verdict?.notes == ["final process f run 0: exit status 4"])
  }

  @Test func killingCutsEveryWaitShortAndSkipsFinals() throws {
    let plan = task(process("a"), process("f", final: true))
    let result = try simulate(plan, "a: runs stops never; stop @3s; kill @5s")
    #expect(result.verdict?.state == .killed)
    #expect(result.verdict?.message == "stopped by stop")
    #expect(
      result.verdict?.notes == ["final processes not run to their end, because the task was killed by kill: f"])
    #expect(result.timeline.last?.at == 5 * second)
  }

  @Test func whatHadFinishedIsKilledOnlyWhenSomethingIsTakenFromIt() throws {
    let plan = task(process("a"), process("f", final: true))
    #expect(try simulate(plan, "f: exit 0 @9s; stop @5s").verdict?.state == .finished)
    let cut = try simulate(plan, "f: exit 0 @9s; kill @5s")
    #expect(cut.verdict?.state == .killed)
    #expect(cut.verdict?.message == "killed by kill")
    // What had failed stays failed, with its evidence.
    #expect(try simulate(plan, "a: exit 2; f: exit 0 @9s; kill @5s").verdict?.message == "a run 0: exit status 2")
  }

  @Test func aKillThatTakesNothingChangesNothing() {
    var harness = MachineHarness(task(process("a")))
    harness.send(.containerReady)
    harness.run("a")
    #expect(harness.end("a", 0, .exited(0), at: 1) == [.terminateStrays, .killAll])
    harness.send(.stop(.now(by: "x")), at: 2)
    harness.send(.allGone, at: 2)
    #expect(harness.verdict?.state == .finished)
  }

  @Test func aStopSignalAndItsTimeoutAreTheProcesssOwn() throws {
    var slow = process("a")
    slow.stopSignal = 2
    slow.stopTimeout = 3
    let result = try simulate(task(slow), "a: runs stops never; stop @1s")
    #expect(
      result.timeline.map(\.description).suffix(8) == [
        "1.000 stop asked for by stop", "1.000 SIGINT to a run 0", "1.000 SIGTERM to strays",
        "4.000 SIGKILL to a run 0",
        "4.000 a run 0: killed by SIGKILL", "4.000 SIGKILL to all", "4.000 all processes gone",
        "4.000 TASK_KILLED: stopped by stop",
      ])
    #expect(result.states(of: "a") == [.killed])
  }

  @Test func theImageSaysWhatEndsItsOwnCommand() {
    var own = process("own")
    own.command = nil
    var harness = MachineHarness(task(own, process("a")))
    harness.machine.useStopSignal(37)
    harness.send(.containerReady)
    harness.run("own")
    harness.run("a")
    let effects = harness.send(.stop(.graceful(by: "x")), at: 1)
    #expect(effects.contains(.terminate(process: "own", run: 0, signal: 37)))
    #expect(effects.contains(.terminate(process: "a", run: 0, signal: 15)))
  }

  @Test(
    arguments: [
      ("SIGRTMIN+3", 37), ("RTMAX-1", 63), ("SIGRTMAX", 64), ("SIGRTMIN", 34), ("9", 9), ("sigquit", 3),
      ("SIGRTMAX-99", nil), ("", nil), ("SIG", nil), ("RTMAX-", nil), ("65", nil),
    ] as [(String, Int32?)])
  func signalsHaveTheNamesThatImagesGiveThem(name: String, number: Int32?) {
    #expect(SignalName.number(of: name) == number)
  }

  @Test func aRunThatWasNotForkedYetIsSignalledWhenItIs() {
    var harness = MachineHarness(task(process("a")))
    harness.send(.containerReady)
    #expect(harness.send(.stop(.graceful(by: "x")), at: 1) == [.terminateStrays])
    let effects = harness.send(.forked(process: "a", run: 0), at: 2)
    #expect(effects == [.terminate(process: "a", run: 0, signal: 15)])
    harness.end("a", 0, .signaled(15), at: 3)
    harness.send(.allGone, at: 3)
    #expect(harness.machine.processes[0].state == .killed)
    #expect(harness.states == [.starting, .killed])
  }

  @Test func anExitAfterOurSignalKeepsItsStatus() {
    var harness = MachineHarness(task(process("a")))
    harness.send(.containerReady)
    harness.run("a")
    harness.send(.stop(.graceful(by: "x")), at: 1)
    harness.end("a", 0, .exited(143), at: 2)
    harness.send(.allGone, at: 2)
    #expect(harness.machine.processes[0].state == .failed)
    #expect(harness.verdict?.state == .killed)
  }

  @Test func straysGetTheirTimeWhenSomebodyCountsThem() {
    var harness = MachineHarness(task(process("a")), waitsForStrays: true)
    harness.send(.containerReady)
    harness.run("a")
    #expect(harness.end("a", 0, .exited(0), at: 1) == [.terminateStrays])
    #expect(harness.send(.strays(2), at: 1) == [])
    #expect(harness.machine.timer == 31 * second)
    #expect(harness.send(.strays(0), at: 4) == [.killAll])
    harness.send(.allGone, at: 4)
    #expect(harness.verdict?.state == .finished)
  }

  @Test func straysThatIgnoreTheirSignalLastUntilTheDeadline() {
    var harness = MachineHarness(task(process("a"), finalizationWait: 7), waitsForStrays: true)
    harness.send(.containerReady)
    harness.run("a")
    harness.end("a", 0, .exited(0), at: 1)
    #expect(harness.send(.timer, at: 8) == [.killAll])
  }

  @Test func aContainerLostDuringTheEndChangesNothingThatIsKnown() {
    var harness = MachineHarness(task(process("a"), process("f", final: true)))
    harness.send(.containerReady)
    harness.run("a")
    harness.end("a", 0, .exited(1), at: 1)
    harness.send(.containerLost("init is gone"), at: 2)
    #expect(harness.verdict?.state == .failed)
    #expect(
      harness.verdict?.notes == [
        "the container was lost while the task was cleaning: init is gone",
        "final processes not run to their end, because the container was lost: f",
      ])
  }

  @Test func aLostContainerLosesItsRuns() {
    var harness = MachineHarness(task(process("a"), process("b")))
    harness.send(.containerReady)
    harness.run("a")
    let effects = harness.send(.containerLost("init is gone"), at: 2)
    #expect(
      effects == [
        .finish(Verdict(state: .lost, reason: "REASON_EXECUTOR_TERMINATED", message: "init is gone"))
      ])
    #expect(harness.machine.processes.map(\.state) == [.lost, .lost])
  }

  @Test func whatCannotBeKilledIsGivenUpAfterAMinute() {
    var harness = MachineHarness(task(process("a")))
    harness.send(.containerReady)
    harness.run("a")
    harness.send(.stop(.now(by: "x")), at: 1)
    #expect(harness.machine.timer == 61 * second)
    harness.send(.timer, at: 61)
    #expect(harness.verdict?.state == .killed)
    #expect(harness.verdict?.notes == ["SIGKILL did not end every process within 60 s: a run 0"])
  }

  @Test func noWaitMeansNoFinals() throws {
    let plan = task(process("a"), process("f", final: true), finalizationWait: 0)
    let result = try simulate(plan)
    #expect(result.verdict?.state == .finished)
    #expect(result.states(of: "f") == [])
    #expect(result.verdict?.notes.count == 1)
  }
}

/// The HTTP lifecycle (aurora.md §6.5).
@Suite struct LifecycleTests {
  private var plan: TaskSpecification {
    var plan = task(process("web"))
    plan.lifecycle = HTTPLifecycle(port: 8080, gracefulShutdownWait: 4, shutdownWait: 3)
    return plan
  }

  @Test func theTaskIsAskedTwiceBeforeItIsSignalled() throws {
    let result = try simulate(plan, "web: runs; stop @1s", lifecycleAnswers: true)
    #expect(
      result.timeline.map(\.description).dropFirst(6).prefix(6) == [
        "1.000 stop asked for by stop", "1.000 POST /quitquitquit", "1.000 the task's server took the request",
        "5.000 POST /abortabortabort", "5.000 the task's server took the request", "8.000 SIGTERM to web run 0",
      ])
  }

  @Test func aServerThatDoesNotKnowTheRequestCostsNoWait() throws {
    let result = try simulate(plan, "web: runs; stop @1s", lifecycleAnswers: false)
    #expect(result.timeline.last?.at == second)
  }

  @Test func anEndDuringTheWaitIsTheEnd() throws {
    let result = try simulate(plan, "web: exit 0 @3s; stop @1s", lifecycleAnswers: true)
    #expect(result.timeline.last?.at == 3 * second)
    #expect(result.verdict?.state == .killed)
    #expect(result.states(of: "web") == [.success])
  }

  @Test func nothingStartsWhileTheTaskIsAsked() {
    var two = plan
    two.processes = [process("a"), process("web"), process("b", after: ["a"])]
    var harness = MachineHarness(two)
    harness.send(.containerReady)
    harness.run("a")
    harness.run("web")
    #expect(harness.send(.stop(.graceful(by: "x")), at: 1) == [.lifecycle(endpoint: "/quitquitquit")])
    harness.send(.lifecycleAnswered(handled: true), at: 1)
    #expect(harness.end("a", 0, .exited(0), at: 2) == [])
  }

  @Test func anAnswerThatNeverComesDoesNotHoldTheTask() {
    var harness = MachineHarness(plan)
    harness.send(.containerReady)
    harness.run("web")
    harness.send(.stop(.graceful(by: "x")), at: 1)
    #expect(harness.machine.timer == 6 * second)
    #expect(harness.send(.timer, at: 6) == [.lifecycle(endpoint: "/abortabortabort")])
    #expect(harness.send(.timer, at: 11) == [.terminate(process: "web", run: 0, signal: 15), .terminateStrays])
  }

  @Test func aFailureOfAProcessNeedsNoAsking() throws {
    var two = plan
    two.processes.append(process("b"))
    let result = try simulate(two, "web: runs; b: exit 1", lifecycleAnswers: true)
    #expect(!result.timeline.contains { $0.description.utf8.elementsEqual("1.000 POST /quitquitquit".utf8) })
  }

  // MARK: Run again

  @Test func aRunThatWasToBeReplacedIsNoFailureAndTheNextOneDoesNotWait() {
    var harness = MachineHarness(task(process("a", maxFailures: 1, minDuration: 60)))
    harness.send(.containerReady)
    harness.run("a")
    #expect(harness.send(.restart(process: "a", by: "x"), at: 1) == [.terminate(process: "a", run: 0, signal: 15)])
    #expect(!harness.machine.canRestart("a"))
    #expect(harness.end("a", 0, .exited(1), at: 2) == [.start(process: "a", run: 1)])
    #expect(harness.machine.record(of: "a")?.runs[0].state == .killed)
    harness.run("a", 1, at: 2)
    harness.end("a", 1, .exited(0), at: 3)
    harness.send(.strays(0), at: 3)
    harness.send(.allGone, at: 3)
    #expect(harness.verdict?.state == .finished)
  }

  @Test func aRunThatDoesNotEndIsKilledWhenItsTimeIsOver() {
    var harness = MachineHarness(task(process("a"), finalizationWait: 10))
    harness.send(.containerReady)
    harness.run("a")
    harness.send(.restart(process: "a", by: "x"), at: 1)
    #expect(harness.send(.timer, at: 11) == [.terminate(process: "a", run: 0, signal: 9)])
  }

  @Test func thereIsNothingToRunAgainWhereNothingRunsOrTheTaskEnds() {
    var harness = MachineHarness(task(process("a"), process("b", after: ["a"]), process("f", final: true)))
    harness.send(.containerReady)
    for name in ["b", "f", "nobody"] {
      #expect(harness.send(.restart(process: name, by: "x")) == [])
    }
    harness.run("a")
    harness.send(.stop(.graceful(by: "y")), at: 1)
    #expect(harness.send(.restart(process: "a", by: "x"), at: 1) == [])
    // Asked to end twice, it ends once.
    harness.end("a", 0, .signaled(15), at: 2)
    #expect(harness.machine.record(of: "a")?.runs.count == 1)
  }

  @Test func whatWasToRunAgainAndIsStoppedDoesNot() {
    var harness = MachineHarness(task(process("a")))
    harness.send(.containerReady)
    harness.run("a")
    harness.send(.restart(process: "a", by: "x"), at: 1)
    harness.send(.stop(.graceful(by: "y")), at: 2)
    harness.end("a", 0, .signaled(15), at: 3)
    #expect(harness.machine.record(of: "a")?.runs.count == 1)
    #expect(harness.machine.verdict?.state == .killed)
  }
}
