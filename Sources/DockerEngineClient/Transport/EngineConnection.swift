import LinuxKernel

/// One connection to the engine. It never blocks: the caller polls `number`.
final class EngineConnection {
  private var shared: SharedDescriptor?
  /// It has carried a request before.
  var isReused = false

  private init(_ descriptor: consuming FileDescriptor) { shared = SharedDescriptor(descriptor) }

  /// The descriptor's number, -1 once closed.
  var number: Int32 { shared?.rawValue ?? -1 }

  func close() { shared = nil }

  /// Connects to the socket at `path`.
  ///
  /// Who listens there is asked of the kernel: a process of a user that cannot be the engine could answer anything.
  static func open(
    path: String, peers: DockerEngine.Configuration.Peers, limit: Duration
  ) throws(DockerEngineError) -> EngineConnection {
    let place = printable(path.utf8)
    let connection: EngineConnection
    let peer: UnixSocket.Peer
    do throws(Errno) {
      let socket = try StreamSocket.connect(path, timeoutMilliseconds: Int64(limit.nanoseconds / 1_000_000))
      peer = try UnixSocket.peer(of: socket)
      connection = EngineConnection(socket)
    } catch {
      throw failure(error, place: place, limit: limit)
    }
    guard peers.accept(peer.uid) else {
      throw DockerEngineError(
        .foreignPeer(uid: peer.uid), place: place,
        detail: "whoever listens there runs as uid \(peer.uid), which is neither root nor this user")
    }
    return connection
  }

  private static func failure(_ error: Errno, place: String, limit: Duration) -> DockerEngineError {
    let (kind, detail): (DockerEngineError.Kind, String)
    switch error.connectFailure {
    case .busy: return DockerEngineError.timeout(.connect, limit).during("", at: place)
    case .absent:
      kind = .socketAbsent
      detail = "no such socket (\(error.name)); is the Docker engine installed and running, and is this its socket?"
    case .refused:
      kind = .socketAbsent
      detail = "nobody listens on the socket (\(error.name)); is the Docker engine running?"
    case .denied:
      kind = .permissionDenied
      detail = "this user may not use the socket (\(error.name)); run as root or as a member of the socket's group"
    case nil: (kind, detail) = (.transport(.connect), "cannot connect: \(error)")
    }
    return DockerEngineError(kind, place: place, detail: detail, errorNumber: error.code)
  }

  /// Nothing has arrived that nobody asked for, and the engine has not closed: safe to send a request.
  ///
  /// A byte that waits here would be taken for the start of the next response.
  var isQuiet: Bool {
    guard let waiting = try? StreamSocket.waiting(on: number) else { return false }
    return waiting == .nothing
  }

  /// Reads what is there: `nil` when nothing is, empty at the end.
  func read() throws(Errno) -> [UInt8]? {
    guard let shared else { return [] }
    return try shared.descriptor.read(upTo: 64 << 10)
  }

  /// Sends what goes now and says how much that was.
  func send(_ bytes: ArraySlice<UInt8>) throws(Errno) -> Int {
    try StreamSocket.send(bytes, over: number)
  }

  /// The engine sees the end of our side.
  func finishSending() throws(Errno) {
    if number >= 0 { try StreamSocket.finishSending(number) }
  }
}
