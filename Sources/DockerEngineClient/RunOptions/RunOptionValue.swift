import HTTP1

/// Values of options, read as Docker reads them.
enum RunOptionValue {
  /// What Go's `strconv.ParseBool` takes; nothing at all is true, as there is no other way to write a flag in a pair.
  static func bool(_ text: String) throws(RunOptionProblem) -> Bool {
    switch text {
    case "", "1", "t", "T", "true", "TRUE", "True": return true
    case "0", "f", "F", "false", "FALSE", "False": return false
    default: throw .value(text, "true or false")
    }
  }

  static func integer(_ text: String, _ range: ClosedRange<Int64>) throws(RunOptionProblem) -> Int64 {
    guard let number = Int64(text), range.contains(number) else {
      throw .value(text, "a whole number from \(range.lowerBound) to \(range.upperBound)")
    }
    return number
  }

  static func integer(_ text: String) throws(RunOptionProblem) -> Int64 {
    guard let number = Int64(text) else { throw .value(text, "a whole number") }
    return number
  }

  /// Not empty and without NUL, as the kernel could not take it.
  static func text(_ text: String, _ what: String) throws(RunOptionProblem) -> String {
    guard !text.isEmpty, !text.utf8.contains(0) else { throw .value(text, what) }
    return text
  }

  static func absolutePath(_ text: String, _ what: String) throws(RunOptionProblem) -> String {
    guard text.utf8.first == UInt8(ascii: "/"), !text.utf8.contains(0) else {
      throw .value(text, "\(what) that starts with \"/\"")
    }
    return text
  }

  /// Bytes: a number that may have a point, then nothing, `b`, or `k`, `m`, `g`, `t`, `p` with or without `b` or `ib`,
  /// in either case; 1 k is 1024.
  static func size(_ text: String) throws(RunOptionProblem) -> Int64 {
    let problem = RunOptionProblem.value(text, "a size such as 512m or 1.5g")
    let bytes = ASCII.lowercased(text.utf8)
    guard let end = bytes.lastIndex(where: { ASCII.isDigit($0) || $0 == UInt8(ascii: ".") || $0 == 0x20 }) else {
      throw problem
    }
    let digits = bytes[end] == 0x20 ? bytes[..<end] : bytes[...end]
    let unit = Array(bytes[(end + 1)...])
    guard !digits.isEmpty, digits.count <= 30, digits.allSatisfy({ ASCII.isDigit($0) || $0 == UInt8(ascii: ".") }),
      digits.contains(where: ASCII.isDigit), let number = Double(String(decoding: digits, as: UTF8.self))
    else { throw problem }
    var factor = 1.0
    if let first = unit.first, first != UInt8(ascii: "b") || unit.count > 1 {
      let letters = Array("kmgtp".utf8)
      guard let power = letters.firstIndex(of: first),
        [[], Array("b".utf8), Array("ib".utf8)].contains(Array(unit[1...]))
      else { throw problem }
      for _ in 0...power { factor *= 1024 }
    }
    let size = (number * factor).rounded(.down)
    guard size < 0x1p63 else { throw problem }
    return Int64(size)
  }

  /// CPUs in units of 10^-9: a decimal number with at most nine digits behind the point.
  static func nanoCPUs(_ text: String) throws(RunOptionProblem) -> Int64 {
    let problem = RunOptionProblem.value(text, "a number of CPUs such as 1.5")
    let parts = Array(text.utf8).split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    guard (1...2).contains(parts.count), parts.allSatisfy({ $0.allSatisfy(ASCII.isDigit) }),
      !parts.allSatisfy(\.isEmpty), parts[0].count <= 9
    else { throw problem }
    var fraction = parts.count == 2 ? parts[1] : []
    while fraction.last == UInt8(ascii: "0") { fraction = fraction.dropLast() }
    guard fraction.count <= 9 else { throw RunOptionProblem("\"\(excerpt(text.utf8, limit: 40))\" is too precise") }
    let padded = Array(fraction) + [UInt8](repeating: UInt8(ascii: "0"), count: 9 - fraction.count)
    let whole = parts[0].isEmpty ? 0 : ASCII.decimal(parts[0]) ?? 0
    return Int64(whole * 1_000_000_000 + (ASCII.decimal(padded) ?? 0))
  }

  /// Nanoseconds, as Go writes durations: `1m30s`, `1.5h`, `500ms`. Never negative.
  static func duration(_ text: String) throws(RunOptionProblem) -> Int64 {
    let problem = RunOptionProblem.value(text, "a duration such as 30s or 1m30s")
    let units: [(String, Double)] = [
      ("ns", 1), ("us", 1e3), ("\u{b5}s", 1e3), ("\u{3bc}s", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 6e10), ("h", 3.6e12),
    ]
    if text.utf8.elementsEqual("0".utf8) { return 0 }
    var rest = Array(text.utf8)[...]
    var total = 0.0
    repeat {
      let digits = rest.prefix { ASCII.isDigit($0) || $0 == UInt8(ascii: ".") }
      rest = rest.dropFirst(digits.count)
      let letters = rest.prefix { !ASCII.isDigit($0) && $0 != UInt8(ascii: ".") }
      rest = rest.dropFirst(letters.count)
      guard digits.contains(where: ASCII.isDigit), digits.count <= 20,
        let number = Double(String(decoding: digits, as: UTF8.self)),
        let unit = units.first(where: { $0.0.utf8.elementsEqual(letters) })
      else { throw problem }
      total += number * unit.1
    } while !rest.isEmpty
    guard total < 0x1p63 else { throw problem }
    return Int64(total)
  }

  /// Name and value at the first `separator`; the value is nil when there is none.
  static func cut(_ text: String, _ separator: Character) -> (name: String, value: String?) {
    let bytes = Array(text.utf8)
    guard let byte = separator.asciiValue, let index = bytes.firstIndex(of: byte) else { return (text, nil) }
    return (
      String(decoding: bytes[..<index], as: UTF8.self), String(decoding: bytes[(index + 1)...], as: UTF8.self)
    )
  }

  /// One record of comma-separated values (RFC 4180): a field in quotes may hold commas, and quotes as `""`.
  static func csv(_ text: String) throws(RunOptionProblem) -> [String] {
    let problem = RunOptionProblem.value(text, "a list of fields with quotes in pairs")
    let (quote, comma) = (UInt8(ascii: "\""), UInt8(ascii: ","))
    let bytes = Array(text.utf8)
    guard !bytes.isEmpty, !bytes.contains(ASCII.lineFeed), !bytes.contains(ASCII.carriageReturn) else { throw problem }
    var fields: [String] = []
    var index = 0
    while true {
      var field: [UInt8] = []
      if index < bytes.count, bytes[index] == quote {
        index += 1
        while true {
          guard index < bytes.count else { throw problem }
          if bytes[index] != quote {
            field.append(bytes[index])
            index += 1
          } else if index + 1 < bytes.count, bytes[index + 1] == quote {
            field.append(quote)
            index += 2
          } else {
            index += 1
            break
          }
        }
        guard index == bytes.count || bytes[index] == comma else { throw problem }
      } else {
        while index < bytes.count, bytes[index] != comma {
          guard bytes[index] != quote else { throw problem }
          field.append(bytes[index])
          index += 1
        }
      }
      fields.append(String(decoding: field, as: UTF8.self))
      if index == bytes.count { return fields }
      index += 1
    }
  }

  /// Lines `name=value` of a file, without comments and empty lines. A name alone has no value here and is left out.
  static func assignments(_ content: [UInt8]) throws(RunOptionProblem) -> [String] {
    var result: [String] = []
    let text = content.starts(with: [0xef, 0xbb, 0xbf]) ? content[3...] : content[...]
    for (number, line) in text.split(separator: ASCII.lineFeed, omittingEmptySubsequences: false).enumerated() {
      var line = line.drop { ASCII.isSpace($0) || (0x0b...0x0d).contains($0) }
      if line.last == ASCII.carriageReturn { line = line.dropLast() }
      if line.isEmpty || line.first == UInt8(ascii: "#") { continue }
      let name = line.prefix { $0 != UInt8(ascii: "=") }
      guard !name.isEmpty, !name.contains(where: ASCII.isSpace), !line.contains(0),
        let text = String(validating: line, as: UTF8.self)
      else { throw RunOptionProblem("line \(number + 1) of the file is no NAME=value") }
      if name.count < line.count { result.append(text) }
    }
    return result
  }
}
