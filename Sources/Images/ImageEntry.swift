import LinuxKernel
import StrictJSON

/// What look-ups, removals and listings need of an image: `entry.json`. It is small whatever the image says about itself,
/// so that one image costs no other's user anything.
struct ImageEntry: Sendable, Equatable {
  let id: Digest
  var manifestDigest: Digest?
  /// All layers, bottom to top.
  let diffIDs: [Digest]
  /// What is stacked, bottom to top: those of the layers that are seen, and supplements. Older executors have written none, and
  /// stack the layers.
  let stack: [Digest]
  /// What it is called as an AppC image, when it came as one.
  let appc: AppcIdentity?
  let os: String
  let architecture: String
  let importedAt: UInt64

  /// For who reads it and who writes it.
  static let maximumBytes = 64 << 10

  init(
    id: Digest, manifestDigest: Digest?, diffIDs: [Digest], stack: [Digest], appc: AppcIdentity?, os: String,
    architecture: String, importedAt: UInt64
  ) {
    self.id = id
    self.manifestDigest = manifestDigest
    self.diffIDs = diffIDs
    self.stack = stack
    self.appc = appc
    self.os = os
    self.architecture = architecture
    self.importedAt = importedAt
  }

  /// The document; one that would not be read again is refused.
  func document() throws(ImageError) -> [UInt8] {
    let json = JSON(object: [
      ("schema_version", 1), ("id", JSON(id.description)),
      ("manifest_digest", manifestDigest.map { JSON($0.description) }),
      ("imported_at", JSON(importedAt)), ("os", JSON(os)), ("architecture", JSON(architecture)),
      ("layers", JSON(diffIDs.map { JSON($0.description) })), ("stack", stackDocument), ("appc", appc?.json),
    ])
    let bytes = Array(json.pretty.utf8)
    guard bytes.count <= ImageEntry.maximumBytes else {
      throw .invalid(
        "its name, labels and layers take \(bytes.count) bytes in the store, more than \(ImageEntry.maximumBytes)")
    }
    return bytes
  }

  init(_ json: JSON) throws(ImageError) {
    guard json["schema_version"]?.integer == 1, let id = json["id"]?.string.flatMap({ Digest($0) }),
      let importedAt = json["imported_at"]?.integer.flatMap({ UInt64(exactly: $0) }),
      let os = json["os"]?.string, let architecture = json["architecture"]?.string,
      let layers = json["layers"]?.array
    else { throw ImageEntry.damage }
    let appc = json["appc"].flatMap { AppcIdentity($0) }
    let diffIDs = layers.compactMap { $0.string.flatMap { Digest($0) } }
    guard diffIDs.count == layers.count, (appc == nil) == (json["appc"] == nil) else { throw ImageEntry.damage }
    self.init(
      id: id, manifestDigest: json["manifest_digest"]?.string.flatMap { Digest($0) }, diffIDs: diffIDs,
      stack: try ImageEntry.stack(json, diffIDs), appc: appc, os: os, architecture: architecture,
      importedAt: importedAt)
  }

  /// `stack` of a document; the layers where it says nothing.
  static func stack(_ json: JSON, _ diffIDs: [Digest]) throws(ImageError) -> [Digest] {
    guard let stacked = json["stack"] else { return diffIDs }
    guard let items = stacked.array else { throw damage }
    let stack = items.compactMap { $0.string.flatMap { Digest($0) } }
    guard stack.count == items.count else { throw damage }
    return stack
  }

  var stackDocument: JSON? { stack == diffIDs ? nil : JSON(stack.map { JSON($0.description) }) }

  static let damage = ImageError.invalid(
    "the record of the image is damaged", hint: "remove the image and import it again")
}
