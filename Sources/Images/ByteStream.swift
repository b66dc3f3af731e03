import Glibc
import LinuxKernel

/// What a worker reads: a range of a file, or everything that comes through a pipe.
struct ByteRange: Sendable, Equatable {
  /// Where the range starts in the file; `nil` reads the descriptor as it comes.
  var offset: UInt64?
  /// How many bytes there are; `nil` when only the end of the stream says so.
  var size: UInt64?

  static let everything = ByteRange(offset: nil, size: nil)
}

/// Reads a descriptor in large pieces, in order, and optionally computes the digest of everything that was read.
///
/// Pointers that it gives out are valid until its next call.
final class ByteStream {
  private let descriptor: Int32
  private let start: UInt64?
  private let size: UInt64?
  private let limit: UInt64
  private let growth: Int32?
  private var hash: SHA256?
  private var wideHash: SHA512?
  private let buffer: UnsafeMutableRawBufferPointer
  private var head = 0
  private var tail = 0
  /// Bytes that have come into the buffer so far.
  private(set) var received: UInt64 = 0
  private var ended = false
  /// Called after every read with `received`.
  var onProgress: ((UInt64) throws(ImageError) -> Void)?

  /// Reads `range` of `descriptor`, which stays the caller's. More than `limit` bytes are refused.
  ///
  /// - Parameters:
  ///   - naming: with `hashing`, whether AppC's image id is computed as well.
  ///   - growth: a pipe in which something can be read when the file has grown, for one that is still being written.
  init(
    _ descriptor: Int32, _ range: ByteRange, growth: Int32? = nil, hashing: Bool, naming: Bool = false, limit: UInt64,
    bufferBytes: Int = 256 << 10
  ) throws(ImageError) {
    self.descriptor = descriptor
    self.growth = growth
    start = range.offset
    size = range.size
    self.limit = limit
    hash = hashing ? SHA256() : nil
    wideHash = hashing && naming ? SHA512() : nil
    buffer = .allocate(byteCount: bufferBytes, alignment: 64)
    if let size, size > limit { throw .invalid("\(size) bytes, more than the limit of \(limit)") }
  }

  deinit { buffer.deallocate() }

  /// How many bytes were given out so far.
  var position: UInt64 { received - UInt64(tail - head) }

  /// Reads once more; false at the end. The bytes that are left move to the front first.
  private func fill() throws(ImageError) -> Bool {
    if ended { return false }
    if head > 0 {
      let rest = tail - head
      if rest > 0, let base = buffer.baseAddress { memmove(base, base + head, rest) }
      head = 0
      tail = rest
    }
    var room = buffer.count - tail
    if let size { room = Int(min(UInt64(room), size - received)) }
    var count = 0
    if room > 0 {
      let free = UnsafeMutableRawBufferPointer(rebasing: buffer[tail..<(tail + room)])
      var offset: Int64?
      if let start {
        let (sum, overflow) = start.addingReportingOverflow(received)
        guard !overflow, let position = Int64(exactly: sum) else {
          throw .invalid("it lies beyond what a file can hold")
        }
        offset = position
      }
      count = try read(into: free, at: offset)
      hash?.update(UnsafeRawBufferPointer(rebasing: free[..<count]))
      wideHash?.update(UnsafeRawBufferPointer(rebasing: free[..<count]))
    }
    if count == 0 {
      if let size, received < size { throw .invalid("it ends after \(received) of \(size) bytes") }
      ended = true
      return false
    }
    tail += count
    received += UInt64(count)
    if received > limit { throw .invalid("more than the limit of \(limit) bytes") }
    try onProgress?(received)
    return true
  }

  /// Waits for a file to grow that is not as long yet as it will be. Who has it grow ends this process when it will not.
  private func read(into free: UnsafeMutableRawBufferPointer, at offset: Int64?) throws(ImageError) -> Int {
    while true {
      let count = try kernel("read the data") { () throws(Errno) in try readOnce(descriptor, into: free, at: offset) }
      guard count == 0, let growth, let size, received < size else { return count }
      var news: (UInt64, UInt64) = (0, 0)
      _ = try kernel("wait for more of it") { () throws(Errno) in
        try withUnsafeMutableBytes(of: &news) { (bytes) throws(Errno) in try readOnce(growth, into: bytes, at: nil) }
      }
    }
  }

  /// The next `count` bytes in one piece, `nil` when the stream ends exactly here. `count` must fit the buffer.
  func block(_ count: Int = 512) throws(ImageError) -> UnsafeRawBufferPointer? {
    while tail - head < count {
      if try !fill() {
        if tail == head { return nil }
        throw .invalid("it ends in the middle of a block, after \(received) bytes")
      }
    }
    defer { head += count }
    return UnsafeRawBufferPointer(rebasing: buffer[head..<(head + count)])
  }

  /// Between 1 and `most` bytes, as they lie in the buffer; empty at the end of the stream.
  func piece(upTo most: UInt64) throws(ImageError) -> UnsafeRawBufferPointer {
    if tail == head, try !fill() { return UnsafeRawBufferPointer(rebasing: buffer[0..<0]) }
    let count = Int(min(UInt64(tail - head), most))
    defer { head += count }
    return UnsafeRawBufferPointer(rebasing: buffer[head..<(head + count)])
  }

  /// Passes over `count` bytes. A file whose digest nobody asked for is not read for that.
  func skip(_ count: UInt64) throws(ImageError) {
    var left = count
    let buffered = min(UInt64(tail - head), left)
    head += Int(buffered)
    left -= buffered
    if left > 0, hash == nil, start != nil, let size {
      guard left <= size - received else { throw .invalid("it ends in the middle of an entry's data") }
      received += left
      return
    }
    while left > 0 {
      let piece = try piece(upTo: left)
      if piece.isEmpty { throw .invalid("it ends in the middle of an entry's data") }
      left -= UInt64(piece.count)
    }
  }

  /// Reads and forgets what is left, so that the digest covers all of it.
  func drain() throws(ImageError) {
    repeat { head = tail } while try fill()
  }

  /// The digest of everything received; only for a stream that hashes, once.
  func digest() throws(ImageError) -> Digest {
    guard let hash = hash.take() else { throw .invalid("no digest was computed") }
    return hash.finish()
  }

  /// What AppC names everything received by; `nil` for a stream that was not to compute it. Once.
  func imageID() -> AppcImageID? {
    guard let wideHash = wideHash.take() else { return nil }
    return AppcImageID(rawBytes: wideHash.finish())
  }
}
