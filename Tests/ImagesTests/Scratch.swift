import Glibc
import LinuxKernel
import Testing

@testable import Images

/// A directory of a test's own, gone with it.
final class Scratch {
  let path: String
  private let name: String

  init() throws {
    let base = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
    name = "aurora-images-test-\(getpid())-\(Clock.now)"
    path = base + "/" + name
    try makeDirectory(path, mode: 0o755)
  }

  deinit { try? removeTree(path) }

  /// Writes a file here and returns its path.
  func write(_ name: String, _ bytes: [UInt8]) throws -> String {
    let file = path + "/" + name
    try writeFileAtomically(file, bytes)
    return file
  }

  func directory(_ name: String) throws -> String {
    try makeDirectory(path + "/" + name, mode: 0o755)
    return path + "/" + name
  }

  /// Unpacks a tar stream into `tree` here, in this process.
  func unpack(_ tar: [UInt8], budgets: Budgets = Budgets(), creationMask: UInt32 = 0o022) throws -> LayerReport {
    let file = try openFile(try write("layer.tar", tar), O_RDONLY)
    let tree = try directory("tree")
    let stream = try ByteStream(file.rawValue, .everything, hashing: true, limit: budgets.unpackedBytes)
    let root = try openFile(tree, O_RDONLY | O_DIRECTORY)
    var unpacker = LayerUnpacker(stream, into: root, budgets: budgets)
    let former = setCreationMask(creationMask)
    defer { _ = setCreationMask(former) }
    return try unpacker.run()
  }

  /// What unpacking fails with.
  func refusal(_ tar: [UInt8], budgets: Budgets = Budgets()) -> ImageError? {
    do {
      _ = try unpack(tar, budgets: budgets)
      return nil
    } catch {
      return error as? ImageError
    }
  }

  func status(_ name: String) throws -> FileStatus { try LinuxKernel.status(of: path + "/tree/" + name) }
  func exists(_ name: String) -> Bool { (try? status(name)) != nil }
  func content(_ name: String) throws -> String {
    String(decoding: try readFile(path + "/tree/" + name), as: UTF8.self)
  }

  func attribute(_ attribute: String, of name: String) throws -> String? {
    let file = try openFile(path + "/tree/" + name, O_RDONLY)
    return try LinuxKernel.attribute(attribute, of: file.rawValue).map { String(decoding: $0, as: UTF8.self) }
  }

  /// The names in a directory of the tree, as bytes.
  func names(_ directory: String = ".") throws -> Set<[UInt8]> {
    Set(try entries(of: path + "/tree/" + directory).map(\.name))
  }

  func isWhiteout(_ name: String) throws -> Bool {
    let found = try status(name)
    return found.mode & UInt32(S_IFMT) == UInt32(S_IFCHR) && found.deviceType == 0
  }
}
