import LinuxKernel

/// A moment as people give it: `10m`, `1h30m` for so long ago, `2026-11-22T10:15:00Z`, or seconds since 1970.
package enum PastTime {
  /// Nanoseconds since 1970; nil when it is none of these.
  package static func parse(_ text: String, now: UInt64) -> UInt64? {
    let bytes = Array(text.utf8)
    if let seconds = decimal(bytes[...]) { return seconds }
    if let ago = duration(bytes) { return now > ago ? now - ago : 0 }
    return timestamp(bytes)
  }

  /// Seconds of a duration: `30s`, `1h30m`, `14d`; nil when it is none.
  package static func seconds(_ text: String) -> UInt64? { duration(Array(text.utf8)).map { $0 / 1_000_000_000 } }

  private static func decimal(_ bytes: ArraySlice<UInt8>) -> UInt64? {
    let parts = bytes.split(separator: UInt8(ascii: "."), maxSplits: 1, omittingEmptySubsequences: false)
    guard let whole = parts.first.flatMap(digits), whole < 1 << 34 else { return nil }
    guard parts.count == 2 else { return whole * 1_000_000_000 }
    guard let fraction = digits(parts[1].prefix(9)), parts[1].allSatisfy(isDigit) else { return nil }
    return whole * 1_000_000_000 + (0..<(9 - min(9, parts[1].count))).reduce(fraction) { value, _ in value * 10 }
  }

  private static func digits(_ bytes: some Collection<UInt8>) -> UInt64? {
    guard (1...15).contains(bytes.count) else { return nil }
    var value: UInt64 = 0
    for byte in bytes {
      guard isDigit(byte) else { return nil }
      value = value * 10 + UInt64(byte - UInt8(ascii: "0"))
    }
    return value
  }

  private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

  private static func duration(_ bytes: [UInt8]) -> UInt64? {
    var total: UInt64 = 0
    var rest = bytes[...]
    guard !rest.isEmpty else { return nil }
    while !rest.isEmpty {
      let number = rest.prefix(while: isDigit)
      rest = rest.dropFirst(number.count)
      guard let value = digits(number), value < 1 << 30, let letter = rest.first else { return nil }
      rest = rest.dropFirst()
      let unit: UInt64
      switch letter {
      case UInt8(ascii: "s"): unit = 1
      case UInt8(ascii: "m"): unit = 60
      case UInt8(ascii: "h"): unit = 3600
      case UInt8(ascii: "d"): unit = 86400
      default: return nil
      }
      let (product, overflow) = (value * unit).multipliedReportingOverflow(by: 1_000_000_000)
      let (sum, overflows) = total.addingReportingOverflow(product)
      guard !overflow, !overflows else { return .max }
      total = sum
    }
    return total
  }

  /// RFC 3339: date, time, an optional fraction, `Z` or an offset from UTC.
  private static func timestamp(_ bytes: [UInt8]) -> UInt64? {
    guard bytes.count >= 20 else { return nil }
    func number(_ range: Range<Int>) -> Int? { digits(bytes[range]).map(Int.init) }
    let separators = [(4, "-"), (7, "-"), (13, ":"), (16, ":")]
    guard separators.allSatisfy({ bytes[$0.0] == $0.1.utf8.first }), "Tt ".utf8.contains(bytes[10]),
      let year = number(0..<4), let month = number(5..<7), let day = number(8..<10), let hour = number(11..<13),
      let minute = number(14..<16), let second = number(17..<19), (1970...9999).contains(year),
      (1...12).contains(month), (1...31).contains(day), hour < 24, minute < 60, second <= 60
    else { return nil }
    var rest = bytes[19...]
    var fraction: UInt64 = 0
    if rest.first == UInt8(ascii: ".") {
      let places = rest.dropFirst().prefix(while: isDigit)
      guard let value = decimal([UInt8(ascii: "0")] + rest.prefix(places.count + 1)) else { return nil }
      fraction = value
      rest = rest.dropFirst(places.count + 1)
    }
    var offset = 0
    if rest.elementsEqual("Z".utf8) || rest.elementsEqual("z".utf8) {
      offset = 0
    } else if rest.count == 6, let sign = rest.first, "+-".utf8.contains(sign),
      rest[rest.startIndex + 3] == UInt8(ascii: ":"),
      let hours = number((rest.startIndex + 1)..<(rest.startIndex + 3)),
      let minutes = number((rest.startIndex + 4)..<(rest.startIndex + 6)), hours < 24, minutes < 60
    {
      offset = (hours * 60 + minutes) * (sign == UInt8(ascii: "-") ? -60 : 60)
    } else {
      return nil
    }
    let seconds = days(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - offset
    return seconds < 0 ? nil : UInt64(seconds) * 1_000_000_000 + fraction
  }

  /// Days since 1970-01-01, in the Gregorian calendar; years are taken to start in March, so that leap days end them.
  private static func days(_ year: Int, _ month: Int, _ day: Int) -> Int {
    let year = month <= 2 ? year - 1 : year
    let era = year / 400
    let yearOfEra = year - era * 400
    let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
    return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
  }
}
