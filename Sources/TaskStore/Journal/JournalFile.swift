import Glibc
import LinuxKernel

/// The file of a journal. Lines are in it whole and in order, or not yet: what cannot be written waits in memory, and room for
/// the last line is kept from the beginning.
final class JournalFile {
  private let file: FileDescriptor
  /// Bytes of whole lines.
  private var size: Int64
  /// Up to where the disk has promised room; `nil` where it promises nothing.
  private var promised: Int64?
  /// Whether there may be a part of a line after the whole ones.
  private var isTorn = false
  private var waiting: [[UInt8]] = []
  private var waitingBytes = 0
  /// Lines that there was no more memory for: what comes after them cannot be written either.
  private(set) var lost = 0

  /// Room that is asked for at a time, and that which only the last line may use.
  static let ahead: Int64 = 12 << 10
  static let last: Int64 = 4 << 10
  /// What may wait. A disk can be full for days.
  private static let mostWaiting = 16 << 20

  /// - Parameter size: of what is good in it; anything after that is cut off.
  init(_ file: consuming FileDescriptor, size: Int64, of total: Int64) throws(Errno) {
    self.file = file
    self.size = size
    promised = size
    if size < total { try truncate(self.file, to: size) }
  }

  /// How many lines are not in the file.
  var missing: Int { waiting.count + lost }

  /// Writes a line, or fails and leaves the file as it was.
  func write(_ line: [UInt8], keeping kept: Int64 = last) throws(Errno) {
    if isTorn { try cut() }
    let end = size + Int64(line.count) + kept
    if let promised, end > promised {
      let bytes = end + JournalFile.ahead - size
      self.promised = try allocate(file, from: size, bytes: bytes) ? size + bytes : nil
    }
    do throws(Errno) { try file.writeAll(line) } catch {
      isTorn = true
      bestEffort("cut a torn record off the journal") { try cut() }
      throw error
    }
    size += Int64(line.count)
  }

  /// Writes a line as soon as that can be done.
  ///
  /// - Throws: why it could not be done now.
  func append(_ line: [UInt8]) throws(Errno) {
    guard lost == 0, waitingBytes + line.count <= JournalFile.mostWaiting else {
      lost += 1
      return
    }
    waiting.append(line)
    waitingBytes += line.count
    try catchUp()
  }

  /// Writes what waits.
  func catchUp() throws(Errno) {
    while let line = waiting.first {
      try write(line)
      waiting.removeFirst()
      waitingBytes -= line.count
    }
  }

  /// Writes the last line, into the room that was kept for it. What waits is given up, and so is the room that is left, if
  /// that is asked for.
  func finish(_ line: [UInt8], freesRoom: Bool) throws(Errno) {
    waiting = []
    try write(line, keeping: 0)
    if freesRoom { bestEffort("give back the room kept for the journal") { try cut() } }
  }

  /// Cuts off what is after the whole lines; with it goes the room that was promised.
  private func cut() throws(Errno) {
    try truncate(file, to: size)
    isTorn = false
    if promised != nil { promised = size }
  }
}
