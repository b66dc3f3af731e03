import HTTP1

/// Names that somebody may have meant.
enum NearNames {
  /// At most four, nearest first: within a third of the length by single letters added, left out, changed or swapped,
  /// or one the beginning of the other.
  static func of(_ name: String, among names: [String]) -> [String] {
    let wanted = ASCII.lowercased(name.utf8.prefix(64)).drop { $0 == UInt8(ascii: "-") }
    if wanted.isEmpty { return [] }
    var near: [(distance: Int, name: String)] = []
    for candidate in names {
      let bytes = Array(candidate.utf8)
      let distance = distance(Array(wanted), bytes)
      let isPart = wanted.count >= 3 && (bytes.starts(with: wanted) || wanted.starts(with: bytes))
      if distance <= max(1, wanted.count / 3) || isPart {
        near.append((isPart ? min(distance, 2) : distance, candidate))
      }
    }
    return near.sorted { ($0.distance, $0.name) < ($1.distance, $1.name) }.prefix(4).map(\.name)
  }

  /// How many single changes lead from one to the other; a swap of neighbours is one.
  private static func distance(_ a: [UInt8], _ b: [UInt8]) -> Int {
    var before = [Int](repeating: 0, count: b.count + 1)
    var above = Array(0...b.count)
    for i in 0..<a.count {
      var row = [i + 1]
      for j in 0..<b.count {
        var best = min(above[j + 1] + 1, row[j] + 1, above[j] + (a[i] == b[j] ? 0 : 1))
        if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { best = min(best, before[j - 1] + 1) }
        row.append(best)
      }
      (before, above) = (above, row)
    }
    return above[b.count]
  }
}
