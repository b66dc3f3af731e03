import LinuxKernel

/// One member of a tar archive, after every extension was applied.
struct TarEntry {
  enum Kind: Equatable {
    case file
    case hardLink
    case symbolicLink
    case characterDevice
    case blockDevice
    case directory
    case fifo
  }

  /// Where the data of a sparse file belongs; the rest of the file is holes.
  struct Region: Equatable {
    let offset: UInt64
    let length: UInt64
  }

  let kind: Kind
  /// As the archive has it: not checked in any way.
  var name: [UInt8]
  var linkName: [UInt8]
  /// The permission bits, with set-uid, set-gid and sticky.
  let mode: UInt32
  let uid: UInt32
  let gid: UInt32
  /// How long the file is; 0 for everything but files.
  let size: UInt64
  let modified: FileTime
  let attributes: [(name: [UInt8], value: [UInt8])]
  let sparse: [Region]?
}

/// Reads a tar archive entry by entry: ustar, pax, GNU and old tar, as Go's `archive/tar` understands them, so that no
/// member is seen here that other tools do not see, and none is missed. What is ambiguous there is refused here.
struct TarReader {
  let stream: ByteStream
  private let budgets: Budgets
  /// Data of the current entry that was not taken yet, and the padding behind it.
  private(set) var dataLeft: UInt64 = 0
  private var padding: UInt64 = 0
  private var ended = false

  init(_ stream: ByteStream, budgets: Budgets) {
    self.stream = stream
    self.budgets = budgets
  }

  /// The next entry, `nil` at the end of the archive. What is left of the data of the last one is passed over.
  mutating func next() throws(ImageError) -> TarEntry? {
    var pax: PaxRecords?
    var longName: [UInt8]?
    var longLink: [UInt8]?
    while true {
      try stream.skip(dataLeft)
      try stream.skip(padding)
      dataLeft = 0
      padding = 0
      guard let header = try nextHeader() else {
        guard pax == nil, longName == nil, longLink == nil else {
          throw .invalid("the archive ends after an extended header that belongs to nothing")
        }
        return nil
      }
      switch header.type {
      case UInt8(ascii: "x"):
        pax = try PaxRecords(try metadata(header, limit: budgets.paxBytes), budgets: budgets)
      case UInt8(ascii: "g"):
        let global = try PaxRecords(try metadata(header, limit: budgets.paxBytes), budgets: budgets)
        // Tools do not agree on what these mean for the entries after them.
        if global.changesMeaning { throw .invalid("a global pax header that changes names, sizes or owners") }
      case UInt8(ascii: "V"):
        // GNU tar's label of the archive, which is no member.
        _ = try startData(header.size)
        (pax, longName, longLink) = (nil, nil, nil)
      case UInt8(ascii: "L"): longName = try longText(header)
      case UInt8(ascii: "K"): longLink = try longText(header)
      default: return try entry(header, pax: pax, longName: longName, longLink: longLink)
      }
    }
  }

  /// The next piece of the current entry's data; empty when there is no more.
  mutating func data(upTo most: UInt64 = .max) throws(ImageError) -> UnsafeRawBufferPointer {
    if dataLeft == 0 { return UnsafeRawBufferPointer(start: nil, count: 0) }
    let piece = try stream.piece(upTo: min(dataLeft, most))
    if piece.isEmpty { throw .invalid("the archive ends in the middle of an entry's data") }
    dataLeft -= UInt64(piece.count)
    return piece
  }

  private mutating func nextHeader() throws(ImageError) -> TarHeader? {
    if ended { return nil }
    guard let block = try stream.block() else {
      ended = true
      return nil
    }
    // The first byte of a header is the first of a name, or of the prefix' empty name: only a zero block may be zero.
    guard block[0] == 0, block.allSatisfy({ $0 == 0 }) else { return try TarHeader(block) }
    ended = true
    if let second = try stream.block(), !second.allSatisfy({ $0 == 0 }) {
      throw .invalid("one block of zeros in the middle of the archive")
    }
    return nil
  }

  private mutating func startData(_ size: Int64) throws(ImageError) -> UInt64 {
    guard let size = UInt64(exactly: size) else { throw .invalid("the size of an entry is negative") }
    guard size <= budgets.unpackedBytes else {
      throw .invalid("an entry of \(size) bytes, more than the limit of \(budgets.unpackedBytes)")
    }
    dataLeft = size
    padding = (512 - size % 512) % 512
    return size
  }

  /// The data of an extended header.
  private mutating func metadata(_ header: TarHeader, limit: Int) throws(ImageError) -> [UInt8] {
    let size = try startData(header.size)
    guard size <= UInt64(limit) else { throw .invalid("an extended header of \(size) bytes, more than \(limit)") }
    var bytes: [UInt8] = []
    while dataLeft > 0 { bytes += try data() }
    return bytes
  }

  private mutating func longText(_ header: TarHeader) throws(ImageError) -> [UInt8] {
    let bytes = try metadata(header, limit: budgets.longNameBytes)
    return Array(bytes[..<(bytes.firstIndex(of: 0) ?? bytes.endIndex)])
  }

  private mutating func entry(_ header: TarHeader, pax: PaxRecords?, longName: [UInt8]?, longLink: [UInt8]?)
    throws(ImageError) -> TarEntry
  {
    var name = try TarReader.agree(pax?.path, longName, "name") ?? header.name
    let linkName = try TarReader.agree(pax?.linkPath, longLink, "link target") ?? header.linkName
    if let sparseName = pax?.sparse.name { name = sparseName }

    var kind: TarEntry.Kind
    switch header.type {
    case UInt8(ascii: "0"), UInt8(ascii: "7"), UInt8(ascii: "S"): kind = .file
    case 0: kind = name.last == UInt8(ascii: "/") ? .directory : .file  // how tar wrote directories before 1988
    case UInt8(ascii: "1"): kind = .hardLink
    case UInt8(ascii: "2"): kind = .symbolicLink
    case UInt8(ascii: "3"): kind = .characterDevice
    case UInt8(ascii: "4"): kind = .blockDevice
    case UInt8(ascii: "5"), UInt8(ascii: "D"): kind = .directory
    case UInt8(ascii: "6"): kind = .fifo
    default: throw ImageError.invalid("an entry of unknown type \(printable([header.type]))").at(place(name))
    }
    do throws(ImageError) {
      var size: UInt64 = 0
      var sparse: [TarEntry.Region]?
      if kind == .file {
        size = try startData(pax?.size ?? header.size)
        if let (realSize, regions) = try sparseMap(header, pax) {
          sparse = try TarReader.check(regions, stored: dataLeft, realSize: realSize)
          size = UInt64(realSize)
          guard size <= budgets.unpackedBytes else {
            throw .invalid("a sparse file of \(size) bytes, more than the limit of \(budgets.unpackedBytes)")
          }
        }
      }
      if header.type == UInt8(ascii: "D") {
        // A directory of GNU tar's incremental archives: its data lists the names that were in it.
        padding += try startData(pax?.size ?? header.size)
        dataLeft = 0
      }
      let modified = pax?.modified.map { FileTime(seconds: $0.seconds, nanoseconds: $0.nanoseconds) }
      return TarEntry(
        kind: kind, name: name, linkName: linkName, mode: UInt32(truncatingIfNeeded: header.mode) & 0o7777,
        uid: try TarReader.identity(pax?.uid ?? header.uid, "uid"),
        gid: try TarReader.identity(pax?.gid ?? header.gid, "gid"), size: size,
        modified: modified ?? FileTime(seconds: header.modified, nanoseconds: 0), attributes: pax?.attributes ?? [],
        sparse: sparse)
    } catch {
      throw error.at(place(name))
    }
  }

  private func place(_ name: [UInt8]) -> String { "entry \(printable(name.prefix(512)))" }

  /// One value from two extensions: readers differ on which of them wins, so they must not differ.
  private static func agree(_ pax: [UInt8]?, _ gnu: [UInt8]?, _ what: String) throws(ImageError) -> [UInt8]? {
    if let pax, let gnu, pax != gnu { throw .invalid("a pax header and a GNU header give an entry two \(what)s") }
    return pax ?? gnu
  }

  /// An id that the kernel can store: 2^32-1 means "leave as it is", and beyond it ids wrap around to root.
  private static func identity(_ value: Int64, _ what: String) throws(ImageError) -> UInt32 {
    guard let id = UInt32(exactly: value), id != .max else { throw .invalid("\(what) \(value) is no valid id") }
    return id
  }

  /// The map of a sparse file in any of its four forms, `nil` for a file that is not sparse.
  private mutating func sparseMap(_ header: TarHeader, _ pax: PaxRecords?) throws(ImageError) -> (Int64, [Int64])? {
    if let old = header.oldSparse {
      var regions = old.regions
      var continues = old.continues
      while continues {
        // The map goes on in blocks of its own between the header and the data, not counted in the entry's size.
        guard regions.count <= budgets.sparseRegions else {
          throw .invalid("a sparse file of more than \(budgets.sparseRegions) regions")
        }
        guard let block = try stream.block() else { throw .invalid("the archive ends in a sparse map") }
        regions += try TarHeader.sparseRegions(block, from: 0, count: 21)
        continues = block[504] != 0
      }
      return (old.realSize, regions.flatMap { [$0.offset, $0.length] })
    }
    if header.type == UInt8(ascii: "S") { throw .invalid("a sparse entry without GNU's header") }
    guard let sparse = pax?.sparse else { return nil }
    switch (sparse.major, sparse.minor) {
    case (1, 0):
      guard let realSize = sparse.realSize else { throw .invalid("a sparse file without its size") }
      return (realSize, try leadingMap())
    case (nil, nil) where sparse.map == nil: return nil
    case (0, 0), (0, 1), (nil, nil):
      guard let realSize = sparse.realSize, let map = sparse.map else {
        throw .invalid("a sparse file without its map")
      }
      return (realSize, map)
    default: throw .invalid("a sparse file of an unknown version")
    }
  }

  /// The map of format 1.0: decimal lines at the start of the data, padded to a block; the first is the number of pairs.
  private mutating func leadingMap() throws(ImageError) -> [Int64] {
    var numbers: [Int64] = []
    var expected: Int?
    var digits: [UInt8] = []
    while expected.map({ numbers.count < $0 }) ?? true {
      guard dataLeft >= 512, let block = try stream.block() else { throw .invalid("a sparse map is cut off") }
      dataLeft -= 512
      for byte in block {
        if byte != 0x0a {
          digits.append(byte)
          if digits.count > 20 { throw .invalid("a sparse map is malformed") }
          continue
        }
        guard let number = PaxRecords.decimal(digits[...]) else { throw .invalid("a sparse map is malformed") }
        digits.removeAll(keepingCapacity: true)
        if expected != nil {
          numbers.append(number)
        } else {
          guard number >= 0, number <= Int64(budgets.sparseRegions) else {
            throw .invalid("a sparse file of \(number) regions")
          }
          expected = 2 * Int(number)
        }
        if numbers.count == expected { break }
      }
    }
    return numbers
  }

  /// The regions in order, without overlap, inside the file, and together exactly as long as the data.
  private static func check(_ numbers: [Int64], stored: UInt64, realSize: Int64) throws(ImageError) -> [TarEntry.Region]
  {
    guard realSize >= 0, numbers.count % 2 == 0 else { throw .invalid("a sparse map is malformed") }
    var regions: [TarEntry.Region] = []
    var end: Int64 = 0
    var total: UInt64 = 0
    for index in stride(from: 0, to: numbers.count, by: 2) {
      let offset = numbers[index]
      let length = numbers[index + 1]
      guard offset >= end, length >= 0, length <= realSize, offset <= realSize - length else {
        throw .invalid("a sparse map whose regions overlap or lie outside the file")
      }
      end = offset + length
      total += UInt64(length)
      if length > 0 { regions.append(TarEntry.Region(offset: UInt64(offset), length: UInt64(length))) }
    }
    guard total == stored else { throw .invalid("a sparse map for \(total) bytes of data, but there are \(stored)") }
    return regions
  }
}
