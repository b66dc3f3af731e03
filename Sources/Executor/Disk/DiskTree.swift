import Glibc
import LinuxKernel

/// Measures trees that somebody else may change at the same time, as du(1) counts: allocated blocks, so that holes of
/// sparse files cost nothing, and a file with several names once.
///
/// By descriptor from directory to directory: no link is followed, no mount is crossed (volumes do not count). Nothing
/// but directories is opened.
struct DiskTree {
  /// A directory to measure, and what its paths begin with when they are shown.
  struct Root {
    let label: String
    let directory: SharedDescriptor
  }

  /// How much is looked at.
  struct Bounds {
    var entries: Int
    /// Directories below each other: each holds a descriptor.
    var depth: Int
  }

  /// `nil` when there are more entries than `bounds` allows.
  static func measure(_ roots: [Root], _ bounds: Bounds) -> DiskMeasurement? {
    var tree = DiskTree(bounds)
    var largest = Largest()
    var bytes: UInt64 = 0
    for root in roots {
      guard let found = tree.walk(root) else { return nil }
      bytes += found.bytes
      for item in found.largest.items { largest.offer(item.path, item.bytes) }
    }
    return DiskMeasurement(
      bytes: bytes, largest: largest.items.map { .init(path: printable($0.path), bytes: $0.bytes) },
      deepest: tree.deepest.map { printable($0) })
  }

  /// The same for directories by path; those that are not there take nothing.
  static func measure(paths: [String], _ bounds: Bounds) -> DiskMeasurement? {
    measure(paths.compactMap { path in Root(label: path, path: path) }, bounds)
  }

  private let bounds: Bounds
  private var entriesLeft: Int
  private var deepest: [UInt8]?
  /// Inodes with several names, of the tree at hand.
  private var seen: Set<UInt64> = []
  /// Beyond this many, each name counts for its share: a task may not have the memory of this process.
  private static let seenLimit = 1 << 20

  private init(_ bounds: Bounds) {
    self.bounds = bounds
    entriesLeft = bounds.entries
  }

  /// A directory that is being walked.
  private struct Frame {
    let directory: SharedDescriptor
    let name: [UInt8]
    var bytes: UInt64
    var largest = Largest()
    /// Directories in it that are still to be walked.
    var pending: [[UInt8]] = []
  }

  private mutating func walk(_ root: Root) -> (bytes: UInt64, largest: Largest)? {
    seen = []
    // Opened anew: a descriptor that is shared with another process has one position for both.
    guard let directory = try? openFile(".", O_RDONLY | O_DIRECTORY, at: root.directory.rawValue),
      let about = try? status(of: directory.rawValue)
    else { return (0, Largest()) }
    var stack = [
      Frame(directory: SharedDescriptor(directory), name: Array(root.label.utf8), bytes: about.blocks * 512)
    ]
    guard scan(&stack[0], mount: about.mountID) else { return nil }
    while true {
      let top = stack.count - 1
      guard let name = stack[top].pending.popLast() else {
        let done = stack.removeLast()
        let items = done.largest.under(done.name)
        if stack.isEmpty { return (done.bytes, items) }
        stack[top - 1].bytes += done.bytes
        // What is in it is named where that says nearly everything of it, else the directory as a whole.
        if items.bytes >= done.bytes / 5 * 4, items.isShort {
          for item in items.items { stack[top - 1].largest.offer(item.path, item.bytes) }
        } else {
          stack[top - 1].largest.offer(done.name, done.bytes)
        }
        continue
      }
      guard stack.count < bounds.depth else {
        deepest = stack.prefix(3).map(\.name).reduce(into: []) { $0 += ($0.isEmpty ? [] : [0x2f]) + $1 }
        continue
      }
      // One that vanished or was swapped for something else meanwhile takes nothing here.
      guard let child = try? DiskTree.open(name, in: stack[top].directory) else { continue }
      guard let about = try? status(of: child.rawValue), about.mountID == mountID(stack[0]) else { continue }
      var frame = Frame(directory: child, name: name, bytes: about.blocks * 512)
      guard scan(&frame, mount: about.mountID) else { return nil }
      stack.append(frame)
    }
  }

  private func mountID(_ frame: Frame) -> UInt64? { try? status(of: frame.directory.rawValue).mountID }

  /// Counts what is in a directory, all but other directories. False when that is more than may be looked at.
  private mutating func scan(_ frame: inout Frame, mount: UInt64) -> Bool {
    let directory = frame.directory
    var isWhole = true
    try? forEachEntry(of: directory.rawValue) { name, type in
      entriesLeft -= 1
      guard entriesLeft >= 0 else {
        isWhole = false
        return false
      }
      if type == UInt8(DT_DIR) {
        frame.pending.append(name.bytes)
        return true
      }
      guard let about = try? status(of: name, at: directory.rawValue), about.mountID == mount else { return true }
      if about.isDirectory {
        frame.pending.append(name.bytes)
        return true
      }
      let bytes = size(about)
      frame.bytes += bytes
      if bytes > frame.largest.least { frame.largest.offer(name.bytes, bytes) }
      return true
    }
    return isWhole
  }

  private mutating func size(_ about: FileStatus) -> UInt64 {
    let bytes = about.blocks * 512
    guard about.links > 1, !seen.contains(about.inode) else { return about.links > 1 ? 0 : bytes }
    guard seen.count < DiskTree.seenLimit else { return bytes / UInt64(about.links) + 1 }
    seen.insert(about.inode)
    return bytes
  }

  private static func open(_ name: [UInt8], in directory: SharedDescriptor) throws(Errno) -> SharedDescriptor {
    SharedDescriptor(
      try openBelow(
        directory.rawValue, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW,
        resolve: [.beneath, .noSymlinks, .noCrossMounts]))
  }
}

extension DiskTree.Root {
  /// A directory of ours by path; `nil` when it cannot be opened.
  init?(label: String, path: String) {
    guard let directory = try? openFile(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW) else { return nil }
    self.init(label: label, directory: SharedDescriptor(directory))
  }
}

/// The largest three of what is offered.
private struct Largest {
  private(set) var items: [(path: [UInt8], bytes: UInt64)] = []
  private static let count = 3
  /// A longer path is not carried on: the directory above it is named instead.
  private static let pathLimit = 200

  /// What must be exceeded to get in.
  var least: UInt64 { items.count < Largest.count ? 0 : items[Largest.count - 1].bytes }
  var bytes: UInt64 { items.reduce(0) { $0 + $1.bytes } }
  var isShort: Bool { items.allSatisfy { $0.path.count <= Largest.pathLimit } }

  mutating func offer(_ path: [UInt8], _ bytes: UInt64) {
    guard bytes > least else { return }
    let index = items.firstIndex { $0.bytes < bytes } ?? items.count
    items.insert((path, bytes), at: index)
    if items.count > Largest.count { items.removeLast() }
  }

  /// The same, seen from the directory above.
  func under(_ name: [UInt8]) -> Largest {
    var result = self
    for index in items.indices { result.items[index].path = name + [0x2f] + items[index].path }
    return result
  }
}
