import ContainerInit
import Glibc
import LinuxKernel

/// The program that containers of somebody else's making have as their first process: a copy of this one.
///
///     <run-dir>/.init/<what this program is>     0555 root, one for all tasks, until the next boot
///
/// A copy, so that no container ever has the host's own file: one with enough power over its mounts could write to it.
/// Such a container gets a copy of its own.
struct InitProgram {
  /// Where it is on the host.
  let path: String

  /// The copy that all tasks share; made when it is not there yet.
  static func shared(_ runDirectory: String) throws(CommandFailure) -> InitProgram {
    try make { () throws(Errno) in
      let path = try sharedPath(runDirectory)
      if (try? status(of: path)) != nil { return path }
      try makeDirectories(runDirectory + "/.init", mode: 0o711)
      try copy(try openFile("/proc/self/exe", O_RDONLY), to: path)
      return path
    }
  }

  /// Where the shared copy of this very program is or would be.
  static func sharedPath(_ runDirectory: String) throws(Errno) -> String {
    let about = try status(of: "/proc/self/exe", followLinks: true)
    return "\(runDirectory)/.init/\(about.device)-\(about.inode)-\(about.size)-\(about.modified)"
  }

  /// A copy for one container.
  static func own(at path: String) throws(CommandFailure) -> InitProgram {
    try make { () throws(Errno) in
      try copy(try openFile("/proc/self/exe", O_RDONLY), to: path)
      return path
    }
  }

  private static func make(_ body: () throws(Errno) -> String) throws(CommandFailure) -> InitProgram {
    do {
      guard try isStatic() else {
        throw CommandFailure(
          .configuration, "this build of aurora-executor needs shared libraries, which a container does not have",
          hint: "use the static build: scripts/build, or swift build --static-swift-stdlib -Xswiftc -static-executable")
      }
      return InitProgram(path: try body())
    } catch let failure as CommandFailure {
      throw failure
    } catch {
      throw CommandFailure(.cannotCreate, "cannot copy this program for containers: \(error)")
    }
  }

  private static func copy(_ program: borrowing FileDescriptor, to path: String) throws(Errno) {
    let content = try program.readToEnd(limit: 512 << 20)
    // Several executors may do this at once: each writes its own, and the last rename is as good as the first.
    let temporary = "\(path).\(CurrentProcess.pid)"
    do throws(Errno) { try removeFile(temporary) } catch  where error.code == ENOENT {}
    let file = try openFile(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o500)
    try file.writeAll(content)
    try changeMode(of: file.rawValue, to: 0o555)
    try file.close()
    try rename(temporary, to: path)
  }

  /// Whether the kernel starts this program without a loader: it has no PT_INTERP (elf(5)).
  private static func isStatic() throws(Errno) -> Bool {
    let head = ProgramHead(try openFile("/proc/self/exe", O_RDONLY).read(upTo: ProgramHead.size, at: 0))
    guard head.machine != nil else { throw Errno("read", code: ENOEXEC) }
    return head.interpreter == nil
  }
}
