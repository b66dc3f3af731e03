import LinuxKernel

/// Why a request to the engine has no result.
///
/// `kind` is what a program branches on; `description` is one line for people: what was to be done, where, what went
/// wrong, and a hint where the error alone would mislead. It never holds a credential.
public struct DockerEngineError: Error, Sendable, CustomStringConvertible {
  /// What a request was doing when it failed.
  public enum Phase: String, Sendable {
    /// Opening the connection.
    case connect = "connecting"
    /// Sending the request.
    case send = "sending the request"
    /// Waiting for the head of the response. The engine may have acted on the request.
    case head = "waiting for the response"
    /// Reading the body of the response.
    case body = "reading the response"
    /// Reading what was to be uploaded.
    case upload = "reading what to upload"
  }

  /// Which limit of `Deadlines` ran out.
  public enum Deadline: String, Sendable {
    /// `Deadlines.connect`.
    case connect = "connecting"
    /// `Deadlines.head`.
    case head = "waiting for a response"
    /// `Deadlines.idle`.
    case idle = "waiting for more of the response"
    /// `Deadlines.whole`.
    case whole = "waiting for the whole response"
  }

  /// The classes of failure.
  public enum Kind: Sendable, Equatable {
    /// No socket there, or nobody listens on it.
    case socketAbsent
    /// The socket is there, but this user may not use it.
    case permissionDenied
    /// Whoever listens on the socket is not a user that may (`DockerEngine.Configuration.acceptedPeers`).
    case foreignPeer(uid: UInt32)
    /// The connection broke.
    case transport(Phase)
    /// A limit ran out, after so many seconds.
    case timeout(Deadline, seconds: Double)
    /// The engine refused, with this HTTP status; `engineMessage` has its words.
    case http(status: Int)
    /// The response is not HTTP as we accept it.
    case protocolViolation
    /// The response is HTTP, but its body is not what the endpoint documents.
    case decoding
    /// A response that began well and then told of a failure: in a pull's progress, or in `wait`'s `Error`.
    case engine
    /// Somebody listens on the socket, and does not answer a ping as an engine does.
    case noEngine
    /// No API version that both sides speak.
    case versionMismatch
    /// `DockerEngine.interrupt` ended the wait; the engine may act on the request all the same.
    case interrupted
    /// The caller's own input cannot be sent.
    case invalidRequest
  }

  /// The class of this failure.
  public let kind: Kind
  /// What was to be done: `create container web`.
  public let operation: String
  /// Where: method, path and socket; empty when no request was made.
  public let place: String
  /// What went wrong, without `operation` and `place`.
  public let detail: String
  /// The engine's own words, as it sent them, bounded; for `http` and `engine`.
  public let engineMessage: String?
  /// The error number of the call that failed, for failures of the system.
  public let errorNumber: Int32?

  init(
    _ kind: Kind, operation: String = "", place: String = "", detail: String, engineMessage: String? = nil,
    errorNumber: Int32? = nil
  ) {
    self.kind = kind
    self.operation = operation
    self.place = place
    self.detail = detail
    self.engineMessage = engineMessage
    self.errorNumber = errorNumber
  }

  /// The engine cannot be reached or does not answer: trying again later may help, changing the request will not.
  public var isUnavailable: Bool {
    switch kind {
    case .socketAbsent, .permissionDenied, .foreignPeer, .versionMismatch, .noEngine: true
    case .transport(let phase): phase != .upload
    case .timeout: true
    default: false
    }
  }

  /// The status of the engine's refusal, `nil` for other failures.
  public var status: Int? { if case .http(let status) = kind { status } else { nil } }

  /// The whole story on one line.
  public var description: String {
    [operation, place, detail].filter { !$0.isEmpty }.joined(separator: ": ")
  }

  /// The same failure, told as part of `operation` at `place` where it does not say so itself.
  func during(_ operation: String, at place: String = "") -> DockerEngineError {
    DockerEngineError(
      kind, operation: self.operation.isEmpty ? operation : self.operation,
      place: self.place.isEmpty ? place : self.place, detail: detail, engineMessage: engineMessage,
      errorNumber: errorNumber)
  }

  static func invalid(_ detail: String) -> DockerEngineError { DockerEngineError(.invalidRequest, detail: detail) }

  static func decoding(_ detail: String) -> DockerEngineError { DockerEngineError(.decoding, detail: detail) }

  static func transport(_ phase: Phase, _ errno: Errno) -> DockerEngineError {
    DockerEngineError(
      .transport(phase), detail: "the connection broke while \(phase.rawValue): \(errno)", errorNumber: errno.code)
  }

  static func timeout(_ deadline: Deadline, _ limit: Duration) -> DockerEngineError {
    let seconds = limit.inSeconds
    return DockerEngineError(
      .timeout(deadline, seconds: seconds),
      detail: "gave up after \(limit.shown) s \(deadline.rawValue); the engine may be hung or overloaded")
  }
}

/// At most `limit` bytes of text from outside, made safe to show.
func excerpt(_ bytes: some Collection<UInt8>, limit: Int = 256) -> String {
  let shown = printable(bytes.prefix(limit))
  return bytes.count > limit ? "\(shown)… (\(bytes.count) bytes)" : shown
}

extension Duration {
  var inSeconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }

  /// Seconds as a person writes them: `30`, `0.25`.
  var shown: String {
    let seconds = inSeconds
    if seconds == seconds.rounded(), seconds.magnitude < 1e15 { return String(Int64(seconds)) }
    return String((seconds * 1000).rounded() / 1000)
  }

  /// Nanoseconds, never negative and never too large to add to a clock.
  var nanoseconds: UInt64 {
    let (seconds, attoseconds) = components
    if seconds < 0 || attoseconds < 0 { return 0 }
    return UInt64(min(seconds, 1_000_000_000)) * 1_000_000_000 + UInt64(attoseconds / 1_000_000_000)
  }
}
