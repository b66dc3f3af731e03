import Glibc
import LaunchModel
import LinuxKernel

/// One stream of one run, `stdout` or `stderr`, through all its files from the oldest to the one that is being written.
///
/// The file that is read is held by descriptor, so rotation takes nothing away from under the reader. The next one is
/// found by looking where the held one has gone: the one before it in number follows it in time.
final class LogStream {
  /// A file of the stream, with what was read of it.
  final class File {
    let descriptor: SharedDescriptor
    let inode: UInt64
    fileprivate(set) var index: LogIndexReader?
    var offset: Int64 = 0

    init(_ descriptor: SharedDescriptor, inode: UInt64, index: LogIndexReader?) {
      self.descriptor = descriptor
      self.inode = inode
      self.index = index
    }

    var status: FileStatus? { try? LinuxKernel.status(of: descriptor.rawValue) }
    /// Where in the stream it is read.
    var position: UInt64? { index.map { $0.position &+ UInt64(clamping: offset) } }
  }

  /// Where reading may begin again.
  struct Place {
    fileprivate let file: File?
    fileprivate let offset: Int64
  }

  private let directory: SharedDescriptor
  private let name: String
  private(set) var current: File?
  /// Bytes that were rotated away before they could be read, since the last time somebody took this.
  private(set) var missing: UInt64 = 0
  /// The position in the stream that reading comes to next, once it is known.
  private(set) var position: UInt64?
  /// Reading ends here: what there was when the reader began.
  private var limit: (inode: UInt64, size: Int64)?

  /// Nil when the run has no such directory.
  init?(_ directory: String, _ name: String) {
    guard let opened = try? openFile(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW) else { return nil }
    self.directory = SharedDescriptor(opened)
    self.name = name
  }

  /// Reads no more than there is now, or all that comes.
  func limit(toNow: Bool) {
    let about = toNow ? try? status(of: name, at: directory.rawValue) : nil
    limit = about.map { ($0.inode, Int64(clamping: $0.size)) }
  }

  func takeMissing() -> UInt64 {
    defer { missing = 0 }
    return missing
  }

  // MARK: Reading

  /// The next bytes, all of one file; nil when there are none now. `current` is the file, its offset after them.
  func read(upTo count: Int) -> [UInt8]? {
    if current == nil { current = oldest() }
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

  private func read(_ file: File, _ count: Int) -> [UInt8]? {
    var count = count
    if let limit, limit.inode == file.inode { count = Int(min(Int64(count), limit.size - file.offset)) }
    guard count > 0, let bytes = try? file.descriptor.descriptor.read(upTo: count, at: file.offset), !bytes.isEmpty
    else { return nil }
    file.offset += Int64(bytes.count)
    // An index is made with the first byte, perhaps after the file was opened.
    if file.index == nil { file.index = index(of: file) }
    file.index?.refresh()
    account(for: bytes.count, in: file)
    return bytes
  }

  /// Counts what lies between the bytes read now and those read before. Where an index cannot be had, as in the midst of a
  /// rotation, the next one tells.
  private func account(for count: Int, in file: File) {
    let begin = file.position.map { $0 &- UInt64(count) } ?? position
    if let begin, let position, begin > position { missing &+= begin - position }
    position = begin.map { $0 &+ UInt64(count) }
  }

  /// What has been written and not been read, whether or not it is still there.
  var left: UInt64 {
    // The newest file has no index before something is in it.
    for number in numbers().prefix(2) {
      guard let position, let file = open(number), let begin = file.position else { continue }
      let end = begin &+ (file.status?.size ?? 0)
      return end > position ? end - position : 0
    }
    guard let current else { return 0 }
    return UInt64(clamping: Int64(clamping: current.status?.size ?? 0) - current.offset)
  }

  // MARK: Places

  var place: Place { Place(file: current, offset: current?.offset ?? 0) }

  func go(to place: Place) {
    current = place.file
    current?.offset = place.offset
    current?.index?.rewind()
    position = nil
  }

  /// Begins at a position of the stream, or with the oldest that is left of what follows.
  func go(to position: UInt64) {
    current = oldest()
    self.position = position
    while let file = current, let begin = file.index?.position {
      let size = file.status?.size ?? 0
      if begin &+ size < position, let next = successor(of: file) {
        current = next.file
        continue
      }
      file.offset = Int64(clamping: max(position, begin) - begin)
      file.offset = min(file.offset, Int64(clamping: size))
      return
    }
  }

  /// Begins behind all that there is.
  func goToEnd() {
    current = open(0)
    current?.offset = Int64(clamping: current?.status?.size ?? 0)
    position = current?.position
  }

  /// Begins with what came at `time` or later, or a little before it. False when all came before.
  func go(since time: UInt64) -> Bool {
    for number in numbers().reversed() {
      // The file's own time is of seconds, and that of its last write.
      guard let file = open(number), let about = file.status, about.modified >= Int64(time / 1_000_000_000) else {
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
  func go(lines count: Int) -> Int {
    var found = 0
    var isLast = true
    var seen: Set<UInt64> = []
    for number in numbers() {
      // A rotation in between may show a file under two numbers.
      guard let file = open(number), let about = file.status, seen.insert(file.inode).inserted else { continue }
      var end = Int64(clamping: about.size)
      if let limit, limit.inode == file.inode { end = min(end, limit.size) }
      while end > 0 {
        let from = max(0, end - 65536)
        guard let piece = try? file.descriptor.descriptor.read(upTo: Int(end - from), at: from), !piece.isEmpty else {
          break
        }
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

  /// 0 for the file that is being written, then the rotated ones from the newest on.
  private func numbers() -> [Int] {
    let prefix = Array((name + ".").utf8)
    let found = ((try? namesHere()) ?? []).compactMap { entry -> Int? in
      guard entry.starts(with: prefix) else { return nil }
      return AccountFile.number(Array(entry.dropFirst(prefix.count))).map(Int.init)
    }
    return [0] + found.filter { $0 > 0 }.sorted()
  }

  private func namesHere() throws(Errno) -> [[UInt8]] {
    // A descriptor of its own: where a directory was read to is kept with the open file.
    let here = try openFile(".", O_RDONLY | O_DIRECTORY, at: directory.rawValue)
    return try entries(of: here.rawValue).map(\.name)
  }

  private func path(_ number: Int) -> String { number == 0 ? name : "\(name).\(number)" }

  /// Opens a file together with its index; the name is looked at again, since a rotation may come in between.
  private func open(_ number: Int) -> File? {
    let path = path(number)
    for _ in 0..<100 {
      guard let opened = try? openFile(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, at: directory.rawValue) else {
        return nil
      }
      let descriptor = SharedDescriptor(opened)
      let index = LogIndexReader(LogIndexRecord.name(of: path), at: directory.rawValue)
      guard let held = try? status(of: descriptor.rawValue), held.isRegularFile else { return nil }
      if let named = try? status(of: path, at: directory.rawValue), named.inode == held.inode {
        return File(descriptor, inode: held.inode, index: index)
      }
    }
    return nil
  }

  private func index(of file: File) -> LogIndexReader? {
    let number = inode(0) == file.inode ? 0 : numbers().first { inode($0) == file.inode }
    guard let number, let index = LogIndexReader(LogIndexRecord.name(of: path(number)), at: directory.rawValue),
      inode(number) == file.inode
    else { return nil }
    return index
  }

  private func oldest() -> File? {
    for _ in 0..<100 {
      let last = numbers().last ?? 0
      guard let file = open(last) else {
        if last == 0 { return nil }
        continue
      }
      // A rotation in between has moved what was the oldest one further.
      if (try? status(of: path(last + 1), at: directory.rawValue)) == nil { return file }
    }
    return open(0)
  }

  /// The file that was begun when this one was full; nil when this is the one that is being written, or a rotation is
  /// just being done.
  private func successor(of held: File) -> (file: File, isGap: Bool)? {
    guard let named = try? status(of: name, at: directory.rawValue), named.inode != held.inode else { return nil }
    for _ in 0..<100 {
      if held.status?.links == 0 { return oldest().map { ($0, true) } }
      for number in numbers().dropFirst() where inode(number) == held.inode {
        if let file = open(number - 1), file.inode != held.inode, inode(number) == held.inode { return (file, false) }
      }
    }
    return nil
  }

  private func inode(_ number: Int) -> UInt64? { (try? status(of: path(number), at: directory.rawValue))?.inode }
}
