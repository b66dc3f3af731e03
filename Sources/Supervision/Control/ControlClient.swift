import Glibc
import LinuxKernel
import StrictJSON
import TaskStore

/// A conversation with the executor that runs a task.
package final class ControlClient {
  private let paths: TaskPaths
  private let socket: SharedDescriptor
  private var received: [UInt8] = []
  private var isClosed = false

  /// Connects to the executor of a task that has one.
  package init(_ paths: TaskPaths) throws(ExecutorFailure) {
    self.paths = paths
    try TrustedDirectory.check(paths.run)
    try RunDirectory.refuseOthers(paths)
    do throws(Errno) {
      socket = SharedDescriptor(try Self.connect(paths.executorSocket))
      try socket.descriptor.setNonBlocking(true)
    } catch {
      throw ExecutorFailure(
        error.code == EACCES ? .needsPrivileges : .unavailable,
        "the executor of \(paths.taskID) cannot be reached at \(paths.executorSocket): \(error)",
        hint: error.code == EACCES
          ? "run with sudo" : "it may be about to end: `aurora-executor status \(paths.taskID)`")
    }
  }

  /// An executor that has just begun, or makes its socket anew, is a moment behind the lock that it holds.
  private static func connect(_ path: String) throws(Errno) -> FileDescriptor {
    let end = Clock.now + 500_000_000
    while true {
      do throws(Errno) { return try UnixSocket.connect(path, kind: .stream) } catch {
        guard error.code == ECONNREFUSED || error.code == ENOENT, Clock.now < end else { throw error }
        CurrentProcess.pause(milliseconds: 10)
      }
    }
  }

  /// Asks, and returns the answer; `nil` when there is none within `milliseconds`.
  package func ask(_ request: ControlRequest, within milliseconds: Int32) throws(ExecutorFailure) -> JSON? {
    do throws(Errno) {
      let line = request.json(tasks: paths.tasksIdentity).compact + "\n"
      try socket.descriptor.writeAll(Array(line.utf8))
    } catch {
      // Gone, or about to be: there will be no answer.
      return nil
    }
    guard let line = nextLine(within: milliseconds) else { return nil }
    guard let json = try? JSON(parsing: line), let isDone = json["ok"]?.bool else {
      throw ExecutorFailure(.internalError, "the executor of \(paths.taskID) answered what cannot be understood")
    }
    guard isDone else {
      throw ExecutorFailure(
        .failed, "the executor of \(paths.taskID) refuses: \(printable((json["error"]?.string ?? "").utf8))")
    }
    return json
  }

  /// SIGTERM to an executor that is at something else than listening: it waits for an engine or an image, and a signal ends that.
  package func interrupt() {
    // It has not said whose it is.
    guard RunDirectory.isOwn(paths) else { return }
    guard let peer = try? UnixSocket.peer(of: socket.descriptor), let handle = try? openProcess(peer.pid) else {
      return
    }
    // Still connected, the process at the other end is who made the socket, and has its number.
    guard nextLine(within: 0) == nil, !isClosed else { return }
    _ = ProcessHandle.signal(SIGTERM, handle.rawValue)
  }

  /// Waits until the executor has ended; false when it has not in time. No time is for ever.
  package func waitForEnd(seconds: Int?) -> Bool {
    let deadline = seconds.map { Clock.now + UInt64($0) * 1_000_000_000 }
    while !isClosed {
      let left = deadline.map { Int32(clamping: ($0 - min($0, Clock.now)) / 1_000_000) }
      if left == 0 { return false }
      _ = nextLine(within: left)
    }
    return true
  }

  /// - Parameter milliseconds: `nil` waits for ever.
  private func nextLine(within milliseconds: Int32?) -> [UInt8]? {
    let deadline = milliseconds.map { Clock.now + UInt64($0) * 1_000_000 }
    while true {
      if let end = received.firstIndex(of: UInt8(ascii: "\n")) {
        defer { received.removeFirst(end + 1) }
        return Array(received[..<end])
      }
      do throws(Errno) {
        if let piece = try socket.descriptor.read(upTo: 65_536) {
          if piece.isEmpty { isClosed = true }
          received += piece
          if isClosed { return nil }
          continue
        }
        let now = Clock.now
        if let deadline, now >= deadline { return nil }
        let left = deadline.map { Int32(clamping: ($0 - now) / 1_000_000 + 1) }
        _ = try waitUntilReady(socket.rawValue, read: true, write: false, timeoutMilliseconds: left)
      } catch {
        isClosed = true
        return nil
      }
    }
  }
}
