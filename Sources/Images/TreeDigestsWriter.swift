import Glibc
import LinuxKernel

/// Writes `TreeDigests`, name by name, into a file that gets its name at the end.
final class TreeDigestsWriter {
  private let path: String
  private let temporary: String
  private let file: SharedDescriptor
  private let space: SpaceGuard
  private var buffer: [UInt8]
  private var hash: SHA256? = SHA256()
  private var last: [UInt8] = []
  private var written: UInt64 = 0
  private(set) var count = 0
  private var hasName = false

  private static let pieceBytes = 64 << 10

  init(_ path: String) throws(ImageError) {
    self.path = path
    let temporary = path + ".new"
    self.temporary = temporary
    buffer = TreeDigests.magic
    file = try kernel("make \(temporary)") { () throws(Errno) in
      SharedDescriptor(try openFile(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, mode: 0o600))
    }
    space = SpaceGuard(of: file.rawValue, reserve: Budgets().reservedBytes)
  }

  /// One that is given up leaves nothing.
  deinit {
    guard !hasName else { return }
    bestEffort("remove \(temporary)", tolerating: ENOENT) { try removeFile(temporary) }
  }

  /// Paths come in the order in which `TreeWalk` finds them.
  func append(_ item: TreeDigests.Item) throws(ImageError) {
    var common = 0
    let most = min(last.count, item.path.count, 0xffff)
    while common < most, last[common] == item.path[common] { common += 1 }
    for number in [common, item.path.count - common] {
      buffer.append(UInt8(truncatingIfNeeded: number >> 8))
      buffer.append(UInt8(truncatingIfNeeded: number))
    }
    buffer += item.path[common...]
    buffer += item.digest
    last = item.path
    count += 1
    if buffer.count >= TreeDigestsWriter.pieceBytes { try flush() }
  }

  private func flush() throws(ImageError) {
    buffer.withUnsafeBytes { hash?.update($0) }
    try write()
  }

  private func write() throws(ImageError) {
    try kernel("write \(temporary)") { () throws(Errno) in try file.descriptor.writeAll(buffer) }
    written += UInt64(buffer.count)
    buffer.removeAll(keepingCapacity: true)
    try space.check(written)
  }

  /// Writes the end, and gives the file its name. With `durable` it survives a power cut.
  func finish(durable: Bool) throws(ImageError) {
    try flush()
    buffer = try sum()
    try write()
    try kernel("write \(path)") { () throws(Errno) in
      if durable { try file.descriptor.synchronize() }
      try rename(temporary, to: path)
      hasName = true
      if durable { try openFile(path.parentDirectory, O_RDONLY | O_DIRECTORY).synchronize() }
    }
  }

  /// Of all so far; nothing can be added after that.
  private func sum() throws(ImageError) -> [UInt8] {
    guard let hash = hash.take() else { throw .invalid("\(path) was digested twice") }
    return Array(hash.finish().rawBytes)
  }
}
