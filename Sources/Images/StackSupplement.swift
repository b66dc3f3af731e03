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
  private var pending: [[UInt8]: (facts: Facts, order: UInt64)] = [:]
  /// Which entry of its layer a file is.
  private var orders: [[UInt8]: UInt64] = [:]
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

  /// What a layer's directory is like, with what it means to overlayfs, and the names in it, in order.
  static func contents(_ directory: SharedDescriptor) throws(ImageError) -> (Facts, [[UInt8]]) {
    try kernel("look at a directory") { () throws(Errno) in
      (
        try Facts(of: directory.rawValue, overlay: true),
        try LinuxKernel.entries(of: directory.rawValue).map(\.name).sorted { $0.lexicographicallyPrecedes($1) }
      )
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

  /// Makes a directory like another. One that is made already becomes like it, unless it is like that of a later entry.
  mutating func makeDirectory(_ path: [UInt8], like facts: Facts, order: UInt64 = 0) throws(ImageError) {
    try make(path)
    implicit.remove(path)
    if let made = pending[path], made.order > order { return try mark(path, facts) }
    pending[path] = (facts, order)
  }

  /// Makes a directory and those above it, if they are missing: what they are like is for the layers below to say.
  mutating func makeImplicitDirectory(_ path: [UInt8]) throws(ImageError) {
    guard !made.contains(path) else { return }
    if try make(path) { implicit.insert(path) }
  }

  /// - Returns: whether it is for the layers below to say what it is like.
  @discardableResult
  private mutating func make(_ path: [UInt8]) throws(ImageError) -> Bool {
    guard !made.contains(path) else { return false }
    let (parent, name) = StackSupplement.split(path)
    try makeImplicitDirectory(parent)
    let above = try open(parent)
    let replaced = try statusIfThere(name, in: above)
    do throws(Errno) {
      if replaced != nil { try removeFile(name, at: above.rawValue) }
      try LinuxKernel.makeDirectory(name, mode: 0o755, at: above.rawValue)
    } catch {
      throw LayerTree.refusal(error, "make the directory \(printable(path.prefix(512)))")
    }
    made.insert(path)
    entries += 1
    // A file or a whiteout hides what is below, and so does what comes in its place.
    if replaced != nil { try makeOpaque(path) }
    return replaced == nil
  }

  /// What there is at a path, but for whiteouts.
  func existing(_ path: [UInt8]) throws(ImageError) -> FileStatus? {
    let (parent, name) = StackSupplement.split(path)
    guard made.contains(parent), let found = try statusIfThere(name, in: try open(parent)) else { return nil }
    return MergedTree.isWhiteout(found) ? nil : found
  }

  /// Whether there is a file of an entry that came after another.
  func hasFile(_ path: [UInt8], after order: UInt64) throws(ImageError) -> Bool {
    guard let found = try existing(path) else { return false }
    return !found.isDirectory && orders[path] ?? 0 >= order
  }

  /// Gives a file of another layer a name here; false when there is something already that is not of an earlier entry.
  @discardableResult
  mutating func link(_ name: [UInt8], of holder: SharedDescriptor, to path: [UInt8], order: UInt64 = 0)
    throws(ImageError) -> Bool
  {
    try effort.step()
    let (parent, leaf) = StackSupplement.split(path)
    try makeImplicitDirectory(parent)
    let above = try open(parent)
    defer { withExtendedLifetime((above, holder)) {} }
    if let found = try statusIfThere(leaf, in: above) {
      guard MergedTree.isWhiteout(found) || !found.isDirectory && order > orders[path] ?? 0 else { return false }
      try kernel("replace what an earlier entry made") { () throws(Errno) in
        try removeFile(leaf, at: above.rawValue)
      }
    }
    orders[path] = order
    do throws(Errno) {
      try makeHardLink(name, at: holder.rawValue, to: leaf, at: above.rawValue)
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

  /// Makes a directory of it one that the layers below have nothing to say about.
  mutating func makeAnew(_ path: [UInt8]) throws(ImageError) {
    implicit.remove(path)
    try makeOpaque(path)
  }

  /// Hides what layers below this one have in a directory of it.
  func makeOpaque(_ path: [UInt8]) throws(ImageError) {
    let directory = try open(path)
    try kernel("mark a directory for overlayfs") { () throws(Errno) in
      try setAttribute(MergedTree.opaqueAttribute, [UInt8(ascii: "y")], of: directory.rawValue)
    }
  }

  /// Gives directories what they are like, those below before those above.
  func settle() throws(ImageError) {
    for (path, (facts, _)) in pending.sorted(by: { $1.key.lexicographicallyPrecedes($0.key) }) {
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
    try effort.step(path)
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
