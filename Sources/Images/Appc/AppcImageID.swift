/// What AppC names an image by for good: the SHA-512 of its tar, not compressed; written `sha512-` and 128 hexadecimal
/// digits.
package struct AppcImageID: Sendable, Hashable, CustomStringConvertible {
  /// 64 of them.
  let rawBytes: [UInt8]

  package static let prefix = "sha512-"

  /// The id that `text` writes in full, `nil` when it writes none. Upper-case digits are the same id.
  package init?(_ text: some StringProtocol) {
    let prefix = AppcImageID.prefix.utf8
    guard text.utf8.count == prefix.count + 128, text.utf8.starts(with: prefix) else { return nil }
    var bytes = [UInt8](repeating: 0, count: 64)
    for (index, byte) in text.utf8.dropFirst(prefix.count).enumerated() {
      let digit: UInt8
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0")
      case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = byte - UInt8(ascii: "a") + 10
      case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = byte - UInt8(ascii: "A") + 10
      default: return nil
      }
      bytes[index / 2] = bytes[index / 2] << 4 | digit
    }
    rawBytes = bytes
  }

  /// The id that is these bytes, `nil` when there are not 64.
  init?(rawBytes: some Collection<UInt8>) {
    guard rawBytes.count == 64 else { return nil }
    self.rawBytes = Array(rawBytes)
  }

  /// The id of a tar in memory.
  static func of(_ tar: [UInt8]) -> AppcImageID? {
    var hash = SHA512()
    tar.withUnsafeBytes { hash.update($0) }
    return AppcImageID(rawBytes: hash.finish())
  }

  package var description: String { AppcImageID.prefix + hex(rawBytes[...]) }

  /// As much of it as people tell images apart by.
  package var short: String { AppcImageID.prefix + hex(rawBytes.prefix(6)) }

  private func hex(_ bytes: ArraySlice<UInt8>) -> String {
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
  }
}
