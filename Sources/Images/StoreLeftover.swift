import Glibc
import LinuxKernel

/// A directory that an import or a pull works in, or has left when it died or failed.
package struct StoreLeftover: Sendable {
  package enum Kind: String, Sendable {
    case staging
    /// What was fetched, for the next pull to go on with.
    case pull
  }

  package let kind: Kind
  package let path: String
  private let parent: String
  private let name: [UInt8]
  /// When something in it was made or went last, in seconds since 1970.
  package let modified: Int64

  /// Those of imports.
  static func staging(_ paths: StorePaths) throws(ImageError) -> [StoreLeftover] {
    try list(.staging, paths.staging) { path in [path] }
  }

  /// Those of pulls, oldest first.
  static func pulls(_ paths: StorePaths) throws(ImageError) -> [StoreLeftover] {
    // A blob that is begun or complete is news to one of the two below; a pull that died at once has not made them.
    try list(.pull, paths.pulls) { path in [path, path + "/partial", path + "/blobs/sha256"] }
      .sorted { $0.modified < $1.modified }
  }

  private static func list(_ kind: Kind, _ parent: String, _ places: (String) -> [String]) throws(ImageError)
    -> [StoreLeftover]
  {
    let found = try kernel("list \(parent)") { () throws(Errno) -> [DirectoryEntry] in
      do throws(Errno) { return try entries(of: parent) } catch {
        guard error.code == ENOENT else { throw error }
        return []
      }
    }
    return found.map { entry in
      let path = parent + "/" + String(decoding: entry.name, as: UTF8.self)
      let times = places(path).compactMap { try? status(of: $0).modified }
      return StoreLeftover(kind: kind, path: path, parent: parent, name: entry.name, modified: times.max() ?? 0)
    }
  }

  /// Whether somebody works in it now.
  package var isLive: Bool {
    guard let opened = try? openFile(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW) else { return false }
    // Shared, so that those who ask do not see each other; who works in it has it alone.
    return (try? FileLock.take(.shared, on: opened.rawValue, wait: false)) == false
  }

  /// Bytes that its files take on the disk.
  package func diskBytes() throws(ImageError) -> UInt64 {
    try kernel("measure \(path)") { () throws(Errno) in try StoreLeftover.bytes(of: name, in: parent) }
  }

  private static func bytes(of name: [UInt8], in parent: String) throws(Errno) -> UInt64 {
    let root = try openFile(parent, O_RDONLY | O_DIRECTORY)
    var sum: UInt64 = 0
    // A file of several names is there once. Nothing of another file system is entered.
    var counted: Set<UInt64> = []
    // By paths: descriptors of every level would be too many.
    var waiting = WaitingDirectories()
    while let below = waiting.next() {
      let path = below.isEmpty ? name : MergedTree.join(name, below)
      do throws(Errno) {
        var directories: [[UInt8]] = []
        let resolve: Resolve = [.beneath, .noSymlinks, .noCrossMounts]
        let directory = try openBelow(root.rawValue, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, resolve: resolve)
        for entry in try entries(of: directory.rawValue) {
          guard let found = try? status(of: entry.name, at: directory.rawValue) else { continue }
          if found.links < 2 || found.isDirectory || counted.insert(found.inode).inserted { sum += found.blocks * 512 }
          if found.isDirectory { directories.append(entry.name) }
        }
        waiting.enter(directories, of: below)
      } catch  where error.code == ENOENT || error.code == ENOTDIR || error.code == ENAMETOOLONG || error.code == ELOOP
      {
      }
    }
    return sum
  }

  /// Removes it unless somebody works in it.
  ///
  /// - Parameter end: when to stop, the rest being left for the next who comes.
  /// - Returns: whether it is gone.
  package func remove(until end: UInt64 = .max) throws(ImageError) -> Bool {
    do throws(Errno) {
      let opened = try openFile(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
      guard try FileLock.take(.exclusive, on: opened.rawValue, wait: false) else { return false }
      try removeTree(name, atPath: parent, until: end)
      return true
    } catch {
      switch error.code {
      case ENOENT: return true
      case ETIMEDOUT: return false
      case ENOTDIR, ELOOP:
        try kernel("remove \(path)") { () throws(Errno) in try removeTree(name, atPath: parent, until: end) }
        return true
      default: throw ImageError(error, doing: "remove \(path)")
      }
    }
  }
}

/// What dead and failed imports and pulls have left, and how it goes.
extension ImageStore {
  /// How long what a pull has fetched is kept for the next one: a day.
  private static let keptSeconds: Int64 = 86_400
  /// What pulls may leave, all together but the last; and a twentieth of the file system.
  private static let keptBytes: UInt64 = 4 << 30
  /// How many of them.
  private static let keptCount = 64

  /// Everything that imports and pulls work in or have left.
  package func leftovers() throws(ImageError) -> [StoreLeftover] {
    do throws(ImageError) {
      return try StoreLeftover.staging(paths) + StoreLeftover.pulls(paths)
    } catch {
      throw error.during("look for what imports and pulls have left")
    }
  }

  /// What of it nobody may want any more.
  package func surplus() throws(ImageError) -> [StoreLeftover] {
    do throws(ImageError) {
      return try StoreLeftover.staging(paths).filter { !$0.isLive }
        + ImageStore.surplusOfPulls(paths, keeping: nil, until: .max)
    } catch {
      throw error.during("look for what imports and pulls have left")
    }
  }

  /// Removes what nobody may want any more, as much as takes no time. Nobody is to fail by what others have left.
  func sweepQuickly() {
    let end = Clock.now + Staging.patience
    bestEffort("sweep \(paths.staging)") { try Staging.sweep(paths, until: end) }
    bestEffort("sweep \(paths.pulls)") { try ImageStore.sweepPulls(paths, until: end) }
  }

  /// Removes what pulls left that nobody may want any more.
  ///
  /// - Parameter most: how many bytes stay, in place of the usual bound.
  static func sweepPulls(_ paths: StorePaths, keeping most: UInt64? = nil, until end: UInt64) throws(ImageError) {
    for leftover in try surplusOfPulls(paths, keeping: most, until: end) {
      guard Clock.now < end else { return }
      _ = try leftover.remove(until: end)
    }
  }

  /// What pulls left that nobody came back for within a day, then the oldest, until the rest is within bounds; as far as there
  /// is time to look. What a pull works with is its own.
  private static func surplusOfPulls(_ paths: StorePaths, keeping most: UInt64?, until end: UInt64)
    throws(ImageError) -> [StoreLeftover]
  {
    let total = try kernel("look for free space") { () throws(Errno) in
      let root = try openFile(paths.root, O_RDONLY | O_DIRECTORY)
      return try space(of: root.rawValue).total
    }
    let most = most ?? min(keptBytes, total / 20)
    let oldest = Int64(Clock.wall / 1_000_000_000) - keptSeconds
    let leftovers = try StoreLeftover.pulls(paths).filter { !$0.isLive }
    // Looking at many takes longer than there is time for: what is too old, or one too many, goes without a look.
    var rest = leftovers.drop { $0.modified < oldest }.suffix(keptCount)
    var surplus = Array(leftovers[..<rest.startIndex])
    var sum: UInt64 = 0
    // From the youngest, which stays however large it is: most likely somebody tries again.
    var isFirst = most > 0
    while let leftover = rest.popLast(), Clock.now < end {
      sum += try leftover.diskBytes()
      if sum > most && !isFirst { surplus.append(leftover) }
      isFirst = false
    }
    return surplus
  }
}
