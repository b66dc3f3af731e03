import HTTP1
import LinuxKernel

/// A response that goes on: logs, events, progress, the output of an attached container.
///
/// Blocking: `while let element = try stream.next() { … }`. In an event loop: register `descriptor` for `interest`,
/// call `advance()` when it is ready or `deadline` has passed, and again as long as it gives something, until `isFinished`.
public final class EngineStream<Element> {
  private enum State { case opening, open, finished }

  private let exchange: Exchange
  private let context: RequestContext
  private let decoder: StreamDecoder<Element>
  private var state = State.opening
  private var refusal: [UInt8] = []
  private var ready: ArraySlice<Element> = []
  /// A failure that waits until what came before it has been given out.
  private var failure: DockerEngineError?

  init(
    _ exchange: Exchange, _ context: RequestContext,
    decode: @escaping StreamDecoder<Element>
  ) {
    self.exchange = exchange
    self.context = context
    decoder = decode
  }

  /// What to poll; never another number while the stream lasts, -1 afterwards.
  public var descriptor: Int32 { exchange.descriptor }
  /// What to poll it for; may change with each `advance()`.
  public var interest: Readiness { exchange.interest }
  /// When to call `advance()` at the latest, in nanoseconds of CLOCK_BOOTTIME; `nil` when nothing is due.
  public var deadline: UInt64? {
    // No descriptor tells of an error that waits.
    if failure != nil { return 0 }
    return state == .finished ? nil : exchange.deadline
  }
  /// The engine has accepted the request: what it does from now on is seen.
  public var isOpen: Bool { state == .open }
  /// The engine has ended the stream in order, and everything that came was given out.
  public var isFinished: Bool { state == .finished && ready.isEmpty && failure == nil }

  /// What is there now, without waiting; empty when there is nothing, or when the stream `isFinished`.
  ///
  /// When the stream breaks, what came before is given out first and the error thrown by the next call.
  public func advance() throws(DockerEngineError) -> [Element] {
    if ready.isEmpty, let error = failure {
      failure = nil
      throw error
    }
    do throws(DockerEngineError) {
      while state != .finished, let event = try exchange.next() { try take(event) }
    } catch {
      state = .finished
      exchange.cancel()
      context.failed(error)
      let told = error.during(context.operation, at: context.place)
      if ready.isEmpty { throw told }
      failure = told
    }
    defer { ready = [] }
    return Array(ready)
  }

  /// Waits for the engine to accept the request.
  public func open() throws(DockerEngineError) {
    while state == .opening {
      let early = try advance()
      ready += early
      if state == .opening { try waitUntilReady() }
    }
  }

  /// Waits for the next element; `nil` at the end of the stream.
  public func next() throws(DockerEngineError) -> Element? {
    while true {
      if let element = ready.popFirst() { return element }
      if state == .finished, failure == nil { return nil }
      ready = try advance()[...]
      if ready.isEmpty, state != .finished { try waitUntilReady() }
    }
  }

  /// Ends the stream from this side: the connection closes.
  public func cancel() {
    state = .finished
    ready = []
    exchange.cancel()
  }

  private func take(_ event: HTTPResponseParser.Event) throws(DockerEngineError) {
    switch event {
    case .interim: break
    case .upgraded: state = .open
    case .head(let head): if (200..<300).contains(head.status) { state = .open }
    case .body(let piece):
      if state == .open {
        try decode(.bytes(piece))
      } else if let head = exchange.head {
        if refusal.count + piece.count > EngineRefusal.bodyLimit { throw EngineRefusal.error(head, refusal) }
        refusal += piece
      }
    case .end:
      if state == .opening, let head = exchange.head { throw EngineRefusal.error(head, refusal) }
      try decode(.end)
      state = .finished
    }
  }

  private func decode(_ input: StreamInput) throws(DockerEngineError) {
    var elements: [Element] = []
    // Also what was complete before the input turned bad.
    defer { ready += elements }
    try decoder(input, &elements)
  }

  private func waitUntilReady() throws(DockerEngineError) {
    do throws(DockerEngineError) {
      try exchange.waitUntilReady()
    } catch {
      if error.kind == .interrupted { state = .finished }
      throw error.during(context.operation, at: context.place)
    }
  }

  /// Sends on an upgraded connection what the socket takes now; zero when that is nothing.
  func send(_ bytes: ArraySlice<UInt8>) throws(DockerEngineError) -> Int {
    do throws(Errno) {
      return try exchange.sendRaw(bytes)
    } catch {
      throw DockerEngineError.transport(.send, error).during(context.operation, at: context.place)
    }
  }

  func finishSending() throws(DockerEngineError) {
    do throws(Errno) {
      try exchange.finishSending()
    } catch {
      throw DockerEngineError.transport(.send, error).during(context.operation, at: context.place)
    }
  }

  /// Waits until the socket takes bytes, at most `limit`.
  func waitUntilWritable(_ limit: Duration?) throws(DockerEngineError) -> Bool {
    do throws(Errno) {
      let until = limit.map { Clock.now + $0.nanoseconds }
      try wait(for: descriptor, .write, until: until)
      return until.map { Clock.now < $0 } ?? true
    } catch {
      throw DockerEngineError.transport(.send, error).during(context.operation, at: context.place)
    }
  }
}

/// Makes elements of what arrives, and adds them to the list as it goes.
typealias StreamDecoder<Element> = (StreamInput, inout [Element]) throws(DockerEngineError) -> Void

/// What the body of a streamed response gives its decoder.
enum StreamInput {
  case bytes([UInt8])
  /// The response is complete; a decoder that holds half a message throws.
  case end
}
