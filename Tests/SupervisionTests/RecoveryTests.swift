import Glibc
import LaunchModel
import LinuxKernel
import PlayedInit
import StrictJSON
import TaskModel
import TaskStore
import Testing

@testable import Supervision

/// A task whose executor was killed, at every point of its life: another one goes on where it was.
@Suite struct RecoveryTests {
  private let host: TaskHost

  init() throws { host = try TaskHost() }

  private func run(_ key: RunKey, _ state: RunState) -> RunReport { RunReport(key, state) }
  private let main = RunKey("main", 0)

  /// Runs a task, and has it stopped or killed while it runs.
  private func runAndAsk(_ request: ControlRequest) throws {
    _ = try host.run(TaskHost.withFinal, InitScript(ends: ["main": [.lives]])) { paths in
      let peer = try ControlPeer(paths)
      try peer.wait(run: "RUNNING")
      _ = try peer.ask(request)
    }
  }

  /// How often a process was asked for.
  private func spawned(_ heard: InitScript.Heard, _ process: String) -> Int {
    heard.requests.count { if case .spawn(let spec) = $0 { spec.process == process } else { false } }
  }

  @Test func aLaunchThatDidNotComeToItsEndIsDoneAnew() throws {
    // Who it is to be is looked up once more.
    host.settings.role = TaskHost.user
    _ = try host.run(TaskHost.task(), InitScript())
    try host.rewind(to: "created")
    // What a launch before may have left in the sandbox is not the task's.
    try writeFileAtomically(host.paths.sandbox + "/left", [], mode: 0o600)
    #expect(try host.recover(InitScript(), isAlive: false).state == .finished)
    #expect(throws: Errno.self) { try status(of: host.paths.sandbox + "/left") }
    #expect(try host.runs("main") == ["SUCCESS"])
  }

  @Test func aLaunchAnewThatFailsFailsTheTask() throws {
    // Who it is to be is looked up once more.
    host.settings.role = TaskHost.user
    _ = try host.run(TaskHost.task(), InitScript())
    try host.rewind(to: "created")
    host.prepare = { $0.imageName = "busybox" }
    try host.sender(SIGTERM)
    let end = try host.recover(InitScript(), isAlive: false)
    #expect(end.state == .killed && end.launchFailure?.kind == .stopped)
  }

  @Test func aContainerThatStandsGetsItsFirstProcess() throws {
    _ = try host.run(TaskHost.task(), InitScript())
    try host.rewind(to: "launched")
    #expect(try host.recover(InitScript(), isAlive: true).state == .finished)
    #expect(try host.runs("main") == ["SUCCESS"])
  }

  @Test func aRunThatNobodyForkedIsAskedForAgain() throws {
    _ = try host.run(TaskHost.task(), InitScript())
    try host.rewind(to: "intent")
    let heard = InitScript.Heard()
    var script = InitScript()
    script.heard = heard
    #expect(try host.recover(script, isAlive: true).state == .finished)
    #expect(spawned(heard, "main") == 1)
    #expect(try host.runs("main") == ["SUCCESS"])
  }

  @Test func aRunThatIsHeldMayGo() throws {
    _ = try host.run(TaskHost.task(), InitScript())
    try host.rewind(to: "forked")
    let heard = InitScript.Heard()
    var script = InitScript(reports: [run(main, .held(pid: 7))])
    script.heard = heard
    #expect(try host.recover(script, isAlive: true).state == .finished)
    // Not a second time.
    #expect(spawned(heard, "main") == 0 && heard.requests.contains(.go(main)))
  }

  @Test func aRunThatWentOnMeanwhileIsBelieved() throws {
    _ = try host.run(TaskHost.task(), InitScript())
    try host.rewind(to: "intent")
    let record = ExitRecord(key: main, waitStatus: 5 << 8, bootTime: Clock.now, wallTime: Clock.wall)
    // One that the journal does not know is nobody's.
    let reports = [run(main, .ended(record)), run(RunKey("main", 9), .running(pid: 4))]
    #expect(try host.recover(InitScript(reports: reports), isAlive: true).state == .failed)
    #expect(try host.runs("main") == ["FAILED"])
  }

  @Test func aTaskThatIsTakenOverIsStoppedAsAnyOther() throws {
    _ = try host.run(TaskHost.task(), InitScript())
    try host.rewind(to: "running")
    host.change = { $0.ending = .graceful(by: "a test", origin: .request) }
    let heard = InitScript.Heard()
    var script = InitScript(ends: ["main": [.lives]], reports: [run(main, .running(pid: 7))])
    script.heard = heard
    #expect(try host.recover(script, isAlive: true).state == .killed)
    #expect(heard.requests.contains(.signal(main, SIGTERM)))
    #expect(try host.runs("main") == ["KILLED"])
  }

  @Test func aStopThatWasUnderWayIsGoneOnWith() throws {
    try runAndAsk(.stop)
    try host.rewind(to: "stop")
    let heard = InitScript.Heard()
    var script = InitScript(ends: ["main": [.lives]], reports: [run(main, .running(pid: 7))])
    script.heard = heard
    #expect(try host.recover(script, isAlive: true).state == .killed)
    #expect(try host.result["message"]?.string?.hasPrefix("stopped by a request from pid") == true)
    #expect(try host.runs("last") == ["SUCCESS"])
  }

  @Test func aTaskThatWasBeingKilledIsKilled() throws {
    try runAndAsk(.kill)
    try host.rewind { $0.type == "stop" && $0.json["now"]?.bool == true }
    let heard = InitScript.Heard()
    var script = InitScript(ends: ["main": [.defies]], reports: [run(main, .running(pid: 7))])
    script.heard = heard
    #expect(try host.recover(script, isAlive: true).state == .killed)
    #expect(heard.requests.contains(.killAll))
    #expect(try host.runs("last").isEmpty)
  }

  @Test func finalProcessesAreGoneOnWith() throws {
    _ = try host.run(TaskHost.withFinal, InitScript(ends: ["main": [.exits(4)]]))
    try host.rewind { $0.type == "running" && $0.json["process"]?.string == "last" }
    let last = RunKey("last", 0)
    let record = ExitRecord(key: last, waitStatus: 0, bootTime: Clock.now, wallTime: Clock.wall)
    #expect(try host.recover(InitScript(reports: [run(last, .ended(record))]), isAlive: true).state == .failed)
    #expect(try host.result["message"]?.string?.contains("exit status 4") == true)
    #expect(try host.runs("last") == ["SUCCESS"])
  }

  @Test func aLostInitsLastWordsCountAndTheRestIsLost() throws {
    _ = try host.run(TaskHost.withFinal, InitScript(ends: ["main": [.exits(0)]]))
    try host.rewind(to: "running")
    // It wrote down the end of `main`, and was gone before the final process ran.
    #expect(try host.recover(InitScript(), isAlive: false).state == .finished)
    #expect(try host.runs("main") == ["SUCCESS"])
    #expect(try host.notes.contains("container-init was gone"))
  }

  @Test func whatWasNotedIsInTheResultAllTheSame() throws {
    var script = InitScript()
    script.remarks = ["main": [.logTrouble(main, "stdout: no space")]]
    _ = try host.run(TaskHost.task(), script)
    try host.rewind(to: "note")
    let record = ExitRecord(key: main, waitStatus: 0, bootTime: Clock.now, wallTime: Clock.wall)
    _ = try host.recover(InitScript(reports: [run(main, .ended(record))]), isAlive: true)
    #expect(try host.notes == "main run 0: stdout: no space")
  }

  @Test func aDamagedJournalIsNotGoneOnWith() throws {
    _ = try host.run(TaskHost.task(), InitScript())
    try host.rewind(to: "running")
    let bytes = try readFile(host.paths.journal)
    try writeFileAtomically(host.paths.journal, bytes + Array("{}\n".utf8), mode: 0o600)
    let failure = #expect(throws: ExecutorFailure.self) { try host.recover(InitScript(), isAlive: true) }
    #expect(failure?.message.contains("is damaged after line") == true)
    #expect(try readFile(host.paths.journal).count == bytes.count + 3)
  }
}
