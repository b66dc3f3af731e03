/// One image of a list.
public struct ImageSummary: Sendable, Equatable {
  /// Its id.
  public let id: ImageID
  /// `name:tag`, as often as it has one.
  public let tags: [String]
  /// `name@sha256:…`, for images that came from a registry.
  public let digests: [String]
  /// Seconds since 1970.
  public let created: Int64
  /// Bytes, layers included.
  public let size: Int64
  /// Its labels.
  public let labels: [String: String]

  init(_ fields: JSONFields) throws(DockerEngineError) {
    id = try fields.requiredImageID("Id")
    tags = try fields.strings("RepoTags")
    digests = try fields.strings("RepoDigests")
    created = try fields.integer("Created") ?? 0
    size = try fields.integer("Size") ?? 0
    labels = try fields.stringMap("Labels")
  }
}

/// What the engine knows of one image (`GET /images/{name}/json`).
public struct ImageDetails: Sendable, Equatable {
  /// Its id.
  public let id: ImageID
  /// `name:tag`, as often as it has one.
  public let tags: [String]
  /// `name@sha256:…`, for images that came from a registry.
  public let digests: [String]
  /// RFC 3339; may be empty.
  public let created: String
  /// As Go names it: `amd64`.
  public let architecture: String
  /// `v8`; mostly empty.
  public let variant: String
  /// `linux`.
  public let os: String
  /// Bytes, layers included.
  public let size: Int64
  /// Digests of the unpacked layers, lowest first.
  public let layers: [String]
  /// What containers of this image run by default. Its `image` says nothing.
  public let spec: ContainerSpec

  init(_ fields: JSONFields) throws(DockerEngineError) {
    id = try fields.requiredImageID("Id")
    tags = try fields.strings("RepoTags")
    digests = try fields.strings("RepoDigests")
    created = try fields.string("Created") ?? ""
    architecture = try fields.string("Architecture") ?? ""
    variant = try fields.string("Variant") ?? ""
    os = try fields.string("Os") ?? ""
    size = try fields.integer("Size") ?? 0
    layers = try fields.object("RootFS")?.strings("Layers") ?? []
    if let config = try fields.object("Config") {
      spec = try ContainerSpec(config)
    } else {
      spec = ContainerSpec(image: "")
    }
  }
}

/// What removing an image did.
public struct ImageRemoval: Sendable, Equatable {
  /// References that are gone.
  public let untagged: [String]
  /// Ids of images and layers that are gone.
  public let deleted: [String]
}

extension JSONFields {
  func requiredImageID(_ key: String) throws(DockerEngineError) -> ImageID {
    let text = try requiredString(key)
    guard let id = ImageID(text) else {
      throw .decoding("\(key) should be an image's id, but is \"\(excerpt(text.utf8, limit: 80))\"")
    }
    return id
  }
}
