import ContainerInit
import Glibc
import LaunchModel
import LinuxKernel
import Testing

/// A container-init of its own process, started as a containerizer starts it, with what a test says instead of a container.
final class StartedInit {
  enum Place: Sendable {
    /// No container at all: what a host without root has.
    case host
    /// Mounts and processes of its own.
    case namespaces
    /// In a container that somebody else has made: everything comes through a socket.
    case handover
  }

  /// Everything of the test, gone with it.
  let directory: String
  let process: SharedDescriptor
  /// The process that was started: init, but for `namespaces`.
  let pid: Int32

  /// - Parameters:
  ///   - text: what it gets in the place of a plan.
  ///   - sources: what the plan's bind mounts mount.
  ///   - steps: the plan's, by the directory of the test.
  ///   - prepare: makes what the steps find there.
  init(
    _ place: Place = .host, text: [UInt8]? = nil, sources: [SharedDescriptor] = [],
    restrict: (inout Restrictions) -> Void = { _ in }, steps: (String) -> [SetupStep] = { _ in [] },
    prepare: (String) throws -> Void = { _ in }
  ) throws {
    directory = "/tmp/aurora-init-\(UInt64.random(in: 0 ... .max))"
    try makeDirectories(directory)
    try prepare(directory)
    var plan = LaunchPlan(taskID: "t", identity: StartedInit.identity, sandbox: directory)
    // Without root init is the role already.
    plan.restrictions.changesUser = false
    restrict(&plan.restrictions)
    plan.steps = steps(directory)
    if place == .namespaces { plan.namespaces = Namespaces.mount.union(.pid).rawValue }

    let null = try openFile("/dev/null", O_RDWR)
    let log = SharedDescriptor(try openFile(directory + "/init.log", O_WRONLY | O_CREAT | O_APPEND, mode: 0o600))
    let exits = SharedDescriptor(try openFile(directory + "/exits", O_WRONLY | O_CREAT | O_APPEND, mode: 0o600))
    let listener = SharedDescriptor(try UnixSocket.listen(directory + "/control.sock", kind: .sequencedPackets))
    var files = Handover.Files(log: log, exits: exits, listener: listener)
    files.sources = sources
    func hand(over connection: SharedDescriptor) throws {
      guard let text else { return try Handover.send(plan, files, over: connection) }
      #expect(try UnixSocket.send(text, over: connection.descriptor))
    }
    let program = try #require(HostNeeds.executor)
    let pair = try UnixSocket.pair(.sequencedPackets)
    var request: SpawnRequest
    switch place {
    case .host, .namespaces:
      let around = place == .host ? [] : HostNeeds.unshare
      request = SpawnRequest(
        executable: .path(around.first ?? program), arguments: around + [program, ContainerInit.command],
        descriptors: [null.rawValue, log.rawValue, log.rawValue, pair.second.rawValue])
      try hand(over: pair.first)
    case .handover:
      request = SpawnRequest(
        executable: .path(program),
        arguments: ["aurora-executor", ContainerInit.command, directory + "/handover.sock"],
        descriptors: [null.rawValue, null.rawValue, null.rawValue])
    }
    request.newSession = true
    request.environment = StartedInit.environment
    request.owners = [log, pair.second]
    let reception = place == .handover ? try Handover.Reception(at: directory + "/handover.sock") : nil
    let child = try request.spawn()
    pid = child.pid
    process = SharedDescriptor(child.handle())
    guard let reception else { return }
    #expect(try waitUntilReady(reception.descriptor, read: true, write: false, timeoutMilliseconds: Self.timeout))
    let (connection, peer) = try #require(try reception.accept())
    #expect(peer.pid == pid)
    try hand(over: connection)
  }

  deinit {
    _ = ProcessHandle.signal(SIGKILL, process.rawValue)
    _ = ProcessHandle.waitForEnd(process.rawValue, milliseconds: Self.timeout)
    ProcessHandle.reap(process.rawValue)
    try? removeTree(directory)
  }

  /// How long a test waits for what must come. Two processors may have much else to do.
  static let timeout: Int32 = 30_000

  static var identity: Identity {
    Identity(name: "role", uid: geteuid(), gid: getegid(), groupName: "role", supplementaryGroups: [])
  }

  /// Coverage is counted in init as well, which ends without a word: its counters are mapped from a file beside the test's
  /// own (`%c`). The build of `scripts/coverage` has them compiled for that, and is the only one in which init looks there.
  private static var environment: [String] {
    guard let own = getenv("LLVM_PROFILE_FILE").map({ String(cString: $0) }),
      let slash = own.utf8.lastIndex(of: UInt8(ascii: "/"))
    else { return [] }
    // Not by its pid, which in a namespace is everybody's.
    return ["LLVM_PROFILE_FILE=\(own[..<slash])/init-\(UInt64.random(in: 0 ... .max))%c.profraw"]
  }

  /// A connection, as another executor makes it.
  func connect() throws -> Conversation { Conversation(try InitClient(connectingTo: directory + "/control.sock")) }

  /// What stands in the record of exits.
  var exits: [ExitRecord] { get throws { ExitRecord.records(in: try readFile(directory + "/exits")) } }

  /// What it has said where nobody listens.
  var log: String { get throws { String(decoding: try readFile(directory + "/init.log"), as: UTF8.self) } }

  /// How it ended, which must happen.
  func end() throws -> LinuxKernel.ExitStatus {
    #expect(ProcessHandle.waitForEnd(process.rawValue, milliseconds: Self.timeout))
    return try #require(ProcessHandle.end(process.rawValue))
  }

  func file(_ name: String) -> String? {
    (try? readFile("\(directory)/\(name)")).map { String(decoding: $0, as: UTF8.self) }
  }
}

extension StartedInit {
  /// The number that a run has written into a file, with a newline after it.
  func number(_ name: String) -> Int32? {
    file(name).flatMap { $0.utf8.last == 10 ? Int32($0.dropLast()) : nil }
  }
}

/// Waits for what nobody tells.
func eventually(_ condition: () throws -> Bool) rethrows -> Bool {
  let deadline = Clock.now + UInt64(StartedInit.timeout) * 1_000_000
  while Clock.now < deadline {
    if try condition() { return true }
    CurrentProcess.pause(milliseconds: 5)
  }
  return false
}

/// Whether a process is there, and has not ended.
func isAlive(_ pid: Int32) -> Bool {
  guard let process = try? openProcess(pid) else { return false }
  return !ProcessHandle.hasEnded(process.rawValue)
}
