import HTTP1

/// What may be asked of a tmpfs: what makes a file system of its own smaller, larger or stricter, and nothing else.
///
/// The engine gives the kernel any option of mount(8). Some of those change what is mounted already: `remount` makes a
/// read-only mount writable, `bind` shows other files, `shared` tells the host.
enum TmpfsMountOption {
  private static let flags = [
    "ro", "rw", "exec", "noexec", "suid", "nosuid", "dev", "nodev", "atime", "noatime", "relatime", "norelatime",
    "strictatime", "nostrictatime", "diratime", "nodiratime",
  ]
  private static let values = ["size", "mode", "uid", "gid", "nr_inodes", "nr_blocks", "mpol"]

  static func check(_ option: String) throws(RunOptionProblem) {
    let (name, value) = RunOptionValue.cut(option, "=")
    func isAmong(_ names: [String]) -> Bool { names.contains { $0.utf8.elementsEqual(name.utf8) } }
    if value == nil, isAmong(flags) { return }
    guard let value, isAmong(values) else {
      throw RunOptionProblem(
        "there is no tmpfs option \"\(excerpt(option.utf8, limit: 40))\" here; there are "
          + (flags + values.map { $0 + "=…" }).joined(separator: ", "))
    }
    guard isValue(Array(value.utf8), of: name) else {
      throw RunOptionProblem("\"\(excerpt(option.utf8, limit: 40))\" of a tmpfs has no value that the kernel takes")
    }
  }

  /// As tmpfs(5) has them; the kernel has the last word.
  private static func isValue(_ value: [UInt8], of name: String) -> Bool {
    switch name {
    case "size", "nr_inodes", "nr_blocks":
      let units = Array("kmgtpeKMGTPE".utf8) + (name == "size" ? [UInt8(ascii: "%")] : [])
      let digits = value.last.map { units.contains($0) } == true ? value.dropLast() : value[...]
      return (1...20).contains(digits.count) && digits.allSatisfy(ASCII.isDigit)
    case "mode": return (1...6).contains(value.count) && value.allSatisfy { (0x30...0x37).contains($0) }
    case "uid", "gid": return (1...10).contains(value.count) && value.allSatisfy(ASCII.isDigit)
    default:
      // A policy of memory with its nodes: `bind=static:0-3`.
      return !value.isEmpty && value.allSatisfy { "abcdefghijklmnopqrstuvwxyz0123456789=:-".utf8.contains($0) }
    }
  }
}
