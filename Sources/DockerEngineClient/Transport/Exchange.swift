import HTTP1
import LinuxKernel

/// One request and its response on one connection, as far as the descriptor allows at a time.
///
/// Sending and receiving run side by side: an engine that refuses an upload answers before it has read it all, and one
/// that accepts it may report progress meanwhile. Nothing here blocks; `next()` gives what there is.
final class Exchange {
  private enum Sending {
    case sending
    /// The head is out; the upload waits for 100 Continue, at most until the instant.
    case holding(until: UInt64)
    case done
    /// The engine takes no more, or the answer made the rest pointless.
    case abandoned
  }

  let request: HTTPRequest
  private let connection: EngineConnection
  /// The connection had carried a request before this one.
  let wasReused: Bool
  private var parser: HTTPResponseParser
  private var sending = Sending.sending
  private var outgoing: [UInt8]
  private var sent = 0
  private var upload: UploadSource?
  private var sendFailure: Errno?
  private(set) var head: HTTPResponseHead?
  private var hasEnded = false
  private let wholeDeadline: UInt64?
  /// When the last progress was made.
  private var lastProgress: UInt64
  /// What ends every wait for it once it can be read.
  private let interrupt: Int32?
  /// Called once, when the response is complete and the connection can carry another request.
  var onReusable: ((EngineConnection) -> Void)?

  /// How long an engine may keep silent about `Expect: 100-continue` before the body is sent all the same.
  private static let continueTimeout: UInt64 = 1_000_000_000

  init(
    _ request: HTTPRequest, on connection: EngineConnection, interrupt: Int32? = nil
  ) throws(DockerEngineError) {
    self.request = request
    self.interrupt = interrupt
    self.connection = connection
    wasReused = connection.isReused
    parser = HTTPResponseParser(method: request.method, upgrade: request.upgrade != nil)
    outgoing = try request.head()
    if case .upload(let body, _) = request.body { upload = UploadSource(body) }
    let now = Clock.now
    lastProgress = now
    wholeDeadline = request.deadlines.whole.map { now + $0.nanoseconds }
  }

  /// Not a single byte of a response has come.
  var isUnanswered: Bool { !parser.hasStarted }

  /// What the descriptor has to be ready for.
  var interest: Readiness {
    if case .sending = sending { return hasEnded ? .read : [.read, .write] }
    return .read
  }

  /// The instant (`Clock.now`) at which `next()` has to be called even if nothing happens.
  var deadline: UInt64? {
    var earliest = wholeDeadline
    if let limit = progressLimit?.limit { earliest = min(earliest ?? .max, lastProgress + limit.nanoseconds) }
    if case .holding(let until) = sending { earliest = min(earliest ?? .max, until) }
    return earliest
  }

  /// The limit on standing still that holds now.
  private var progressLimit: (name: DockerEngineError.Deadline, limit: Duration)? {
    if head == nil { return request.deadlines.head.map { (.head, $0) } }
    return request.deadlines.idle.map { (.idle, $0) }
  }

  /// The next event of the response, `nil` when it has not come yet. After `end` there is nothing more to ask for.
  func next() throws(DockerEngineError) -> HTTPResponseParser.Event? {
    do throws(DockerEngineError) {
      return try step()
    } catch {
      connection.close()
      throw error
    }
  }

  private func step() throws(DockerEngineError) -> HTTPResponseParser.Event? {
    while true {
      if let event = try parse() {
        // Interim responses steer the upload and are nobody else's business.
        if case .interim(let interim) = event {
          if interim.status == 100, case .holding = sending { sending = .sending }
          continue
        }
        note(event)
        return event
      }
      if hasEnded { return nil }
      if let wholeDeadline, let limit = request.deadlines.whole, Clock.now >= wholeDeadline {
        throw .timeout(.whole, limit)
      }
      let sentSome = try sendSome()
      if try readSome() || sentSome {
        lastProgress = Clock.now
        continue
      }
      if let (name, limit) = progressLimit, Clock.now >= lastProgress + limit.nanoseconds {
        throw .timeout(name, limit)
      }
      return nil
    }
  }

  private func parse() throws(DockerEngineError) -> HTTPResponseParser.Event? {
    do throws(HTTPViolation) {
      return try parser.next()
    } catch {
      switch error {
      case .malformed(let rule):
        throw DockerEngineError(.protocolViolation, detail: "the response is not valid HTTP: \(rule)")
      case .truncated(let place):
        if let sendFailure, isUnanswered { throw .transport(.send, sendFailure) }
        throw DockerEngineError(
          .transport(head == nil ? .head : .body), detail: "the engine closed the connection \(place)")
      }
    }
  }

  private func note(_ event: HTTPResponseParser.Event) {
    switch event {
    case .head(let head):
      self.head = head
      // A refusal makes the rest of an upload pointless; a success may still want it.
      if head.status >= 300 { abandonSending() }
    case .upgraded(let head): self.head = head
    case .end:
      hasEnded = true
      if case .done = sending, parser.connectionPersists, parser.unread == 0, let onReusable {
        connection.isReused = true
        onReusable(connection)
      } else {
        connection.close()
      }
      onReusable = nil
    case .body, .interim: break
    }
  }

  private func abandonSending() {
    if case .done = sending { return }
    sending = .abandoned
  }

  /// Sends what the socket takes; true when that was something.
  private func sendSome() throws(DockerEngineError) -> Bool {
    var progressed = false
    if case .holding(let until) = sending, Clock.now >= until { sending = .sending }
    while case .sending = sending {
      if sent == outgoing.count {
        sent = 0
        outgoing = try upload?.next() ?? []
        if outgoing.isEmpty { sending = .done; break }
      }
      do throws(Errno) {
        let count = try connection.send(outgoing[sent...])
        if count == 0 { break }
        progressed = true
        sent += count
      } catch {
        // The engine may have answered before it closed its side; only the reader knows.
        sendFailure = error
        sending = .abandoned
        break
      }
      if sent == outgoing.count, upload?.hasStarted == false {
        sending = .holding(until: Clock.now + Exchange.continueTimeout)
      }
    }
    return progressed
  }

  /// Reads what the socket has; true when that was something, the end included.
  private func readSome() throws(DockerEngineError) -> Bool {
    do throws(Errno) {
      guard let bytes = try connection.read() else { return false }
      if bytes.isEmpty { parser.finish() } else { parser.feed(bytes) }
      return true
    } catch {
      throw .transport(isUnanswered ? .head : .body, error)
    }
  }

  /// Blocks until `next()` is worth calling, or until the instant.
  func waitUntilReady(until: UInt64? = nil) throws(DockerEngineError) {
    do throws(Errno) {
      let earliest = [deadline, until].compactMap { $0 }.min()
      try wait(for: descriptor, interest, until: earliest, interrupt: interrupt)
    } catch {
      throw .transport(head == nil ? .head : .body, error)
    }
    try checkInterrupt()
  }

  /// Gives up when the caller wants something else. What the engine does with a request that it has is its own affair.
  private func checkInterrupt() throws(DockerEngineError) {
    guard let interrupt, isReadable(interrupt) else { return }
    cancel()
    throw DockerEngineError(
      .interrupted, detail: "given up while \(head == nil ? "waiting for" : "reading") the response")
  }

  /// The descriptor to poll; -1 once the exchange has ended, as the connection may then be another's.
  var descriptor: Int32 { hasEnded ? -1 : connection.number }

  /// Sends on an upgraded connection, past the exchange itself.
  func sendRaw(_ bytes: ArraySlice<UInt8>) throws(Errno) -> Int { try connection.send(bytes) }

  /// Ends this side of an upgraded connection.
  func finishSending() throws(Errno) { try connection.finishSending() }

  /// Ends the exchange: the engine sees the connection close.
  func cancel() {
    if hasEnded { return }
    hasEnded = true
    onReusable = nil
    connection.close()
  }
}
