import ContainerInit
import Glibc
import LinuxKernel
import TaskStore

/// The program that containers of somebody else's making have as their first process: a copy of this one.
///
///     <run-dir>/.init/<what this program is>     0555 root, one for all tasks, until the next boot
///
/// A copy, so that no container ever has the host's own file: one with enough power over its mounts could write to it.
/// Such a container gets a copy of its own; the others have one more name of the shared one, in a directory of their own.
package enum InitProgram {
  /// Puts the program at a path, where nothing is yet.
  /// - Parameters:
  ///   - isOwn: as a file that no other container has.
  ///   - program: what is copied.
  package static func provide(
    _ path: String, runDirectory: String, isOwn: Bool, program: String = CurrentProcess.program
  ) throws(ExecutorFailure) {
    do {
      guard try isStatic(program) else {
        throw ExecutorFailure(
          .configuration, "this build of aurora-executor needs shared libraries, which a container does not have",
          hint: "use the static build: scripts/build, or swift build --static-swift-stdlib -Xswiftc -static-executable")
      }
      if isOwn {
        try copy(program, to: path)
      } else {
        try TrustedDirectory.make(runDirectory + "/.init", mode: 0o711, option: "--run-dir")
        try link(program, path, runDirectory)
      }
    } catch let failure as ExecutorFailure {
      throw failure
    } catch {
      throw ExecutorFailure(.cannotCreate, "cannot copy this program for containers: \(error)")
    }
  }

  /// `sweep` may take the shared copy away at any moment, that of another version does. So it is only ever linked from,
  /// or to: a file is written where nobody but this task looks.
  private static func link(_ program: String, _ path: String, _ runDirectory: String) throws(Errno) {
    let shared = try sharedPath(runDirectory, program: program)
    if (try? makeHardLink(shared, at: AT_FDCWD, to: path, at: AT_FDCWD)) != nil { return }
    // None is there, or it has as many names as a file can have.
    try copy(program, to: path)
    // For those who come next. One that came first is as good.
    bestEffort("keep \(shared) for other containers", tolerating: EEXIST) {
      try makeHardLink(path, at: AT_FDCWD, to: shared, at: AT_FDCWD)
    }
  }

  /// Where the shared copy of this very program is or would be.
  package static func sharedPath(_ runDirectory: String, program: String = CurrentProcess.program) throws(Errno)
    -> String
  {
    let about = try status(of: program, followLinks: true)
    return "\(runDirectory)/.init/\(about.device)-\(about.inode)-\(about.size)-\(about.modified)"
  }

  /// Whether a file in the directory of the shared copies is one.
  package static func isShared(_ entry: DirectoryEntry) -> Bool {
    let numbers = entry.name.split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
    return !entry.isDirectory && numbers.count == 4
      && numbers.allSatisfy { !$0.isEmpty && $0.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) } }
  }

  private static func copy(_ program: String, to path: String) throws(Errno) {
    let content = try openFile(program, O_RDONLY).readToEnd(limit: 512 << 20)
    let file = try openFile(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o500)
    try file.writeAll(content)
    try changeMode(of: file.rawValue, to: 0o555)
    try file.close()
  }

  /// Whether the kernel starts a program without a loader: it has no PT_INTERP (elf(5)).
  private static func isStatic(_ program: String) throws(Errno) -> Bool {
    let head = ProgramHead(try openFile(program, O_RDONLY).read(upTo: ProgramHead.size, at: 0))
    guard head.machine != nil else { throw Errno("read", code: ENOEXEC) }
    return head.interpreter == nil
  }
}
