import LinuxKernel

/// The layers of an import, from the first that waits to the last that is unpacked: each once, several at a time.
final class LayerQueue {
  /// A layer, and which of the image it is.
  struct Entry {
    let layer: ArchiveLayer
    let positions: [Int]
  }

  private struct Running {
    let entry: Entry
    let pipeline: LayerPipeline
    /// With which attempt of its download it was begun.
    let attempt: Int
    /// How much of it was there when its worker was told last.
    var told: UInt64 = 0
  }

  private let all: [Entry]
  private let count: Int
  private var waiting: [Entry]
  private var running: [Running] = []
  private(set) var done: [ImageImport.Staged] = []
  private var entries: UInt64 = 0
  private let arriving: (any ArrivingLayers)?
  private let start: (Entry) throws(ImageError) -> LayerPipeline?

  /// Layers at once of what is there: each keeps up to two processors busy.
  private static let stored = 2
  /// The same of what comes: a slow one must not keep the others from being unpacked.
  private static let coming = 4

  /// - Parameters:
  ///   - count: how many layers the image has, with those that the store has already.
  ///   - start: begins to unpack one; `nil` when too little of it has come.
  init(
    _ missing: [Entry], of count: Int, from arriving: (any ArrivingLayers)?,
    start: @escaping (Entry) throws(ImageError) -> LayerPipeline?
  ) {
    all = missing
    waiting = missing
    self.count = count
    self.arriving = arriving
    self.start = start
  }

  /// Every layer of an image once.
  static func distinct(_ layers: [ArchiveLayer]) -> [Entry] {
    var groups: [(layer: ArchiveLayer, positions: [Int])] = []
    for (position, layer) in layers.enumerated() {
      if let index = groups.firstIndex(where: {
        layer.diffID != nil ? $0.layer.diffID == layer.diffID : $0.layer.location == layer.location
      }) {
        groups[index].positions.append(position)
      } else {
        groups.append((layer, [position]))
      }
    }
    return groups.map { Entry(layer: $0.layer, positions: $0.positions) }
  }

  /// Has what is to come begin to come.
  func begin() throws(ImageError) {
    guard let arriving else { return }
    var blobs: [WantedBlob] = []
    for entry in all {
      guard case .file(let digest, let size) = entry.layer.location else { continue }
      let blob = WantedBlob(digest: digest, size: size)
      if !blobs.contains(blob) { blobs.append(blob) }
    }
    try arriving.want(blobs, of: count)
  }

  /// Waits for something to happen, and sees to it. False when every layer is done.
  func advance(_ interruption: Int32?) throws(ImageError) -> Bool {
    try fill()
    guard !running.isEmpty || !waiting.isEmpty else { return false }
    try WorkerWait.wait(
      running.flatMap(\.pipeline.descriptors) + (arriving?.descriptors ?? []), interruption,
      milliseconds: arriving?.patience ?? 1000)
    try arriving?.advance()
    for index in running.indices.reversed() { try look(at: index) }
    return true
  }

  private func fill() throws(ImageError) {
    let most = arriving == nil ? LayerQueue.stored : LayerQueue.coming
    var index = 0
    while running.count < most, index < waiting.count {
      let attempt = state(waiting[index]).attempt
      if let pipeline = try start(waiting[index]) {
        running.append(Running(entry: waiting.remove(at: index), pipeline: pipeline, attempt: attempt))
      } else {
        index += 1
      }
    }
  }

  private func look(at index: Int) throws(ImageError) {
    let one = running[index]
    // What it has read was not the layer.
    let state = state(one.entry)
    if state.attempt != one.attempt {
      one.pipeline.stop()
      running.remove(at: index)
      return waiting.insert(one.entry, at: 0)
    }
    if state.bytes != one.told {
      running[index].told = state.bytes
      one.pipeline.grown()
    }
    // While it comes, what a worker makes of it says little: a digest that is wrong is the better reason.
    guard let outcome = one.pipeline.pump(), state.isComplete else { return }
    running.remove(at: index)
    let report: LayerReport
    do throws(ImageError) { report = try outcome.get() } catch {
      throw error.at(
        "layer \(one.entry.positions[0] + 1) of \(count)" + (one.entry.layer.diffID.map { " (\($0.short))" } ?? ""))
    }
    entries = entries.addingReportingOverflow(report.entries).partialValue
    guard entries <= Budgets().entries else { throw .invalid("more than \(Budgets().entries) entries") }
    done.append(
      ImageImport.Staged(directory: one.pipeline.directory, report: report, positions: one.entry.positions))
  }

  private func state(_ entry: Entry) -> BlobState {
    guard let arriving, case .file(let digest, _) = entry.layer.location else {
      return BlobState(bytes: .max, isComplete: true)
    }
    return arriving.state(digest)
  }

  /// Ends what still runs.
  func stop() { for one in running { one.pipeline.stop() } }

  /// Says how far everything is.
  func show(in state: inout ImportProgress) {
    state.parts = all.map(progress)
    state.bytesTotal = state.parts.reduce(0) { $0.addingReportingOverflow($1.size).partialValue }
    state.bytesDone = state.parts.reduce(0) { $0.addingReportingOverflow($1.unpacked).partialValue }
    state.layersDone = state.layersPresent + done.reduce(0) { $0 + $1.positions.count }
  }

  private func progress(_ entry: Entry) -> LayerProgress {
    let size = entry.layer.location.size
    let fetched = min(state(entry).bytes, size)
    var progress = LayerProgress(
      digest: entry.layer.blobDigest ?? entry.layer.diffID, number: entry.positions[0] + 1, phase: .waiting,
      fetched: fetched, unpacked: 0, size: size)
    if done.contains(where: { $0.positions == entry.positions }) {
      progress.phase = .done
      progress.unpacked = size
    } else if let one = running.first(where: { $0.entry.positions == entry.positions }) {
      progress.phase = fetched < size ? .fetching : .unpacking
      progress.unpacked = one.pipeline.progress
    } else if arriving != nil, fetched > 0, fetched < size {
      progress.phase = .fetching
    }
    return progress
  }
}
