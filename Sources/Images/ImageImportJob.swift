import Glibc
import LinuxKernel

/// The import of one image: unpack what the store lacks, then make it visible.
struct ImageImport {
  let store: ImageStore
  let source: ImageSource
  let staging: Staging
  /// An empty directory.
  let empty: String
  let image: ArchiveImage
  let references: [ImageReference]
  /// What is below an AppC image.
  var foundation = AppcFoundation.none
  /// What an AppC image must be.
  var wanted: AppcQuery?
  /// What an AppC image is called that was not imported as the tar that it was.
  var stated: AppcImageID?
  let interruption: Int32?
  /// Where the layers come from that the source does not have yet.
  var arriving: (any ArrivingLayers)?

  var namedBy = NameGiver.operator

  private var paths: StorePaths { store.paths }

  func run(_ progress: (ImportProgress) -> Void) throws(ImageError) -> StoredImage {
    var state = ImportProgress(phase: .waiting)
    state.image = references.first?.description ?? image.appc?.name ?? ""
    // Two imports of one image do the work once: the second waits here, and then finds the layers. Two pulls have waited for
    // one another already, by name, and how long this one takes is a server's to say.
    var lock: SharedDescriptor?
    if arriving == nil, let document = image.document {
      lock = try importLock(SHA256.digest(of: document)) { progress(state) }
    }
    defer { withExtendedLifetime(lock) {} }

    // A removal may take a layer away between finding it and publishing the image; then it is unpacked after all.
    for _ in 0..<4 {
      state.phase = .unpacking
      state.layersPresent = 0
      state.layers = image.layers.count
      let staged = try unpackMissing(&state, progress)
      state.phase = .storing
      progress(state)
      let made =
        if let manifest = image.appc { try assemble(manifest, staged) } else {
          Assembly(staged: staged, config: try finalConfig(staged))
        }
      guard let stacked = try complete(made) else { continue }
      let document = image.document ?? made.config.document.compactBytes
      let id = SHA256.digest(of: document)
      let record = ImageRecord(
        id: id, manifestDigest: image.manifestDigest, config: made.config, stack: stacked.stack, appc: made.appc,
        importedAt: Clock.wall)
      if let stored = try publish(record, document: document, layers: stacked.staged) { return stored }
    }
    throw ImageError(.inUse, why: "other imports and removals keep taking its layers away", hint: "try again")
  }

  /// How long another import of the image is waited for. It spares work, and nothing depends on it: whoever publishes last finds
  /// what is there. Whose archive has the same configuration need not have its layers, and may take as long as he likes.
  private static let patience: UInt64 = 20 * 1_000_000_000

  /// - Parameter wait: called when there is another import to wait for.
  /// - Returns: `nil` when that took too long.
  private func importLock(_ digest: Digest, wait: () -> Void) throws(ImageError) -> SharedDescriptor? {
    let path = paths.importLock(digest)
    let file = try kernel("open \(path)") { () throws(Errno) in
      SharedDescriptor(try openFile(path, O_RDWR | O_CREAT | O_NOFOLLOW, mode: 0o600))
    }
    let end = Clock.now + ImageImport.patience
    while Clock.now < end {
      let taken = try kernel("lock \(path)") { () throws(Errno) in
        try FileLock.take(.exclusive, on: file.rawValue, wait: false)
      }
      if taken { return file }
      wait()
      // This one must stay interruptible; nothing tells when a lock is free.
      try WorkerWait.wait([], interruption, milliseconds: 50)
    }
    return nil
  }

  /// A layer that was unpacked for this import.
  struct Staged {
    var directory: String
    var report: LayerReport
    /// Which layers of the image it is: old archives and some builders repeat a layer.
    let positions: [Int]
  }

  /// Unpacks every layer that the store does not have, each once.
  private func unpackMissing(_ state: inout ImportProgress, _ progress: (ImportProgress) -> Void) throws(ImageError)
    -> [Staged]
  {
    var missing: [LayerQueue.Entry] = []
    for entry in LayerQueue.distinct(image.layers) {
      if let diffID = entry.layer.diffID, try store.layerRecord(diffID) != nil {
        state.layersPresent += entry.positions.count
      } else {
        missing.append(entry)
      }
    }
    state.layersDone = state.layersPresent
    let queue = LayerQueue(missing, of: image.layers.count, from: arriving) { (entry) throws(ImageError) in
      try start(entry.layer, number: entry.positions[0])
    }
    defer { queue.stop() }
    try queue.begin()
    queue.show(in: &state)
    progress(state)
    while try queue.advance(interruption) {
      queue.show(in: &state)
      progress(state)
    }
    queue.show(in: &state)
    progress(state)
    return queue.done
  }

  /// Starts to unpack a layer; `nil` when too little of it has come.
  private func start(_ layer: ArchiveLayer, number: Int) throws(ImageError) -> LayerPipeline? {
    let file: FileDescriptor
    if let arriving, case .file(let digest, _) = layer.location {
      guard let opened = try arriving.open(digest) else { return nil }
      file = opened
    } else {
      file = try source.open(layer.location)
    }
    // Clock.wall keeps names apart when an import has to start over.
    let directory = try staging.directory("\(number)-\(String(Clock.wall % 1_000_000_000_000, radix: 36))")
    return try LayerPipeline.start(
      layer, source: file, grows: arriving != nil, into: directory, empty: empty, store.worker)
  }

  /// The configuration with its diff ids, which an old archive does not state.
  private func finalConfig(_ staged: [Staged]) throws(ImageError) -> ImageConfig {
    var config = image.config
    guard image.document == nil else { return config }
    var diffIDs: [Digest?] = Array(repeating: nil, count: image.layers.count)
    for layer in staged {
      for position in layer.positions { diffIDs[position] = layer.report.diffID }
    }
    config.diffIDs = diffIDs.compactMap { $0 }
    guard config.diffIDs.count == image.layers.count else { throw .invalid("not every layer was unpacked") }
    return config
  }
}
