import Glibc
import LaunchModel
import LinuxKernel
import Testing

@testable import ContainerInit

/// Executors come and go, and container-init goes on: what the next one is told.
@Suite(.needsExecutor) struct InitTakeoverTests {
  @Test func everybodyWhoIsConnectedHears() throws {
    let container = try StartedInit()
    let (one, other) = (try container.connect(), try container.connect())
    _ = (try one.reports(), try other.reports())
    let key = try one.start(.shell("exit 3")).key
    let record = try one.end(key)
    #expect(try other.end(key) == record)
    #expect(other.heard.contains(.running(key)))
  }

  @Test func whatEndedWhileNobodyWasThereIsReported() throws {
    let container = try StartedInit()
    try #require(mkfifo(container.directory + "/gate", 0o600) == 0)
    let gate = SharedDescriptor(try openFile(container.directory + "/gate", O_RDWR))
    let key = try leave(container, running: "read line < gate; exit 6")
    try gate.descriptor.writeAll([10])
    #expect(try eventually { try !container.exits.isEmpty })
    let next = try container.connect()
    let reports = try next.reports()
    #expect(reports.map(\.key) == [key])
    guard case .ended(let record) = reports.first?.state else {
      Issue.record("\(reports)")
      return
    }
    #expect(ExitStatus(waitStatus: record.waitStatus) == .exited(6))
    #expect(try container.exits == [record])
  }

  /// An executor that starts something and goes. When this returns, init knows that nobody is there: a command ends with
  /// the connection that asked for it.
  private func leave(_ container: StartedInit, running line: String) throws -> RunKey {
    let (key, pid) = try begin(container, line)
    #expect(eventually { !isAlive(pid) })
    return key
  }

  private func begin(_ container: StartedInit, _ line: String) throws -> (key: RunKey, command: Int32) {
    let executor = try container.connect()
    let key = try executor.start(.shell(line, in: container.directory)).key
    try executor.client.send(.execute(1, .shell("echo $$ > command; exec sleep 60", in: container.directory)))
    #expect(eventually { container.number("command") != nil })
    return (key, try #require(container.number("command")))
  }

  @Test func aStopIsTheExecutorsToActOn() throws {
    let container = try StartedInit()
    let executor = try container.connect()
    _ = try executor.reports()
    #expect(kill(container.pid, SIGTERM) == 0)
    #expect(try executor.hear { if case .stopRequested(let signal) = $0 { signal } else { nil } } == SIGTERM)
    // Init does nothing of itself.
    #expect(try executor.run(.shell("true")).waitStatus == 0)
  }

  @Test func aStopThatNobodyHeardIsToldToTheNext() throws {
    let container = try StartedInit()
    _ = try leave(container, running: "true")
    #expect(kill(container.pid, SIGINT) == 0)
    let next = try container.connect()
    #expect(try next.hear { if case .stopRequested(let signal) = $0 { signal } else { nil } } == SIGINT)
    // Once.
    try next.client.send(.hello(.own))
    #expect(try next.run(.shell("true", "other")).waitStatus == 0)
    #expect(next.heard.count { if case .stopRequested = $0 { true } else { false } } == 1)
  }

  @Test func aSignalFromInsideIsNoStop() throws {
    let container = try StartedInit()
    let executor = try container.connect()
    #expect(try executor.run(.shell("kill -TERM $PPID; kill -INT $PPID")).waitStatus == 0)
    try executor.client.send(.hello(.own))
    _ = try executor.reports()
    #expect(!executor.heard.contains { if case .stopRequested = $0 { true } else { false } })
  }

  @Test func whoIsNotUnderstoodIsCutOffAndOthersAreNot() throws {
    let container = try StartedInit()
    let executor = try container.connect()
    _ = try executor.reports()
    let stranger = try UnixSocket.connect(container.directory + "/control.sock", kind: .sequencedPackets)
    #expect(try UnixSocket.send([0, 1, 255, 255], over: stranger))
    #expect(try waitUntilReady(stranger.rawValue, read: true, write: false, timeoutMilliseconds: StartedInit.timeout))
    #expect(try UnixSocket.receive(upTo: 10, over: stranger)?.bytes.isEmpty != false)
    #expect(try executor.run(.shell("true")).waitStatus == 0)
  }

  /// Who may look into init gives it another socket in the place of one that a stranger has removed.
  @Test(.needsRoot) func aSocketThatIsGoneIsReplaced() throws {
    let container = try StartedInit()
    let first = try container.connect()
    _ = try first.reports()
    try removeFile(container.directory + "/control.sock")
    #expect(throws: Errno.self) { try container.connect() }
    let entrance = try #require(try InitEntrance.find(of: container.pid, container.process.rawValue))
    // A path that is taken changes nothing.
    #expect(throws: Errno.self) { try entrance.listen(at: container.directory) }
    try entrance.listen(at: container.directory + "/control.sock")
    let next = try container.connect()
    #expect(try next.reports().isEmpty)
    // Who was there stays.
    let key = try first.start(.shell("exit 2")).key
    #expect(try next.end(key) == first.end(key))
  }

  @Test func anExecutorThatDoesNotReadIsToldLater() throws {
    let container = try StartedInit()
    let executor = try container.connect()
    _ = try executor.reports()
    // Far more than a socket holds.
    for number in 0..<3000 { try executor.client.send(.spawn(.shell("", "p", run: UInt32(number % 2)))) }
    try executor.client.send(.hello(.own))
    let last = try executor.hear { event -> [RunReport]? in
      if case .ready(_, let reports) = event, reports.count == 2 { reports } else { nil }
    }
    #expect(Set(last.map(\.key.run)) == [0, 1])
    #expect(executor.heard.count == 3002)
  }
}
