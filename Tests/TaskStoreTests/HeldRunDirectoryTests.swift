import Glibc
import LinuxKernel
import Testing

@testable import TaskStore

/// What an executor does in its task's run directory when somebody has removed it, and maybe put another in its place.
@Suite struct HeldRunDirectoryTests {
  private final class Host {
    let path = "/tmp/aurora-held-\(UInt64.random(in: 0 ... .max))"
    let paths: TaskPaths
    let other: TaskPaths

    init() throws {
      paths = TaskPaths(workDirectory: path + "/w", runDirectory: path + "/r", taskID: "t")
      other = TaskPaths(workDirectory: path + "/other", runDirectory: path + "/r", taskID: "t")
      for task in [paths.task, other.task] { try makeDirectories(task, mode: 0o700) }
    }
    deinit { try? removeTree(path) }

    /// A directory of another task where ours was, with what is in one.
    func replace() throws {
      try removeTree(paths.run)
      try RunDirectory.make(other)
      try makeDirectory(other.networkFiles, mode: 0o700)
    }
  }

  private func names(_ path: String) -> Set<String> {
    Set(((try? entries(of: path)) ?? []).map { String(decoding: $0.name, as: UTF8.self) })
  }

  @Test func itGoesWithTheTask() throws {
    let host = try Host()
    let held = try RunDirectory.make(host.paths)
    try makeDirectory(host.paths.networkFiles, mode: 0o700)
    try held.require()
    try held.remove(keepsMounts: false)
    #expect(names(host.path + "/r") == [])
    // And once more, which is no fault.
    try held.remove(keepsMounts: false)
  }

  @Test func whatIsNoTasksStays() throws {
    let host = try Host()
    let held = try RunDirectory.make(host.paths)
    try makeDirectory(host.paths.run + "/strange", mode: 0o700)
    #expect(throws: Errno.self) { try held.remove(keepsMounts: false) }
    #expect(names(host.paths.run) == ["strange", "work-dir"])
  }

  @Test func whatIsMissingIsMadeAnew() throws {
    let host = try Host()
    let held = try RunDirectory.make(host.paths)
    try removeFile(host.paths.runOwner)
    try makeDirectory(host.paths.networkFiles, mode: 0o700)
    try held.renew()
    #expect(names(host.paths.run) == ["network", "work-dir"])
    try removeTree(host.path + "/r")
    #expect(!held.isInPlace)
    try held.renew()
    #expect(held.isInPlace)
    #expect(names(host.paths.run) == ["work-dir"])
  }

  @Test(arguments: ["", "link", "work directory"]) func anothersIsLeftAlone(missing: String) throws {
    let host = try Host()
    let held = try RunDirectory.make(host.paths)
    try host.replace()
    if missing == "link" { try removeFile(host.other.runOwner) }
    if missing == "work directory" { try removeTree(host.other.workDirectory) }
    let before = names(host.paths.run)
    #expect(!held.isInPlace)
    #expect(throws: Errno.self) { try held.require() }
    #expect(throws: ExecutorFailure.self) { try held.renew() }
    try held.remove(keepsMounts: false)
    #expect(names(host.paths.run) == before)
    #expect(before == (missing == "link" ? ["network"] : ["network", "work-dir"]))
  }

  @Test func anExecutorThatListensWhileOursIsGoneIsAnothers() throws {
    let host = try Host()
    try RunDirectory.make(host.paths)
    try host.replace()
    try removeFile(host.paths.runOwner)
    let listener = try UnixSocket.listen(host.other.executorSocket, kind: .stream)
    #expect(throws: ExecutorFailure.self) { try RunDirectory.make(host.paths, isTakeover: true) }
    #expect(names(host.paths.run) == ["executor.sock", "network"])
    _ = consume listener
    try RunDirectory.make(host.paths, isTakeover: true)
    #expect(RunDirectory.isOwn(host.paths))
  }
}
