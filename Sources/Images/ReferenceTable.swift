import Glibc
import LinuxKernel
import StrictJSON

/// Which names lead to which images: `references.json`.
struct ReferenceTable {
  private(set) var entries: [(reference: ImageReference, id: Digest)] = []

  /// Reads the table; a store without one has no names yet.
  init(_ path: String) throws(ImageError) {
    let bytes: [UInt8]
    do throws(Errno) {
      bytes = try readFile(path, limit: ReferenceTable.maximumBytes)
    } catch  where error.code == ENOENT {
      return
    } catch {
      throw ImageError(error, doing: "read \(path)")
    }
    let json = try ArchiveFiles.parse(bytes, path)
    guard json["schema_version"]?.integer == 1, let list = json["references"]?.array else {
      throw .invalid("\(path) is damaged")
    }
    for item in list {
      guard let name = item["name"]?.string, let id = item["id"]?.string.flatMap({ Digest($0) }) else {
        throw .invalid("\(path) is damaged")
      }
      do throws(ReferenceError) { entries.append((try ImageReference(name), id)) } catch {
        throw .invalid("\(path) is damaged: \(error)")
      }
    }
  }

  private static let maximumBytes = 4 << 20

  /// Replaces the table on the disk.
  func write(_ path: String) throws(ImageError) {
    let json = JSON(object: [
      ("schema_version", 1),
      (
        "references",
        JSON(entries.map { JSON(object: [("name", JSON($0.reference.canonical)), ("id", JSON($0.id.description))]) })
      ),
    ])
    try kernel("write \(path)") { () throws(Errno) in
      try writeFileAtomically(path, Array(json.pretty.utf8), mode: 0o600, durable: true)
    }
  }

  func id(of reference: ImageReference) -> Digest? { entries.first { $0.reference == reference }?.id }
  func references(to id: Digest) -> [ImageReference] { entries.filter { $0.id == id }.map(\.reference) }

  /// Makes `reference` lead to `id`, wherever it led before.
  mutating func set(_ reference: ImageReference, to id: Digest) {
    entries.removeAll { $0.reference == reference }
    entries.append((reference, id))
  }

  mutating func remove(_ reference: ImageReference) { entries.removeAll { $0.reference == reference } }
  mutating func removeAll(to id: Digest) { entries.removeAll { $0.id == id } }
}
