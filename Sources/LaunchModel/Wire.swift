/// Bytes that are not what they should be: a message cut short, a length that cannot be, an unknown case.
package struct WireError: Error, Sendable, CustomStringConvertible {
  package let description: String
  package init(_ description: String) { self.description = description }
}

/// Values in a compact binary form: little-endian integers, everything else with its length before it.
///
/// `container-init` reads its plan and talks to the executor in this form, so that it needs no JSON and no Foundation.
///
/// An executor may take over what another version of it launched, so a form only grows: a new field comes last, may be
/// absent (`WireRecord`), and what is there beyond the fields that a reader knows is passed over. A value inside another has
/// its length before it for that. What cannot be done so is a new `ProtocolVersion`.
package struct WireWriter: Sendable {
  package private(set) var bytes: [UInt8] = []
  package init() {}

  package mutating func put(_ field: some WireField) { field.writeField(to: &self) }

  /// A value of several cases: the number of this one, and what it has.
  package mutating func put<each Field: WireField>(case number: UInt8, _ fields: repeat each Field) {
    bytes.append(number)
    repeat (each fields).writeField(to: &self)
  }

  fileprivate mutating func append(_ integer: some FixedWidthInteger) {
    for shift in stride(from: 0, to: integer.bitWidth, by: 8) {
      bytes.append(UInt8(truncatingIfNeeded: integer >> shift))
    }
  }

  fileprivate mutating func append(counted content: some Collection<UInt8>) {
    append(UInt32(content.count))
    bytes.append(contentsOf: content)
  }

  fileprivate mutating func append(counted value: some WireValue) {
    let start = bytes.count
    append(UInt32(0))
    value.write(to: &self)
    let length = UInt32(bytes.count - start - 4)
    for offset in 0..<4 { bytes[start + offset] = UInt8(truncatingIfNeeded: length >> (offset * 8)) }
  }
}

/// Reads what `WireWriter` wrote; throws on anything else and never reads past the end.
package struct WireReader: Sendable {
  private let bytes: [UInt8]
  private var index = 0
  private let end: Int

  package init(_ bytes: [UInt8]) { self.init(bytes, 0..<bytes.count) }

  private init(_ bytes: [UInt8], _ range: Range<Int>) {
    self.bytes = bytes
    (index, end) = (range.lowerBound, range.upperBound)
  }

  /// A value that an older writer ends here has no more fields.
  var isAtEnd: Bool { index == end }

  package mutating func next<Field: WireField>(_ type: Field.Type = Field.self) throws(WireError) -> Field {
    try Field(field: &self)
  }

  fileprivate mutating func integer<T: FixedWidthInteger>() throws(WireError) -> T {
    try take(MemoryLayout<T>.size).reversed().reduce(0) { $0 << 8 | T(truncatingIfNeeded: bytes[$1]) }
  }

  /// What has its length before it.
  fileprivate mutating func counted() throws(WireError) -> ArraySlice<UInt8> {
    bytes[try take(Int(try next(UInt32.self)))]
  }

  /// A reader of what has its length before it.
  fileprivate mutating func inside() throws(WireError) -> WireReader {
    WireReader(bytes, try take(Int(try next(UInt32.self))))
  }

  fileprivate mutating func list<Item: WireField>() throws(WireError) -> [Item] {
    let count = Int(try next(UInt32.self))
    // An item takes at least one byte, so a count beyond the bytes that are left is a lie.
    guard count <= end - index else { throw WireError("a list of \(count) items does not fit") }
    var items: [Item] = []
    items.reserveCapacity(count)
    for _ in 0..<count { items.append(try Item(field: &self)) }
    return items
  }

  private mutating func take(_ count: Int) throws(WireError) -> Range<Int> {
    guard end - index >= count else { throw WireError("a message ends too early") }
    defer { index += count }
    return index..<(index + count)
  }
}

/// What can stand in a message: it says itself where it ends.
package protocol WireField: Sendable {
  init(field reader: inout WireReader) throws(WireError)
  func writeField(to writer: inout WireWriter)
}

/// A value with a binary form: fields one after another. Inside another value it has its length before it.
package protocol WireValue: WireField {
  init(from reader: inout WireReader) throws(WireError)
  func write(to writer: inout WireWriter)
}

extension WireValue {
  package var encoded: [UInt8] {
    var writer = WireWriter()
    write(to: &writer)
    return writer.bytes
  }

  /// Decodes a value. What follows its last known field is a newer writer's.
  package init(decoding bytes: [UInt8]) throws(WireError) {
    var reader = WireReader(bytes)
    try self.init(from: &reader)
  }

  package init(field reader: inout WireReader) throws(WireError) {
    var inside = try reader.inside()
    try self.init(from: &inside)
  }
  package func writeField(to writer: inout WireWriter) { writer.append(counted: self) }
}

extension FixedWidthInteger where Self: WireField {
  package init(field reader: inout WireReader) throws(WireError) { self = try reader.integer() }
  package func writeField(to writer: inout WireWriter) { writer.append(self) }
}
extension UInt8: WireField {}
extension UInt32: WireField {}
extension Int32: WireField {}
extension UInt64: WireField {}

extension Bool: WireField {
  package init(field reader: inout WireReader) throws(WireError) {
    switch try reader.next(UInt8.self) {
    case 0: self = false
    case 1: self = true
    case let other: throw WireError("\(other) is not a boolean")
    }
  }
  package func writeField(to writer: inout WireWriter) { writer.append(self ? 1 : 0 as UInt8) }
}

extension String: WireField {
  package init(field reader: inout WireReader) throws(WireError) {
    guard let text = String(validating: try reader.counted(), as: UTF8.self) else {
      throw WireError("text is not UTF-8")
    }
    self = text
  }
  package func writeField(to writer: inout WireWriter) { writer.append(counted: utf8) }
}

extension Array: WireField where Element: WireField {
  package init(field reader: inout WireReader) throws(WireError) { self = try reader.list() }
  package func writeField(to writer: inout WireWriter) {
    writer.append(UInt32(count))
    for item in self { item.writeField(to: &writer) }
  }
}

extension Optional: WireField where Wrapped: WireField {
  package init(field reader: inout WireReader) throws(WireError) {
    self = try Bool(field: &reader) ? try Wrapped(field: &reader) : nil
  }
  package func writeField(to writer: inout WireWriter) {
    (self != nil).writeField(to: &writer)
    if let self { self.writeField(to: &writer) }
  }
}
