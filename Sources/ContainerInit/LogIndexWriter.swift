import Glibc
import LaunchModel
import LinuxKernel

/// Writes beside a log file when its bytes came. Nothing depends on it: what goes wrong here ends the index of this file,
/// and nothing else.
struct LogIndexWriter {
  private let directory: SharedDescriptor
  private var file: SharedDescriptor?
  private var isOff = false
  private var bytes: UInt64 = 0
  private var lastTime: UInt64 = 0
  /// How much of the stream lies before this file.
  private var position: UInt64 = 0

  /// Who reads merges by milliseconds.
  private static let spacing: UInt64 = 1_000_000
  private static let wideSpacing: UInt64 = 1_000_000_000
  private let allowance: UInt64

  /// - Parameter allowance: what every file's index may have (`LogFileBounds`).
  init(directory: SharedDescriptor, allowance: UInt64) {
    self.directory = directory
    self.allowance = allowance
  }

  /// Notes that bytes which were read now begin at `offset` of the log; called before they are written. A process that
  /// writes byte by byte gets no record for each: an index grows to a sixteenth of its log by records a millisecond
  /// apart, to half of it by records a second apart.
  mutating func note(_ log: SharedDescriptor, named name: String, at offset: UInt64, now: UInt64) {
    guard !isOff else { return }
    if file != nil {
      let elapsed = now < lastTime ? .max : now - lastTime
      let isAllowed = bytes < allowance + offset / 16 && elapsed >= Self.spacing
      guard isAllowed || (bytes < allowance + offset / 2 && elapsed >= Self.wideSpacing) else { return }
    }
    do throws(Errno) {
      if file == nil { try create(like: log, named: name) }
      try file?.descriptor.writeAll(LogIndexRecord(time: now, offset: offset).encoded)
      bytes += UInt64(LogIndexRecord.size)
      lastTime = now
    } catch {
      isOff = true
    }
  }

  /// Goes on with a new file, which begins at `position` of the stream.
  mutating func restart(at position: UInt64) {
    self = LogIndexWriter(directory: directory, allowance: allowance)
    self.position = position
  }

  /// Begins anew beside a log that was cut short; `position` is what lies before it now. What is left in it came no later
  /// than the last time that was noted.
  mutating func restart(_ log: SharedDescriptor, named name: String, at position: UInt64) {
    let known = lastTime
    restart(at: position)
    if known > 0 { note(log, named: name, at: 0, now: known) }
  }

  /// Made when there is something to note: a process that writes nothing has no index.
  private mutating func create(like log: SharedDescriptor, named name: String) throws(Errno) {
    let about = try status(of: log.rawValue)
    let path = LogIndexRecord.name(of: name)
    // Never the same file again: who reads the old one keeps what it says.
    do throws(Errno) { try removeFile(path, at: directory.rawValue) } catch  where error.code == ENOENT {}
    let made = SharedDescriptor(
      try openFile(
        path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_APPEND, mode: about.permissions, at: directory.rawValue))
    try changeOwner(of: made.rawValue, uid: about.uid, gid: about.gid)
    try changeMode(of: made.rawValue, to: about.permissions)
    try made.descriptor.writeAll(LogIndexRecord.header(position: position))
    bytes = UInt64(LogIndexRecord.size)
    file = made
  }
}
