import Glibc

/// Writes tar archives byte by byte, the valid ones and the others.
struct TarBuilder {
  var bytes: [UInt8] = []

  /// Everything a header says; `nil` leaves a field to what the others imply.
  struct Header {
    var name: [UInt8]
    var type: Character = "0"
    var mode = "0000644"
    var uid: [UInt8]
    var gid: [UInt8]
    var size: [UInt8]?
    var link: [UInt8] = []
    var modified = "00000000000"
    var magic = "ustar\0" + "00"
    var prefix: [UInt8] = []
    /// Bytes to put into the finished header, by offset, before the checksum.
    var patches: [(Int, [UInt8])] = []

    init(_ name: String, type: Character = "0") { self.init(Array(name.utf8), type: type) }

    /// Files belong to whoever runs the tests, so that they can be made without root.
    init(_ name: [UInt8], type: Character = "0") {
      self.name = name
      self.type = type
      uid = TarBuilder.octal(UInt64(geteuid()), 8)
      gid = TarBuilder.octal(UInt64(getegid()), 8)
    }
  }

  /// Octal digits and a NUL, `width` bytes together.
  static func octal(_ value: UInt64, _ width: Int) -> [UInt8] {
    let digits = String(value, radix: 8)
    return Array((String(repeating: "0", count: max(0, width - 1 - digits.utf8.count)) + digits).utf8) + [0]
  }

  /// GNU's binary form.
  static func binary(_ value: Int64, _ width: Int) -> [UInt8] {
    var bytes = (0..<width).map { index in
      let shift = 8 * (width - 1 - index)
      return shift < 64 ? UInt8(truncatingIfNeeded: value >> Int64(shift)) : (value < 0 ? 0xff : 0)
    }
    bytes[0] |= 0x80
    return bytes
  }

  mutating func add(_ header: Header, data: [UInt8] = []) {
    var block = [UInt8](repeating: 0, count: 512)
    func put(_ offset: Int, _ value: [UInt8], _ limit: Int) {
      for (index, byte) in value.prefix(limit).enumerated() { block[offset + index] = byte }
    }
    put(0, header.name, 100)
    put(100, Array(header.mode.utf8), 8)
    put(108, header.uid, 8)
    put(116, header.gid, 8)
    put(124, header.size ?? TarBuilder.octal(UInt64(data.count), 12), 12)
    put(136, Array(header.modified.utf8), 12)
    block[156] = header.type.asciiValue ?? 0
    put(157, header.link, 100)
    put(257, Array(header.magic.utf8), 8)
    put(345, header.prefix, 155)
    for (offset, patch) in header.patches { put(offset, patch, 512 - offset) }
    for index in 148..<156 { block[index] = 0x20 }
    let sum = block.reduce(0) { $0 + UInt64($1) }
    put(148, Array(TarBuilder.octal(sum, 7)) + [0x20], 8)
    bytes += block + data
    bytes += [UInt8](repeating: 0, count: (512 - data.count % 512) % 512)
  }

  mutating func file(_ name: String, _ content: String = "", mode: String = "0000644") {
    var header = Header(name)
    header.mode = mode
    add(header, data: Array(content.utf8))
  }

  mutating func file(_ name: [UInt8], _ content: String) { add(Header(name), data: Array(content.utf8)) }

  mutating func directory(_ name: String, mode: String = "0000755") {
    var header = Header(name, type: "5")
    header.mode = mode
    add(header)
  }

  mutating func symbolicLink(_ name: String, to target: String) {
    var header = Header(name, type: "2")
    header.link = Array(target.utf8)
    add(header)
  }

  mutating func hardLink(_ name: String, to target: String) {
    var header = Header(name, type: "1")
    header.link = Array(target.utf8)
    add(header)
  }

  /// A pax header for the next member.
  mutating func pax(_ records: [(String, [UInt8])], type: Character = "x") {
    add(Header("PaxHeaders/x", type: type), data: TarBuilder.records(records))
  }

  static func records(_ records: [(String, [UInt8])]) -> [UInt8] {
    var data: [UInt8] = []
    for (key, value) in records {
      let body = Array(" \(key)=".utf8) + value + [0x0a]
      var length = body.count
      while String(length).utf8.count + body.count != length { length = String(length).utf8.count + body.count }
      data += Array(String(length).utf8) + body
    }
    return data
  }

  /// The archive with the two blocks that end it.
  var finished: [UInt8] { bytes + [UInt8](repeating: 0, count: 1024) }
}
