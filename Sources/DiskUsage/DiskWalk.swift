import Glibc
import LinuxKernel

/// A walk over trees that somebody else may change at the same time.
///
/// By descriptor from directory to directory: no link is followed, no mount is crossed (volumes do not count). Nothing
/// but directories is opened.
struct DiskWalk {
  private let bounds: DiskTree.Bounds
  private let counted: DiskTree.Counted
  private(set) var entriesLeft: Int
  private var heldLeft: Int
  /// Of directories, beyond a block of each.
  private var namesLeft: UInt64
  private(set) var obstacle: String?
  private(set) var isChanging = false
  /// Inodes that were met.
  private(set) var files: UInt64 = 0
  /// Further names of those.
  private(set) var furtherNames: UInt64 = 0
  /// What changed later than this may have changed behind our back.
  private let calmBefore = Int64(Clock.wall / 1_000_000_000) - 1
  /// Directories, inodes with several names and large files, of the tree at hand.
  private var seen: Set<Key> = []
  /// From this size on a file is remembered: it may be moved to where it is met again.
  private static let large: UInt64 = 64 << 10
  /// What a directory takes on most file systems.
  private static let block: UInt64 = 4096
  /// Beyond this many, each name counts for its share: a task may not have the memory of this process.
  private static let seenLimit = 1 << 20

  init(_ bounds: DiskTree.Bounds, _ counted: DiskTree.Counted) {
    self.bounds = bounds
    self.counted = counted
    entriesLeft = bounds.entries
    heldLeft = bounds.held
    namesLeft = bounds.names
  }

  /// An inode: subvolumes of btrfs have numbers of their own each, and a device each.
  private struct Key: Hashable {
    let device: UInt64
    let inode: UInt64
    init(_ about: FileStatus) { (device, inode) = (about.device, about.inode) }
  }

  /// A directory that is being walked.
  private struct Frame {
    let directory: SharedDescriptor
    let name: [UInt8]
    var bytes: UInt64
    var largest = LargestPaths()
    /// Directories in it that are still to be walked: opened, and by name only.
    var held: [(name: [UInt8], directory: SharedDescriptor)] = []
    var names = NameStack()
  }

  mutating func measure(_ root: DiskTree.Root) throws(Errno) -> (bytes: UInt64, largest: LargestPaths)? {
    seen = []
    if let about = try? status(of: root.directory.rawValue), !about.isDirectory { return single(about, root.label) }
    var stack: [Frame] = []
    let mount: UInt64
    do throws(Errno) {
      // Opened anew: a descriptor that is shared with another process has one position for both.
      let directory = try openFile(".", O_RDONLY | O_DIRECTORY, at: root.directory.rawValue)
      let about = try status(of: directory.rawValue)
      mount = about.mountID
      let name = Array(root.label.utf8)
      guard try enter(SharedDescriptor(directory), name, about, &stack, goesOn: !root.holdsFilesOnly) else {
        return nil
      }
    } catch {
      try miss(error, [Array(root.label.utf8)])
      return (0, LargestPaths())
    }
    while true {
      let top = stack.count - 1
      guard let next = try takeNext(&stack) else {
        let done = stack.removeLast()
        // Something may have gone in or out since it was listed, to where it is not met, or is met again.
        if !root.holdsFilesOnly, try hasChanged(done.directory) { isChanging = true }
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
      guard let directory = next.directory else { continue }
      guard stack.count < bounds.depth else {
        obstacle = "directories are nested too deep in " + DiskWalk.path(stack.prefix(3).map(\.name))
        continue
      }
      do throws(Errno) {
        let about = try status(of: directory.rawValue)
        guard about.mountID == mount else { continue }
        guard try enter(directory, next.name, about, &stack) else { return nil }
      } catch {
        try miss(error, stack.map(\.name) + [next.name])
      }
    }
  }

  /// A file alone.
  private mutating func single(_ about: FileStatus, _ label: String) -> (bytes: UInt64, largest: LargestPaths) {
    entriesLeft -= 1
    files += 1
    var largest = LargestPaths()
    largest.offer(Array(label.utf8), counted.bytes(about))
    return (counted.bytes(about), largest)
  }

  /// The next directory in it that is to be walked, without a descriptor where there is nothing to walk any more.
  private mutating func takeNext(_ stack: inout [Frame]) throws(Errno) -> (
    name: [UInt8], directory: SharedDescriptor?
  )? {
    let top = stack.count - 1
    if let held = stack[top].held.popLast() {
      heldLeft += 1
      return (held.name, held.directory)
    }
    guard let name = stack[top].names.pop() else { return nil }
    do throws(Errno) { return (name, try DiskWalk.open(name, in: stack[top].directory)) } catch {
      try miss(error, stack.map(\.name) + [name])
      return (name, nil)
    }
  }

  /// Counts what is in a directory, all but other directories. False when that is more than may be looked at.
  ///
  /// - Parameter goesOn: whether the directories in it are to be walked.
  private mutating func enter(
    _ directory: SharedDescriptor, _ name: [UInt8], _ about: FileStatus, _ stack: inout [Frame], goesOn: Bool = true
  ) throws(Errno) -> Bool {
    // It was met before, under the name that it had then.
    guard isNew(about) else {
      isChanging = true
      return true
    }
    let names = about.blocks * 512 - min(about.blocks * 512, DiskWalk.block)
    guard names <= namesLeft else { return false }
    namesLeft -= names
    var frame = Frame(directory: directory, name: name, bytes: about.blocks * 512)
    files += 1
    // What a task cannot change hides nothing.
    if goesOn, about.changed >= calmBefore { isChanging = true }
    var isWhole = true
    var failure: Errno?
    func above() -> [[UInt8]] { stack.map(\.name) + [name] }
    do throws(Errno) {
      try forEachEntry(of: directory.rawValue, directoriesFirst: true) { entry, type in
        entriesLeft -= 1
        guard entriesLeft >= 0 else {
          isWhole = false
          return false
        }
        do throws(Errno) {
          if type != UInt8(DT_DIR) {
            let found = try status(of: entry, at: directory.rawValue)
            guard found.mountID == about.mountID else { return true }
            guard found.isDirectory else {
              let bytes = size(found)
              frame.bytes += bytes
              if bytes > frame.largest.least { frame.largest.offer(entry.bytes, bytes) }
              return true
            }
          }
          guard goesOn else { return true }
          guard heldLeft > 0 else {
            frame.names.push(entry)
            return true
          }
          frame.held.append((entry.bytes, try DiskWalk.open(entry, in: directory)))
          heldLeft -= 1
          return true
        } catch {
          do throws(Errno) { try miss(error, above() + [entry.bytes]) } catch { failure = error }
          return failure == nil
        }
      }
    } catch {
      try miss(error, above())
    }
    if let failure { throw failure }
    stack.append(frame)
    return isWhole
  }

  /// What could not be looked at: it has gone or is another thing meanwhile, or is another mount, and takes nothing here; or
  /// this process lacks something, and there is no measurement; or it is closed to us, and what it takes is not known.
  private mutating func miss(_ error: Errno, _ path: @autoclosure () -> [[UInt8]]) throws(Errno) {
    switch error.code {
    case EXDEV: return
    case ENOENT, ENOTDIR, ELOOP, ESTALE: isChanging = true
    case EMFILE, ENFILE, ENOMEM, EINTR, EAGAIN: throw error
    default: obstacle = obstacle ?? "\(DiskWalk.path(path())) cannot be read: \(error)"
    }
  }

  /// The beginning and the end of a path, for people.
  private static func path(_ names: [[UInt8]]) -> String {
    let shown = names.count > 4 ? names.prefix(2) + [Array("…".utf8)] + names.suffix(1) : names
    return printable(shown.reduce(into: []) { $0 += ($0.isEmpty ? [] : [0x2f]) + $1 })
  }

  private mutating func size(_ about: FileStatus) -> UInt64 {
    let bytes = counted.bytes(about)
    guard about.links > 1 || bytes >= DiskWalk.large else {
      files += 1
      return bytes
    }
    guard seen.count < DiskWalk.seenLimit || seen.contains(Key(about)) else {
      files += 1
      return bytes / UInt64(about.links) + 1
    }
    guard isNew(about) else {
      if about.links > 1 { furtherNames += 1 } else { isChanging = true }
      return 0
    }
    files += 1
    return bytes
  }

  /// Whether it was not met before, as far as is remembered.
  private mutating func isNew(_ about: FileStatus) -> Bool {
    seen.count < DiskWalk.seenLimit ? seen.insert(Key(about)).inserted : !seen.contains(Key(about))
  }

  private func hasChanged(_ directory: SharedDescriptor) throws(Errno) -> Bool {
    do throws(Errno) { return try status(of: directory.rawValue).changed >= calmBefore } catch {
      // A file system of another host's may have forgotten it.
      guard error.code == ESTALE else { throw error }
      return true
    }
  }

  private static func open(_ name: some KernelPath, in directory: SharedDescriptor) throws(Errno) -> SharedDescriptor {
    SharedDescriptor(
      try openBelow(
        directory.rawValue, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW,
        resolve: [.beneath, .noSymlinks, .noCrossMounts]))
  }
}
