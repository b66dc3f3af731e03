import Glibc
import LinuxKernel

/// The archive file or layout directory that an import reads.
struct ImageSource {
  enum Form {
    case archive(size: UInt64)
    case layout
    /// What comes can be read once, and is written down first.
    case stream
  }

  let descriptor: SharedDescriptor
  let form: Form

  /// Opens what the operator named; `-` is standard input. Only files and directories: anything else could block or has no end.
  init(_ path: String) throws(ImageError) {
    if path.utf8.elementsEqual("-".utf8) {
      guard !StandardStream.isTerminal(0) else { throw .invalid("standard input is a terminal") }
      form = .stream
      descriptor = SharedDescriptor(
        try kernel("open standard input") { () throws(Errno) in try StandardStream.duplicate(0) })
      return
    }
    let isName = (try? ImageReference(path)) != nil
    let missing = ImageError(
      .notFound, why: "there is no such file or directory",
      hint: isName ? "`image pull \(path)` fetches an image by its name" : "")
    let opened = try kernel("open it", missing: missing) { () throws(Errno) in
      try openFile(path, O_RDONLY | O_NONBLOCK | O_NOCTTY)
    }
    let found = try kernel("look at it") { () throws(Errno) in try status(of: opened.rawValue) }
    if found.isDirectory {
      form = .layout
    } else if found.isRegularFile {
      form = .archive(size: found.size)
    } else {
      throw .invalid("it is neither a file nor a directory", hint: "of standard input it is `image import -`")
    }
    descriptor = SharedDescriptor(opened)
  }

  /// A file that holds the archive decompressed.
  init(plain descriptor: SharedDescriptor, size: UInt64) {
    self.descriptor = descriptor
    form = .archive(size: size)
  }

  /// What is to be written down, decompressed, before it can be read here and there; `nil` where it can be as it is.
  func toWriteDown() throws(ImageError) -> ByteRange? {
    switch form {
    case .layout: return nil
    case .stream: return .everything
    case .archive(let size):
      let magic = try kernel("read it") { () throws(Errno) in try descriptor.descriptor.read(upTo: 6, at: 0) }
      let isPlain = magic.withUnsafeBytes { Compression(magic: $0) == .none }
      return isPlain ? nil : ByteRange(offset: 0, size: size)
    }
  }

  /// The file in which a layer is: the archive, or a blob's own file. The name is made of the digest alone.
  func open(_ location: BlobLocation) throws(ImageError) -> FileDescriptor {
    guard case .file(let digest, let size) = location else {
      return try kernel("open the archive again") { () throws(Errno) in try descriptor.descriptor.duplicate() }
    }
    let name = "blobs/sha256/\(digest.hex)"
    let file = try open(blob: name)
    let found = try kernel("look at \(name)") { () throws(Errno) in try status(of: file.rawValue) }
    guard found.isRegularFile, found.size == size else { throw .invalid("\(name) changed while it was imported") }
    return file
  }

  private func open(blob name: String) throws(ImageError) -> FileDescriptor {
    do throws(Errno) {
      return try openBelow(
        descriptor.rawValue, name, O_RDONLY | O_NONBLOCK | O_NOCTTY, resolve: [.beneath, .noMagicLinks, .noCrossMounts])
    } catch  where error.code == EXDEV || error.code == ELOOP {
      throw ArchiveFiles.leadsOut(name)
    } catch {
      throw ImageError(error, doing: "open \(name)")
    }
  }
}
