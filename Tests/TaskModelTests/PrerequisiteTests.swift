import Testing

@testable import TaskModel

/// `after` with what the other process must have come to, and the health of single processes.
@Suite struct PrerequisiteTests {
  private func waiting(_ name: String, for other: String, _ condition: Prerequisite.Condition) -> ProcessDefinition {
    var one = process(name)
    one.after = [Prerequisite(other, condition)]
    return one
  }

  private func checked(
    _ name: String, maxFailures: Int = 1, daemon: Bool = false, ephemeral: Bool = false, minDuration: Double = 5
  ) -> ProcessDefinition {
    var one = process(
      name, maxFailures: maxFailures, daemon: daemon, ephemeral: ephemeral, minDuration: minDuration)
    one.healthCheck = HealthCheck(probe: .tcp(port: 5432))
    return one
  }

  @Test func oneCanWaitUntilAnotherHasStarted() throws {
    let plan = task(process("server", ephemeral: true), waiting("client", for: "server", .started))
    let result = try simulate(plan, "server: runs")
    #expect(result.starts == ["0.0 server 0", "0.0 client 0"])
    #expect(result.verdict?.state == .finished)
    #expect(result.states(of: "server") == [.killed])
  }

  @Test func oneCanWaitUntilAnotherIsHealthy() throws {
    let plan = task(checked("db", daemon: true, ephemeral: true), waiting("web", for: "db", .healthy))
    let result = try simulate(plan, "db: runs; db: healthy @3s; web: exit 0 @2s")
    #expect(result.starts == ["0.0 db 0", "3.0 web 0"])
    #expect(result.verdict?.state == .finished)
  }

  @Test func aDaemonThatIsWaitedForDoesNotEndTheTaskEarly() throws {
    let plan = task(checked("db", daemon: true), waiting("web", for: "db", .healthy))
    let result = try simulate(plan, "db: healthy @3s; web: exit 0 @2s; stop @20s")
    #expect(result.starts == ["0.0 db 0", "3.0 web 0"])
    #expect(result.verdict?.state == .killed)
  }

  @Test func aRunThatIsNotHealthyIsEndedAndHasFailed() throws {
    let plan = task(checked("web", maxFailures: 2, minDuration: 1))
    let result = try simulate(plan, "web: runs; web: unhealthy @4s")
    #expect(result.states(of: "web") == [.failed, .failed])
    #expect(result.starts == ["0.0 web 0", "5.0 web 1"])
    #expect(result.verdict?.state == .failed)
    #expect(result.verdict?.reason == Reason.health)
    #expect(result.verdict?.message == "web run 1: unhealthy: simulated")
    #expect(result.verdict?.decider == RunReference(process: "web", run: 1))
  }

  @Test func anUnhealthyRunThatDoesNotEndIsKilled() throws {
    var web = checked("web")
    web.stopTimeout = 2
    let result = try simulate(task(web), "web: runs stops never; web: unhealthy @4s")
    let signals = result.timeline.compactMap { entry -> String? in
      guard case .effect(.terminate(_, _, let signal)) = entry.what else { return nil }
      return "\(Double(entry.at) / 1e9) \(SignalName.name(of: signal))"
    }
    #expect(signals == ["4.0 SIGTERM", "6.0 SIGKILL"])
    #expect(result.verdict?.message == "web run 0: unhealthy: simulated")
  }

  @Test func whatWasNeverHealthyIsNamed() throws {
    let plan = task(checked("db", ephemeral: true), waiting("web", for: "db", .healthy))
    let result = try simulate(plan, "db: exit 3 @1s; db: healthy @9s")
    #expect(result.verdict?.state == .failed)
    #expect(
      result.verdict?.message == "db run 0: exit status 3; it was never healthy, so these never started: web")
  }

  @Test func healthOfAnotherRunIsNoHealth() {
    let db = checked("db", maxFailures: 2, minDuration: 0)
    var harness = MachineHarness(task(db, waiting("web", for: "db", .healthy)))
    harness.send(.containerReady)
    harness.run("db")
    harness.end("db", 0, .exited(1), at: 1)
    harness.run("db", 1, at: 1)
    #expect(harness.send(.processHealthy(process: "db", run: 0), at: 2).isEmpty)
    #expect(
      harness.send(.processHealthy(process: "db", run: 1), at: 3) == [.start(process: "web", run: 0)])
  }

  @Test func aTaskIsRunningOnlyWhenItsOwnCheckSaysSo() {
    var plan = task(process("web"))
    plan.healthCheck = HealthCheck(probe: .tcp(port: 80))
    var harness = MachineHarness(plan)
    harness.send(.containerReady)
    harness.run("web")
    #expect(harness.states == [.starting])
    harness.send(.healthy, at: 3)
    #expect(harness.states == [.starting, .running])
  }

  @Test func anEphemeralThatNobodyWaitsForAnyMoreDoesNotHoldUpADeadEnd() throws {
    let plan = task(
      process("side", daemon: true, ephemeral: true), waiting("a", for: "side", .started),
      waiting("b", for: "a", .finished), maxFailures: 0)
    let result = try simulate(plan, "side: runs; a: exit 1")
    #expect(result.verdict?.state == .failed)
    #expect(result.verdict?.message == "a run 0: exit status 1; never started, because they wait for it: b")
  }
}
