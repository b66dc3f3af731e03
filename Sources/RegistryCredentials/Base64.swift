/// Base64 (RFC 4648), in the standard and in the URL-safe alphabet.
package enum Base64 {
  private static let standard = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
  private static let urlSafe = Array(standard.dropLast(2)) + Array("-_".utf8)

  /// With padding, in the standard alphabet.
  package static func encode(_ bytes: [UInt8]) -> String { encode(bytes, standard) }

  /// With padding, in the URL-safe alphabet.
  package static func encodeURLSafe(_ bytes: [UInt8]) -> String { encode(bytes, urlSafe) }

  private static func encode(_ bytes: [UInt8], _ letters: [UInt8]) -> String {
    var out: [UInt8] = []
    out.reserveCapacity((bytes.count + 2) / 3 * 4)
    var index = 0
    while index < bytes.count {
      let group = bytes[index..<min(index + 3, bytes.count)]
      var bits: UInt32 = 0
      for offset in 0..<3 { bits = bits << 8 | (offset < group.count ? UInt32(group[index + offset]) : 0) }
      for position in 0..<4 {
        guard position <= group.count else { out.append(UInt8(ascii: "=")); continue }
        out.append(letters[Int(bits >> (18 - 6 * UInt32(position)) & 63)])
      }
      index += 3
    }
    return String(decoding: out, as: UTF8.self)
  }

  /// Decodes the standard alphabet with padding; `nil` when the text is anything else.
  package static func decode(_ text: String) -> [UInt8]? {
    var letters = Array(text.utf8)[...]
    guard letters.count % 4 == 0 else { return nil }
    var padding = 0
    while letters.last == UInt8(ascii: "="), padding < 2 {
      letters = letters.dropLast()
      padding += 1
    }
    var out: [UInt8] = []
    var bits: UInt32 = 0
    var count = 0
    for letter in letters {
      guard let value = standard.firstIndex(of: letter) else { return nil }
      bits = (bits << 6 | UInt32(value)) & 0xffffff
      count += 6
      if count >= 8 {
        count -= 8
        out.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
      }
    }
    return out
  }
}
