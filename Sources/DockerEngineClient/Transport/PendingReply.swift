import HTTP1
import LinuxKernel

/// A request that is under way and whose answer is one value.
///
/// In a blocking program call `finish()`. In an event loop register `descriptor` for `interest`, call `advance()`
/// whenever it is ready or `deadline` has passed, until it gives the value or throws.
public final class PendingReply<Value> {
  private let exchange: Exchange
  private let context: RequestContext
  private let bodyLimit: Int
  private let accepting: [Int]
  private let decode: (HTTPResponseHead, [UInt8]) throws(DockerEngineError) -> Value
  private var body: [UInt8] = []
  private var isOver = false

  init(
    _ exchange: Exchange, _ context: RequestContext, bodyLimit: Int, accepting: [Int] = [],
    decode: @escaping (HTTPResponseHead, [UInt8]) throws(DockerEngineError) -> Value
  ) {
    self.exchange = exchange
    self.context = context
    self.bodyLimit = bodyLimit
    self.accepting = accepting
    self.decode = decode
  }

  /// What to poll; never another number while the request is under way, -1 afterwards.
  public var descriptor: Int32 { exchange.descriptor }
  /// What to poll it for; may change with each `advance()`.
  public var interest: Readiness { exchange.interest }
  /// When to call `advance()` at the latest, in nanoseconds of CLOCK_BOOTTIME; `nil` when nothing is due.
  public var deadline: UInt64? { isOver ? nil : exchange.deadline }

  /// Does what can be done without waiting: the value once it is there, `nil` before. Call it no more after that.
  public func advance() throws(DockerEngineError) -> Value? {
    if isOver { throw DockerEngineError.invalid("the request is over").during(context.operation, at: context.place) }
    do throws(DockerEngineError) {
      guard let value = try step() else { return nil }
      isOver = true
      return value
    } catch {
      isOver = true
      exchange.cancel()
      context.failed(error)
      throw error.during(context.operation, at: context.place)
    }
  }

  private func step() throws(DockerEngineError) -> Value? {
    while let event = try exchange.next() {
      switch event {
      case .head, .upgraded, .interim: break
      case .body(let piece):
        guard let head = exchange.head else { break }
        guard accepts(head) else {
          guard body.count + piece.count <= EngineRefusal.bodyLimit else { throw EngineRefusal.error(head, body) }
          body += piece
          break
        }
        guard body.count + piece.count <= bodyLimit else {
          throw .decoding("a response of more than \(bodyLimit) bytes")
        }
        body += piece
      case .end:
        guard let head = exchange.head else { break }
        guard accepts(head) else { throw EngineRefusal.error(head, body) }
        return try decode(head, body)
      }
    }
    return nil
  }

  private func accepts(_ head: HTTPResponseHead) -> Bool {
    (200..<300).contains(head.status) || accepting.contains(head.status)
  }

  /// Waits for the value, as long as the deadlines allow and nobody interrupts (`DockerEngine.interrupt`).
  /// - Parameter limit: a further deadline, for a caller who has less time than the request.
  public func finish(within limit: Duration? = nil) throws(DockerEngineError) -> Value {
    let until = limit.map { Clock.now + $0.nanoseconds }
    while true {
      if let value = try advance() { return value }
      do throws(DockerEngineError) {
        if let until, let limit, Clock.now >= until {
          exchange.cancel()
          throw .timeout(.whole, limit)
        }
        try exchange.waitUntilReady(until: until)
      } catch {
        isOver = true
        throw error.during(context.operation, at: context.place)
      }
    }
  }

  /// Gives up: the connection closes, and the engine stops what it does only for this request.
  public func cancel() {
    isOver = true
    exchange.cancel()
  }

  /// No byte of a response had come when it failed.
  var isUnanswered: Bool { exchange.isUnanswered }
  /// It went over a connection that had been kept.
  var wasReused: Bool { exchange.wasReused }
}

/// What an error has to tell about the request it ended.
struct RequestContext {
  /// `create container web`
  let operation: String
  /// `POST /v1.41/containers/create on /run/docker.sock`
  let place: String
  /// Called with every failure.
  let failed: (DockerEngineError) -> Void
}
