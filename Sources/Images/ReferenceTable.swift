import Glibc
import LinuxKernel
import StrictJSON

/// Which names lead to which images: `references.json`.
///
/// Every command reads it, so nothing that it can be given may make it unreadable: `write` refuses what `init` would not
/// take, before the file is touched, and an entry that is none is left out and said (`problems`).
struct ReferenceTable {
  private var ids: [ImageReference: Digest] = [:]
  /// In the order they were given.
  private var names: [Digest: [ImageReference]] = [:]
  /// What of the file is no name of an image; gone with the next `write`.
  private(set) var problems: [String] = []

  /// The file's size, for who reads it and who writes it: some 5,000 names of the greatest length, or 30,000 of the usual.
  static let maximumBytes = 4 << 20
  /// Of one image. One that gets more loses the oldest, which the next pull by that name gives again.
  static let maximumNames = 64

  private static let remedy = "move the file away: images keep their ids, and importing or pulling names them again"

  /// Reads the table; a store without one has no names yet.
  init(_ path: String) throws(ImageError) {
    let bytes: [UInt8]
    do throws(Errno) {
      bytes = try readFile(path, limit: ReferenceTable.maximumBytes)
    } catch  where error.code == ENOENT {
      self.init()
      return
    } catch {
      throw ImageError(error, doing: "read \(path)", hint: error.code == EFBIG ? ReferenceTable.remedy : "")
    }
    try self.init(parsing: bytes, of: path)
  }

  private init() {}

  private init(parsing bytes: [UInt8], of path: String) throws(ImageError) {
    let json: JSON
    do throws(JSONError) {
      json = try JSON(parsing: bytes, limits: JSON.Limits(bytes: ReferenceTable.maximumBytes))
    } catch {
      throw .invalid("\(path) is damaged: \(error)", hint: ReferenceTable.remedy)
    }
    guard json["schema_version"]?.integer == 1, let list = json["references"]?.array else {
      throw .invalid("\(path) is damaged", hint: ReferenceTable.remedy)
    }
    for (index, item) in list.enumerated() {
      guard let name = item["name"]?.string, let id = item["id"]?.string.flatMap({ Digest($0) }) else {
        problems.append("\(path): references[\(index)] is no name and id")
        continue
      }
      do throws(ReferenceError) { set(try ImageReference(name), to: id) } catch {
        problems.append("\(path): references[\(index)]: \(printable(error.description.utf8))")
      }
    }
  }

  /// Replaces the table on the disk. When it is full the images with the most names lose their oldest, as with
  /// `maximumNames`: whoever gives many takes no others' room.
  func write(_ path: String) throws(ImageError) {
    var table = self
    var bytes = table.encoded
    while bytes.count > ReferenceTable.maximumBytes, let most = table.names.values.map(\.count).max(), most > 1 {
      for (_, names) in table.names where names.count == most { table.remove(names[0]) }
      bytes = table.encoded
    }
    guard bytes.count <= ReferenceTable.maximumBytes else {
      throw ImageError(
        .exhausted,
        why:
          "\(path) is full: the \(ids.count) names of images would take more than \(ReferenceTable.maximumBytes >> 20) MiB",
        hint: "remove images that nobody needs: `aurora-executor image gc`, `image rm`")
    }
    let read = try ReferenceTable(parsing: bytes, of: path)
    guard read.ids == table.ids, read.problems.isEmpty else {
      throw .invalid("a name of an image would not be read again: \(read.problems.joined(separator: "; "))")
    }
    try kernel("write \(path)") { () throws(Errno) in
      try writeFileAtomically(path, bytes, mode: 0o600, durable: true)
    }
  }

  private var encoded: [UInt8] {
    let entries = names.sorted { $0.key.hex < $1.key.hex }.flatMap { (id, names) in
      names.map { JSON(object: [("name", JSON($0.canonical)), ("id", JSON(id.description))]) }
    }
    return Array(JSON(object: [("schema_version", 1), ("references", JSON(entries))]).pretty.utf8)
  }

  func id(of reference: ImageReference) -> Digest? { ids[reference] }
  func references(to id: Digest) -> [ImageReference] { names[id] ?? [] }

  /// Makes `reference` lead to `id`, wherever it led before.
  mutating func set(_ reference: ImageReference, to id: Digest) {
    remove(reference)
    ids[reference] = id
    names[id, default: []].append(reference)
    if references(to: id).count > ReferenceTable.maximumNames, let oldest = names[id]?.first { remove(oldest) }
  }

  mutating func remove(_ reference: ImageReference) {
    guard let id = ids.removeValue(forKey: reference) else { return }
    names[id]?.removeAll { $0 == reference }
    if names[id]?.isEmpty == true { names[id] = nil }
  }

  mutating func removeAll(to id: Digest) {
    for reference in names.removeValue(forKey: id) ?? [] { ids[reference] = nil }
  }
}
