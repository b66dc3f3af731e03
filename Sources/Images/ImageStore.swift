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
  /// Whether nothing is changed in it.
  let isRead: Bool

  /// Opens the store at `root`, making it (0700) where it is missing, and removes of what dead imports left there as
  /// much as takes no time.
  ///
  /// `worker` is the program that serves as the unpack worker: it must hand `__unpack` to `UnpackWorker.main`.
  ///
  /// - Parameter sweeps: false for who says what is removed.
  package init(root: String, worker: WorkerBinary = .current, platform: Platform = .host, sweeps: Bool = true)
    throws(ImageError)
  {
    paths = StorePaths(root: root)
    self.worker = worker
    self.platform = platform
    isRead = false
    do throws(ImageError) {
      guard root.utf8.first == UInt8(ascii: "/") else { throw .invalid("the path is not absolute") }
      guard root.utf8.count <= StorePaths.maximumRootLength else {
        throw .invalid("the path is longer than \(StorePaths.maximumRootLength) bytes, so layers could not be mounted")
      }
      for path in [root, paths.images, paths.layers, paths.importing, paths.staging, paths.pulls] {
        try kernel("make \(path)") { () throws(Errno) in try makeDirectories(path, mode: 0o700) }
      }
      try ImageStore.check(root)
      if sweeps { sweepQuickly() }
    } catch {
      throw error.during("open the image store \(root)")
    }
  }

  /// The store at `root` as it is: nothing is made, and nothing removed. One that is not there has no images.
  package init(reading root: String) throws(ImageError) {
    paths = StorePaths(root: root)
    worker = .current
    platform = .host
    isRead = true
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
      return try find(manifest: digest, table)
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
      guard let id = try identify(text, table) else { return nil }
      return try load(id, table)
    } catch {
      throw error.during("find the image \(printable(text.utf8))")
    }
  }

  /// The id that people mean with `text`, also of an image that cannot be read or lacks a layer.
  func identify(_ text: String, _ table: ReferenceTable) throws(ImageError) -> Digest? {
    if let reference = try? ImageReference(text) {
      if let id = table.id(of: reference) { return id }
      if let digest = reference.digest, let entry = try entries().intact.first(where: { $0.manifestDigest == digest }) {
        return entry.id
      }
    }
    var ids = try identifiers(startingWith: text)
    if ids.isEmpty { ids = try findAppc(text) }
    guard ids.count <= 1 else {
      throw .invalid("\(ids.count) images are meant by it: \(ids.map(\.short).joined(separator: ", "))")
    }
    return ids.first
  }

  /// Protects an image from removal as long as the descriptor, or any copy of it, is open: a container's init inherits
  /// it, so that the image outlives an executor that dies. `.notFound` when the image has gone since it was found.
  package func lockForUse(_ image: StoredImage) throws(ImageError) -> FileDescriptor {
    let opened = try hold(image.summary)
    do throws(ImageError) { try touch(image.id) } catch { throw error.during("use the image \(image.id.short)") }
    return opened
  }

  /// The same for who only looks at it.
  package func hold(_ image: ImageSummary) throws(ImageError) -> FileDescriptor {
    let path = paths.image(image.id)
    do throws(ImageError) {
      let gone = ImageError(.notFound, why: "it was removed in the meantime", hint: "pull or import it again")
      let opened = try kernel("open \(path)", missing: gone) { () throws(Errno) in
        try openFile(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
      }
      // Exclusive locks are held only while an image goes, or for the instant in which somebody asks whether it is in use.
      let end = Clock.now + ImageStore.removalTime
      while true {
        let isTaken = try kernel("lock \(path)") { () throws(Errno) in
          try FileLock.take(.shared, on: opened.rawValue, wait: false)
        }
        if isTaken { break }
        guard Clock.now < end, exists(path) else { throw gone }
        CurrentProcess.pause(milliseconds: 5)
      }
      let inode = try kernel("look at \(path)") { () throws(Errno) in try status(of: opened.rawValue).inode }
      guard (try? status(of: path))?.inode == inode else { throw gone }
      for layer in image.layers where !exists(layer.path) { throw gone }
      return opened
    } catch {
      throw error.during("use the image \(image.id.short)")
    }
  }

  /// How long an image that is being removed may still have its name.
  private static let removalTime: UInt64 = 5_000_000_000

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
}
