/// The lines of an account file, `/etc/passwd` or `/etc/group`, split as bytes (passwd(5), group(5)).
///
/// `String` would hide what matters here: `"\r\n"` is one character to it and `":\u{301}"` holds no colon.
package struct AccountFile: Sendable, Equatable {
  package struct Line: Sendable, Equatable {
    package let fields: [[UInt8]]
    package let bytes: [UInt8]
    package var name: [UInt8] { fields[0] }

    /// Field `index` as a number; only plain decimal digits without leading zeros count.
    package func number(_ index: Int) -> UInt32? {
      index < fields.count ? AccountFile.number(fields[index]) : nil
    }
    package func text(_ index: Int) -> String? {
      index < fields.count ? String(validating: fields[index], as: UTF8.self) : nil
    }
  }

  package let lines: [Line]

  /// Blank lines, comments and NIS `+` lines name no account and are left out.
  package init(_ bytes: [UInt8]) {
    lines = bytes.split(separator: UInt8(ascii: "\n")).compactMap { slice in
      let line = Array(slice)
      guard let first = line.first, first != UInt8(ascii: "#"), first != UInt8(ascii: "+"), first != UInt8(ascii: "-")
      else { return nil }
      let fields = line.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false).map(Array.init)
      return fields.count < 3 ? nil : Line(fields: fields, bytes: line)
    }
  }

  package func lines(named name: String) -> [Line] {
    let bytes = Array(name.utf8)
    return lines.filter { $0.name == bytes }
  }

  package func lines(numbered number: UInt32) -> [Line] { lines.filter { $0.number(2) == number } }

  /// A canonical decimal number, as the kernel would print it; anything else is none.
  package static func number(_ bytes: [UInt8]) -> UInt32? {
    guard !bytes.isEmpty, bytes.count <= 10, bytes == [UInt8(ascii: "0")] || bytes[0] != UInt8(ascii: "0") else {
      return nil
    }
    var value: UInt64 = 0
    for byte in bytes {
      guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
      value = value * 10 + UInt64(byte - UInt8(ascii: "0"))
    }
    return value < UInt64(UInt32.max) ? UInt32(value) : nil
  }
}
