import Glibc
import LinuxKernel

/// Reads what `TreeDigestsWriter` wrote, name by name.
final class TreeDigestsReader {
  private let file: SharedDescriptor
  private let path: String
  /// Of what is digested and not read yet.
  private var left: Int
  private var buffer: [UInt8] = []
  private var index = 0
  private var hash: SHA256? = SHA256()
  private var last: [UInt8] = []

  private static let pieceBytes = 64 << 10

  /// `nil` where nothing was written.
  init?(_ path: String) throws(ImageError) {
    self.path = path
    let opened: SharedDescriptor
    do throws(Errno) {
      opened = SharedDescriptor(try openFile(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY))
    } catch  where error.code == ENOENT {
      return nil
    } catch {
      throw ImageError(error, doing: "read \(path)")
    }
    file = opened
    let size = try kernel("look at \(path)") { () throws(Errno) in try status(of: opened.rawValue).size }
    left = Int(clamping: size) - TreeDigests.sumBytes
    guard left >= TreeDigests.magic.count, try take(TreeDigests.magic.count).elementsEqual(TreeDigests.magic) else {
      throw damage
    }
  }

  private var damage: ImageError {
    .invalid("\(path) is damaged", hint: "remove the image and import it again")
  }

  /// The next name; `nil` at the end, when all that was read is what was written.
  func next() throws(ImageError) -> TreeDigests.Item? {
    if left == 0, index == buffer.count {
      let read = try kernel("read \(path)") { () throws(Errno) in
        try file.descriptor.read(upTo: TreeDigests.sumBytes + 1) ?? []
      }
      guard read.elementsEqual(try sum()) else { throw damage }
      return nil
    }
    let head = Array(try take(4))
    let common = Int(head[0]) << 8 | Int(head[1])
    let rest = Int(head[2]) << 8 | Int(head[3])
    guard common <= last.count else { throw damage }
    last = Array(last[..<common] + (try take(rest)))
    return TreeDigests.Item(path: last, digest: Array(try take(TreeDigests.digestBytes)))
  }

  private func take(_ count: Int) throws(ImageError) -> ArraySlice<UInt8> {
    while buffer.count - index < count {
      let wanted = min(left, TreeDigestsReader.pieceBytes)
      guard wanted > 0 else { throw damage }
      let piece = try kernel("read \(path)") { () throws(Errno) in try file.descriptor.read(upTo: wanted) ?? [] }
      guard !piece.isEmpty else { throw damage }
      piece.withUnsafeBytes { hash?.update($0) }
      left -= piece.count
      buffer.removeSubrange(..<index)
      index = 0
      buffer += piece
    }
    index += count
    return buffer[(index - count)..<index]
  }

  /// Of all so far; nothing can be added after that.
  private func sum() throws(ImageError) -> [UInt8] {
    guard let hash = hash.take() else { throw .invalid("\(path) was digested twice") }
    return Array(hash.finish().rawBytes)
  }
}
