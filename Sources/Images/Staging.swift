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

  /// Makes a new one.
  init(in paths: StorePaths) throws(ImageError) {
    parent = paths.staging
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

  /// What cannot be removed now is swept by the next executor: the lock goes with this object in any case.
  deinit { try? removeTree(Array(name.utf8), atPath: parent) }

  /// Makes a directory here. The name is ours.
  func directory(_ name: String) throws(ImageError) -> String {
    let path = path + "/" + name
    try kernel("make \(path)") { () throws(Errno) in try makeDirectory(path, mode: 0o700) }
    return path
  }

  /// Removes what imports left that no longer live.
  static func sweep(_ paths: StorePaths) throws(ImageError) {
    let found = try kernel("list \(paths.staging)") { () throws(Errno) in try entries(of: paths.staging) }
    for entry in found {
      let path = paths.staging + "/" + String(decoding: entry.name, as: UTF8.self)
      do throws(Errno) {
        let opened = try openFile(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
        guard try FileLock.take(.exclusive, on: opened.rawValue, wait: false) else { continue }
        try removeTree(entry.name, atPath: paths.staging)
      } catch  where error.code == ENOENT {
        // Another executor was faster.
      } catch  where error.code == ENOTDIR || error.code == ELOOP {
        try kernel("remove \(path)") { () throws(Errno) in try removeTree(entry.name, atPath: paths.staging) }
      } catch {
        throw ImageError(error, doing: "sweep \(path)")
      }
    }
  }
}

/// Removes a tree of ours that is named relative to a directory of ours: its content may be anything.
func removeTree(_ name: [UInt8], atPath directory: String) throws(Errno) {
  let opened = try openFile(directory, O_RDONLY | O_DIRECTORY)
  try removeTree(name, at: opened.rawValue)
}
