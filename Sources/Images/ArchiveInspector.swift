import StrictJSON

/// Finds out what an archive or a layout holds, from its documents alone.
struct ArchiveInspector {
  let files: ArchiveFiles
  let platform: Platform
  let budgets: Budgets
  /// Of a layout: see `UnpackWorker.Request`.
  var mayLackLayers = false
  /// How long the tar is; `nil` for a layout directory.
  var size: UInt64?
  /// Whether the tar may be the root file system of an image and nothing else.
  var mayBeRoot = false

  /// Tries the forms from the most to the least telling: an OCI layout carries digests of everything, `manifest.json`
  /// only those that its names are made of, an old archive none.
  func contents() throws(ImageError) -> ArchiveContents {
    let docker = DockerArchive(files: files, platform: platform, budgets: budgets)
    if try files.find("oci-layout") != nil, try files.find("index.json") != nil {
      var contents = try OCILayout(
        files: files, platform: platform, budgets: budgets, mayLackLayers: mayLackLayers
      ).contents()
      if contents.images.contains(where: { $0.names.isEmpty }) {
        // A broken document beside the layout is no concern of it.
        let known = (try? docker.namesByConfiguration()) ?? []
        for index in contents.images.indices where contents.images[index].names.isEmpty {
          guard let document = contents.images[index].document else { continue }
          let digest = SHA256.digest(of: document)
          contents.images[index].names = known.first { ArchiveFiles.blobDigest($0.config) == digest }?.names ?? []
        }
      }
      return contents
    }
    if let list = try docker.manifest() {
      guard !list.isEmpty else { throw .invalid("manifest.json lists no image") }
      return try docker.contents(list)
    }
    if let repositories = try files.json("repositories") { return try docker.legacyContents(repositories) }
    if let size, files.appc.isImage(mayBeRoot: mayBeRoot) {
      let archive = AppcArchive(files: files, platform: platform, budgets: budgets, size: size)
      return ArchiveContents(images: [try archive.image()])
    }
    if let size, mayBeRoot { return ArchiveContents(images: [plainRoot(size)]) }
    throw .invalid(
      "neither an OCI layout nor an archive of docker save, nor an AppC image: it has no oci-layout, manifest.json, repositories, or manifest and rootfs",
      hint:
        "make one with docker save, skopeo copy or buildah push; a tar of a root file system is one with --tag NAME:TAG"
    )
  }

  /// The whole tar as the one layer of an image that says nothing about running it.
  private func plainRoot(_ size: UInt64) -> ArchiveImage {
    var config = ImageConfig()
    (config.os, config.architecture, config.variant) = (platform.os, platform.architecture, platform.variant)
    let layer = ArchiveLayer(location: .range(offset: 0, size: size), blobDigest: nil, diffID: nil)
    return ArchiveImage(names: [], tag: nil, manifestDigest: nil, document: nil, config: config, layers: [layer])
  }
}
