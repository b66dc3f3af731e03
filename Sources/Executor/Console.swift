import LinuxKernel

/// Standard output for data, standard error for everything else.
enum Console {
  static func output(_ text: String) { write(text + "\n", to: 1) }
  static func raw(_ bytes: [UInt8], to descriptor: Int32 = 1) { StandardStream.write(bytes, to: descriptor) }
  static func note(_ text: String) { write(text + "\n", to: 2) }
  static func warning(_ text: String) { write("warning: \(text)\n", to: 2) }

  static func error(_ failure: ExecutorFailure) { note(failure.report) }

  static var outputIsTerminal: Bool { StandardStream.isTerminal(1) }

  /// Text that came from elsewhere may hold what a terminal acts on; newlines and tabs stay.
  private static func write(_ text: String, to descriptor: Int32) {
    StandardStream.write(escaped(Array(text.utf8)), to: descriptor)
  }

  /// The bytes with what a terminal acts on written out: control characters but newline and tab, of both sets.
  static func escaped(_ bytes: [UInt8]) -> [UInt8] {
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

  /// Rows as columns, each as wide as its widest cell, the last as long as it is.
  static func table(_ rows: [[String]]) -> String {
    guard let columns = rows.first?.count else { return "" }
    let widths = (0..<columns).map { column in rows.map { $0[column].unicodeScalars.count }.max() ?? 0 }
    return rows.map { row in
      var line = ""
      for (column, cell) in row.enumerated() {
        line += cell
        if column < columns - 1 {
          line += String(repeating: " ", count: widths[column] - cell.unicodeScalars.count + 2)
        }
      }
      return line
    }.joined(separator: "\n")
  }
}
