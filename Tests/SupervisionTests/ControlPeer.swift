import Glibc
import LinuxKernel
import PlayedInit
import StrictJSON
import TaskStore

@testable import Supervision

/// Somebody at an executor's socket who says what he likes, and when.
final class ControlPeer {
  struct Silence: Error {}

  let socket: SharedDescriptor
  private var received: [UInt8] = []

  /// Connects, as soon as there is a socket.
  init(_ paths: TaskPaths) throws {
    var found: SharedDescriptor?
    _ = waitUntil {
      found = try? SharedDescriptor(UnixSocket.connect(paths.executorSocket, kind: .stream))
      return found != nil
    }
    guard let found else { throw Silence() }
    socket = found
  }

  func say(_ line: String) throws { try socket.descriptor.writeAll(Array((line + "\n").utf8)) }

  /// The next line.
  func hear() throws -> JSON {
    while true {
      if let end = received.firstIndex(of: UInt8(ascii: "\n")) {
        defer { received.removeFirst(end + 1) }
        return try JSON(parsing: Array(received[..<end]))
      }
      guard try waitUntilReady(socket.rawValue, read: true, write: false, timeoutMilliseconds: 10_000),
        let piece = try socket.descriptor.read(upTo: 65536), !piece.isEmpty
      else { throw Silence() }
      received += piece
    }
  }

  func ask(_ line: String) throws -> JSON {
    try say(line)
    return try hear()
  }

  func ask(_ request: ControlRequest) throws -> JSON { try ask(request.json(tasks: nil).compact) }

  /// Waits until the other end has hung up; false when it does not.
  func isCutOff() -> Bool {
    while (try? waitUntilReady(socket.rawValue, read: true, write: false, timeoutMilliseconds: 10_000)) == true {
      guard let piece = (try? socket.descriptor.read(upTo: 65536)) ?? nil, !piece.isEmpty else { return true }
    }
    return false
  }

  /// Waits until the task is where it is to be.
  func wait(phase: String? = nil, state: String? = nil, _ process: String = "main", run: String? = nil) throws {
    let isThere = try waitUntil {
      let status = try ask(.status)
      let last = status["processes"]?[process]?["state"]?.string
      return (phase ?? status["phase"]?.string) == status["phase"]?.string
        && (state ?? status["state"]?.string) == status["state"]?.string && (run ?? last) == last
    }
    guard isThere else { throw Silence() }
  }

  /// Waits for one of the lines for who has subscribed.
  func wait(event: String) throws -> JSON {
    while true {
      let line = try hear()
      if line["event"]?.string == event { return line }
    }
  }
}

/// The connection that waits at a listener.
func accepted(by listener: SharedDescriptor) throws -> SharedDescriptor {
  guard let socket = try UnixSocket.accept(listener.descriptor) else { throw ControlPeer.Silence() }
  return SharedDescriptor(socket)
}
