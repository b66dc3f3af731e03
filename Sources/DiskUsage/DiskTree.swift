import Glibc
import LinuxKernel

/// Measures trees that somebody else may change at the same time, as du(1) counts: allocated blocks, so that holes of
/// sparse files cost nothing, and a file with several names once; and deleted files that processes use.
package enum DiskTree {
  /// A directory to measure, or a file alone, and what its paths begin with when they are shown.
  package struct Root {
    package let label: String
    package let directory: SharedDescriptor

    package init(label: String, directory: SharedDescriptor) {
      self.label = label
      self.directory = directory
    }
    /// What a container writes elsewhere; its paths are shown as the container sees them.
    var isWritableLayer: Bool { label.isEmpty }
    /// The task's own directory, of which the files count and no directory: what they hold is measured by itself, or is ours.
    var holdsFilesOnly: Bool { label.utf8.elementsEqual(Root.record.utf8) }
    package static let record = "record"
  }

  /// How much is looked at.
  package struct Bounds {
    package var entries: Int
    /// Directories below each other: each holds a descriptor.
    package var depth: Int
    /// Directories beside each other that are opened as they are met; for the others the name must do.
    package var held = 64
    /// Bytes of directories beyond a block of each: one that was emptied keeps what its names took, and each is read.
    package var names: UInt64

    package init(entries: Int, depth: Int, held: Int = 64, names: UInt64 = .max) {
      (self.entries, self.depth, self.held, self.names) = (entries, depth, held, names)
    }
  }

  /// What of a file counts.
  package enum Counted: String {
    /// All blocks, as du(1) counts.
    case blocks
    /// None that lie beyond its end: XFS sets many aside for a file that grows, and takes them back later.
    case content

    package func bytes(_ about: FileStatus) -> UInt64 {
      guard self == .content, about.isRegularFile else { return about.blocks * 512 }
      // Whatever the size of a block is.
      return min(about.blocks * 512, min(about.size, 1 << 60) / 65536 * 65536 + 65536)
    }
  }

  /// `nil` when there is more to look at than `bounds` allows.
  ///
  /// - Parameters:
  ///   - process: the init of the task's processes, to count what they use without a name, too.
  ///   - user: the only one whose files the task can make; `nil` where it may make anybody's.
  ///   - limit: what names alone may take for that to be looked for.
  ///   - end: the instant (`Clock.now`) until which it is looked for.
  ///   - walked: gets what names take, before that is looked for: a process can have it wait.
  package static func measure(
    _ roots: [Root], _ bounds: Bounds, counting counted: Counted = .blocks, openFilesBelow process: Int32? = nil,
    madeBy user: UInt32? = nil, limit: UInt64? = nil, until end: UInt64 = .max,
    walked tell: (DiskMeasurement) throws(Errno) -> Void = { _ in }
  ) throws(Errno) -> DiskMeasurement? {
    let began = Clock.now
    var walk = DiskWalk(bounds, counted)
    var largest = LargestPaths()
    var bytes: UInt64 = 0
    for root in roots {
      guard let found = try walk.measure(root) else { return nil }
      bytes += found.bytes
      for item in found.largest.items { largest.offer(item.path, item.bytes) }
    }
    var measured = DiskMeasurement(
      bytes: bytes, files: walk.files, largest: [], obstacle: walk.obstacle, isChanging: walk.isChanging)
    measured.walked = Clock.now - began
    measured.furtherNames = walk.furtherNames
    // What is too much already needs no search.
    if let process, limit.map({ bytes <= $0 }) ?? true {
      var names = measured
      (names.isCut, names.largest) = (true, largest.shown)
      try tell(names)
      let open = OpenFiles.bytes(
        counted, below: process, of: roots, madeBy: user, entries: min(walk.entriesLeft, OpenFiles.most),
        until: min(end, Clock.now + OpenFiles.longest))
      if let open {
        measured.bytes += open.bytes
        measured.files += open.files
        measured.isChanging = measured.isChanging || open.isChanging
        measured.isCut = open.isCut
        largest.offer(Array("deleted files that are in use".utf8), open.bytes)
      } else {
        guard walk.entriesLeft > OpenFiles.most else { return nil }
        measured.obstacle = "its processes have more than \(OpenFiles.most) files open or mapped"
      }
    }
    measured.largest = largest.shown
    return measured
  }

  /// The same for directories by path; those that are not there take nothing.
  ///
  /// - Parameter record: one of which the files count only.
  package static func measure(paths: [String], record: String? = nil, beside files: [Root] = [], _ bounds: Bounds)
    throws(Errno)
    -> DiskMeasurement?
  {
    var roots = files
    for (label, path) in paths.map({ ($0, $0) }) + (record.map { [(Root.record, $0)] } ?? []) {
      do throws(Errno) { roots.append(try Root(label: label, path: path)) } catch  where error.code == ENOENT {}
    }
    return try measure(roots, bounds)
  }
}

extension DiskTree.Root {
  /// A directory of ours by path.
  package init(label: String, path: String) throws(Errno) {
    // For its descriptor alone: the task may have closed its own sandbox to a user that is not root.
    let directory = try openFile(path, O_PATH | O_DIRECTORY | O_NOFOLLOW)
    self.init(label: label, directory: SharedDescriptor(directory))
  }
}
