/// Cuts the text of a simulation's script into words and signs.
struct ScriptScanner {
  enum Word: Equatable {
    case text(String)
    case colon
    case semicolon
    case at
  }

  private let bytes: [UInt8]
  private var index = 0
  private var start = 0

  init(_ text: String) { bytes = Array(text.utf8) }

  var isAtEnd: Bool { !bytes[index...].contains { !Self.isBlank($0) } }

  /// An error at the word read last.
  func failure(_ message: String) -> SimulationScriptError {
    SimulationScriptError(column: bytes[..<min(start, bytes.count)].count { $0 & 0xc0 != 0x80 } + 1, message: message)
  }

  /// The next word; nil at the end.
  mutating func word() throws(SimulationScriptError) -> Word? {
    while index < bytes.count, Self.isBlank(bytes[index]) { index += 1 }
    start = index
    guard index < bytes.count else { return nil }
    switch bytes[index] {
    case UInt8(ascii: ":"):
      index += 1
      return .colon
    case UInt8(ascii: ";"):
      index += 1
      return .semicolon
    case UInt8(ascii: "@"):
      index += 1
      return .at
    case UInt8(ascii: "\""):
      guard let end = bytes[(index + 1)...].firstIndex(of: UInt8(ascii: "\"")) else {
        throw failure("the quotes are not closed")
      }
      let text = String(decoding: bytes[(index + 1)..<end], as: UTF8.self)
      index = end + 1
      return .text(text)
    default:
      while index < bytes.count, !Self.isBlank(bytes[index]), !":;@\"".utf8.contains(bytes[index]) { index += 1 }
      return .text(String(decoding: bytes[start..<index], as: UTF8.self))
    }
  }

  /// Reads the next word when it is this one.
  mutating func take(_ wanted: Word) throws(SimulationScriptError) -> Bool {
    let before = (index, start)
    if try word() == wanted { return true }
    (index, start) = before
    return false
  }

  /// Whether the next word is this one.
  mutating func isNext(_ wanted: Word) throws(SimulationScriptError) -> Bool {
    let before = (index, start)
    defer { (index, start) = before }
    return try word() == wanted
  }

  mutating func number(upTo limit: Int) throws(SimulationScriptError) -> Int {
    guard case .text(let text)? = try word(), let number = Self.digits(Array(text.utf8)[...]), number <= limit else {
      throw failure("expected a number from 0 to \(limit)")
    }
    return number
  }

  /// Nanoseconds: `250ms`, `3s`, `2m`, `1h`, `1.5s`; seconds without a unit.
  mutating func time() throws(SimulationScriptError) -> UInt64 {
    guard case .text(let text)? = try word(), let time = Self.nanoseconds(text) else {
      throw failure("expected a time, as 250ms, 3s, 2m or 1h")
    }
    return time
  }

  /// The number of `x3`.
  static func count(_ text: String) -> Int? {
    let bytes = Array(text.utf8)
    guard bytes.first == UInt8(ascii: "x") else { return nil }
    return digits(bytes.dropFirst()).flatMap { $0 > 0 ? $0 : nil }
  }

  static func nanoseconds(_ text: String) -> UInt64? {
    let bytes = Array(text.utf8)
    let amountEnd = bytes.firstIndex { !isDigit($0) && $0 != UInt8(ascii: ".") } ?? bytes.count
    let unit: UInt64
    switch String(decoding: bytes[amountEnd...], as: UTF8.self) {
    case "ms": unit = 1_000_000
    case "s", "": unit = 1_000_000_000
    case "m": unit = 60 * 1_000_000_000
    case "h": unit = 3600 * 1_000_000_000
    default: return nil
    }
    let parts = bytes[..<amountEnd].split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    guard (1...2).contains(parts.count), let whole = digits(parts[0]), whole <= 1_000_000 else { return nil }
    var time = UInt64(whole) * unit
    if parts.count == 2 {
      guard let fraction = digits(parts[1]), parts[1].count <= 3 else { return nil }
      let scale: [UInt64] = [1, 10, 100, 1000]
      time += UInt64(fraction) * unit / scale[parts[1].count]
    }
    return time
  }

  /// Plain decimal digits, at most nine.
  private static func digits(_ bytes: ArraySlice<UInt8>) -> Int? {
    guard (1...9).contains(bytes.count), bytes.allSatisfy(isDigit) else { return nil }
    return bytes.reduce(0) { $0 * 10 + Int($1 - 0x30) }
  }

  private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }

  private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0d).contains(byte) }
}
