import Glibc
import LinuxKernel

/// This program, as a descriptor that can be executed and never altered from inside a container.
///
/// A container could otherwise open `/proc/1/exe` and write to the host's file once nobody executes it
/// (CVE-2019-5736). What init is executed from is a lower-only overlay of the program's directory that is attached
/// nowhere; where the kernel lacks that, a sealed copy in memory.
package enum SealedExecutable {
  package static func open() throws(Errno) -> FileDescriptor {
    do throws(Errno) {
      return try overlay()
    } catch {
      return try copy()
    }
  }

  private static func overlay() throws(Errno) -> FileDescriptor {
    let path = try readSymbolicLink("/proc/self/exe")
    guard let slash = path.lastIndex(of: UInt8(ascii: "/")) else { throw Errno("readlink", code: ENOENT) }
    let directory = slash == 0 ? [UInt8(ascii: "/")] : Array(path[..<slash])
    let context = try FileSystemContext("overlay")
    try context.set("lowerdir+", directory)
    // Without an upper directory overlayfs wants two lower ones; this one adds nothing that is looked at.
    try context.set("lowerdir+", "/proc/self/fdinfo")
    let mount = try context.mount([.readOnly, .noSetuid, .noDevices])
    return try openBelow(
      mount.rawValue, Array(path[(slash + 1)...]), O_PATH | O_NOFOLLOW, resolve: [.beneath, .noSymlinks])
  }

  private static func copy() throws(Errno) -> FileDescriptor {
    let program = try openFile("/proc/self/exe", O_RDONLY)
    return try sealedMemory("aurora-executor", try program.readToEnd(limit: 256 << 20))
  }
}
