import Glibc
import LinuxKernel

extension ImageStore {
  /// Puts the images of an archive or a layout directory into the store and returns them.
  ///
  /// `reference` names the image in place of the archive's own names; it is needed where the archive carries none, and
  /// chooses one where the archive holds several. A tar that is no image is the root file system of one when `mayBeRoot`.
  /// An AppC image has the name of its manifest; its dependencies are in the store, or `appc` gives them.
  /// `-` is standard input. `passedOver` is told what lies beside the images that are taken. `progress` is called now and then. When `interruption` becomes readable
  /// (a signalfd), the import stops with `.host(EINTR)` and leaves nothing behind.
  package func importArchive(
    _ path: String, as reference: ImageReference?, mayBeRoot: Bool = false, appc: AppcImport = AppcImport(),
    interruption: Int32? = nil, passedOver: (PassedOver) -> Void = { _ in }, progress: (ImportProgress) -> Void
  ) throws(ImageError) -> [StoredImage] {
    do throws(ImageError) {
      let staging = try Staging(in: paths)
      let empty = try staging.directory("empty")
      var source = try ImageSource(path)
      if let range = try source.toWriteDown() {
        progress(ImportProgress(phase: range == .everything ? .copying : .decompressing))
        source = try writeDown(source, range, in: staging, empty: empty, interruption)
      }
      var stated: AppcImageID?
      if case .layout = source.form, UnpackedAppc.isOne(source.descriptor) {
        source = try writeDown(unpacked: source, in: staging, interruption)
        // Nobody can hash what was unpacked: whoever did so has named the directory by it.
        stated = Array(path.utf8).pathComponents.last.flatMap { AppcImageID(String(decoding: $0, as: UTF8.self)) }
      }
      progress(ImportProgress(phase: .inspecting))
      let contents = try inspect(source, empty: empty, mayBeRoot: mayBeRoot, interruption)
      var stored: [StoredImage] = []
      let selection = try ImageSelection(of: contents, as: reference)
      for item in selection.passedOver { passedOver(item) }
      for (image, references) in selection.chosen {
        var job = ImageImport(
          store: self, source: source, staging: staging, empty: empty, image: image, references: references,
          interruption: interruption)
        do throws(ImageError) {
          if let manifest = image.appc {
            job.foundation = try AppcFoundation(of: manifest, in: self, appc)
            job.wanted = appc.wanted
            job.stated = stated
          } else if appc.wanted != nil {
            throw .invalid("it is no AppC image")
          }
          stored.append(try job.run(progress))
        } catch {
          throw (references.first?.description ?? image.appc?.name).map { error.at("image \($0)") } ?? error
        }
      }
      return stored
    } catch {
      throw error.during("import \(path.utf8.elementsEqual("-".utf8) ? "standard input" : printable(path.utf8))")
    }
  }

  /// Writes an AppC image that lies unpacked as the archive that it was.
  private func writeDown(unpacked source: ImageSource, in staging: Staging, _ interruption: Int32?) throws(ImageError)
    -> ImageSource
  {
    let path = staging.path + "/archive"
    let file = SharedDescriptor(
      try kernel("make \(path)") { () throws(Errno) in
        try openFile(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600)
      })
    var tree = UnpackedAppc(source.descriptor, to: file, interruption: interruption)
    try tree.run()
    let size = try kernel("look at \(path)") { () throws(Errno) in try status(of: file.rawValue).size }
    return ImageSource(plain: file, size: size)
  }

  /// Writes a whole archive, decompressed, into a file of the staging directory, by a worker.
  private func writeDown(
    _ source: ImageSource, _ range: ByteRange, in staging: Staging, empty: String, _ interruption: Int32?
  ) throws(ImageError) -> ImageSource {
    let path = staging.path + "/archive"
    let file = try kernel("make \(path)") { () throws(Errno) in
      try openFile(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600)
    }
    let root = try WorkerRoot.mount(empty, writable: false)
    let worker = try WorkerProcess(
      self.worker, UnpackWorker.Request(.inflate, range: range),
      source: source.descriptor.rawValue, root: root, output: file.rawValue)
    try wait(for: worker, interruption)
    _ = try worker.result()
    let plainSize = try kernel("look at \(path)") { () throws(Errno) in try status(of: file.rawValue).size }
    return ImageSource(plain: SharedDescriptor(file), size: plainSize)
  }

  /// Has a worker read the documents.
  func inspect(
    _ source: ImageSource, empty: String, mayLackLayers: Bool = false, mayBeRoot: Bool = false, _ interruption: Int32?
  ) throws(ImageError) -> ArchiveContents {
    var request = UnpackWorker.Request(.inspect)
    request.platform = platform
    request.mayLackLayers = mayLackLayers
    request.mayBeRoot = mayBeRoot
    let root: FileDescriptor
    switch source.form {
    case .archive(let size):
      request.offset = 0
      request.size = size
      root = try WorkerRoot.mount(empty, writable: false)
    case .layout, .stream: root = try WorkerRoot.mount(directory: source.descriptor)
    }
    // A layout is read from the root: there is no stream.
    let nothing = try kernel("make a pipe") { () throws(Errno) in try makePipe() }
    defer { withExtendedLifetime(nothing) {} }
    let isArchive = request.size != nil
    let worker = try WorkerProcess(
      self.worker, request, source: isArchive ? source.descriptor.rawValue : nothing.first.rawValue, root: root)
    try wait(for: worker, interruption)
    return try ArchiveContents(wire: try worker.result())
  }

  private func wait(for worker: WorkerProcess, _ interruption: Int32?) throws(ImageError) {
    while worker.pump() { try WorkerWait.wait([worker.reports.rawValue], interruption) }
  }
}

/// Waiting for workers.
enum WorkerWait {
  /// Returns when one of `descriptors` can be read, or after a while; throws when `interruption` can be read.
  static func wait(_ descriptors: [Int32], _ interruption: Int32?, milliseconds: Int32 = 1000) throws(ImageError) {
    let interrupted = try kernel("wait for the unpack workers") { () throws(Errno) -> Bool in
      let poller = try Poller()
      for number in descriptors { try poller.add(number, token: 0) }
      if let interruption { try poller.add(interruption, token: 1) }
      return try poller.wait(timeoutMilliseconds: milliseconds).contains { $0.token == 1 }
    }
    if interrupted {
      throw ImageError(.host(Errno("epoll_wait", code: EINTR)), why: "it was interrupted")
    }
  }
}

extension WorkerRoot {
  /// A layout directory, read-only.
  static func mount(directory: SharedDescriptor) throws(ImageError) -> FileDescriptor {
    try kernel("mount the layout for a worker") { () throws(Errno) in
      let mount = try cloneMount([UInt8](), at: directory.rawValue, recursive: false)
      try setMountAttributes(
        mount.rawValue, set: [.readOnly, .noSetuid, .noDevices, .noExecute], recursive: false)
      return mount
    }
  }
}
