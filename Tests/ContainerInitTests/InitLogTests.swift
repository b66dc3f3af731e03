import Glibc
import LaunchModel
import LinuxKernel
import Testing

@testable import ContainerInit

/// What runs write, in files that init holds.
@Suite(.needsExecutor) struct InitLogTests {
  /// The files of one run, as an executor opens them.
  private struct Logs {
    let directory: String
    let descriptors: [SharedDescriptor]

    init(_ container: StartedInit, _ name: String = "logs") throws {
      directory = container.directory + "/" + name
      try makeDirectories(directory)
      let directory = directory
      descriptors =
        [SharedDescriptor(try openFile(directory, O_RDONLY | O_DIRECTORY))]
        + (try ["stdout", "stderr"].map { name in
          SharedDescriptor(try openFile("\(directory)/\(name)", O_WRONLY | O_CREAT | O_APPEND, mode: 0o640))
        })
    }

    func text(_ name: String) -> String? {
      (try? readFile("\(directory)/\(name)")).map { String(decoding: $0, as: UTF8.self) }
    }
  }

  private func spec(_ line: String, in directory: String = "/", bytes: UInt64 = 1 << 20) -> ProcessSpec {
    var spec = ProcessSpec.shell(line, in: directory)
    spec.logMode = .files(maximumBytes: bytes, backups: 2)
    return spec
  }

  @Test(arguments: [StartedInit.Place.host, .handover])
  func allThatARunWroteIsThereWhenItsEndIsTold(place: StartedInit.Place) throws {
    let container = try StartedInit(place)
    let executor = try container.connect()
    let logs = try Logs(container)
    _ = try executor.run(spec("echo out; echo err >&2; printf more"), logs.descriptors)
    #expect(logs.text("stdout") == "out\nmore" && logs.text("stderr") == "err\n")
  }

  @Test func aFullFileGivesWayToTheNext() throws {
    let container = try StartedInit()
    let executor = try container.connect()
    let logs = try Logs(container)
    let line = "i=1000; while [ $i -lt 9000 ]; do echo $i; i=$((i+1)); done"
    #expect(try executor.run(spec(line, bytes: 10_000), logs.descriptors).waitStatus == 0)
    // The newest are kept, each line in one file, and the last file has what comes after the last full one.
    let kept = ["stdout.2", "stdout.1", "stdout"].compactMap(logs.text)
    #expect(kept.count == 3 && kept.allSatisfy { $0.utf8.last == 10 })
    let lines = kept.joined().split(separator: "\n")
    #expect(lines.elementsEqual((9000 - lines.count..<9000).map { Substring("\($0)") }))
    #expect(try status(of: logs.directory + "/stdout").permissions == 0o640)
  }

  @Test func whoHoldsALogAfterTheRunGoesWithIt() throws {
    let container = try StartedInit()
    let executor = try container.connect()
    let logs = try Logs(container)
    // Out of the group, with the log as its third descriptor alone.
    let line = """
      setsid sh -c 'exec 5>&1 >/dev/null 2>&1; echo $$ > holder; exec sleep 60' &
      while [ ! -s holder ]; do :; done; echo ended
      """
    _ = try executor.run(spec(line, in: container.directory), logs.descriptors)
    #expect(logs.text("stdout") == "ended\n")
    let holder = try #require(container.number("holder"))
    #expect(eventually { !isAlive(holder) })
  }

  /// A stranger on the host, whom init cannot end.
  @Test func aLogThatSomebodyElseHoldsIsCutOff() throws {
    let container = try StartedInit()
    let executor = try container.connect()
    let logs = try Logs(container)
    try #require(mkfifo(container.directory + "/gate", 0o600) == 0)
    let gate = SharedDescriptor(try openFile(container.directory + "/gate", O_RDWR))
    let (key, pid) = try executor.start(spec("echo first; read x < gate", in: container.directory), logs.descriptors)
    #expect(eventually { logs.text("stdout") == "first\n" })
    let held = SharedDescriptor(try openFile("/proc/\(pid)/fd/1", O_WRONLY))
    try gate.descriptor.writeAll([10])
    #expect(try executor.end(key).waitStatus == 0)
    // Nobody reads any more.
    var ready = pollfd(fd: held.rawValue, events: Int16(POLLOUT), revents: 0)
    #expect(poll(&ready, 1, 0) == 1 && ready.revents & Int16(POLLERR) != 0)
    #expect(logs.text("stdout") == "first\n")
  }

  @Test func aLogThatCannotBeRotatedIsTold() throws {
    let container = try StartedInit()
    let executor = try container.connect()
    let logs = try Logs(container)
    // In the place of the next file, and not to be removed as one.
    try makeDirectories(logs.directory + "/stdout.new")
    let key = try executor.start(spec("head -c 20000 /dev/zero | tr '\\\\0' '\\\\n'", bytes: 10_000), logs.descriptors)
      .key
    let trouble = try executor.hear { if case .logTrouble(key, let what) = $0 { what } else { nil } }
    #expect(trouble.contains("stdout grows over its limit: it cannot be rotated"))
    #expect(try executor.end(key).waitStatus == 0)
    #expect(logs.text("stdout")?.utf8.count == 20000)
  }

  @Test func aRunWithoutItsFilesIsNotStarted() throws {
    let container = try StartedInit()
    let executor = try container.connect()
    let logs = try Logs(container)
    for mode in [LogMode.direct, .files(maximumBytes: 1, backups: 1)] {
      var spec = ProcessSpec.shell("true")
      spec.logMode = mode
      try executor.client.send(.spawn(spec), descriptors: [logs.descriptors[0]])
      let failure = try executor.hear { if case .cannotStart(_, let failure) = $0 { failure } else { nil } }
      #expect(failure.kind == .setup && failure.reason.contains("EBADMSG"))
    }
    // It is not known as a run.
    #expect(try executor.run(.shell("exit 4")).waitStatus == 4 << 8)
  }
}
