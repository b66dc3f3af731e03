/// When the bytes of a log file were written: `stdout.index` beside `stdout`, which stays as the process wrote it.
///
///     header   "axlogix1"                u64 bytes of the stream that lie in earlier files
///     record   u64 wall clock, ns        u64 offset in the file from which bytes were read then
///
/// Little-endian, 16 bytes each, so that a torn end is seen. Init writes a record before the bytes that it is about. It
/// is a hint: who finds none, or one that cannot be, goes by the file's own time.
package struct LogIndexRecord: Sendable, Hashable {
  /// Nanoseconds since 1970.
  package var time: UInt64
  package var offset: UInt64

  package static let size = 16
  private static let magic = UInt64(0x3178_6967_6f6c_7861)  // "axlogix1"

  package init(time: UInt64, offset: UInt64) {
    self.time = time
    self.offset = offset
  }

  /// The first 16 bytes of an index.
  package static func header(position: UInt64) -> [UInt8] {
    LogIndexRecord(time: magic, offset: position).encoded
  }

  /// How many bytes of the stream lie before the file; nil when this is no index.
  package static func position(inHeader bytes: some Collection<UInt8>) -> UInt64? {
    guard let words = LogIndexRecord(decoding: bytes), words.time == magic else { return nil }
    return words.offset
  }

  package var encoded: [UInt8] {
    var writer = WireWriter()
    writer.put(time)
    writer.put(offset)
    return writer.bytes
  }

  package init?(decoding bytes: some Collection<UInt8>) {
    guard bytes.count == Self.size else { return nil }
    var (time, offset): (UInt64, UInt64) = (0, 0)
    var shift: UInt64 = 0
    for byte in bytes {
      if shift < 64 { time |= UInt64(byte) << shift } else { offset |= UInt64(byte) << (shift - 64) }
      shift += 8
    }
    self.init(time: time, offset: offset)
  }

  /// The index of a log file, also of a rotated one: `stdout.2` has `stdout.2.index`.
  package static func name(of file: String) -> String { file + ".index" }
}
