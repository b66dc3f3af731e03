import Glibc
import LinuxKernel

/// Compiled filters in a directory of root's, for compiling takes longer than the rest of a launch.
///
/// A file is named after the digest of everything that it was made from, begins with the digest of what follows, and is
/// believed only when nobody else could have written it. Anything that is wrong with file or directory means that there
/// is no such file.
package struct FilterCache: Sendable, Equatable {
  private let directory: String

  /// More are not kept: capabilities, and so what they are made from, are a task's to choose.
  private static let most = 64
  private static let digestBytes = 32

  /// - Parameter directory: made with the first file, when what it is in is there.
  package init(directory: String) { self.directory = directory }

  func programs(_ name: String) -> [[UInt8]]? {
    guard let directory = try? open(), let file = try? openFile(name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, at: directory.rawValue),
      let found = try? status(of: file.rawValue), found.isRegularFile, isOwn(found),
      let bytes = try? file.readToEnd(limit: 1 << 20)
    else { return nil }
    return FilterCache.decode(bytes)
  }

  /// Keeps programs as well as it can: nothing depends on it.
  func keep(_ programs: [[UInt8]], as name: String) {
    do {
      do throws(Errno) { try makeDirectory(directory, mode: 0o700) } catch  where error.code == EEXIST {}
      let directory = try open()
      let kept = try entries(of: directory.rawValue)
      if kept.count >= FilterCache.most { for entry in kept { try removeFile(entry.name, at: directory.rawValue) } }
      let temporary = ".\(name).\(getpid())"
      do throws(Errno) { try removeFile(temporary, at: directory.rawValue) } catch  where error.code == ENOENT {}
      let file = try openFile(
        temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600, at: directory.rawValue)
      try file.writeAll(FilterCache.encode(programs))
      try file.close()
      try rename(temporary, to: name, at: directory.rawValue)
    } catch {
      // The next launch compiles again.
    }
  }

  private func open() throws(Errno) -> FileDescriptor {
    let opened = try openFile(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
    guard isOwn(try status(of: opened.rawValue)) else { throw Errno("open", code: EPERM) }
    return opened
  }

  private func isOwn(_ status: FileStatus) -> Bool {
    status.uid == CurrentProcess.effectiveUser && status.permissions & 0o022 == 0
  }

  /// The digest of the rest; then each program with its length, in four bytes, before it.
  static func encode(_ programs: [[UInt8]]) -> [UInt8] {
    var content: [UInt8] = []
    for program in programs {
      withUnsafeBytes(of: UInt32(program.count).littleEndian) { content += $0 }
      content += program
    }
    return sha256(content) + content
  }

  static func decode(_ bytes: [UInt8]) -> [[UInt8]]? {
    guard bytes.count > digestBytes else { return nil }
    var rest = bytes[digestBytes...]
    guard sha256(Array(rest)).elementsEqual(bytes[..<digestBytes]) else { return nil }
    var programs: [[UInt8]] = []
    while !rest.isEmpty {
      guard rest.count >= 4 else { return nil }
      let count = rest.prefix(4).reversed().reduce(0) { $0 << 8 | Int($1) }
      rest = rest.dropFirst(4)
      guard count > 0, count % 8 == 0, count <= FilterCompiler.mostInstructions * 8, rest.count >= count else {
        return nil
      }
      programs.append(Array(rest.prefix(count)))
      rest = rest.dropFirst(count)
    }
    return programs
  }
}
