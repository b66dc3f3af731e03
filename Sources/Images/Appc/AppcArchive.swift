import LinuxKernel

/// Reads an ACI: the documents of an AppC image, and where its files are.
struct AppcArchive {
  let files: ArchiveFiles
  let platform: Platform
  let budgets: Budgets
  /// How long the tar is.
  let size: UInt64

  /// The image, whose one layer is the whole tar: its hash is the image's id.
  func image() throws(ImageError) -> ArchiveImage {
    do throws(ImageError) {
      try files.appc.check()
      guard let document = try files.json("manifest") else { throw .invalid("its manifest is missing") }
      let manifest: AppcManifest
      do throws(ImageError) { manifest = try AppcManifest(document: document, budgets: budgets) } catch {
        throw error.at("manifest")
      }
      try ImageManifest.checkPlatform(manifest.config, platform: platform)
      let layer = ArchiveLayer(
        location: .range(offset: 0, size: size), blobDigest: nil, diffID: nil, form: .aci)
      return ArchiveImage(
        names: [], tag: nil, manifestDigest: nil, document: nil, config: manifest.config, layers: [layer],
        appc: manifest)
    } catch {
      throw error.at("AppC image")
    }
  }
}
