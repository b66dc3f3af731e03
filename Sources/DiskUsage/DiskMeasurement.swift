import LaunchModel
import LinuxKernel
import TaskModel

/// What a task's files were found to take on the disk.
package struct DiskMeasurement: WireRecord, Equatable {
  /// A file, or a directory with everything in it.
  package struct Item: WireRecord, Equatable {
    /// Escaped, for people: `sandbox/core.123`; what is in the writable layer as the container sees it, `/tmp/x`.
    package var path: String
    package var bytes: UInt64

    package init(path: String, bytes: UInt64) {
      self.path = path
      self.bytes = bytes
    }

    package static let blank = Item(path: "", bytes: 0)
    package mutating func fields<Pass: WirePass>(_ pass: inout Pass) throws(Pass.Failure) {
      try pass.field(&path)
      try pass.field(&bytes)
    }
  }

  package var bytes: UInt64
  /// Inodes, directories included.
  package var files: UInt64
  /// Names beyond the first of each.
  package var furtherNames: UInt64 = 0
  /// The paths that say most about where it went, largest first, at most three.
  package var largest: [Item]
  /// Why `bytes` may be less than there is: a directory that cannot be read, or too deep to be entered.
  package var obstacle: String?
  /// Whether directories changed while they were walked, or just before: then something may have been missed.
  package var isChanging: Bool
  /// Whether the time was up before all open files were looked at.
  package var isCut = false
  /// Whether it was still waiting for a process then, and not for more files: whoever holds a lock of his own memory is waited for.
  package var isHeldUp = false
  /// How long the directories took, in nanoseconds, without the search for what is open.
  package var walked: UInt64 = 0

  package init(bytes: UInt64, files: UInt64 = 0, largest: [Item], obstacle: String? = nil, isChanging: Bool = false) {
    self.bytes = bytes
    self.files = files
    self.largest = largest
    self.obstacle = obstacle
    self.isChanging = isChanging
  }

  /// The same without what is no doing of the task's.
  package func sparing(_ copy: CopiedRoot?) -> DiskMeasurement {
    guard let copy else { return self }
    var rest = self
    rest.bytes -= min(copy.bytes, rest.bytes)
    rest.files -= min(copy.files, rest.files)
    return rest
  }

  package static let blank = DiskMeasurement(bytes: 0, largest: [])
  package mutating func fields<Pass: WirePass>(_ pass: inout Pass) throws(Pass.Failure) {
    try pass.field(&bytes)
    try pass.field(&files)
    try pass.field(&furtherNames)
    try pass.field(&largest)
    try pass.field(&obstacle)
    try pass.field(&isChanging)
    try pass.field(&isCut)
    try pass.field(&walked)
  }

  /// What to say when it is over `limit`; `nil` when it is not. What cannot be measured is over it: else it would be the way
  /// to hide something.
  package func complaint(limit: UInt64) -> String? {
    if bytes > limit { return excess(limit) }
    let names = files + furtherNames
    if names > DiskMeasurement.mostFiles(limit) { return DiskMeasurement.tooMany(names, limit: limit) }
    return obstacle.map { DiskMeasurement.unknown($0, limit: limit) }
  }

  /// What to say of too many files.
  package static func tooMany(_ files: UInt64, limit: UInt64) -> String {
    "disk limit exceeded: \(files) files and directories, a limit of \(Quantity.bytes(limit)) allows "
      + "\(DiskMeasurement.mostFiles(limit))"
  }

  /// The same when that is known.
  package func excess(_ limit: UInt64) -> String {
    let (most, used) = (Quantity.bytes(limit), Quantity.bytes(bytes))
    // What is less than a hundredth explains nothing.
    return "disk limit exceeded: \(most) limit, \(most == used ? "more than " : "")\(used) used"
      + DiskMeasurement.list(largest.filter { $0.bytes >= bytes / 100 })
  }

  /// What to say when a quota refused something, and what is there now is less.
  package func refusal(_ limit: UInt64, _ hardLimit: UInt64) -> String {
    "disk limit exceeded: \(Quantity.bytes(limit)) limit, and more than \(Quantity.bytes(hardLimit)) was refused"
      + (largest.isEmpty ? "" : "; what is left") + DiskMeasurement.list(largest)
  }

  private static func list(_ items: [Item]) -> String {
    items.isEmpty ? "" : ": " + items.map { "\($0.path) \(Quantity.bytes($0.bytes))" }.joined(separator: ", ")
  }

  /// What to say when nothing tells how much is used.
  package static func unknown(_ why: String, limit: UInt64) -> String {
    "disk limit exceeded: \(Quantity.bytes(limit)) limit, and what is used cannot be measured: \(why)"
  }
}

extension DiskMeasurement {
  /// How many files, directories and links a task may have with a limit of so many bytes: as many as could have something in
  /// them, a block of the file systems in use each, and some for small tasks.
  package static func mostFiles(_ limit: UInt64) -> UInt64 { max(32768, limit / 4096) }
}
