import Glibc
import LaunchModel
import LinuxKernel

/// Moves one stream of a run from its pipe into its log file and starts a new file when one is full.
///
/// Here rather than in the executor, so that logs go on when the executor dies. The files are held by descriptor and
/// renamed in a directory held by descriptor: nothing a task does can lead a write elsewhere.
///
/// By read and write through one buffer: splice(2) and larger pipes were measured and are no faster, and the files can
/// be opened for appending only, so that an operator may truncate one.
final class LogPump {
  let pipe: SharedDescriptor
  /// Under which the pipe is watched.
  var token: UInt64 = 0
  private var file: SharedDescriptor
  private let directory: SharedDescriptor
  private let name: String
  private let bounds: LogFileBounds
  private let backups: Int
  /// Rotated files that there are and that are renamed with each rotation, `name.1` and on.
  private var rotated = 0
  /// Those that are not renamed any more, `name.old.<number>`.
  private var old = 1..<1
  private var size: UInt64
  /// What the earlier files of the stream had.
  private var position: UInt64 = 0
  private var index: LogIndexWriter
  private var trouble: Trouble?
  private var toldTrouble: Trouble?
  private(set) var isAtEnd = false

  private enum Trouble: Equatable {
    /// The stream is still read, so that the process is not blocked.
    case isLosing(Errno)
    case cannotRotate(Errno)
  }

  /// As much as a pipe holds by default, so that one wake-up empties it.
  static let chunk = 65536

  init(
    pipe: SharedDescriptor, file: SharedDescriptor, directory: SharedDescriptor, name: String, maximumBytes: UInt64,
    backups: UInt32
  ) throws(Errno) {
    self.pipe = pipe
    self.file = file
    self.directory = directory
    self.name = name
    bounds = LogFileBounds(maximumBytes: maximumBytes)
    self.backups = Int(backups)
    index = LogIndexWriter(directory: directory, allowance: bounds.indexAllowance)
    size = try status(of: file.rawValue).size
    try pipe.descriptor.setNonBlocking(true)
  }

  /// What is wrong with the log, each thing once, and again only after all was well.
  func takeTrouble() -> String? {
    guard trouble != toldTrouble else { return nil }
    toldTrouble = trouble
    return switch trouble {
    case nil: nil
    case .isLosing(let error): "output is being lost: \(error)"
    case .cannotRotate(let error): "\(name) grows over its limit: it cannot be rotated: \(error)"
    }
  }

  /// Takes what is in the pipe, at most a few chunks so that other streams get their turn. A rotation ends the turn: it
  /// renames several files.
  func pump(through buffer: TransferBuffer) {
    let before = position
    for _ in 0..<8 {
      guard move(through: buffer) == buffer.capacity, position == before else { return }
    }
  }

  /// Takes what is there now, at most as much as a pipe can hold, and until `end` at the longest.
  ///
  /// - Returns: whether nothing is left in the pipe and somebody has it open all the same.
  @discardableResult func drain(through buffer: TransferBuffer, until end: UInt64?) -> Bool {
    var taken = 0
    while taken <= 16 * Self.chunk {
      guard let count = move(through: buffer) else { return true }
      if count == 0 { return false }
      taken += count
      if let end, Clock.now >= end { return false }
    }
    return false
  }

  /// One read, and what came into the file. Nil when there was nothing. What cannot be written is lost: the process must
  /// not stand still.
  private func move(through buffer: TransferBuffer) -> Int? {
    do throws(Errno) {
      // Not much more than fits, so that it is not for many small files at once.
      let wanted = min(UInt64(Self.chunk), room + LogFileBounds.smallestFile)
      guard let count = try buffer.fill(from: pipe.descriptor, upTo: Int(wanted)) else { return nil }
      if count == 0 {
        isAtEnd = true
      } else {
        lookAtFile()
        try write(buffer, count)
      }
      return count
    } catch {
      trouble = .isLosing(error)
      // Some of it may have been written.
      if let about = try? status(of: file.rawValue) { size = about.size }
      return buffer.count
    }
  }

  /// What the file can take before it is full.
  private var room: UInt64 { bounds.maximumBytes > size ? bounds.maximumBytes - size : 0 }

  /// An operator may have cut the file short, or written to it. The stream's position stays what it is: what was cut off
  /// lies before the file now.
  private func lookAtFile() {
    guard let about = try? status(of: file.rawValue), about.size != size else { return }
    if about.size < size {
      position += size - about.size
      index.restart(file, named: name, at: position)
    }
    size = about.size
  }

  private func write(_ buffer: TransferBuffer, _ count: Int) throws(Errno) {
    let now = Clock.wall
    var start = 0
    while start < count {
      index.note(file, named: name, at: size, now: now)
      let room = Int(self.room)
      guard count - start > room else {
        try append(buffer, start..<count)
        trouble = nil
        return
      }
      // Cut after a line: the last one that fits, or else the first that ends within the slack.
      let newline = UInt8(ascii: "\n")
      var end = buffer.lastIndex(of: newline, in: start..<(start + room)).map { $0 + 1 }
      if end == nil { end = buffer.firstIndex(of: newline, in: (start + room)..<count).map { $0 + 1 } }
      let cut = min(end ?? count, start + Int(bounds.bound > size ? bounds.bound - size : 0))
      try append(buffer, start..<cut)
      start = cut
      guard end != nil || size >= bounds.maximumBytes + bounds.slack else { continue }
      do throws(Errno) { try rotate() } catch {
        // The file can take the rest though it is full: better too large than cut off. Tried again with the next bytes.
        let end = min(count, start + Int(bounds.bound > size ? bounds.bound - size : 0))
        try append(buffer, start..<end)
        guard end == count else { throw error }
        trouble = .cannotRotate(error)
        return
      }
    }
  }

  private func append(_ buffer: TransferBuffer, _ range: Range<Int>) throws(Errno) {
    try buffer.write(range, to: file.descriptor)
    size += UInt64(range.count)
  }

  /// `stdout` becomes `stdout.1`, `stdout.1` becomes `stdout.2`, the oldest goes; each with its index. Of many, those beyond
  /// the first few keep the name that they get then (`LogFileNames`).
  private func rotate() throws(Errno) {
    // Made first: where no file can be made, those that there are stay where they are.
    let next = try makeNext()
    // The oldest goes by itself: a rename over it would have ext4 begin to write the whole file to the disk.
    if rotated + old.count >= backups {
      if old.isEmpty {
        try removeOld(rotated)
      } else {
        try removeOld(LogFileNames.place(old: old.lowerBound))
        old = (old.lowerBound + 1)..<old.upperBound
      }
    }
    let renamed = min(backups, LogFileNames.renamed)
    if rotated == renamed, renamed < backups {
      if try moveFile(rotated, to: LogFileNames.place(old: old.upperBound)) {
        old = old.lowerBound..<(old.upperBound + 1)
      }
    }
    for place in stride(from: min(rotated, renamed - 1), through: 0, by: -1) { _ = try moveFile(place, to: place + 1) }
    rotated = min(rotated + 1, renamed)
    _ = try move(name + ".new", to: name)
    position += size
    (file, size) = (next, 0)
    index.restart(at: position)
  }

  private func makeNext() throws(Errno) -> SharedDescriptor {
    let about = try status(of: file.rawValue)
    try remove(name + ".new")
    let next = try openFile(
      name + ".new", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_APPEND, mode: about.permissions,
      at: directory.rawValue)
    try changeOwner(of: next.rawValue, uid: about.uid, gid: about.gid)
    try changeMode(of: next.rawValue, to: about.permissions)
    return SharedDescriptor(next)
  }

  /// The index and the file of that place; 0 is the one that is written.
  private func names(_ place: Int) -> [String] {
    let path = LogFileNames.name(name, at: place)
    return [LogIndexRecord.name(of: path), path]
  }

  /// The index first, so that no file is ever beside the index of another.
  ///
  /// - Returns: whether there was such a file.
  private func moveFile(_ place: Int, to other: Int) throws(Errno) -> Bool {
    var isThere = false
    for (from, to) in zip(names(place), names(other)) { isThere = try move(from, to: to) }
    return isThere
  }

  private func removeOld(_ number: Int) throws(Errno) {
    for path in names(number) { try remove(path) }
  }

  /// What is not there is not moved: an operator may have removed it, and an index may never have been.
  private func move(_ old: String, to new: String) throws(Errno) -> Bool {
    do throws(Errno) { try rename(old, to: new, at: directory.rawValue) } catch  where error.code == ENOENT {
      return false
    }
    return true
  }

  private func remove(_ path: String) throws(Errno) {
    do throws(Errno) { try LinuxKernel.removeFile(path, at: directory.rawValue) } catch  where error.code == ENOENT {}
  }
}
