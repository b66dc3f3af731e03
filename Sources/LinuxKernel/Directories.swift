import CLinux

/// One entry of a directory, by its bytes.
package struct DirectoryEntry: Sendable, Equatable {
  package let name: [UInt8]
  /// `DT_DIR` and so on; `DT_UNKNOWN` where the file system does not say.
  package let type: UInt8
  /// DT_DIR; false also where the file system does not say.
  package var isDirectory: Bool { type == 4 }
}

/// Calls `body` for every entry of an open directory but `.` and `..`, in the file system's order (getdents64(2)), until
/// it returns false. The name is valid during the call only: in a large tree a copy of each would cost more than the rest.
///
/// With `directoriesFirst`, of what one call to the kernel gives the directories come before the rest: what may be renamed
/// at any time is best opened at once.
package func forEachEntry(
  of directory: Int32, directoriesFirst: Bool = false, _ body: (_ name: RawPath, _ type: UInt8) -> Bool
) throws(Errno) {
  var buffer = [UInt8](repeating: 0, count: 32768)
  while try forSomeEntries(of: directory, buffer: &buffer, directoriesFirst: directoriesFirst, body) {}
}

/// The same for what one call to the kernel gives: for who does something else in between.
///
/// - Parameter buffer: room for the answer; the more, the more entries.
/// - Returns: whether there may be more, and `body` wanted it.
package func forSomeEntries(
  of directory: Int32, buffer: inout [UInt8], directoriesFirst: Bool = false,
  _ body: (_ name: RawPath, _ type: UInt8) -> Bool
) throws(Errno) -> Bool {
  let count = try retrying("getdents64") { ax_getdents64(directory, &buffer, buffer.count) }
  if count == 0 { return false }
  return buffer.withUnsafeBytes { records -> Bool in
    guard let base = records.baseAddress else { return false }
    for pass in directoriesFirst ? 0..<2 : 0..<1 {
      var offset = 0
      while offset < count {
        // struct linux_dirent64: u64 inode, s64 next, u16 record length, u8 type, then the name and a NUL
        let length = Int(records[offset + 16]) | Int(records[offset + 17]) << 8
        let type = records[offset + 18]
        let name = (base + offset + 19).assumingMemoryBound(to: CChar.self)
        let isDot = name[0] == 0x2e && (name[1] == 0 || (name[1] == 0x2e && name[2] == 0))
        let isTurn = !directoriesFirst || (type == 4) == (pass == 0)
        if !isDot, isTurn, !body(RawPath(name), type) { return false }
        offset += length
      }
    }
    return true
  }
}

/// Every entry of an open directory but `.` and `..`, in the file system's order.
package func entries(of directory: Int32) throws(Errno) -> [DirectoryEntry] {
  var result: [DirectoryEntry] = []
  try forEachEntry(of: directory) { name, type in
    result.append(DirectoryEntry(name: name.bytes, type: type))
    return true
  }
  return result
}

/// The entries of one of our own directories, by name.
package func entries(of path: String) throws(Errno) -> [DirectoryEntry] {
  let directory = try openFile(path, O_RDONLY | O_DIRECTORY)
  return try entries(of: directory.rawValue)
}

/// Removes `name` below `directory` and everything in it.
///
/// A deep tree costs no stack, but where directories cannot be renamed; never follows a link and never enters another mount.
/// What cannot be removed stays, with what is above it, and the first error is thrown at the end (`EXDEV` of a mount). A
/// missing file is not an error.
///
/// - Parameter end: the instant (`Clock.now`) at which it gives up with `ETIMEDOUT`, the rest being left as it is.
package func removeTree(_ name: some KernelPath, at directory: Int32 = currentDirectory, until end: UInt64 = .max)
  throws(Errno)
{
  do throws(Errno) {
    try removeFile(name, at: directory)
    return
  } catch  where error.code == ENOENT {
    return
  } catch  where error.code == EISDIR || error.code == EPERM {
  }
  let root = try openFile(name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, at: directory)
  let mount = try status(of: root.rawValue).mountID
  var removal = Removal(root: root.rawValue, mount: mount, end: end)
  try removal.remove(name, at: directory, root.rawValue, isRoot: true)
}

extension DirectoryEntry {
  /// Removes it unless it is a directory that holds something. What is gone already counts as removed.
  fileprivate func isRemoved(from directory: Int32) throws(Errno) -> Bool {
    do throws(Errno) {
      // What it is may not be said, or be true no more.
      if !isDirectory, try isUnlinked(from: directory) { return true }
      try removeDirectory(name, at: directory)
    } catch  where error.code == ENOTEMPTY || error.code == EEXIST {
      return false
    } catch  where error.code == EBUSY {
      throw Errno("rmdir", code: EXDEV)
    } catch  where error.code == ENOTDIR {
      try removeFile(name, at: directory)
    } catch  where error.code == ENOENT {}
    return true
  }

  /// Removes it unless it is a directory.
  private func isUnlinked(from directory: Int32) throws(Errno) -> Bool {
    do throws(Errno) { try removeFile(name, at: directory) } catch  where error.code == EISDIR || error.code == EPERM {
      return false
    }
    return true
  }
}

/// Removes a directory with at most one descriptor open below it: a directory found on the way is moved up beside its
/// own parent's siblings once that parent is the deepest that is held, which keeps both descriptors and paths short. Names are
/// read in pieces: a task may have made millions of them in one directory.
///
/// What cannot be moved up is entered where it is, with a descriptor a level: a subvolume of btrfs, a directory that is
/// encrypted and whose key is gone (fscrypt). What cannot be removed keeps nothing else from being removed.
private struct Removal {
  let root: Int32
  let mount: UInt64
  let end: UInt64
  /// How many directories were entered where they are.
  private let depth: Int
  private var serial = 0
  private var lifted = 0
  /// Whether the root was told to take in what is of another project than its own.
  private var isOpenToProjects = false
  /// The first entry of all that could not be removed.
  private var failure: Errno?

  private static let deepest = 512
  private static let lostKey: Int32 = 126  // ENOKEY, which the C library's map leaves out

  init(root: Int32, mount: UInt64, end: UInt64, depth: Int = 0) {
    (self.root, self.mount, self.end, self.depth) = (root, mount, end, depth)
  }

  /// Removes a directory that is open, by its name in another.
  mutating func remove(_ name: some KernelPath, at parent: Int32, _ directory: Int32, isRoot: Bool) throws(Errno) {
    while true {
      let hasRemoved = try pass(over: directory, isRoot: isRoot)
      do throws(Errno) { return try removeDirectory(name, at: parent) } catch {
        guard error.code == ENOTEMPTY || error.code == EEXIST else { throw error }
        guard hasRemoved else { throw failure ?? error }
      }
      // Directory order is not stable while entries are removed, and what was lifted is there now: once more.
      CLinux.lseek(directory, 0, SEEK_SET)
    }
  }

  /// Removes what a directory has, or lifts it to the root.
  ///
  /// - Returns: whether something went.
  private mutating func pass(over directory: Int32, isRoot: Bool) throws(Errno) -> Bool {
    var buffer = [UInt8](repeating: 0, count: 32768)
    var hasRemoved = false
    while true {
      var piece: [DirectoryEntry] = []
      let goesOn = try forSomeEntries(of: directory, buffer: &buffer) { name, type in
        piece.append(DirectoryEntry(name: name.bytes, type: type))
        return true
      }
      guard goesOn else { return hasRemoved }
      for entry in piece {
        guard Clock.now < end else { throw Errno("unlink", code: ETIMEDOUT) }
        let before = lifted
        do throws(Errno) {
          if try !entry.isRemoved(from: directory) {
            if isRoot { try removeChild(entry) } else { try lift(entry, from: directory) }
          }
          hasRemoved = true
        } catch {
          if error.code == ETIMEDOUT { throw error }
          failure = failure ?? error
          // What it held is at the root now, and is still to go.
          if lifted > before { hasRemoved = true }
        }
      }
    }
  }

  private mutating func removeChild(_ entry: DirectoryEntry) throws(Errno) {
    let child = try open(entry, in: root)
    try remove(entry.name, at: root, child.rawValue, isRoot: false)
  }

  private func open(_ entry: DirectoryEntry, in directory: Int32) throws(Errno) -> FileDescriptor {
    let child = try openBelow(
      directory, entry.name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, resolve: [.beneath, .noSymlinks, .noCrossMounts])
    if try status(of: child.rawValue).mountID != mount { throw Errno("openat2", code: EXDEV) }
    return child
  }

  /// To the root, where the next round finds it one level down. What is removed may hold such a name itself, so a taken one is
  /// passed over.
  private mutating func lift(_ entry: DirectoryEntry, from directory: Int32) throws(Errno) {
    while true {
      serial += 1
      do throws(Errno) {
        try rename(entry.name, to: ".ax-remove-\(serial)", at: directory, toDirectory: root)
        lifted += 1
        return
      } catch {
        switch error.code {
        case ENOTEMPTY, EEXIST, ENOTDIR: continue
        case EXDEV where !isOpenToProjects:
          // A directory that hands its project on takes in nothing of another one.
          isOpenToProjects = true
          try? ProjectQuota.setProject(0, of: root)
        case EXDEV, EMLINK, Removal.lostKey: return try enter(entry, in: directory)
        default: throw error
        }
      }
    }
  }

  /// Removes a directory where it is.
  private func enter(_ entry: DirectoryEntry, in directory: Int32) throws(Errno) {
    guard depth < Removal.deepest else { throw Errno("openat2", code: ELOOP) }
    let child = try open(entry, in: directory)
    var removal = Removal(root: child.rawValue, mount: mount, end: end, depth: depth + 1)
    try removal.remove(entry.name, at: directory, child.rawValue, isRoot: true)
  }
}
