import LinuxKernel
import StrictJSON

/// Reads an OCI image layout (`image-layout.md`): `oci-layout`, `index.json`, and blobs by digest.
struct OCILayout {
  let files: ArchiveFiles
  let platform: Platform
  let budgets: Budgets
  var mayLackLayers = false

  /// Deeper nesting of indexes than anybody uses.
  private static let maximumDepth = 4
  private static let maximumManifests = 512

  /// A manifest that an index leads to, with the names found on the way.
  fileprivate struct Candidate {
    var descriptor: Descriptor
    var names: [String] = []
    var tag: String?
  }

  /// The images of the layout that run here, and what lies beside them. One that is not named is an image as well.
  func contents() throws(ImageError) -> ArchiveContents {
    guard let marker = try files.json("oci-layout") else { throw .invalid("oci-layout is missing") }
    guard let version = marker["imageLayoutVersion"]?.string, version.utf8.starts(with: "1.".utf8) else {
      throw .invalid("oci-layout is of an unknown version")
    }
    guard let index = try files.json("index.json") else { throw .invalid("index.json is missing") }

    var contents = ArchiveContents(images: [])
    // Manifests of one name are one image for several platforms; so are all those without a name together.
    var groups: [(key: [UInt8], candidates: [Candidate])] = []
    for descriptor in try manifests(of: index, "index.json", passing: &contents) {
      let candidate = OCILayout.named(descriptor)
      let key = Array((candidate.names.first ?? candidate.tag ?? "").utf8)
      if let position = groups.firstIndex(where: { $0.key == key }) {
        groups[position].candidates.append(candidate)
      } else {
        groups.append((key, [candidate]))
      }
    }
    for group in groups {
      var flat: [Candidate] = []
      for candidate in group.candidates {
        let before = flat.count
        try contents.passing(over: candidate) { (contents) throws(ImageError) in
          try flatten(candidate, depth: 0, into: &flat, passing: &contents)
        } else: {
          flat.removeSubrange(before...)
        }
      }
      try take(flat, sameName: group.key, into: &contents)
    }
    guard !contents.images.isEmpty else {
      guard !contents.passedOver.isEmpty else { throw .invalid("index.json names no manifest") }
      throw PassedOver.nothingLeft(contents.passedOver)
    }
    return contents
  }

  private static func named(_ descriptor: Descriptor) -> Candidate {
    var candidate = Candidate(descriptor: descriptor)
    if let name = descriptor.annotation("io.containerd.image.name"), !name.isEmpty { candidate.names.append(name) }
    if let name = descriptor.annotation("org.opencontainers.image.ref.name"), !name.isEmpty {
      // A tag alone, or a whole reference: both are found in the wild.
      if name.utf8.contains(UInt8(ascii: "/")) || name.utf8.contains(UInt8(ascii: ":")) {
        if candidate.names.isEmpty { candidate.names.append(name) }
      } else {
        candidate.tag = name
      }
    }
    return candidate
  }

  /// The descriptors in an index document.
  private func manifests(of index: JSON, _ place: String, passing contents: inout ArchiveContents) throws(ImageError)
    -> [Descriptor]
  {
    if index["layers"] != nil || index["config"] != nil {
      throw ImageError.invalid("a document that is an index and a manifest at once").at(place)
    }
    if let type = index["mediaType"], !type.isNull {
      guard let text = type.string, MediaType.isOne(of: MediaType.indexes, text) else {
        throw ImageError.invalid("its mediaType is not that of an index").at(place)
      }
    }
    guard let list = index["manifests"]?.array else { throw ImageError.invalid("no list of manifests").at(place) }
    guard list.count <= OCILayout.maximumManifests else {
      throw ImageError.invalid("\(list.count) manifests, more than \(OCILayout.maximumManifests)").at(place)
    }
    var result: [Descriptor] = []
    for item in list {
      do throws(ImageError) { result.append(try Descriptor(item)) } catch {
        contents.passedOver.append(
          PassedOver(names: [], tag: nil, label: item["digest"]?.string ?? "a manifest", error.at(place)))
      }
    }
    return result
  }

  /// Replaces nested indexes by what they list.
  private func flatten(
    _ candidate: Candidate, depth: Int, into flat: inout [Candidate], passing contents: inout ArchiveContents
  ) throws(ImageError) {
    let descriptor = candidate.descriptor
    guard MediaType.isOne(of: MediaType.indexes, descriptor.mediaType) else {
      flat.append(candidate)
      guard flat.count <= OCILayout.maximumManifests else {
        throw .invalid("more than \(OCILayout.maximumManifests) manifests")
      }
      return
    }
    guard depth < OCILayout.maximumDepth else {
      throw .invalid("indexes nested more than \(OCILayout.maximumDepth) levels deep")
    }
    guard let index = try files.json(descriptor.blobName, digest: descriptor.digest, size: descriptor.size) else {
      throw ImageError.invalid("the blob is missing").at("index \(descriptor.digest)")
    }
    for inner in try manifests(of: index, "index \(descriptor.digest)", passing: &contents) {
      var next = candidate
      next.descriptor = inner
      try flatten(next, depth: depth + 1, into: &flat, passing: &contents)
    }
  }

  /// Takes of manifests for one name the one that suits this host best and can be read; several without a platform are several
  /// images.
  private func take(_ candidates: [Candidate], sameName: [UInt8], into contents: inout ArchiveContents)
    throws(ImageError)
  {
    let areSeveral = sameName.isEmpty && candidates.allSatisfy { $0.descriptor.platform == nil }
    // What the index says of the only one there is does not matter: its configuration says it as well.
    var rated: [(candidate: Candidate, score: Int)] = []
    for score in (0...4).reversed() {
      for candidate in candidates {
        let own = candidates.count == 1 ? 1 : platform.suits(candidate.descriptor.platform ?? platform)
        if own == score { rated.append((candidate, score)) }
      }
    }
    var isTaken = false
    for (candidate, score) in rated {
      let digest = candidate.descriptor.digest
      if let index = contents.images.firstIndex(where: { $0.manifestDigest == digest }) {
        contents.images[index].names += candidate.names  // one image under several names
        contents.images[index].tag = contents.images[index].tag ?? candidate.tag
        isTaken = true
        continue
      }
      try contents.passing(over: candidate) { (contents) throws(ImageError) in
        if isTaken, !areSeveral, score > 0 { throw .invalid("another one of the same name suits \(platform) better") }
        guard score > 0 else { throw .invalid("it is not for \(platform)") }
        contents.images.append(try image(candidate))
        isTaken = true
      } else: {
      }
    }
  }

  private func image(_ candidate: Candidate) throws(ImageError) -> ArchiveImage {
    let place = "manifest \(candidate.descriptor.digest)"
    do throws(ImageError) {
      var image = try readManifest(candidate.descriptor)
      image.names = candidate.names
      image.tag = candidate.tag
      return image
    } catch {
      throw error.at(place)
    }
  }

  /// Where a layer would be that was left out, because the store has it.
  private func lacking(_ layer: Descriptor) -> BlobLocation? {
    mayLackLayers ? .file(digest: layer.digest, size: layer.size) : nil
  }

  private func readManifest(_ descriptor: Descriptor) throws(ImageError) -> ArchiveImage {
    guard MediaType.isOne(of: MediaType.manifests, descriptor.mediaType) else {
      throw .invalid("the media type \"\(printable(descriptor.mediaType.utf8))\" is not that of an image manifest")
    }
    guard
      let manifest = try files.json(descriptor.blobName, digest: descriptor.digest, size: descriptor.size)
    else { throw .invalid("the blob is missing") }
    let parsed = try ImageManifest(manifest, mediaType: descriptor.mediaType, budgets: budgets)
    guard
      let document = try files.document(
        parsed.config.blobName, digest: parsed.config.digest, size: parsed.config.size)
    else { throw .invalid("the configuration \(parsed.config.digest) is missing") }
    let config = try ImageConfig(document: try ArchiveFiles.parse(document, parsed.config.blobName))
    try parsed.check(config, platform: platform)

    var layers: [ArchiveLayer] = []
    for (layer, diffID) in zip(parsed.layers, config.diffIDs) {
      guard let location = try files.find(layer.blobName) ?? lacking(layer) else {
        throw .invalid("the layer \(layer.digest) is missing")
      }
      guard location.size == layer.size else {
        throw .invalid("the layer \(layer.digest) has \(location.size) bytes, but \(layer.size) are announced")
      }
      layers.append(ArchiveLayer(location: location, blobDigest: layer.digest, diffID: diffID))
    }
    return ArchiveImage(
      names: [], tag: nil, manifestDigest: descriptor.digest, document: document, config: config, layers: layers)
  }
}

extension ArchiveContents {
  /// Runs `body`; a failure of the candidate's own is the reason for passing it over.
  fileprivate mutating func passing(
    over candidate: OCILayout.Candidate, _ body: (inout ArchiveContents) throws(ImageError) -> Void,
    else undo: () -> Void
  ) throws(ImageError) {
    do throws(ImageError) { try body(&self) } catch {
      guard PassedOver.isReason(error) else { throw error }
      undo()
      let descriptor = candidate.descriptor
      passedOver.append(
        PassedOver(
          names: candidate.names, tag: candidate.tag, label: descriptor.digest.short,
          kind: descriptor.platform?.description ?? descriptor.artifactType, error))
    }
  }
}
