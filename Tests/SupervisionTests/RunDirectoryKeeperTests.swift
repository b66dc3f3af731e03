import ContainerInit
import Glibc
import LaunchModel
import LinuxKernel
import PlayedInit
import TaskStore
import Testing

@testable import Supervision

/// A cleaner of temporary files, or somebody who tidies up, removes what a running task has in its run directory.
@Suite struct RunDirectoryKeeperTests {
  private let host: TaskHost
  private let directory: HeldRunDirectory
  private let control: ControlServer
  private let client: InitClient
  /// Init's end.
  private let initEnd: InitChannel
  private let warnings = Warnings()
  private let keeper: RunDirectoryKeeper

  private final class Warnings {
    var all: [String] = []
  }

  init() throws {
    host = try TaskHost()
    let paths = host.paths
    try makeDirectories(TaskPaths.tasks(paths.workDirectory), mode: 0o700)
    directory = try RunDirectory.make(paths)
    control = try ControlServer(paths)
    let listener = SharedDescriptor(try UnixSocket.listen(paths.controlSocket, kind: .sequencedPackets))
    client = try InitClient(connectingTo: paths.controlSocket)
    initEnd = try InitChannel(try accepted(by: listener))
    keeper = try RunDirectoryKeeper(paths, directory, client, control) { [warnings] in warnings.all.append($0) }
    guard case .message(.hello, _) = try initEnd.receive(InitRequest.self) else { throw ControlPeer.Silence() }
  }

  @Test func whatIsThereIsLeftAlone() throws {
    let before = try entries(of: host.paths.run).map(\.name)
    #expect(keeper.takeEvents().isEmpty)
    #expect(try entries(of: host.paths.run).map(\.name) == before)
    #expect(warnings.all.isEmpty)
    guard case .nothing = try initEnd.receive(InitRequest.self) else {
      Issue.record("init was asked for something")
      return
    }
  }

  @Test func aDirectoryThatIsRemovedIsMadeAnewWithAllThatWasInIt() throws {
    try removeTree(host.paths.run)
    #expect(keeper.takeEvents().isEmpty)
    #expect(warnings.all.count == 1 && warnings.all[0].hasSuffix("; made anew"))
    #expect(RunDirectory.isOwn(host.paths) && directory.isInPlace)
    // The executor can be asked again, and init has got a socket where others look for it.
    let peer = try ControlPeer(host.paths)
    try peer.say(ControlRequest.status.json(tasks: nil).compact)
    let isServed = waitUntil {
      control.serve { _, _ in .done([]) }
      return (try? StreamSocket.waiting(on: peer.socket.rawValue)) == .bytes
    }
    #expect(isServed)
    guard case .message(.listen, let descriptors) = try initEnd.receive(InitRequest.self) else {
      Issue.record("init was not asked to listen")
      return
    }
    _ = try UnixSocket.connect(host.paths.controlSocket, kind: .sequencedPackets)
    let listener = try #require(descriptors.first)
    #expect(try UnixSocket.accept(listener.descriptor) != nil)
    // Once.
    _ = keeper.takeEvents()
    #expect(warnings.all.count == 1)
  }

  @Test func aSocketAloneIsMadeAnew() throws {
    try removeFile(host.paths.executorSocket)
    _ = keeper.takeEvents()
    #expect(warnings.all == ["somebody removed \(host.paths.executorSocket); made anew"])
    _ = try UnixSocket.connect(host.paths.executorSocket, kind: .stream)
  }

  @Test func whatCannotBeMadeAnewIsSaidOnce() throws {
    // Another has a directory of this name by now.
    try removeTree(host.paths.run)
    try makeDirectory(host.paths.run, mode: 0o700)
    try writeFileAtomically(host.paths.run + "/other", [], mode: 0o600)
    _ = keeper.takeEvents()
    _ = keeper.takeEvents()
    #expect(warnings.all.count == 1)
    #expect(warnings.all.first?.contains("cannot be made anew: \(host.paths.run) is there already") == true)
    #expect(try entries(of: host.paths.run).count == 1)
  }
}
