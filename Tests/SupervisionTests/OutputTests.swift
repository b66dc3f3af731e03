import Glibc
import LaunchModel
import LinuxKernel
import PlayedInit
import TaskModel
import TaskStore
import Testing

@testable import Supervision

/// What processes write, as the one sees it who has started the executor: all of it with `--follow`, else what the document
/// sends to the console; once, in order, and not more than he reads.
@Suite struct OutputTests {
  private let host: TaskHost

  init() throws { host = try TaskHost() }

  private func script(_ output: String, errors: String = "") -> InitScript {
    var script = InitScript()
    script.output = ["main": (output, errors), "longer": ("b\n", "")]
    return script
  }

  @Test func withFollowEveryLineHasItsProcess() throws {
    host.follows = true
    let text = #"""
      {"name": "t", "processes": [
        {"name": "main", "cmdline": "x"}, {"name": "longer", "cmdline": "x", "after": ["main"]}]}
      """#
    _ = try host.run(text, script("one\ntwo\nno end", errors: "oh\n"))
    #expect(try host.output == "main   | one\nmain   | two\nmain   | no end\nlonger | b\n")
    #expect(try host.errors.contains("main   | oh\n"))
  }

  @Test(arguments: ["console", "both"])
  func whatBelongsOnTheConsoleIsThereAsItIs(destination: String) throws {
    let logger = #", "logger": {"destination": "\#(destination)"}"#
    _ = try host.run(TaskHost.task(process: logger), script("a\u{1b}[1m\0b"))
    #expect(try host.output == "a\u{1b}[1m\0b")
    // A console keeps no log.
    let log = try? readFile(host.paths.logs("main", 0) + "/stdout")
    #expect(log.map { String(decoding: $0, as: UTF8.self) } == (destination == "both" ? "a\u{1b}[1m\0b" : nil))
  }

  @Test func withoutEitherNothingIsShown() throws {
    _ = try host.run(TaskHost.task(), script("quiet\n"))
    #expect(try host.output.isEmpty && !host.errors.contains("quiet"))
    #expect(try readFile(host.paths.logs("main", 0) + "/stdout") == Array("quiet\n".utf8))
  }

  @Test func aDetachedExecutorShowsNothing() throws {
    host.follows = true
    host.change = { $0.isDetached = true }
    // Its standard error is the task's log, which is a file of the test's here.
    _ = try? host.run(TaskHost.task(), script("quiet\n"))
    #expect(try host.output.isEmpty)
  }

  @Test func aLineWithoutEndIsShownInPieces() throws {
    host.follows = true
    _ = try host.run(TaskHost.task(), script(String(repeating: "é", count: 10_000) + "\nlast\n"))
    let lines = try host.output.split(separator: "\n").map(String.init)
    #expect(lines.count == 3 && lines.allSatisfy { $0.hasPrefix("main | ") } && lines.last == "main | last")
    // Cut between characters.
    #expect(lines[0].unicodeScalars.allSatisfy { $0 != "\u{fffd}" })
    #expect(lines.dropLast().joined().unicodeScalars.count { $0 == "é" } == 10_000)
  }

  @Test func whatATakeoverFindsIsShownOnce() throws {
    let text = TaskHost.task(process: #", "logger": {"destination": "both"}"#)
    _ = try host.run(text, script("before\n"))
    try host.rewind(to: "running")
    try makeDirectories(host.paths.run, mode: 0o700)
    try makeSymbolicLink(host.paths.runOwner, to: host.paths.workDirectory)
    // What another executor has shown.
    let runDirectory = try RunDirectory.make(host.paths, isTakeover: true)
    let positions = ShownPositions(host.paths, runDirectory, "main", 0)
    #expect(positions.position(0) == nil)
    positions.note(UInt64("before\n".utf8.count), 0)
    let path = host.paths.logs("main", 0) + "/stdout"
    // Beside it is where in the stream it begins, as init has it.
    try writeFileAtomically(LogIndexRecord.name(of: path), LogIndexRecord.header(position: 0), mode: 0o600)
    let log = try openFile(path, O_WRONLY | O_APPEND)
    try log.writeAll(Array("meanwhile\n".utf8))
    let record = ExitRecord(key: RunKey("main", 0), waitStatus: 0, bootTime: Clock.now, wallTime: Clock.wall)
    let script = InitScript(reports: [RunReport(RunKey("main", 0), .ended(record))])
    #expect(try host.recover(script, isAlive: true).state == .finished)
    let (shown, said) = (try host.output, try host.errors)
    #expect(shown == "before\nmeanwhile\n", "\(said)")
  }

  @Test func positionsAreRemovedWhereTheDirectoryIsStillTheTasks() throws {
    let runDirectory = try RunDirectory.make(host.paths)
    let positions = ShownPositions(host.paths, runDirectory, "main", 0)
    positions.note(5, 1)
    #expect(ShownPositions(host.paths, runDirectory, "main", 0).position(1) == 5)
    // Somebody has removed the directory, and another has one of this name: nothing is made or removed there.
    try removeTree(host.paths.run)
    positions.remove()
    #expect(throws: Errno.self) { try status(of: host.paths.run) }
    try makeDirectories(host.paths.shown + "/main", mode: 0o700)
    try writeFileAtomically(host.paths.shown("main", 0), [1], mode: 0o600)
    positions.remove()
    #expect(try readFile(host.paths.shown("main", 0)) == [1])
  }

  @Test func logsOfOldRunsMakeRoom() throws {
    host.settings.logBytes = 64 << 10
    var script = InitScript(ends: ["main": [.exits(1), .exits(1), .exits(1), .exits(0)]])
    script.output = ["main": (String(repeating: "x", count: 40 << 10), "")]
    let text = TaskHost.task(process: #", "max_failures": 9, "min_duration": 0"#)
    #expect(try host.run(text, script).state == .finished)
    let removed = try host.journal.filter { $0.type == "logs_removed" }.compactMap { $0.json["run"]?.integer }
    #expect(!removed.isEmpty && removed == Array(0..<Int64(removed.count)))
    #expect(throws: Errno.self) { try status(of: host.paths.logs("main", 0)) }
    // The last has its own.
    #expect(try readFile(host.paths.logs("main", 3) + "/stdout").count == 40 << 10)
    #expect(try host.notes.contains("were removed: the logs of all runs may take 64 KiB"))
  }
}
