import Glibc
import LaunchModel
import LinuxKernel
import PlayedInit
import TaskModel
import TaskStore
import Testing

@testable import Supervision

/// Output of processes shown to somebody who reads as he likes: it comes while they run, and one who is behind is told what he
/// has missed, or where it is.
@Suite struct ConsoleFollowerTests {
  private let host: TaskHost
  private let output: DescriptorPair
  private let errors: DescriptorPair
  private let runDirectory: HeldRunDirectory

  init() throws {
    host = try TaskHost()
    (output, errors) = (try makePipe(nonBlocking: true), try makePipe(nonBlocking: true))
    try makeDirectories(host.paths.logs, mode: 0o700)
    runDirectory = try RunDirectory.make(host.paths)
  }

  private func follower(_ processes: [ProcessDefinition], showsAll: Bool) throws -> ConsoleFollower? {
    let streams = ExecutorOutput.Streams(output: output.second.rawValue, errors: errors.second.rawValue)
    return ConsoleFollower(
      processes, paths: host.paths, runDirectory,
      output: try ExecutorOutput(statuses: [], updatesOnOutput: false, streams: streams), showsAll: showsAll)
  }

  /// What a run writes to its standard output.
  private func stdout(of process: ProcessDefinition) throws -> SharedDescriptor {
    let roots = LogRoots(host.paths, runDirectory, reader: nil)
    let bound = LogBound(ceiling: 1 << 30, [process])
    return try RunLogs(process, run: 0, in: roots, consoles: 1, within: bound).descriptors[1]
  }

  private func text(_ pipe: DescriptorPair) throws -> String {
    String(decoding: try pipe.first.descriptor.read(upTo: 1 << 20) ?? [], as: UTF8.self)
  }

  private func process(_ destination: String) throws -> ProcessDefinition {
    let members = #", "logger": {"destination": "\#(destination)"}"#
    return try #require(try host.bind(TaskHost.task(process: members)).processes.first)
  }

  @Test func linesComeWhileTheRunGoesOn() throws {
    let process = try process("both")
    let file = try stdout(of: process)
    let follower = try #require(try follower([process], showsAll: false))
    follower.follow(process, run: 0)
    follower.goOn()
    for line in ["one\n", "two\n"] {
      try file.descriptor.writeAll(Array(line.utf8))
      let watched = try #require(follower.descriptor)
      #expect(try waitUntilReady(watched, read: true, write: false, timeoutMilliseconds: 10_000))
      follower.takeEvents()
      #expect(try text(output) == line)
    }
    // Nothing waits.
    #expect(follower.timeout == nil)
  }

  @Test func whereNothingIsToBeShownThereIsNoFollower() throws {
    #expect(try follower([try process("file")], showsAll: false) == nil)
    #expect(try follower([try process("file")], showsAll: true) != nil)
    #expect(try follower([try process("console")], showsAll: false) != nil)
  }

  @Test func whoIsFarBehindIsToldWhereTheRestIs() throws {
    let process = try process("both")
    let file = try stdout(of: process)
    let follower = try #require(try follower([process], showsAll: false))
    follower.follow(process, run: 0)
    try file.descriptor.writeAll([UInt8](repeating: UInt8(ascii: "x"), count: 3 << 20))
    follower.takeEvents()
    let began = Clock.now
    follower.drain(process: "main", run: 0)
    follower.finish()
    // The end of the task does not wait for him.
    #expect(Clock.now - began < 900_000_000)
    let path = host.paths.logs("main", 0)
    #expect(try text(errors) == "main stdout: … the rest is in \(path)/stdout\n")
    #expect(try status(of: path + "/stdout").size == 3 << 20)
  }

  @Test func whatAConsoleCouldNotShowIsCountedAndGone() throws {
    let process = try process("console")
    let file = try stdout(of: process)
    let follower = try #require(try follower([process], showsAll: false))
    follower.follow(process, run: 0)
    let line = [UInt8](repeating: UInt8(ascii: "x"), count: 99) + [UInt8(ascii: "\n")]
    try file.descriptor.writeAll((0..<10_000).flatMap { _ in line })
    follower.takeEvents()
    follower.finish()
    let said = try text(errors)
    #expect(said.hasPrefix("warning: main stdout: ") && said.hasSuffix(" bytes could not be shown\n"), "\(said)")
    #expect(throws: Errno.self) { try status(of: host.paths.console("main", 0)) }
  }

  @Test func whoComesLaterIsNotShownWhatNobodyWasShowing() throws {
    let process = try process("file")
    let file = try stdout(of: process)
    try file.descriptor.writeAll(Array("long ago\n".utf8))
    let follower = try #require(try follower([process], showsAll: true))
    // With `--follow` for the first time, in a takeover.
    follower.follow(process, run: 0, resumes: true)
    follower.goOn()
    try file.descriptor.writeAll(Array("now\n".utf8))
    follower.drain(process: "main", run: 0)
    #expect(try text(output) == "main | now\n")
  }
}
