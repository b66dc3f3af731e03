import Glibc
import LinuxKernel

/// One request on its way, wherever it is sent: a curl for each place, what it writes, and how it ended.
///
/// Nothing here waits: whoever has it waits for `descriptor`, and then takes what there is.
final class Transfer {
  /// As it was asked for.
  let request: CurlRequest
  /// Readable when there is something to take. Another one once that was taken, where the answer leads elsewhere.
  var descriptor: Int32 { process.output.rawValue }
  private(set) var head: ReplyHead?
  /// Bytes of the body so far.
  private(set) var received: UInt64 = 0
  private var reader = ReplyReader()
  private let curl: CurlProgram
  private var process: CurlProcess
  /// What the process asks for.
  private var current: CurlRequest
  private var redirects = 0

  private static let pieceBytes = 256 << 10

  /// Starts it.
  init(_ request: CurlRequest, _ curl: CurlProgram) throws(RegistryError) {
    self.request = request
    self.curl = curl
    current = request
    process = try CurlProcess(request, curl)
  }

  /// Ends it at once.
  func stop() { process.stop() }

  /// What there is to take: a piece of the body, which may be empty; the end, with what went wrong on the way; `nil` for
  /// nothing yet.
  enum Piece {
    case body(ArraySlice<UInt8>)
    case end(RegistryError?)
  }

  /// Takes a piece. What the server may not send, a longer body than was asked for among it, ends the transfer.
  func take() throws(RegistryError) -> Piece? {
    if process.isReaped { return .end(nil) }
    let piece = try kernel("read from curl") { () throws(Errno) in
      try process.output.descriptor.read(upTo: Transfer.pieceBytes)
    }
    guard let piece else { return nil }
    guard !piece.isEmpty else { return .end(try ended()) }
    do throws(RegistryError) {
      let body = try reader.take(piece)
      if head == nil, let found = reader.head {
        if let next = try Redirect.next(after: found, of: current, count: redirects) {
          try follow(next)
          return .body([])
        }
        head = found
      }
      received += UInt64(body.count)
      guard received <= request.maximumBytes else {
        throw .invalid("the answer is longer than \(request.maximumBytes) bytes")
      }
      return .body(body)
    } catch {
      stop()
      throw error
    }
  }

  /// What is in the body of a redirect is for people.
  private func follow(_ next: CurlRequest) throws(RegistryError) {
    redirects += 1
    process.stop()
    reader = ReplyReader()
    current = next
    process = try CurlProcess(next, curl)
  }

  private func ended() throws(RegistryError) -> RegistryError? {
    let (status, words) = try process.end()
    if let error = CurlExit.error(status, words: words, maximumBytes: request.maximumBytes) { return error }
    return head == nil ? .invalid("the answer is no HTTP") : nil
  }
}

/// Waiting for transfers.
enum TransferWait {
  /// Returns when one of `descriptors` can be read or the time is over; throws when `interruption` can be read.
  static func wait(_ descriptors: [Int32], _ interruption: Int32?, milliseconds: UInt64) throws(RegistryError) {
    let interrupted = try kernel("wait for curl") { () throws(Errno) -> Bool in
      let poller = try Poller()
      for number in descriptors { try poller.add(number, token: 0) }
      if let interruption { try poller.add(interruption, token: 1) }
      return try poller.wait(timeoutMilliseconds: Int32(clamping: milliseconds)).contains { $0.token == 1 }
    }
    if interrupted { throw RegistryError(.interrupted, why: "it was interrupted") }
  }

  /// A pause that an interruption ends.
  static func pause(milliseconds: UInt64, _ interruption: Int32?) throws(RegistryError) {
    let end = Clock.now + milliseconds * 1_000_000
    while Clock.now < end { try wait([], interruption, milliseconds: (end - Clock.now) / 1_000_000 + 1) }
  }
}
