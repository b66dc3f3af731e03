import Glibc
import LinuxKernel

/// The archive file or layout directory that an import reads.
struct ImageSource {
  enum Form {
    case archive(size: UInt64)
    case layout
  }

  let descriptor: SharedDescriptor
  let form: Form

  /// Opens what the operator named. Only files and directories: anything else could block or has no end.
  init(_ path: String) throws(ImageError) {
    let missing = ImageError(.notFound, why: "there is no such file or directory")
    let opened = try kernel("open it", missing: missing) { () throws(Errno) in
      try openFile(path, O_RDONLY | O_NONBLOCK | O_NOCTTY)
    }
    let found = try kernel("look at it") { () throws(Errno) in try status(of: opened.rawValue) }
    if found.isDirectory {
      form = .layout
    } else if found.isRegularFile {
      form = .archive(size: found.size)
    } else {
      throw .invalid("it is neither a file nor a directory", hint: "import reads the file more than once")
    }
    descriptor = SharedDescriptor(opened)
  }

  /// A file that holds the archive decompressed.
  init(plain descriptor: SharedDescriptor, size: UInt64) {
    self.descriptor = descriptor
    form = .archive(size: size)
  }

  /// How the archive itself is compressed.
  func compression() throws(ImageError) -> Compression {
    guard case .archive = form else { return .none }
    let magic = try kernel("read it") { () throws(Errno) in try descriptor.descriptor.read(upTo: 6, at: 0) }
    return magic.withUnsafeBytes { Compression(magic: $0) }
  }

  /// The file in which a layer is: the archive, or a blob's own file. The name is made of the digest alone.
  func open(_ location: BlobLocation) throws(ImageError) -> FileDescriptor {
    guard case .file(let digest, let size) = location else {
      return try kernel("open the archive again") { () throws(Errno) in try descriptor.descriptor.duplicate() }
    }
    let name = "blobs/sha256/\(digest.hex)"
    let file = try kernel("open \(name)") { () throws(Errno) in
      try openBelow(
        descriptor.rawValue, name, O_RDONLY | O_NONBLOCK | O_NOCTTY,
        resolve: [.beneath, .noMagicLinks, .noCrossMounts])
    }
    let found = try kernel("look at \(name)") { () throws(Errno) in try status(of: file.rawValue) }
    guard found.isRegularFile, found.size == size else { throw .invalid("\(name) changed while it was imported") }
    return file
  }
}
