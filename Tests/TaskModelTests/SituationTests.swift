import Testing

@testable import TaskModel

/// The table of situations in which a task ends of Thermos, and what differs from it on purpose (docs/differences.md).
@Suite struct SituationTests {
  private struct Situation {
    let task: TaskSpecification
    let script: String
    let state: TaskState
    let message: String
  }

  private static let situations: [String: Situation] = [
    "all succeed": .init(task: task(process("a"), process("b")), script: "", state: .finished, message: "finished"),
    "one fails for good": .init(
      task: task(process("a"), process("b")), script: "a: exit 3; b: exit 0 @100s", state: .failed,
      message: "a run 0: exit status 3"),
    "one of two allowed failures": .init(
      task: task(process("a"), process("b"), maxFailures: 2), script: "a: exit 3", state: .finished,
      message: "finished"),
    "an allowed failure that another waits for": .init(
      task: task(process("a"), process("b"), orders: [["a", "b"]], maxFailures: 2), script: "a: exit 3",
      state: .failed, message: "a run 0: exit status 3; never started, because they wait for it: b"),
    "any number may fail": .init(
      task: task(process("a"), process("b"), maxFailures: 0), script: "a: exit 1; b: exit 1", state: .finished,
      message: "finished"),
    "any number may fail, but one is waited for": .init(
      task: task(process("a"), process("b"), orders: [["a", "b"]], maxFailures: 0), script: "a: exit 1",
      state: .failed, message: "a run 0: exit status 1; never started, because they wait for it: b"),
    "only final processes": .init(
      task: task(process("f", final: true)), script: "f: exit 9", state: .finished, message: "finished"),
    "only ephemeral processes": .init(
      task: task(process("e", ephemeral: true)), script: "e: runs", state: .finished, message: "finished"),
    "a daemon up to its failures": .init(
      task: task(process("d", maxFailures: 2, daemon: true)), script: "d: exit 0 x3; d: exit 1 x2", state: .failed,
      message: "d run 4: exit status 1"),
    "an ephemeral process fails for good": .init(
      task: task(process("e", ephemeral: true), process("a")), script: "e: exit 1; a: exit 0 @10s",
      state: .finished, message: "finished"),
    "an ephemeral process still runs at the end": .init(
      task: task(process("e", ephemeral: true), process("a")), script: "e: runs", state: .finished,
      message: "finished"),
    "an ephemeral daemon still runs at the end": .init(
      task: task(process("e", daemon: true, ephemeral: true), process("a")), script: "", state: .finished,
      message: "finished"),
    "a failed predecessor beside an ephemeral daemon": .init(
      task: task(
        process("e", daemon: true, ephemeral: true), process("a"), process("b"), orders: [["a", "b"]], maxFailures: 0),
      script: "a: exit 1", state: .failed,
      message: "a run 0: exit status 1; never started, because they wait for it: b"),
    "final processes do not change the end": .init(
      task: task(process("a"), process("f", final: true)), script: "f: exit 1", state: .finished, message: "finished"),
    "a failure that is repeated": .init(
      task: task(process("a", maxFailures: 3)), script: "a: exit 1 x2; a: exit 0", state: .finished,
      message: "finished"),
    "a signal of someone else counts": .init(
      task: task(process("web", maxFailures: 3)), script: "web: signal SIGSEGV", state: .failed,
      message: "web run 2: killed by SIGSEGV"),
    "a run that is lost does not count": .init(
      task: task(process("a")), script: "a: lost x2; a: exit 0", state: .finished, message: "finished"),
    "a command that cannot start": .init(
      task: task(process("a")), script: "a: cannot start", state: .failed,
      message: "a run 0: cannot start: simulated"),
    "the container is lost": .init(
      task: task(process("a")), script: "a: runs; container lost @3s", state: .lost, message: "simulated"),
    "the container fails": .init(
      task: task(process("a")), script: "container failed @3s", state: .failed, message: "simulated"),
    "stopped": .init(task: task(process("a")), script: "a: runs; stop @3s", state: .killed, message: "stopped by stop"),
    "killed": .init(task: task(process("a")), script: "a: runs; kill @3s", state: .killed, message: "killed by kill"),
    "stopped before it ran": .init(
      task: task(process("a")), script: "ready @5s; stop @3s", state: .killed,
      message: "stopped by stop before it ran"),
    "over its disk": .init(
      task: task(process("a")), script: "a: runs; disk @3s", state: .failed, message: "disk limit exceeded"),
    "unhealthy": .init(
      task: task(process("a")), script: "a: runs; unhealthy @3s", state: .failed,
      message: "Failed health check! simulated"),
  ]

  @Test(arguments: situations.keys.sorted()) func endsAsItShould(_ name: String) throws {
    let situation = try #require(Self.situations[name])
    let result = try simulate(situation.task, situation.script)
    #expect(result.verdict?.state == situation.state)
    #expect(result.verdict?.message == situation.message)
    #expect(!result.isCutOff)
  }

  @Test func aRunCapEndsADaemonAndIsNamed() throws {
    let result = try simulate(task(process("d", maxFailures: 0, daemon: true)), "d: exit 0", maxRuns: 3)
    #expect(result.states(of: "d") == [.success, .success, .success])
    #expect(result.verdict?.state == .failed)
    #expect(
      result.verdict?.message == "d run 2: exit status 0; 3 runs are the most a process may have (--max-runs)")
    #expect(result.verdict?.decider == RunReference(process: "d", run: 2))
  }

  @Test func aSuccessInTheLastAllowedRunIsASuccess() throws {
    let result = try simulate(task(process("a", maxFailures: 0)), "a: exit 1 x2; a: exit 0", maxRuns: 3)
    #expect(result.verdict?.state == .finished)
  }

  @Test func nothingStartsForEphemeralProcessesAlone() throws {
    let result = try simulate(task(process("e", ephemeral: true)))
    #expect(result.starts == [])
    #expect(result.verdict?.notes == ["every regular process is ephemeral, so there was nothing to run for"])
  }

  @Test func outOfMemoryIsTheReasonWithLimitAndPeak() {
    var harness = MachineHarness(task(process("web", maxFailures: 1)))
    harness.send(.containerReady)
    harness.run("web")
    let megabytes: UInt64 = 512 << 20
    harness.end("web", 0, .outOfMemory(signal: 9, exitCode: nil, limitBytes: megabytes, peakBytes: megabytes), at: 1)
    harness.send(.allGone, at: 1)
    #expect(harness.verdict?.message == "web run 0: out of memory: 512 MiB limit, 512 MiB peak")
    #expect(harness.verdict?.reason == "REASON_CONTAINER_LIMITATION_MEMORY")
    #expect(harness.verdict?.state == .failed)
  }

  @Test func toleratedFailuresAreNoted() throws {
    let result = try simulate(task(process("a"), process("b"), maxFailures: 2), "a: exit 3")
    #expect(result.verdict?.notes == ["a run 0: exit status 3; max_failures allows it"])
  }

  @Test func aFailureStopsWhatStillRuns() throws {
    let result = try simulate(task(process("a"), process("b")), "a: exit 3 @2s; b: runs stops 4s")
    #expect(result.states(of: "b") == [.killed])
    #expect(
      result.timeline.map(\.description).suffix(6) == [
        "2.000 SIGTERM to b run 0", "2.000 SIGTERM to strays", "6.000 b run 0: killed by SIGTERM",
        "6.000 SIGKILL to all", "6.000 all processes gone", "6.000 TASK_FAILED: a run 0: exit status 3",
      ])
  }

  @Test func exitCodesThatAreASuccessCount() throws {
    var odd = process("a")
    odd.successExitCodes = [0, 75]
    #expect(try simulate(task(odd), "a: exit 75").verdict?.state == .finished)
    odd.successExitCodes = [75]
    #expect(try simulate(task(odd), "a: exit 0").verdict?.state == .failed)
  }

  @Test func atLastTheTaskRunsTooLong() throws {
    var long = task(process("a"))
    long.maxCompletionTime = 90
    let result = try simulate(long, "a: runs")
    #expect(result.verdict?.state == .failed)
    #expect(result.verdict?.reason == "REASON_MAX_COMPLETION_TIME_REACHED")
    #expect(result.verdict?.message == "ran longer than max_completion_time, 90 s")
    #expect(result.timeline.last?.at == 90 * second)
  }
}
