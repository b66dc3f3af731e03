/// Text between separators.
enum SplitText {
  /// The parts, empty ones included.
  static func parts(_ text: some StringProtocol, _ separator: Character) -> [String] {
    guard let byte = separator.asciiValue else { return [String(text)] }
    return Array(text.utf8).split(separator: byte, omittingEmptySubsequences: false).map {
      String(decoding: $0, as: UTF8.self)
    }
  }
}
