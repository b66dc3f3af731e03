/// The fixed 512 bytes before every member of a tar archive, as they stand there.
///
/// Old tar, POSIX ustar, GNU tar and star share the first 257 bytes and differ in what follows; which one wrote a header
/// shows in its magic. Numbers follow the rules of Go's `archive/tar`, which container tools read layers with.
struct TarHeader {
  enum Dialect {
    case v7
    case ustar
    case star
    case gnu
  }

  let dialect: Dialect
  let type: UInt8
  let name: [UInt8]
  let linkName: [UInt8]
  let mode: Int64
  let uid: Int64
  let gid: Int64
  let size: Int64
  let modified: Int64
  /// The sparse map of an old GNU header (offset 386) and the size of the whole file; `nil` for other headers.
  let oldSparse: (regions: [(offset: Int64, length: Int64)], continues: Bool, realSize: Int64)?

  init(_ block: UnsafeRawBufferPointer) throws(ImageError) {
    guard TarHeader.checksumMatches(block) else { throw .invalid("a tar header has a wrong checksum") }
    if TarHeader.has(block, 257, "ustar\0") {
      dialect = TarHeader.has(block, 508, "tar\0") ? .star : .ustar
    } else {
      dialect = TarHeader.has(block, 257, "ustar  \0") ? .gnu : .v7
    }
    type = block[156]
    mode = try TarHeader.number(block, 100, 8, "mode")
    uid = try TarHeader.number(block, 108, 8, "uid")
    gid = try TarHeader.number(block, 116, 8, "gid")
    size = try TarHeader.number(block, 124, 12, "size")
    modified = try TarHeader.number(block, 136, 12, "modification time")
    linkName = TarHeader.text(block, 157, 100)

    var name = TarHeader.text(block, 0, 100)
    let prefix: [UInt8] =
      switch dialect {
      case .ustar: TarHeader.text(block, 345, 155)
      case .star: TarHeader.text(block, 345, 131)
      case .v7, .gnu: []
      }
    if !prefix.isEmpty { name = prefix + [UInt8(ascii: "/")] + name }
    self.name = name

    if dialect == .gnu, type == UInt8(ascii: "S") {
      let regions = try TarHeader.sparseRegions(block, from: 386, count: 4)
      let realSize = try TarHeader.number(block, 483, 12, "size of a sparse file")
      oldSparse = (regions, block[482] != 0, realSize)
    } else {
      oldSparse = nil
    }
  }

  /// Up to `count` pairs of offset and length; an empty one ends the list.
  static func sparseRegions(_ block: UnsafeRawBufferPointer, from start: Int, count: Int) throws(ImageError)
    -> [(offset: Int64, length: Int64)]
  {
    var regions: [(offset: Int64, length: Int64)] = []
    for index in 0..<count {
      let place = start + index * 24
      if block[place] == 0 { break }
      regions.append(
        (try number(block, place, 12, "sparse offset"), try number(block, place + 12, 12, "sparse length")))
    }
    return regions
  }

  private static func has(_ block: UnsafeRawBufferPointer, _ offset: Int, _ text: StaticString) -> Bool {
    text.withUTF8Buffer { block[offset..<(offset + $0.count)].elementsEqual($0) }
  }

  /// The bytes up to the first NUL.
  private static func text(_ block: UnsafeRawBufferPointer, _ offset: Int, _ length: Int) -> [UInt8] {
    let field = block[offset..<(offset + length)]
    return Array(field[..<(field.firstIndex(of: 0) ?? field.endIndex)])
  }

  /// Old tars summed signed characters, so both sums count.
  private static func checksumMatches(_ block: UnsafeRawBufferPointer) -> Bool {
    guard let stated = octal(block[148..<156]) else { return false }
    var unsigned: Int64 = 0
    var highBytes: Int64 = 0
    for byte in block[0..<512] {
      unsigned += Int64(byte)
      highBytes += Int64(byte >> 7)
    }
    for byte in block[148..<156] {  // the field itself counts as spaces
      unsigned += 0x20 - Int64(byte)
      highBytes -= Int64(byte >> 7)
    }
    return stated == unsigned || stated == unsigned - 256 * highBytes
  }

  private static func number(_ block: UnsafeRawBufferPointer, _ offset: Int, _ length: Int, _ what: String)
    throws(ImageError) -> Int64
  {
    let field = block[offset..<(offset + length)]
    let value = block[offset] & 0x80 != 0 ? binary(field) : octal(field)
    guard let value else { throw .invalid("the \(what) in a tar header is no number") }
    return value
  }

  /// Octal digits, padded with spaces and NULs on either side; nothing at all is zero.
  private static func octal(_ field: Slice<UnsafeRawBufferPointer>) -> Int64? {
    func isPadding(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0 }
    guard let first = field.firstIndex(where: { !isPadding($0) }), let last = field.lastIndex(where: { !isPadding($0) })
    else { return 0 }
    var value: Int64 = 0
    for byte in field[first...last] {
      if byte == 0 { break }
      guard (UInt8(ascii: "0")...UInt8(ascii: "7")).contains(byte) else { return nil }
      value = value << 3 | Int64(byte - UInt8(ascii: "0"))  // twelve digits at most: 36 bits
    }
    return value
  }

  /// GNU's base-256: the first bit marks the form, the second is the sign of a two's complement number.
  private static func binary(_ field: Slice<UnsafeRawBufferPointer>) -> Int64? {
    let negative = field[field.startIndex] & 0x40 != 0
    let flip: UInt8 = negative ? 0xff : 0
    var value: UInt64 = 0
    for (index, raw) in field.enumerated() {
      var byte = raw ^ flip
      if index == 0 { byte &= 0x7f }
      if value >> 56 != 0 { return nil }
      value = value << 8 | UInt64(byte)
    }
    guard let magnitude = Int64(exactly: value) else { return nil }
    return negative ? ~magnitude : magnitude
  }
}
