import Glibc
import LinuxKernel

/// The directories that the runs of a task have their logs in, opened once.
///
/// Descriptors below them cross into the container, where container-init keeps them for rotation: so they lead nowhere but
/// into the logs. The role may read what it has written, where the container mounts it read-only; nobody else of the host
/// but root may.
package final class LogRoots {
  private let paths: TaskPaths
  private let runDirectory: HeldRunDirectory
  /// Who may read; `nil` where the task sees the logs where they are, and not by a mount that it cannot write through.
  private let reader: UInt32?
  private let isPrivileged = CurrentProcess.effectiveUser == 0
  private var logs: SharedDescriptor?
  private var console: SharedDescriptor?

  package init(_ paths: TaskPaths, _ runDirectory: HeldRunDirectory, reader: UInt32?) {
    (self.paths, self.runDirectory) = (paths, runDirectory)
    self.reader = reader
  }

  /// The directory of all logs, or that of what waits to be shown.
  package func directory(isConsole: Bool) throws(Errno) -> SharedDescriptor {
    if let opened = isConsole ? console : logs, !isConsole || !isRemoved(opened.rawValue) { return opened }
    let path = isConsole ? paths.console : paths.logs
    if isConsole {
      try runDirectory.require()
      try makeDirectories(path, mode: 0o700)
    }
    let opened = SharedDescriptor(
      isPrivileged ? try openUnwalkable(path) : try openFile(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW))
    if isConsole {
      console = opened
    } else {
      try own(opened.descriptor, mode: 0o500)
      logs = opened
    }
    return opened
  }

  /// A directory that is there or is made.
  package func makeDirectory(_ name: String, in parent: borrowing FileDescriptor) throws(Errno) -> FileDescriptor {
    do throws(Errno) { try LinuxKernel.makeDirectory(name, mode: 0o700, at: parent.rawValue) } catch
      where error.code == EEXIST
    {
    }
    let made = try LogTree.open(name, in: parent.rawValue)
    try own(made, mode: 0o500)
    return made
  }

  /// A file to append to.
  package func makeFile(_ name: String, in directory: borrowing FileDescriptor) throws(Errno) -> FileDescriptor {
    let file = try openBelow(
      directory.rawValue, name, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK, mode: 0o600,
      resolve: [.beneath, .noSymlinks])
    let about = try status(of: file.rawValue)
    // Of one that has another name besides, that name would have what is written.
    guard about.isRegularFile, about.links == 1 else { throw Errno("open", code: EEXIST) }
    try own(file, mode: 0o400)
    return file
  }

  /// Without root everything is the role's, who has to open it again for writing.
  private func own(_ file: borrowing FileDescriptor, mode: UInt32) throws(Errno) {
    guard isPrivileged, let reader else { return }
    try changeOwner(of: file.rawValue, uid: reader, gid: 0)
    try changeMode(of: file.rawValue, to: mode)
  }
}
