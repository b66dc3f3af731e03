import StrictJSON

/// How a manifest or an index points to a blob (OCI image spec, `descriptor.md`). `urls` are never followed.
package struct Descriptor: Sendable {
  package let mediaType: String
  package let digest: Digest
  package let size: UInt64
  package let platform: Platform?
  /// What it says to be in place of an image; empty for images.
  let artifactType: String
  /// Names and values; what is not a string is left out.
  package let annotations: [(name: String, value: String)]

  package init(_ json: JSON) throws(ImageError) {
    guard json.members != nil else { throw .invalid("a descriptor is \(json.kind), not an object") }
    guard let text = json["digest"]?.string, let digest = Digest(text) else {
      throw .invalid("a digest that is not sha256: and 64 lower-case hexadecimal digits")
    }
    guard let number = json["size"]?.integer, let size = UInt64(exactly: number) else {
      throw .invalid("a descriptor without a valid size")
    }
    self.digest = digest
    self.size = size
    mediaType = json["mediaType"]?.string ?? ""
    artifactType = json["artifactType"]?.string ?? ""
    if let platform = json["platform"], platform.members != nil {
      self.platform = Platform(
        os: platform["os"]?.string ?? "", architecture: platform["architecture"]?.string ?? "",
        variant: platform["variant"]?.string ?? "")
    } else {
      platform = nil
    }
    annotations = (json["annotations"]?.members ?? []).compactMap { member in
      member.value.string.map { (member.key, $0) }
    }
  }

  package func annotation(_ name: String) -> String? {
    annotations.first { $0.name.utf8.elementsEqual(name.utf8) }?.value
  }

  var blobName: String { "blobs/sha256/\(digest.hex)" }
}

/// The media types we know. Anything else is refused: a layer that is passed over makes another image.
package enum MediaType {
  package static let indexes = [
    "application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json",
  ]
  package static let manifests = [
    "application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json",
  ]
  package static let configurations = [
    "application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json",
  ]
  package static let layers = [
    "application/vnd.oci.image.layer.v1.tar", "application/vnd.oci.image.layer.v1.tar+gzip",
    "application/vnd.oci.image.layer.v1.tar+zstd", "application/vnd.oci.image.layer.nondistributable.v1.tar",
    "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
    "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd", "application/vnd.docker.image.rootfs.diff.tar",
    "application/vnd.docker.image.rootfs.diff.tar.gzip", "application/vnd.docker.image.rootfs.diff.tar.zstd",
    "application/vnd.docker.image.rootfs.foreign.diff.tar", "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
  ]

  package static func isOne(of list: [String], _ type: String) -> Bool {
    list.contains { $0.utf8.elementsEqual(type.utf8) }
  }
}
