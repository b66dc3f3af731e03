import Glibc
import LinuxKernel
import StrictJSON

/// The files of an archive or of a layout directory, by name. Runs in the worker that inspects.
struct ArchiveFiles {
  private enum Source {
    /// A tar file, and where its members are in it.
    case archive(descriptor: Int32, members: [[UInt8]: Member])
    /// A directory, open for reading.
    case directory(Int32)
  }

  private enum Member {
    case file(offset: UInt64, size: UInt64)
    /// A symbolic or hard link to another member: old versions of `docker save` write a layer that is used twice once.
    case link([UInt8])
    /// What no image is read from, `a device` for example: no harm where nobody asks for it.
    case useless(String)
  }

  private let source: Source
  private let budgets: Budgets
  /// What of an AppC image is in an archive.
  private(set) var appc = AppcShape()

  /// Reads a tar file's headers; the data of its members is passed over.
  ///
  /// - Parameter mayBeRoot: of a root file system there is much that no archive of an image has, and nothing of it is read here.
  init(archive descriptor: Int32, size: UInt64, mayBeRoot: Bool = false, budgets: Budgets) throws(ImageError) {
    self.budgets = budgets
    let stream = try ByteStream(
      descriptor, ByteRange(offset: 0, size: size), hashing: false, limit: .max, bufferBytes: 4096)
    var limits = budgets
    limits.unpackedBytes = .max  // the archive holds whole layers; each is checked when it is unpacked
    var tar = TarReader(stream, budgets: limits)
    var members: [[UInt8]: Member] = [:]
    var count = 0
    var all: UInt64 = 0
    while let entry = try tar.next() {
      all += 1
      guard all <= budgets.entries else { throw .invalid("more than \(budgets.entries) members") }
      do throws(ImageError) {
        let path = try LayerPath(entry.name, budgets: budgets)
        let name = Array(path.text.dropLast())
        // Like those of a layer, these are read when they are unpacked.
        if appc.takes(name, entry.kind) { continue }
        count += 1
        guard mayBeRoot || count <= budgets.archiveMembers else {
          throw .invalid("more than \(budgets.archiveMembers) members")
        }
        if count > budgets.archiveMembers { continue }
        switch entry.kind {
        case .file:
          members[name] =
            entry.sparse == nil ? .file(offset: stream.position, size: entry.size) : .useless("a sparse file")
        case .symbolicLink: members[name] = .link(ArchiveFiles.resolve(entry.linkName, from: path.parent))
        case .hardLink: members[name] = .link(ArchiveFiles.resolve(entry.linkName, from: [][...]))
        case .directory: break
        case .characterDevice, .blockDevice, .fifo: members[name] = .useless("a device or a fifo")
        }
      } catch {
        throw error.at("member \(printable(entry.name.prefix(512)))")
      }
    }
    source = .archive(descriptor: descriptor, members: members)
  }

  /// Reads from a layout directory.
  init(directory descriptor: Int32, budgets: Budgets) {
    self.budgets = budgets
    source = .directory(descriptor)
  }

  /// The member that a link names. `..` at the top stays there: names are only looked up in the table.
  private static func resolve(_ target: [UInt8], from parent: ArraySlice<UInt8>) -> [UInt8] {
    var parts = target.first == UInt8(ascii: "/") ? [] : Array(parent).pathComponents
    for part in target.pathComponents {
      if part.elementsEqual("..".utf8) { _ = parts.popLast() } else { parts.append(part) }
    }
    return Array(parts.joined(separator: [UInt8(ascii: "/")]))
  }

  /// Where a member's bytes are, `nil` when there is no such member.
  func find(_ name: String) throws(ImageError) -> BlobLocation? {
    switch source {
    case .archive(_, let members):
      var key = Array(name.utf8)
      for _ in 0..<8 {
        switch members[key] {
        case nil: return nil
        case .file(let offset, let size): return .range(offset: offset, size: size)
        case .link(let target): key = target
        case .useless(let what): throw ImageError.invalid("it is \(what)").at(printable(name.utf8))
        }
      }
      throw .invalid("\(printable(name.utf8)) is a chain of links")
    case .directory:
      guard let file = try open(name) else { return nil }
      let size = try kernel("look at \(name)") { () throws(Errno) in try status(of: file.rawValue).size }
      guard let digest = ArchiveFiles.blobDigest(name) else { return .range(offset: 0, size: size) }
      return .file(digest: digest, size: size)
    }
  }

  /// The digest in a name `blobs/sha256/<hex>`.
  static func blobDigest(_ name: String) -> Digest? {
    let prefix = "blobs/sha256/".utf8
    guard name.utf8.starts(with: prefix) else { return nil }
    return Digest(hex: Array(name.utf8.dropFirst(prefix.count)))
  }

  /// A file of the layout directory, `nil` when there is none. Links inside the layout are followed.
  private func open(_ name: String) throws(ImageError) -> FileDescriptor? {
    guard case .directory(let directory) = source else { return nil }
    let found = try openIfPresent(directory, name)
    guard let file = found else { return nil }
    let isFile = try kernel("look at \(printable(name.utf8))") { () throws(Errno) in
      try status(of: file.rawValue).isRegularFile
    }
    guard isFile else { throw .invalid("\(printable(name.utf8)) is no regular file") }
    return file
  }

  private func openIfPresent(_ directory: Int32, _ name: String) throws(ImageError) -> FileDescriptor? {
    do throws(Errno) {
      return try openBelow(
        directory, name, O_RDONLY | O_NONBLOCK | O_NOCTTY, resolve: [.beneath, .noMagicLinks, .noCrossMounts])
    } catch  where error.code == ENOENT || error.code == ENOTDIR {
      return nil
    } catch  where error.code == EXDEV || error.code == ELOOP {
      throw ArchiveFiles.leadsOut(name)
    } catch {
      throw ImageError(error, doing: "open \(printable(name.utf8))")
    }
  }

  /// A file of a layout that is a link out of it, or one through another mount.
  static func leadsOut(_ name: String) -> ImageError {
    ImageError.invalid(
      "it is a symbolic link that leads out of the layout, which may be anybody's",
      hint: "put the file itself there, or import a copy: cp -rL"
    ).at(printable(name.utf8))
  }

  /// A document's bytes, `nil` when there is no such member; checked against `digest` and `size` when they are known.
  func document(_ name: String, digest: Digest? = nil, size: UInt64? = nil) throws(ImageError) -> [UInt8]? {
    guard let location = try find(name) else { return nil }
    if let size, location.size != size {
      throw ImageError.invalid("\(location.size) bytes, but \(size) are announced").at(name)
    }
    guard location.size <= UInt64(budgets.documentBytes) else {
      throw ImageError.invalid("a document of \(location.size) bytes, more than \(budgets.documentBytes)")
        .at(printable(name.utf8))
    }
    let bytes: [UInt8]
    switch source {
    case .archive(let descriptor, _):
      guard case .range(let offset, let size) = location else { return nil }
      bytes = try ArchiveFiles.read(descriptor, offset: offset, size: size)
    case .directory:
      guard let file = try open(name) else { return nil }
      bytes = try ArchiveFiles.read(file.rawValue, offset: 0, size: location.size)
    }
    if let digest {
      let actual = SHA256.digest(of: bytes)
      guard actual == digest else {
        throw ImageError.invalid("its digest is \(actual)").at(printable(name.utf8))
      }
    }
    return bytes
  }

  private static func read(_ descriptor: Int32, offset: UInt64, size: UInt64) throws(ImageError) -> [UInt8] {
    let stream = try ByteStream(
      descriptor, ByteRange(offset: offset, size: size), hashing: false, limit: size, bufferBytes: 64 << 10)
    var bytes: [UInt8] = []
    while true {
      let piece = try stream.piece(upTo: .max)
      if piece.isEmpty { return bytes }
      bytes += piece
    }
  }

  /// The same, as JSON.
  func json(_ name: String, digest: Digest? = nil, size: UInt64? = nil) throws(ImageError) -> JSON? {
    guard let bytes = try document(name, digest: digest, size: size) else { return nil }
    return try ArchiveFiles.parse(bytes, name)
  }

  static func parse(_ bytes: [UInt8], _ name: String) throws(ImageError) -> JSON {
    do throws(JSONError) { return try JSON(parsing: bytes) } catch {
      throw ImageError.invalid(printable(error.description.utf8)).at(printable(name.utf8))
    }
  }
}
