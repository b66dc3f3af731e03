import Glibc
import LinuxKernel
import StrictJSON

/// The images of this host: unpacked layers, addressed by their content, and the names that lead to them.
///
/// Any number of executors use one store at the same time. What they share appears by a rename after it was verified and
/// is never changed afterwards; see `StorePaths` for the tree and its locks.
package struct ImageStore: Sendable {
  let paths: StorePaths
  let worker: WorkerBinary
  package let platform: Platform

  /// Opens the store at `root`, making it (0700) where it is missing, and removes what dead imports left there.
  ///
  /// `worker` is the program that serves as the unpack worker: it must hand `__unpack` to `UnpackWorker.main`.
  package init(root: String, worker: WorkerBinary = .current, platform: Platform = .host) throws(ImageError) {
    paths = StorePaths(root: root)
    self.worker = worker
    self.platform = platform
    do throws(ImageError) {
      guard root.utf8.first == UInt8(ascii: "/") else { throw .invalid("the path is not absolute") }
      guard root.utf8.count <= StorePaths.maximumRootLength else {
        throw .invalid("the path is longer than \(StorePaths.maximumRootLength) bytes, so layers could not be mounted")
      }
      for path in [root, paths.images, paths.layers, paths.importing, paths.staging, paths.pulls] {
        try kernel("make \(path)") { () throws(Errno) in try makeDirectories(path, mode: 0o700) }
      }
      try ImageStore.check(root)
      try Staging.sweep(paths)
      try PullDirectory.sweep(paths)
    } catch {
      throw error.during("open the image store \(root)")
    }
  }

  /// The store at `root` as it is: nothing is made, and nothing removed. One that is not there has no images.
  package init(reading root: String) throws(ImageError) {
    paths = StorePaths(root: root)
    worker = .current
    platform = .host
    guard (try? status(of: root)) != nil else { return }
    do throws(ImageError) { try ImageStore.check(root) } catch { throw error.during("open the image store \(root)") }
  }

  private static func check(_ root: String) throws(ImageError) {
    let opened = try kernel("open it") { () throws(Errno) in try openFile(root, O_RDONLY | O_DIRECTORY) }
    let found = try kernel("look at it") { () throws(Errno) in try status(of: opened.rawValue) }
    guard found.uid == geteuid(), found.permissions & 0o077 == 0 else {
      throw .invalid(
        "it belongs to uid \(found.uid) with mode \(String(found.permissions, radix: 8))",
        hint: "it must be the executor's own, mode 700: images hold set-user-id programs")
    }
  }

  /// The image that `reference` names, `nil` when the store has none. A digest decides over a tag; it is that of the
  /// manifest.
  package func find(_ reference: ImageReference) throws(ImageError) -> StoredImage? {
    do throws(ImageError) {
      let table = try ReferenceTable(paths.references)
      if let id = table.id(of: reference), let image = try load(id, table) { return image }
      guard let digest = reference.digest else { return nil }
      for record in try records() where record.manifestDigest == digest {
        if let image = try stored(record, table) { return image }
      }
      return nil
    } catch {
      throw error.during("find the image \(reference)")
    }
  }

  /// The image that people mean with `text`: a reference, an id, the start of an id (four digits or more) that is no
  /// other's, or what AppC calls it. `nil` when there is none; an error when there are several.
  package func findAny(_ text: String) throws(ImageError) -> StoredImage? {
    do throws(ImageError) {
      if let reference = try? ImageReference(text), let image = try find(reference) { return image }
      let table = try ReferenceTable(paths.references)
      var ids = try identifiers(startingWith: text)
      if ids.isEmpty { ids = try findAppc(text) }
      guard ids.count <= 1 else {
        throw .invalid("\(ids.count) images are meant by it: \(ids.map(\.short).joined(separator: ", "))")
      }
      guard let id = ids.first else { return nil }
      return try load(id, table)
    } catch {
      throw error.during("find the image \(printable(text.utf8))")
    }
  }

  /// Every image, by the name that was given first; those without a name come last.
  package func list() throws(ImageError) -> [StoredImage] {
    do throws(ImageError) {
      let table = try ReferenceTable(paths.references)
      var images: [StoredImage] = []
      for record in try records() {
        if let image = try stored(record, table) { images.append(image) }
      }
      func key(_ image: StoredImage) -> [UInt8] {
        Array((image.references.first?.canonical ?? image.appc?.description ?? "\u{7f}" + image.id.hex).utf8)
      }
      return images.sorted { key($0).lexicographicallyPrecedes(key($1)) }
    } catch {
      throw error.during("list the images")
    }
  }

  /// Protects an image from removal as long as the descriptor, or any copy of it, is open: a container's init inherits
  /// it, so that the image outlives an executor that dies. `.notFound` when the image has gone since it was found.
  package func lockForUse(_ image: StoredImage) throws(ImageError) -> FileDescriptor {
    let path = paths.image(image.id)
    do throws(ImageError) {
      let gone = ImageError(.notFound, why: "it was removed in the meantime", hint: "pull or import it again")
      let opened = try kernel("open \(path)", missing: gone) { () throws(Errno) in
        try openFile(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
      }
      // Exclusive locks are held only while an image goes.
      guard
        try kernel(
          "lock \(path)",
          { () throws(Errno) in
            try FileLock.take(.shared, on: opened.rawValue, wait: false)
          })
      else { throw gone }
      let inode = try kernel("look at \(path)") { () throws(Errno) in try status(of: opened.rawValue).inode }
      guard (try? status(of: path))?.inode == inode else { throw gone }
      for layer in image.layers where !exists(layer.path) { throw gone }
      try touch(image.id)
      return opened
    } catch {
      throw error.during("use the image \(image.id.short)")
    }
  }

  /// Notes that the image is used now.
  private func touch(_ id: Digest) throws(ImageError) {
    try kernel("note the use of the image") { () throws(Errno) in
      let file = try openFile(paths.lastUse(id), O_WRONLY | O_CREAT | O_NOFOLLOW, mode: 0o600)
      let now = Clock.wall
      try setTimes(
        of: file.rawValue,
        to: FileTime(seconds: Int64(now / 1_000_000_000), nanoseconds: Int32(now % 1_000_000_000)))
    }
  }

  /// The ids in the store that start with `text`, with or without `sha256:`; all of it is compared as bytes.
  private func identifiers(startingWith text: String) throws(ImageError) -> [Digest] {
    var digits = Array(text.utf8)
    if digits.starts(with: "sha256:".utf8) { digits.removeFirst(7) }
    guard (4...64).contains(digits.count) else { return [] }
    return try identifiers().filter { $0.hex.utf8.starts(with: digits) }
  }

  func identifiers() throws(ImageError) -> [Digest] {
    let names = try kernel("list \(paths.images)") { () throws(Errno) -> [DirectoryEntry] in
      do throws(Errno) { return try entries(of: paths.images) } catch {
        guard error.code == ENOENT else { throw error }
        return []
      }
    }
    return names.compactMap { Digest(hex: $0.name) }
  }

  /// Every record that can be read. One that is damaged is an error: what it protects must not be removed by mistake.
  func records() throws(ImageError) -> [ImageRecord] {
    var records: [ImageRecord] = []
    for id in try identifiers() {
      if let record = try record(id) { records.append(record) }
    }
    return records
  }

  /// The record of an image, `nil` when there is none.
  func record(_ id: Digest) throws(ImageError) -> ImageRecord? {
    guard let json = try read(paths.record(id), limit: 32 << 20) else { return nil }
    let record = try ImageRecord(json)
    guard record.id == id else { throw .invalid("\(paths.record(id)) is the record of another image") }
    return record
  }

  /// The record of a layer, `nil` when the store does not have the layer.
  func layerRecord(_ diffID: Digest) throws(ImageError) -> LayerRecord? {
    guard let json = try read(paths.layerRecord(diffID), limit: 64 << 10) else { return nil }
    let record = try LayerRecord(json)
    guard record.diffID == diffID else { throw .invalid("\(paths.layerRecord(diffID)) is the record of another layer") }
    return record
  }

  private func read(_ path: String, limit: Int) throws(ImageError) -> JSON? {
    let bytes: [UInt8]
    do throws(Errno) {
      bytes = try readFile(path, limit: limit)
    } catch  where error.code == ENOENT || error.code == ENOTDIR {
      return nil
    } catch {
      throw ImageError(error, doing: "read \(path)")
    }
    do throws(JSONError) { return try JSON(parsing: bytes, limits: JSON.Limits(bytes: limit)) } catch {
      throw .invalid("\(path): \(error)", hint: "remove the image and import it again")
    }
  }

  func exists(_ path: String) -> Bool { (try? status(of: path)) != nil }

  private func load(_ id: Digest, _ table: ReferenceTable) throws(ImageError) -> StoredImage? {
    guard let record = try record(id) else { return nil }
    return try stored(record, table)
  }

  /// The image of a record, `nil` when one of its layers is missing: then it must be imported again.
  func stored(_ record: ImageRecord, _ table: ReferenceTable) throws(ImageError) -> StoredImage? {
    var layers: [StoredLayer] = []
    var bytes: UInt64 = 0
    for diffID in record.stack {
      guard let layer = try layerRecord(diffID) else { return nil }
      if layer.opaqueRoot { layers = [] }
      // overlayfs refuses a layer that occurs twice, and the upper one hides all that the lower one has.
      layers.removeAll { $0.diffID == diffID }
      layers.append(
        StoredLayer(
          diffID: diffID, path: paths.tree(diffID), bytes: layer.contentBytes, isSupplement: layer.isSupplement))
      bytes = bytes.addingReportingOverflow(layer.contentBytes).partialValue
    }
    return StoredImage(
      references: table.references(to: record.id), id: record.id, appc: record.appc,
      manifestDigest: record.manifestDigest,
      layers: layers, config: record.config, bytes: bytes, importedAt: record.importedAt,
      lastUsedAt: try lastUse(record.id),
      isPinned: exists(paths.pin(record.id)))
  }
}
