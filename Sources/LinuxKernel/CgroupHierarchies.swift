import CLinux

/// Where this host's cgroups are mounted (cgroups(7)): version 1 controllers, a version 2 hierarchy, or both.
package struct CgroupHierarchies: Sendable, Equatable {
  /// Mount point of each version 1 controller, `memory` and so on.
  package var version1: [String: String] = [:]
  /// Mount point of the version 2 hierarchy.
  package var version2: String?
  /// Controllers that the version 2 hierarchy offers; empty on a hybrid host, where version 1 holds them.
  package var version2Controllers: Set<String> = []

  package init() {}

  /// Reads the mounts of this mount namespace.
  package static func discover() throws(Errno) -> CgroupHierarchies {
    var found = CgroupHierarchies(mountInfo: try readFile("/proc/self/mountinfo", limit: 8 << 20))
    if let path = found.version2, let names = try? readFile(path + "/cgroup.controllers") {
      found.version2Controllers = Set(
        names.split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\n") }.map { String(decoding: $0, as: UTF8.self) })
    }
    return found
  }

  /// Parses `/proc/self/mountinfo` (proc(5)): the fields after ` - ` are type, source and the superblock's options,
  /// which for version 1 name the controllers. Only mounts of a hierarchy's root count.
  package init(mountInfo: [UInt8]) {
    for line in mountInfo.split(separator: UInt8(ascii: "\n")) {
      let fields = line.split(separator: UInt8(ascii: " ")).map { String(decoding: $0, as: UTF8.self) }
      guard let dash = fields.firstIndex(of: "-"), fields.count > dash + 3, fields.count > 4, fields[3] == "/" else {
        continue
      }
      // Octal escapes stand for spaces and the like; a cgroup mount with those is not one we use.
      let path = fields[4]
      guard !path.utf8.contains(UInt8(ascii: "\\")) else { continue }
      switch fields[dash + 1] {
      case "cgroup2": version2 = version2 ?? path
      case "cgroup":
        for option in fields[dash + 3].split(separator: ",") where option != "rw" && option != "ro" {
          version1[String(option)] = version1[String(option)] ?? path
        }
      default: break
      }
    }
  }
}

/// The directory of one cgroup, by the files in it.
package struct CgroupDirectory: Sendable, Hashable {
  package let path: String
  package init(_ path: String) { self.path = path }

  /// Makes the cgroup and our common parent above it. The cgroup itself must be new.
  package func create() throws(Errno) {
    do throws(Errno) {
      try makeDirectory(path, mode: 0o755)
    } catch  where error.code == ENOENT {
      let bytes = Array(path.utf8)
      let slash = bytes.lastIndex(of: UInt8(ascii: "/")) ?? 0
      try makeDirectories(String(decoding: bytes[..<slash], as: UTF8.self))
      try makeDirectory(path, mode: 0o755)
    }
  }

  package func write(_ text: String, to file: String) throws(Errno) {
    try openFile(path + "/" + file, O_WRONLY).writeAll(text.utf8)
  }

  package func read(_ file: String) throws(Errno) -> String {
    String(decoding: try readFile(path + "/" + file), as: UTF8.self)
  }

  /// The number a file holds; `nil` for anything else, or no file.
  package func number(_ file: String) -> UInt64? {
    guard let text = try? read(file) else { return nil }
    return UInt64(text.split(separator: "\n").first ?? "")
  }

  /// The number after `key` in a file of `key value` lines.
  package func number(_ file: String, key: String) -> UInt64? {
    guard let text = try? read(file) else { return nil }
    for line in text.split(separator: "\n") {
      let words = line.split(separator: " ")
      if words.count == 2, words[0] == key { return UInt64(words[1]) }
    }
    return nil
  }

  package func exists() -> Bool { (try? status(of: path)) != nil }

  /// Removes the cgroup. Processes that have ended may be counted for a moment still: `EBUSY` is tried again, for at
  /// most two seconds. A missing cgroup is not an error.
  package func remove() throws(Errno) {
    let deadline = Clock.now + 2_000_000_000
    var pause: UInt32 = 200
    while true {
      do throws(Errno) {
        try removeDirectory(path)
        return
      } catch  where error.code == ENOENT {
        return
      } catch  where error.code == EBUSY && Clock.now < deadline {
        usleep(pause)
        pause = min(pause * 2, 20000)
      }
    }
  }
}
