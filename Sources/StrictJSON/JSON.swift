/// A JSON value with the place it was read from (RFC 8259).
///
/// One reader for everything that comes from outside: task documents, image manifests, engine replies, our journal.
/// It refuses what other readers disagree on: duplicate keys, lone surrogates, invalid UTF-8, trailing text.
package struct JSON: Sendable {
  package enum Value: Sendable {
    case null
    case bool(Bool)
    case number(Number)
    case string(String)
    case array([JSON])
    /// In the order of the text; no key occurs twice.
    case object([Member])
  }

  package struct Member: Sendable {
    package let key: String
    /// Where the key stands.
    package let position: Position
    package let value: JSON

    package init(_ key: String, _ value: JSON, position: Position = .none) {
      self.key = key
      self.value = value
      self.position = position
    }
  }

  /// A number as it was written, so that nothing is lost: 2^53 and beyond stay exact.
  package struct Number: Sendable, Equatable {
    package let text: String
    package init(_ value: Int64) { text = String(value) }
    package init(_ value: UInt64) { text = String(value) }
    package init(_ value: Double) { text = JSON.format(value) }
    init(text: String) { self.text = text }

    /// The value when it is a whole number that fits, also when written `1.0` or `1e2`.
    package var integer: Int64? {
      if let plain = Int64(text) { return plain }
      guard let value = Double(text), value.magnitude < 0x1p53 else { return nil }
      return Int64(exactly: value)
    }

    /// Finite, or `nil` when the number is too large for a double.
    package var double: Double? {
      guard let value = Double(text), value.isFinite else { return nil }
      return value
    }
  }

  /// A place in the text; line and column count from 1, the column in characters of UTF-8 scalars.
  package struct Position: Sendable, Hashable {
    package let line: Int
    package let column: Int
    package static let none = Position(line: 0, column: 0)
    package init(line: Int, column: Int) {
      self.line = line
      self.column = column
    }
  }

  package let value: Value
  package let position: Position

  package init(_ value: Value, position: Position = .none) {
    self.value = value
    self.position = position
  }
}

/// Text that is not JSON, or not JSON that has one meaning.
package struct JSONError: Error, Sendable, CustomStringConvertible {
  package let position: JSON.Position
  package let message: String
  package var description: String { "\(position.line):\(position.column): \(message)" }

  package init(position: JSON.Position, message: String) {
    self.position = position
    self.message = message
  }
}

extension JSON {
  /// The value of `key` in an object, by the bytes of the key; `nil` when absent or when this is no object.
  package subscript(key: String) -> JSON? {
    guard case .object(let members) = value else { return nil }
    return members.first { $0.key.utf8.elementsEqual(key.utf8) }?.value
  }

  package var string: String? { if case .string(let text) = value { text } else { nil } }
  package var bool: Bool? { if case .bool(let truth) = value { truth } else { nil } }
  package var integer: Int64? { if case .number(let number) = value { number.integer } else { nil } }
  package var double: Double? { if case .number(let number) = value { number.double } else { nil } }
  package var array: [JSON]? { if case .array(let items) = value { items } else { nil } }
  package var members: [Member]? { if case .object(let members) = value { members } else { nil } }
  package var isNull: Bool { if case .null = value { true } else { false } }

  /// What kind of value this is, for error messages: `a string`.
  package var kind: String {
    switch value {
    case .null: "null"
    case .bool: "a boolean"
    case .number: "a number"
    case .string: "a string"
    case .array: "an array"
    case .object: "an object"
    }
  }
}

// Values that code makes rather than reads.
extension JSON: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
  ExpressibleByArrayLiteral
{
  package init(stringLiteral text: String) { self.init(.string(text)) }
  package init(integerLiteral number: Int64) { self.init(.number(Number(number))) }
  package init(booleanLiteral truth: Bool) { self.init(.bool(truth)) }
  package init(arrayLiteral items: JSON...) { self.init(.array(items)) }
  package init(_ text: String) { self.init(.string(text)) }
  package init(_ number: some FixedWidthInteger) {
    self.init(.number(number < 0 ? Number(Int64(number)) : Number(UInt64(number))))
  }
  package init(_ number: Double) { self.init(.number(Number(number))) }
  package init(_ truth: Bool) { self.init(.bool(truth)) }
  package init(_ items: [JSON]) { self.init(.array(items)) }
  /// An object without the members that are nil: absent rather than null.
  package init(object members: [(String, JSON?)]) {
    self.init(.object(members.compactMap { key, value in value.map { Member(key, $0) } }))
  }
}
