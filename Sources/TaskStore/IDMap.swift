/// `/proc/PID/uid_map` or `gid_map`, as somebody in the first user namespace reads it (user_namespaces(7)).
package struct IDMap {
  private var ranges: [(inside: UInt64, outside: UInt64, count: UInt64)] = []

  /// Lines of inside, outside and length; others say nothing.
  package init(_ text: [UInt8]) {
    for line in text.split(separator: UInt8(ascii: "\n")) {
      let numbers = line.split(separator: UInt8(ascii: " ")).map { UInt32(String(decoding: $0, as: UTF8.self)) }
      guard numbers.count == 3, let inside = numbers[0], let outside = numbers[1], let count = numbers[2]
      else { continue }
      ranges.append((UInt64(inside), UInt64(outside), UInt64(count)))
    }
  }

  /// Whether the id is anybody inside.
  package func has(_ id: UInt32) -> Bool {
    ranges.contains { UInt64(id) >= $0.inside && UInt64(id) - $0.inside < $0.count }
  }

  /// Whether the id is the same inside and outside.
  package func keeps(_ id: UInt32) -> Bool {
    ranges.contains { $0.inside == $0.outside && UInt64(id) >= $0.inside && UInt64(id) - $0.inside < $0.count }
  }
}
