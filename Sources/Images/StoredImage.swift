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

/// An image in the store, complete: every layer is unpacked and verified.
package struct StoredImage: Sendable {
  /// The names that lead here, in the order they were given.
  package let references: [ImageReference]
  /// The digest of the image's configuration document.
  package let id: Digest
  /// What it is called as an AppC image, when it came as one.
  package let appc: AppcIdentity?
  /// The digest of its manifest, when it came with one.
  package let manifestDigest: Digest?
  /// What is to be stacked, bottom to top, each once, supplements among them: left out are the lower occurrences of a layer that the image names
  /// several times, and what is below a layer whose root directory is opaque. Neither would be seen.
  package let layers: [StoredLayer]
  package let config: ImageConfig
  /// Bytes of file content in all layers together; what images share is counted in each.
  package let bytes: UInt64
  /// Nanoseconds since 1970, UTC.
  package let importedAt: UInt64
  /// When a container last started with it, or else it was imported. Nanoseconds since 1970, by whole seconds.
  package let lastUsedAt: UInt64
  /// Whether garbage collection leaves it alone.
  package let isPinned: Bool
}

/// What `image.json` holds.
struct ImageRecord: Sendable {
  var id: Digest
  var manifestDigest: Digest?
  var config: ImageConfig
  /// All layers, bottom to top.
  var diffIDs: [Digest]
  /// What is stacked, bottom to top: those of the layers that are seen, and supplements. Records of older executors have none,
  /// and stack the layers.
  var stack: [Digest]
  /// What it is called as an AppC image, when it came as one.
  var appc: AppcIdentity?
  var importedAt: UInt64

  var json: JSON {
    JSON(object: [
      ("schema_version", 1), ("id", JSON(id.description)),
      ("manifest_digest", manifestDigest.map { JSON($0.description) }),
      ("imported_at", JSON(importedAt)), ("layers", JSON(diffIDs.map { JSON($0.description) })),
      ("stack", stack == diffIDs ? nil : JSON(stack.map { JSON($0.description) })), ("appc", appc?.json),
      ("config", config.document),
    ])
  }

  init(
    id: Digest, manifestDigest: Digest?, config: ImageConfig, diffIDs: [Digest], stack: [Digest],
    appc: AppcIdentity? = nil, importedAt: UInt64
  ) {
    self.id = id
    self.stack = stack
    self.appc = appc
    self.manifestDigest = manifestDigest
    self.config = config
    self.diffIDs = diffIDs
    self.importedAt = importedAt
  }

  init(_ json: JSON) throws(ImageError) {
    guard json["schema_version"]?.integer == 1, let id = json["id"]?.string.flatMap({ Digest($0) }),
      let time = json["imported_at"]?.integer, let importedAt = UInt64(exactly: time),
      let layers = json["layers"]?.array, let config = json["config"]
    else { throw .invalid("the record of the image is damaged", hint: "remove the image and import it again") }
    self.id = id
    self.importedAt = importedAt
    manifestDigest = json["manifest_digest"]?.string.flatMap { Digest($0) }
    self.config = try ImageConfig(document: config)
    diffIDs = layers.compactMap { $0.string.flatMap { Digest($0) } }
    let stacked = json["stack"]?.array ?? layers
    stack = stacked.compactMap { $0.string.flatMap { Digest($0) } }
    appc = json["appc"].flatMap { AppcIdentity($0) }
    guard diffIDs.count == layers.count, stack.count == stacked.count, (appc == nil) == (json["appc"] == nil) else {
      throw .invalid("the record of the image is damaged", hint: "remove the image and import it again")
    }
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
