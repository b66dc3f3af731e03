/// The bytes with what a terminal acts on written out: control characters but newline and tab, of both sets.
package func terminalSafe(_ bytes: [UInt8]) -> [UInt8] {
  func isHarmless(_ index: Int) -> Bool {
    let byte = bytes[index]
    if byte < 0x20 { return byte == 0x0a || byte == 0x09 }
    // U+0080 to U+009F, in UTF-8 0xc2 and that byte.
    return byte != 0x7f && !(byte == 0xc2 && index + 1 < bytes.count && (0x80..<0xa0).contains(bytes[index + 1]))
  }
  guard !bytes.indices.allSatisfy(isHarmless) else { return bytes }
  var result: [UInt8] = []
  for index in bytes.indices {
    if isHarmless(index) {
      result.append(bytes[index])
    } else {
      result += Array(("\\x" + (bytes[index] < 16 ? "0" : "") + String(bytes[index], radix: 16)).utf8)
    }
  }
  return result
}
