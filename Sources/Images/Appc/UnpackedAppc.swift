import Glibc
import LinuxKernel

/// Writes an AppC image that lies unpacked in a directory, as Mesos' store keeps them, as a tar: from there on it is read as
/// any ACI is, by the confined workers.
///
/// No path is looked up that leads through a link, and nothing is opened but directories and regular files.
struct UnpackedAppc {
  private let root: SharedDescriptor
  private let output: SharedDescriptor
  private var position: Int64 = 0
  /// The first name of files that have several, as long as there are names of theirs to come.
  private var links: [UInt64: (path: [UInt8], left: UInt64)] = [:]
  /// Bytes of the names that are kept, these and those of directories to come.
  private var keptBytes = 0
  private var entries: UInt64 = 0
  private var bytes: UInt64 = 0
  private let budgets = Budgets()
  private let interruption: Int32?
  private let space: SpaceGuard
  /// Where it is looked next whether to go on.
  private var looksAt: Int64 = 0

  private static let stride: Int64 = 32 << 20

  /// `directory` holds `manifest` and `rootfs`; `output` is an empty file.
  init(_ directory: SharedDescriptor, to output: SharedDescriptor, interruption: Int32?) {
    root = directory
    self.output = output
    self.interruption = interruption
    space = SpaceGuard(of: output.rawValue, reserve: budgets.reservedBytes)
  }

  /// Whether a directory looks like one.
  static func isOne(_ directory: SharedDescriptor) -> Bool {
    guard (try? status(of: "oci-layout", at: directory.rawValue)) == nil else { return false }
    let kinds = ["manifest", "rootfs"].map { try? status(of: $0, at: directory.rawValue) }
    return kinds[0]?.isRegularFile == true && kinds[1]?.isDirectory == true
  }

  /// Does it. What is neither a file, a directory, a link nor a fifo is left out.
  mutating func run() throws(ImageError) {
    for name in ["manifest", "rootfs"] { try add(Array(name.utf8)) }
    var waiting: [[UInt8]] = [Array("rootfs".utf8)]
    keptBytes = waiting[0].count
    while let path = waiting.popLast() {
      keptBytes -= path.count
      let listed = try kernel("list \(printable(path.prefix(512)))") { () throws(Errno) in
        let directory = try open(path, O_RDONLY | O_DIRECTORY)
        defer { withExtendedLifetime(directory) {} }
        return try LinuxKernel.entries(of: directory.rawValue)
      }
      for entry in listed.sorted(by: { $0.name.lexicographicallyPrecedes($1.name) }) {
        let inner = path + [UInt8(ascii: "/")] + entry.name
        if try add(inner) {
          waiting.append(inner)
          try keep(inner)
        }
      }
    }
    try put([UInt8](repeating: 0, count: 1024))
  }

  private func open(_ path: [UInt8], _ flags: Int32) throws(Errno) -> SharedDescriptor {
    SharedDescriptor(
      try openBelow(
        root.rawValue, path, flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY,
        resolve: [.beneath, .noSymlinks, .noCrossMounts]))
  }

  /// Adds one entry; true when it is a directory.
  @discardableResult private mutating func add(_ path: [UInt8]) throws(ImageError) -> Bool {
    entries += 1
    guard entries <= budgets.entries else { throw .invalid("more than \(budgets.entries) entries") }
    do throws(ImageError) {
      // The name itself, whatever it is; what it is then must be that still.
      let parent = Array(path[..<(path.lastIndex(of: UInt8(ascii: "/")) ?? 0)])
      let leaf = Array(path[(parent.isEmpty ? 0 : parent.count + 1)...])
      let directory = try kernel("open its directory") { () throws(Errno) in
        parent.isEmpty ? root : try open(parent, O_RDONLY | O_DIRECTORY)
      }
      defer { withExtendedLifetime(directory) {} }
      let found = try kernel("look at it") { () throws(Errno) in try status(of: leaf, at: directory.rawValue) }
      switch found.mode & UInt32(S_IFMT) {
      case UInt32(S_IFDIR):
        let file = try kernel("open it") { () throws(Errno) in try open(path, O_RDONLY | O_DIRECTORY) }
        try header(path, "5", found, attributes: try attributes(of: file))
        return true
      case UInt32(S_IFREG):
        if found.links > 1 {
          if let first = links[found.inode] {
            if first.left > 1 {
              links[found.inode]?.left -= 1
            } else {
              links[found.inode] = nil
              keptBytes -= first.path.count
            }
            try header(path, "1", found, link: first.path)
            return false
          }
          links[found.inode] = (path, UInt64(found.links) - 1)
          try keep(path)
        }
        try addFile(path)
      case UInt32(S_IFLNK):
        let target = try kernel("read the link") { () throws(Errno) in
          try readSymbolicLink(leaf, at: directory.rawValue)
        }
        try header(path, "2", found, link: target)
      case UInt32(S_IFIFO): try header(path, "6", found)
      default: break
      }
      return false
    } catch {
      throw error.at("entry \(printable(path.prefix(512)))")
    }
  }

  private mutating func keep(_ path: [UInt8]) throws(ImageError) {
    keptBytes += path.count
    guard keptBytes <= budgets.directoryNameBytes else {
      throw .invalid("names of directories and of hard links of more than \(budgets.directoryNameBytes) bytes")
    }
  }

  private mutating func addFile(_ path: [UInt8]) throws(ImageError) {
    let file = try kernel("open it") { () throws(Errno) in try open(path, O_RDONLY) }
    defer { withExtendedLifetime(file) {} }
    let found = try kernel("look at it") { () throws(Errno) in try status(of: file.rawValue) }
    guard found.isRegularFile else { throw .invalid("it is no regular file any more") }
    bytes = bytes.addingReportingOverflow(found.size).partialValue
    guard bytes <= budgets.unpackedBytes else {
      throw .invalid("files of more than \(budgets.unpackedBytes) bytes together")
    }
    try header(path, "0", found, size: found.size, attributes: try attributes(of: file))
    var offset: UInt64 = 0
    while offset < found.size {
      let piece = try kernel("read it") { () throws(Errno) in
        try file.descriptor.read(upTo: Int(min(found.size - offset, 1 << 20)), at: Int64(offset))
      }
      guard !piece.isEmpty else { throw .invalid("it ends after \(offset) of \(found.size) bytes") }
      try put(piece)
      offset += UInt64(piece.count)
    }
    try put([UInt8](repeating: 0, count: Int((512 - found.size % 512) % 512)))
  }

  private func attributes(of file: SharedDescriptor) throws(ImageError) -> [(name: [UInt8], value: [UInt8])] {
    defer { withExtendedLifetime(file) {} }
    return try kernel("read its attributes") { () throws(Errno) in
      var result: [(name: [UInt8], value: [UInt8])] = []
      for name in try attributeNames(of: file.rawValue)
      where name.starts(with: "user.".utf8) || name.elementsEqual("security.capability".utf8) {
        if let value = try attribute(name, of: file.rawValue) { result.append((name, value)) }
      }
      return result
    }
  }

  /// A header, behind an extended one that has all that is longer than its fields are.
  private mutating func header(
    _ path: [UInt8], _ type: Character, _ found: FileStatus, size: UInt64 = 0, link: [UInt8] = [],
    attributes: [(name: [UInt8], value: [UInt8])] = []
  ) throws(ImageError) {
    var records: [UInt8] = []
    func add(_ key: [UInt8], _ value: [UInt8]) {
      let body = [UInt8(ascii: " ")] + key + [UInt8(ascii: "=")] + value + [0x0a]
      var length = body.count
      while String(length).utf8.count + body.count != length { length = String(length).utf8.count + body.count }
      records += Array(String(length).utf8) + body
    }
    func add(_ key: String, _ value: some BinaryInteger) { add(Array(key.utf8), Array(String(value).utf8)) }
    add(Array("path".utf8), path)
    if !link.isEmpty { add(Array("linkpath".utf8), link) }
    add("uid", found.uid)
    add("gid", found.gid)
    add("mtime", found.modified)
    if type == "0" { add("size", size) }
    for (name, value) in attributes { add(Array("SCHILY.xattr.".utf8) + name, value) }
    try put(UnpackedAppc.block("x", size: UInt64(records.count), mode: 0))
    try put(records + [UInt8](repeating: 0, count: (512 - records.count % 512) % 512))
    try put(UnpackedAppc.block(type, size: min(size, 0o77777777777), mode: found.permissions))
  }

  private static func block(_ type: Character, size: UInt64, mode: UInt32) -> [UInt8] {
    var block = [UInt8](repeating: 0, count: 512)
    func octal(_ offset: Int, _ digits: Int, _ value: UInt64) {
      var value = value
      for index in (0..<digits).reversed() {
        block[offset + index] = UInt8(ascii: "0") + UInt8(value & 7)
        value >>= 3
      }
    }
    block.replaceSubrange(0..<4, with: "name".utf8)
    octal(100, 7, UInt64(mode))
    octal(108, 7, 0)
    octal(116, 7, 0)
    octal(124, 11, size)
    octal(136, 11, 0)
    block[156] = type.asciiValue ?? 0
    block.replaceSubrange(257..<265, with: Array("ustar\0".utf8) + Array("00".utf8))
    block.replaceSubrange(148..<156, with: [UInt8](repeating: 0x20, count: 8))
    octal(148, 6, block.reduce(0) { $0 + UInt64($1) })
    block[154] = 0
    return block
  }

  private mutating func put(_ piece: [UInt8]) throws(ImageError) {
    if position >= looksAt {
      looksAt = position + UnpackedAppc.stride
      try WorkerWait.wait([], interruption, milliseconds: 0)
      try space.check(UInt64(position))
    }
    let offset = position
    try kernel("write the archive") { () throws(Errno) in try output.descriptor.writeAll(piece, at: offset) }
    position += Int64(piece.count)
  }
}
