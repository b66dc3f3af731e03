import Glibc
import LinuxKernel

/// What a layer puts into a directory without an entry of its own, and then has something else in that place. Where the layers
/// below have a link there it went where that leads, and stays; else it goes.
extension LayerTree {
  /// In the layer's root, until the worker has ended: no entry can have a name that begins like this, but for directories that
  /// are made for want of an entry, which are nobody's loss.
  static let displacedName = Array(".wh..aurora.displaced".utf8)

  /// As many are more than anybody needs.
  private static let most = 1024

  private func place(_ number: Int) -> [UInt8] {
    LayerTree.displacedName + [UInt8(ascii: "/")] + Array(String(number).utf8)
  }

  /// Puts it aside, when it is such a directory. False for anything else, which is to be removed.
  func displace(_ name: RawPath, in parent: Int32) throws(ImageError) -> Bool {
    guard let found = try existing(name, in: parent), found.isDirectory, let path = implicit[found.inode] else {
      return false
    }
    guard displaced.count < LayerTree.most else {
      throw .invalid("more than \(LayerTree.most) directories that something else replaces")
    }
    let within = path + [UInt8(ascii: "/")]
    let own = implicit.filter { $0.value == path || $0.value.starts(with: within) }
    do throws(Errno) {
      var way: [UInt8] = []
      // With the directories that led to it, so that it is found by its path.
      let (above, leaf) = StackSupplement.split(path)
      for component in place(displaced.count).pathComponents + above.pathComponents {
        way = MergedTree.join(way, component)
        do throws(Errno) { try makeDirectory(way, mode: 0o755, at: root.rawValue) } catch  where error.code == EEXIST {}
      }
      let target = try openBelow(
        root.rawValue, way, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, resolve: [.beneath, .noSymlinks, .noCrossMounts])
      try rename(name, to: leaf, at: parent, toDirectory: target.rawValue)
    } catch {
      throw LayerTree.refusal(error, "put a directory aside")
    }
    for inode in own.keys { implicit[inode] = nil }
    displaced.append(
      LayerGaps.Displaced(directories: own.values.sorted { $0.lexicographicallyPrecedes($1) }, links: linkCount))
    return true
  }

  /// A directory with an entry of its own in what was put aside.
  func reopenDisplaced(_ path: [UInt8], inode: UInt64) -> FileDescriptor? {
    for number in displaced.indices {
      guard
        let found = try? openBelow(
          root.rawValue, MergedTree.join(place(number), path), O_RDONLY | O_DIRECTORY | O_NOFOLLOW,
          resolve: [.beneath, .noSymlinks, .noCrossMounts])
      else { continue }
      if (try? status(of: found.rawValue))?.inode == inode { return found }
    }
    return nil
  }
}

/// The executor's part, when the worker has ended.
enum DisplacedTrees {
  /// Puts them beside the tree of the layer that is in `directory`.
  static func take(_ gaps: LayerGaps, of directory: String) throws(ImageError) {
    guard !gaps.displaced.isEmpty else { return }
    try kernel("put aside what a layer replaces") { () throws(Errno) in
      let layer = try openFile(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
      let tree = try openFile(StorePaths.treeName, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, at: layer.rawValue)
      try rename(LayerTree.displacedName, to: StorePaths.displacedName, at: tree.rawValue, toDirectory: layer.rawValue)
    }
  }

  /// One of them, as a tree of its own. A worker that nobody believes has made it: no link is followed to it.
  static func open(_ number: Int, besideTree tree: String) throws(ImageError) -> SharedDescriptor {
    let (directory, _) = StackSupplement.split(Array(tree.utf8))
    return try kernel("open what a layer replaces") { () throws(Errno) in
      let layer = try openFile(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
      return SharedDescriptor(
        try openBelow(
          layer.rawValue, StorePaths.displacedName + "/" + String(number), O_RDONLY | O_DIRECTORY | O_NOFOLLOW,
          resolve: [.beneath, .noSymlinks, .noCrossMounts]))
    }
  }
}
