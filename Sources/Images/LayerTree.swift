import Glibc
import LinuxKernel

/// Makes files in the directory a layer is unpacked into, in the form overlayfs stacks (with its option `userxattr`):
/// a whiteout is a character device 0:0, an opaque directory has the attribute `user.overlay.opaque`.
///
/// A name is resolved by the kernel with the layer's directory as the root (openat2, `RESOLVE_IN_ROOT`): symbolic links
/// that the layer made are followed, and cannot lead out. The last component is never followed.
final class LayerTree {
  /// The layer's own directory.
  let root: SharedDescriptor
  /// The parent of the last entry: archives list a directory's children one after the other.
  private var parentPath: [UInt8] = []
  var parentDirectory: SharedDescriptor?
  /// Directories that were made without an entry of their own: their paths, without links, by inode.
  var implicit: [UInt64: [UInt8]] = [:]
  private var implicitBytes = 0
  /// What was put aside, in its order (`LayerTree+Displaced`).
  var displaced: [LayerGaps.Displaced] = []
  /// How many hard links were left to the layers below.
  var linkCount: UInt64 = 0

  /// `root` is open for reading, and empty.
  init(root: consuming FileDescriptor) { self.root = SharedDescriptor(root) }

  /// The directory that `path` (without NUL) names, made with its missing parents (0755, root) where needed.
  func directory(_ path: ArraySlice<UInt8>) throws(ImageError) -> SharedDescriptor {
    if path.isEmpty { return root }
    if let parentDirectory, parentPath.count == path.count, parentPath.elementsEqual(path) { return parentDirectory }
    let opened: FileDescriptor
    do throws(Errno) {
      opened = try open(Array(path))
    } catch  where error.code == ENOENT || error.code == ENOTDIR {
      opened = try makeDirectories(path)
    } catch {
      throw LayerTree.refusal(error, "open its directory")
    }
    let shared = SharedDescriptor(opened)
    parentDirectory = shared
    parentPath = Array(path)
    return shared
  }

  private func open(_ path: [UInt8]) throws(Errno) -> FileDescriptor {
    try openBelow(root.rawValue, path, O_RDONLY | O_DIRECTORY, resolve: [.inRoot, .noMagicLinks, .noCrossMounts])
  }

  /// Walks down from the root and makes what is missing, also where a symbolic link of this layer leads to what only the
  /// layers below have. Nobody else works in the layer, so what was looked at stays what it is.
  private func makeDirectories(_ path: ArraySlice<UInt8>) throws(ImageError) -> FileDescriptor {
    var walk = PathWalk(path)
    while let name = try walk.next() {
      let above = try kernel("open its directory") { () throws(Errno) in try openPlain(walk.place) }
      guard let found = try existing(name, in: above.rawValue) else {
        try makeImplicitDirectory(name, in: above.rawValue)
        try walk.enter(name)
        try noteImplicit(name, in: above.rawValue, as: walk.place)
        continue
      }
      if found.isDirectory {
        try walk.enter(name)
      } else if found.isSymbolicLink {
        try walk.follow(
          try kernel("read a symbolic link") { () throws(Errno) in try readSymbolicLink(name, at: above.rawValue) })
      } else if LayerTree.isWhiteout(found) {
        // A directory that the layer deletes below and fills again, without an entry of its own.
        try replaceWhiteout(name, in: above.rawValue)
        try kernel("set the owner's permissions") { () throws(Errno) in
          try changeMode(of: name, at: above.rawValue, to: 0o755)
        }
        // The layers below have nothing to say about it. Its inode may have been another directory's.
        implicit[try inode(of: name, in: above.rawValue)] = nil
        try walk.enter(name)
      } else {
        throw .invalid("its directory is no directory")
      }
    }
    return try kernel("open its directory") { () throws(Errno) in try openPlain(walk.place) }
  }

  /// A directory by a path that has no links in it.
  private func openPlain(_ path: [UInt8]) throws(Errno) -> FileDescriptor {
    try openBelow(
      root.rawValue, path.isEmpty ? [UInt8(ascii: ".")] : path, O_RDONLY | O_DIRECTORY,
      resolve: [.beneath, .noSymlinks, .noCrossMounts])
  }

  private func inode(of name: some KernelPath, in parent: Int32) throws(ImageError) -> UInt64 {
    try kernel("look at the directory") { () throws(Errno) in try status(of: name, at: parent).inode }
  }

  private func noteImplicit(_ name: [UInt8], in parent: Int32, as path: [UInt8]) throws(ImageError) {
    implicitBytes += path.count
    let most = Budgets().gapBytes
    guard implicitBytes <= most else {
      throw .invalid("directories without an entry, whose names have more than \(most) bytes together")
    }
    implicit[try inode(of: name, in: parent)] = path
  }

  /// Paths of the directories that have no entry of their own, when all entries were seen.
  func implicitDirectories() -> [[UInt8]] {
    var paths: [[UInt8]] = []
    for (inode, path) in implicit {
      // A later entry may have replaced it, and the inode may be something else's now.
      guard let found = try? openPlain(path), (try? status(of: found.rawValue))?.inode == inode else { continue }
      paths.append(path)
    }
    return paths.sorted { $0.lexicographicallyPrecedes($1) }
  }

  private func makeImplicitDirectory(_ name: [UInt8], in parent: Int32) throws(ImageError) {
    do throws(Errno) { try makeDirectory(name, mode: 0o755, at: parent) } catch {
      throw LayerTree.refusal(error, "make its directory")
    }
  }

  /// What stands at a name, `nil` when nothing does.
  func existing(_ name: some KernelPath, in parent: Int32) throws(ImageError) -> FileStatus? {
    do throws(Errno) {
      return try status(of: name, at: parent)
    } catch  where error.code == ENOENT {
      return nil
    } catch {
      throw LayerTree.refusal(error, "look at what is there")
    }
  }

  /// Only our own whiteouts are character devices or sockets: those of an archive are never made.
  static func isWhiteout(_ status: FileStatus) -> Bool { MergedTree.isWhiteout(status) }

  /// Makes sure that the layer has nothing at a name.
  func clearIfPresent(_ name: RawPath, in parent: Int32) throws(ImageError) {
    if try existing(name, in: parent) != nil { try clear(name, in: parent) }
  }

  /// Runs `make`, which creates `name`; when something is there already, that goes first: the last entry of a name wins.
  func create<T: ~Copyable>(
    _ name: RawPath, in parent: Int32, _ doing: @autoclosure () -> String, _ make: () throws(Errno) -> T
  ) throws(ImageError) -> T {
    do throws(Errno) {
      return try make()
    } catch  where error.code == EEXIST {
    } catch {
      throw LayerTree.refusal(error, doing())
    }
    try clear(name, in: parent)
    do throws(Errno) { return try make() } catch { throw LayerTree.refusal(error, doing()) }
  }

  /// Removes what an earlier entry made. The cached parent goes as well: its name may have led through what is removed.
  private func clear(_ name: RawPath, in parent: Int32) throws(ImageError) {
    parentDirectory = nil
    if try displace(name, in: parent) { return }
    do throws(Errno) { try removeTree(name, at: parent) } catch {
      throw LayerTree.refusal(error, "remove what an earlier entry made")
    }
  }

  /// Removes what this layer has at a name in its root.
  func remove(_ name: [UInt8]) throws(ImageError) {
    parentDirectory = nil
    try kernel("remove \(printable(name))") { () throws(Errno) in try removeTree(name, at: root.rawValue) }
  }

  /// Makes a directory, or keeps the one that is there. Returns its inode.
  func makeEntryDirectory(_ name: RawPath, in parent: Int32) throws(ImageError) -> UInt64 {
    do throws(Errno) {
      try makeDirectory(name, mode: 0o700, at: parent)
    } catch  where error.code == EEXIST {
      guard let found = try existing(name, in: parent) else { throw .invalid("it vanished while it was unpacked") }
      if LayerTree.isWhiteout(found) {
        try replaceWhiteout(name, in: parent)
      } else if found.isDirectory {
        try dropAttributes(name, in: parent)
      } else {
        try clear(name, in: parent)
        try kernel("make the directory") { () throws(Errno) in try makeDirectory(name, mode: 0o700, at: parent) }
      }
    } catch {
      throw LayerTree.refusal(error, "make the directory")
    }
    let inode = try inode(of: name, in: parent)
    implicit[inode] = nil
    return inode
  }

  /// Takes from a directory what its earlier entry set, except what it means to overlayfs.
  private func dropAttributes(_ name: RawPath, in parent: Int32) throws(ImageError) {
    try kernel("remove extended attributes") { () throws(Errno) in
      let made = try openBelow(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, resolve: [.beneath, .noSymlinks])
      for attribute in try attributeNames(of: made.rawValue)
      where attribute.starts(with: "user.".utf8) && !attribute.starts(with: "user.overlay.".utf8) {
        try removeAttribute(attribute, of: made.rawValue)
      }
    }
  }

  /// Opens the directory at `path` when it is the one with this inode; `nil` when another entry took its place.
  func reopen(_ path: [UInt8], inode: UInt64) throws(ImageError) -> FileDescriptor? {
    do throws(Errno) {
      let found = try openBelow(
        root.rawValue, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, resolve: [.inRoot, .noMagicLinks, .noCrossMounts])
      if try status(of: found.rawValue).inode == inode { return found }
    } catch  where error.code == ENOENT || error.code == ENOTDIR || error.code == ELOOP {
    } catch {
      throw LayerTree.refusal(error, "open a directory again")
    }
    return reopenDisplaced(path, inode: inode)
  }

  /// Gives the file at `target`, a name in this layer, the name `name`. Links on the way to the target are followed and stay
  /// in the layer; one that is the target itself gets another name. False when the layer has no such file.
  func makeLink(to target: LayerPath, _ name: RawPath, in parent: Int32) throws(ImageError) -> Bool {
    var holder: FileDescriptor?
    if !target.parent.isEmpty {
      do throws(Errno) { holder = try open(Array(target.parent)) } catch  where error.code == ENOENT {
        return false
      } catch {
        throw LayerTree.refusal(error, "open the directory of the hard link's target")
      }
    }
    let directory = holder?.rawValue ?? root.rawValue
    let leaf = Array(target.leafBytes)
    guard let found = try existing(leaf, in: directory), !LayerTree.isWhiteout(found) else {
      return false
    }
    // In place of a directory without an entry the layers below may have a link.
    if found.isDirectory, implicit[found.inode] != nil { return false }
    if found.isDirectory { throw .invalid("a hard link to a directory") }
    // The same file under the same name: removing it first would remove the target.
    if let there = try existing(name, in: parent), there.inode == found.inode { return true }
    try create(name, in: parent, "make the hard link") { () throws(Errno) in
      try makeHardLink(leaf, at: directory, to: name, at: parent)
    }
    return true
  }

  /// What the archive did wrong is its own fault, not the host's; anything else is.
  static func refusal(_ error: Errno, _ doing: String) -> ImageError {
    switch error.code {
    case ENOTDIR: .invalid("\(doing): something on the way is no directory")
    case ELOOP: .invalid("\(doing): symbolic links lead nowhere")
    case ENAMETOOLONG: .invalid("\(doing): the name is too long")
    case EMLINK: .invalid("\(doing): more links than the file system can count")
    case ENOENT: .invalid("\(doing): it is not in the layer")
    case EEXIST, EISDIR, EXDEV: .invalid("\(doing): \(error.explanation)")
    default: ImageError(error, doing: doing)
    }
  }
}
