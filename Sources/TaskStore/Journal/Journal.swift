import Glibc
import LaunchModel
import LinuxKernel
import StrictJSON
import TaskModel

/// A task's append-only record of what happened, one line a change.
///
///     {"seq":3,"boot":8412345678,"time":"2026-11-22T10:15:00.120Z","type":"forked","process":"web","run":0,"crc":"0f3a…"}
///
/// `boot` is nanoseconds since boot, the clock of the task machine; `crc` is CRC-32C over the line up to `,"crc"`.
/// State is what a replay gives. Nothing waits for the disk here: after a power cut no process is alive, so only what
/// was acknowledged (the end of the task) is synced.
///
/// A disk that is full ends no task: what cannot be written is kept, in order, and written when there is room.
package final class Journal {
  private let file: JournalFile
  private var sequence: Int64
  /// Why what is kept could not be written; `nil` when nothing is kept.
  package private(set) var obstacle: Errno?

  /// Makes a new journal. Fails where there is no room for its last record.
  package init(creating path: String) throws(Errno) {
    file = try JournalFile(
      try openFile(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW, mode: 0o600), size: 0, of: 0)
    sequence = 0
  }

  /// Goes on with a journal after its last good line. A torn tail is cut off: it was never acknowledged.
  package init(continuing path: String, after records: JournalContents) throws(Errno) {
    file = try JournalFile(
      try openFile(path, O_WRONLY | O_APPEND | O_NOFOLLOW), size: records.goodBytes, of: records.totalBytes)
    sequence = records.lastSequence
  }

  /// Appends a record; it is in the kernel's hands when this returns, or kept until it can be.
  package func append(_ type: String, _ members: [(String, JSON?)], at boot: UInt64, wall: UInt64 = Clock.wall) {
    sequence += 1
    note { () throws(Errno) in try file.append(Journal.line(sequence, type, members, boot, wall)) }
  }

  /// Appends a record without which nothing may be done.
  package func require(_ type: String, _ members: [(String, JSON?)], at boot: UInt64) throws(Errno) {
    try file.catchUp()
    try file.write(Journal.line(sequence + 1, type, members, boot, Clock.wall))
    sequence += 1
  }

  /// Writes what is kept, if there is room by now.
  package func catchUp() { note { () throws(Errno) in try file.catchUp() } }

  /// The last record, for which room was kept. What waits still is left out; how many records, it says.
  ///
  /// - Parameter freesRoom: whether the room that was kept for it, and was not needed, is the disk's again.
  package func finish(_ verdict: Verdict, at boot: UInt64, freesRoom: Bool = true) throws(Errno) {
    catchUp()
    let missing = file.missing
    // The result has all of what is said; here it is to fit in the room that was kept.
    func short(_ text: String) -> String { String(text.unicodeScalars.prefix(Int(JournalFile.last) / 16)) }
    var brief = verdict
    (brief.message, brief.hint) = (short(verdict.message), verdict.hint.map(short))
    let line = Journal.line(
      sequence - Int64(missing) + 1, "finished",
      brief.members + [("unwritten", missing > 0 ? JSON(missing) : nil)], boot, Clock.wall)
    try file.finish(line, freesRoom: freesRoom)
  }

  private func note(_ body: () throws(Errno) -> Void) {
    do throws(Errno) {
      try body()
      if file.missing == 0 { obstacle = nil }
    } catch {
      obstacle = error
    }
  }

  private static func line(
    _ sequence: Int64, _ type: String, _ members: [(String, JSON?)], _ boot: UInt64, _ wall: UInt64
  ) -> [UInt8] {
    let head: [(String, JSON?)] = [
      ("seq", JSON(sequence)), ("boot", JSON(boot)), ("time", JSON(Clock.timestamp(wall))), ("type", JSON(type)),
    ]
    let body = Array(JSON(object: head + members).compactBytes.dropLast())
    let sum = String(UInt64(Checksum.crc32c(body)) | 1 << 32, radix: 16).dropFirst()
    return body + Array(",\"crc\":\"\(sum)\"}\n".utf8)
  }
}

/// What a journal holds, as far as it can be trusted.
package struct JournalContents {
  package struct Record {
    package let type: String
    /// Nanoseconds since boot.
    package let boot: UInt64
    package let time: String
    package let json: JSON

    package init(type: String, boot: UInt64, time: String, json: JSON) {
      self.type = type
      self.boot = boot
      self.time = time
      self.json = json
    }
  }

  package private(set) var records: [Record] = []
  package private(set) var lastSequence: Int64 = 0
  /// Bytes up to the end of the last good line, and of the file.
  private(set) var goodBytes: Int64 = 0
  let totalBytes: Int64
  /// Whether something other than a torn last line was wrong: then the journal says less than happened.
  package private(set) var isDamaged = false

  private static let limit = 256 << 20

  package init(reading path: String) throws(Errno) {
    self.init(parsing: try readRegularFile(path, limit: JournalContents.limit))
  }

  package init(parsing bytes: [UInt8]) {
    totalBytes = Int64(bytes.count)
    var start = 0
    while start < bytes.count {
      guard let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) else { return }
      guard let record = JournalContents.record(Array(bytes[start..<end])), record.sequence == lastSequence + 1 else {
        // A line that ends was written whole: it is not the torn tail of a power cut.
        isDamaged = true
        return
      }
      records.append(record.record)
      lastSequence = record.sequence
      start = end + 1
      goodBytes = Int64(start)
    }
  }

  private static func record(_ line: [UInt8]) -> (record: Record, sequence: Int64)? {
    let tail = Array(",\"crc\":\"01234567\"}".utf8).count
    guard line.count > tail, let json = try? JSON(parsing: line) else { return nil }
    let body = Array(line.dropLast(tail))
    let sum = String(UInt64(Checksum.crc32c(body)) | 1 << 32, radix: 16).dropFirst()
    guard json["crc"]?.string == String(sum), let sequence = json["seq"]?.integer, let type = json["type"]?.string,
      let boot = json["boot"]?.integer, boot >= 0, let time = json["time"]?.string
    else { return nil }
    return (Record(type: type, boot: UInt64(boot), time: time, json: json), sequence)
  }
}
