import Glibc
import Images
import LinuxKernel

/// The layers of a pull on their way: several at once, each into a file of its own, from which it is unpacked meanwhile.
final class LayerDownloads: ArrivingLayers {
  private let client: RegistryClient
  private let directory: PullDirectory
  private let tell: (PullProgress) -> Void
  private var downloads: [BlobDownload] = []
  /// Why there is no going on, for who gets the import's error.
  private(set) var failure: RegistryError?

  /// Connections at once: more make a registry slow and not the pull fast.
  private static let parallel = 4
  /// So many bytes say how a blob is compressed.
  private static let magicBytes: UInt64 = 6

  init(_ client: RegistryClient, into directory: PullDirectory, tell: @escaping (PullProgress) -> Void) {
    self.client = client
    self.directory = directory
    self.tell = tell
  }

  func want(_ blobs: [WantedBlob], of layers: Int) throws(ImageError) {
    try noting { () throws(RegistryError) in
      // Complete ones were checked before they got that name.
      let missing = blobs.filter { (try? status(of: directory.blob($0.digest)))?.size != $0.size }
      // What an earlier pull has left takes its room already.
      let bytes = missing.reduce(0) { sum, blob in
        sum + blob.size - min(blob.size, (try? status(of: directory.partial(blob.digest)))?.size ?? 0)
      }
      try checkRoom(for: bytes)
      tell(.layers(missing: blobs.count, of: layers, bytes: bytes))
      for blob in missing { downloads.append(try BlobDownload(blob, client, into: directory)) }
    }
  }

  var descriptors: [Int32] { downloads.compactMap(\.waitsFor) }

  var patience: Int32 {
    guard downloads.count(where: \.isRunning) < LayerDownloads.parallel else { return 1000 }
    let now = Clock.now
    let next = downloads.filter { !$0.isComplete && !$0.isRunning }.map(\.notBefore).min()
    return next.map { $0 <= now ? 0 : Int32(min(($0 - now) / 1_000_000 + 1, 1000)) } ?? 1000
  }

  func advance() throws(ImageError) {
    try noting { () throws(RegistryError) in
      for download in downloads where download.isRunning {
        guard try located(download, { () throws(RegistryError) in try download.advance() }) else { continue }
        tell(.fetched(download.blob.digest, bytes: download.blob.size))
      }
      let now = Clock.now
      var running = downloads.filter(\.isRunning).count
      for download in downloads
      where !download.isComplete && !download.isRunning && download.notBefore <= now
        && running < LayerDownloads.parallel
      {
        try located(download) { () throws(RegistryError) in try download.start() }
        running += 1
      }
    }
  }

  func open(_ digest: Digest) throws(ImageError) -> FileDescriptor? {
    var path = directory.blob(digest)
    if let download = download(digest), !download.isComplete {
      guard download.received >= min(LayerDownloads.magicBytes, download.blob.size) else { return nil }
      path = directory.partial(digest)
    }
    do throws(Errno) { return try openFile(path, O_RDONLY | O_NOFOLLOW) } catch {
      throw ImageError(error, doing: "open \(path)")
    }
  }

  func state(_ digest: Digest) -> BlobState {
    // What an earlier pull had fetched needs no download.
    guard let download = download(digest) else { return BlobState(bytes: .max, isComplete: true) }
    return BlobState(attempt: download.beginnings, bytes: download.received, isComplete: download.isComplete)
  }

  /// Ends what still runs.
  func stop() { for download in downloads { download.stop() } }

  private func download(_ digest: Digest) -> BlobDownload? { downloads.first { $0.blob.digest == digest } }

  /// Refuses at once what would fill the file system: a pull leaves as much free as unpacking does.
  private func checkRoom(for bytes: UInt64) throws(RegistryError) {
    directory.makeRoom(for: bytes.addingReportingOverflow(Budgets().reservedBytes).partialValue)
    let room = try kernel("look for free space") { () throws(Errno) in
      let opened = try openFile(directory.path, O_RDONLY | O_DIRECTORY)
      return try space(of: opened.rawValue)
    }
    let needed = bytes.addingReportingOverflow(min(Budgets().reservedBytes, room.total / 20)).partialValue
    guard room.available >= needed else {
      throw RegistryError(
        ImageError(
          .exhausted,
          why: "the layers need \(bytes >> 20) MiB, and \(room.available >> 20) MiB are free where images are stored",
          hint: "make room, or name another --work-dir"))
    }
  }

  /// Runs something of a layer, and says which when it fails.
  private func located<T>(_ download: BlobDownload, _ body: () throws(RegistryError) -> T) throws(RegistryError) -> T {
    do throws(RegistryError) { return try body() } catch {
      throw error.at("layer \(download.blob.digest.short)")
    }
  }

  /// Runs something of an import's; what goes wrong keeps the kind that it has here.
  private func noting(_ body: () throws(RegistryError) -> Void) throws(ImageError) {
    do throws(RegistryError) { try body() } catch {
      failure = error
      throw error.image ?? ImageError(.invalid, why: error.message, hint: error.hint)
    }
  }
}
