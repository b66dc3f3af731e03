import Glibc
import LinuxKernel
import StrictJSON
import TaskStore

/// The executor's own socket: whoever may act on the task asks here (`ControlRequest`).
///
/// It never waits. A peer that does not read its replies is cut off, and so is one that sends no request.
final class ControlServer {
  /// What becomes of a request, and who has made it.
  typealias Handler = (ControlRequest, _ by: String) -> ControlReply

  private final class Connection {
    let socket: SharedDescriptor
    let peer: UnixSocket.Peer
    var received: [UInt8] = []
    var unsent: [UInt8] = []
    var isSubscribed = false

    init(_ socket: SharedDescriptor, _ peer: UnixSocket.Peer) { (self.socket, self.peer) = (socket, peer) }
  }

  private let path: String
  private let tasks: String?
  private var listener: SharedDescriptor
  private let poller: Poller
  private var connections: [UInt64: Connection] = [:]
  private var nextToken: UInt64 = 1

  private static let listenerToken: UInt64 = 0
  private static let mostConnections = 64
  private static let mostUnsent = 1 << 20

  /// Listens, in place of what an executor before this one has left.
  init(_ paths: TaskPaths) throws(Errno) {
    path = paths.executorSocket
    tasks = paths.tasksIdentity
    listener = try Self.makeListener(path)
    poller = try Poller()
    try poller.add(listener.rawValue, token: Self.listenerToken)
  }

  /// Listens anew, at the same path, when somebody has removed the socket. Connections that there are stay.
  func listenAnew() throws(Errno) {
    let made = try Self.makeListener(path)
    try poller.remove(listener.rawValue)
    listener = made
    try poller.add(listener.rawValue, token: Self.listenerToken)
  }

  private static func makeListener(_ path: String) throws(Errno) -> SharedDescriptor {
    do throws(Errno) { try removeFile(path) } catch  where error.code == ENOENT {}
    let listener = SharedDescriptor(try UnixSocket.listen(path, kind: .stream))
    try listener.descriptor.setNonBlocking(true)
    return listener
  }

  /// Readable when somebody asks.
  var descriptor: Int32 { poller.number }

  /// Takes what has come, without waiting.
  func serve(_ handler: Handler) {
    for event in (try? poller.wait(timeoutMilliseconds: 0)) ?? [] {
      if event.token == Self.listenerToken {
        accept()
      } else if let connection = connections[event.token] {
        if event.readable { read(connection, event.token, handler) }
        if event.writable { flush(connection, event.token) }
      }
    }
  }

  /// The task has ended: nobody is answered any more, and whoever waits for that sees it.
  func close() {
    while let socket = (try? UnixSocket.accept(listener.descriptor)) ?? nil { _ = consume socket }
    for (token, connection) in connections { drop(connection, token) }
  }

  /// Tells those who have asked for it.
  func publish(_ json: @autoclosure () -> JSON) {
    guard connections.values.contains(where: \.isSubscribed) else { return }
    let line = Array(json().compact.utf8) + [UInt8(ascii: "\n")]
    for (token, connection) in connections where connection.isSubscribed { send(line, connection, token) }
  }

  private func next() throws(Errno) -> SharedDescriptor? {
    guard let socket = try UnixSocket.accept(listener.descriptor) else { return nil }
    return SharedDescriptor(socket)
  }

  private func accept() {
    while let shared = bestEffort("take a connection to \(path)", attempt: { try next() }) ?? nil {
      // The directory is closed to everybody else; who connects is asked of the kernel all the same.
      guard let peer = try? UnixSocket.peer(of: shared.descriptor),
        [0, CurrentProcess.effectiveUser].contains(peer.uid),
        connections.count < Self.mostConnections, (try? shared.descriptor.setNonBlocking(true)) != nil,
        (try? poller.add(shared.rawValue, token: nextToken)) != nil
      else { continue }
      connections[nextToken] = Connection(shared, peer)
      nextToken += 1
    }
  }

  private func read(_ connection: Connection, _ token: UInt64, _ handler: Handler) {
    while connections[token] != nil {
      do throws(Errno) {
        guard let piece = try connection.socket.descriptor.read(upTo: 4096) else { return }
        if piece.isEmpty { return drop(connection, token) }
        connection.received += piece
      } catch {
        return drop(connection, token)
      }
      while let end = connection.received.firstIndex(of: UInt8(ascii: "\n")) {
        let line = Array(connection.received[..<end])
        connection.received.removeFirst(end + 1)
        answer(line, connection, token, handler)
      }
      if connection.received.count > ControlRequest.largestLine { drop(connection, token) }
    }
  }

  private func answer(_ line: [UInt8], _ connection: Connection, _ token: UInt64, _ handler: Handler) {
    let reply: ControlReply
    do throws(ControlRequest.Problem) {
      let request = try ControlRequest(line: line, tasks: tasks)
      reply = handler(request, "a request from pid \(connection.peer.pid) (uid \(connection.peer.uid))")
      if request == .subscribe { connection.isSubscribed = true }
    } catch {
      reply = .refused(error.text)
    }
    send(Array(reply.json.compact.utf8) + [UInt8(ascii: "\n")], connection, token)
  }

  private func send(_ bytes: [UInt8], _ connection: Connection, _ token: UInt64) {
    connection.unsent += bytes
    flush(connection, token)
  }

  private func flush(_ connection: Connection, _ token: UInt64) {
    do throws(Errno) {
      while !connection.unsent.isEmpty {
        guard let count = try connection.socket.descriptor.writeSome(connection.unsent) else { break }
        connection.unsent.removeFirst(count)
      }
      guard connection.unsent.count <= Self.mostUnsent else { return drop(connection, token) }
      try poller.modify(connection.socket.rawValue, token: token, read: true, write: !connection.unsent.isEmpty)
    } catch {
      drop(connection, token)
    }
  }

  private func drop(_ connection: Connection, _ token: UInt64) {
    try? poller.remove(connection.socket.rawValue)
    connections[token] = nil
  }
}
