import Glibc
import LinuxKernel

/// What a layer deletes of those below it, in the form that overlayfs reads.
extension LayerTree {
  /// Without content it says "has lower parts, unknown which". overlayfs then looks for whiteouts in the directory also
  /// where no layer below has it; otherwise it would list them as files that cannot be opened.
  private static let originAttribute = Array("user.overlay.origin".utf8)

  /// Puts an opaque directory in the place of a whiteout.
  func replaceWhiteout(_ name: some KernelPath, in parent: Int32) throws(ImageError) {
    try kernel("make a directory in place of a whiteout") { () throws(Errno) in
      try removeFile(name, at: parent)
      try makeDirectory(name, mode: 0o700, at: parent)
      let made = try openBelow(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, resolve: [.beneath, .noSymlinks])
      try setAttribute(MergedTree.opaqueAttribute, [UInt8(ascii: "y")], of: made.rawValue)
    }
  }

  /// Hides `name` of the layers below. What this layer itself has there stays, and hides them as well.
  func makeWhiteout(_ name: [UInt8], in parent: Int32) throws(ImageError) {
    do throws(Errno) {
      try LayerTree.makeWhiteoutNode(name, in: parent)
      return try setAttribute(LayerTree.originAttribute, [], of: parent)
    } catch  where error.code == EEXIST {
    } catch {
      throw LayerTree.refusal(error, "make the whiteout")
    }
    guard let found = try existing(name, in: parent), found.isDirectory else { return }
    let made = try kernel("open a directory to make it opaque") { () throws(Errno) in
      try openBelow(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, resolve: [.beneath, .noSymlinks])
    }
    guard try isForWhiteouts(found, made.rawValue) else { return try makeOpaque(made.rawValue) }
    parentDirectory = nil
    try kernel("make the whiteout") { () throws(Errno) in
      try removeTree(name, at: parent)
      try LayerTree.makeWhiteoutNode(name, in: parent)
      try setAttribute(LayerTree.originAttribute, [], of: parent)
    }
  }

  /// overlayfs lets nobody make in it what means to it that something is not there. A store in one is not stacked by overlayfs
  /// either (`ImageCopy`).
  private static func makeWhiteoutNode(_ name: [UInt8], in parent: Int32) throws(Errno) {
    do throws(Errno) {
      try makeNode(name, mode: UInt32(S_IFCHR), major: 0, minor: 0, at: parent)
    } catch  where error.code == EPERM {
      try makeNode(name, mode: UInt32(S_IFSOCK), major: 0, minor: 0, at: parent)
    }
  }

  /// Whether a directory was made only because something in it is deleted: it goes where that goes altogether.
  private func isForWhiteouts(_ status: FileStatus, _ directory: Int32) throws(ImageError) -> Bool {
    guard implicit[status.inode] != nil else { return false }
    // By paths: a descriptor for every level would be too many.
    var waiting = WaitingDirectories()
    while let path = waiting.next() {
      let opened = try kernel("open a directory") { () throws(Errno) in
        try openBelow(
          directory, path.isEmpty ? [UInt8(ascii: ".")] : path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW,
          resolve: [.beneath, .noSymlinks])
      }
      let listed = try kernel("list a directory") { () throws(Errno) in try entries(of: opened.rawValue) }
      var inner: [[UInt8]] = []
      for entry in listed {
        guard let found = try existing(entry.name, in: opened.rawValue), !LayerTree.isWhiteout(found) else { continue }
        guard found.isDirectory, implicit[found.inode] != nil else { return false }
        inner.append(entry.name)
      }
      waiting.enter(inner, of: path)
    }
    return true
  }

  /// Hides what layers below have in an open directory.
  func makeOpaque(_ directory: Int32) throws(ImageError) {
    let listed = try kernel("list a directory") { () throws(Errno) in try entries(of: directory) }
    for entry in listed {
      guard let found = try existing(entry.name, in: directory), found.isDirectory else { continue }
      let inner = try kernel("open a directory") { () throws(Errno) in
        try openBelow(directory, entry.name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, resolve: [.beneath, .noSymlinks])
      }
      guard try isForWhiteouts(found, inner.rawValue) else { continue }
      parentDirectory = nil
      try kernel("remove a directory of whiteouts") { () throws(Errno) in try removeTree(entry.name, at: directory) }
    }
    try kernel("make a directory opaque") { () throws(Errno) in
      try setAttribute(MergedTree.opaqueAttribute, [UInt8(ascii: "y")], of: directory)
    }
  }
}
