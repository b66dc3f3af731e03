import Glibc
import LinuxKernel
import Testing

@testable import Supervision
@testable import TaskModel
@testable import TaskStore

/// A task that got to write into its logs makes what is root's there a link to something else: nothing of that is removed,
/// read or written, and what is in the way is said.
@Suite struct LogTreeTests {
  /// What stands in the place of `logs/main`, or of `logs/main/0`.
  enum Planted: CaseIterable {
    case linkToProcess, relativeLinkToProcess, linkToAnotherProcess, linkToRun, fileAsProcess, fileAsRun

    var isProcess: Bool { self != .linkToRun && self != .fileAsRun }
  }

  private final class Host {
    let path = "/tmp/aurora-tree-\(UInt64.random(in: 0 ... .max))"
    let paths: TaskPaths
    var outside: String { path + "/outside" }

    init(_ planted: Planted? = nil) throws {
      paths = TaskPaths(workDirectory: path + "/w", runDirectory: path + "/r", taskID: "t")
      try makeDirectories(paths.logs)
      for folder in [outside, "\(paths.logs)/other"] {
        try makeDirectories(folder + "/0")
        for name in ["stdout", "stderr"] { try writeFileAtomically("\(folder)/0/\(name)", Array("secret\n".utf8)) }
      }
      if planted?.isProcess == false { try makeDirectory("\(paths.logs)/main", mode: 0o755) }
      switch planted {
      case .linkToProcess: try makeSymbolicLink("\(paths.logs)/main", to: outside)
      case .relativeLinkToProcess: try makeSymbolicLink("\(paths.logs)/main", to: "../../../../outside")
      case .linkToAnotherProcess: try makeSymbolicLink("\(paths.logs)/main", to: "other")
      case .linkToRun: try makeSymbolicLink("\(paths.logs)/main/0", to: outside + "/0")
      case .fileAsProcess: try writeFileAtomically("\(paths.logs)/main", [1])
      case .fileAsRun: try writeFileAtomically("\(paths.logs)/main/0", [1])
      case nil: break
      }
    }
    deinit { try? removeTree(path) }

    func runDirectory() throws -> HeldRunDirectory { try RunDirectory.make(paths) }

    /// Names, contents and modes of what must stay as it is.
    func others() throws -> [String] {
      try [outside, "\(paths.logs)/other"].flatMap { folder in
        try ["/0/stdout", "/0/stderr"].map { name in
          let about = try status(of: folder + name)
          return "\(name) \(try readFile(folder + name)) \(about.mode) \(about.uid) \(about.modified)"
        }
          + [folder, folder + "/0"].map { directory in
            let about = try status(of: directory)
            return "\(try entries(of: directory).count) \(about.mode) \(about.uid)"
          }
      }
    }
  }

  private let process = ProcessDefinition(name: "main", command: "true")

  private func record(runs: Int) -> ProcessRecord {
    var record = ProcessRecord(name: "main")
    for number in 0..<runs {
      var run = RunRecord(number: number, requestedAt: 1)
      (run.state, run.forkedAt, run.startedAt) = (number < runs - 1 ? .failed : .running, 1, 1)
      run.endedAt = number < runs - 1 ? UInt64(number) + 2 : nil
      record.runs.append(run)
    }
    return record
  }

  @Test(arguments: Planted.allCases) func nothingIsRemovedOrReadThroughALink(planted: Planted) throws {
    let host = try Host(planted)
    let before = try host.others()
    var said: [String] = []
    let tree = try LogTree(host.paths.logs) { said.append($0) }
    #expect(tree.run("main", 0) == nil)
    #expect(!tree.remove("main", 0))
    #expect(tree.runs(of: "main") == (planted.isProcess ? [] : [0]))
    #expect(tree.processes() == (planted.isProcess ? ["other"] : ["main", "other"]))
    #expect(said.count == 1 && said[0].contains(planted.isProcess ? "/main is a link" : "/main/0 is a link"), "\(said)")
    let shown = ProcessLog(process: "main", stream: "stdout", tree: tree, runs: .all, since: nil)
    shown.begin(tail: 10)
    #expect(shown.next() == nil)
    #expect(try host.others() == before)
  }

  @Test(arguments: Planted.allCases) func theKeeperRemovesNothingElsewhereAndSaysSo(planted: Planted) throws {
    let host = try Host(planted)
    let before = try host.others()
    let ceiling = LogCeiling(asked: 0, disk: nil)
    let keeper = try LogKeeper(ceiling, [process], host.paths, removed: [])
    try makeDirectories("\(host.path)/w/tasks/t/logs/more/0")
    for _ in 0..<2 { _ = keeper.makeRoom([record(runs: 3)], ["main": process]) }
    #expect(try host.others() == before)
    #expect(keeper.takeWarnings().contains { $0.contains("is not followed") || $0.contains("no directory") })
    #expect(keeper.takeWarnings() == [] && keeper.notes.contains { $0.contains("not followed") })
  }

  @Test func theKeeperRemovesWhatIsTheTasksOwn() throws {
    let host = try Host()
    for run in 0..<3 {
      try makeDirectories(host.paths.logs("main", run))
      try writeFileAtomically(host.paths.logs("main", run) + "/stdout", [UInt8](repeating: 1, count: 9000))
      // Links in a run go with it, and what they lead to stays.
      try makeSymbolicLink(host.paths.logs("main", run) + "/link", to: host.outside)
    }
    let before = try host.others()
    let keeper = try LogKeeper(LogCeiling(asked: 1, disk: nil), [process], host.paths, removed: [])
    let done = keeper.makeRoom([record(runs: 3)], ["main": process])
    #expect(done.map(\.run) == [0, 1] && keeper.takeWarnings() == [])
    #expect(try entries(of: host.paths.logs + "/main").map(\.name) == [Array("2".utf8)])
    #expect(try host.others() == before)
  }

  @Test(arguments: Planted.allCases) func nothingIsWrittenThroughALink(planted: Planted) throws {
    let host = try Host(planted)
    let before = try host.others()
    let roots = LogRoots(host.paths, try host.runDirectory(), reader: 12345)
    let bound = LogBound(ceiling: 1 << 30, [process])
    #expect(throws: Errno.self) { _ = try RunLogs(process, run: 0, in: roots, consoles: 0, within: bound) }
    #expect(try host.others() == before)
  }

  @Test(arguments: ["link", "hard link", "pipe"]) func aLogFileIsAFileOfItsOwn(kind: String) throws {
    let host = try Host()
    let directory = host.paths.logs("main", 0)
    try makeDirectories(directory)
    switch kind {
    case "link": try makeSymbolicLink(directory + "/stdout", to: host.outside + "/0/stdout")
    case "hard link":
      try makeHardLink(
        host.outside + "/0/stdout", at: currentDirectory, to: directory + "/stdout", at: currentDirectory)
    default: #expect(mkfifo(directory + "/stdout", 0o600) == 0)
    }
    let before = try host.others()
    let roots = LogRoots(host.paths, try host.runDirectory(), reader: 12345)
    let bound = LogBound(ceiling: 1 << 30, [process])
    #expect(throws: Errno.self) { _ = try RunLogs(process, run: 0, in: roots, consoles: 0, within: bound) }
    #expect(try host.others() == before)
  }

  @Test(arguments: Planted.allCases) func aFollowerShowsNothingThroughALink(planted: Planted) throws {
    let host = try Host(planted)
    let before = try host.others()
    let output = try ExecutorOutput(statuses: [], updatesOnOutput: false)
    let follower = try #require(
      ConsoleFollower([process], paths: host.paths, try host.runDirectory(), output: output, showsAll: true))
    let accepted = output.output.accepted
    follower.follow(process, run: 0)
    follower.drain(process: "main", run: 0)
    follower.finish()
    #expect(output.output.accepted == accepted || output.output === output.errors)
    #expect(try host.others() == before)
  }

  @Test func theOutcomeIsWrittenBesideNoLink() throws {
    let host = try Host()
    let before = try host.others()
    let outcome = OutcomeFile(paths: host.paths, times: RunTimes(), directory: "/x")
    let verdict = Verdict(state: .finished, reason: nil, message: "")
    for name in [host.paths.outcome, host.paths.outcome + ".new"] {
      try makeSymbolicLink(name, to: host.outside + "/0/stdout")
    }
    try outcome.write(verdict, [])
    #expect(try status(of: host.paths.outcome).isRegularFile)
    #expect(try host.others() == before)
    try removeTree(host.paths.logs)
    try makeSymbolicLink(host.paths.logs, to: host.outside)
    #expect(throws: Errno.self) { try outcome.write(verdict, []) }
    #expect(throws: Errno.self) { _ = try LogTree(host.paths.logs) }
    #expect(try entries(of: host.outside).count == 1)
  }
}
