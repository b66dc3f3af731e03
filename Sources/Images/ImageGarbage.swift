import Glibc
import LinuxKernel

/// Removing images by themselves, and keeping some from it.
extension ImageStore {
  /// Removes what imports and pulls have left, layers without an image, and images that nothing needs any more: what
  /// `policy` says, least recently used first; never an image in use or one that is pinned.
  ///
  /// - Parameters:
  ///   - isDryRun: whether all that is only said. What removing would free is then what the files' content takes.
  ///   - tell: is called for each thing that went, and for each that went not although it was its turn.
  @discardableResult
  package func collectGarbage(
    _ policy: GarbagePolicy, isDryRun: Bool = false, tell: (GarbageEvent) -> Void = { _ in }
  ) throws(ImageError) -> ImageRemoval {
    guard exists(paths.root) else { return ImageRemoval() }
    do throws(ImageError) {
      var total = ImageRemoval()
      var free = try freeBytes()
      for event in try removeLeftovers(isDryRun) {
        tell(event)
        free += event.bytes
      }
      for event in try removeOrphans(isDryRun, &total) {
        tell(event)
        free += event.bytes
      }
      let images = try list()
      var users: [Digest: Int] = [:]
      for image in images { for diffID in image.needed { users[diffID, default: 0] += 1 } }
      let now = Clock.wall
      for image in images.sorted(by: { $0.lastUsedAt < $1.lastUsedAt }) {
        if !isDryRun { free = try freeBytes() }
        guard let reason = policy.reason(image, now: now, free: free) else { continue }
        var bytes: UInt64 = 0
        for diffID in image.needed where users[diffID] == 1 {
          bytes = bytes.addingReportingOverflow(try layerRecord(diffID)?.contentBytes ?? 0).partialValue
        }
        func say(_ verdict: GarbageEvent.Verdict, _ reason: String) {
          tell(
            GarbageEvent(
              verdict: verdict, kind: .image, name: image.id.description, references: image.references, bytes: bytes,
              reason: reason))
        }
        if image.isPinned {
          say(.kept, "pinned")
          continue
        }
        let isKept = isDryRun ? try isInUse(image.id) : try !removeIfUnused(image, &total)
        if isKept {
          say(.kept, "in use by a container, or used just now")
        } else {
          say(.removed, reason)
          free = free.addingReportingOverflow(bytes).partialValue
          for diffID in image.needed { users[diffID, default: 1] -= 1 }
        }
      }
      return total
    } catch {
      throw error.during("collect garbage in the image store")
    }
  }

  private func removeLeftovers(_ isDryRun: Bool) throws(ImageError) -> [GarbageEvent] {
    var events: [GarbageEvent] = []
    for leftover in try leftovers() where !leftover.isLive {
      let bytes = try leftover.diskBytes()
      let isGone = isDryRun ? true : try leftover.remove()
      guard isGone else { continue }
      events.append(
        GarbageEvent(
          verdict: .removed, kind: leftover.kind == .pull ? .pull : .staging, name: leftover.path, bytes: bytes,
          reason: leftover.kind == .pull ? "left by a pull that failed" : "left by an import that died"))
    }
    return events
  }

  private func removeOrphans(_ isDryRun: Bool, _ total: inout ImageRemoval) throws(ImageError) -> [GarbageEvent] {
    let entries = try entries()
    var events = try orphans(entries).filter { !$0.isSupplement }.map { layer in
      GarbageEvent(
        verdict: .removed, kind: .layer, name: layer.diffID.description, bytes: layer.bytes, reason: "of no image")
    }
    if !isDryRun {
      let removal = try removeOrphans()
      total.layers += removal.layers
      total.bytes = total.bytes.addingReportingOverflow(removal.bytes).partialValue
      total.unreadable = removal.unreadable
      events = events.filter { event in removal.layers.contains { $0.description == event.name } }
    }
    return events
      + entries.damaged.map { (id, error) in
        GarbageEvent(
          verdict: .kept, kind: .image, name: id.description, bytes: 0,
          reason: "its record cannot be read, and layers without an image may be its own: \(error.why)")
      }
  }

  /// Removes the image with all its names, unless it is in use, or was used or removed in the meantime.
  ///
  /// - Returns: whether it has gone.
  private func removeIfUnused(_ image: ImageSummary, _ total: inout ImageRemoval) throws(ImageError) -> Bool {
    let staging = try Staging(in: paths)
    let known = try entries().intact
    guard let removal = try removeIfUnused(image, into: staging, known) else { return false }
    // Outside of the lock; what is free is looked at after it.
    try staging.empty()
    total.references += removal.references
    total.images += removal.images
    total.layers += removal.layers
    total.bytes = total.bytes.addingReportingOverflow(removal.bytes).partialValue
    return true
  }

  private func removeIfUnused(_ image: ImageSummary, into staging: Staging, _ known: [ImageEntry]) throws(ImageError)
    -> ImageRemoval?
  {
    let lock = try lockStore()
    defer { withExtendedLifetime(lock) {} }
    guard exists(paths.image(image.id)), try lastUse(image.id) == image.lastUsedAt, !exists(paths.pin(image.id)) else {
      return nil
    }
    var table = try ReferenceTable(paths.references)
    var removal = ImageRemoval(references: table.references(to: image.id))
    table.removeAll(to: image.id)
    do throws(ImageError) {
      try take(image.id, into: staging, table, known, &removal)
      return removal
    } catch  where error.kind == .inUse {
      return nil
    }
  }

  /// Keeps an image from garbage collection, or no longer. `remove` removes it all the same.
  package func setPinned(_ text: String, _ pinned: Bool) throws(ImageError) -> ImageSummary {
    do throws(ImageError) {
      let missing = ImageError(.notFound, why: "there is no such image")
      let table = try ReferenceTable(paths.references)
      guard let id = try identify(text, table) else { throw missing }
      let path = paths.pin(id)
      if pinned {
        try kernel("write \(path)", missing: missing) { () throws(Errno) in
          try writeFileAtomically(path, [], mode: 0o600, durable: true)
        }
      } else if exists(path) {
        try kernel("remove \(path)") { () throws(Errno) in try removeFile(path) }
      }
      guard let entry = try entry(id), let image = try summary(entry, table) else { throw missing }
      return image
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

  /// Room on the file system of the store; none where there is no store.
  package func freeBytes() throws(ImageError) -> UInt64 {
    guard exists(paths.root) else { return 0 }
    return try kernel("look for free space") { () throws(Errno) in
      let root = try openFile(paths.root, O_RDONLY | O_DIRECTORY)
      return try space(of: root.rawValue).available
    }
  }
}
