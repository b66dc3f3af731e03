import Glibc
import LinuxKernel

/// A directory that one import works in. It is gone with its owner: removed at the end, or swept by the next executor when
/// this one dies.
final class Staging {
  let path: String
  private let name: String
  private let parent: String
  /// Holds the lock that says "somebody works here".
  private let lock: SharedDescriptor

  private let patience: UInt64

  /// Makes a new one.
  init(in paths: StorePaths, patience: UInt64 = Staging.patience) throws(ImageError) {
    parent = paths.staging
    self.patience = patience
    var attempt = 0
    while true {
      attempt += 1
      // The clock and the pid make it unlike any other; a sweep may still take it before it is locked.
      let name = String(Clock.wall % 1_000_000_000_000, radix: 36) + "-" + String(getpid(), radix: 36)
      let path = paths.staging + "/" + name
      do throws(Errno) {
        try makeDirectory(path, mode: 0o700)
        let opened = try openFile(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
        _ = try FileLock.take(.exclusive, on: opened.rawValue, wait: true)
        if try status(of: path).inode == status(of: opened.rawValue).inode {
          lock = SharedDescriptor(opened)
          self.name = name
          self.path = path
          return
        }
      } catch  where (error.code == EEXIST || error.code == ENOENT) && attempt < 100 {
      } catch {
        throw ImageError(error, doing: "make \(path)")
      }
    }
  }

  /// How long the end of an import, or a command that finds others' rubbish, may remove it.
  static let patience: UInt64 = 200_000_000

  /// What takes longer is left, and the lock goes in any case: a stop is not to wait for a million files. Whoever comes next
  /// removes a piece, `sweep` and `image gc` all of it.
  deinit {
    bestEffort("remove \(path)", tolerating: ETIMEDOUT) {
      try removeTree(Array(name.utf8), atPath: parent, until: Clock.now + patience)
    }
  }

  /// Removes all that is in it, however long that takes: for who is to have the room that it took.
  func empty() throws(ImageError) {
    try kernel("remove what is in \(path)") { () throws(Errno) in
      for entry in try entries(of: path) { try removeTree(entry.name, atPath: path) }
    }
  }

  /// Makes a directory here. The name is ours.
  func directory(_ name: String) throws(ImageError) -> String {
    let path = path + "/" + name
    try kernel("make \(path)") { () throws(Errno) in try makeDirectory(path, mode: 0o700) }
    return path
  }

  /// Removes what imports left that no longer live, until the time is up.
  static func sweep(_ paths: StorePaths, until end: UInt64) throws(ImageError) {
    for leftover in try StoreLeftover.staging(paths) {
      guard Clock.now < end else { return }
      _ = try leftover.remove(until: end)
    }
  }
}

/// Removes a tree of ours that is named relative to a directory of ours: its content may be anything.
func removeTree(_ name: [UInt8], atPath directory: String, until end: UInt64 = .max) throws(Errno) {
  let opened = try openFile(directory, O_RDONLY | O_DIRECTORY)
  try removeTree(name, at: opened.rawValue, until: end)
}
