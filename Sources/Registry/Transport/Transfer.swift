import Glibc
import LinuxKernel

/// One request on its way: a curl of its own, what it writes, and how it ended.
///
/// Nothing here waits: whoever has it waits for `descriptor`, and then takes what there is.
final class Transfer {
  let request: CurlRequest
  /// Readable when there is something to take.
  var descriptor: Int32 { output.rawValue }
  private(set) var head: ReplyHead?
  /// Bytes of the body so far.
  private(set) var received: UInt64 = 0
  private var reader: ReplyReader
  private let child: ChildProcess
  private let output: SharedDescriptor
  private let errors: SharedDescriptor
  private var isReaped = false

  private static let pieceBytes = 256 << 10

  /// Starts it.
  init(_ request: CurlRequest, _ curl: CurlProgram) throws(RegistryError) {
    self.request = request
    reader = ReplyReader(followsRedirects: request.followsRedirects)
    var request = request
    request.certificates = curl.certificatePath
    let configuration = try request.configuration()
    let pipe = try kernel("make a pipe") { () throws(Errno) in try makePipe() }
    let words = try kernel("make a pipe") { () throws(Errno) in try makePipe() }
    enlargePipe(pipe.second.rawValue, to: 1 << 20)
    child = try curl.start(configuration, output: pipe.second, errors: words.second)
    output = pipe.first
    errors = words.first
    try kernel("keep a pipe") { () throws(Errno) in
      try output.descriptor.setNonBlocking(true)
      try errors.descriptor.setNonBlocking(true)
    }
  }

  deinit { stop() }

  /// Ends it at once.
  func stop() {
    guard !isReaped else { return }
    isReaped = true
    // One that cannot be killed or reaped has ended already.
    try? child.signal(SIGKILL)
    _ = try? child.wait()
  }

  /// What there is to take: a piece of the body, which may be empty; the end, with what went wrong on the way; `nil` for
  /// nothing yet.
  enum Piece {
    case body(ArraySlice<UInt8>)
    case end(RegistryError?)
  }

  /// Takes a piece. What the server may not send, a longer body than was asked for among it, ends the transfer.
  func take() throws(RegistryError) -> Piece? {
    if isReaped { return .end(nil) }
    let piece = try kernel("read from curl") { () throws(Errno) in
      try output.descriptor.read(upTo: Transfer.pieceBytes)
    }
    guard let piece else { return nil }
    guard !piece.isEmpty else { return .end(try ended()) }
    do throws(RegistryError) {
      let body = try reader.take(piece)
      head = reader.head
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

  private func ended() throws(RegistryError) -> RegistryError? {
    // It has closed its output, and so is about to end.
    if !ProcessHandle.waitForEnd(child.pidfd.rawValue, milliseconds: 5000) { try? child.signal(SIGKILL) }
    isReaped = true
    let status = try kernel("wait for curl") { () throws(Errno) in try child.wait().status }
    let words = (try? errors.descriptor.read(upTo: 4096)) ?? nil
    if let error = CurlExit.error(status, words: words ?? [], maximumBytes: request.maximumBytes) { return error }
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
