import HTTP1
import LinuxKernel

/// A Docker engine behind a UNIX socket.
///
///     let engine = DockerEngine(DockerEngine.Configuration(socketPath: "/var/run/docker.sock"))
///     let id = try engine.createContainer(request, name: "web").id
///
/// Not for use from several threads. Nothing happens until the first request; the API version is agreed on then.
public final class DockerEngine {
  /// Where the engine is and how it is spoken to.
  public struct Configuration: Sendable {
    /// Whose listening socket is taken for an engine.
    public enum Peers: Sendable, Equatable {
      /// Root's, or this user's own (a rootless engine).
      case rootOrSelf
      /// Those of these users, and no others.
      case users(Set<UInt32>)
      /// Anybody's.
      case anyone

      func accept(_ uid: UInt32) -> Bool {
        switch self {
        case .rootOrSelf: StreamSocket.isRootOrSelf(uid)
        case .users(let users): users.contains(uid)
        case .anyone: true
        }
      }
    }

    /// The socket's path.
    public var socketPath: String
    /// The API version to use instead of agreeing on one (`DOCKER_API_VERSION`).
    public var apiVersion: APIVersion?
    /// Whose engine may answer.
    public var acceptedPeers = Peers.rootOrSelf
    /// The limits of ordinary requests; endpoints that take long by nature allow more.
    public var deadlines = Deadlines()

    /// The engine at `socketPath`, with the defaults that the fields document.
    public init(socketPath: String = "/var/run/docker.sock") { self.socketPath = socketPath }

    /// The path in a `DOCKER_HOST`: `unix:///run/docker.sock`, or just a path. Other schemes are refused: this client
    /// speaks to an engine of the same host only.
    public static func socketPath(dockerHost: String) throws(DockerEngineError) -> String {
      let scheme = "unix://"
      var path = dockerHost
      if dockerHost.utf8.starts(with: scheme.utf8) {
        path = String(decoding: dockerHost.utf8.dropFirst(scheme.utf8.count), as: UTF8.self)
      }
      guard path.utf8.first == UInt8(ascii: "/") else {
        throw .invalid(
          "DOCKER_HOST is \"\(excerpt(dockerHost.utf8, limit: 80))\"; only unix:///absolute/path is supported")
      }
      return path
    }
  }

  /// As given at the start.
  public let configuration: Configuration
  /// A descriptor of the caller's, such as a signalfd(2). Once something can be read from it, no call waits any more:
  /// those that would throw `interrupted`. It holds for requests that begin after it was set.
  public var interrupt: Int32?
  /// One connection that waits for the next request.
  private var idle: EngineConnection?
  private var agreed: APIVersion?

  /// A client; nothing is sent yet.
  public init(_ configuration: Configuration = Configuration()) { self.configuration = configuration }

  /// The API version in use; asks the engine the first time.
  public func apiVersion() throws(DockerEngineError) -> APIVersion {
    if let agreed { return agreed }
    let version = if let asked = configuration.apiVersion { asked } else { try negotiate() }
    guard (APIVersion.oldest...APIVersion.newest).contains(version) else {
      throw .invalid(
        "API version \(version) was asked for; this client speaks \(APIVersion.oldest) to \(APIVersion.newest)")
    }
    agreed = version
    return version
  }

  private func negotiate() throws(DockerEngineError) -> APIVersion {
    let range = "\(APIVersion.oldest) to \(APIVersion.newest)"
    let operation = "agree on an API version"
    let offered: APIVersion
    do throws(DockerEngineError) {
      offered = try ping().apiVersion
    } catch {
      switch error.kind {
      case .http, .protocolViolation, .decoding:
        throw DockerEngineError(
          .noEngine, operation: error.operation, place: error.place,
          detail: "what listens there does not answer as a Docker engine does: \(error.detail)")
      default: throw error
      }
    }
    if offered < APIVersion.oldest {
      throw DockerEngineError(
        .versionMismatch, operation: operation, place: printable(configuration.socketPath.utf8),
        detail: "the engine speaks API \(offered) at most, this client \(range); a newer engine is needed")
    }
    if offered > APIVersion.newest, let oldest = try version().minimumAPIVersion, oldest > APIVersion.newest {
      throw DockerEngineError(
        .versionMismatch, operation: operation, place: printable(configuration.socketPath.utf8),
        detail: "the engine speaks API \(oldest) at least, this client \(range); a newer client is needed")
    }
    return min(offered, APIVersion.newest)
  }

  // MARK: Requests

  /// A request for `path` below the agreed version's root.
  func request(
    _ method: String, _ path: String, query: [(String, String?)] = [], _ operation: String,
    deadlines: Deadlines? = nil
  ) throws(DockerEngineError) -> HTTPRequest {
    let version: APIVersion
    do throws(DockerEngineError) {
      version = try apiVersion()
    } catch {
      throw error.during(operation)
    }
    return unversioned(method, "/v\(version)\(path)", query: query, operation, deadlines: deadlines)
  }

  /// A request for a path that means the same in every version.
  func unversioned(
    _ method: String, _ path: String, query: [(String, String?)] = [], _ operation: String,
    deadlines: Deadlines? = nil
  ) -> HTTPRequest {
    let items = query.compactMap { name, value in value.map { (name, $0) } }
    return HTTPRequest(
      method, path + PercentEncoding.query(items), operation, deadlines: deadlines ?? configuration.deadlines)
  }

  /// Sends a request and waits for its answer.
  ///
  /// A kept connection may have been closed by the engine just when the request was sent. Where sending it again does
  /// no harm, and no byte of an answer had come, it is sent again on a new connection, once.
  func perform<Value>(
    _ request: HTTPRequest, bodyLimit: Int = JSONFields.bodyLimit, accepting: [Int] = [],
    decode: @escaping (HTTPResponseHead, [UInt8]) throws(DockerEngineError) -> Value
  ) throws(DockerEngineError) -> Value {
    let pending = try begin(request, bodyLimit: bodyLimit, accepting: accepting, decode: decode)
    do throws(DockerEngineError) {
      return try pending.finish()
    } catch {
      guard case .transport = error.kind, request.isIdempotent, pending.wasReused, pending.isUnanswered else {
        throw error
      }
      var again = request
      again.freshConnection = true
      return try begin(again, bodyLimit: bodyLimit, accepting: accepting, decode: decode).finish()
    }
  }

  /// Sends an operation's request and waits for its answer.
  func perform<Value>(_ operation: EngineOperation<Value>) throws(DockerEngineError) -> Value {
    try perform(
      operation.request, bodyLimit: operation.bodyLimit, accepting: operation.accepting, decode: operation.decode)
  }

  /// Sends an operation's request on a connection of its own, to be waited for by the caller.
  func begin<Value>(_ operation: EngineOperation<Value>) throws(DockerEngineError) -> PendingReply<Value> {
    var request = operation.request
    request.freshConnection = true
    return try begin(
      request, bodyLimit: operation.bodyLimit, accepting: operation.accepting, decode: operation.decode)
  }

  /// The same for a request whose answer's body does not matter.
  func perform(_ request: HTTPRequest, accepting: [Int] = []) throws(DockerEngineError) {
    try perform(request, accepting: accepting) { _, _ in }
  }

  /// Sends a request, to be waited for by the caller.
  func begin<Value>(
    _ request: HTTPRequest, bodyLimit: Int = JSONFields.bodyLimit, accepting: [Int] = [],
    decode: @escaping (HTTPResponseHead, [UInt8]) throws(DockerEngineError) -> Value
  ) throws(DockerEngineError) -> PendingReply<Value> {
    let (exchange, context) = try exchange(request)
    return PendingReply(exchange, context, bodyLimit: bodyLimit, accepting: accepting, decode: decode)
  }

  /// Sends a request whose answer goes on, always on a connection of its own.
  func stream<Element>(
    _ request: HTTPRequest, decode: @escaping StreamDecoder<Element>
  ) throws(DockerEngineError) -> EngineStream<Element> {
    var request = request
    request.freshConnection = true
    let (exchange, context) = try exchange(request)
    return EngineStream(exchange, context, decode: decode)
  }

  private func exchange(_ request: HTTPRequest) throws(DockerEngineError) -> (Exchange, RequestContext) {
    let path = request.target.utf8.prefix { $0 != UInt8(ascii: "?") }
    let place =
      "\(request.method) \(String(decoding: path, as: UTF8.self)) on \(printable(configuration.socketPath.utf8))"
    let context = RequestContext(operation: request.operation, place: place) { [weak self] in self?.note($0) }
    do throws(DockerEngineError) {
      let exchange = try Exchange(request, on: try connection(for: request), interrupt: interrupt)
      // A connection that a caller may have registered somewhere is closed at its end: that takes it out of there.
      if !request.freshConnection { exchange.onReusable = { [weak self] in self?.idle = $0 } }
      return (exchange, context)
    } catch {
      note(error)
      throw error.during(request.operation)
    }
  }

  private func connection(for request: HTTPRequest) throws(DockerEngineError) -> EngineConnection {
    if !request.freshConnection, let kept = idle {
      idle = nil
      if kept.isQuiet { return kept }
    }
    return try EngineConnection.open(
      path: configuration.socketPath, peers: configuration.acceptedPeers, limit: request.deadlines.connect)
  }

  /// After a broken connection another engine may be there, of another version.
  private func note(_ error: DockerEngineError) {
    switch error.kind {
    case .transport, .socketAbsent: agreed = nil
    default: break
    }
  }

  /// Closes the connection that is kept; the next request makes a new one.
  public func disconnect() { idle = nil }
}

/// A decoder for answers that are one JSON object.
func object<Value>(
  _ read: @escaping (JSONFields) throws(DockerEngineError) -> Value
) -> (HTTPResponseHead, [UInt8]) throws(DockerEngineError) -> Value {
  { (_, body) throws(DockerEngineError) in try read(JSONFields(parsing: body)) }
}

/// A decoder for answers that are a list of JSON objects.
func list<Value>(
  _ read: @escaping (JSONFields) throws(DockerEngineError) -> Value
) -> (HTTPResponseHead, [UInt8]) throws(DockerEngineError) -> [Value] {
  { (_, body) throws(DockerEngineError) in
    var values: [Value] = []
    for fields in try JSONFields.list(parsing: body) { values.append(try read(fields)) }
    return values
  }
}
