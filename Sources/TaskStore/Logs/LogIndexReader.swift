import Glibc
import LaunchModel
import LinuxKernel

/// Reads the index of a log file forwards: offsets are asked for in rising order.
final class LogIndexReader {
  private let file: SharedDescriptor
  /// How much of the stream lies before the log file.
  let position: UInt64
  private var block: [UInt8] = []
  private var blockStart: Int64 = 0
  private var next = Int64(LogIndexRecord.size)
  private var current: LogIndexRecord?
  /// The record at `next`, once it was read.
  private var upcoming: LogIndexRecord?
  /// The end was seen, and nobody has said since that more may have come.
  private var isAtEnd = false

  /// Nil when it is something that is no index.
  init?(_ name: String, at directory: Int32) throws(Errno) {
    file = SharedDescriptor(try openFile(name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, at: directory))
    guard (try? status(of: file.rawValue))?.isRegularFile == true,
      let header = try? file.descriptor.read(upTo: LogIndexRecord.size, at: 0),
      let position = LogIndexRecord.position(inHeader: header)
    else { return nil }
    self.position = position
  }

  /// It is no longer beside a log: another has taken its place, or both are gone.
  var isRemoved: Bool { (try? status(of: file.rawValue).links) == 0 }

  /// There may be more records than before.
  func refresh() { isAtEnd = false }

  /// When the byte at `offset` was written; nil when no record says so.
  func time(at offset: Int64) -> UInt64? {
    while let record = peek(), record.offset <= UInt64(max(0, offset)) { advance(record) }
    return current?.time
  }

  /// Where the bytes begin that came with or right before the first that came at `time` or later; nil when all came
  /// before. A line may have begun with those right before.
  func offset(before time: UInt64) -> Int64? {
    while let record = peek() {
      if record.time >= time { return current.map { Int64(clamping: $0.offset) } ?? 0 }
      advance(record)
    }
    return nil
  }

  func rewind() { (next, current, upcoming, isAtEnd) = (Int64(LogIndexRecord.size), nil, nil, false) }

  private func advance(_ record: LogIndexRecord) {
    current = record
    upcoming = nil
    next += Int64(LogIndexRecord.size)
  }

  private func peek() -> LogIndexRecord? {
    if let upcoming { return upcoming }
    upcoming = record(at: Int(next - blockStart))
    if upcoming == nil, !isAtEnd {
      block = (try? file.descriptor.read(upTo: 256 * LogIndexRecord.size, at: next)) ?? []
      blockStart = next
      upcoming = record(at: 0)
      isAtEnd = upcoming == nil
    }
    return upcoming
  }

  private func record(at start: Int) -> LogIndexRecord? {
    guard start >= 0, start + LogIndexRecord.size <= block.count else { return nil }
    return LogIndexRecord(decoding: block[start..<(start + LogIndexRecord.size)])
  }
}
