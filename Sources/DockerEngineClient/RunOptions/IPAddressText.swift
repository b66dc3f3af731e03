import HTTP1

/// Internet addresses as text, checked and left as they are written.
enum IPAddressText {
  /// Four decimal numbers from 0 to 255, without leading zeros: those are octal to some readers.
  static func isIPv4(_ text: some Collection<UInt8>) -> Bool {
    let parts = Array(text).split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    return parts.count == 4
      && parts.allSatisfy { part in
        guard (1...3).contains(part.count), let value = ASCII.decimal(part), value <= 255 else { return false }
        return part.count == 1 || part.first != UInt8(ascii: "0")
      }
  }

  /// Eight groups of hexadecimal digits, of which one run may be left out (RFC 4291 §2.2); the last two may be written
  /// as an IPv4 address. No zone and no brackets.
  static func isIPv6(_ text: some Collection<UInt8>) -> Bool {
    let bytes = Array(text)
    guard (2...45).contains(bytes.count) else { return false }
    var halves: [[ArraySlice<UInt8>]] = []
    let gap = bytes.indices.dropLast().first { bytes[$0] == UInt8(ascii: ":") && bytes[$0 + 1] == UInt8(ascii: ":") }
    func groups(_ half: ArraySlice<UInt8>) -> [ArraySlice<UInt8>] {
      half.isEmpty ? [] : half.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
    }
    if let gap {
      halves = [groups(bytes[..<gap]), groups(bytes[(gap + 2)...])]
    } else {
      halves = [groups(bytes[...])]
    }
    var list = halves.flatMap { $0 }
    var count = 0
    if let last = list.last, last.contains(UInt8(ascii: ".")) {
      guard isIPv4(last), halves.last?.isEmpty == false else { return false }
      list.removeLast()
      count = 2
    }
    guard list.allSatisfy({ (1...4).contains($0.count) && $0.allSatisfy { ASCII.hexadecimalValue($0) != nil } }) else {
      return false
    }
    count += list.count
    return gap == nil ? count == 8 : count < 8
  }

  /// An address of either kind.
  static func check(_ text: String) throws(RunOptionProblem) -> String {
    guard isIPv4(text.utf8) || isIPv6(text.utf8) else { throw .value(text, "an IP address") }
    return text
  }

  /// Six bytes in hexadecimal, with colons or hyphens between.
  static func macAddress(_ text: String) throws(RunOptionProblem) -> String {
    let bytes = Array(text.utf8)
    let valid =
      bytes.count == 17
      && bytes.indices.allSatisfy { index in
        index % 3 == 2
          ? bytes[index] == bytes[2] && (bytes[2] == UInt8(ascii: ":") || bytes[2] == UInt8(ascii: "-"))
          : ASCII.hexadecimalValue(bytes[index]) != nil
      }
    guard valid else { throw .value(text, "a MAC address such as 92:d0:c6:0a:29:33") }
    return String(decoding: bytes.map { $0 == UInt8(ascii: "-") ? UInt8(ascii: ":") : $0 }, as: UTF8.self)
  }
}
