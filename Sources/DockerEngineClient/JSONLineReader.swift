import StrictJSON

/// Reads JSON values that come one a line: progress and events.
struct JSONLineReader {
  /// A longer line is refused.
  static let lineLimit = 1 << 20
  private var line: [UInt8] = []

  mutating func feed(_ bytes: [UInt8]) throws(DockerEngineError) -> [JSONFields] {
    var values: [JSONFields] = []
    var rest = bytes[...]
    while let end = rest.firstIndex(of: ASCII.lineFeed) {
      line += rest[..<end]
      rest = rest[(end + 1)...]
      if let value = try take() { values.append(value) }
    }
    line += rest
    guard line.count <= JSONLineReader.lineLimit else {
      throw .decoding("a line of more than \(JSONLineReader.lineLimit) bytes")
    }
    return values
  }

  /// The last line may lack its end; half of a value is an error.
  mutating func finish() throws(DockerEngineError) -> [JSONFields] { try take().map { [$0] } ?? [] }

  private mutating func take() throws(DockerEngineError) -> JSONFields? {
    defer { line = [] }
    guard line.contains(where: { $0 != 0x20 && $0 != 0x0d && $0 != 0x09 }) else { return nil }
    return try JSONFields(parsing: line)
  }
}
