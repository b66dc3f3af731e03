import Glibc
import LinuxKernel

/// The hidden mode of the binary that reads what others wrote: `aurora-executor __unpack JOB …`.
///
/// Three jobs, each in a process of its own (`docs/images.md`):
///
/// | Job | Reads | Root | Capabilities | Reports |
/// |---|---|---|---|---|
/// | `inspect` | an archive, or the layout that is its root | layout or nothing, read-only | `DAC_READ_SEARCH` | `ArchiveContents` |
/// | `inflate` | a compressed blob | nothing, read-only | none | `BlobInflater.Report` |
/// | `layer` | a tar stream | the layer's directory | the five below | `LayerReport` |
package enum UnpackWorker {
  /// The first argument that starts this mode.
  package static let mode = "__unpack"

  enum Job: String {
    case inspect
    case inflate
    case layer

    var capabilities: Capabilities {
      let names: [String] =
        switch self {
        case .inspect: ["DAC_READ_SEARCH"]
        case .inflate: []
        case .layer: ["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "SETFCAP"]
        }
      return names.reduce(into: []) { $0.formUnion(Capabilities(name: $1) ?? []) }
    }
  }

  /// The numbers that descriptors have in a worker.
  enum Descriptors {
    static let source: Int32 = 0
    static let report: Int32 = 1
    static let root: Int32 = 3
    static let output: Int32 = 4
  }

  /// Does the job that `arguments` (all of the command line) name, reports, and ends the process.
  package static func main(_ arguments: [String]) -> Never {
    let message: WorkerMessage
    do throws(ImageError) {
      let request = try Request(arguments)
      do throws(Errno) {
        try WorkerConfinement.enter(root: Descriptors.root, keeping: request.job.capabilities)
      } catch {
        throw ImageError(error, doing: "confine the unpack worker")
      }
      message = .result(try run(request))
    } catch {
      message = .failure(error)
    }
    do throws(Errno) {
      try message.frame.withUnsafeBufferPointer { (frame) throws(Errno) in
        try writeAll(UnsafeRawBufferPointer(frame), to: Descriptors.report)
      }
    } catch {
      leave(2)  // nobody listens any more
    }
    if case .failure = message { leave(1) }
    leave(0)
  }

  private static func run(_ request: Request) throws(ImageError) -> [UInt8] {
    let budgets = Budgets()
    var wire = WireWriter()
    switch request.job {
    case .inspect:
      let files: ArchiveFiles
      let root: FileDescriptor
      do throws(Errno) { root = try openFile("/", O_RDONLY | O_DIRECTORY) } catch {
        throw ImageError(error, doing: "open the layout")
      }
      if let size = request.size {
        files = try ArchiveFiles(
          archive: Descriptors.source, size: size, mayBeRoot: request.mayBeRoot, budgets: budgets)
      } else {
        files = ArchiveFiles(directory: root.rawValue, budgets: budgets)
      }
      return try ArchiveInspector(
        files: files, platform: request.platform, budgets: budgets, mayLackLayers: request.mayLackLayers,
        size: request.size, mayBeRoot: request.mayBeRoot
      ).contents().wire
    case .inflate:
      let stream = try ByteStream(
        Descriptors.source, request.range, growth: request.growth, hashing: true, limit: budgets.unpackedBytes)
      let report = reporter()
      stream.onProgress = report
      // What little was read may become much.
      let space = SpaceGuard(of: Descriptors.output, reserve: budgets.reservedBytes)
      let result = try BlobInflater.run(stream, to: Descriptors.output, budgets: budgets) {
        (written) throws(ImageError) in
        try space.check(written)
      }
      result.write(to: &wire)
    case .layer:
      let root = try kernel("open the layer's directory") { () throws(Errno) in
        try openFile("/", O_RDONLY | O_DIRECTORY)
      }
      let stream = try ByteStream(
        Descriptors.source, request.range, growth: request.growth, hashing: true, naming: request.form == .aci,
        limit: budgets.unpackedBytes)
      let report = reporter()
      let space = SpaceGuard(of: root.rawValue, reserve: budgets.reservedBytes)
      stream.onProgress = { (received) throws(ImageError) in
        try report(received)
        try space.check(received)
      }
      var unpacker = LayerUnpacker(stream, into: root, form: request.form, budgets: budgets)
      try unpacker.run().write(to: &wire)
    }
    return wire.bytes
  }

  /// Says how far a stream is, once for every few megabytes.
  private static func reporter() -> (UInt64) throws(ImageError) -> Void {
    var next: UInt64 = 0
    return { (received) throws(ImageError) in
      guard received >= next else { return }
      next = received + (4 << 20)
      let frame = WorkerMessage.progress(received).frame
      do throws(Errno) {
        try frame.withUnsafeBufferPointer { (bytes) throws(Errno) in
          try writeAll(UnsafeRawBufferPointer(bytes), to: Descriptors.report)
        }
      } catch {
        throw ImageError(error, doing: "report progress")
      }
    }
  }
}
