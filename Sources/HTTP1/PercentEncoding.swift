/// URLs as bytes (RFC 3986): whatever goes into one is encoded here and nowhere else.
package enum PercentEncoding {
  private static let digits = Array("0123456789ABCDEF".utf8)

  /// Every byte that is not unreserved, and not in `keeping`, as `%XX`.
  package static func encode(_ text: String, keeping: String = "") -> String {
    var out: [UInt8] = []
    for byte in text.utf8 {
      if ASCII.isAlphanumeric(byte) || "-._~".utf8.contains(byte) || keeping.utf8.contains(byte) {
        out.append(byte)
      } else {
        out += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
      }
    }
    return String(decoding: out, as: UTF8.self)
  }

  /// `?a=1&b=2`, or nothing when there are no items.
  package static func query(_ items: [(String, String)]) -> String {
    if items.isEmpty { return "" }
    return "?" + items.map { "\(encode($0))=\(encode($1))" }.joined(separator: "&")
  }
}
