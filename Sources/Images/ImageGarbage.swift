import Glibc
import LinuxKernel

/// Removing images by themselves, and keeping some from it.
extension ImageStore {
  /// Removes images that nothing needs any more, least recently used first: those not used for `unusedSeconds`, and then
  /// others until the file system has `freeBytes` to spare. Neither touches an image in use or one that is pinned.
  /// Layers without an image go as well.
  package func collectGarbage(unusedFor unusedSeconds: UInt64?, untilFree freeBytes: UInt64?) throws(ImageError)
    -> ImageRemoval
  {
    do throws(ImageError) {
      var total = try removeOrphans()
      let now = Clock.wall
      for image in try list().sorted(by: { $0.lastUsedAt < $1.lastUsedAt }) where !image.isPinned {
        let idle = now > image.lastUsedAt ? (now - image.lastUsedAt) / 1_000_000_000 : 0
        let isOld = unusedSeconds.map { idle >= $0 } ?? false
        let isNeeded = try freeBytes.map { (wanted) throws(ImageError) in try availableBytes() < wanted } ?? false
        guard isOld || isNeeded else { continue }
        guard let removal = try removeIfUnused(image) else { continue }
        total.references += removal.references
        total.images += removal.images
        total.layers += removal.layers
        total.bytes = total.bytes.addingReportingOverflow(removal.bytes).partialValue
      }
      return total
    } catch {
      throw error.during("collect garbage in the image store")
    }
  }

  /// Removes the image with all its names; `nil` when it is in use, or was used or removed in the meantime.
  private func removeIfUnused(_ image: StoredImage) throws(ImageError) -> ImageRemoval? {
    let staging = try Staging(in: paths)
    defer { withExtendedLifetime(staging) {} }
    let lock = try lockStore()
    defer { withExtendedLifetime(lock) {} }
    guard exists(paths.image(image.id)), try lastUse(image.id) == image.lastUsedAt else { return nil }
    var table = try ReferenceTable(paths.references)
    var removal = ImageRemoval(references: table.references(to: image.id))
    table.removeAll(to: image.id)
    do throws(ImageError) {
      try take(image.id, into: staging, table, &removal)
      return removal
    } catch  where error.kind == .inUse {
      return nil
    }
  }

  /// Keeps an image from garbage collection, or no longer. `remove` removes it all the same.
  package func setPinned(_ text: String, _ pinned: Bool) throws(ImageError) {
    do throws(ImageError) {
      guard let image = try findAny(text) else { throw ImageError(.notFound, why: "there is no such image") }
      let path = paths.pin(image.id)
      if pinned {
        try kernel("write \(path)", missing: ImageError(.notFound, why: "it was removed")) { () throws(Errno) in
          try writeFileAtomically(path, [], mode: 0o600, durable: true)
        }
      } else if exists(path) {
        try kernel("remove \(path)") { () throws(Errno) in try removeFile(path) }
      }
    } catch {
      throw error.during("\(pinned ? "pin" : "unpin") the image \(printable(text.utf8))")
    }
  }

  /// When the image was used last, or else imported: the modification time of a file that `lockForUse` touches.
  /// Nanoseconds since 1970, by whole seconds.
  func lastUse(_ id: Digest) throws(ImageError) -> UInt64 {
    do throws(Errno) {
      return UInt64(clamping: try status(of: paths.lastUse(id)).modified) &* 1_000_000_000
    } catch  where error.code == ENOENT || error.code == ENOTDIR {
      return 0
    } catch {
      throw ImageError(error, doing: "look at \(paths.lastUse(id))")
    }
  }

  private func availableBytes() throws(ImageError) -> UInt64 {
    try kernel("look for free space") { () throws(Errno) in
      let root = try openFile(paths.root, O_RDONLY | O_DIRECTORY)
      return try space(of: root.rawValue).available
    }
  }
}
