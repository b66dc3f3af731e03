import Glibc
import LinuxKernel

/// Copies files of layers, with everything that a layer keeps of a file, and leaves the room that is not to be taken.
struct FileCopier {
  private let room: SpaceGuard
  private let interruption: Int32?
  private var written: UInt64 = 0

  static let resolve: Resolve = [.beneath, .noSymlinks, .noMagicLinks, .noCrossMounts]
  /// So much is copied between two looks whether to go on.
  private static let piece = 16 << 20

  /// - Parameters:
  ///   - target: what it is copied into, for a look at its file system.
  ///   - interruption: a descriptor; it is given up when something can be read from it.
  init(into target: SharedDescriptor, interruption: Int32?) {
    room = SpaceGuard(of: target.rawValue, reserve: Budgets().reservedBytes)
    self.interruption = interruption
  }

  /// Counts what is written, and looks whether to go on.
  mutating func count(_ bytes: UInt64) throws(ImageError) {
    written += bytes
    try WorkerWait.wait([], interruption, milliseconds: 0)
    try room.check(written)
  }

  /// Copies a file, a link or a fifo that a directory has, under a name that another does not have.
  ///
  /// - Returns: the bytes that the copy takes on the disk; `nil` for what is nothing that a layer shows.
  mutating func copy(
    _ name: [UInt8], _ found: FileStatus, from holder: SharedDescriptor, to leaf: [UInt8], in made: SharedDescriptor
  ) throws(ImageError) -> UInt64? {
    if found.isRegularFile { return try copyFile(name, found, from: holder, to: leaf, in: made) }
    return try makeOther(name, found, from: holder, as: leaf, in: made) ? 0 : nil
  }

  /// A link or a fifo. There is nothing else in a layer that is to be seen.
  private func makeOther(
    _ name: [UInt8], _ found: FileStatus, from holder: SharedDescriptor, as leaf: [UInt8], in made: SharedDescriptor
  ) throws(ImageError) -> Bool {
    let isFifo = found.mode & UInt32(S_IFMT) == UInt32(S_IFIFO)
    guard found.isSymbolicLink || isFifo else { return false }
    try kernel("make it") { () throws(Errno) in
      if isFifo {
        try makeNode(leaf, mode: UInt32(S_IFIFO) | 0o600, major: 0, minor: 0, at: made.rawValue)
      } else {
        try makeSymbolicLink(leaf, to: try readSymbolicLink(name, at: holder.rawValue), at: made.rawValue)
      }
      try changeOwner(of: leaf, at: made.rawValue, uid: found.uid, gid: found.gid)
      if isFifo { try changeMode(of: leaf, at: made.rawValue, to: found.permissions) }
      try setTimes(of: leaf, at: made.rawValue, to: found.time)
    }
    return true
  }

  private mutating func copyFile(
    _ name: [UInt8], _ found: FileStatus, from holder: SharedDescriptor, to leaf: [UInt8], in made: SharedDescriptor
  ) throws(ImageError) -> UInt64 {
    let (source, copy) = try kernel("open it") { () throws(Errno) in
      let flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY
      return (
        SharedDescriptor(try openBelow(holder.rawValue, name, flags, resolve: FileCopier.resolve)),
        SharedDescriptor(
          try openFile(leaf, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600, at: made.rawValue))
      )
    }
    if found.size > 0 { try copyContent(from: source.rawValue, to: copy.rawValue, Int64(clamping: found.size)) }
    let copied = try kernel("give it its attributes") { () throws(Errno) in
      try FileCopier.settle(copy.rawValue, like: found, source.rawValue)
    }
    return copied.blocks * 512
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
      let (start, most) = (offset, Int(min(range.upperBound - offset, Int64(FileCopier.piece))))
      let count = try kernel("copy it") { () throws(Errno) -> Int in
        if let count = try copyOnce(from: source, to: copy, at: start, count: most) { return count }
        return try FileCopier.copyThrough(from: source, to: copy, at: start, count: most)
      }
      guard count > 0 else { throw .invalid("it has become shorter") }
      offset += Int64(count)
      try self.count(UInt64(count))
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

  /// Makes an open file or directory like the one that it is a copy of; how it is then.
  static func settle(_ copy: Int32, like found: FileStatus, _ source: Int32) throws(Errno) -> FileStatus {
    // A change of the owner takes capabilities and set-user-id away.
    try changeOwner(of: copy, uid: found.uid, gid: found.gid)
    try changeMode(of: copy, to: found.permissions)
    try copyAttributes(from: source, to: copy)
    try setTimes(of: copy, to: found.time)
    return try status(of: copy)
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
}

extension FileStatus {
  var time: FileTime { FileTime(seconds: modified, nanoseconds: modifiedNanoseconds) }
}
