/// The records of one pax extended header: what they override, and nothing else.
///
/// Where a key occurs twice the last one counts; an empty value takes back what the record before said.
struct PaxRecords {
  private(set) var path: [UInt8]?
  private(set) var linkPath: [UInt8]?
  private(set) var size: Int64?
  private(set) var uid: Int64?
  private(set) var gid: Int64?
  private(set) var modified: (seconds: Int64, nanoseconds: Int32)?
  /// `SCHILY.xattr.*`, in the order of the header, names without that prefix.
  private(set) var attributes: [(name: [UInt8], value: [UInt8])] = []
  private(set) var sparse = Sparse()

  /// What GNU tar's three ways to write sparse files in pax headers say.
  struct Sparse {
    var name: [UInt8]?
    var major: Int64?
    var minor: Int64?
    var realSize: Int64?
    /// Offsets and lengths in turn: from `GNU.sparse.map` (0.1) or from pairs of records (0.0).
    var map: [Int64]?
  }

  private enum Key: String, CaseIterable {
    case path
    case linkpath
    case size
    case uid
    case gid
    case mtime
    case sparseName = "GNU.sparse.name"
    case sparseMajor = "GNU.sparse.major"
    case sparseMinor = "GNU.sparse.minor"
    case sparseSize = "GNU.sparse.size"
    case sparseRealSize = "GNU.sparse.realsize"
    case sparseMap = "GNU.sparse.map"
    case sparseOffset = "GNU.sparse.offset"
    case sparseLength = "GNU.sparse.numbytes"
  }

  /// Compared as bytes: strings would also take what merely looks alike.
  private static let keys = Key.allCases.map { (text: Array($0.rawValue.utf8), key: $0) }

  /// Reads `length key=value\n` records that fill `bytes` whole.
  init(_ bytes: [UInt8], budgets: Budgets) throws(ImageError) {
    var index = 0
    while index < bytes.count {
      guard let space = bytes[index...].prefix(21).firstIndex(of: 0x20),
        let length = PaxRecords.decimal(bytes[index..<space]), length <= Int64(bytes.count - index),
        length >= Int64(space - index + 3)
      else { throw .invalid("a pax record has a wrong length") }
      let end = index + Int(length)
      guard bytes[end - 1] == 0x0a, let equals = bytes[space..<end].firstIndex(of: UInt8(ascii: "=")),
        equals > space + 1
      else { throw .invalid("a pax record is malformed") }
      try take(key: bytes[(space + 1)..<equals], value: bytes[(equals + 1)..<(end - 1)], budgets: budgets)
      index = end
    }
  }

  private mutating func take(key: ArraySlice<UInt8>, value: ArraySlice<UInt8>, budgets: Budgets) throws(ImageError) {
    guard !key.contains(0) else { throw .invalid("a pax key holds a NUL") }
    switch PaxRecords.keys.first(where: { $0.text.elementsEqual(key) })?.key {
    case .path: path = try PaxRecords.name(value)
    case .linkpath: linkPath = try PaxRecords.name(value)
    case .size: size = try PaxRecords.number(value, "size")
    case .uid: uid = try PaxRecords.number(value, "uid")
    case .gid: gid = try PaxRecords.number(value, "gid")
    case .mtime: modified = try PaxRecords.time(value)
    case .sparseName: sparse.name = try PaxRecords.name(value)
    case .sparseMajor: sparse.major = try PaxRecords.number(value, "GNU.sparse.major")
    case .sparseMinor: sparse.minor = try PaxRecords.number(value, "GNU.sparse.minor")
    case .sparseSize, .sparseRealSize: sparse.realSize = try PaxRecords.number(value, "size of a sparse file")
    case .sparseMap: try takeMap(value, regions: budgets.sparseRegions)
    case .sparseOffset: try takeRegionPart(value, isOffset: true, regions: budgets.sparseRegions)
    case .sparseLength: try takeRegionPart(value, isOffset: false, regions: budgets.sparseRegions)
    case nil:
      let prefix = "SCHILY.xattr.".utf8
      guard key.starts(with: prefix) else { return }  // comments, names of users, other times
      let name = Array(key.dropFirst(prefix.count))
      attributes.removeAll { $0.name == name }
      guard attributes.count < budgets.attributes else {
        throw .invalid("more than \(budgets.attributes) extended attributes")
      }
      attributes.append((name, Array(value)))
    }
  }

  private mutating func takeMap(_ value: ArraySlice<UInt8>, regions: Int) throws(ImageError) {
    var numbers: [Int64] = []
    for text in value.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false) where !value.isEmpty {
      guard numbers.count < 2 * regions else { throw .invalid("a sparse file of more than \(regions) regions") }
      guard let number = PaxRecords.decimal(text) else { throw .invalid("a sparse map is malformed") }
      numbers.append(number)
    }
    sparse.map = numbers
  }

  private mutating func takeRegionPart(_ value: ArraySlice<UInt8>, isOffset: Bool, regions: Int) throws(ImageError) {
    var numbers = sparse.map ?? []
    guard numbers.count < 2 * regions else { throw .invalid("a sparse file of more than \(regions) regions") }
    guard (numbers.count % 2 == 0) == isOffset, let number = PaxRecords.decimal(value) else {
      throw .invalid("a sparse map is malformed")
    }
    numbers.append(number)
    sparse.map = numbers
  }

  private static func name(_ value: ArraySlice<UInt8>) throws(ImageError) -> [UInt8]? {
    guard !value.contains(0) else { throw .invalid("a name in a pax header holds a NUL") }
    return value.isEmpty ? nil : Array(value)
  }

  private static func number(_ value: ArraySlice<UInt8>, _ what: String) throws(ImageError) -> Int64? {
    if value.isEmpty { return nil }
    guard let number = decimal(value) else { throw .invalid("the \(what) in a pax header is no number") }
    return number
  }

  /// Decimal digits with an optional minus, and nothing else.
  static func decimal(_ text: ArraySlice<UInt8>) -> Int64? {
    let negative = text.first == UInt8(ascii: "-")
    let digits = negative ? text.dropFirst() : text
    guard !digits.isEmpty, digits.count <= 19 else { return nil }
    var value: Int64 = 0
    for byte in digits {
      guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
      let (product, overflow) = value.multipliedReportingOverflow(by: 10)
      let (sum, more) = product.addingReportingOverflow(Int64(byte - UInt8(ascii: "0")))
      if overflow || more { return nil }
      value = sum
    }
    return negative ? -value : value
  }

  /// Seconds with an optional fraction; digits beyond nanoseconds are dropped.
  private static func time(_ value: ArraySlice<UInt8>) throws(ImageError) -> (seconds: Int64, nanoseconds: Int32)? {
    if value.isEmpty { return nil }
    let parts = value.split(separator: UInt8(ascii: "."), maxSplits: 1, omittingEmptySubsequences: false)
    guard let whole = parts.first, let seconds = decimal(whole) else {
      throw .invalid("a time in a pax header is no number")
    }
    var nanoseconds: Int32 = 0
    if parts.count == 2 {
      var unit: Int32 = 100_000_000
      for byte in parts[1] {
        guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else {
          throw .invalid("a time in a pax header is no number")
        }
        nanoseconds += Int32(byte - UInt8(ascii: "0")) * unit
        unit /= 10
      }
    }
    guard whole.first == UInt8(ascii: "-"), nanoseconds > 0 else { return (seconds, nanoseconds) }
    // -1.25 is a quarter of a second before -1: counted up from -2.
    return seconds == .min ? (seconds, 0) : (seconds - 1, 1_000_000_000 - nanoseconds)
  }

  /// Whether a global header with these records would change what the entries after it are. Times are left to the
  /// entries' own headers, as Go does.
  var changesMeaning: Bool {
    path != nil || linkPath != nil || size != nil || uid != nil || gid != nil || !attributes.isEmpty
      || sparse.name != nil || sparse.major != nil || sparse.minor != nil || sparse.realSize != nil || sparse.map != nil
  }
}
