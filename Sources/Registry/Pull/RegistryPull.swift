import Glibc
import Images
import LinuxKernel
import StrictJSON

/// A pull: what a name means at its registry, fetched as far as the store lacks it, checked, and imported.
///
///     manifest ──► platform ──► configuration ──► layers, several at once ──► an OCI layout ──► ImageStore.importPulled
///
/// Layers come as files and are unpacked after that, by the store's confined workers; nothing of them is read here but to
/// count and to hash it.
package struct RegistryPull {
  let store: ImageStore
  let access: RegistryAccess
  let interruption: Int32?
  let tell: (PullProgress) -> Void

  /// Connections at once: more make a registry slow and not the pull fast.
  private static let parallel = 4

  package init(
    into store: ImageStore, access: RegistryAccess, interruption: Int32? = nil,
    tell: @escaping (PullProgress) -> Void
  ) {
    self.store = store
    self.access = access
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
      try store.find(manifest: manifest).flatMap { (image) throws(ImageError) in try store.name(image.id, reference) }
    }
    if found != nil { tell(.present) }
    return found
  }

  private func fetch(
    _ document: RemoteManifest, _ manifest: ImageManifest, _ client: RegistryClient, _ directory: PullDirectory,
    _ reference: ImageReference
  ) throws(RegistryError) -> StoredImage {
    let configuration = try client.blob(manifest.config)
    let diffIDs = try check(configuration, manifest)
    for (digest, bytes) in [(document.digest, document.bytes), (manifest.config.digest, configuration)] {
      let path = directory.blob(digest)
      try kernel("write \(path)") { () throws(Errno) in try writeFileAtomically(path, bytes, mode: 0o600) }
    }
    // A layer may go from the store between this look and the import.
    var attempts = 0
    while true {
      attempts += 1
      try fetchLayers(manifest, diffIDs, client, directory)
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
      do throws(ImageError) {
        try directory.finish(index: index.compactBytes)
        return try store.importPulled(directory.path, as: reference, interruption: interruption) {
          tell(.importing($0))
        }
      } catch  where attempts < 3 && error.isMissingFile {
      } catch {
        throw RegistryError(error)
      }
    }
  }

  /// The diff ids of the layers, bottom to top, of a configuration that belongs to the manifest and runs here.
  private func check(_ configuration: [UInt8], _ manifest: ImageManifest) throws(RegistryError) -> [Digest] {
    do {
      let config = try ImageConfig(document: try JSON(parsing: configuration))
      try manifest.check(config, platform: store.platform)
      return config.diffIDs
    } catch let error as ImageError {
      throw RegistryError.invalid(error.why, hint: error.hint).at("configuration \(manifest.config.digest.short)")
    } catch {
      throw RegistryError.invalid("it is not JSON: \(printable("\(error)".utf8))")
        .at("configuration \(manifest.config.digest.short)")
    }
  }

  private func fetchLayers(
    _ manifest: ImageManifest, _ diffIDs: [Digest], _ client: RegistryClient, _ directory: PullDirectory
  ) throws(RegistryError) {
    var wanted: [Descriptor] = []
    var present = 0
    for (layer, diffID) in zip(manifest.layers, diffIDs) {
      if try Registry.store({ () throws(ImageError) in try store.hasLayer(diffID) }) {
        present += 1
      } else if !wanted.contains(where: { $0.digest == layer.digest }) {
        wanted.append(layer)
      }
    }
    // Complete ones were checked before they got that name.
    wanted.removeAll { (try? status(of: directory.blob($0.digest)))?.size == $0.size }
    let total = wanted.reduce(0) { $0 + $1.size }
    try checkRoom(for: total, directory)
    tell(.layers(missing: manifest.layers.count - present, of: manifest.layers.count, bytes: total))
    var downloads = try wanted.map { (layer) throws(RegistryError) in
      try BlobDownload(layer, client, into: directory)
    }
    defer { for download in downloads { download.stop() } }
    var done: UInt64 = 0
    while !downloads.isEmpty {
      let now = Clock.now
      var running = downloads.filter(\.isRunning).count
      for download in downloads
      where !download.isRunning && download.notBefore <= now && running < RegistryPull.parallel {
        try located(download) { () throws(RegistryError) in try download.start() }
        running += 1
      }
      let next = downloads.filter { !$0.isRunning && $0.notBefore > now }.map { ($0.notBefore - now) / 1_000_000 + 1 }
      try TransferWait.wait(
        downloads.compactMap(\.waitsFor), interruption, milliseconds: min(next.min() ?? 1000, 1000))
      for index in downloads.indices.reversed() {
        let download = downloads[index]
        guard try located(download, { () throws(RegistryError) in try download.advance() }) else { continue }
        downloads.remove(at: index)
        done += download.descriptor.size
        tell(.fetched(download.descriptor.digest, bytes: download.descriptor.size))
      }
      tell(.fetching(bytes: downloads.reduce(done) { $0 + $1.received }, of: total))
    }
  }

  /// Refuses at once what would fill the file system: a pull leaves as much free as unpacking does.
  private func checkRoom(for bytes: UInt64, _ directory: PullDirectory) throws(RegistryError) {
    let room = try kernel("look for free space") { () throws(Errno) in
      let opened = try openFile(directory.path, O_RDONLY | O_DIRECTORY)
      return try space(of: opened.rawValue)
    }
    let needed = bytes.addingReportingOverflow(min(Budgets().reservedBytes, room.total / 20)).partialValue
    guard room.available >= needed else {
      throw RegistryError(
        ImageError(
          .exhausted,
          why: "the layers need \(bytes >> 20) MiB, and \(room.available >> 20) MiB are free where images are stored",
          hint: "make room, or name another --work-dir"))
    }
  }

  /// Runs something of a layer, and says which when it fails.
  private func located<T>(_ download: BlobDownload, _ body: () throws(RegistryError) -> T) throws(RegistryError) -> T {
    do throws(RegistryError) { return try body() } catch {
      throw error.at("layer \(download.descriptor.digest.short)")
    }
  }
}

extension ImageError {
  /// A layer was to be there and is not.
  fileprivate var isMissingFile: Bool {
    if case .host(let errno) = kind { return errno.code == ENOENT }
    return false
  }
}
