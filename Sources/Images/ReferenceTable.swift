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
  /// Those that came by a task's pull, and that the next one brings again. All others are an operator's word.
  private var pulled: Set<ImageReference> = []
  private var last: ImageReference?
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
      let isPulled = item["pulled"]?.bool == true
      do throws(ReferenceError) { set(try ImageReference(name), to: id, by: isPulled ? .pull : .operator) } catch {
        problems.append("\(path): references[\(index)]: \(printable(error.description.utf8))")
      }
    }
  }

  /// Replaces the table on the disk. When it is full, names go that tasks' pulls gave.
  func write(_ path: String) throws(ImageError) {
    var table = self
    var bytes = table.encoded
    while bytes.count > ReferenceTable.maximumBytes,
      table.dropPulled(of: table.pulled, bytes: bytes.count - ReferenceTable.maximumBytes)
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
          ("name", JSON($0.canonical)), ("id", JSON(id.description)), ("pulled", pulled.contains($0) ? true : nil),
        ])
      }
    }
    return Array(JSON(object: [("schema_version", 1), ("references", JSON(entries))]).pretty.utf8)
  }

  func id(of reference: ImageReference) -> Digest? { ids[reference] }
  func references(to id: Digest) -> [ImageReference] { names[id] ?? [] }

  /// Who gives a name.
  enum Giver {
    case `operator`
    /// A task, whose image was fetched by that name.
    case pull
  }

  /// Makes `reference` lead to `id`, wherever it led before. A name that an operator gave stays one.
  mutating func set(_ reference: ImageReference, to id: Digest, by giver: Giver) {
    let isPulled = giver == .pull && (ids[reference] == nil || pulled.contains(reference))
    remove(reference)
    ids[reference] = id
    names[id, default: []].append(reference)
    last = reference
    if isPulled { pulled.insert(reference) }
    guard references(to: id).count > ReferenceTable.maximumNames else { return }
    let same = references(to: id).filter { pulled.contains($0) == isPulled }
    guard same.count > ReferenceTable.maximumNames else { return }
    if isPulled { dropPulled(of: same) } else { remove(same[0]) }
  }

  /// Forgets some of the names that tasks' pulls gave: the first ones of the repository that has the most of them, so that nobody
  /// who gives many takes away another's; where each has one, the last that was given.
  ///
  /// - Parameter bytes: how much of the file is to be gained; one name at the least.
  /// - Returns: whether there was one.
  @discardableResult
  private mutating func dropPulled(of names: some Collection<ImageReference>, bytes: Int = 1) -> Bool {
    var repositories = Dictionary(grouping: names) { $0.registry + "/" + $0.repository }
    var gained = 0
    while gained < bytes {
      let most = repositories.max { ($0.value.count, $1.key) < ($1.value.count, $0.key) }
      guard let most, let first = most.value.first else { break }
      var dropped = first
      if most.value.count == 1, let last, ids[last] != nil, repositories[last.registry + "/" + last.repository] != nil {
        dropped = last
      }
      repositories[dropped.registry + "/" + dropped.repository]?.removeFirst()
      remove(dropped)
      // At the least, with the digest.
      gained += dropped.canonical.utf8.count + 100
    }
    return gained > 0
  }

  mutating func remove(_ reference: ImageReference) {
    guard let id = ids.removeValue(forKey: reference) else { return }
    pulled.remove(reference)
    names[id]?.removeAll { $0 == reference }
    if names[id]?.isEmpty == true { names[id] = nil }
  }

  mutating func removeAll(to id: Digest) {
    for reference in names.removeValue(forKey: id) ?? [] {
      ids[reference] = nil
      pulled.remove(reference)
    }
  }
}
