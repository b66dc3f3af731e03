import CLinux

/// A file that is written, and on the disk if that is asked for, under another name: it takes its place at once or never
/// (rename(2)). What waits for the disk can so be done before it is known whether the file is wanted, and room for it be taken
/// long before it is written.
package struct PreparedFile: Sendable {
  private let path: String
  private let isDurable: Bool
  private let directory: SharedDescriptor?
  private let file: SharedDescriptor
  private let hasRoom: Bool
  private var temporary: String { path + ".new" }

  /// Makes `<path>.new`, empty.
  ///
  /// - Parameters:
  ///   - room: how many bytes it can take also when the disk is full by then, where the file system can promise that.
  ///   - durable: whether content and name are to survive a power cut.
  ///   - directory: where the path begins.
  package init(
    _ path: String, mode: UInt32, durable: Bool, room: Int64 = 0, in directory: SharedDescriptor? = nil
  ) throws(Errno) {
    self.path = path
    isDurable = durable
    self.directory = directory
    file = SharedDescriptor(try PreparedFile.make(path + ".new", mode, directory?.rawValue ?? currentDirectory))
    // The umask is the caller's, and no reason to give less than was asked for.
    try changeMode(of: file.rawValue, to: mode)
    hasRoom = room > 0 ? try allocate(file.descriptor, from: 0, bytes: room) : false
  }

  /// The same with its content.
  package init(
    _ path: String, _ bytes: [UInt8], mode: UInt32 = 0o644, durable: Bool, in directory: SharedDescriptor? = nil
  ) throws(Errno) {
    try self.init(path, mode: mode, durable: durable, in: directory)
    try fill(bytes)
  }

  private static func make(_ path: String, _ mode: UInt32, _ directory: Int32) throws(Errno) -> FileDescriptor {
    let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW
    do throws(Errno) { return try openFile(path, flags, mode: mode, at: directory) } catch {
      guard error.code == EEXIST else { throw error }
    }
    // Of one that did not come so far.
    try removeFile(path, at: directory)
    return try openFile(path, flags, mode: mode, at: directory)
  }

  /// Gives it this content and no other.
  package func fill(_ bytes: [UInt8]) throws(Errno) {
    try file.descriptor.writeAll(bytes, at: 0)
    if try status(of: file.rawValue).size > UInt64(bytes.count) {
      try truncate(file.descriptor, to: Int64(bytes.count))
    }
    if isDurable { try file.descriptor.synchronize() }
  }

  /// The same where the host has room for it.
  ///
  /// - Returns: Whether it had.
  package func takes(_ bytes: [UInt8]) throws(Errno) -> Bool {
    do throws(Errno) { try fill(bytes) } catch {
      guard error.isShortage else { throw error }
      return false
    }
    return true
  }

  /// Gives it its name, durably where its content is.
  package func takePlace() throws(Errno) {
    let place = directory?.rawValue ?? currentDirectory
    // Without the room that it did not need.
    if hasRoom { try truncate(file.descriptor, to: Int64(clamping: try status(of: file.rawValue).size)) }
    try rename(temporary, to: path, at: place)
    guard isDurable else { return }
    try openFile(path.parentDirectory, O_RDONLY | O_DIRECTORY, at: place).synchronize()
  }
}
