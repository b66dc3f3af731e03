import Glibc
import LinuxKernel

/// One layer that is being unpacked by workers: for a compressed blob one that decompresses and one that makes the files,
/// joined by a pipe; for a plain one only the latter.
///
/// Two processes, because the decompressors are C and the bytes are hostile: whoever takes over that worker has no file
/// system and no capability there, and cannot lie about the layer's identity either, because the diff id is computed from
/// what comes out of the pipe, where the files are made from it.
final class LayerPipeline {
  let layer: ArchiveLayer
  /// Where the layer's directory is prepared, with `fs` in it.
  let directory: String
  private let inflate: WorkerProcess?
  private let unpack: WorkerProcess
  /// Where the worker that reads the stored layer is told of more. Both ends stay here: nobody is to be ended by a signal
  /// because a worker is gone.
  private let growth: DescriptorPair?
  private var outcome: Result<LayerReport, ImageError>?

  private init(
    _ layer: ArchiveLayer, directory: String, inflate: WorkerProcess?, unpack: WorkerProcess, growth: DescriptorPair?
  ) {
    self.layer = layer
    self.directory = directory
    self.inflate = inflate
    self.unpack = unpack
    self.growth = growth
  }

  /// Starts to unpack. `source` is the file that the layer's location is about; `empty` is a directory for the root of
  /// the decompressing worker.
  ///
  /// - Parameter grows: whether the file is not complete yet; it has its first six bytes, and whenever there are more
  ///   `grown` is to be called.
  static func start(
    _ layer: ArchiveLayer, source: borrowing FileDescriptor, grows: Bool = false, into directory: String, empty: String,
    _ binary: WorkerBinary
  ) throws(ImageError) -> LayerPipeline {
    let tree = directory + "/" + StorePaths.treeName
    try kernel("make \(tree)") { () throws(Errno) in try makeDirectory(tree, mode: 0o755) }
    let root = try WorkerRoot.mount(tree, writable: true)

    let range: ByteRange =
      switch layer.location {
      case .range(let offset, let size): ByteRange(offset: offset, size: size)
      case .file(_, let size): ByteRange(offset: 0, size: size)
      }
    let pipe = grows ? try kernel("make a pipe") { () throws(Errno) in try makePipe() } : nil
    if let pipe { try kernel("keep a pipe") { () throws(Errno) in try pipe.second.descriptor.setNonBlocking(true) } }
    if try !isCompressed(source, range) {
      var request = UnpackWorker.Request(.layer, range: range)
      request.form = layer.form
      let unpack = try WorkerProcess(
        binary, request, source: source.rawValue, root: root, growth: pipe?.first.rawValue)
      return LayerPipeline(layer, directory: directory, inflate: nil, unpack: unpack, growth: pipe)
    }
    let nothing = try WorkerRoot.mount(empty, writable: false)
    let (inflate, unpack) = try startPair(
      binary, range, layer.form, source: source.rawValue, nothing: nothing, root: root, growth: pipe?.first.rawValue)
    return LayerPipeline(layer, directory: directory, inflate: inflate, unpack: unpack, growth: pipe)
  }

  /// Has the worker look at the file again. One that has not looked since it was told last needs no second word.
  func grown() {
    guard let growth else { return }
    unpack.extend()
    inflate?.extend()
    _ = try? growth.second.descriptor.writeSome([0])
  }

  /// Two workers and the pipe between them. Our own ends close on return: the second worker sees the end of the stream only
  /// when nobody else can write.
  private static func startPair(
    _ binary: WorkerBinary, _ range: ByteRange, _ form: LayerForm, source: Int32, nothing: borrowing FileDescriptor,
    root: borrowing FileDescriptor, growth: Int32?
  ) throws(ImageError) -> (WorkerProcess, WorkerProcess) {
    let pipe = try kernel("make a pipe") { () throws(Errno) in try makePipe() }
    enlargePipe(pipe.second.rawValue, to: 1 << 20)
    let inflate = try WorkerProcess(
      binary, UnpackWorker.Request(.inflate, range: range), source: source, root: nothing,
      output: pipe.second.rawValue, growth: growth)
    var request = UnpackWorker.Request(.layer)
    request.form = form
    let unpack = try WorkerProcess(binary, request, source: pipe.first.rawValue, root: root)
    withExtendedLifetime(pipe) {}
    return (inflate, unpack)
  }

  /// Only six bytes are looked at; a plain layer then needs no second worker.
  private static func isCompressed(_ source: borrowing FileDescriptor, _ range: ByteRange) throws(ImageError) -> Bool {
    let count = Int(min(range.size ?? 6, 6))
    let offset = Int64(exactly: range.offset ?? 0) ?? .max
    let magic = try kernel("read the start of the layer") { () throws(Errno) in
      try source.read(upTo: count, at: offset)
    }
    return magic.withUnsafeBytes { Compression(magic: $0) != .none }
  }

  /// What becomes readable when there is something to `pump`.
  var descriptors: [Int32] { [inflate, unpack].compactMap { $0 }.filter(\.isRunning).map(\.reports.rawValue) }

  /// Bytes of the stored layer that were read so far.
  var progress: UInt64 { min(inflate?.progress ?? unpack.progress, layer.location.size) }

  /// Takes what the workers said. Returns what became of the layer, `nil` while it is being unpacked.
  func pump() -> Result<LayerReport, ImageError>? {
    if let outcome { return outcome }
    let unpacking = unpack.pump()
    let inflating = inflate?.pump() ?? false
    if let failure = failure() {
      stop()
      outcome = .failure(failure)
    } else if !unpacking, !inflating {
      do throws(ImageError) { outcome = .success(try verify()) } catch { outcome = .failure(error) }
    }
    return outcome
  }

  /// Which of two failures is the cause: one worker's end always fails the other, which then cannot write any more, or
  /// sees the stream end early.
  private func failure() -> ImageError? {
    let here: ImageError? = if case .failed(let error) = unpack.state { error } else { nil }
    let before: ImageError? = if let inflate, case .failed(let error) = inflate.state { error } else { nil }
    guard let before else { return here }
    if case .host(let errno) = before.kind, errno.code == EPIPE { return here }
    return before
  }

  /// Compares what the workers found with what the archive says.
  private func verify() throws(ImageError) -> LayerReport {
    var wire = WireReader(try unpack.result())
    let report = try LayerReport(from: &wire)
    try wire.finish()
    let blob: (digest: Digest, bytes: UInt64)
    if let inflate {
      var wire = WireReader(try inflate.result())
      let inflated = try BlobInflater.Report(from: &wire)
      try wire.finish()
      blob = (inflated.digest, inflated.bytes)
    } else {
      blob = (report.diffID, report.streamBytes)
    }
    guard blob.bytes == layer.location.size else {
      throw .invalid("\(blob.bytes) bytes were read, but \(layer.location.size) are announced")
    }
    if let expected = layer.blobDigest, blob.digest != expected {
      throw .invalid("its digest is \(blob.digest), but \(expected) is announced", hint: "the archive is damaged")
    }
    if let expected = layer.diffID, report.diffID != expected {
      throw .invalid(
        "its decompressed digest is \(report.diffID), but the configuration says \(expected)",
        hint: "the archive is damaged")
    }
    try DisplacedTrees.take(report.gaps, of: directory)
    return report
  }

  func stop() {
    unpack.stop()
    inflate?.stop()
  }
}

/// Directories as detached mounts, for workers to make their root: there is no way up from such a mount.
enum WorkerRoot {
  static func mount(_ path: String, writable: Bool) throws(ImageError) -> FileDescriptor {
    try kernel("mount \(path) for a worker") { () throws(Errno) in
      let directory = try openFile(path, O_RDONLY | O_DIRECTORY)
      let mount = try cloneMount([UInt8](), at: directory.rawValue, recursive: false)
      try setMountAttributes(
        mount.rawValue, set: writable ? [.noSetuid, .noDevices] : [.readOnly, .noSetuid, .noDevices, .noExecute],
        recursive: false)
      return mount
    }
  }
}
