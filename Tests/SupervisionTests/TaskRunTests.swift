import LaunchModel
import LinuxKernel
import PlayedInit
import StrictJSON
import TaskModel
import TaskStore
import Testing

@testable import Supervision

/// Whole runs of tasks, from the document to the result, with a container-init that is played. Without root.
@Suite struct TaskRunTests {
  private static let one = TaskHost.task()

  @Test func aTaskRunsFromItsDocumentToItsResult() throws {
    let host = try TaskHost()
    let end = try host.run(Self.one, InitScript())
    #expect(end.state == .finished && !end.isUnclean && end.launchFailure == nil)
    #expect(try host.result["state"]?.string == "TASK_FINISHED")
    #expect(try host.runs("main") == ["SUCCESS"])
    let types = try host.journal.map(\.type)
    let wanted = ["created", "launched", "intent", "forked", "running", "ended", "finished"]
    #expect(types.filter(wanted.contains) == wanted)
    #expect(host.containerizer?.container?.destroyed == 1)
    // Nothing of it is left where sockets are, and nobody goes on with it.
    #expect(throws: Errno.self) { try status(of: host.paths.run) }
    #expect(throws: Errno.self) { try status(of: host.paths.launchRecord) }
  }

  @Test func aFailureIsTriedAgain() throws {
    let host = try TaskHost()
    let text = #"{"name": "t", "processes": [{"name": "main", "cmdline": "x", "max_failures": 3, "min_duration": 0}]}"#
    let end = try host.run(text, InitScript(ends: ["main": [.exits(1), .exits(2), .exits(0)]]))
    #expect(end.state == .finished)
    #expect(try host.runs("main") == ["FAILED", "FAILED", "SUCCESS"])
  }

  @Test func finalProcessesRunAfterAFailure() throws {
    let host = try TaskHost()
    let text = #"""
      {"name": "t", "processes": [
        {"name": "main", "cmdline": "x"}, {"name": "last", "cmdline": "x", "final": true}]}
      """#
    let end = try host.run(text, InitScript(ends: ["main": [.exits(7)]]))
    #expect(end.state == .failed)
    #expect(try host.result["message"]?.string?.contains("exit status 7") == true)
    #expect(try host.runs("last") == ["SUCCESS"])
  }

  @Test func aStopAsksAndWaits() throws {
    let host = try TaskHost()
    let end = try host.run(
      Self.one, InitScript(ends: ["main": [.lives]]), ending: .graceful(by: "a test", origin: .request))
    #expect(end.state == .killed)
    #expect(try host.result["stop_origin"]?.string == "request")
  }

  @Test(arguments: [(nil, "TASK_LOST"), (0, "TASK_FINISHED"), (5, "TASK_FAILED")] as [(Int32?, String)])
  func whatInitWroteBeforeItsEndCounts(code: Int32?, state: String) throws {
    let host = try TaskHost()
    _ = try host.run(Self.one, InitScript(ends: ["main": [.takesInitAlong(writing: code)]]))
    #expect(try host.result["state"]?.string == state)
  }

  @Test func whatCannotBeStartedSaysWhy() throws {
    let host = try TaskHost()
    let failure = StartFailure(.workingDirectory, "cannot enter /x", hint: "make it")
    let end = try host.run(Self.one, InitScript(ends: ["main": [.cannotStart(failure)]]))
    #expect(end.state == .failed)
    let run = try #require(try host.result["processes"]?["main"]?["runs"]?.array?.first)
    #expect(run.compact.contains("cannot enter /x") && run.compact.contains("make it"))
  }

  @Test func aSetUpThatFailsFailsTheTask() throws {
    let host = try TaskHost()
    let end = try host.run(Self.one, InitScript(setupFailure: ("no room for it", "make room")))
    #expect(end.state == .failed)
    #expect(try host.result["message"]?.string == "no room for it")
    #expect(try host.result["hint"]?.string == "make room")
  }

  @Test func aLaunchThatFailsKeepsItsKind() throws {
    let host = try TaskHost()
    let failure = ExecutorFailure(.unavailable, "no engine", hint: "start one")
    let end = try host.run(Self.one, InitScript(), failure: failure)
    #expect(end.state == .failed && end.launchFailure?.kind == .unavailable)
    #expect(host.containerizer?.abandoned == 1)
    #expect(try host.result["message"]?.string == "no engine")
    #expect(throws: Errno.self) { try status(of: host.paths.run) }
  }

  @Test func aTaskIsTakenOverWhereItWasLeft() throws {
    let host = try TaskHost()
    let text = #"""
      {"name": "t", "processes": [
        {"name": "main", "cmdline": "x"}, {"name": "next", "cmdline": "x", "after": ["main"]}]}
      """#
    _ = try host.run(text, InitScript())
    try host.rewind(to: "running")
    // It has ended while there was no executor: the rest follows.
    let record = ExitRecord(key: RunKey("main", 0), waitStatus: 0, bootTime: Clock.now, wallTime: Clock.wall)
    let script = InitScript(reports: [RunReport(RunKey("main", 0), .ended(record))])
    #expect(try host.recover(script, isAlive: true).state == .finished)
    #expect(try host.runs("main") == ["SUCCESS"] && host.runs("next") == ["SUCCESS"])
    #expect(try host.journal.map(\.type).contains("recovered"))
    #expect(host.containerizer?.container?.destroyed == 1)
  }

  @Test func aTaskWhoseInitIsGoneIsLost() throws {
    let host = try TaskHost()
    _ = try host.run(Self.one, InitScript())
    try removeFile(host.paths.exits)
    try host.rewind(to: "running")
    #expect(try host.recover(InitScript(), isAlive: false).state == .lost)
    #expect(try host.result["message"]?.string?.contains("container-init was gone") == true)
  }

  @Test func whatWasDecidedStaysDecided() throws {
    let host = try TaskHost()
    _ = try host.run(Self.one, InitScript(ends: ["main": [.exits(9)]]))
    let before = try host.result
    try host.rewind(to: "finished")
    #expect(try host.recover(InitScript(), isAlive: false).state == .failed)
    #expect(try host.result["message"]?.string == before["message"]?.string)
  }

  @Test func aTaskThatHasEndedOrThatSomebodyRunsIsNotTakenOver() throws {
    let host = try TaskHost()
    _ = try host.run(Self.one, InitScript())
    #expect(throws: ExecutorFailure.self) { try host.recover(InitScript(), isAlive: false) }
    try host.rewind(to: "running")
    let lock = try TaskLock.take(host.paths)
    #expect(throws: ExecutorFailure.self) { try host.recover(InitScript(), isAlive: false) }
    withExtendedLifetime(lock) {}
  }
}
