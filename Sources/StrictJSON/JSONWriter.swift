extension JSON {
  /// The value as text on one line, members in their order.
  package var compact: String { String(decoding: compactBytes, as: UTF8.self) }

  /// The same as UTF-8.
  package var compactBytes: [UInt8] {
    var out: [UInt8] = []
    write(into: &out, indent: nil)
    return out
  }

  /// The value as text for people, two spaces a level, with a newline at the end.
  package var pretty: String {
    var out: [UInt8] = []
    write(into: &out, indent: 0)
    out.append(0x0a)
    return String(decoding: out, as: UTF8.self)
  }

  private func write(into out: inout [UInt8], indent: Int?) {
    switch value {
    case .null: out += Array("null".utf8)
    case .bool(let truth): out += Array((truth ? "true" : "false").utf8)
    case .number(let number): out += Array(number.text.utf8)
    case .string(let text): JSON.write(text, into: &out)
    case .array(let items):
      // A list of plain values reads best on one line.
      let flat = items.allSatisfy {
        if case .array = $0.value { false } else if case .object = $0.value { false } else { true }
      }
      JSON.writeList(items, "[", "]", into: &out, indent: flat ? nil : indent, spaced: indent != nil) {
        item, out, level in
        item.write(into: &out, indent: level)
      }
    case .object(let members):
      JSON.writeList(members, "{", "}", into: &out, indent: indent, spaced: indent != nil) { member, out, level in
        JSON.write(member.key, into: &out)
        out.append(UInt8(ascii: ":"))
        if level != nil { out.append(0x20) }
        member.value.write(into: &out, indent: level)
      }
    }
  }

  private static func writeList<T>(
    _ list: [T], _ open: String, _ close: String, into out: inout [UInt8], indent: Int?, spaced: Bool,
    _ writeOne: (T, inout [UInt8], Int?) -> Void
  ) {
    func newline(_ level: Int) {
      out.append(0x0a)
      out += [UInt8](repeating: 0x20, count: level * 2)
    }
    out += Array(open.utf8)
    for (index, item) in list.enumerated() {
      if index > 0 {
        out.append(UInt8(ascii: ","))
        if spaced, indent == nil { out.append(0x20) }
      }
      if let indent { newline(indent + 1) }
      writeOne(item, &out, indent.map { $0 + 1 })
    }
    if let indent, !list.isEmpty { newline(indent) }
    out += Array(close.utf8)
  }

  private static func write(_ text: String, into out: inout [UInt8]) {
    let digits = Array("0123456789abcdef".utf8)
    out.append(UInt8(ascii: "\""))
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"): out += [UInt8(ascii: "\\"), byte]
      case 0x0a: out += Array("\\n".utf8)
      case 0x0d: out += Array("\\r".utf8)
      case 0x09: out += Array("\\t".utf8)
      case 0..<0x20, 0x7f: out += Array("\\u00".utf8) + [digits[Int(byte >> 4)], digits[Int(byte & 15)]]
      default: out.append(byte)
      }
    }
    out.append(UInt8(ascii: "\""))
  }

  /// A double as JSON: whole numbers without a point, never NaN or infinity (they become null's stand-in, 0).
  static func format(_ value: Double) -> String {
    guard value.isFinite else { return "0" }
    if value.magnitude < 0x1p53, let whole = Int64(exactly: value) { return String(whole) }
    return String(value)
  }
}
