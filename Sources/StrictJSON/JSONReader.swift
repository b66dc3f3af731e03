extension JSON {
  /// What a reader accepts at most; beyond it the text is refused, never cut.
  package struct Limits: Sendable {
    package var depth = 64
    package var bytes = 4 << 20
    package init(depth: Int = 64, bytes: Int = 4 << 20) {
      self.depth = depth
      self.bytes = bytes
    }
  }

  /// Reads one JSON value that fills `bytes` whole.
  package init(parsing bytes: [UInt8], limits: Limits = Limits()) throws(JSONError) {
    guard bytes.count <= limits.bytes else {
      throw JSONError(
        position: Position(line: 1, column: 1), message: "\(bytes.count) bytes, more than the limit of \(limits.bytes)")
    }
    var reader = JSONReader(bytes: bytes, limits: limits)
    self = try reader.document()
  }
}

/// A recursive-descent reader over bytes, as deep as its limit allows and no deeper.
private struct JSONReader {
  let bytes: [UInt8]
  let limits: JSON.Limits
  var index = 0
  var line = 1
  var lineStart = 0
  /// The last place whose column was counted, so that a document on one line is not counted from its start each time.
  var counted = (offset: 0, characters: 0)

  init(bytes: [UInt8], limits: JSON.Limits) {
    self.bytes = bytes
    self.limits = limits
    // A byte order mark, as editors leave it.
    if bytes.starts(with: [0xef, 0xbb, 0xbf]) {
      index = 3
      lineStart = 3
      counted.offset = 3
    }
  }

  mutating func document() throws(JSONError) -> JSON {
    skipSpace()
    guard index < bytes.count else { throw failure("the document is empty") }
    let value = try value(depth: 0)
    skipSpace()
    if index < bytes.count { throw failure("unexpected text after the end of the document") }
    return value
  }

  private func position(at offset: Int) -> JSON.Position {
    // Continuation bytes do not count, so that a column is what an editor shows.
    let characters = bytes[lineStart..<min(offset, bytes.count)].count { $0 & 0xc0 != 0x80 }
    return JSON.Position(line: line, column: characters + 1)
  }

  /// The same for a place that lies behind the last one asked for, counting only what lies between.
  private mutating func nextPosition(at offset: Int) -> JSON.Position {
    if counted.offset < lineStart || counted.offset > offset { counted = (lineStart, 0) }
    counted.characters += bytes[counted.offset..<offset].count { $0 & 0xc0 != 0x80 }
    counted.offset = offset
    return JSON.Position(line: line, column: counted.characters + 1)
  }

  private func failure(_ message: String, at offset: Int? = nil) -> JSONError {
    JSONError(position: position(at: offset ?? index), message: message)
  }

  private mutating func skipSpace() {
    while index < bytes.count {
      switch bytes[index] {
      case 0x20, 0x09, 0x0d: index += 1
      case 0x0a:
        index += 1
        line += 1
        lineStart = index
      default: return
      }
    }
  }

  private func describeNext() -> String {
    guard index < bytes.count else { return "the end of the document" }
    let byte = bytes[index]
    return (0x21..<0x7f).contains(byte) ? "\"\(Character(UnicodeScalar(byte)))\"" : "byte 0x\(String(byte, radix: 16))"
  }

  private mutating func value(depth: Int) throws(JSONError) -> JSON {
    guard depth <= limits.depth else { throw failure("nested deeper than \(limits.depth) levels") }
    guard index < bytes.count else { throw failure("a value is missing at the end of the document") }
    let start = nextPosition(at: index)
    switch bytes[index] {
    case UInt8(ascii: "{"): return JSON(.object(try members(depth: depth)), position: start)
    case UInt8(ascii: "["): return JSON(.array(try items(depth: depth)), position: start)
    case UInt8(ascii: "\""): return JSON(.string(try string()), position: start)
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
      return JSON(.number(try number()), position: start)
    case UInt8(ascii: "t"): return JSON(try word("true", .bool(true)), position: start)
    case UInt8(ascii: "f"): return JSON(try word("false", .bool(false)), position: start)
    case UInt8(ascii: "n"): return JSON(try word("null", .null), position: start)
    default: throw failure("expected a value, found \(describeNext())")
    }
  }

  private mutating func word(_ text: String, _ value: JSON.Value) throws(JSONError) -> JSON.Value {
    guard bytes[index...].starts(with: text.utf8) else { throw failure("expected \(text)") }
    index += text.utf8.count
    return value
  }

  private mutating func members(depth: Int) throws(JSONError) -> [JSON.Member] {
    index += 1
    var members: [JSON.Member] = []
    var seen = SeenKeys()
    skipSpace()
    if index < bytes.count, bytes[index] == UInt8(ascii: "}") { index += 1; return [] }
    while true {
      skipSpace()
      guard index < bytes.count, bytes[index] == UInt8(ascii: "\"") else {
        throw failure("expected a key in quotes, found \(describeNext())")
      }
      let start = index
      let place = nextPosition(at: start)
      let key = try string()
      if !seen.insert(key, among: members) { throw failure("duplicate key \(key.quotedForMessage)", at: start) }
      skipSpace()
      guard index < bytes.count, bytes[index] == UInt8(ascii: ":") else {
        throw failure("expected \":\" after the key \(key.quotedForMessage), found \(describeNext())")
      }
      index += 1
      skipSpace()
      members.append(JSON.Member(key, try value(depth: depth + 1), position: place))
      skipSpace()
      guard index < bytes.count else { throw failure("the object is not closed") }
      if bytes[index] == UInt8(ascii: "}") { index += 1; return members }
      guard bytes[index] == UInt8(ascii: ",") else {
        throw failure("expected \",\" or \"}\", found \(describeNext())")
      }
      index += 1
    }
  }

  private mutating func items(depth: Int) throws(JSONError) -> [JSON] {
    index += 1
    var items: [JSON] = []
    skipSpace()
    if index < bytes.count, bytes[index] == UInt8(ascii: "]") { index += 1; return [] }
    while true {
      skipSpace()
      items.append(try value(depth: depth + 1))
      skipSpace()
      guard index < bytes.count else { throw failure("the array is not closed") }
      if bytes[index] == UInt8(ascii: "]") { index += 1; return items }
      guard bytes[index] == UInt8(ascii: ",") else {
        throw failure("expected \",\" or \"]\", found \(describeNext())")
      }
      index += 1
    }
  }

  private mutating func number() throws(JSONError) -> JSON.Number {
    let start = index
    func digit(_ offset: Int) -> Bool {
      offset < bytes.count && (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[offset])
    }
    if bytes[index] == UInt8(ascii: "-") { index += 1 }
    guard digit(index) else { throw failure("expected a digit, found \(describeNext())") }
    if bytes[index] == UInt8(ascii: "0") {
      index += 1
      if digit(index) { throw failure("a number must not start with 0", at: start) }
    } else {
      while digit(index) { index += 1 }
    }
    if index < bytes.count, bytes[index] == UInt8(ascii: ".") {
      index += 1
      guard digit(index) else { throw failure("expected a digit after the decimal point") }
      while digit(index) { index += 1 }
    }
    if index < bytes.count, bytes[index] | 0x20 == UInt8(ascii: "e") {
      index += 1
      if index < bytes.count, bytes[index] == UInt8(ascii: "+") || bytes[index] == UInt8(ascii: "-") { index += 1 }
      guard digit(index) else { throw failure("expected a digit in the exponent") }
      while digit(index) { index += 1 }
    }
    guard index - start <= 400 else { throw failure("a number of \(index - start) characters", at: start) }
    return JSON.Number(text: String(decoding: bytes[start..<index], as: UTF8.self))
  }

  private mutating func string() throws(JSONError) -> String {
    let opening = index
    index += 1
    // The common case first: a run without escapes is copied whole.
    var content: [UInt8] = []
    while true {
      let runStart = index
      while index < bytes.count, bytes[index] != UInt8(ascii: "\""), bytes[index] != UInt8(ascii: "\\"),
        bytes[index] >= 0x20
      {
        index += 1
      }
      content += bytes[runStart..<index]
      guard index < bytes.count else { throw failure("the string is not closed", at: opening) }
      switch bytes[index] {
      case UInt8(ascii: "\""):
        index += 1
        guard let text = String(validating: content, as: UTF8.self) else {
          throw failure("the string is not valid UTF-8", at: opening)
        }
        return text
      case UInt8(ascii: "\\"): try escape(into: &content)
      default: throw failure("control character 0x\(String(bytes[index], radix: 16)) in a string; write it as \\u00XX")
      }
    }
  }

  private mutating func escape(into content: inout [UInt8]) throws(JSONError) {
    let start = index
    index += 1
    guard index < bytes.count else { throw failure("the string is not closed") }
    let kind = bytes[index]
    index += 1
    switch kind {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): content.append(kind)
    case UInt8(ascii: "b"): content.append(0x08)
    case UInt8(ascii: "f"): content.append(0x0c)
    case UInt8(ascii: "n"): content.append(0x0a)
    case UInt8(ascii: "r"): content.append(0x0d)
    case UInt8(ascii: "t"): content.append(0x09)
    case UInt8(ascii: "u"):
      var code = UInt32(try hexadecimal(from: start))
      if (0xd800..<0xdc00).contains(code) {
        guard bytes[index...].starts(with: [UInt8(ascii: "\\"), UInt8(ascii: "u")]) else {
          throw failure("half of a surrogate pair", at: start)
        }
        index += 2
        let low = UInt32(try hexadecimal(from: start))
        guard (0xdc00..<0xe000).contains(low) else { throw failure("half of a surrogate pair", at: start) }
        code = 0x10000 + (code - 0xd800) << 10 + (low - 0xdc00)
      }
      guard let scalar = UnicodeScalar(code) else { throw failure("half of a surrogate pair", at: start) }
      content += Array(String(Character(scalar)).utf8)
    default: throw failure("unknown escape in a string", at: start)
    }
  }

  private mutating func hexadecimal(from start: Int) throws(JSONError) -> UInt16 {
    var value: UInt16 = 0
    for _ in 0..<4 {
      guard index < bytes.count, let digit = Character(UnicodeScalar(bytes[index])).hexDigitValue, bytes[index] < 0x80
      else { throw failure("\\u must be followed by four hexadecimal digits", at: start) }
      value = value << 4 | UInt16(digit)
      index += 1
    }
    return value
  }
}

/// The keys of an object, compared byte by byte. Few are compared with each other: a set costs more than that until there
/// are many.
private struct SeenKeys {
  private static let few = 16
  private var many: Set<[UInt8]> = []

  /// - Parameter members: what has been inserted before.
  /// - Returns: false where it is there already.
  mutating func insert(_ key: String, among members: [JSON.Member]) -> Bool {
    guard members.count >= SeenKeys.few else {
      return !members.contains { $0.key.utf8.elementsEqual(key.utf8) }
    }
    if many.isEmpty { many = Set(members.map { Array($0.key.utf8) }) }
    return many.insert(Array(key.utf8)).inserted
  }
}
