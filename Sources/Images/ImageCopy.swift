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
  private let room: SpaceGuard
  private let interruption: Int32?
  private var written: UInt64 = 0
  private var steps = 0
  private var directories: [(path: [UInt8], status: FileStatus, layer: Int)] = []
  /// The first name of files that have several, by their number in their layer.
  private var linked: [FileKey: [UInt8]] = [:]

  private struct FileKey: Hashable {
    let device: UInt64
    let inode: UInt64
  }

  private static let resolve: Resolve = [.beneath, .noSymlinks, .noMagicLinks, .noCrossMounts]
  /// So much is copied, and so many names are seen, between two looks whether to go on.
  private static let piece = 16 << 20
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
    self.interruption = interruption
    func open(_ path: String) throws(ImageError) -> SharedDescriptor {
      try kernel("open \(path)") { () throws(Errno) in
        SharedDescriptor(try openFile(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW))
      }
    }
    target = try open(directory)
    // What a store lets in has bounds; how often it is looked at follows from them.
    let effort = StackEffort(interruption: interruption, most: .max)
    tree = MergedTree(layers: try trees.map { (path) throws(ImageError) in try open(path) }, effort: effort)
    room = SpaceGuard(of: target.rawValue, reserve: Budgets().reservedBytes)
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
    written += UInt64(ImageCopy.stride) * 512
    try check()
  }

  private func check() throws(ImageError) {
    try WorkerWait.wait([], interruption, milliseconds: 0)
    try room.check(written)
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
      if found.isRegularFile {
        try copyFile(name, found, from: holder, to: made)
      } else {
        guard try makeOther(name, found, from: holder, in: made) else { return }
      }
    } catch {
      throw error.at(printable(name))
    }
    files += 1
    if let key { linked[key] = path }
  }

  /// A link or a fifo. There is nothing else in a layer that is to be seen.
  private func makeOther(
    _ name: [UInt8], _ found: FileStatus, from holder: SharedDescriptor, in made: SharedDescriptor
  ) throws(ImageError) -> Bool {
    let isFifo = found.mode & UInt32(S_IFMT) == UInt32(S_IFIFO)
    guard found.isSymbolicLink || isFifo else { return false }
    try kernel("make it") { () throws(Errno) in
      if isFifo {
        try makeNode(name, mode: UInt32(S_IFIFO) | 0o600, major: 0, minor: 0, at: made.rawValue)
      } else {
        try makeSymbolicLink(name, to: try readSymbolicLink(name, at: holder.rawValue), at: made.rawValue)
      }
      try changeOwner(of: name, at: made.rawValue, uid: found.uid, gid: found.gid)
      if isFifo { try changeMode(of: name, at: made.rawValue, to: found.permissions) }
      try setTimes(of: name, at: made.rawValue, to: found.time)
    }
    return true
  }

  private mutating func copyFile(
    _ name: [UInt8], _ found: FileStatus, from holder: SharedDescriptor, to made: SharedDescriptor
  ) throws(ImageError) {
    let (source, copy) = try kernel("open it") { () throws(Errno) in
      let flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY
      return (
        SharedDescriptor(try openBelow(holder.rawValue, name, flags, resolve: ImageCopy.resolve)),
        SharedDescriptor(
          try openFile(name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600, at: made.rawValue))
      )
    }
    if found.size > 0 { try copyContent(from: source.rawValue, to: copy.rawValue, Int64(clamping: found.size)) }
    let copied = try kernel("give it its attributes") { () throws(Errno) in
      // A change of the owner takes capabilities and set-user-id away.
      try changeOwner(of: copy.rawValue, uid: found.uid, gid: found.gid)
      try changeMode(of: copy.rawValue, to: found.permissions)
      try ImageCopy.copyAttributes(from: source.rawValue, to: copy.rawValue)
      try setTimes(of: copy.rawValue, to: found.time)
      return try status(of: copy.rawValue)
    }
    bytes += copied.blocks * 512
  }

  /// Holes stay holes.
  private mutating func copyContent(from source: Int32, to copy: Int32, _ size: Int64) throws(ImageError) {
    try kernel("make it as long") { () throws(Errno) in try setLength(of: copy, to: size) }
    var offset: Int64 = 0
    while offset < size {
      let start = offset
      let data = try kernel("look for its data") { () throws(Errno) in try nextData(of: source, from: start) }
      guard let data, data < size else { return }
      let hole = try kernel("look for its holes") { () throws(Errno) in try nextHole(of: source, from: data) }
      try copyData(from: source, to: copy, data..<min(hole ?? size, size))
      offset = max(hole ?? size, data + 1)
    }
  }

  private mutating func copyData(from source: Int32, to copy: Int32, _ range: Range<Int64>) throws(ImageError) {
    var offset = range.lowerBound
    while offset < range.upperBound {
      let (start, most) = (offset, Int(min(range.upperBound - offset, Int64(ImageCopy.piece))))
      let count = try kernel("copy it") { () throws(Errno) -> Int in
        if let count = try copyOnce(from: source, to: copy, at: start, count: most) { return count }
        return try ImageCopy.copyThrough(from: source, to: copy, at: start, count: most)
      }
      guard count > 0 else { throw .invalid("it has become shorter") }
      offset += Int64(count)
      written += UInt64(count)
      try check()
    }
  }

  private static func copyThrough(from source: Int32, to copy: Int32, at offset: Int64, count: Int) throws(Errno) -> Int
  {
    var buffer = [UInt8](repeating: 0, count: min(count, 256 << 10))
    let result = buffer.withUnsafeMutableBytes { bytes in
      Result { () throws(Errno) in
        let count = try readOnce(source, into: bytes, at: offset)
        try writeAll(UnsafeRawBufferPointer(rebasing: bytes[..<count]), to: copy, at: offset)
        return count
      }
    }
    return try result.get()
  }

  /// Those of users and file capabilities; what a layer says to overlayfs has been done.
  private static func copyAttributes(from source: Int32, to copy: Int32) throws(Errno) {
    for name in try attributeNames(of: source)
    where name.starts(with: "user.".utf8) && !name.starts(with: "user.overlay.".utf8)
      || name.elementsEqual("security.capability".utf8)
    {
      if let value = try attribute(name, of: source) { try setAttribute(name, value, of: copy) }
    }
  }

  /// Gives directories what the uppermost layer that has them says, those below before those above.
  private mutating func settle() throws(ImageError) {
    for (path, found, layer) in directories.reversed() {
      let made = try openMade(path)
      guard let source = try tree.open(path, layer) else { continue }
      let copied = try kernel("set what \(printable(path.prefix(512))) is like") { () throws(Errno) in
        try changeOwner(of: made.rawValue, uid: found.uid, gid: found.gid)
        try changeMode(of: made.rawValue, to: found.permissions)
        try ImageCopy.copyAttributes(from: source.rawValue, to: made.rawValue)
        try setTimes(of: made.rawValue, to: found.time)
        return try status(of: made.rawValue)
      }
      bytes += copied.blocks * 512
    }
  }

  private func openMade(_ path: [UInt8]) throws(ImageError) -> SharedDescriptor {
    if path.isEmpty { return target }
    return try kernel("open a directory of the copy") { () throws(Errno) in
      SharedDescriptor(
        try openBelow(
          target.rawValue, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, resolve: ImageCopy.resolve))
    }
  }
}

extension FileStatus {
  fileprivate var time: FileTime { FileTime(seconds: modified, nanoseconds: modifiedNanoseconds) }
}
