import Glibc
import LinuxKernel
import TaskStore

/// Where events go: a file, or the socket of a daemon.
struct LogSink: Sendable {
  private enum Way: Sendable {
    case file(SharedDescriptor)
    case datagrams(path: String, format: @Sendable (OperatorEvent) -> [UInt8])
  }

  private let way: Way
  private var socket: SharedDescriptor?
  /// The file ends within a line, for want of room.
  private var isTorn = false

  static let syslogSocket = "/dev/log"
  static let journalSocket = "/run/systemd/journal/socket"
  /// What names no file.
  static let daemons: Set<String> = ["syslog", "journal"]
  /// Numbers below this are the caller's: one that it names and has not opened must not come to mean the log.
  private static let firstNumber = 512

  /// - Parameter name: `syslog`, `journal`, or the path of a file.
  init(_ name: String) throws(ExecutorFailure) {
    switch name {
    case "syslog": try self.init(LogSink.syslogSocket, name, LogFormat.syslog)
    case "journal": try self.init(LogSink.journalSocket, name, LogFormat.journal)
    case "": throw ExecutorFailure(.usage, "--log needs syslog, journal or the path of a file")
    default:
      do throws(Errno) { self.init(file: try LogSink.open(name)) } catch {
        throw ExecutorFailure(.cannotCreate, "--log \(printable(name.utf8)): cannot open it: \(error)")
      }
    }
  }

  private init(_ path: String, _ name: String, _ format: @escaping @Sendable (OperatorEvent) -> [UInt8])
    throws(ExecutorFailure)
  {
    do throws(Errno) { try self.init(path, format: format) } catch {
      throw ExecutorFailure(.unavailable, "--log \(name): nobody takes it at \(path): \(error)")
    }
  }

  init(file: consuming FileDescriptor) { way = .file(SharedDescriptor(file)) }

  /// - Parameter path: the socket of a daemon, which takes datagrams.
  init(_ path: String, format: @escaping @Sendable (OperatorEvent) -> [UInt8]) throws(Errno) {
    way = .datagrams(path: path, format: format)
    socket = try LogSink.connect(path)
  }

  /// A pipe is opened only if somebody reads it: nobody is waited for.
  static func open(_ path: String) throws(Errno) -> FileDescriptor {
    let flags = O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY
    let file = try openFile(path, flags, mode: 0o600)
    return try StandardStream.duplicate(file.rawValue, from: firstNumber)
  }

  private static func connect(_ path: String) throws(Errno) -> SharedDescriptor {
    let socket = try UnixSocket.connect(path, kind: .datagrams)
    try socket.setNonBlocking(true)
    return SharedDescriptor(socket)
  }

  /// False when it is not taken now.
  mutating func take(_ event: OperatorEvent) -> Bool {
    switch way {
    case .file(let file): write(LogFormat.line(event), to: file)
    case .datagrams(let path, let format): send(format(event), path)
    }
  }

  private mutating func write(_ line: [UInt8], to file: SharedDescriptor) -> Bool {
    let bytes = (isTorn ? [UInt8(ascii: "\n")] : []) + line
    do throws(Errno) {
      guard let count = try file.descriptor.writeSome(bytes) else { return false }
      if count > 0 { isTorn = count < bytes.count }
      return count == bytes.count
    } catch {
      // Nobody could be told but by this log, which counts it.
      return false
    }
  }

  /// A daemon that was started anew has another socket of the same name.
  private mutating func send(_ bytes: [UInt8], _ path: String) -> Bool {
    for isAgain in [false, true] {
      do throws(Errno) {
        if isAgain || socket == nil { socket = try LogSink.connect(path) }
        guard let socket else { return false }
        return try UnixSocket.send(bytes, over: socket.descriptor)
      } catch {
        socket = nil
      }
    }
    return false
  }
}
