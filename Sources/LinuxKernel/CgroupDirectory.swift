import CLinux

/// The directory of one cgroup, by the files in it.
package struct CgroupDirectory: Sendable, Hashable {
  package let path: String
  package init(_ path: String) { self.path = path }

  /// The cgroup above; at the root of a hierarchy a directory that is no cgroup.
  package var parent: CgroupDirectory {
    CgroupDirectory(String(decoding: path.utf8.dropLast(name.utf8.count + 1), as: UTF8.self))
  }
  package var name: String {
    let bytes = Array(path.utf8)
    return String(decoding: bytes[((bytes.lastIndex(of: UInt8(ascii: "/")) ?? -1) + 1)...], as: UTF8.self)
  }
  /// Whether there is a cgroup above.
  package var hasParent: Bool { (try? status(of: parent.path + "/cgroup.procs")) != nil }

  /// Makes the cgroup and our common parent above it. The cgroup itself must be new.
  package func create() throws(Errno) {
    do throws(Errno) {
      try makeDirectory(path, mode: 0o755)
    } catch  where error.code == ENOENT {
      try makeDirectories(path.parentDirectory)
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

  /// The processes in it, as this pid namespace numbers them; those that it cannot see are left out.
  package func ownProcesses() -> [Int32] {
    let text = (try? readFile(path + "/cgroup.procs", limit: 16 << 20)) ?? []
    return text.split(separator: UInt8(ascii: "\n")).compactMap { Int32(String(decoding: $0, as: UTF8.self)) }
      .filter { $0 > 0 }
  }

  /// This cgroup and every one below it, parents before their children.
  package func tree() -> [CgroupDirectory] {
    var found = [self]
    var next = 0
    while next < found.count {
      let directory = found[next].path
      next += 1
      // Two links and one for each directory in it.
      if (try? status(of: directory))?.links == 2 { continue }
      for entry in (try? entries(of: directory)) ?? [] where entry.isDirectory {
        guard let name = String(validating: entry.name, as: UTF8.self) else { continue }
        found.append(CgroupDirectory(directory + "/" + name))
      }
    }
    return found
  }

  /// A cgroup that cannot be removed, and why.
  package struct RemovalError: Error, CustomStringConvertible {
    package let description: String
  }

  /// Removes the cgroup and every one below it, from the bottom up. Processes that have ended may be counted for a moment
  /// still: `EBUSY` is tried again, for at most two seconds. A missing cgroup is not an error.
  package func remove() throws(RemovalError) {
    do throws(Errno) {
      try removeDirectory(path)
      return
    } catch {
      if error.code == ENOENT { return }
    }
    let deadline = Clock.now + 2_000_000_000
    for cgroup in tree().reversed() {
      do throws(Errno) { try cgroup.removeAlone(until: deadline) } catch {
        let pids = error.code == EBUSY ? cgroup.ownProcesses() : []
        let list = pids.prefix(10).map(String.init).joined(separator: ", ")
        throw RemovalError(
          description: "\(cgroup.path): \(error)"
            + (pids.isEmpty ? "" : ": it still has \(pids.count == 1 ? "process" : "processes") \(list)"))
      }
    }
  }

  private func removeAlone(until deadline: UInt64) throws(Errno) {
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
