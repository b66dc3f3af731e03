/// The end of a run as init saw it. Written to the task's `exits` file before anybody is told.
package struct ExitRecord: Sendable, Hashable, WireRecord {
  package var key: RunKey
  /// The kernel's wait status (wait(2)).
  package var waitStatus: Int32
  /// Nanoseconds since boot, and since 1970, when the end was seen.
  package var bootTime: UInt64
  package var wallTime: UInt64
  package var userMicroseconds: UInt64
  package var systemMicroseconds: UInt64
  package var maximumResidentBytes: UInt64
  /// Set when the command was never executed.
  package var startFailure: StartFailure?

  package init(key: RunKey, waitStatus: Int32, bootTime: UInt64, wallTime: UInt64) {
    self.key = key
    self.waitStatus = waitStatus
    self.bootTime = bootTime
    self.wallTime = wallTime
    userMicroseconds = 0
    systemMicroseconds = 0
    maximumResidentBytes = 0
  }

  package static let blank = ExitRecord(key: RunKey.blank, waitStatus: 0, bootTime: 0, wallTime: 0)
  package mutating func fields<Pass: WirePass>(_ pass: inout Pass) throws(Pass.Failure) {
    try pass.field(&key)
    try pass.field(&waitStatus)
    try pass.field(&bootTime)
    try pass.field(&wallTime)
    try pass.field(&userMicroseconds)
    try pass.field(&systemMicroseconds)
    try pass.field(&maximumResidentBytes)
    // A failure is there by its parts; without a reason there is none.
    var (reason, hint, kind) = (startFailure?.reason, startFailure?.hint, startFailure?.kind)
    try pass.field(&reason)
    try pass.field(&hint)
    try pass.field(later: &kind)
    startFailure = reason.map { StartFailure(kind ?? .other, $0, hint: hint?.isEmpty == true ? nil : hint) }
  }

  /// The record as it stands in the `exits` file: length, checksum, bytes.
  package var frame: [UInt8] {
    let body = encoded
    var writer = WireWriter()
    writer.put(UInt32(body.count))
    writer.put(Checksum.crc32c(body))
    return writer.bytes + body
  }

  /// Every whole record of an `exits` file, in order. A torn tail, as a power cut leaves it, ends the list.
  package static func records(in bytes: [UInt8]) -> [ExitRecord] {
    var records: [ExitRecord] = []
    var index = 0
    while bytes.count - index >= 8 {
      var header = WireReader(Array(bytes[index..<(index + 8)]))
      guard let length = try? header.next(UInt32.self), let sum = try? header.next(UInt32.self) else { break }
      let end = index + 8 + Int(length)
      guard end <= bytes.count else { break }
      let body = Array(bytes[(index + 8)..<end])
      guard Checksum.crc32c(body) == sum, let record = try? ExitRecord(decoding: body) else { break }
      records.append(record)
      index = end
    }
    return records
  }
}

/// CRC-32C (Castagnoli), as iSCSI and ext4 use it: the journal's and the exit records' guard against torn writes.
package enum Checksum {
  private static let table: [UInt32] = (0..<256).map { index in
    (0..<8).reduce(UInt32(index)) { value, _ in value & 1 != 0 ? value >> 1 ^ 0x82f6_3b78 : value >> 1 }
  }

  package static func crc32c(_ bytes: [UInt8]) -> UInt32 {
    let table = table
    var sum = ~UInt32(0)
    for byte in bytes { sum = table[Int(UInt8(truncatingIfNeeded: sum) ^ byte)] ^ (sum >> 8) }
    return ~sum
  }
}
