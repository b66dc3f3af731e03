/// The known word that a mistyped one was probably meant to be.
package enum NearestKey {
  /// The candidate with the smallest edit distance, when it is small for the word's length and leaves something of it;
  /// the first of equals.
  package static func find(_ word: String, among candidates: [String]) -> String? {
    let bytes = folded(word)
    // What is this long is no slip of the finger, and need not be compared.
    guard !bytes.isEmpty, bytes.count <= 64 else { return nil }
    let bound = max(1, bytes.count / 3)
    var best: (distance: Int, word: String)?
    for candidate in candidates {
      let distance = distance(bytes, folded(candidate))
      if distance <= bound, distance < bytes.count, distance < best?.distance ?? Int.max {
        best = (distance, candidate)
      }
    }
    return best?.word
  }

  /// Lower case, and `-` as `_`: `maxFailures` and `max-failures` are near to `max_failures`.
  private static func folded(_ word: String) -> [UInt8] {
    word.utf8.map { byte in
      switch byte {
      case 0x41...0x5a: byte + 0x20
      case UInt8(ascii: "-"): UInt8(ascii: "_")
      default: byte
      }
    }
  }

  /// Insertions, deletions, replacements and swaps of neighbours that turn one into the other.
  private static func distance(_ left: [UInt8], _ right: [UInt8]) -> Int {
    var beforeLast = [Int](repeating: 0, count: right.count + 1)
    var last = Array(0...right.count)
    for i in 0..<left.count {
      var row = [i + 1]
      row.reserveCapacity(right.count + 1)
      for j in 0..<right.count {
        var cost = min(last[j + 1] + 1, row[j] + 1, last[j] + (left[i] == right[j] ? 0 : 1))
        if i > 0, j > 0, left[i] == right[j - 1], left[i - 1] == right[j] { cost = min(cost, beforeLast[j - 1] + 1) }
        row.append(cost)
      }
      (beforeLast, last) = (last, row)
    }
    return last[right.count]
  }
}
