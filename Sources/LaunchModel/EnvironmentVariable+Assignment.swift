extension EnvironmentVariable {
  /// `NAME=value`, as an image's ENV holds it; without a `=` the value is empty.
  package init(assignment: String) {
    let parts = assignment.utf8.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
      .map { String(decoding: $0, as: UTF8.self) }
    self.init(parts.first ?? "", parts.count > 1 ? parts[1] : "")
  }
}
