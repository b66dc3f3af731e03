import Glibc
import LaunchModel
import LinuxKernel

/// One stream of one run, `stdout` or `stderr`, through all its files from the oldest to the one that is being written.
///
/// The file that is read is held by descriptor, so rotation takes nothing away from under the reader. The next one is
/// found by looking where the held one has gone: the one before it in number follows it in time.
package final class LogStream {
  /// Where reading may begin again.
  package struct Place {
    fileprivate let file: LogFile?
    fileprivate let offset: Int64
  }

  private let files: LogFiles
  private(set) var current: LogFile?
  /// Bytes that were rotated away before they could be read, since the last time somebody took this.
  private(set) var missing: UInt64 = 0
  /// A file was cut short by somebody else, since the last time somebody took this.
  private var wasCut = false
  /// The position in the stream that reading comes to next, once it is known.
  package private(set) var position: UInt64?
  /// Reading ends here: what there was when the reader began.
  private var limit: (inode: UInt64, size: Int64)?

  /// - Parameters:
  ///   - directory: of the run.
  ///   - place: its path, for people.
  ///   - faults: told of what is there and cannot be read.
  package init(_ directory: SharedDescriptor, _ name: String, place: String = "", faults: LogFaults? = nil) {
    files = LogFiles(directory: directory, name: name, place: place, faults: faults)
  }

  /// Reads no more than there is now, or all that comes.
  package func limit(toNow: Bool) {
    let about = toNow ? files.currentStatus : nil
    limit = about.map { ($0.inode, Int64(clamping: $0.size)) }
  }

  package func takeMissing() -> UInt64 {
    defer { missing = 0 }
    return missing
  }

  package func takeCut() -> Bool {
    defer { wasCut = false }
    return wasCut
  }

  // MARK: Reading

  /// The next bytes, all of one file; nil when there are none now. `current` is the file, its offset after them.
  package func read(upTo count: Int) -> [UInt8]? {
    if current == nil { current = files.oldest() }
    while let file = current {
      if let bytes = read(file, count) { return bytes }
      if let limit, limit.inode == file.inode { return nil }
      guard let next = successor(of: file) else { return nil }
      // What was written between the look and the rotation.
      if let bytes = read(file, count) { return bytes }
      current = next.file
      if next.isGap, limit != nil {
        limit = (next.file.inode, Int64(clamping: next.file.status?.size ?? 0))
      }
    }
    return nil
  }

  private func read(_ file: LogFile, _ count: Int) -> [UInt8]? {
    lookForCut(file)
    var count = count
    if let limit, limit.inode == file.inode { count = Int(min(Int64(count), limit.size - file.offset)) }
    guard count > 0, let bytes = files.read(file, upTo: count, at: file.offset), !bytes.isEmpty else { return nil }
    file.offset += Int64(bytes.count)
    // An index is made with the first byte, perhaps after the file was opened.
    if file.index == nil { file.index = files.index(of: file) }
    file.index?.refresh()
    account(for: bytes.count, in: file)
    return bytes
  }

  /// Where an operator has cut the file short, reading goes on with what was written since. Init has begun another index
  /// then, which says where that is, before it wrote any of it.
  private func lookForCut(_ file: LogFile) {
    guard file.offset > 0, let about = file.status, about.links > 0 else { return }
    let size = Int64(clamping: about.size)
    guard size < file.offset || file.index?.isRemoved == true else { return }
    let index = files.index(of: file)
    // Without another one an operator may have removed the index alone.
    guard size < file.offset || index != nil else { return }
    wasCut = true
    if let index, let position {
      file.offset = min(Int64(clamping: max(position, index.position) - index.position), size)
    } else {
      file.offset = 0
    }
    // Looked for again with the next bytes: it may not have been made yet.
    file.index = nil
  }

  /// Counts what lies between the bytes read now and those read before. Where an index cannot be had, as in the midst of a
  /// rotation, the next one tells.
  private func account(for count: Int, in file: LogFile) {
    let begin = file.position.map { $0 &- UInt64(count) } ?? position
    if let begin, let position, begin > position { missing &+= begin - position }
    position = begin.map { $0 &+ UInt64(count) }
  }

  /// What has been written and not been read, whether or not it is still there.
  package var left: UInt64 {
    // The newest file has no index before something is in it.
    for number in files.numbers().prefix(2) {
      guard let position, let file = files.open(number), let begin = file.position else { continue }
      let end = begin &+ (file.status?.size ?? 0)
      return end > position ? end - position : 0
    }
    guard let current else { return 0 }
    return UInt64(clamping: Int64(clamping: current.status?.size ?? 0) - current.offset)
  }

  // MARK: Places

  package var place: Place { Place(file: current, offset: current?.offset ?? 0) }

  package func go(to place: Place) {
    current = place.file
    current?.offset = place.offset
    current?.index?.rewind()
    position = nil
  }

  /// Begins at a position of the stream, or with the oldest that is left of what follows.
  package func go(to position: UInt64) {
    current = files.oldest()
    self.position = position
    while let file = current, let begin = file.index?.position {
      if begin &+ (file.status?.size ?? 0) < position, let next = successor(of: file) {
        current = next.file
        continue
      }
      return skip(to: position, in: file)
    }
  }

  private func skip(to position: UInt64, in file: LogFile) {
    guard let begin = file.index?.position else { return }
    file.offset = min(Int64(clamping: max(position, begin) - begin), Int64(clamping: file.status?.size ?? 0))
  }

  /// Begins behind all that there is.
  package func goToEnd() {
    current = files.open(0)
    current?.offset = Int64(clamping: current?.status?.size ?? 0)
    position = current?.position
  }

  /// Begins with what came at `time` or later, or a little before it. False when all came before.
  package func go(since time: UInt64) -> Bool {
    for number in files.numbers().reversed() {
      // The file's own time is of seconds, and that of its last write.
      guard let file = files.open(number), let about = file.status, about.modified >= Int64(time / 1_000_000_000) else {
        continue
      }
      if let index = file.index {
        guard let offset = index.offset(before: time) else { continue }
        file.offset = offset
        index.rewind()
      }
      current = file
      return true
    }
    return false
  }

  /// Begins with the last `count` lines; returns how many there are when they are fewer.
  package func go(lines count: Int) -> Int {
    var found = 0
    var isLast = true
    var seen: Set<UInt64> = []
    for number in files.numbers() {
      // A rotation in between may show a file under two numbers.
      guard let file = files.open(number), let about = file.status, seen.insert(file.inode).inserted else { continue }
      var end = Int64(clamping: about.size)
      if let limit, limit.inode == file.inode { end = min(end, limit.size) }
      while end > 0 {
        let from = max(0, end - 65536)
        guard let piece = files.read(file, upTo: Int(end - from), at: from), !piece.isEmpty else { break }
        // The newline at the very end closes the last line and begins none.
        if isLast, piece.last != UInt8(ascii: "\n") { found += 1 }
        isLast = false
        for position in piece.indices.reversed() where piece[position] == UInt8(ascii: "\n") {
          if found == count {
            file.offset = from + Int64(position) + 1
            current = file
            return found
          }
          found += 1
        }
        end = from
      }
      file.offset = 0
      current = file
    }
    return found
  }

  // MARK: Files

  /// The file that was begun when this one was full; nil when this is the one that is being written, or a rotation is
  /// just being done.
  private func successor(of held: LogFile) -> (file: LogFile, isGap: Bool)? {
    guard let named = files.currentStatus, named.inode != held.inode else { return nil }
    for _ in 0..<100 {
      if held.status?.links == 0 { return oldestUnread().map { ($0, true) } }
      guard let number = files.number(of: held), number > 0 else { continue }
      if let file = files.openNext(after: number), file.inode != held.inode, files.inode(number) == held.inode {
        return (file, false)
      }
    }
    return nil
  }

  /// The oldest file in which something lies beyond what was read: others may be older than a file that was removed. From
  /// the newest on: that is the way in which a rotation moves them, so none is missed by one in between.
  private func oldestUnread() -> LogFile? {
    guard let position else { return files.oldest() }
    var found = files.open(0)
    /// Whether this one, and so all that are older, were read.
    func isRead(_ number: Int) -> Bool {
      guard let file = files.open(number), let begin = file.index?.position else { return false }
      if begin &+ (file.status?.size ?? 0) <= position { return true }
      found = file
      return false
    }
    let last = (files.numbers().last { $0 < LogFileNames.old } ?? 0) + 2
    // Those that are renamed no more are listed when the others have been looked at, which go there.
    if !(1...last).contains(where: isRead) {
      _ = files.numbers().first { $0 >= LogFileNames.old && isRead($0) }
    }
    if let found { skip(to: position, in: found) }
    return found
  }
}
