import Testing

@testable import TaskModel

@Suite struct SimulationTests {
  @Test func aScriptSaysWhatHappensWhen() throws {
    let plan = task(process("web", maxFailures: 3), process("db", daemon: true, ephemeral: true))
    let result = try simulate(plan, "web: exit 1 @3s x2; db: healthy @5s; kill @40s; web: runs")
    #expect(
      result.timeline.map(\.description) == [
        "0.000 container ready", "0.000 TASK_STARTING", "0.000 start web run 0", "0.000 start db run 0",
        "0.000 web run 0: forked", "0.000 web run 0: running", "0.000 TASK_RUNNING", "0.000 db run 0: forked",
        "0.000 db run 0: running", "3.000 web run 0: exit status 1", "5.000 healthy", "8.000 start web run 1",
        "8.000 web run 1: forked", "8.000 web run 1: running", "11.000 web run 1: exit status 1",
        "16.000 start web run 2", "16.000 web run 2: forked", "16.000 web run 2: running",
        "40.000 kill asked for by kill", "40.000 SIGKILL to all", "40.000 all processes gone",
        "40.000 TASK_KILLED: killed by kill",
      ])
    #expect(result.states(of: "web") == [.failed, .failed, .killed])
  }

  @Test func statementsHoldOneAfterTheOther() throws {
    let script = try SimulationScript("a: exit 1; a: exit 2 x2; a: signal HUP @250ms", processes: ["a"])
    let outcomes = (0..<5).map { script.act(of: "a", run: $0)?.outcome }
    #expect(outcomes == [.exited(1), .exited(2), .exited(2), .signaled(1), .signaled(1)])
    #expect(script.act(of: "a", run: 4)?.after == 250_000_000)
    #expect(script.act(of: "b", run: 0) == nil)
  }

  @Test func namesMayStandInQuotes() throws {
    let script = try SimulationScript(#""a b; c": exit 7 @1.5m"#, processes: ["a b; c"])
    #expect(script.act(of: "a b; c", run: 0)?.after == 90 * second)
  }

  @Test(arguments: [
    ("bbb: exit 0", #"column 1: no process is named "bbb"; did you mean "bb"?"#),
    ("bb: exit", "column 9: expected a number from 0 to 255"),
    ("bb: exit 256", "column 10: expected a number from 0 to 255"),
    ("bb: explode", #"column 5: "explode" is none of exit, signal, oom, cannot start, lost, runs"#),
    ("bb: exit 0 @soon", "column 13: expected a time, as 250ms, 3s, 2m or 1h"),
    ("bb: exit 0 x0", #"column 12: expected @TIME, xCOUNT or stops, found "x0""#),
    ("bb: signal SIGNOPE", "column 12: expected a signal, as SIGSEGV"),
    (
      "reboot @3s",
      #"column 1: "reboot" is none of ready, stop, kill, healthy, unhealthy, disk, container lost, container failed"#
    ),
    ("kill", "column 1: expected @TIME after kill"),
    (#""bb: exit 0"#, "column 1: the quotes are not closed"),
    ("kill @1s stop @2s", "column 10: expected \";\""),
    ("kill @99999999999999999999s", "column 7: expected a time, as 250ms, 3s, 2m or 1h"),
  ])
  func aFaultOfAScriptIsNamedWithItsColumn(script: String, fault: String) {
    let error = #expect(throws: SimulationScriptError.self) { try SimulationScript(script, processes: ["bb"]) }
    #expect(error?.description == fault)
  }

  @Test func aTaskThatNeverEndsIsShownAsOne() throws {
    let result = try simulate(task(process("d", daemon: true)))
    #expect(result.verdict == nil)
    #expect(!result.isCutOff)
    #expect(result.states(of: "d") == [.running])
  }

  @Test func aTaskThatGoesRoundForEverIsCutOff() throws {
    let plan = task(process("d", maxFailures: 0, daemon: true, minDuration: 0))
    let result = try simulate(plan, "d: exit 0 @0s", maxRuns: .max)
    #expect(result.isCutOff)
    #expect(result.verdict == nil)
  }
}

@Suite struct SmallThingsTests {
  @Test(
    arguments: [
      (0, "0 B"), (1023, "1023 B"), (1024, "1 KiB"), (1536, "1.5 KiB"), (512 << 20, "512 MiB"),
      ((1 << 30) - 1, "1023.9 MiB"), (.max, "15.9 EiB"),
    ] as [(UInt64, String)])
  func bytesAreReadable(count: UInt64, text: String) { #expect(Quantity.bytes(count) == text) }

  @Test(arguments: [(30.0, "30 s"), (0.2, "0.2 s"), (1.25, "1.25 s"), (0.0, "0 s"), (90.001, "90.001 s")])
  func secondsAreReadable(seconds: Double, text: String) { #expect(Quantity.seconds(seconds) == text) }

  @Test func signalsHaveNames() {
    for signal in Int32(1)...64 where signal != 32 && signal != 33 {
      #expect(SignalName.number(of: SignalName.name(of: signal)) == signal)
    }
    #expect(SignalName.number(of: "term") == 15)
    #expect(SignalName.number(of: "9") == 9)
    for text in ["", "SIG", "0", "65", "NOPE", "SIGTERM ", "-9", "+9"] { #expect(SignalName.number(of: text) == nil) }
    #expect(SignalName.name(of: 99) == "signal 99")
  }

  @Test(arguments: [
    ("max_failurs", "max_failures"), ("maxFailures", "max_failures"), ("max-failures", "max_failures"),
    ("cmdlien", "cmdline"), ("Name", "name"),
  ])
  func slipsAreRecognised(word: String, meant: String) {
    #expect(NearestKey.find(word, among: ["name", "max_failures", "cmdline", "daemon"]) == meant)
  }

  @Test func whatIsFarIsNoSlip() {
    for word in ["", "x", "something", String(repeating: "a", count: 10_000)] {
      #expect(NearestKey.find(word, among: ["name", "max_failures", "cmdline"]) == nil)
    }
  }
}
