extension String {
  /// Its words between commas, without empty ones: by bytes, for a comma may make one Character with what is beside it
  /// (U+0600), and would separate nothing.
  package var commaSeparated: [String] {
    utf8.split(separator: UInt8(ascii: ",")).map { String(decoding: $0, as: UTF8.self) }
  }
}
