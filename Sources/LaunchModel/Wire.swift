/// Bytes that are not what they should be: a message cut short, a length that cannot be, an unknown case.
package struct WireError: Error, Sendable, CustomStringConvertible {
  package let description: String
  package init(_ description: String) { self.description = description }
}

/// Values in a compact binary form: little-endian integers, everything else with its length before it.
///
/// `container-init` reads its plan and talks to the executor in this form, so that it needs no JSON and no Foundation.
///
/// An executor may take over what another version of it launched, so a form only grows: a new field comes last, is read
/// with `reader.isAtEnd` asked before, and what is there beyond the fields that a reader knows is passed over. A value
/// inside another has its length before it for that. What cannot be done so is a new `ProtocolVersion`.
package struct WireWriter: Sendable {
  package private(set) var bytes: [UInt8] = []
  package init() {}

  package mutating func put(_ value: some FixedWidthInteger) {
    withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
  }
  package mutating func put(_ value: Bool) { bytes.append(value ? 1 : 0) }
  package mutating func put(_ value: [UInt8]) {
    put(UInt32(value.count))
    bytes.append(contentsOf: value)
  }
  package mutating func put(_ value: String) { put(Array(value.utf8)) }
  package mutating func put<T>(list: [T], _ one: (T, inout WireWriter) -> Void) {
    put(UInt32(list.count))
    for item in list { one(item, &self) }
  }
  package mutating func put<T>(optional: T?, _ one: (T, inout WireWriter) -> Void) {
    put(optional != nil)
    if let optional { one(optional, &self) }
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
  package var isAtEnd: Bool { index == end }

  package mutating func integer<T: FixedWidthInteger>(_ type: T.Type = T.self) throws(WireError) -> T {
    let size = MemoryLayout<T>.size
    guard end - index >= size else { throw WireError("a message ends too early") }
    var value: T = 0
    for offset in 0..<size { value |= T(truncatingIfNeeded: bytes[index + offset]) << T(offset * 8) }
    index += size
    return value
  }
  package mutating func bool() throws(WireError) -> Bool {
    switch try integer(UInt8.self) {
    case 0: return false
    case 1: return true
    case let other: throw WireError("\(other) is not a boolean")
    }
  }
  package mutating func data() throws(WireError) -> [UInt8] {
    let count = Int(try integer(UInt32.self))
    guard end - index >= count else { throw WireError("a message ends too early") }
    defer { index += count }
    return Array(bytes[index..<(index + count)])
  }
  package mutating func string() throws(WireError) -> String {
    guard let text = String(validating: try data(), as: UTF8.self) else { throw WireError("text is not UTF-8") }
    return text
  }
  package mutating func list<T>(_ one: (inout WireReader) throws(WireError) -> T) throws(WireError) -> [T] {
    let count = Int(try integer(UInt32.self))
    // An item takes at least one byte, so a count beyond the bytes that are left is a lie.
    guard count <= end - index else { throw WireError("a list of \(count) items does not fit") }
    var items: [T] = []
    items.reserveCapacity(count)
    for _ in 0..<count { items.append(try one(&self)) }
    return items
  }
  package mutating func optional<T>(_ one: (inout WireReader) throws(WireError) -> T) throws(WireError) -> T? {
    try bool() ? try one(&self) : nil
  }
}

/// A value with a binary form.
package protocol WireValue {
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
}

extension WireWriter {
  package mutating func put(_ value: some WireValue) {
    let start = bytes.count
    put(UInt32(0))
    value.write(to: &self)
    let length = UInt32(bytes.count - start - 4)
    withUnsafeBytes(of: length.littleEndian) { bytes.replaceSubrange(start..<(start + 4), with: $0) }
  }
  package mutating func put(list: [some WireValue]) { put(list: list) { $1.put($0) } }
  package mutating func put(list: [String]) { put(list: list) { $1.put($0) } }
}

extension WireReader {
  package mutating func value<T: WireValue>(_ type: T.Type = T.self) throws(WireError) -> T {
    let count = Int(try integer(UInt32.self))
    guard end - index >= count else { throw WireError("a message ends too early") }
    var inside = WireReader(bytes, index..<(index + count))
    index += count
    return try T(from: &inside)
  }
  package mutating func values<T: WireValue>(_ type: T.Type = T.self) throws(WireError) -> [T] {
    try list { (reader) throws(WireError) in try reader.value() }
  }
  package mutating func strings() throws(WireError) -> [String] {
    try list { (reader) throws(WireError) in try reader.string() }
  }
}
