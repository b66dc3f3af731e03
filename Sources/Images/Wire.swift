import LinuxKernel

/// Writes values in the form that workers report in: numbers as eight bytes, little end first; bytes and text with
/// their length before them; a list with its count before it.
struct WireWriter {
  private(set) var bytes: [UInt8] = []

  mutating func put(_ number: UInt64) {
    for shift in stride(from: 0, to: 64, by: 8) { bytes.append(UInt8(truncatingIfNeeded: number >> UInt64(shift))) }
  }

  mutating func put(_ truth: Bool) { put(truth ? 1 : 0 as UInt64) }

  mutating func put(_ data: [UInt8]) {
    put(UInt64(data.count))
    bytes += data
  }

  mutating func put(_ text: String) { put(Array(text.utf8)) }
  mutating func put(_ digest: Digest) { bytes += digest.rawBytes }

  mutating func put<T>(_ value: T?, _ putValue: (inout WireWriter, T) -> Void) {
    put(value != nil)
    if let value { putValue(&self, value) }
  }

  mutating func put<T>(list: [T], _ putValue: (inout WireWriter, T) -> Void) {
    put(UInt64(list.count))
    for value in list { putValue(&self, value) }
  }
}

/// Reads what `WireWriter` wrote. The worker may have been taken over by what it read, so nothing is believed: every
/// length is checked against what is there, text must be UTF-8, and a list never reserves room for its claimed count.
struct WireReader {
  private let bytes: [UInt8]
  private var index = 0

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  private static let malformed = ImageError(.invalid, why: "the unpack worker sent a malformed report")

  private mutating func take(_ count: UInt64) throws(ImageError) -> ArraySlice<UInt8> {
    guard let count = Int(exactly: count), count <= bytes.count - index else { throw WireReader.malformed }
    defer { index += count }
    return bytes[index..<(index + count)]
  }

  mutating func number() throws(ImageError) -> UInt64 {
    try take(8).reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }

  mutating func truth() throws(ImageError) -> Bool {
    switch try number() {
    case 0: return false
    case 1: return true
    default: throw WireReader.malformed
    }
  }

  mutating func data() throws(ImageError) -> [UInt8] { Array(try take(try number())) }

  mutating func text() throws(ImageError) -> String {
    guard let text = String(validating: try take(try number()), as: UTF8.self) else { throw WireReader.malformed }
    return text
  }

  mutating func digest() throws(ImageError) -> Digest {
    guard let digest = Digest(rawBytes: try take(32)) else { throw WireReader.malformed }
    return digest
  }

  mutating func optional<T>(_ value: (inout WireReader) throws(ImageError) -> T) throws(ImageError) -> T? {
    try truth() ? try value(&self) : nil
  }

  mutating func list<T>(_ value: (inout WireReader) throws(ImageError) -> T) throws(ImageError) -> [T] {
    let count = try number()
    // Every item takes at least one byte, so a count beyond what is left is a lie.
    guard count <= UInt64(bytes.count - index) else { throw WireReader.malformed }
    var items: [T] = []
    for _ in 0..<count { items.append(try value(&self)) }
    return items
  }

  /// Whether nothing is left.
  var isAtEnd: Bool { index == bytes.count }

  /// Checks that nothing is left over.
  func finish() throws(ImageError) {
    guard index == bytes.count else { throw WireReader.malformed }
  }
}
