import LinuxKernel
import StrictJSON

/// One layer of a stored image, unpacked.
package struct StoredLayer: Sendable, Hashable {
  /// The digest of the layer's tar stream; of an ACI's, that of what it was made of.
  package let diffID: Digest
  /// Its tree, in the form overlayfs stacks with the option `userxattr`. Never to be changed.
  package let path: String
  /// Bytes of file content.
  package let bytes: UInt64
  /// Whether it completes the layers below it, and is none of the image's own (`LayerStack`). `diffID` is what it was made of.
  package let isSupplement: Bool
}

/// What is known of an image in the store without reading its configuration.
package struct ImageSummary: Sendable {
  /// The names that lead here, in the order they were given.
  package let references: [ImageReference]
  /// The digest of the image's configuration document.
  package let id: Digest
  /// What it is called as an AppC image, when it came as one.
  package let appc: AppcIdentity?
  /// The digest of its manifest, when it came with one.
  package let manifestDigest: Digest?
  /// All layers, bottom to top.
  package let diffIDs: [Digest]
  /// What is to be stacked, bottom to top, each once, supplements among them: left out are the lower occurrences of a layer that the image names
  /// several times, and what is below a layer whose root directory is opaque. Neither would be seen.
  package let layers: [StoredLayer]
  /// Bytes of file content in all layers together; what images share is counted in each.
  package let bytes: UInt64
  /// Nanoseconds since 1970, UTC.
  package let importedAt: UInt64
  /// When a container last started with it, or else it was imported. Nanoseconds since 1970, by whole seconds.
  package let lastUsedAt: UInt64
  /// Whether garbage collection leaves it alone.
  package let isPinned: Bool

  /// Every layer that is the image's, supplements too.
  package var needed: Set<Digest> { Set(diffIDs + layers.map(\.diffID)) }
}

/// An image in the store, complete: every layer is unpacked and verified.
@dynamicMemberLookup
package struct StoredImage: Sendable {
  package let summary: ImageSummary
  package let config: ImageConfig

  package subscript<Value>(dynamicMember member: KeyPath<ImageSummary, Value>) -> Value { summary[keyPath: member] }
}

/// What `image.json` holds: all that `entry.json` has, and the configuration. It is read for the one image that is meant.
struct ImageRecord: Sendable {
  var entry: ImageEntry
  let config: ImageConfig

  /// For who reads it: six times a configuration of the greatest size, which text that is escaped can have, and its entry. Old
  /// stores have larger ones.
  static let maximumBytes = 32 << 20

  var json: JSON {
    JSON(object: [
      ("schema_version", 1), ("id", JSON(entry.id.description)),
      ("manifest_digest", entry.manifestDigest.map { JSON($0.description) }),
      ("imported_at", JSON(entry.importedAt)), ("layers", JSON(entry.diffIDs.map { JSON($0.description) })),
      ("stack", entry.stackDocument), ("appc", entry.appc?.json), ("config", config.document),
    ])
  }

  init(
    id: Digest, manifestDigest: Digest?, config: ImageConfig, stack: [Digest], appc: AppcIdentity? = nil,
    importedAt: UInt64
  ) {
    self.config = config
    entry = ImageEntry(
      id: id, manifestDigest: manifestDigest, diffIDs: config.diffIDs, stack: stack, appc: appc, os: config.os,
      architecture: config.architecture, importedAt: importedAt)
  }

  init(_ json: JSON) throws(ImageError) {
    guard json["schema_version"]?.integer == 1, let id = json["id"]?.string.flatMap({ Digest($0) }),
      let importedAt = json["imported_at"]?.integer.flatMap({ UInt64(exactly: $0) }),
      let layers = json["layers"]?.array, let config = json["config"]
    else { throw ImageEntry.damage }
    let diffIDs = layers.compactMap { $0.string.flatMap { Digest($0) } }
    let appc = json["appc"].flatMap { AppcIdentity($0) }
    guard diffIDs.count == layers.count, (appc == nil) == (json["appc"] == nil) else { throw ImageEntry.damage }
    self.config = try ImageConfig(document: config, isStored: true)
    entry = ImageEntry(
      id: id, manifestDigest: json["manifest_digest"]?.string.flatMap { Digest($0) }, diffIDs: diffIDs,
      stack: try ImageEntry.stack(json, diffIDs), appc: appc, os: self.config.os,
      architecture: self.config.architecture, importedAt: importedAt)
  }
}

/// What `layer.json` holds.
struct LayerRecord: Sendable, Equatable {
  var diffID: Digest
  var contentBytes: UInt64
  var entries: UInt64
  var skippedDevices: UInt64
  var skippedAttributes: UInt64
  var opaqueRoot: Bool
  var isSupplement: Bool

  init(_ report: LayerReport) {
    diffID = report.diffID
    contentBytes = report.contentBytes
    entries = report.entries
    skippedDevices = report.skippedDevices
    skippedAttributes = report.skippedAttributes
    opaqueRoot = report.opaqueRoot
    isSupplement = report.isSupplement
  }

  var json: JSON {
    JSON(object: [
      ("schema_version", 1), ("diff_id", JSON(diffID.description)), ("content_bytes", JSON(contentBytes)),
      ("entries", JSON(entries)), ("skipped_devices", JSON(skippedDevices)),
      ("skipped_attributes", JSON(skippedAttributes)), ("opaque_root", JSON(opaqueRoot)),
      ("supplement", isSupplement ? true : nil),
    ])
  }

  init(_ json: JSON) throws(ImageError) {
    func number(_ key: String) throws(ImageError) -> UInt64 {
      guard let value = json[key]?.integer, let number = UInt64(exactly: value) else {
        throw .invalid("the record of a layer is damaged", hint: "remove the image and import it again")
      }
      return number
    }
    guard json["schema_version"]?.integer == 1, let diffID = json["diff_id"]?.string.flatMap({ Digest($0) }),
      let opaqueRoot = json["opaque_root"]?.bool
    else { throw .invalid("the record of a layer is damaged", hint: "remove the image and import it again") }
    self.diffID = diffID
    self.opaqueRoot = opaqueRoot
    isSupplement = json["supplement"]?.bool ?? false
    contentBytes = try number("content_bytes")
    entries = try number("entries")
    skippedDevices = try number("skipped_devices")
    skippedAttributes = try number("skipped_attributes")
  }
}
