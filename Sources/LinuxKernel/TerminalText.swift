/// The bytes with what a terminal acts on written out: control characters of both sets but newline and tab, bytes of the
/// second set that are no part of UTF-8 (`\x9b`), and what turns the direction of text round (`\u{202e}`). Everything else
/// is as it was.
package func terminalSafe(_ bytes: [UInt8]) -> [UInt8] {
  guard !bytes.allSatisfy({ ($0 >= 0x20 && $0 < 0x7f) || $0 == 0x0a || $0 == 0x09 }) else { return bytes }
  var result: [UInt8] = []
  result.reserveCapacity(bytes.count + 64)
  var index = 0
  while index < bytes.count {
    let byte = bytes[index]
    if byte < 0x80 {
      if (byte < 0x20 && byte != 0x0a && byte != 0x09) || byte == 0x7f {
        result += hexadecimal(byte)
      } else {
        result.append(byte)
      }
      index += 1
      continue
    }
    guard let (scalar, length) = scalar(bytes, at: index) else {
      if byte < 0xa0 { result += hexadecimal(byte) } else { result.append(byte) }
      index += 1
      continue
    }
    switch scalar {
    case 0x80..<0xa0: for offset in 0..<length { result += hexadecimal(bytes[index + offset]) }
    case 0x202a...0x202e, 0x2066...0x2069: result += Array("\\u{\(String(scalar, radix: 16))}".utf8)
    default: result += bytes[index..<(index + length)]
    }
    index += length
  }
  return result
}

private func hexadecimal(_ byte: UInt8) -> [UInt8] {
  Array(("\\x" + (byte < 16 ? "0" : "") + String(byte, radix: 16)).utf8)
}

/// The character of UTF-8 that begins here and how long it is; `nil` when none does (RFC 3629 §4).
private func scalar(_ bytes: [UInt8], at index: Int) -> (UInt32, length: Int)? {
  let first = UInt32(bytes[index])
  let length: Int
  var value: UInt32
  switch first {
  case 0xc2...0xdf: (length, value) = (2, first & 0x1f)
  case 0xe0...0xef: (length, value) = (3, first & 0x0f)
  case 0xf0...0xf4: (length, value) = (4, first & 0x07)
  default: return nil
  }
  guard index + length <= bytes.count else { return nil }
  for offset in 1..<length {
    guard bytes[index + offset] & 0xc0 == 0x80 else { return nil }
    value = value << 6 | UInt32(bytes[index + offset] & 0x3f)
  }
  // Longer than it need be, a surrogate, or beyond the last.
  guard let scalar = Unicode.Scalar(value), scalar.utf8.count == length else { return nil }
  return (value, length)
}

extension RandomAccessCollection<UInt8> where Index == Int {
  /// How many bytes of a piece of text are whole characters: a piece that ends within one is shown up to there, and the rest
  /// with what follows. Bytes that are no text are whole.
  package var wholeCharacters: Int {
    for back in 1...3 where count >= back {
      let byte = self[endIndex - back]
      if byte & 0xc0 == 0x80 { continue }
      let length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc2 ? 2 : 1
      return byte < 0xf5 && length > back ? count - back : count
    }
    return count
  }
}
