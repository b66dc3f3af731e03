import Glibc
import LinuxKernel

/// This program, as a descriptor that can be executed and never altered from inside a container.
///
/// A container could otherwise open `/proc/1/exe` and write to the host's file once nobody executes it
/// (CVE-2019-5736). What init is executed from is a lower-only overlay of the program's directory that is attached
/// nowhere; where the kernel lacks that, a sealed copy in memory.
package enum SealedExecutable {
  /// - Parameter beside: a directory of ours; overlayfs without an upper directory wants two lower ones, and nothing in
  ///   this one is looked at.
  package static func open(beside other: String) throws(Errno) -> FileDescriptor {
    do throws(Errno) {
      return try overlay(beside: other)
    } catch {
      return try copy()
    }
  }

  private static func overlay(beside other: String) throws(Errno) -> FileDescriptor {
    let path = try readSymbolicLink("/proc/self/exe")
    guard let slash = path.lastIndex(of: UInt8(ascii: "/")) else { throw Errno("readlink", code: ENOENT) }
    let directory = slash == 0 ? [UInt8(ascii: "/")] : Array(path[..<slash])
    try requireItself(Array(path[(slash + 1)...]), in: directory)
    let mount: FileDescriptor
    do throws(Errno) {
      mount = try stacked([("lowerdir+", directory), ("lowerdir+", Array(other.utf8))])
    } catch  where error.code == EINVAL {
      // Before Linux 6.5 all layers are one value, where `:` stands between two of them.
      mount = try stacked([("lowerdir", escaped(directory) + Array(":".utf8) + escaped(Array(other.utf8)))])
    }
    return try openBelow(
      mount.rawValue, Array(path[(slash + 1)...]), O_PATH | O_NOFOLLOW, resolve: [.beneath, .noSymlinks])
  }

  /// An overlay of a directory shows what is in it, and not what is mounted there: where this program is a mount of its own, as
  /// in a container that was given it by a volume, another file would be executed in its place.
  private static func requireItself(_ name: [UInt8], in directory: [UInt8]) throws(Errno) {
    let opened = try openFile(directory, O_PATH | O_DIRECTORY)
    let found = try openBelow(
      opened.rawValue, name, O_PATH | O_NOFOLLOW, resolve: [.beneath, .noSymlinks, .noCrossMounts])
    let (about, own) = (try status(of: found.rawValue), try status(of: "/proc/self/exe", followLinks: true))
    guard about.inode == own.inode, about.device == own.device, about.size == own.size else {
      throw Errno("openat2", code: ESTALE)
    }
  }

  private static func escaped(_ path: [UInt8]) -> [UInt8] {
    path.reduce(into: []) { escaped, byte in
      if ":\\".utf8.contains(byte) { escaped.append(UInt8(ascii: "\\")) }
      escaped.append(byte)
    }
  }

  private static func stacked(_ options: [(key: String, value: [UInt8])]) throws(Errno) -> FileDescriptor {
    let context = try FileSystemContext("overlay")
    for option in options { try context.set(option.key, option.value) }
    return try context.mount([.readOnly, .noSetuid, .noDevices])
  }

  private static func copy() throws(Errno) -> FileDescriptor {
    let program = try openFile("/proc/self/exe", O_RDONLY)
    let size = try status(of: program.rawValue).size
    return try sealedMemory("aurora-executor", try program.read(upTo: Int(clamping: size), at: 0))
  }
}
