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

/// The files of one stream of a run by their numbers: 0 is the one that is being written, 1 the newest that was rotated, and
/// the higher the older (`LogFileNames`).
///
/// A rotation may come in between any two looks at them.
struct LogFiles {
  let directory: SharedDescriptor
  let name: String
  /// The directory's path, for people.
  var place = ""
  /// Told of what is there and cannot be read.
  var faults: LogFaults?

  /// Of the file that is being written.
  var currentStatus: FileStatus? { try? status(of: name, at: directory.rawValue) }

  /// 0 for the file that is being written, then the rotated ones from the newest on.
  func numbers() -> [Int] {
    var numbers = Set(namesHere().compactMap { LogFileNames.place(of: $0, name) })
    // A name that is renamed meanwhile may be missed by the listing, so those up to the last are asked for as well; in the
    // midst of a rotation one of them is not there.
    var (number, missed) = (1, 0)
    while missed < 2 {
      let isThere = numbers.contains(number) || inode(number) != nil
      if isThere { numbers.insert(number) }
      missed = isThere ? 0 : missed + 1
      number += 1
    }
    // Those that have been moved on meanwhile got the numbers after the newest.
    var old = numbers.filter { $0 >= LogFileNames.old }.map(LogFileNames.oldNumber).max() ?? 0
    while inode(LogFileNames.place(old: old + 1)) != nil {
      old += 1
      numbers.insert(LogFileNames.place(old: old))
    }
    return [0] + numbers.filter { $0 > 0 }.sorted()
  }

  private func namesHere() -> [[UInt8]] {
    do throws(Errno) {
      // A descriptor of its own: where a directory was read to is kept with the open file.
      let here = try openFile(".", O_RDONLY | O_DIRECTORY, at: directory.rawValue)
      return try entries(of: here.rawValue).map(\.name)
    } catch {
      faults?.tell(place, error)
      return []
    }
  }

  /// A file of this stream, or an index, is there and cannot be read.
  private func tell(_ path: String, _ error: Errno) { faults?.tell("\(place)/\(path)", error) }

  /// The next bytes of a file; `nil` when there are none, or they cannot be read.
  func read(_ file: LogFile, upTo count: Int, at offset: Int64) -> [UInt8]? {
    do throws(Errno) { return try file.descriptor.descriptor.read(upTo: count, at: offset) } catch {
      tell(path(file.number), error)
      return nil
    }
  }

  private func path(_ number: Int) -> String { LogFileNames.name(name, at: number) }

  /// Opens a file together with its index; the name is looked at again, since a rotation may come in between.
  func open(_ number: Int) -> LogFile? {
    let path = path(number)
    for _ in 0..<100 {
      let descriptor: SharedDescriptor
      do throws(Errno) {
        descriptor = SharedDescriptor(
          try openFile(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, at: directory.rawValue))
      } catch {
        tell(path, error)
        return nil
      }
      let index = index(beside: path)
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
      let index = index(beside: path(number)),
      inode(number) == file.inode
    else { return nil }
    return index
  }

  private func index(beside path: String) -> LogIndexReader? {
    let name = LogIndexRecord.name(of: path)
    do throws(Errno) { return try LogIndexReader(name, at: directory.rawValue) } catch {
      tell(name, error)
      return nil
    }
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
      if last >= LogFileNames.old { return file }
      if inode(last + 1) == nil, inode(LogFileNames.place(old: 1)) == nil { return file }
    }
    return open(0)
  }

  /// The file that was begun when the one of that number was full; nil when a rotation is just being done.
  func openNext(after number: Int) -> LogFile? {
    guard number >= LogFileNames.old else { return open(number - 1) }
    // Such a file keeps its name; the next is the one that came there after it, or is still to come there.
    let following = number - 1
    if let file = open(following) { return file }
    guard let next = numbers().last(where: { $0 < number }), let file = open(next) else { return nil }
    return next >= LogFileNames.old || inode(following) == nil ? file : nil
  }

  /// Where the file has gone: from where it was upwards, and everywhere if it is not there.
  func number(of file: LogFile) -> Int? {
    let near = file.number < LogFileNames.old ? file.number...(file.number + 8) : file.number...file.number
    for number in near where inode(number) == file.inode {
      file.number = number
      return number
    }
    guard let number = numbers().first(where: { inode($0) == file.inode }) else { return nil }
    file.number = number
    return number
  }

  func inode(_ number: Int) -> UInt64? { (try? status(of: path(number), at: directory.rawValue))?.inode }
}
