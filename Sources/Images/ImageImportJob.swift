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

  /// Layers at once: each keeps up to two processors busy.
  private static let parallelLayers = 2

  private var paths: StorePaths { store.paths }

  func run(_ progress: (ImportProgress) -> Void) throws(ImageError) -> StoredImage {
    let key = image.document.map { SHA256.digest(of: $0) }
    // Two imports of one image do the work once: the second waits here, and then finds the layers.
    let lock = try key.map { (digest) throws(ImageError) in try importLock(digest) }
    defer { withExtendedLifetime(lock) {} }

    // A removal may take a layer away between finding it and publishing the image; then it is unpacked after all.
    for _ in 0..<4 {
      var state = ImportProgress(phase: .unpacking)
      state.image = references.first?.description ?? image.appc?.name ?? ""
      state.layers = image.layers.count
      let staged = try unpackMissing(&state, progress)
      state.phase = .storing
      progress(state)
      let made =
        if let manifest = image.appc { try assemble(manifest, staged) } else {
          Assembly(staged: staged, config: try finalConfig(staged))
        }
      let document = image.document ?? made.config.document.compactBytes
      let id = SHA256.digest(of: document)
      let record = ImageRecord(
        id: id, manifestDigest: image.manifestDigest, config: made.config, diffIDs: made.config.diffIDs,
        appc: made.appc, importedAt: Clock.wall)
      if let stored = try publish(record, document: document, layers: made.staged) { return stored }
    }
    throw ImageError(.inUse, why: "other imports and removals keep taking its layers away", hint: "try again")
  }

  private func importLock(_ digest: Digest) throws(ImageError) -> SharedDescriptor {
    let path = paths.importLock(digest)
    let file = try kernel("open \(path)") { () throws(Errno) in
      SharedDescriptor(try openFile(path, O_RDWR | O_CREAT | O_NOFOLLOW, mode: 0o600))
    }
    while true {
      let taken = try kernel("lock \(path)") { () throws(Errno) in
        try FileLock.take(.exclusive, on: file.rawValue, wait: false)
      }
      if taken { return file }
      // Another import may take minutes, and this one must stay interruptible; nothing tells when a lock is free.
      try WorkerWait.wait([], interruption, milliseconds: 50)
    }
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
    var groups: [(layer: ArchiveLayer, positions: [Int])] = []
    for (position, layer) in image.layers.enumerated() {
      if let index = groups.firstIndex(where: {
        layer.diffID != nil ? $0.layer.diffID == layer.diffID : $0.layer.location == layer.location
      }) {
        groups[index].positions.append(position)
      } else {
        groups.append((layer, [position]))
      }
    }
    var waiting: [(layer: ArchiveLayer, positions: [Int])] = []
    for group in groups {
      if let diffID = group.layer.diffID, try store.layerRecord(diffID) != nil {
        state.layersPresent += group.positions.count
        state.layersDone += group.positions.count
      } else {
        waiting.append(group)
        state.bytesTotal = state.bytesTotal.addingReportingOverflow(group.layer.location.size).partialValue
      }
    }
    progress(state)

    var running: [(unpack: LayerPipeline, positions: [Int])] = []
    var done: [Staged] = []
    var doneBytes: UInt64 = 0
    var entries: UInt64 = 0
    while !waiting.isEmpty || !running.isEmpty {
      while running.count < ImageImport.parallelLayers, !waiting.isEmpty {
        let next = waiting.removeFirst()
        running.append((try start(next.layer, number: next.positions[0]), next.positions))
      }
      try WorkerWait.wait(running.flatMap { $0.unpack.descriptors }, interruption)
      for index in running.indices.reversed() {
        guard let outcome = running[index].unpack.pump() else { continue }
        let (unpack, positions) = running.remove(at: index)
        let report: LayerReport
        do throws(ImageError) { report = try outcome.get() } catch {
          throw error.at(
            "layer \(positions[0] + 1) of \(image.layers.count)" + (unpack.layer.diffID.map { " (\($0.short))" } ?? ""))
        }
        entries = entries.addingReportingOverflow(report.entries).partialValue
        guard entries <= Budgets().entries else { throw .invalid("more than \(Budgets().entries) entries") }
        done.append(Staged(directory: unpack.directory, report: report, positions: positions))
        doneBytes = doneBytes.addingReportingOverflow(unpack.layer.location.size).partialValue
        state.layersDone += positions.count
      }
      state.bytesDone = running.reduce(doneBytes) { $0.addingReportingOverflow($1.unpack.progress).partialValue }
      progress(state)
    }
    return done
  }

  private func start(_ layer: ArchiveLayer, number: Int) throws(ImageError) -> LayerPipeline {
    // Clock.wall keeps names apart when an import has to start over.
    let directory = try staging.directory("\(number)-\(String(Clock.wall % 1_000_000_000_000, radix: 36))")
    let file = try source.open(layer.location)
    return try LayerPipeline.start(layer, source: file, into: directory, empty: empty, store.worker)
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
