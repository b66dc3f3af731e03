import Glibc
import LinuxKernel

/// A layer that is made here, of directories and of further names for files of other layers, which never change.
///
/// Directories become like others at the end, when nothing more is made in them. The creation mask is 0 meanwhile.
struct StackSupplement {
  /// The new layer's tree.
  let tree: String
  let root: SharedDescriptor
  private let effort: StackEffort
  private var copier: FileCopier
  /// Where the last copy is of a file that could have no further name: all layers are on one file system.
  private var copies: [UInt64: [UInt8]] = [:]
  private var made: Set<[UInt8]> = [[]]
  private var pending: [(path: [UInt8], facts: Facts)] = []
  private(set) var entries: UInt64 = 0
  /// Files of it that came behind so many hard links of their layer, by their paths here.
  var later: [[UInt8]: UInt64] = [:]
  /// Directories of it that say nothing about themselves.
  private(set) var implicit: Set<[UInt8]> = []

  /// What a directory is like.
  struct Facts {
    let status: FileStatus
    let attributes: [(name: [UInt8], value: [UInt8])]

    /// Those of an open directory. `overlay` takes along what it means to overlayfs.
    init(of directory: Int32, overlay: Bool) throws(Errno) {
      status = try LinuxKernel.status(of: directory)
      var attributes: [(name: [UInt8], value: [UInt8])] = []
      for name in try attributeNames(of: directory)
      where name.starts(with: "user.".utf8) && (overlay || !name.starts(with: "user.overlay.".utf8)) {
        if let value = try attribute(name, of: directory) { attributes.append((name, value)) }
      }
      self.attributes = attributes
    }
  }

  /// Makes the layer's tree in `directory`, which is empty.
  init(in directory: String, _ effort: StackEffort) throws(ImageError) {
    self.effort = effort
    let tree = directory + "/" + StorePaths.treeName
    self.tree = tree
    let root = try kernel("make \(tree)") { () throws(Errno) in
      try LinuxKernel.makeDirectory(tree, mode: 0o755)
      return SharedDescriptor(try openFile(tree, O_RDONLY | O_DIRECTORY | O_NOFOLLOW))
    }
    self.root = root
    copier = FileCopier(into: root, interruption: effort.interruption)
  }

  /// Makes a directory like another. One that is made already becomes like it.
  mutating func makeDirectory(_ path: [UInt8], like facts: Facts) throws(ImageError) {
    try make(path)
    implicit.remove(path)
    pending.append((path, facts))
  }

  /// Makes a directory and those above it, if they are missing: what they are like is for the layers below to say.
  mutating func makeImplicitDirectory(_ path: [UInt8]) throws(ImageError) {
    guard !made.contains(path) else { return }
    try make(path)
    implicit.insert(path)
  }

  private mutating func make(_ path: [UInt8]) throws(ImageError) {
    guard !made.contains(path) else { return }
    let (parent, name) = StackSupplement.split(path)
    try makeImplicitDirectory(parent)
    let above = try open(parent)
    do throws(Errno) { try LinuxKernel.makeDirectory(name, mode: 0o755, at: above.rawValue) } catch {
      throw LayerTree.refusal(error, "make the directory \(printable(path.prefix(512)))")
    }
    made.insert(path)
    entries += 1
  }

  /// Gives a file of another layer a name here; false when there is something already.
  @discardableResult
  mutating func link(_ name: [UInt8], of holder: SharedDescriptor, to path: [UInt8]) throws(ImageError) -> Bool {
    try effort.step()
    let (parent, leaf) = StackSupplement.split(path)
    try makeImplicitDirectory(parent)
    let above = try open(parent)
    defer { withExtendedLifetime((above, holder)) {} }
    do throws(Errno) {
      try makeHardLink(name, at: holder.rawValue, to: leaf, at: above.rawValue)
    } catch  where error.code == EEXIST {
      return false
    } catch  where error.code == EMLINK {
      // It has as many names as there can be; other images have given it some of them.
      guard let found = try statusIfThere(name, in: holder) else { throw .invalid("a file of a layer is gone") }
      if try !linkCopy(of: found, to: leaf, in: above) {
        _ = try copier.copy(name, found, from: holder, to: leaf, in: above)
        copies[found.inode] = path
      }
    } catch {
      throw LayerTree.refusal(error, "link \(printable(path.prefix(512)))")
    }
    entries += 1
    return true
  }

  /// Gives the copy of a file that was made before a further name; false when there is none, or it is full too.
  private func linkCopy(of found: FileStatus, to leaf: [UInt8], in above: SharedDescriptor) throws(ImageError) -> Bool {
    guard let path = copies[found.inode] else { return false }
    let (parent, name) = StackSupplement.split(path)
    let holder = try open(parent)
    defer { withExtendedLifetime((above, holder)) {} }
    do throws(Errno) {
      try makeHardLink(name, at: holder.rawValue, to: leaf, at: above.rawValue)
      return true
    } catch  where error.code == EMLINK {
      return false
    } catch {
      throw LayerTree.refusal(error, "link the copy \(printable(path.prefix(512)))")
    }
  }

  /// Takes marks of overlayfs over, which a directory has for what is in it.
  func mark(_ path: [UInt8], _ facts: Facts) throws(ImageError) {
    let directory = try open(path)
    try kernel("mark a directory for overlayfs") { () throws(Errno) in
      for (name, value) in facts.attributes where name.starts(with: "user.overlay.".utf8) {
        try setAttribute(name, value, of: directory.rawValue)
      }
    }
  }

  /// Gives directories what they are like, those below before those above.
  func settle() throws(ImageError) {
    for (path, facts) in pending.reversed() {
      let directory = try open(path)
      try kernel("set what a directory is like") { () throws(Errno) in
        try changeOwner(of: directory.rawValue, uid: facts.status.uid, gid: facts.status.gid)
        try changeMode(of: directory.rawValue, to: facts.status.permissions)
        for (name, value) in facts.attributes { try setAttribute(name, value, of: directory.rawValue) }
        try setTimes(
          of: directory.rawValue,
          to: FileTime(seconds: facts.status.modified, nanoseconds: facts.status.modifiedNanoseconds))
      }
    }
  }

  private func open(_ path: [UInt8]) throws(ImageError) -> SharedDescriptor {
    if path.isEmpty { return root }
    try effort.step()
    do throws(Errno) {
      return SharedDescriptor(
        try openBelow(
          root.rawValue, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, resolve: [.beneath, .noSymlinks, .noCrossMounts]))
    } catch {
      throw LayerTree.refusal(error, "open the directory \(printable(path.prefix(512)))")
    }
  }

  /// What is above the last name of a path, and that name.
  static func split(_ path: [UInt8]) -> (parent: [UInt8], name: [UInt8]) {
    guard let slash = path.lastIndex(of: UInt8(ascii: "/")) else { return ([], path) }
    return (Array(path[..<slash]), Array(path[(slash + 1)...]))
  }
}
