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
    let context = try FileSystemContext("overlay")
    try context.set("lowerdir+", directory)
    try context.set("lowerdir+", other)
    let mount = try context.mount([.readOnly, .noSetuid, .noDevices])
    return try openBelow(
      mount.rawValue, Array(path[(slash + 1)...]), O_PATH | O_NOFOLLOW, resolve: [.beneath, .noSymlinks])
  }

  private static func copy() throws(Errno) -> FileDescriptor {
    let program = try openFile("/proc/self/exe", O_RDONLY)
    let size = try status(of: program.rawValue).size
    return try sealedMemory("aurora-executor", try program.read(upTo: Int(clamping: size), at: 0))
  }
}
