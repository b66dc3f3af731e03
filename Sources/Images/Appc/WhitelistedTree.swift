import Glibc
import LinuxKernel

/// Makes one tree of several that lie one over the other, of the paths that a whitelist names and of the directories that
/// lead to them.
///
/// Overlayfs cannot leave out what lower layers have without hiding it of everybody's, so such an image gets a layer of its
/// own. It costs no content: files are hard links to those of the layers, which never change.
struct WhitelistedTree {
  /// Lowest first.
  private let trees: [String]
  private let target: String
  /// The names that are kept in each directory.
  private var kept: [[UInt8]: Set<[UInt8]>] = [[]: []]
  /// The lowest tree that is seen in a directory: something else than a directory hides what is below it.
  private var floor: [[UInt8]: Int] = [[]: 0]
  private var times: [(path: [UInt8], time: FileTime)] = []
  private let interruption: Int32?
  /// What was made.
  private(set) var entries: UInt64 = 0
  private(set) var contentBytes: UInt64 = 0

  private static let slash = UInt8(ascii: "/")

  /// As many bytes the names of all directories that lead to the list may have: a list of a few kilobytes can name
  /// a million.
  private static let mostBytes = 8 << 20
  /// So many directories are made between two looks whether to go on.
  private static let stride = 256

  /// `target` is an empty directory of the same file system.
  init(of trees: [String], whitelist: [[UInt8]], into target: String, interruption: Int32? = nil) throws(ImageError) {
    self.trees = trees
    self.target = target
    self.interruption = interruption
    var bytes = 0
    for path in whitelist {
      var parent: [UInt8] = []
      for name in path.pathComponents {
        if kept[parent] == nil { bytes += parent.count }
        guard bytes <= WhitelistedTree.mostBytes else {
          throw .invalid(
            "the directories that lead to its paths have names of more than \(WhitelistedTree.mostBytes) bytes")
        }
        kept[parent, default: []].insert(name)
        parent += (parent.isEmpty ? [] : [WhitelistedTree.slash]) + name
      }
    }
  }

  /// Does it. What the whitelist names and no tree has is left out.
  mutating func make() throws(ImageError) {
    let mask = setCreationMask(0)
    defer { _ = setCreationMask(mask) }
    if let top = trees.last { try take(try open(top, []), as: []) }
    // Whatever is above a directory sorts before it.
    var done = 0
    for path in kept.keys.sorted(by: { $0.lexicographicallyPrecedes($1) }) where floor[path] != nil {
      done += 1
      if done.isMultiple(of: WhitelistedTree.stride) { try WorkerWait.wait([], interruption, milliseconds: 0) }
      do throws(ImageError) { try fill(path) } catch { throw error.at("entry \(printable(path.prefix(512)))") }
    }
    for (path, time) in times.reversed() {
      try kernel("set the times of a directory") { () throws(Errno) in
        let made = try WhitelistedTree.openBelow(target, path)
        try setTimes(of: made.rawValue, to: time)
      }
    }
  }

  private mutating func fill(_ path: [UInt8]) throws(ImageError) {
    guard let names = kept[path], let lowest = floor[path] else { return }
    // From the uppermost down, those that have the directory.
    var holders: [(index: Int, directory: SharedDescriptor)] = []
    for index in (lowest..<trees.count).reversed() {
      if let directory = try open(trees[index], path) { holders.append((index, directory)) }
    }
    defer { withExtendedLifetime(holders) {} }
    let made = try kernel("open a directory") { () throws(Errno) in try WhitelistedTree.openBelow(target, path) }
    for name in names.sorted(by: { $0.lexicographicallyPrecedes($1) }) {
      var isDirectory = false
      for (index, directory) in holders {
        guard let found = try statusIfThere(name, in: directory) else { continue }
        if found.isDirectory {
          let inner = path + (path.isEmpty ? [] : [WhitelistedTree.slash]) + name
          if !isDirectory {
            isDirectory = true
            try kernel("make the directory \(printable(name))") { () throws(Errno) in
              try makeDirectory(name, mode: 0o700, at: made.rawValue)
            }
            try take(try open(trees[index], inner), as: inner)
          }
          floor[inner] = index
          continue
        }
        if !isDirectory {
          try kernel("link \(printable(name))") { () throws(Errno) in
            try makeHardLink(name, at: directory.rawValue, to: name, at: made.rawValue)
          }
          entries += 1
          if found.isRegularFile { contentBytes = contentBytes.addingReportingOverflow(found.size).partialValue }
        }
        break
      }
    }
  }

  /// Gives a directory that was made the owner, mode and attributes of the one whose place it takes.
  private mutating func take(_ directory: SharedDescriptor?, as path: [UInt8]) throws(ImageError) {
    guard let directory else { return }
    defer { withExtendedLifetime(directory) {} }
    entries += 1
    let found = try kernel("copy a directory") { () throws(Errno) in
      let found = try LinuxKernel.status(of: directory.rawValue)
      let made = try WhitelistedTree.openBelow(target, path)
      try changeOwner(of: made.rawValue, uid: found.uid, gid: found.gid)
      try changeMode(of: made.rawValue, to: found.permissions)
      for name in try attributeNames(of: directory.rawValue) where name.starts(with: "user.".utf8) {
        if let value = try attribute(name, of: directory.rawValue) { try setAttribute(name, value, of: made.rawValue) }
      }
      return found
    }
    times.append((path, FileTime(seconds: found.modified, nanoseconds: 0)))
  }

  /// A directory of one of the trees, `nil` where that has none of this name. No link is followed.
  private func open(_ tree: String, _ path: [UInt8]) throws(ImageError) -> SharedDescriptor? {
    do throws(Errno) {
      return SharedDescriptor(try WhitelistedTree.openBelow(tree, path))
    } catch  where [ENOENT, ENOTDIR, ELOOP].contains(error.code) && !path.isEmpty {
      return nil
    } catch {
      throw ImageError(error, doing: "open a directory of \(tree)")
    }
  }

  private static func openBelow(_ tree: String, _ path: [UInt8]) throws(Errno) -> FileDescriptor {
    let root = try openFile(tree, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
    if path.isEmpty { return root }
    return try LinuxKernel.openBelow(
      root.rawValue, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, resolve: [.beneath, .noSymlinks, .noCrossMounts])
  }
}
