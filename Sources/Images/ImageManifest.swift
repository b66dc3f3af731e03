import LinuxKernel
import StrictJSON

/// An image manifest: OCI's, or Docker's schema 2, which has the same shape.
package struct ImageManifest: Sendable {
  package let config: Descriptor
  /// Bottom to top.
  package let layers: [Descriptor]

  /// Reads the document that was announced as a `mediaType`.
  package init(_ json: JSON, mediaType: String, budgets: Budgets) throws(ImageError) {
    // One document must not be two things (CVE-2021-41190): the same digest would name different images.
    if json["manifests"] != nil { throw .invalid("a document that is an index and a manifest at once") }
    if let type = json["mediaType"], !type.isNull {
      guard let text = type.string, text.utf8.elementsEqual(mediaType.utf8) else {
        throw .invalid("its mediaType is not the one that was announced")
      }
    }
    guard json["schemaVersion"]?.integer == 2 else { throw .invalid("its schemaVersion is not 2") }
    guard let configuration = json["config"] else { throw .invalid("a manifest without a configuration") }
    config = try Descriptor(configuration)
    guard MediaType.isOne(of: MediaType.configurations, config.mediaType) else {
      throw .invalid("no container image: its configuration is \"\(printable(config.mediaType.utf8))\"")
    }
    try ImageConfig.check(size: config.size, budgets: budgets)
    guard let list = json["layers"]?.array else { throw .invalid("a manifest without a list of layers") }
    guard list.count <= budgets.layers else { throw .invalid("\(list.count) layers, more than \(budgets.layers)") }
    var layers: [Descriptor] = []
    for item in list {
      let layer = try Descriptor(item)
      guard MediaType.isOne(of: MediaType.layers, layer.mediaType) else {
        throw .invalid("a layer of the unknown media type \"\(printable(layer.mediaType.utf8))\"")
      }
      guard layer.size <= budgets.compressedBytes else {
        throw .invalid("a layer of \(layer.size) bytes, more than \(budgets.compressedBytes)")
      }
      layers.append(layer)
    }
    self.layers = layers
  }

  /// Checks that the configuration belongs to this manifest and runs on `platform`.
  package func check(_ config: ImageConfig, platform: Platform) throws(ImageError) {
    guard config.diffIDs.count == layers.count else {
      throw .invalid("\(layers.count) layers, but the configuration lists \(config.diffIDs.count) diff ids")
    }
    try ImageManifest.checkPlatform(config, platform: platform)
  }

  static func checkPlatform(_ config: ImageConfig, platform: Platform) throws(ImageError) {
    let own = Platform(os: config.os, architecture: config.architecture, variant: config.variant)
    guard platform.suits(own) > 0 else {
      throw .invalid("the image is for \(printable(own.description.utf8)), not for \(platform)")
    }
  }
}
