import Glibc
import LinuxKernel

/// What a removal took away.
package struct ImageRemoval: Sendable, Equatable {
  /// Names that lead nowhere any more.
  package var references: [ImageReference] = []
  package var images: [Digest] = []
  /// Layers that no other image has.
  package var layers: [Digest] = []
  /// Bytes of file content in those layers.
  package var bytes: UInt64 = 0
  /// Images whose records cannot be read: for them layers without an image stay, which may be theirs.
  package var unreadable: [Digest] = []
}

extension ImageStore {
  /// Removes the image that people mean with `text`: a name, an id or the start of one.
  ///
  /// A name of an image that has others is only taken off it. An id stands for the image itself; when it has several
  /// names, that needs `force`. Layers go with the last image that has them. An image in use is never removed, whatever
  /// `force` says: `.inUse`.
  package func remove(_ text: String, force: Bool = false) throws(ImageError) -> ImageRemoval {
    do throws(ImageError) {
      let staging = try Staging(in: paths)
      let known = try entries().intact
      let removal = try remove(text, force: force, into: staging, known)
      // Outside of the lock, and all of it: who removes an image wants the room.
      try staging.empty()
      return removal
    } catch {
      throw error.during("remove the image \(printable(text.utf8))")
    }
  }

  private func remove(_ text: String, force: Bool, into staging: Staging, _ known: [ImageEntry]) throws(ImageError)
    -> ImageRemoval
  {
    let lock = try lockStore()
    defer { withExtendedLifetime(lock) {} }
    var table = try ReferenceTable(paths.references)
    var removal = ImageRemoval()
    let id: Digest
    if let reference = try? ImageReference(text), let named = table.id(of: reference) {
      id = named
      table.remove(reference)
      removal.references = [reference]
      if !table.references(to: id).isEmpty {
        try table.write(paths.references)
        return removal
      }
    } else {
      guard let found = try identify(text, table) else { throw ImageError(.notFound, why: "there is no such image") }
      id = found
      removal.references = table.references(to: id)
      guard force || removal.references.count <= 1 else {
        throw ImageError(
          .inUse,
          why:
            "it has \(removal.references.count) names: \(removal.references.map(\.description).joined(separator: ", "))",
          hint: "remove them one by one, or use --force")
      }
      table.removeAll(to: id)
    }
    try take(id, into: staging, table, known, &removal)
    return removal
  }

  /// The layers that belong to no image: what a crash or a damaged record left. None while there is an image whose record
  /// cannot be read.
  func orphans(_ entries: ImageEntries) throws(ImageError) -> [StoredLayer] {
    guard entries.damaged.isEmpty else { return [] }
    let needed = Set(entries.intact.flatMap { $0.diffIDs + $0.stack })
    return try identifiers(in: paths.layers).filter { !needed.contains($0) }.map { diffID in
      // A layer whose record is damaged is one as well.
      let record = try? layerRecord(diffID)
      return StoredLayer(
        diffID: diffID, path: paths.tree(diffID), bytes: record?.contentBytes ?? 0,
        isSupplement: record?.isSupplement ?? false)
    }
  }

  /// Removes every layer that belongs to no image.
  package func removeOrphans() throws(ImageError) -> ImageRemoval {
    do throws(ImageError) {
      let staging = try Staging(in: paths)
      let known = try entries().intact
      let removal = try removeOrphans(into: staging, known)
      try staging.empty()
      return removal
    } catch {
      throw error.during("remove layers without an image")
    }
  }

  private func removeOrphans(into staging: Staging, _ known: [ImageEntry]) throws(ImageError) -> ImageRemoval {
    let lock = try lockStore()
    defer { withExtendedLifetime(lock) {} }
    var removal = ImageRemoval()
    try takeLayers(into: staging, known, &removal)
    return removal
  }

  /// Moves an image and the layers that only it has out of the store, to be deleted when nobody waits for the store's lock,
  /// which is held.
  func take(
    _ id: Digest, into staging: Staging, _ table: ReferenceTable, _ known: [ImageEntry], _ removal: inout ImageRemoval
  ) throws(ImageError) {
    // Before the first change: an image in use stays as it is.
    let held = try lockForRemoval(id)
    defer { withExtendedLifetime(held) {} }

    // The names first: a crash after this leaves an image without names, which `list` shows, and never names of nothing.
    try table.write(paths.references)
    // Names can be all that there is of one.
    if held != nil {
      try move(paths.image(id), into: staging)
      removal.images.append(id)
      try kernel("write \(paths.images) to the disk") { () throws(Errno) in
        try openFile(paths.images, O_RDONLY | O_DIRECTORY).synchronize()
      }
    }
    try takeLayers(into: staging, known, &removal)
  }

  /// Whether a container uses the image.
  func isInUse(_ id: Digest) throws(ImageError) -> Bool {
    do throws(ImageError) {
      let held = try lockForRemoval(id)
      return withExtendedLifetime(held) { false }
    } catch  where error.kind == .inUse {
      return true
    }
  }

  /// The lock that no container's use of the image lets through; `nil` when there is nothing of it.
  private func lockForRemoval(_ id: Digest) throws(ImageError) -> SharedDescriptor? {
    let path = paths.image(id)
    let file: SharedDescriptor
    do throws(Errno) {
      file = SharedDescriptor(try openFile(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW))
    } catch  where error.code == ENOENT {
      return nil
    } catch {
      throw ImageError(error, doing: "open \(path)")
    }
    let free = try kernel("lock \(path)") { () throws(Errno) in
      try FileLock.take(.exclusive, on: file.rawValue, wait: false)
    }
    guard free else {
      throw ImageError(.inUse, why: "a container uses the image \(id.short)", hint: "stop its tasks first")
    }
    return file
  }

  /// - Parameter known: what was read before the lock was taken. Which layers an image has never changes, so only those that
  ///   came since are read under it.
  private func takeLayers(into staging: Staging, _ known: [ImageEntry], _ removal: inout ImageRemoval)
    throws(ImageError)
  {
    let present = Set(try identifiers())
    let old = known.filter { present.contains($0.id) }
    var entries = try entries(except: Set(old.map(\.id)))
    entries.intact += old
    removal.unreadable = entries.damaged.map(\.id)
    for layer in try orphans(entries) {
      try move(paths.layer(layer.diffID), into: staging)
      // Nobody has ever been told of a supplement, and it holds nothing of its own.
      if layer.isSupplement { continue }
      removal.layers.append(layer.diffID)
      removal.bytes = removal.bytes.addingReportingOverflow(layer.bytes).partialValue
    }
  }

  private func move(_ path: String, into staging: Staging) throws(ImageError) {
    let target = staging.path + "/" + String(Clock.now, radix: 36)
    try kernel("remove \(path)", missing: ImageError(.notFound, why: "there is no such image")) { () throws(Errno) in
      try rename(path, to: target)
    }
  }
}
