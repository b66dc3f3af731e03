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
}

extension ImageStore {
  /// Removes the image that people mean with `text`: a name, an id or the start of one.
  ///
  /// A name of an image that has others is only taken off it. An id stands for the image itself; when it has several
  /// names, that needs `force`. Layers go with the last image that has them. An image in use is never removed, whatever
  /// `force` says: `.inUse`.
  package func remove(_ text: String, force: Bool = false) throws(ImageError) -> ImageRemoval {
    do throws(ImageError) {
      // Outside of the lock: what was moved here is deleted when this goes, and that may take long.
      let staging = try Staging(in: paths)
      defer { withExtendedLifetime(staging) {} }
      return try remove(text, force: force, into: staging)
    } catch {
      throw error.during("remove the image \(printable(text.utf8))")
    }
  }

  private func remove(_ text: String, force: Bool, into staging: Staging) throws(ImageError) -> ImageRemoval {
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
      guard let image = try findAny(text) else { throw ImageError(.notFound, why: "there is no such image") }
      id = image.id
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
    try take(id, into: staging, table, &removal)
    return removal
  }

  /// Removes every layer that belongs to no image: what a crash or a damaged record left.
  package func removeOrphans() throws(ImageError) -> ImageRemoval {
    do throws(ImageError) {
      let staging = try Staging(in: paths)
      defer { withExtendedLifetime(staging) {} }
      let lock = try lockStore()
      defer { withExtendedLifetime(lock) {} }
      var removal = ImageRemoval()
      try takeLayers(into: staging, keeping: try records(), &removal)
      return removal
    } catch {
      throw error.during("remove layers without an image")
    }
  }

  /// Moves an image and the layers that only it has out of the store; what was moved is deleted with `staging`. The
  /// store's lock is held.
  func take(_ id: Digest, into staging: Staging, _ table: ReferenceTable, _ removal: inout ImageRemoval)
    throws(ImageError)
  {
    // Before the first change: an image in use stays as it is.
    let held = try lockForRemoval(id)
    defer { withExtendedLifetime(held) {} }

    // The names first: a crash after this leaves an image without names, which `list` shows, and never names of nothing.
    try table.write(paths.references)
    try move(paths.image(id), into: staging)
    removal.images.append(id)
    try kernel("write \(paths.images) to the disk") { () throws(Errno) in
      try openFile(paths.images, O_RDONLY | O_DIRECTORY).synchronize()
    }
    try takeLayers(into: staging, keeping: try records(), &removal)
  }

  /// The lock that no container's use of the image lets through.
  private func lockForRemoval(_ id: Digest) throws(ImageError) -> SharedDescriptor {
    let path = paths.image(id)
    let file = try kernel("open \(path)") { () throws(Errno) in
      SharedDescriptor(try openFile(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW))
    }
    let free = try kernel("lock \(path)") { () throws(Errno) in
      try FileLock.take(.exclusive, on: file.rawValue, wait: false)
    }
    guard free else {
      throw ImageError(.inUse, why: "a container uses the image \(id.short)", hint: "stop its tasks first")
    }
    return file
  }

  private func takeLayers(into staging: Staging, keeping records: [ImageRecord], _ removal: inout ImageRemoval)
    throws(ImageError)
  {
    let needed = Set(records.flatMap { $0.diffIDs + $0.stack })
    let names = try kernel("list \(paths.layers)") { () throws(Errno) in try entries(of: paths.layers) }
    for diffID in names.compactMap({ Digest(hex: $0.name) }) where !needed.contains(diffID) {
      // A layer whose record is damaged goes as well.
      let record = try? layerRecord(diffID)
      try move(paths.layer(diffID), into: staging)
      // Nobody has ever been told of a supplement, and it holds nothing of its own.
      if record?.isSupplement == true { continue }
      removal.layers.append(diffID)
      removal.bytes = removal.bytes.addingReportingOverflow(record?.contentBytes ?? 0).partialValue
    }
  }

  private func move(_ path: String, into staging: Staging) throws(ImageError) {
    let target = staging.path + "/" + String(Clock.now, radix: 36)
    try kernel("remove \(path)", missing: ImageError(.notFound, why: "there is no such image")) { () throws(Errno) in
      try rename(path, to: target)
    }
  }
}
