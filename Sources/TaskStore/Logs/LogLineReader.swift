import LinuxKernel

/// A line, or a piece of a very long one, with the time at which it began to be written.
package struct LogLine {
  package var bytes: ArraySlice<UInt8>
  /// Nanoseconds since 1970.
  package var time: UInt64
  /// False for the rest of a line whose beginning was given before.
  package var startsLine: Bool
  /// False where the line goes on, or has no newline.
  package var endsLine: Bool
}

/// Cuts a stream into lines. Holds a few pieces at most, however long a line is.
final class LogLineReader {
  let stream: LogStream
  private var buffer: [UInt8] = []
  private var start = 0
  /// Where in the file the buffer begins; negative when its beginning is of the file before.
  private var origin: Int64 = 0
  /// The file that the buffer's end is of, and its time where it has no index.
  private var file: LogFile?
  private var fileTime: UInt64 = 0
  /// When the line began whose end is not there yet.
  private var pending: UInt64?
  private var isWithinLine = false

  private static let longest = 65536

  init(_ stream: LogStream) { self.stream = stream }

  /// The next line that is there whole, or the next piece of one that is very long.
  func next() -> LogLine? {
    var searched = start
    while true {
      if let newline = buffer[searched...].firstIndex(of: UInt8(ascii: "\n")) {
        return take(to: newline + 1, endsLine: true)
      }
      if buffer.count - start >= Self.longest {
        return take(to: start + buffer[start...].wholeCharacters, endsLine: false)
      }
      let held = buffer.count - start
      guard fill() else { return nil }
      searched = held
    }
  }

  /// What there is of a line without an end.
  func rest() -> LogLine? { start < buffer.count ? take(to: buffer.count, endsLine: false) : nil }

  /// Takes back the line that it gave last.
  func putBack(_ line: LogLine) {
    start -= line.bytes.count
    pending = line.time
    isWithinLine = !line.startsLine
  }

  /// Forgets what was read ahead: the stream has been put to another place.
  func reset() {
    (buffer, start, origin, file, pending, isWithinLine) = ([], 0, 0, nil, nil, false)
  }

  private func take(to end: Int, endsLine: Bool) -> LogLine {
    let line = LogLine(
      bytes: buffer[start..<end], time: pending ?? time(at: start), startsLine: !isWithinLine, endsLine: endsLine)
    isWithinLine = !endsLine
    pending = nil
    start = end
    return line
  }

  private func time(at index: Int) -> UInt64 { file?.index?.time(at: origin + Int64(index)) ?? fileTime }

  private func fill() -> Bool {
    let held = buffer.count - start
    // Asked for before the bytes go on into another file.
    if held > 0, pending == nil { pending = time(at: start) }
    guard let bytes = stream.read(upTo: Self.longest), let current = stream.current else { return false }
    buffer = held == 0 ? bytes : Array(buffer[start...]) + bytes
    start = 0
    file = current
    origin = current.offset - Int64(buffer.count)
    if current.index == nil { fileTime = UInt64(max(0, current.status?.modified ?? 0)) * 1_000_000_000 }
    return true
  }
}
