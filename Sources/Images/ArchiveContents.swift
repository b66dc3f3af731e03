/// Where the bytes of a layer are.
enum BlobLocation: Sendable, Equatable {
  /// In the archive file.
  case range(offset: UInt64, size: UInt64)
  /// In the file `blobs/sha256/<digest>` of a layout directory.
  case file(digest: Digest, size: UInt64)

  var size: UInt64 {
    switch self {
    case .range(_, let size), .file(_, let size): size
    }
  }
}

/// One layer of an image in an archive.
struct ArchiveLayer: Sendable, Equatable {
  let location: BlobLocation
  /// What the bytes there must hash to, when the archive says so.
  let blobDigest: Digest?
  /// What the decompressed bytes must hash to, when the archive says so.
  let diffID: Digest?
  var form = LayerForm.layer
}

/// What a tar stream is to become.
enum LayerForm: String, Sendable, Equatable {
  /// A layer as Docker and OCI have it, whiteouts and all.
  case layer
  /// An ACI, of which the files below `rootfs` are one.
  case aci
}

/// One image in an archive, as far as its documents tell: no layer was read yet.
struct ArchiveImage: Sendable, Equatable {
  /// References in the archive's own words, best first; not checked.
  var names: [String]
  /// A tag without a repository, as `skopeo copy … oci:DIR:TAG` leaves it.
  var tag: String?
  var manifestDigest: Digest?
  /// The configuration document as it is stored; `nil` for archives of before Docker 1.10.
  var document: [UInt8]?
  var config: ImageConfig
  /// Bottom to top.
  var layers: [ArchiveLayer]
  /// Of an AppC image, which has one layer, and others' below it.
  var appc: AppcManifest?
}

/// What a worker found in an archive or a layout.
struct ArchiveContents: Sendable, Equatable {
  var images: [ArchiveImage]
  var passedOver: [PassedOver] = []

  var wire: [UInt8] {
    var wire = WireWriter()
    wire.put(list: images) { wire, image in
      wire.put(list: image.names) { $0.put($1) }
      wire.put(image.tag) { $0.put($1) }
      wire.put(image.manifestDigest) { $0.put($1) }
      wire.put(image.document) { $0.put($1) }
      image.config.write(to: &wire)
      wire.put(list: image.layers) { wire, layer in
        switch layer.location {
        case .range(let offset, let size):
          wire.put(0 as UInt64)
          wire.put(offset)
          wire.put(size)
        case .file(let digest, let size):
          wire.put(1 as UInt64)
          wire.put(digest)
          wire.put(size)
        }
        wire.put(layer.blobDigest) { $0.put($1) }
        wire.put(layer.diffID) { $0.put($1) }
        wire.put(layer.form == .aci)
      }
      wire.put(image.appc) { $1.write(to: &$0) }
    }
    wire.put(list: passedOver) { $1.write(to: &$0) }
    return wire.bytes
  }

  init(images: [ArchiveImage], passedOver: [PassedOver] = []) {
    self.images = images
    self.passedOver = passedOver
  }

  init(wire bytes: [UInt8]) throws(ImageError) {
    var wire = WireReader(bytes)
    images = try wire.list { (wire) throws(ImageError) in
      ArchiveImage(
        names: try wire.list { (wire) throws(ImageError) in try wire.text() },
        tag: try wire.optional { (wire) throws(ImageError) in try wire.text() },
        manifestDigest: try wire.optional { (wire) throws(ImageError) in try wire.digest() },
        document: try wire.optional { (wire) throws(ImageError) in try wire.data() },
        config: try ImageConfig(from: &wire),
        layers: try wire.list { (wire) throws(ImageError) in try ArchiveContents.layer(from: &wire) },
        appc: try wire.optional { (wire) throws(ImageError) in try AppcManifest(from: &wire) })
    }
    passedOver = try wire.list { (wire) throws(ImageError) in try PassedOver(from: &wire) }
    try wire.finish()
    for image in images { try ImageConfig.check(size: UInt64(image.document?.count ?? 0)) }
  }

  private static func layer(from wire: inout WireReader) throws(ImageError) -> ArchiveLayer {
    let location: BlobLocation =
      switch try wire.truth() {
      case false: .range(offset: try wire.number(), size: try wire.number())
      case true: .file(digest: try wire.digest(), size: try wire.number())
      }
    return ArchiveLayer(
      location: location, blobDigest: try wire.optional { (wire) throws(ImageError) in try wire.digest() },
      diffID: try wire.optional { (wire) throws(ImageError) in try wire.digest() },
      form: try wire.truth() ? .aci : .layer)
  }
}
