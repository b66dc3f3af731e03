extension Sequence<UInt8> {
  /// Whether these bytes stand somewhere within.
  package func holds(_ bytes: some Sequence<UInt8>) -> Bool {
    let (all, wanted) = (Array(self), Array(bytes))
    guard all.count >= wanted.count, !wanted.isEmpty else { return false }
    return (0...(all.count - wanted.count)).contains { all[$0..<($0 + wanted.count)].elementsEqual(wanted) }
  }
}
