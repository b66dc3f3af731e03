import Glibc
import LaunchModel
import LinuxKernel
import Testing

@testable import ContainerInit

/// What an executor does in a container beside the task's runs, as health checks do.
@Suite(.needsExecutor) struct InitCommandTests {
  private func answer(_ id: UInt32, _ executor: Conversation) throws -> ExitRecord {
    try executor.hear { if case .executed(id, let record) = $0 { record } else { nil } }
  }

  @Test func aCommandAnswersWithItsEndAndIsNoRun() throws {
    let container = try StartedInit()
    let executor = try container.connect()
    let other = try container.connect()
    #expect(try other.reports().isEmpty)
    let pipe = try makePipe(nonBlocking: true)
    var spec = ProcessSpec.shell("echo healthy; exit 3")
    spec.logMode = .direct
    try executor.client.send(.execute(7, spec), descriptors: [pipe.second, pipe.second])
    #expect(try ExitStatus(waitStatus: answer(7, executor).waitStatus) == .exited(3))
    #expect(try pipe.first.descriptor.read(upTo: 100) == Array("healthy\n".utf8))
    // Neither written down, nor known, nor told to others.
    _ = try executor.run(.shell("true"))
    #expect(try container.exits.map(\.key) == [RunKey("main", 0)])
    try other.client.send(.hello(.own))
    #expect(try other.reports().count == 1)
    #expect(!other.heard.contains { if case .executed = $0 { true } else { false } })
  }

  @Test func aCommandThatCannotBeStartedSaysWhy() throws {
    let container = try StartedInit()
    let executor = try container.connect()
    try executor.client.send(.execute(1, .program(["/no/such"])))
    #expect(try answer(1, executor).startFailure?.kind == .commandNotFound)
    // Without the descriptors that it asks for.
    var spec = ProcessSpec.shell("true")
    spec.logMode = .direct
    try executor.client.send(.execute(2, spec))
    #expect(try answer(2, executor).startFailure?.kind == .setup)
  }

  @Test func onlyWhoAskedForACommandEndsIt() throws {
    let container = try StartedInit()
    let (executor, other) = (try container.connect(), try container.connect())
    try executor.client.send(.execute(1, .shell("exec sleep 60")))
    try other.client.send(.killCommand(1))
    // By now that was read.
    #expect(try other.run(.shell("true")).waitStatus == 0)
    try executor.client.send(.killCommand(1))
    #expect(try ExitStatus(waitStatus: answer(1, executor).waitStatus) == .signaled(SIGKILL))
  }

  @Test(arguments: [false, true]) func aSocketIsOfTheContainersNetwork(isIPv6: Bool) throws {
    let container = try StartedInit()
    let executor = try container.connect()
    _ = try executor.reports()
    try executor.client.send(.openSocket(9, isIPv6: isIPv6))
    let (event, descriptors) = try executor.next()
    if case .noSocket(9, let code) = event {
      // A kernel without IPv6.
      #expect(isIPv6 && code == EAFNOSUPPORT)
      return
    }
    #expect(event == .socket(9))
    let socket = try #require(descriptors.first)
    var family: Int32 = 0
    var length = socklen_t(MemoryLayout<Int32>.size)
    #expect(getsockopt(socket.rawValue, SOL_SOCKET, SO_DOMAIN, &family, &length) == 0)
    #expect(family == (isIPv6 ? AF_INET6 : AF_INET))
  }
}
