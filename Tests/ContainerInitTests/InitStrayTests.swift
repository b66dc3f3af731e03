import Glibc
import LaunchModel
import LinuxKernel
import Testing

@testable import ContainerInit

/// Processes that left their run, and the end of everything, where a pid namespace holds them and where none does.
@Suite(.needsExecutor) struct InitStrayTests {
  private static let places: [StartedInit.Place] = HostNeeds.hasNamespaces ? [.host, .namespaces] : [.host]

  /// A daemon that has nothing more to do with its run.
  private static let daemon = """
    setsid sh -c 'echo $$ > daemon.new; mv daemon.new daemon; exec sleep 60' < /dev/null > /dev/null 2>&1 &
    while [ ! -s daemon ]; do :; done
    """

  private func strays(_ executor: Conversation) throws -> UInt32 {
    try executor.hear { if case .strays(let count) = $0 { count } else { nil } }
  }

  @Test(arguments: places) func straysAreToldUntilNoneIsLeft(place: StartedInit.Place) throws {
    let container = try StartedInit(place)
    let executor = try container.connect()
    #expect(try executor.run(.shell(Self.daemon, in: container.directory)).waitStatus == 0)
    let key = try executor.start(.shell("exec sleep 60", "other")).key
    // One that it takes no notice of: who it is for is still there.
    try executor.client.send(.signalStrays(SIGCONT))
    #expect(try strays(executor) == 1)
    try executor.client.send(.signalStrays(SIGTERM))
    while try strays(executor) != 0 {}
    // The run is no stray.
    try executor.client.send(.signal(key, SIGKILL))
    #expect(try ExitStatus(waitStatus: executor.end(key).waitStatus) == .signaled(SIGKILL))
  }

  @Test(arguments: places) func everythingEndsAtOnceAndMoreMayCome(place: StartedInit.Place) throws {
    let container = try StartedInit(place)
    let executor = try container.connect()
    #expect(try executor.run(.shell(Self.daemon, in: container.directory)).waitStatus == 0)
    let keys = try ["one", "two"].map { try executor.start(.shell("exec sleep 60", $0)).key }
    try executor.client.send(.killAll)
    var ended: [RunKey] = []
    while true {
      let event = try executor.next().event
      if case .ended(let record) = event { ended.append(record.key) }
      if event == .allGone { break }
    }
    #expect(Set(ended) == Set(keys))
    try executor.client.send(.signalStrays(0))
    #expect(try strays(executor) == 0)
    // Final processes.
    #expect(try executor.run(.shell("exit 9", "last")).waitStatus == 9 << 8)
  }

  @Test(.needsNamespaces) func whatIsInTheNamespaceEndsWithInit() throws {
    let container = try StartedInit(.namespaces)
    let executor = try container.connect()
    try executor.start(.shell("exec sleep 60"))
    try executor.client.send(.shutdown)
    #expect(try container.end() == .exited(0))
  }
}
