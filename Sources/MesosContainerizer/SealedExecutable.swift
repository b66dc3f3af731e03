import Glibc
import LinuxKernel

/// This program, as a descriptor that can be executed and never altered from inside a container.
///
/// A container could otherwise open `/proc/1/exe` and write to the host's file once nobody executes it
/// (CVE-2019-5736). What init is executed from is a lower-only overlay of the program's directory that is attached
/// nowhere; where the kernel lacks that, a sealed copy in memory.
package enum SealedExecutable {
  /// - Parameters:
  ///   - program: the file that is meant.
  ///   - beside: a directory of ours; overlayfs without an upper directory wants two lower ones, and nothing in this one
  ///     is looked at.
  package static func open(_ program: String = CurrentProcess.program, beside other: String) throws(Errno)
    -> FileDescriptor
  {
    do throws(Errno) {
      return try overlay(program, beside: other)
    } catch {
      return try copy(program)
    }
  }

  private static func overlay(_ program: String, beside other: String) throws(Errno) -> FileDescriptor {
    let path = try realPath(program)
    guard let slash = path.lastIndex(of: UInt8(ascii: "/")) else { throw Errno("readlink", code: ENOENT) }
    let directory = slash == 0 ? [UInt8(ascii: "/")] : Array(path[..<slash])
    try require(program, Array(path[(slash + 1)...]), in: directory)
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
  private static func require(_ program: String, _ name: [UInt8], in directory: [UInt8]) throws(Errno) {
    let opened = try openFile(directory, O_PATH | O_DIRECTORY)
    let found = try openBelow(
      opened.rawValue, name, O_PATH | O_NOFOLLOW, resolve: [.beneath, .noSymlinks, .noCrossMounts])
    let (about, own) = (try status(of: found.rawValue), try status(of: program, followLinks: true))
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

  private static func copy(_ program: String) throws(Errno) -> FileDescriptor {
    let file = try openFile(program, O_RDONLY)
    let size = try status(of: file.rawValue).size
    return try sealedMemory("aurora-executor", try file.read(upTo: Int(clamping: size), at: 0))
  }
}
