import CLinux

/// The descriptors of other processes, by the text of the links in `/proc/PID/fd` (proc(5)).
///
/// Never by following one: that would ask the file system of whatever a process has open, and one of its own (FUSE) need
/// never answer.
package enum OpenDescriptors {
  /// The inode of the pipe that a link stands for; nil for everything else.
  package static func pipe(_ name: some KernelPath, at directory: Int32) -> UInt64? {
    // `pipe:[4294967295]`, with room for inodes of 64 bits. What is longer is no pipe.
    var text: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
    let room = MemoryLayout.size(ofValue: text)
    return withUnsafeMutableBytes(of: &text) { bytes in
      guard let base = bytes.baseAddress else { return nil }
      let count =
        (try? name.withPath { (path) throws(Errno) -> Int in
          readlinkat(directory, path, base.assumingMemoryBound(to: CChar.self), room)
        }) ?? -1
      let prefix: StaticString = "pipe:["
      let start = prefix.utf8CodeUnitCount
      guard count > start, count < room, memcmp(base, prefix.utf8Start, start) == 0 else { return nil }
      var inode: UInt64 = 0
      for byte in bytes[start..<(count - 1)] {
        guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return nil }
        inode = inode &* 10 &+ UInt64(byte - UInt8(ascii: "0"))
      }
      return inode
    }
  }

  /// Whether two threads have one table of descriptors (kcmp(2)); false as well where that cannot be told.
  package static func areShared(_ one: Int32, _ other: Int32) -> Bool { ax_share_descriptors(one, other) != 0 }

  /// Whether a link's own mode says that the file was opened for writing.
  package static func isWritable(_ name: some KernelPath, at directory: Int32) -> Bool {
    (try? status(of: name, at: directory)).map { $0.permissions & 0o200 != 0 } ?? false
  }
}
