import Glibc
import LinuxKernel

/// Digests every name of a layer's tree: its type, mode, owner, device, size and time, its extended attributes, and what it
/// holds or leads to. Times of directories are left out: they say no more than that something in them is another.
///
/// The tree was made from what others wrote. Nothing of it is followed, only files and directories are opened, and none of
/// another file system.
struct TreeWalk {
  private let interruption: Int32?
  private var buffer = [UInt8](repeating: 0, count: chunkBytes)
  private var count = 0
  /// Of files that have several names: each is read once, and an image may have 65,000 names for one.
  private var known: [UInt64: [UInt8]] = [:]

  private static let chunkBytes = 256 << 10
  private static let blockBytes = 4096
  /// Names of one directory are held at once, to be put in order.
  private static let mostNameBytes = Budgets().directoryNameBytes
  private static let resolve: Resolve = [.beneath, .noSymlinks, .noMagicLinks, .noCrossMounts]

  private init(_ interruption: Int32?) { self.interruption = interruption }

  /// Calls `body` for the root, whose name is empty, and for everything below it: the names of a directory by their bytes,
  /// and what they hold after that.
  static func run(
    _ tree: String, interruption: Int32? = nil, _ body: (TreeDigests.Item) throws(ImageError) -> Void
  ) throws(ImageError) {
    var walk = TreeWalk(interruption)
    let root = try kernel("open \(tree)") { () throws(Errno) in
      SharedDescriptor(try openFile(tree, O_RDONLY | O_DIRECTORY | O_NOFOLLOW))
    }
    let found = try kernel("look at \(tree)") { () throws(Errno) in try status(of: root.rawValue) }
    try body(TreeDigests.Item(path: [], digest: try walk.digest(of: root.rawValue, found)))
    var waiting = WaitingDirectories()
    while let path = waiting.next() { waiting.enter(try walk.read(path, below: root, body), of: path) }
  }

  /// - Returns: the names of the directories in it.
  private mutating func read(
    _ path: [UInt8], below root: SharedDescriptor, _ body: (TreeDigests.Item) throws(ImageError) -> Void
  ) throws(ImageError) -> [[UInt8]] {
    let place = { "read \(printable(path.prefix(512)))" }
    let directory = try kernel(place()) { () throws(Errno) in
      SharedDescriptor(
        try openBelow(
          root.rawValue, path.isEmpty ? [UInt8(ascii: ".")] : path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW,
          resolve: TreeWalk.resolve))
    }
    var names = try kernel(place()) { () throws(Errno) in try entries(of: directory.rawValue).map(\.name) }
    let bytes = names.reduce(0) { $0 + $1.count }
    guard bytes <= TreeWalk.mostNameBytes else {
      throw .invalid(
        "the directory \(printable(path.prefix(512))) has names of more than \(TreeWalk.mostNameBytes) bytes together")
    }
    names.sort { $0.lexicographicallyPrecedes($1) }
    var directories: [[UInt8]] = []
    for name in names {
      count += 1
      if count.isMultiple(of: 256) { try WorkerWait.wait([], interruption, milliseconds: 0) }
      let full = MergedTree.join(path, name)
      var opened: (FileStatus, SharedDescriptor)?
      var digest: [UInt8] = []
      do throws(Errno) {
        let found = try status(of: name, at: directory.rawValue)
        if found.isRegularFile || found.isDirectory {
          // What it is cannot change in between: nobody but root gets here. A mount is another file system's.
          let flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY
          opened = (found, SharedDescriptor(try openBelow(directory.rawValue, name, flags, resolve: TreeWalk.resolve)))
        } else {
          let target = found.isSymbolicLink ? try readSymbolicLink(name, at: directory.rawValue) : []
          digest = TreeWalk.digest(TreeWalk.header(found) + target)
        }
      } catch {
        throw ImageError(error, doing: "read \(printable(full.prefix(512)))")
      }
      if let (found, file) = opened {
        do throws(ImageError) { digest = try self.digest(of: file.rawValue, found) } catch {
          throw error.at("entry \(printable(full.prefix(512)))")
        }
        if found.isDirectory { directories.append(name) }
      }
      try body(TreeDigests.Item(path: full, digest: digest))
    }
    return directories
  }

  private static func header(_ found: FileStatus) -> [UInt8] {
    let size = found.isDirectory ? 0 : found.size
    let time = found.isDirectory ? 0 : UInt64(bitPattern: found.modified)
    return words([UInt64(found.mode), UInt64(found.uid), UInt64(found.gid), found.deviceType, size, time])
  }

  private static func words(_ numbers: [UInt64]) -> [UInt8] { numbers.withUnsafeBytes { Array($0) } }

  private static func digest(_ bytes: [UInt8]) -> [UInt8] {
    Array(SHA256.digest(of: bytes).rawBytes.prefix(TreeDigests.digestBytes))
  }

  private mutating func digest(of file: Int32, _ found: FileStatus) throws(ImageError) -> [UInt8] {
    var head = TreeWalk.header(found)
    try kernel("read its extended attributes") { () throws(Errno) in
      var names = try attributeNames(of: file).filter(TreeWalk.isOurs)
      names.sort { $0.lexicographicallyPrecedes($1) }
      for name in names {
        let value = try attribute(name, of: file) ?? []
        head += TreeWalk.words([UInt64(name.count), UInt64(value.count)]) + name + value
      }
    }
    guard found.isRegularFile, found.size > 0 else { return TreeWalk.digest(head) }
    // One file system: nothing of another is entered.
    if found.links > 1, let digest = known[found.inode] { return digest }
    var hash = SHA256()
    head.withUnsafeBytes { hash.update($0) }
    try update(&hash, with: file, found.size)
    let digest = Array(hash.finish().rawBytes.prefix(TreeDigests.digestBytes))
    if found.links > 1 { known[found.inode] = digest }
    return digest
  }

  /// Labels of the host's own and measurements of its kernel are no part of an image.
  private static func isOurs(_ name: [UInt8]) -> Bool {
    !name.starts(with: "security.".utf8) || name.elementsEqual("security.capability".utf8)
  }

  /// Blocks without a set bit are passed over, and so are holes, whichever of the two they are: a sparse file is larger than
  /// anybody can wait for.
  private mutating func update(_ hash: inout SHA256, with file: Int32, _ size: UInt64) throws(ImageError) {
    var offset: Int64 = 0
    var chunks = 0
    while offset < Int64(clamping: size) {
      chunks += 1
      if chunks.isMultiple(of: 256) { try WorkerWait.wait([], interruption, milliseconds: 0) }
      let start = offset
      guard let data = try kernel("look for its data", { () throws(Errno) in try nextData(of: file, from: start) })
      else {
        return
      }
      offset = data - data % Int64(TreeWalk.chunkBytes)
      let count = try read(file, at: offset)
      if count == 0 { return }
      buffer.withUnsafeBytes { bytes in
        var start = 0
        while start < count {
          var end = start
          while end < count, !TreeWalk.isZero(bytes, end, count) { end += TreeWalk.blockBytes }
          end = min(end, count)
          if end > start {
            TreeWalk.words([UInt64(offset) + UInt64(start), UInt64(end - start)]).withUnsafeBytes { hash.update($0) }
            hash.update(UnsafeRawBufferPointer(rebasing: bytes[start..<end]))
          }
          start = end
          while start < count, TreeWalk.isZero(bytes, start, count) { start += TreeWalk.blockBytes }
        }
      }
      offset += Int64(TreeWalk.chunkBytes)
    }
  }

  private static func isZero(_ bytes: UnsafeRawBufferPointer, _ start: Int, _ count: Int) -> Bool {
    if bytes[start] != 0 { return false }
    return bytes[start..<min(start + blockBytes, count)].allSatisfy { $0 == 0 }
  }

  /// Fills the buffer as far as there is something, so that pieces are the same however a file is read.
  private mutating func read(_ file: Int32, at offset: Int64) throws(ImageError) -> Int {
    var filled = 0
    while filled < TreeWalk.chunkBytes {
      let start = filled
      let result = buffer.withUnsafeMutableBytes { bytes -> Result<Int, Errno> in
        Result { () throws(Errno) in
          try readOnce(file, into: UnsafeMutableRawBufferPointer(rebasing: bytes[start...]), at: offset + Int64(start))
        }
      }
      let count = try kernel("read it") { () throws(Errno) in try result.get() }
      if count == 0 { break }
      filled += count
    }
    return filled
  }
}
