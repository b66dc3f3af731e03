import Glibc
import Images
import LinuxKernel
import StrictJSON

/// A pull: what a name means at its registry, fetched as far as the store lacks it, checked, and imported.
///
///     manifest ──► platform ──► configuration ──► an OCI layout ──► ImageStore.importPulled ◄── LayerDownloads
///
/// Layers come as files that grow, and are unpacked as they do, by the store's confined workers; nothing of them is read
/// here but to count and to hash it.
package struct RegistryPull {
  let store: ImageStore
  let access: RegistryAccess
  /// Who asks for the image by its name.
  let giver: NameGiver
  let interruption: Int32?
  let tell: (PullProgress) -> Void

  package init(
    into store: ImageStore, access: RegistryAccess, for giver: NameGiver, interruption: Int32? = nil,
    tell: @escaping (PullProgress) -> Void
  ) {
    self.store = store
    self.access = access
    self.giver = giver
    self.interruption = interruption
    self.tell = tell
  }

  /// Pulls the image and gives it the name. Two pulls of one name do the work once.
  package func run(_ reference: ImageReference) throws(RegistryError) -> StoredImage {
    do throws(RegistryError) {
      let client = try RegistryClient(reference, access: access, interruption: interruption, tell: tell)
      var isFirst = true
      let directory = try Registry.store { () throws(ImageError) in
        try store.pullDirectory(for: reference, platform: store.platform, interruption: interruption) {
          if isFirst { tell(.waiting) }
          isFirst = false
        }
      }
      do throws(RegistryError) {
        let image = try run(reference, client, directory)
        directory.remove()
        return image
      } catch {
        // What was fetched is of use to who tries again, unless it is what was wrong.
        let isKept = (error.kind == .unavailable || error.kind == .interrupted) && directory.isOfUse
        if !isKept { directory.remove() }
        throw error
      }
    } catch {
      throw error.during("pull \(reference)")
    }
  }

  private func run(_ reference: ImageReference, _ client: RegistryClient, _ directory: PullDirectory)
    throws(RegistryError) -> StoredImage
  {
    var place = client.place
    do throws(RegistryError) {
      var document = try client.manifest(reference)
      place = client.place
      tell(.resolved(document.digest))
      // Indexes of indexes are rare, and deeper ones are nobody's.
      for _ in 0..<4 {
        guard case .index(let list) = document.content else { break }
        document = try client.manifest(try RemoteManifest.choose(list, for: store.platform))
      }
      guard case .image(let manifest) = document.content else { throw .invalid("indexes nested too deep") }
      if let image = try present(document.digest, reference) { return image }
      return try fetch(document, manifest, client, directory, reference)
    } catch  where error.kind == .local || error.kind == .configuration {
      throw error
    } catch {
      throw error.at(place)
    }
  }

  /// The image when the store has it whole, under one more name if need be.
  private func present(_ manifest: Digest, _ reference: ImageReference) throws(RegistryError) -> StoredImage? {
    let found = try Registry.store { () throws(ImageError) in
      try store.find(manifest: manifest).flatMap { (image) throws(ImageError) in
        try store.name(image.id, reference, by: giver, interruption: interruption)
      }
    }
    if found != nil { tell(.present) }
    return found
  }

  private func fetch(
    _ document: RemoteManifest, _ manifest: ImageManifest, _ client: RegistryClient, _ directory: PullDirectory,
    _ reference: ImageReference
  ) throws(RegistryError) -> StoredImage {
    let configuration = try client.blob(manifest.config)
    try check(configuration, manifest)
    for (digest, bytes) in [(document.digest, document.bytes), (manifest.config.digest, configuration)] {
      let path = directory.blob(digest)
      try kernel("write \(path)") { () throws(Errno) in try writeFileAtomically(path, bytes, mode: 0o600) }
    }
    let index = JSON(object: [
      ("schemaVersion", 2),
      (
        "manifests",
        JSON([
          JSON(object: [
            ("mediaType", JSON(document.mediaType)), ("digest", JSON(document.digest.description)),
            ("size", JSON(document.bytes.count)),
          ])
        ])
      ),
    ])
    let downloads = LayerDownloads(client, into: directory, tell: tell)
    defer { downloads.stop() }
    do throws(ImageError) {
      try directory.finish(index: index.compactBytes)
      return try store.importPulled(
        directory.path, as: reference, by: giver, layers: downloads, interruption: interruption
      ) { tell(.importing($0)) }
    } catch {
      throw downloads.failure ?? RegistryError(error)
    }
  }

  /// Whether the configuration belongs to the manifest, and what it describes runs here: before any layer is fetched.
  private func check(_ configuration: [UInt8], _ manifest: ImageManifest) throws(RegistryError) {
    do {
      try manifest.check(try ImageConfig(document: try JSON(parsing: configuration)), platform: store.platform)
    } catch let error as ImageError {
      throw RegistryError.invalid(error.why, hint: error.hint).at("configuration \(manifest.config.digest.short)")
    } catch {
      throw RegistryError.invalid("it is not JSON: \(printable("\(error)".utf8))")
        .at("configuration \(manifest.config.digest.short)")
    }
  }
}
