import Glibc
import LinuxKernel
import TaskStore
import Testing

@testable import Containers

/// The program that containers of an engine's making have as their first process: one copy for all that can share it, and
/// one of its own for each that cannot.
@Suite struct InitProgramTests {
  private let directory = Directory()
  private var run: String { directory.path + "/run" }

  private final class Directory {
    let path = "/tmp/aurora-program-\(UInt64.random(in: 0 ... .max))"
    deinit { try? removeTree(path) }
  }

  init() throws { try makeDirectories(run, mode: 0o700) }

  /// A file that the kernel would start without a loader, as its first bytes have it (elf(5)).
  private func program(_ name: String = "program") throws -> String {
    var bytes: [UInt8] = [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1] + [UInt8](repeating: 0, count: 57)
    (bytes[16], bytes[18], bytes[54]) = (2, 62, 56)
    let path = directory.path + "/" + name
    try writeFileAtomically(path, bytes + Array(name.utf8), mode: 0o700)
    return path
  }

  private func provide(_ name: String, _ program: String, isOwn: Bool = false) throws -> FileStatus {
    let path = directory.path + "/" + name
    try InitProgram.provide(path, runDirectory: run, isOwn: isOwn, program: program)
    #expect(try readFile(path) == readFile(program))
    let about = try status(of: path)
    // Nobody writes to it, not even its owner.
    #expect(about.permissions == 0o555)
    return about
  }

  @Test func containersThatCanShareItHaveTheSameFile() throws {
    let program = try program()
    let (one, other) = (try provide("one", program), try provide("other", program))
    #expect(one.inode == other.inode)
    let shared = try InitProgram.sharedPath(run, program: program)
    #expect(try status(of: shared).inode == one.inode && status(of: shared).links == 3)
    // It is no name of the program's own file.
    #expect(try status(of: program).inode != one.inode)
    // `sweep` knows it for what it is, and nothing else.
    for entry in try entries(of: run + "/.init") { #expect(InitProgram.isShared(entry)) }
  }

  @Test func oneThatIsToHaveItsOwnSharesNothing() throws {
    let program = try program()
    let shared = try provide("one", program)
    let own = try provide("own", program, isOwn: true)
    #expect(own.inode != shared.inode && own.links == 1)
  }

  @Test func aSharedCopyThatWasSweptIsMadeAnew() throws {
    let program = try program()
    _ = try provide("one", program)
    try removeFile(try InitProgram.sharedPath(run, program: program))
    let anew = try provide("other", program)
    #expect(try status(of: InitProgram.sharedPath(run, program: program)).inode == anew.inode)
  }

  @Test func anotherVersionHasAnotherCopy() throws {
    let one = try provide("one", try program())
    let other = try provide("other", try program("another"))
    #expect(one.inode != other.inode)
    #expect(try entries(of: run + "/.init").count == 2)
  }

  @Test func whatIsThereIsNotOverwritten() throws {
    let program = try program()
    let path = directory.path + "/taken"
    try writeFileAtomically(path, [1], mode: 0o600)
    for isOwn in [true, false] {
      let failure = #expect(throws: ExecutorFailure.self) {
        try InitProgram.provide(path, runDirectory: run, isOwn: isOwn, program: program)
      }
      #expect(failure?.kind == .cannotCreate)
    }
    #expect(try readFile(path) == [1])
  }

  @Test func aProgramThatNeedsALoaderIsRefused() throws {
    // These tests are one.
    let failure = #expect(throws: ExecutorFailure.self) {
      try InitProgram.provide(directory.path + "/x", runDirectory: run, isOwn: true)
    }
    #expect(failure?.kind == .configuration && failure?.hint?.contains("static build") == true)
    #expect(throws: Errno.self) { try status(of: directory.path + "/x") }
  }

  @Test func whatIsNoProgramIsRefused() throws {
    let path = directory.path + "/text"
    try writeFileAtomically(path, Array("text".utf8), mode: 0o700)
    let failure = #expect(throws: ExecutorFailure.self) {
      try InitProgram.provide(directory.path + "/x", runDirectory: run, isOwn: true, program: path)
    }
    #expect(failure?.message.contains("ENOEXEC") == true)
  }

  @Test(arguments: ["1-2-3", "1-2-3-4-5", "1-2--4", "1-2-3-x", "note"])
  func whatSomebodyElseHasPutThereIsNoSharedCopy(name: String) throws {
    try makeDirectories(run + "/.init", mode: 0o700)
    try writeFileAtomically("\(run)/.init/\(name)", [], mode: 0o600)
    #expect(try entries(of: run + "/.init").allSatisfy { !InitProgram.isShared($0) })
  }
}
