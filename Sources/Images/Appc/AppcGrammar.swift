import LinuxKernel

/// The byte classes of AppC's names (its specification, `types.md`).
enum AppcGrammar {
  /// An AC identifier: lower-case letters and digits, in groups that one of `-._~/` separates.
  static func isIdentifier(_ text: String) -> Bool {
    guard !text.isEmpty, text.utf8.count <= 255 else { return false }
    var wasPlain = false
    for byte in text.utf8 {
      let isPlain =
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
      guard isPlain || (wasPlain && "-._~/".utf8.contains(byte)) else { return false }
      wasPlain = isPlain
    }
    return wasPlain
  }

  static func notAnIdentifier(_ text: String) -> ImageError {
    .invalid(
      "\"\(printable(text.utf8.prefix(300)))\" is no AC identifier: up to 255 lower-case letters and digits, in groups that one of - . _ ~ / separates"
    )
  }

  /// The labels, when they can be those of an image: each name once, and none of them is `name`.
  static func checked(_ labels: [ImageConfig.Label]) throws(ImageError) -> [ImageConfig.Label] {
    var seen: Set<[UInt8]> = []
    for (index, label) in labels.enumerated() {
      let place = "labels[\(index)]"
      guard isIdentifier(label.name) else { throw notAnIdentifier(label.name).at(place) }
      if label.name.utf8.elementsEqual("name".utf8) { throw ImageError.invalid("no label is called name").at(place) }
      if !seen.insert(Array(label.name.utf8)).inserted {
        throw ImageError.invalid("there are two labels \(label.name)").at(place)
      }
      if label.value.utf8.contains(0) || label.value.utf8.count > 4096 {
        throw ImageError.invalid("the value holds a NUL, or is longer than 4096 bytes").at(place)
      }
    }
    return labels
  }
}
