import LinuxKernel

/// What a pull needs of the store: what is there already, and a place for what is not.
extension ImageStore {
  /// The image whose manifest has this digest, `nil` when it is not here or lacks a layer.
  package func find(manifest digest: Digest) throws(ImageError) -> StoredImage? {
    try find(manifest: digest, try ReferenceTable(paths.references))
  }

  /// Makes a name lead to an image that is here; `nil` when the image has gone in the meantime.
  ///
  /// - Parameter giver: whose word the name is.
  package func name(_ id: Digest, _ reference: ImageReference, by giver: NameGiver, interruption: Int32?)
    throws(ImageError) -> StoredImage?
  {
    let lock = try lockStore(interruption)
    defer { withExtendedLifetime(lock) {} }
    guard exists(paths.image(id)) else { return nil }
    var table = try ReferenceTable(paths.references)
    if table.id(of: reference) != id || giver == .operator {
      table.set(reference, to: id, by: giver)
      try table.write(paths.references)
    }
    return try load(id, table)
  }

  /// Puts the one image of a layout that a pull makes into the store, under `reference`. The layout has the documents; the
  /// layers come while they are unpacked, those that the store lacks.
  ///
  /// `giver` is that of `name`, `progress` and `interruption` are those of `importArchive`.
  package func importPulled(
    _ layout: String, as reference: ImageReference, by giver: NameGiver, layers: any ArrivingLayers,
    interruption: Int32?,
    progress: (ImportProgress) -> Void
  ) throws(ImageError) -> StoredImage {
    let staging = try Staging(in: paths)
    let empty = try staging.directory("empty")
    let source = try ImageSource(layout)
    let contents = try inspect(source, empty: empty, mayLackLayers: true, interruption)
    guard contents.images.count == 1, let image = contents.images.first else {
      throw .invalid("the layout of a pull holds \(contents.images.count) images")
    }
    var job = ImageImport(
      store: self, source: source, staging: staging, empty: empty, image: image, references: [reference],
      interruption: interruption)
    job.arriving = layers
    job.namedBy = giver
    return try job.run(progress)
  }

  /// The place for a pull of `reference`, once no other pull has it. `wait` is called while one has, every now and then.
  package func pullDirectory(
    for reference: ImageReference, platform: Platform, interruption: Int32?, wait: () -> Void
  ) throws(ImageError) -> PullDirectory {
    try pullDirectory(named: "\(reference.canonical) \(platform)", interruption, wait)
  }

  /// The same for an ACI, which is fetched from a URL.
  package func pullDirectory(
    forAppc url: String, interruption: Int32?, wait: () throws(ImageError) -> Void
  ) throws(ImageError) -> PullDirectory {
    try pullDirectory(named: "appc \(url)", interruption, wait)
  }

  private func pullDirectory(
    named text: String, _ interruption: Int32?, _ wait: () throws(ImageError) -> Void
  ) throws(ImageError) -> PullDirectory {
    let key = SHA256.digest(of: Array(text.utf8))
    let name = String(decoding: key.hex.utf8.prefix(32), as: UTF8.self)
    while true {
      if let directory = try PullDirectory(name, in: paths) { return directory }
      try wait()
      // Nothing tells when a lock is free, and this must stay interruptible.
      try WorkerWait.wait([], interruption, milliseconds: 100)
    }
  }
}
