/// Text cut at its Mustache references: `{{mesos.instance}}`, `{{thermos.ports[http]}}`, and `{{&x}}`, which stands
/// for `{{x}}` itself.
struct Template {
  enum Piece: Equatable {
    case text([UInt8])
    case reference(Reference)
    /// What is between the braces of `{{&…}}`.
    case escape([UInt8])
    /// What is between braces and is no reference.
    case malformed([UInt8])
    /// A reference inside of another, which Thermos rejects as well.
    case nested([UInt8])
  }

  let pieces: [Piece]

  /// Whether the text could hold a reference; without `{{` it cannot.
  static func mayHoldReference(_ text: String) -> Bool {
    var previous: UInt8 = 0
    for byte in text.utf8 {
      if byte == UInt8(ascii: "{"), previous == byte { return true }
      previous = byte
    }
    return false
  }

  init(_ text: String) {
    let bytes = Array(text.utf8)
    var pieces: [Piece] = []
    var plainStart = 0
    var index = 0
    func isOpening(_ at: Int) -> Bool {
      at + 1 < bytes.count && bytes[at] == UInt8(ascii: "{") && bytes[at + 1] == UInt8(ascii: "{")
    }
    while index < bytes.count {
      guard isOpening(index) else {
        index += 1
        continue
      }
      let start = index + 2
      var end = start
      while end < bytes.count, bytes[end] != UInt8(ascii: "{"), bytes[end] != UInt8(ascii: "}") { end += 1 }
      let inner = Array(bytes[start..<end])
      let isClosed =
        end + 1 < bytes.count && bytes[end] == UInt8(ascii: "}") && bytes[end + 1] == UInt8(ascii: "}")
      let isNested = isOpening(end) && inner.contains(UInt8(ascii: "["))
      guard (isClosed && !inner.isEmpty) || isNested else {
        // `{{{`, `{{}` and the like are no references, in JSON and awk for example.
        index += 1
        continue
      }
      if plainStart < index { pieces.append(.text(Array(bytes[plainStart..<index]))) }
      if isNested {
        pieces.append(.nested(inner))
        index = end
      } else {
        if inner[0] == UInt8(ascii: "&") {
          pieces.append(.escape(Array(inner.dropFirst())))
        } else if let reference = Reference(inner) {
          pieces.append(.reference(reference))
        } else {
          pieces.append(.malformed(inner))
        }
        index = end + 2
      }
      plainStart = index
    }
    if plainStart < bytes.count { pieces.append(.text(Array(bytes[plainStart...]))) }
    self.pieces = pieces
  }
}

/// A path to a value: names joined by dots, and indexes in brackets.
struct Reference: Equatable, CustomStringConvertible {
  enum Step: Equatable {
    case name([UInt8])
    case index([UInt8])
  }

  let bytes: [UInt8]
  let steps: [Step]

  /// As it is written between the braces.
  var description: String { String(decoding: bytes, as: UTF8.self) }

  /// The first name.
  var root: [UInt8] { if case .name(let name)? = steps.first { name } else { [] } }

  init?(_ bytes: [UInt8]) {
    var steps: [Step] = []
    var index = 0
    func isNameByte(_ byte: UInt8, first: Bool) -> Bool {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"): true
      case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"): !first
      default: false
      }
    }
    func readName() -> [UInt8]? {
      let start = index
      while index < bytes.count, isNameByte(bytes[index], first: index == start) { index += 1 }
      return index > start ? Array(bytes[start..<index]) : nil
    }
    guard let first = readName() else { return nil }
    steps.append(.name(first))
    while index < bytes.count {
      let separator = bytes[index]
      index += 1
      if separator == UInt8(ascii: ".") {
        guard let name = readName() else { return nil }
        steps.append(.name(name))
      } else if separator == UInt8(ascii: "[") {
        guard let end = bytes[index...].firstIndex(of: UInt8(ascii: "]")), end > index else { return nil }
        let inner = Array(bytes[index..<end])
        guard !inner.contains(UInt8(ascii: "[")) else { return nil }
        steps.append(.index(inner))
        index = end + 1
      } else {
        return nil
      }
    }
    self.bytes = bytes
    self.steps = steps
  }

  /// Whether it is these names, joined by dots.
  func isNames(_ names: String...) -> Bool {
    steps.count == names.count && zip(steps, names).allSatisfy { $0 == .name(Array($1.utf8)) }
  }

  /// The indexes after these names, when it consists of them and nothing else.
  func indexes(after names: String...) -> [[UInt8]]? {
    guard steps.count >= names.count, zip(steps, names).allSatisfy({ $0 == .name(Array($1.utf8)) }) else { return nil }
    var indexes: [[UInt8]] = []
    for step in steps.dropFirst(names.count) {
      guard case .index(let index) = step else { return nil }
      indexes.append(index)
    }
    return indexes
  }
}
