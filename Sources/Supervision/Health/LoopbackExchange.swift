import Glibc
import HTTP1
import LinuxKernel

/// One connection to a port of the container's own loopback interface, and over it one request and its response when
/// there is a request. Never waits: `advance` goes on a little whenever the socket is ready.
///
/// What a server answers costs the executor time, which nobody charges to the task: so bytes and pieces are bounded, beside
/// the body.
final class LoopbackExchange {
  enum Outcome {
    case connected
    case response(status: Int, body: [UInt8])
    /// Nobody listens there.
    case refused
    /// There is no way there: the loopback interface is down, or has no such address.
    case unreachable(String)
    /// For people.
    case failed(String)
  }

  /// What is asked over HTTP.
  struct Request {
    var method: String
    var endpoint: String
    /// Without it the status alone makes a response, however the body ends. It is read all the same: a server that is hung
    /// up on complains in its log.
    var wantsBody: Bool
  }

  private enum Stage { case connecting, sending, receiving }

  let socket: SharedDescriptor
  let isIPv6: Bool
  private let port: Int
  private let request: Request?
  private var stage = Stage.connecting
  private var unsent: ArraySlice<UInt8> = []
  private var parser: HTTPResponseParser
  private var status: Int?
  private var body: [UInt8] = []
  /// What was read of the response, as it came.
  private(set) var received = 0
  private var pieces = 0

  private static let largestHead = 16 << 10
  /// What is read of a body; no health check has more to say.
  private static let largestBody = 65536
  /// What is read of a response: head and body, with as much as a head for how the body is cut into chunks.
  static let largestResponse = largestHead + largestBody + (16 << 10)
  /// Pieces of a body that are read: each takes time, however short it is.
  static let mostPieces = 4096
  /// What is read before others have their turn.
  static let turn = 16384

  init(_ socket: SharedDescriptor, isIPv6: Bool, port: Int, request: Request?) {
    self.socket = socket
    self.isIPv6 = isIPv6
    self.port = port
    self.request = request
    var limits = HTTPResponseParser.Limits()
    limits.headBytes = Self.largestHead
    parser = HTTPResponseParser(method: request?.method ?? "GET", takesOldServers: true, limits: limits)
  }

  /// Whether the socket is to be watched for writing rather than for reading.
  var waitsForWriting: Bool { stage != .receiving }

  /// Begins to connect.
  func begin() -> Outcome? {
    do throws(Errno) {
      guard try StreamSocket.connectToLoopback(socket.rawValue, isIPv6: isIPv6, port: UInt16(clamping: port)) else {
        return nil
      }
      try StreamSocket.checkLoopbackConnection(socket.rawValue)
      return try isConnected()
    } catch {
      return outcome(of: error)
    }
  }

  /// Goes on; `nil` when there is more to come.
  func advance() -> Outcome? {
    do throws(Errno) {
      switch stage {
      case .connecting:
        try StreamSocket.checkLoopbackConnection(socket.rawValue)
        return try isConnected()
      case .sending: return try send()
      case .receiving: return try receive()
      }
    } catch {
      return outcome(of: error)
    }
  }

  /// What there is when no more comes: a response where its body does not matter.
  var outcomeSoFar: Outcome? {
    guard let status, request?.wantsBody == false else { return nil }
    return .response(status: status, body: body)
  }

  private func outcome(of error: Errno) -> Outcome {
    if stage == .connecting {
      switch error.code {
      case ECONNREFUSED: return .refused
      case EADDRNOTAVAIL, ENETUNREACH, EAFNOSUPPORT: return .unreachable("port \(port): \(error.explanation)")
      default: break
      }
    }
    return outcomeSoFar ?? .failed("port \(port): \(error.explanation)")
  }

  private func isConnected() throws(Errno) -> Outcome? {
    guard let request else { return .connected }
    stage = .sending
    let length = request.method == "POST" ? "Content-Length: 0\r\n" : ""
    // An endpoint is visible ASCII without blanks: the document is checked for that.
    unsent =
      Array(
        ("\(request.method) \(request.endpoint) HTTP/1.1\r\nHost: localhost:\(port)\r\n"
          + "User-Agent: aurora-executor\r\nAccept: */*\r\n\(length)Connection: close\r\n\r\n").utf8)[...]
    return try send()
  }

  private func send() throws(Errno) -> Outcome? {
    unsent = unsent.dropFirst(try StreamSocket.send(unsent, over: socket.rawValue))
    if unsent.isEmpty { stage = .receiving }
    return nil
  }

  private func receive() throws(Errno) -> Outcome? {
    guard let bytes = try socket.descriptor.read(upTo: min(Self.turn, Self.largestResponse - received)) else {
      return nil
    }
    received += bytes.count
    if bytes.isEmpty { parser.finish() } else { parser.feed(bytes) }
    do throws(HTTPViolation) {
      while let event = try parser.next() {
        switch event {
        case .head(let head): status = head.status
        case .body(let piece):
          body += piece
          pieces += 1
        case .end: return .response(status: status ?? 0, body: body)
        case .interim, .upgraded: break
        }
        if let status, body.count >= Self.largestBody || pieces >= Self.mostPieces {
          return .response(status: status, body: body)
        }
      }
    } catch {
      return outcomeSoFar ?? .failed("port \(port) does not answer in HTTP: \(error)")
    }
    if bytes.isEmpty { return outcomeSoFar ?? .failed("port \(port): the connection ended before an answer came") }
    guard received >= Self.largestResponse else { return nil }
    guard let status else {
      return .failed("port \(port): no response within the first \(Self.largestResponse) bytes of what came")
    }
    return .response(status: status, body: body)
  }
}
