/// The byte classes and productions of image references.
enum ReferenceGrammar {
  private static func isLower(_ byte: UInt8) -> Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) }
  private static func isUpper(_ byte: UInt8) -> Bool { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) }
  private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
  private static func isAlphanumeric(_ byte: UInt8) -> Bool { isLower(byte) || isUpper(byte) || isDigit(byte) }

  /// `[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}`
  static func isTag(_ text: ArraySlice<UInt8>) -> Bool {
    guard let first = text.first, text.count <= 128, isAlphanumeric(first) || first == UInt8(ascii: "_") else {
      return false
    }
    return text.allSatisfy {
      isAlphanumeric($0) || $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "-")
    }
  }

  /// Whether the first part of a name is a registry and not a part of the repository: Docker's rule.
  static func namesRegistry(_ first: ArraySlice<UInt8>) -> Bool {
    first.contains(UInt8(ascii: ".")) || first.contains(UInt8(ascii: ":")) || first.contains(where: isUpper)
      || first.elementsEqual("localhost".utf8)
  }

  /// A host name, an IPv4 address or an IPv6 address in brackets, with an optional port.
  static func isRegistry(_ text: ArraySlice<UInt8>) -> Bool {
    var host = text
    if text.first == UInt8(ascii: "[") {
      guard let close = text.firstIndex(of: UInt8(ascii: "]")) else { return false }
      let address = text[(text.startIndex + 1)..<close]
      let isHexadecimal = { (byte: UInt8) in
        isDigit(byte) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte | 0x20) || byte == UInt8(ascii: ":")
      }
      guard address.count >= 2, address.count <= 45, address.allSatisfy(isHexadecimal) else { return false }
      let rest = text[(close + 1)...]
      return rest.isEmpty || (rest.first == UInt8(ascii: ":") && isPort(rest.dropFirst()))
    }
    if let colon = text.firstIndex(of: UInt8(ascii: ":")) {
      guard isPort(text[(colon + 1)...]) else { return false }
      host = text[..<colon]
    }
    guard host.count <= 253 else { return false }
    return host.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).allSatisfy { label in
      guard let first = label.first, let last = label.last, isAlphanumeric(first), isAlphanumeric(last) else {
        return false
      }
      return label.allSatisfy { isAlphanumeric($0) || $0 == UInt8(ascii: "-") }
    }
  }

  private static func isPort(_ text: ArraySlice<UInt8>) -> Bool {
    !text.isEmpty && text.count <= 5 && text.allSatisfy(isDigit)
  }

  /// Parts joined by `/`; each is runs of `[a-z0-9]` separated by `.`, `_`, `__` or any number of `-`.
  static func isRepository(_ text: ArraySlice<UInt8>) -> Bool {
    text.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).allSatisfy(isRepositoryPart)
  }

  private static func isRepositoryPart(_ part: ArraySlice<UInt8>) -> Bool {
    guard let first = part.first, let last = part.last, isLower(first) || isDigit(first), isLower(last) || isDigit(last)
    else { return false }
    var index = part.startIndex
    while index < part.endIndex {
      if isLower(part[index]) || isDigit(part[index]) {
        index += 1
        continue
      }
      let start = index
      while index < part.endIndex, !isLower(part[index]), !isDigit(part[index]) { index += 1 }
      let separator = part[start..<index]
      let valid =
        separator.elementsEqual(".".utf8) || separator.elementsEqual("_".utf8) || separator.elementsEqual("__".utf8)
        || separator.allSatisfy { $0 == UInt8(ascii: "-") }
      guard valid else { return false }
    }
    return true
  }
}
