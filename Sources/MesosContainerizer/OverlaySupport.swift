import Glibc
import LinuxKernel

/// Whether overlayfs can have its writable layer in a work directory, or why not: then a container gets a copy of its image.
package enum OverlaySupport {
  /// File systems that are known to serve (`linux/magic.h`): nothing has to be tried there, which takes the kernel some
  /// milliseconds.
  private static let serving: Set<UInt64> = [
    0xEF53,  // ext4
    0x5846_5342,  // XFS
    0x9123_683E,  // Btrfs
    0x0102_1994,  // tmpfs
  ]
  private static let overlayfs: UInt64 = 0x794C_7630

  /// As far as it can be said without making anything.
  ///
  /// - Returns: why overlayfs cannot, `nil` when it can; and whether it is certain.
  package static func look(at directory: String) -> (obstacle: String?, isCertain: Bool) {
    do throws(Errno) { _ = try FileSystemContext("overlay") } catch {
      if error.code == ENODEV { return ("this kernel has no overlayfs", true) }
    }
    do throws(Errno) {
      let opened = try openFile(directory, O_RDONLY | O_DIRECTORY)
      let magic = try fileSystemMagic(of: opened.rawValue)
      if serving.contains(magic) { return (nil, true) }
      return magic == overlayfs ? ("\(directory) is on overlayfs, which cannot write to another", true) : (nil, false)
    } catch {
      // Whatever is wrong with it is said by who works in it.
      return (nil, true)
    }
  }

  /// The same, tried where that is needed, in two directories of the task's.
  static func obstacle(_ directory: String, upper: String, work: String) -> String? {
    let found = look(at: directory)
    if found.isCertain { return found.obstacle }
    do throws(Errno) {
      try mount(upper, work)
      return nil
    } catch {
      return "overlayfs cannot write to the file system of \(directory): \(error)"
    }
  }

  /// Attached nowhere, and gone at once. By descriptors, since values of fsconfig(2) are short.
  private static func mount(_ upper: String, _ work: String) throws(Errno) {
    func open(_ path: String) throws(Errno) -> FileDescriptor { try openFile(path, O_PATH | O_DIRECTORY | O_NOFOLLOW) }
    let upper = try open(upper)
    let work = try open(work)
    let context = try FileSystemContext("overlay")
    // Any directory is a layer to look through.
    try context.set("lowerdir", "/proc/self")
    try context.set("upperdir", "/proc/self/fd/\(upper.rawValue)")
    try context.set("workdir", "/proc/self/fd/\(work.rawValue)")
    try context.set(flag: "userxattr")
    _ = try context.mount([.noSetuid, .noDevices])
  }
}
