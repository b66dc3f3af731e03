import Glibc
import LinuxKernel
import Testing

@testable import Executor
@testable import TaskModel
@testable import TaskStore

/// How events look, and what becomes of them where a log takes them and where it does not.
@Suite struct OperatorLogTests {
  private static let wall: UInt64 = 1_796_028_572_120_000_000

  private func event(_ fact: OperatorEvent.Fact, task: String? = "t-1") -> OperatorEvent {
    OperatorEvent(fact, taskID: task, wall: Self.wall, pid: 4711)
  }

  private static func attempt(_ what: String = "remove the socket /run/x", _ code: Int32 = EACCES) -> FailedAttempt {
    FailedAttempt(what, Errno("unlink", code: code))
  }

  private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

  private final class Directory {
    let path = "/tmp/aurora-log-\(CurrentProcess.pid)-\(UInt32.random(in: 0 ... .max))"
    init() throws { try makeDirectories(path) }
    deinit { try? removeTree(path) }
    var log: String { path + "/log" }
    func content() throws -> String { String(decoding: try readFile(log), as: UTF8.self) }
  }

  /// A daemon that takes datagrams at a path.
  private final class Daemon {
    private let socket: Int32

    init(_ path: String) throws {
      socket = Glibc.socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
      var address = sockaddr_un()
      address.sun_family = sa_family_t(AF_UNIX)
      withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
      let result = withUnsafePointer(to: &address) {
        bind(socket, __CONST_SOCKADDR_ARG(__sockaddr_un__: $0), socklen_t(MemoryLayout<sockaddr_un>.size))
      }
      try #require(result == 0)
    }
    deinit { close(socket) }

    func next() -> String? {
      var buffer = [UInt8](repeating: 0, count: 65536)
      let count = recv(socket, &buffer, buffer.count, 0)
      return count < 0 ? nil : String(decoding: buffer[..<count], as: UTF8.self)
    }
  }

  // MARK: Format

  @Test func aLineHasTimeProcessTaskAndMessage() {
    #expect(
      text(LogFormat.line(event(.failed(Self.attempt(), times: 1))))
        == "2026-11-30T08:49:32.120Z 4711 t-1 cannot remove the socket /run/x: unlink: EACCES (Permission denied)\n")
    #expect(
      text(LogFormat.line(event(.swept(removed: 3, left: 1), task: nil)))
        == "2026-11-30T08:49:32.120Z 4711 - swept, 3 removed, 1 left\n")
  }

  @Test(arguments: [
    (
      OperatorEvent.Fact.started(version: "1.2.3", containerizer: "mesos"),
      "started, version 1.2.3, containerizer mesos"
    ),
    (.tookOver(version: "1.2.3", containerizer: "docker"), "taken over, version 1.2.3, containerizer docker"),
    (.ended(.finished, reason: nil), "ended, TASK_FINISHED"),
    (.ended(.failed, reason: Reason.memory), "ended, TASK_FAILED, REASON_CONTAINER_LIMITATION_MEMORY"),
    (.refused(.configuration), "refused, exit status 78"), (.asked("stop", user: 0), "stop asked for by uid 0"),
    (.lost(1), "1 event before this one could not be logged"),
    (.lost(2), "2 events before this one could not be logged"),
    (.failed(OperatorLogTests.attempt("x"), times: 8), "cannot x: unlink: EACCES (Permission denied) (8 times by now)"),
    (
      .failed(FailedAttempt("x", ExecutorFailure(.failed, "why", hint: "what to do")), times: 1), "cannot x: why"
    ),
  ])
  func factsBecomeWords(fact: OperatorEvent.Fact, words: String) { #expect(event(fact).message == words) }

  @Test func nothingEndsALineOrAField() {
    let odd = event(.failed(Self.attempt("remove /a\nMESSAGE=b\u{1b}[2J\u{202e}"), times: 1), task: "t\n1")
    for bytes in [LogFormat.line(odd), LogFormat.syslog(odd)] {
      #expect(!bytes.dropLast().contains { $0 < 0x20 })
      #expect(text(bytes).contains(#"remove /a\x0aMESSAGE=b\x1b[2J\u{202e}: "#))
    }
    let fields = LogFormat.journal(odd).split(separator: UInt8(ascii: "\n")).map { text(Array($0)) }
    #expect(fields.count == 5 && fields[3] == #"TASK_ID=t\x0a1"#)
  }

  @Test func syslogHasPriorityTimeAndTag() {
    let bytes = text(LogFormat.syslog(event(.failed(Self.attempt(), times: 1))))
    let local = LocalTime(wall: Self.wall).syslog
    #expect(bytes == "<28>\(local) aurora-executor[4711]: t-1: \(event(.failed(Self.attempt(), times: 1)).message)")
    #expect(local.utf8.count == 15 && local.hasPrefix("Nov 30 ") || local.hasPrefix("Dec  1 "))
    #expect(text(LogFormat.syslog(event(.ended(.lost, reason: nil), task: nil))).hasPrefix("<30>"))
  }

  @Test func theMiddleOfWhatIsTooLongIsLeftOut() {
    let long = event(.failed(Self.attempt("remove /" + String(repeating: "é", count: 5000)), times: 1))
    let datagram = LogFormat.syslog(long)
    #expect(datagram.count <= 1024 && datagram.count > 1010)
    #expect(
      text(datagram).contains("cannot remove /éé") && text(datagram).hasSuffix("é: unlink: EACCES (Permission denied)"))
    #expect(String(validating: datagram, as: UTF8.self) != nil)
    #expect(LogFormat.line(long).count < 4200)
  }

  @Test func theJournalGetsFields() {
    #expect(
      text(LogFormat.journal(event(.failed(Self.attempt(), times: 1)))) == """
        MESSAGE=cannot remove the socket /run/x: unlink: EACCES (Permission denied)
        PRIORITY=4
        SYSLOG_IDENTIFIER=aurora-executor
        TASK_ID=t-1
        ERRNO=13

        """)
    #expect(
      text(LogFormat.journal(event(.ended(.finished, reason: nil), task: nil)))
        == "MESSAGE=ended, TASK_FINISHED\nPRIORITY=6\nSYSLOG_IDENTIFIER=aurora-executor\n")
  }

  // MARK: Sinks

  @Test func aFileIsAppendedTo() throws {
    let directory = try Directory()
    try writeFileAtomically(directory.log, Array("before\n".utf8), mode: 0o640)
    let log = OperatorLog(try LogSink(directory.log))
    log.note(.swept(removed: 1, left: 0))
    log.setTask("t-2")
    log.note(.ended(.killed, reason: nil))
    let lines = try directory.content().split(separator: "\n")
    #expect(lines.count == 3 && lines[0] == "before" && lines[1].hasSuffix(" - swept, 1 removed, 0 left"))
    #expect(lines[2].hasSuffix(" \(CurrentProcess.pid) t-2 ended, TASK_KILLED"))
    #expect(try status(of: directory.log).permissions == 0o640)
  }

  @Test func aNewFileIsNobodyElsesToRead() throws {
    let directory = try Directory()
    _ = try LogSink(directory.log)
    #expect(try status(of: directory.log).permissions == 0o600)
  }

  @Test func whatCannotBeOpenedIsRefused() throws {
    let directory = try Directory()
    try makeSymbolicLink(directory.log, to: directory.path + "/elsewhere")
    for path in [directory.log, directory.path, directory.path + "/no/log"] {
      #expect(throws: ExecutorFailure.self) { try LogSink(path) }
    }
    #expect(throws: Errno.self) { try LogSink(directory.path + "/none", format: LogFormat.syslog) }
    let usage = #expect(throws: ExecutorFailure.self) { try LogSink("") }
    #expect(usage?.kind == .usage)
  }

  @Test func numbersOfTheCallersAreLeftFree() throws {
    let directory = try Directory()
    let file = try LogSink.open(directory.log)
    #expect(file.rawValue >= 512 || DescriptorLimit.inherited.soft <= 512)
  }

  @Test func adaemonGetsADatagramAnEvent() throws {
    let directory = try Directory()
    let daemon = try Daemon(directory.log)
    let log = OperatorLog(try LogSink(directory.log, format: LogFormat.journal))
    log.setTask("t-3")
    log.note(.asked("kill", user: 7))
    log.note(Self.attempt())
    #expect(daemon.next()?.hasPrefix("MESSAGE=kill asked for by uid 7\nPRIORITY=6\n") == true)
    #expect(daemon.next()?.contains("\nTASK_ID=t-3\nERRNO=13\n") == true)
    #expect(daemon.next() == nil && log.lost == 0)
  }

  @Test func aDaemonThatIsStartedAnewIsFound() throws {
    let directory = try Directory()
    var daemon: Daemon? = try Daemon(directory.log)
    let log = OperatorLog(try LogSink(directory.log, format: LogFormat.syslog))
    log.note(.asked("stop", user: 0))
    #expect(daemon?.next() != nil)
    daemon = nil
    log.note(.asked("stop", user: 1))
    #expect(log.lost == 1)
    try removeFile(directory.log)
    daemon = try Daemon(directory.log)
    log.note(.asked("stop", user: 2))
    #expect(daemon?.next()?.hasSuffix(": 1 event before this one could not be logged") == true)
    #expect(daemon?.next()?.hasSuffix(": stop asked for by uid 2") == true)
    #expect(log.lost == 0)
  }

  @Test func whatIsNotTakenIsLostAndCounted() throws {
    let directory = try Directory()
    let daemon = try Daemon(directory.log)
    let log = OperatorLog(try LogSink(directory.log, format: LogFormat.syslog))
    // Nobody reads: a queue of datagrams is short, and nothing waits for it.
    for number in 0..<5000 { log.note(.asked("stop", user: UInt32(number))) }
    let lost = log.lost
    #expect(lost > 0)
    var taken = 0
    while daemon.next() != nil { taken += 1 }
    #expect(taken + lost == 5000)
    log.note(.asked("kill", user: 0))
    #expect(daemon.next()?.contains("\(lost) events before this one") == true)
    #expect(daemon.next()?.contains("kill asked for") == true)
  }

  @Test func theSameFailureIsToldLessAndLessOften() throws {
    let directory = try Directory()
    let log = OperatorLog(try LogSink(directory.log))
    for _ in 0..<1000 { log.note(Self.attempt()) }
    log.note(Self.attempt("remove something else"))
    let lines = try directory.content().split(separator: "\n")
    #expect(lines.count == 11)
    #expect(lines[9].hasSuffix("(512 times by now)") && lines[10].contains("something else"))
  }
}
