import HTTP1
import StrictJSON

/// Reads JSON values that come one a line: progress and events.
struct JSONLineReader {
  /// A decoder for streams of such lines.
  static func decoder<Element>(
    _ read: @escaping (JSONFields) throws(DockerEngineError) -> Element
  ) -> StreamDecoder<Element> {
    var reader = JSONLineReader()
    return { (input, elements) throws(DockerEngineError) in
      switch input {
      case .bytes(let bytes):
        try reader.feed(bytes) { (line) throws(DockerEngineError) in elements.append(try read(line)) }
      case .end: if let line = try reader.take() { elements.append(try read(line)) }
      }
    }
  }

  /// A longer line is refused.
  static let lineLimit = 1 << 20
  private var line: [UInt8] = []

  private mutating func feed(
    _ bytes: [UInt8], each: (JSONFields) throws(DockerEngineError) -> Void
  ) throws(DockerEngineError) {
    var rest = bytes[...]
    while let end = rest.firstIndex(of: ASCII.lineFeed) {
      line += rest[..<end]
      rest = rest[(end + 1)...]
      if let value = try take() { try each(value) }
    }
    line += rest
    guard line.count <= JSONLineReader.lineLimit else {
      throw .decoding("a line of more than \(JSONLineReader.lineLimit) bytes")
    }
  }

  /// The line so far. The last one may lack its end; half of a value is an error.
  private mutating func take() throws(DockerEngineError) -> JSONFields? {
    defer { line = [] }
    guard line.contains(where: { $0 != 0x20 && $0 != 0x0d && $0 != 0x09 }) else { return nil }
    return try JSONFields(parsing: line)
  }
}
