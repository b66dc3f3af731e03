import Glibc
import LinuxKernel

/// Copies the files of an image, its layers one over the other, into a directory: for one container, where overlayfs cannot
/// stack them.
///
/// The layers' trees were made by workers that nobody believes, so nothing in them is followed, and only files and directories
/// are opened. Files share nothing with the store: a task may write to each of them.
package struct ImageCopy {
  /// What was made, on the disk.
  package private(set) var bytes: UInt64 = 0
  /// Inodes, directories included.
  package private(set) var files: UInt64 = 0

  private let tree: MergedTree
  private let target: SharedDescriptor
  private var copier: FileCopier
  private var steps = 0
  private var directories: [(path: [UInt8], status: FileStatus, layer: Int)] = []
  /// The first name of files that have several, by their number in their layer.
  private var linked: [FileKey: [UInt8]] = [:]
  /// How long the paths are that are kept until the end.
  private var heldBytes = 0

  private struct FileKey: Hashable {
    let device: UInt64
    let inode: UInt64
  }

  /// So many names are seen between two looks whether to go on.
  private static let stride = 256

  /// Does it. What fails leaves a part of it in the directory, which must be empty and root's alone.
  ///
  /// - Parameter interruption: a descriptor; it is given up when something can be read from it.
  package init(of image: ImageSummary, into directory: String, interruption: Int32? = nil) throws(ImageError) {
    do throws(ImageError) {
      try self.init(of: image.layers.map(\.path), into: directory, interruption: interruption)
    } catch {
      throw error.during("copy the image \(image.id.short)")
    }
  }

  /// The same of trees, lowest first.
  init(of trees: [String], into directory: String, interruption: Int32? = nil) throws(ImageError) {
    func open(_ path: String) throws(ImageError) -> SharedDescriptor {
      try kernel("open \(path)") { () throws(Errno) in
        SharedDescriptor(try openFile(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW))
      }
    }
    target = try open(directory)
    // What a store lets in has bounds; how often it is looked at follows from them.
    let effort = StackEffort(interruption: interruption, most: .max)
    tree = MergedTree(layers: try trees.map { (path) throws(ImageError) in try open(path) }, effort: effort)
    copier = FileCopier(into: target, interruption: interruption)
    let mask = setCreationMask(0)
    defer { _ = setCreationMask(mask) }
    var waiting = [tree.root]
    while let next = waiting.popLast() {
      do throws(ImageError) { waiting += try fill(next) } catch {
        throw next.path.isEmpty ? error : error.at(printable(next.path.prefix(512)))
      }
    }
    try settle()
  }

  /// Copies what a directory has, but for what is in those below it, which it returns.
  private mutating func fill(_ directory: MergedTree.Directory) throws(ImageError) -> [MergedTree.Directory] {
    let made = try openMade(directory.path)
    var below: [MergedTree.Directory] = []
    var seen: Set<[UInt8]> = []
    for layer in directory.parts {
      guard let holder = try tree.open(directory.path, layer) else { continue }
      defer { withExtendedLifetime(holder) {} }
      let names = try kernel("list a directory") { () throws(Errno) in try entries(of: holder.rawValue).map(\.name) }
      for name in names where seen.insert(name).inserted {
        try count()
        guard let found = try statusIfThere(name, in: holder), !MergedTree.isWhiteout(found) else { continue }
        let path = MergedTree.join(directory.path, name)
        guard found.isDirectory else {
          try copy(name, found, from: holder, to: made, as: path)
          continue
        }
        guard case .directory(let next) = try tree.look(name, in: directory) else { continue }
        try kernel("make a directory") { () throws(Errno) in try makeDirectory(name, mode: 0o700, at: made.rawValue) }
        try hold(path)
        directories.append((path, found, layer))
        files += 1
        below.append(next)
      }
    }
    return below
  }

  private mutating func count() throws(ImageError) {
    steps += 1
    guard steps.isMultiple(of: ImageCopy.stride) else { return }
    // A name takes a block, as a worker that unpacks counts it.
    try copier.count(UInt64(ImageCopy.stride) * 512)
  }

  private mutating func copy(
    _ name: [UInt8], _ found: FileStatus, from holder: SharedDescriptor, to made: SharedDescriptor, as path: [UInt8]
  ) throws(ImageError) {
    let key = found.links > 1 ? FileKey(device: found.device, inode: found.inode) : nil
    if let key, let first = linked[key] {
      let (parent, leaf) = StackSupplement.split(first)
      let directory = try openMade(parent)
      return try kernel("link \(printable(name))") { () throws(Errno) in
        try makeHardLink(leaf, at: directory.rawValue, to: name, at: made.rawValue)
      }
    }
    do throws(ImageError) {
      guard let copied = try copier.copy(name, found, from: holder, to: name, in: made) else { return }
      bytes += copied
    } catch {
      throw error.at(printable(name))
    }
    files += 1
    if let key {
      try hold(path)
      linked[key] = path
    }
  }

  /// A link of the image may make each of a million short names a long path.
  private mutating func hold(_ path: [UInt8]) throws(ImageError) {
    heldBytes += path.count
    let most = Budgets().directoryNameBytes
    guard heldBytes <= most else {
      throw .invalid("directories, and files with several names, whose paths have more than \(most) bytes together")
    }
  }

  /// Gives directories what the uppermost layer that has them says, those below before those above.
  private mutating func settle() throws(ImageError) {
    for (path, found, layer) in directories.reversed() {
      let made = try openMade(path)
      guard let source = try tree.open(path, layer) else { continue }
      let copied = try kernel("set what \(printable(path.prefix(512))) is like") { () throws(Errno) in
        try FileCopier.settle(made.rawValue, like: found, source.rawValue)
      }
      bytes += copied.blocks * 512
    }
  }

  private func openMade(_ path: [UInt8]) throws(ImageError) -> SharedDescriptor {
    if path.isEmpty { return target }
    return try kernel("open a directory of the copy") { () throws(Errno) in
      SharedDescriptor(
        try openBelow(
          target.rawValue, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, resolve: FileCopier.resolve))
    }
  }
}
