/// The end of a run as init saw it. Written to the task's `exits` file before anybody is told.
package struct ExitRecord: Sendable, Hashable, WireValue {
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

  package init(from reader: inout WireReader) throws(WireError) {
    key = try reader.value()
    waitStatus = try reader.integer()
    bootTime = try reader.integer()
    wallTime = try reader.integer()
    userMicroseconds = try reader.integer()
    systemMicroseconds = try reader.integer()
    maximumResidentBytes = try reader.integer()
    let reason = try reader.optional { (reader) throws(WireError) in try reader.string() }
    let hint = try reader.optional { (reader) throws(WireError) in try reader.string() } ?? ""
    let kind = reader.isAtEnd ? nil : try reader.optional { (reader) throws(WireError) in try reader.string() }
    startFailure = reason.map {
      StartFailure(kind.map(StartFailure.Kind.init) ?? .other, $0, hint: hint.isEmpty ? nil : hint)
    }
  }
  package func write(to writer: inout WireWriter) {
    writer.put(key)
    writer.put(waitStatus)
    writer.put(bootTime)
    writer.put(wallTime)
    writer.put(userMicroseconds)
    writer.put(systemMicroseconds)
    writer.put(maximumResidentBytes)
    writer.put(optional: startFailure?.reason) { $1.put($0) }
    writer.put(optional: startFailure?.hint) { $1.put($0) }
    writer.put(optional: startFailure?.kind.name) { $1.put($0) }
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
      guard let length = try? header.integer(UInt32.self), let sum = try? header.integer(UInt32.self) else { break }
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
