import ContainerInit
import DockerEngineClient
import LaunchModel
import LinuxKernel
import TaskStore

/// Account files for a root that init cannot write to (`read-only`): the image's own with the role user in them, to be
/// mounted over them.
///
/// What the image has is read from a container that is never started, so that nothing in it can move meanwhile.
struct DockerAccounts {
  let engine: DockerEngine
  let identity: Identity
  /// Where the files are made.
  let directory: String

  /// The files to mount; none when the image has the user and the group already.
  func make(in probe: ContainerID) throws(ExecutorFailure) -> [(target: String, source: String)] {
    let (passwd, group) = (try content(of: "/etc/passwd", in: probe), try content(of: "/etc/group", in: probe))
    let files: [ImageAccounts.Completed]
    do throws(SetupError) {
      files = try ImageAccounts.completed(
        identity, passwd: passwd, group: group, shadow: try? content(of: "/etc/shadow", in: probe))
    } catch {
      throw ExecutorFailure(.failed, error.message, hint: error.hint.isEmpty ? nil : error.hint)
    }
    var mounts: [(target: String, source: String)] = []
    do throws(Errno) {
      try makeDirectories(directory, mode: 0o755)
      for file in files {
        let path = directory + "/" + file.name
        try writeFileAtomically(path, file.content, mode: file.name == "shadow" ? 0o600 : 0o644)
        mounts.append(("/etc/" + file.name, path))
      }
    } catch {
      throw ExecutorFailure(.cannotCreate, "cannot write account files in \(directory): \(error)")
    }
    return mounts
  }

  /// The content of a file; `nil` when there is none.
  private func content(of path: String, in probe: ContainerID) throws(ExecutorFailure) -> [UInt8]? {
    try DockerImageFile(path, in: probe, at: engine)?.content(in: probe, at: engine)
  }
}

/// The tar archive of one file or link, as the engine sends it (POSIX.1-1988, with extended headers before it).
enum SingleFileArchive {
  /// The file's content; `nil` for anything else.
  static func content(_ archive: [UInt8]) -> [UInt8]? {
    entry(archive) { header, content in
      let isFile = [UInt8(ascii: "0"), 0].contains(header[header.startIndex + 156]) && header.first != 0
      return isFile ? Array(content) : nil
    }
  }

  /// The text of a link; `nil` for anything else, and for one that stands in attributes because it is so long.
  static func link(_ archive: [UInt8]) -> [UInt8]? {
    entry(archive) { header, _ in
      guard header[header.startIndex + 156] == UInt8(ascii: "2"), header.first != 0 else { return nil }
      let text = Array(header.dropFirst(157).prefix { $0 != 0 })
      return text.isEmpty || text.count >= 100 || archive.holds("linkpath=".utf8) ? nil : text
    }
  }

  /// What `read` makes of the one entry, after attributes and long names of it.
  private static func entry(
    _ archive: [UInt8], _ read: (_ header: ArraySlice<UInt8>, _ content: ArraySlice<UInt8>) -> [UInt8]?
  ) -> [UInt8]? {
    var index = 0
    while archive.count - index >= 512 {
      let header = archive[index..<(index + 512)]
      guard let size = number(header.dropFirst(124).prefix(12)), size <= archive.count - index - 512 else { return nil }
      let content = archive[(index + 512)..<(index + 512 + size)]
      switch header[index + 156] {
      // Attributes and long names of the entry that follows.
      case UInt8(ascii: "x"), UInt8(ascii: "g"), UInt8(ascii: "L"), UInt8(ascii: "K"):
        index += 512 + (size + 511) / 512 * 512
      default: return read(header, content)
      }
    }
    return nil
  }

  private static func number(_ field: ArraySlice<UInt8>) -> Int? {
    var value = 0
    for byte in field {
      if byte == 0 || byte == UInt8(ascii: " ") { break }
      guard (UInt8(ascii: "0")...UInt8(ascii: "7")).contains(byte) else { return nil }
      value = value << 3 | Int(byte - UInt8(ascii: "0"))
    }
    return value
  }
}
