import Glibc
import LinuxKernel
import StrictJSON

/// Who gives a name to an image.
package enum NameGiver: Sendable, Equatable {
  case `operator`
  /// A task of this role, whose image was fetched by that name.
  case role(String)
}

/// Which names lead to which images: `references.json`.
///
/// Every command reads it, so nothing that it can be given may make it unreadable: `write` refuses what `init` would not
/// take, before the file is touched, and an entry that is none is left out and said (`problems`).
struct ReferenceTable {
  private var ids: [ImageReference: Digest] = [:]
  /// In the order they were given.
  private var names: [Digest: [ImageReference]] = [:]
  /// Those that came by a task's pull, and that the next one brings again, with the role that it was for. All others are an
  /// operator's word.
  private var pulled: [ImageReference: String] = [:]
  /// What of the file is no name of an image; gone with the next `write`.
  private(set) var problems: [String] = []

  /// The file's size, for who reads it and who writes it: some 5,000 names of the greatest length, or 30,000 of the usual.
  static let maximumBytes = 4 << 20
  /// Of one image, by operators and by tasks each. One that gets more loses one of that kind.
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
      let giver = item["pulled_for"]?.string.map { NameGiver.role($0) } ?? .operator
      do throws(ReferenceError) { set(try ImageReference(name), to: id, by: giver) } catch {
        problems.append("\(path): references[\(index)]: \(printable(error.description.utf8))")
      }
    }
  }

  /// Replaces the table on the disk. When it is full, names go that tasks' pulls gave.
  func write(_ path: String) throws(ImageError) {
    var table = self
    var bytes = table.encoded
    while bytes.count > ReferenceTable.maximumBytes,
      table.dropPulled(of: Array(table.pulled.keys), bytes: bytes.count - ReferenceTable.maximumBytes)
    {
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
      names.map {
        JSON(object: [
          ("name", JSON($0.canonical)), ("id", JSON(id.description)), ("pulled_for", pulled[$0].map { JSON($0) }),
        ])
      }
    }
    return Array(JSON(object: [("schema_version", 1), ("references", JSON(entries))]).pretty.utf8)
  }

  func id(of reference: ImageReference) -> Digest? { ids[reference] }
  func references(to id: Digest) -> [ImageReference] { names[id] ?? [] }

  /// Makes `reference` lead to `id`, wherever it led before. A name that an operator gave stays one.
  mutating func set(_ reference: ImageReference, to id: Digest, by giver: NameGiver) {
    let isOperators = ids[reference] != nil && pulled[reference] == nil
    remove(reference)
    ids[reference] = id
    names[id, default: []].append(reference)
    if case .role(let role) = giver, !isOperators { pulled[reference] = role }
    guard references(to: id).count > ReferenceTable.maximumNames else { return }
    let isPulled = pulled[reference] != nil
    let same = references(to: id).filter { (pulled[$0] != nil) == isPulled }
    guard same.count > ReferenceTable.maximumNames else { return }
    if isPulled { dropPulled(of: same) } else { remove(same[0]) }
  }

  /// Forgets some of the names that tasks' pulls gave: the first ones of the role that has the most of them, so that nobody who gives
  /// many takes away another's.
  ///
  /// - Parameters:
  ///   - names: in the order they were given, as far as they are of one image.
  ///   - bytes: how much of the file is to be gained; one name at the least.
  /// - Returns: whether there was one.
  @discardableResult
  private mutating func dropPulled(of names: [ImageReference], bytes: Int = 1) -> Bool {
    var roles = Dictionary(grouping: names) { pulled[$0] ?? "" }.mapValues { $0[...] }
    var gained = 0
    while gained < bytes {
      let most = roles.max { ($0.value.count, $1.key) < ($1.value.count, $0.key) }
      guard let most, let dropped = roles[most.key]?.popFirst() else { break }
      remove(dropped)
      // At the least, with the digest.
      gained += dropped.canonical.utf8.count + 100
    }
    return gained > 0
  }

  mutating func remove(_ reference: ImageReference) {
    guard let id = ids.removeValue(forKey: reference) else { return }
    pulled[reference] = nil
    names[id]?.removeAll { $0 == reference }
    if names[id]?.isEmpty == true { names[id] = nil }
  }

  mutating func removeAll(to id: Digest) {
    for reference in names.removeValue(forKey: id) ?? [] {
      ids[reference] = nil
      pulled[reference] = nil
    }
  }
}
