import Glibc
import LaunchModel
import LinuxKernel
import Testing

@testable import ContainerInit

/// Commands that cannot be started: what kind of failure it is, for programs, and what is wrong, for people.
@Suite(.needsExecutor) struct InitStartFailureTests {
  private func failure(_ spec: (String) throws -> ProcessSpec) throws -> StartFailure {
    let container = try StartedInit()
    let executor = try container.connect()
    let record = try executor.run(spec(container.directory))
    // It never ran.
    #expect(!executor.heard.contains(.running(record.key)))
    #expect(ExitStatus(waitStatus: record.waitStatus) == .exited(127))
    #expect(try container.exits.first?.startFailure == record.startFailure)
    return try #require(record.startFailure)
  }

  @Test func whatIsNotThereIsSaidWithWhereItWasLookedFor() throws {
    var found = try failure { _ in .program(["/no/such/program"]) }
    #expect(found.kind == .commandNotFound && found.reason.contains("/no/such/program: not in the container (ENOENT)"))
    found = try failure { .program(["no-such-program"], path: "\($0):/bin") }
    #expect(found.kind == .commandNotFound && found.reason == "cannot start no-such-program: not found")
    #expect(found.hint?.contains("PATH searched: /tmp/aurora-init-") == true)
  }

  @Test(
    arguments: [
      ("#!/no/interpreter -x\n", 0o755, .missingInterpreter, "its interpreter /no/interpreter is not in the container"),
      ("#!/bin/sh\n", 0o644, .notExecutable, "not executable for this user (EACCES)"),
      ("no program\n", 0o755, .unknownFormat, "not a program this kernel can run (ENOEXEC)"),
    ] as [(String, UInt32, StartFailure.Kind, String)])
  func aFileThatCannotBeExecuted(text: String, mode: UInt32, kind: StartFailure.Kind, reason: String) throws {
    let found = try failure { directory in
      try writeScript(directory + "/x", text, mode: mode)
      return .program([directory + "/x"])
    }
    #expect(found.kind == kind && found.reason.contains(reason), "\(found)")
    // The same by PATH.
    let other = try failure { directory in
      try writeScript(directory + "/x", text, mode: mode)
      return .program(["x"], path: directory)
    }
    #expect(other.kind == kind)
  }

  @Test func aProgramForAnotherMachineSaysWhich() throws {
    let found = try failure { directory in
      // An ELF header for the first machine there was; nothing runs it.
      let header: [UInt8] = [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1] + [UInt8](repeating: 0, count: 9) + [2, 0, 8, 0]
      try writeScript(directory + "/x", header + [UInt8](repeating: 0, count: 44))
      return .program([directory + "/x"])
    }
    #expect(found.kind == .wrongArchitecture && found.reason.contains("built for mips"))
  }

  @Test func aDirectoryIsNoProgramAndAProgramNoDirectory() throws {
    #expect(try failure { .program([$0]) }.kind == .isDirectory)
    let found = try failure { .shell("true", in: $0 + "/missing") }
    #expect(found.kind == .workingDirectory && found.reason.contains("/missing"))
    #expect(found.hint?.contains("open to role") == true)
    #expect(try failure { _ in .program([]) }.reason == "there is no command to start")
  }

  /// Such a request does not fit into a packet either: it travels as a file.
  @Test func aCommandLineMayNotBeLongerThanTheKernelTakes() throws {
    let line = ": " + String(repeating: "x", count: 140_000)
    let found = try failure { _ in .shell(line) }
    #expect(found.kind == .argumentsTooLong && found.hint?.contains("131072 bytes") == true)
    #expect(try failure { _ in .program(["/bin/true", line]) }.kind == .argumentsTooLong)
  }

  /// As execvp(3) does: what cannot be executed does not end the search.
  @Test func theSearchGoesOnAfterWhatCannotBeExecuted() throws {
    let container = try StartedInit()
    let executor = try container.connect()
    for name in ["first", "second"] { try makeDirectories("\(container.directory)/\(name)") }
    try writeScript(container.directory + "/first/tool", "#!/bin/sh\n", mode: 0o644)
    try writeScript(container.directory + "/second/tool", "#!/bin/sh\nexit 5\n")
    let path = ["/dev/null", container.directory + "/first", container.directory + "/second"].joined(separator: ":")
    let record = try executor.run(.program(["tool"], path: path))
    #expect(ExitStatus(waitStatus: record.waitStatus) == .exited(5) && record.startFailure == nil)
  }
}
