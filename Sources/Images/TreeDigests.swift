/// What a layer's tree was when it was unpacked: for each name a digest of all that a container can see of it. So `image
/// verify` can say what is another now.
///
///     "aurora-tree 1\n"
///     for each name, parents first, the names of a directory by their bytes:
///       u16  bytes that its path has in common with the one before
///       u16  bytes that follow
///       …    those bytes
///       16   the first half of the SHA-256 of its attributes and content
///     32     the SHA-256 of everything before
///
/// Half a digest tells one change from none as well as a whole one; nobody who could choose content for it is kept from writing
/// here. An image's author decides how many names there are and how long, so both who writes it and who reads it hold one of
/// them at a time (`TreeDigestsWriter`, `TreeDigestsReader`).
enum TreeDigests {
  /// A name and what was digested of it.
  struct Item: Equatable {
    var path: [UInt8]
    var digest: [UInt8]
  }

  static let digestBytes = 16
  static let sumBytes = 32
  static let magic = Array("aurora-tree 1\n".utf8)

  private static let slash = UInt8(ascii: "/")

  /// Whether one path comes before another in the order of `TreeWalk`: by the directories, those above before those in them,
  /// and in a directory by the names.
  static func precedes(_ one: [UInt8], _ other: [UInt8]) -> Bool {
    if one.isEmpty || other.isEmpty { return one.isEmpty && !other.isEmpty }
    let (left, right) = (split(one), split(other))
    guard left.directory.elementsEqual(right.directory) else {
      return left.directory.lexicographicallyPrecedes(right.directory) { rank($0) < rank($1) }
    }
    return left.name.lexicographicallyPrecedes(right.name)
  }

  /// A name ends before it goes on.
  private static func rank(_ byte: UInt8) -> UInt8 { byte == slash ? 0 : byte }

  private static func split(_ path: [UInt8]) -> (directory: ArraySlice<UInt8>, name: ArraySlice<UInt8>) {
    guard let slash = path.lastIndex(of: slash) else { return ([], path[...]) }
    return (path[..<slash], path[(slash + 1)...])
  }
}
