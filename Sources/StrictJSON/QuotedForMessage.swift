extension String {
  /// The text in quotes for a message: control characters and what a terminal may act on escaped, cut after 80 characters.
  package var quotedForMessage: String { "\"" + escapedForMessage(limit: 80, quotes: true) + "\"" }

  /// The same without quotes around it, cut after so many characters. Text that is escaped in part already keeps its backslashes.
  package func escapedForMessage(limit: Int, quotes: Bool = false, backslashes: Bool = true) -> String {
    var text = ""
    var count = 0
    for scalar in unicodeScalars {
      guard count < limit else { return text + "…" }
      count += 1
      switch scalar.value {
      case 0x22 where quotes: text += "\\\""
      case 0x5c where backslashes: text += "\\\\"
      // C0, DEL, C1, and the marks that turn the direction of text round or hide it.
      case 0..<0x20, 0x7f..<0xa0, 0x200b...0x200f, 0x2028...0x202e, 0x2060...0x206f, 0xfeff:
        text += "\\u{\(String(scalar.value, radix: 16))}"
      default: text.unicodeScalars.append(scalar)
      }
    }
    return text
  }
}
