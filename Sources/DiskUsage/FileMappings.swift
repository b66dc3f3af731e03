import Glibc
import LinuxKernel

/// The files that a process has mapped and that have no name any more (proc(5), `/proc/PID/maps`).
///
/// The list is text and cheap beside `/proc/PID/map_files`, which makes an inode for each mapping: a process may have tens
/// of thousands, all of one file. A file is looked at through that, once it is known to be worth it. The names in the list
/// are the task's to choose and may have any length, so no line is ever held as a whole.
struct FileMappings {
  /// `/proc/TID` of any thread; also of one that is not the first of its process, though it is not listed.
  private let directory: String
  private var head: [UInt8] = []
  private var tail: [UInt8] = []
  /// Whether the time was up before all were looked at.
  private(set) var isCut = false

  /// Range, rights, offset, device and inode fit.
  private static let headLimit = 128
  private static let mark = Array(" (deleted)".utf8)

  init(ofThread number: String) { directory = "/proc/" + number }

  /// A file, and the link that leads to it.
  struct Deleted {
    /// Device and inode as the list has them: a file system may have another device for who asks the file.
    let identity: [UInt8]
    let link: String
  }

  /// Calls `body` for each mapping, with the file where it has no name any more, until it returns false.
  ///
  /// - Parameter end: the instant (`Clock.now`) from which on no more is read: a line can have megabytes.
  /// - Returns: whether there was any: a thread that has ended has none, though others of its process live.
  mutating func forEach(until end: UInt64, _ body: (Deleted?) -> Bool) -> Bool {
    guard let file = try? openFile(directory + "/maps", O_RDONLY) else { return false }
    var found = false
    let newline = UInt8(ascii: "\n")
    while let piece = (try? file.read(upTo: 65536)) ?? nil, !piece.isEmpty {
      found = true
      guard Clock.now < end else {
        isCut = true
        return true
      }
      var rest = piece[...]
      while let last = rest.firstIndex(of: newline) {
        take(rest[..<last])
        guard body(deleted()) else { return true }
        (head, tail) = ([], [])
        rest = rest[(last + 1)...]
      }
      take(rest)
    }
    return found
  }

  /// Takes a part of a line.
  private mutating func take(_ part: ArraySlice<UInt8>) {
    head += part.prefix(FileMappings.headLimit - head.count)
    tail = (tail + part.suffix(FileMappings.mark.count)).suffix(FileMappings.mark.count)
  }

  /// What the line says: `7f3c…-7f3d… rw-s 00000000 08:01 1234   /tmp/x (deleted)`.
  private func deleted() -> Deleted? {
    guard tail.elementsEqual(FileMappings.mark) else { return nil }
    let fields = head.split(separator: UInt8(ascii: " "), maxSplits: 5)
    guard fields.count >= 5, !fields[4].elementsEqual("0".utf8) else { return nil }
    // The links are named without the zeros that the list puts before short numbers.
    let range = fields[0].split(separator: UInt8(ascii: "-")).map { number in
      let digits = number.drop { $0 == UInt8(ascii: "0") }
      return String(decoding: digits.isEmpty ? number.suffix(1) : digits, as: UTF8.self)
    }
    return Deleted(
      identity: Array(fields[3]) + [UInt8(ascii: " ")] + fields[4],
      link: directory + "/map_files/" + range.joined(separator: "-"))
  }
}
