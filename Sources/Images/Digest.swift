/// A SHA-256 digest, written `sha256:` and 64 lower-case hexadecimal digits. No other algorithm is accepted.
///
/// The text never reaches a path or a request unless it was parsed into this type: what is stored are 32 bytes.
package struct Digest: Sendable, Hashable, CustomStringConvertible {
  private let words: SIMD4<UInt64>

  /// The digest that `text` writes in full, or `nil` when it writes none.
  package init?(_ text: String) { self.init(text.utf8) }

  package init?(_ text: some Collection<UInt8>) {
    let prefix = "sha256:".utf8
    guard text.count == prefix.count + 64, text.starts(with: prefix) else { return nil }
    self.init(hex: text.dropFirst(prefix.count))
  }

  /// The digest whose 64 digits `hex` is.
  package init?(hex: some Collection<UInt8>) {
    guard hex.count == 64 else { return nil }
    var words = SIMD4<UInt64>()
    for (index, byte) in hex.enumerated() {
      let digit: UInt8
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0")
      case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = byte - UInt8(ascii: "a") + 10
      default: return nil
      }
      words[index / 16] = words[index / 16] << 4 | UInt64(digit)
    }
    self.words = words
  }

  /// The digest that is these 32 bytes, or `nil` when there are not 32.
  init?(rawBytes: some Collection<UInt8>) {
    guard rawBytes.count == 32 else { return nil }
    self.init(sha256: rawBytes)
  }

  /// The same of what are 32 bytes.
  init(sha256 rawBytes: some Collection<UInt8>) {
    precondition(rawBytes.count == 32)
    var words = SIMD4<UInt64>()
    for (index, byte) in rawBytes.enumerated() { words[index / 8] = words[index / 8] << 8 | UInt64(byte) }
    self.words = words
  }

  var rawBytes: [UInt8] { (0..<32).map { UInt8(truncatingIfNeeded: words[$0 / 8] >> UInt64(56 - 8 * ($0 % 8))) } }

  /// The 64 digits.
  package var hex: String {
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: rawBytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
  }

  package var description: String { "sha256:" + hex }

  /// The first twelve digits, as people know images by.
  package var short: String { String(decoding: Array(hex.utf8.prefix(12)), as: UTF8.self) }
}
