import Glibc
import LaunchModel
import LinuxKernel

/// Moves one stream of a run from its pipe into its log file and starts a new file when one is full.
///
/// Here rather than in the executor, so that logs go on when the executor dies. The files are held by descriptor and
/// renamed in a directory held by descriptor: nothing a task does can lead a write elsewhere.
final class LogPump {
  let pipe: SharedDescriptor
  /// Under which the pipe is watched.
  var token: UInt64 = 0
  private var file: SharedDescriptor
  private let directory: SharedDescriptor
  private let name: String
  private let maximumBytes: UInt64
  private let backups: UInt32
  private var size: UInt64
  /// Set when a write failed: the stream is still read, so that the process is not blocked, and this is told.
  private(set) var trouble: Errno?
  /// Trouble is told once, and again only after something could be written.
  var hasTold = false
  private(set) var isAtEnd = false

  /// Reads as much as a pipe holds by default, so that one wake-up empties it.
  private static let chunk = 65536
  /// A line may exceed the limit by this much before it is cut.
  private static let slack: UInt64 = 65536

  init(
    pipe: SharedDescriptor, file: SharedDescriptor, directory: SharedDescriptor, name: String, maximumBytes: UInt64,
    backups: UInt32
  ) throws(Errno) {
    self.pipe = pipe
    self.file = file
    self.directory = directory
    self.name = name
    self.maximumBytes = max(maximumBytes, 4096)
    self.backups = backups
    size = try status(of: file.rawValue).size
    try pipe.descriptor.setNonBlocking(true)
  }

  /// Takes what is in the pipe, at most a few chunks so that other streams get their turn.
  func pump() {
    for _ in 0..<8 {
      do throws(Errno) {
        guard let bytes = try pipe.descriptor.read(upTo: LogPump.chunk) else { return }
        if bytes.isEmpty {
          isAtEnd = true
          return
        }
        try write(bytes)
        if bytes.count < LogPump.chunk { return }
      } catch {
        trouble = error
        return
      }
    }
  }

  /// Takes what is there now, at most as much as a pipe can hold.
  func drain() {
    for _ in 0..<17 where !isAtEnd {
      do throws(Errno) {
        guard let bytes = try pipe.descriptor.read(upTo: LogPump.chunk) else { return }
        if bytes.isEmpty { isAtEnd = true } else { try write(bytes) }
      } catch {
        // Keep reading: what cannot be written is lost, but the process must not stand still.
        trouble = error
      }
    }
  }

  private func write(_ bytes: [UInt8]) throws(Errno) {
    var rest = bytes[...]
    while !rest.isEmpty {
      let room = maximumBytes > size ? Int(maximumBytes - size) : 0
      guard rest.count > room else {
        try file.descriptor.writeAll(rest)
        size += UInt64(rest.count)
        (trouble, hasTold) = (nil, false)
        return
      }
      // Cut after a line: the last one that fits, or else the first that ends within the slack.
      let newline = UInt8(ascii: "\n")
      var end = rest[..<(rest.startIndex + room)].lastIndex(of: newline).map { $0 + 1 }
      if end == nil { end = rest[(rest.startIndex + room)...].firstIndex(of: newline).map { $0 + 1 } }
      let cut = end ?? rest.endIndex
      try file.descriptor.writeAll(rest[..<cut])
      size += UInt64(cut - rest.startIndex)
      rest = rest[cut...]
      if end != nil || size >= maximumBytes + LogPump.slack { try rotate() }
    }
  }

  /// `stdout` becomes `stdout.1`, `stdout.1` becomes `stdout.2`, the oldest goes.
  private func rotate() throws(Errno) {
    let about = try status(of: file.rawValue)
    let folder = directory.rawValue
    if backups == 0 {
      try removeFile(name, at: folder)
    } else {
      for number in stride(from: Int(backups) - 1, through: 0, by: -1) {
        let old = number == 0 ? name : "\(name).\(number)"
        do throws(Errno) { try rename(old, to: "\(name).\(number + 1)", at: folder) } catch  where error.code == ENOENT
        {}
      }
    }
    let next = try openFile(
      name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_APPEND, mode: about.permissions, at: folder)
    try changeOwner(of: next.rawValue, uid: about.uid, gid: about.gid)
    try changeMode(of: next.rawValue, to: about.permissions)
    file = SharedDescriptor(next)
    size = 0
  }
}
