import TaskStore

/// One stream of a run whose output is shown.
final class FollowedStream {
  let name: String
  let log: LogStream
  let queue: OutputQueue
  private let prefix: [UInt8]
  /// The beginning of a line.
  private var line: [UInt8] = []
  /// There may be more than was shown.
  private(set) var isBehind = false
  /// What nobody has been told of yet.
  var missing: UInt64 = 0
  /// How far the queue has come when all that was read of the stream is out.
  private var mark: UInt64 = 0

  /// What is read of one stream before the others, and the supervisor, get their turn.
  private static let turn = 262_144
  private static let piece = 65536
  /// A line without end is shown in pieces of this size.
  private static let longestLine = 16384

  init(_ name: String, _ log: LogStream, prefix: [UInt8], queue: OutputQueue) {
    (self.name, self.log, self.prefix, self.queue) = (name, log, prefix, queue)
  }

  /// Up to where the stream was shown, in whole lines; nil while some of it waits.
  var shown: UInt64? { queue.written >= mark ? log.position.map { $0 &- UInt64(line.count) } : nil }
  /// What cannot be shown when it ends now. What is in the queue may be.
  var left: UInt64 { log.left + UInt64(line.count) }

  func hasNews() { isBehind = true }

  /// Reads while all is taken. What lies in the log needs no memory.
  ///
  /// - Returns: whether anything was read.
  @discardableResult func goOn() -> Bool {
    var taken = 0
    defer { missing += log.takeMissing() }
    while queue.isEmpty, taken < Self.turn {
      guard let bytes = log.read(upTo: Self.piece) else {
        isBehind = false
        break
      }
      taken += bytes.count
      show(bytes)
    }
    return taken > 0
  }

  /// Shows a last line that has no end.
  func finishLine() {
    guard !line.isEmpty else { return }
    send(prefix + line + (prefix.isEmpty ? [] : [UInt8(ascii: "\n")]))
    line = []
  }

  private func show(_ bytes: [UInt8]) {
    var output: [UInt8] = []
    var rest = bytes[...]
    while !rest.isEmpty {
      let newline = rest.firstIndex(of: UInt8(ascii: "\n"))
      let end = min(newline ?? rest.endIndex, rest.startIndex + Self.longestLine - line.count)
      line += rest[rest.startIndex..<end]
      rest = rest[end...]
      let isWhole = end == newline
      guard isWhole || line.count >= Self.longestLine else { break }
      let length = isWhole ? line.count : line.wholeCharacters
      output += prefix + line[..<length]
      line.removeFirst(length)
      if isWhole { rest = rest.dropFirst() }
      if isWhole || !prefix.isEmpty { output.append(UInt8(ascii: "\n")) }
    }
    if !output.isEmpty { send(output) }
  }

  private func send(_ output: [UInt8]) {
    queue.show(output)
    mark = queue.accepted
  }
}
