import Glibc
import LinuxKernel

/// What a layer's tree was when it was unpacked: for each name a digest of all that a container can see of it. So `image
/// verify` can say what is another now.
///
///     "aurora-tree 1\n"
///     for each name, parents first, the names of a directory by their bytes:
///       u16  bytes that its path has in common with the one before
///       u16  bytes that follow
///       …    those bytes
///       16   the first half of the SHA-256 of its attributes and content
///     32     the SHA-256 of everything before
///
/// Half a digest tells one change from none as well as a whole one; nobody who could choose content for it is kept from writing
/// here.
struct TreeDigests {
  /// A name and what was digested of it.
  struct Item: Equatable {
    var path: [UInt8]
    var digest: [UInt8]
  }

  static let digestBytes = 16
  private static let magic = Array("aurora-tree 1\n".utf8)
  /// Names of a layer with as many entries as there may be take some 100 MiB; what is beyond this is damage.
  private static let maximumBytes = 1 << 30

  private var bytes = magic
  private var last: [UInt8] = []

  init() {}

  /// Paths come in the order in which `TreeWalk` finds them.
  mutating func append(_ item: Item) {
    var common = 0
    let most = min(last.count, item.path.count, 0xffff)
    while common < most, last[common] == item.path[common] { common += 1 }
    for number in [common, item.path.count - common] {
      bytes.append(UInt8(truncatingIfNeeded: number >> 8))
      bytes.append(UInt8(truncatingIfNeeded: number))
    }
    bytes += item.path[common...]
    bytes += item.digest
    last = item.path
  }

  func write(to path: String, durable: Bool) throws(ImageError) {
    let sum = SHA256.digest(of: bytes).rawBytes
    try kernel("write \(path)") { () throws(Errno) in
      try writeFileAtomically(path, bytes + sum, mode: 0o600, durable: durable)
    }
  }

  /// Reads what `write` wrote, `nil` where nothing was.
  static func read(_ path: String) throws(ImageError) -> [Item]? {
    let all: [UInt8]
    do throws(Errno) {
      all = try readFile(path, limit: maximumBytes)
    } catch  where error.code == ENOENT {
      return nil
    } catch {
      throw ImageError(error, doing: "read \(path)")
    }
    let damage = ImageError.invalid("\(path) is damaged", hint: "remove the image and import it again")
    guard all.count >= magic.count + 32, all.starts(with: magic) else { throw damage }
    let end = all.count - 32
    var hash = SHA256()
    all.withUnsafeBytes { hash.update(UnsafeRawBufferPointer(rebasing: $0[..<end])) }
    guard hash.finish().rawBytes.elementsEqual(all[end...]) else { throw damage }
    var items: [Item] = []
    var index = magic.count
    var last: [UInt8] = []
    while index < end {
      guard index + 4 <= end else { throw damage }
      let common = Int(all[index]) << 8 | Int(all[index + 1])
      let rest = Int(all[index + 2]) << 8 | Int(all[index + 3])
      index += 4
      guard common <= last.count, index + rest + digestBytes <= end else { throw damage }
      last = Array(last[..<common] + all[index..<(index + rest)])
      index += rest
      items.append(Item(path: last, digest: Array(all[index..<(index + digestBytes)])))
      index += digestBytes
    }
    return items
  }
}
