/// A mount as `/proc/PID/mountinfo` has it (proc(5)).
package struct MountEntry: Sendable, Equatable {
  /// The number that statx(2) gives of what is reached by it.
  package let id: UInt64
  /// Of the file system: `8:1`.
  package let device: [UInt8]
  /// Which directory, or file, of the file system is shown.
  package let root: [[UInt8]]
  /// Where it is shown.
  package let place: [[UInt8]]
  /// Of the file system: `proc`.
  package let type: [UInt8]
  /// Whether nothing can be written by it, whatever can by others.
  package let isReadOnly: Bool
  /// Whether what it shows has no name any more: then `root` says no more than where that was.
  package let isOfDeleted: Bool

  /// Every line that can be read as one.
  package static func all(_ mountinfo: [UInt8]) -> [MountEntry] {
    mountinfo.split(separator: UInt8(ascii: "\n")).compactMap { line in
      // ID, parent, device, root, mount point, options, …
      let fields = line.split(separator: UInt8(ascii: " "), maxSplits: 6)
      guard fields.count > 5, let id = UInt64(String(decoding: fields[0], as: UTF8.self)) else { return nil }
      let root = unescaped(fields[3])
      // Tags of propagation are between, then a hyphen, type, source and options of the file system.
      let rest = fields.last.map { $0.split(separator: UInt8(ascii: " ")) } ?? []
      let hyphen = rest.firstIndex { $0.elementsEqual("-".utf8) }
      let type = hyphen.flatMap { $0 + 1 < rest.count ? Array(rest[$0 + 1]) : nil } ?? []
      return MountEntry(
        id: id, device: Array(fields[2]), root: root.pathComponents, place: unescaped(fields[4]).pathComponents,
        type: type,
        isReadOnly: fields[5].split(separator: UInt8(ascii: ",")).contains { $0.elementsEqual("ro".utf8) },
        isOfDeleted: root.suffix(gone.count).elementsEqual(gone))
    }
  }

  private static let gone = Array("//deleted".utf8)

  /// Those of a process; none where they cannot be read.
  package static func all(ofProcess process: String) -> [MountEntry] {
    all((try? readFile("/proc/\(process)/mountinfo", limit: 64 << 20)) ?? [])
  }

  /// `\040` is a space, as the kernel writes it.
  package static func unescaped(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
    var result: [UInt8] = []
    var rest = bytes
    while let byte = rest.popFirst() {
      let digits = rest.prefix(3)
      guard byte == UInt8(ascii: "\\"), digits.count == 3, digits.allSatisfy({ (0x30...0x37).contains($0) }) else {
        result.append(byte)
        continue
      }
      result.append(UInt8(truncatingIfNeeded: digits.reduce(0) { $0 * 8 + Int($1 - 0x30) }))
      rest = rest.dropFirst(3)
    }
    return result
  }
}
