import LinuxKernel

/// The largest three of what is offered.
struct LargestPaths {
  private(set) var items: [(path: [UInt8], bytes: UInt64)] = []
  private static let count = 3
  /// A longer path is not carried on: the directory above it is named instead.
  private static let pathLimit = 200

  /// What must be exceeded to get in.
  var least: UInt64 { items.count < LargestPaths.count ? 0 : items[LargestPaths.count - 1].bytes }
  var bytes: UInt64 { items.reduce(0) { $0 + $1.bytes } }
  var isShort: Bool { items.allSatisfy { $0.path.count <= LargestPaths.pathLimit } }

  /// For people.
  var shown: [DiskMeasurement.Item] { items.map { .init(path: printable($0.path), bytes: $0.bytes) } }

  mutating func offer(_ path: [UInt8], _ bytes: UInt64) {
    guard bytes > least else { return }
    let index = items.firstIndex { $0.bytes < bytes } ?? items.count
    items.insert((path, bytes), at: index)
    if items.count > LargestPaths.count { items.removeLast() }
  }

  /// The same, seen from the directory above.
  func under(_ name: [UInt8]) -> LargestPaths {
    var result = self
    for index in items.indices { result.items[index].path = name + [0x2f] + items[index].path }
    return result
  }
}
