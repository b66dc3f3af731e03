/// Reads one HTTP/1.1 response from bytes that arrive in pieces of any size (RFC 9112).
///
/// A value: feed it, then take events until there are none. It does no I/O, so it serves a blocking reader, an event
/// loop and a fuzzer alike, and how the input was split never changes what comes out. It is strict on purpose: wherever
/// two readers could disagree about where a response ends, it refuses.
///
///     var parser = HTTPResponseParser(method: "GET")
///     parser.feed(bytes)
///     while let event = try parser.next() { … }
public struct HTTPResponseParser: Sendable {
  /// Bounds on what a peer may make us hold.
  public struct Limits: Sendable {
    /// All lines of a head, or all lines of the trailers of a chunked body.
    public var headBytes = 64 << 10
    /// One line of a head.
    public var lineBytes = 8 << 10
    /// Header fields of one head.
    public var fields = 128
    /// Lines after the last chunk, all together.
    public var trailerBytes = 8 << 10
    /// Interim responses (1xx) before the final one.
    public var interimResponses = 16
    /// The bounds that are documented above.
    public init() {}
  }

  /// What has been read.
  public enum Event: Sendable, Equatable {
    /// An interim response, such as 100 Continue.
    case interim(HTTPResponseHead)
    /// The head of the final response.
    case head(HTTPResponseHead)
    /// 101 Switching Protocols: every byte from here on is the other protocol's, and comes as `body`.
    case upgraded(HTTPResponseHead)
    /// Some of the body, never empty.
    case body([UInt8])
    /// The response is complete.
    case end
  }

  private enum State {
    case statusLine
    case fields
    case fixed(remaining: UInt64)
    case chunkSize
    case chunk(remaining: UInt64)
    case chunkEnd
    case trailers
    case untilClose
    case complete
    case failed(HTTPViolation)
  }

  private let method: [UInt8]
  private let upgradeAsked: Bool
  private let takesOldServers: Bool
  private let limits: Limits
  private var state = State.statusLine
  private var input: [UInt8] = []
  private var position = 0
  /// How far `input` has been searched for the end of a line already.
  private var searched = 0
  private var inputEnded = false
  private var head = HTTPResponseHead(status: 0, reason: [], fields: [])
  private var linesLength = 0
  private var interimCount = 0

  /// Any byte has arrived.
  public private(set) var hasStarted = false
  /// When the response is complete: the connection may carry another request.
  public private(set) var connectionPersists = true

  /// A parser for the response to one request.
  /// - Parameters:
  ///   - method: the request's method; a response to HEAD has no body.
  ///   - upgrade: the request asked for another protocol; otherwise 101 is a violation.
  ///   - takesOldServers: HTTP/1.0, lines that end in a bare line feed and chunk extensions are taken too. Only for a connection that carries
  ///     one response and nobody else's: where it ends is then the same for every reader.
  public init(method: String, upgrade: Bool = false, takesOldServers: Bool = false, limits: Limits = Limits()) {
    self.method = Array(method.utf8)
    upgradeAsked = upgrade
    self.takesOldServers = takesOldServers
    self.limits = limits
  }

  /// Bytes that were fed and not yet taken; after `end`, bytes that nobody asked for.
  public var unread: Int { input.count - position }

  /// Adds bytes that arrived.
  public mutating func feed(_ bytes: some Collection<UInt8>) {
    if bytes.isEmpty { return }
    hasStarted = true
    if position > 0 {
      input.removeFirst(position)
      searched -= position
      position = 0
    }
    input += bytes
  }

  /// Says that no more bytes will come.
  public mutating func finish() { inputEnded = true }

  /// The next event; `nil` when more bytes are needed or the response is complete.
  public mutating func next() throws(HTTPViolation) -> Event? {
    do throws(HTTPViolation) {
      return try parse()
    } catch {
      state = .failed(error)
      throw error
    }
  }

  private mutating func parse() throws(HTTPViolation) -> Event? {
    while true {
      switch state {
      case .statusLine:
        guard let line = try takeLine("a status line", limit: limits.lineBytes) else {
          return try starved("in the head")
        }
        try readStatusLine(line)
        state = .fields
      case .fields:
        guard let line = try takeLine("a header field", limit: limits.lineBytes) else {
          return try starved("in the head")
        }
        if !line.isEmpty { try readField(line); continue }
        return try finishHead()
      case .fixed(let remaining):
        if remaining == 0 { return complete() }
        guard let piece = takeBytes(upTo: remaining) else {
          return try starved("\(remaining) bytes before the end of the body")
        }
        state = .fixed(remaining: remaining - UInt64(piece.count))
        return .body(piece)
      case .chunkSize:
        guard let line = try takeLine("a chunk size", limit: takesOldServers ? 256 : 10) else {
          return try starved("where a chunk should start")
        }
        // Extensions of a chunk mean nothing to us (RFC 9112 §7.1.1); the engine sends none.
        let size = try chunkSize(takesOldServers ? line.prefix { $0 != UInt8(ascii: ";") && $0 != 0x20 } : line)
        linesLength = 0
        state = size == 0 ? .trailers : .chunk(remaining: size)
      case .chunk(let remaining):
        guard let piece = takeBytes(upTo: remaining) else { return try starved("within a chunk") }
        let left = remaining - UInt64(piece.count)
        state = left == 0 ? .chunkEnd : .chunk(remaining: left)
        return .body(piece)
      case .chunkEnd:
        // Two bytes, so the line that is found is empty: a chunk that goes on beyond its size is refused here.
        guard try takeLine("the line end after a chunk", limit: 2) != nil else { return try starved("within a chunk") }
        state = .chunkSize
      case .trailers:
        guard let line = try takeLine("a trailer", limit: limits.trailerBytes) else {
          return try starved("in the trailers")
        }
        if line.isEmpty { return complete() }
        linesLength += line.count + 2
        guard linesLength <= limits.trailerBytes else {
          throw .malformed("trailers of more than \(limits.trailerBytes) bytes")
        }
        _ = try parseField(line)
      case .untilClose:
        if let piece = takeBytes(upTo: .max) { return .body(piece) }
        return inputEnded ? complete() : nil
      case .complete: return nil
      case .failed(let violation): throw violation
      }
    }
  }

  private mutating func complete() -> Event {
    state = .complete
    return .end
  }

  /// No event yet; an error when none can come any more.
  private func starved(_ place: String) throws(HTTPViolation) -> Event? {
    if inputEnded { throw .truncated(hasStarted ? place : "before a response came") }
    return nil
  }

  private mutating func takeBytes(upTo limit: UInt64) -> [UInt8]? {
    let count = min(limit, UInt64(unread))
    guard count > 0 else { return nil }
    let piece = Array(input[position..<(position + Int(count))])
    position += piece.count
    searched = max(searched, position)
    return piece
  }

  /// The next line without its CRLF; `limit` counts the CRLF too.
  private mutating func takeLine(_ what: String, limit: Int) throws(HTTPViolation) -> ArraySlice<UInt8>? {
    searched = max(searched, position)
    guard let end = input[searched...].firstIndex(of: ASCII.lineFeed) else {
      searched = input.count
      if unread >= limit { throw .malformed("\(what) of more than \(limit) bytes") }
      return nil
    }
    guard end - position < limit else { throw .malformed("\(what) of more than \(limit) bytes") }
    defer { position = end + 1 }
    if end > position, input[end - 1] == ASCII.carriageReturn { return input[position..<(end - 1)] }
    guard takesOldServers else { throw .malformed("\(what) ends in a bare line feed") }
    return input[position..<end]
  }

  // MARK: The head

  private mutating func readStatusLine(_ line: ArraySlice<UInt8>) throws(HTTPViolation) {
    let bytes = Array(line)
    let isOld = takesOldServers && bytes.starts(with: "HTTP/1.0 ".utf8)
    guard isOld || bytes.starts(with: "HTTP/1.1 ".utf8) else {
      throw .malformed("the status line does not start with HTTP/1.1")
    }
    // A blank follows the code also where there is no reason; old servers leave it out.
    guard bytes.count >= 13 || (takesOldServers && bytes.count == 12), bytes.count == 12 || bytes[12] == 0x20,
      let status = ASCII.decimal(bytes[9..<12]), (100...599).contains(status)
    else { throw .malformed("the status line has no status code") }
    let reason = Array(bytes.dropFirst(13))
    guard reason.allSatisfy(ASCII.isFieldByte) else { throw .malformed("a control character in the status line") }
    head = HTTPResponseHead(status: Int(status), reason: reason, fields: [])
    linesLength = bytes.count + 2
  }

  private mutating func readField(_ line: ArraySlice<UInt8>) throws(HTTPViolation) {
    linesLength += line.count + 2
    guard linesLength <= limits.headBytes else { throw .malformed("a head of more than \(limits.headBytes) bytes") }
    guard head.fields.count < limits.fields else { throw .malformed("more than \(limits.fields) header fields") }
    head.fields.append(try parseField(line))
  }

  private func parseField(_ line: ArraySlice<UInt8>) throws(HTTPViolation) -> HTTPResponseHead.Field {
    if let first = line.first, ASCII.isSpace(first) { throw .malformed("a folded header field") }
    guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { throw .malformed("a header field without a colon") }
    let name = line[..<colon]
    guard !name.isEmpty, name.allSatisfy(ASCII.isTokenByte) else {
      throw .malformed("a header field name that is not a token")
    }
    let value = ASCII.trimmed(line[(colon + 1)...])
    guard value.allSatisfy(ASCII.isFieldByte) else { throw .malformed("a control character in a header field") }
    return HTTPResponseHead.Field(name: ASCII.lowercased(name), value: Array(value))
  }

  /// Decides what follows the head (RFC 9112 §6.3).
  private mutating func finishHead() throws(HTTPViolation) -> Event {
    let head = head
    let codings = head.values(of: "transfer-encoding")
    let lengths = head.values(of: "content-length")
    if !codings.isEmpty, !lengths.isEmpty { throw .malformed("both Transfer-Encoding and Content-Length") }
    if lengths.count > 1 { throw .malformed("more than one Content-Length") }
    if codings.count > 1 { throw .malformed("more than one Transfer-Encoding") }
    var length: UInt64?
    if let text = lengths.first {
      guard let value = ASCII.decimal(text) else { throw .malformed("a Content-Length that is not a number") }
      length = value
    }
    if let coding = codings.first, !ASCII.lowercased(coding).elementsEqual("chunked".utf8) {
      throw .malformed("a Transfer-Encoding other than chunked")
    }

    if head.status < 200 {
      guard codings.isEmpty, lengths.isEmpty else { throw .malformed("an interim response with a body") }
      return try finishInterim(head)
    }
    if head.lists("close", in: "connection") { connectionPersists = false }
    if head.status == 204 || head.status == 304 || method.elementsEqual("HEAD".utf8) {
      if head.status == 204, !codings.isEmpty || (length ?? 0) > 0 { throw .malformed("a 204 with a body") }
      state = .fixed(remaining: 0)
    } else if !codings.isEmpty {
      state = .chunkSize
    } else if let length {
      state = .fixed(remaining: length)
    } else {
      state = .untilClose
      connectionPersists = false
    }
    return .head(head)
  }

  private mutating func finishInterim(_ head: HTTPResponseHead) throws(HTTPViolation) -> Event {
    if head.status == 101 {
      guard upgradeAsked else { throw .malformed("101 Switching Protocols, which nobody asked for") }
      connectionPersists = false
      state = .untilClose
      return .upgraded(head)
    }
    interimCount += 1
    guard interimCount <= limits.interimResponses else {
      throw .malformed("more than \(limits.interimResponses) interim responses")
    }
    state = .statusLine
    return .interim(head)
  }

  private func chunkSize(_ line: ArraySlice<UInt8>) throws(HTTPViolation) -> UInt64 {
    guard (1...8).contains(line.count) else { throw .malformed("a chunk size that is not 1 to 8 hexadecimal digits") }
    var size: UInt64 = 0
    for byte in line {
      guard let digit = ASCII.hexadecimalValue(byte) else {
        throw .malformed("a chunk size that is not 1 to 8 hexadecimal digits")
      }
      size = size << 4 | UInt64(digit)
    }
    return size
  }
}
