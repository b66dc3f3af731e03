import Glibc
import LaunchModel
import LinuxKernel

/// A file of the stream, with what was read of it.
final class LogFile {
  let descriptor: SharedDescriptor
  let inode: UInt64
  var index: LogIndexReader?
  var offset: Int64 = 0
  /// The number that it had when it was last looked for: it only ever rises.
  var number: Int

  init(_ descriptor: SharedDescriptor, inode: UInt64, index: LogIndexReader?, number: Int) {
    self.descriptor = descriptor
    self.inode = inode
    self.index = index
    self.number = number
  }

  var status: FileStatus? { try? LinuxKernel.status(of: descriptor.rawValue) }
  /// Where in the stream it is read.
  var position: UInt64? { index.map { $0.position &+ UInt64(clamping: offset) } }
}

/// The files of one stream of a run by their numbers: 0 is the one that is being written, 1 the newest that was rotated.
///
/// A rotation may come in between any two looks at them.
struct LogFiles {
  let directory: SharedDescriptor
  let name: String

  /// Of the file that is being written.
  var currentStatus: FileStatus? { try? status(of: name, at: directory.rawValue) }

  /// 0 for the file that is being written, then the rotated ones from the newest on.
  func numbers() -> [Int] {
    let prefix = Array((name + ".").utf8)
    let found = ((try? namesHere()) ?? []).compactMap { entry -> Int? in
      guard entry.starts(with: prefix) else { return nil }
      return AccountFile.number(Array(entry.dropFirst(prefix.count))).map(Int.init)
    }
    var numbers = Set(found)
    // A name that is renamed meanwhile may be missed by the listing, so those up to the last are asked for as well; in the
    // midst of a rotation one of them is not there.
    var (number, missed) = (1, 0)
    while missed < 2 {
      let isThere = numbers.contains(number) || inode(number) != nil
      if isThere { numbers.insert(number) }
      missed = isThere ? 0 : missed + 1
      number += 1
    }
    return [0] + numbers.filter { $0 > 0 }.sorted()
  }

  private func namesHere() throws(Errno) -> [[UInt8]] {
    // A descriptor of its own: where a directory was read to is kept with the open file.
    let here = try openFile(".", O_RDONLY | O_DIRECTORY, at: directory.rawValue)
    return try entries(of: here.rawValue).map(\.name)
  }

  private func path(_ number: Int) -> String { number == 0 ? name : "\(name).\(number)" }

  /// Opens a file together with its index; the name is looked at again, since a rotation may come in between.
  func open(_ number: Int) -> LogFile? {
    let path = path(number)
    for _ in 0..<100 {
      guard let opened = try? openFile(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, at: directory.rawValue) else {
        return nil
      }
      let descriptor = SharedDescriptor(opened)
      let index = LogIndexReader(LogIndexRecord.name(of: path), at: directory.rawValue)
      guard let held = try? status(of: descriptor.rawValue), held.isRegularFile else { return nil }
      if let named = try? status(of: path, at: directory.rawValue), named.inode == held.inode {
        return LogFile(descriptor, inode: held.inode, index: index, number: number)
      }
    }
    return nil
  }

  /// The index that is beside the file now.
  func index(of file: LogFile) -> LogIndexReader? {
    guard let number = number(of: file),
      let index = LogIndexReader(LogIndexRecord.name(of: path(number)), at: directory.rawValue),
      inode(number) == file.inode
    else { return nil }
    return index
  }

  /// The file in which what is left of the stream begins.
  func oldest() -> LogFile? {
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

  /// Where the file has gone: from where it was upwards, and everywhere if it is not there.
  func number(of file: LogFile) -> Int? {
    for number in file.number...(file.number + 8) where inode(number) == file.inode {
      file.number = number
      return number
    }
    guard let number = numbers().first(where: { inode($0) == file.inode }) else { return nil }
    file.number = number
    return number
  }

  func inode(_ number: Int) -> UInt64? { (try? status(of: path(number), at: directory.rawValue))?.inode }
}
