import Glibc
import LaunchModel
import LinuxKernel
import TaskModel

/// Where the output of a run goes: files that are opened here, on the host, and handed to init as descriptors.
struct RunLogs {
  /// Rotation unless the task says otherwise: 100 MiB a file, five old ones.
  private static let standard = LogMode.files(maximumBytes: 100 << 20, backups: 5)
  /// What may wait for a console that stands still, per stream: two files of this size.
  private static let waiting = LogMode.files(maximumBytes: 1 << 20, backups: 1)

  let mode: LogMode
  let descriptors: [SharedDescriptor]

  /// The directory that a run's output is written to, and shown from.
  static func path(_ process: ProcessDefinition, run: Int, _ paths: TaskPaths) -> String {
    process.logger?.destination == .console ? paths.console(process.name, run) : paths.logs(process.name, run)
  }

  /// `console` keeps no log: its files are in the run directory, and only until they have been shown. By files rather
  /// than a pipe, since nobody may be there to read: a process goes on all the same, and `recover` finds what it wrote.
  static func mode(for process: ProcessDefinition) -> LogMode {
    guard let logger = process.logger else { return standard }
    switch (logger.destination, logger.mode) {
    case (.none, _): return .discard
    case (.console, _): return waiting
    case (_, .standard): return .files(maximumBytes: .max, backups: 0)
    case (_, .rotate):
      return .files(maximumBytes: UInt64(clamping: logger.logSize), backups: UInt32(clamping: logger.backups))
    }
  }

  /// Makes the run's directory with its two files, root's and readable by the role's group.
  init(_ process: ProcessDefinition, run: Int, paths: TaskPaths, gid: UInt32) throws(Errno) {
    mode = RunLogs.mode(for: process)
    guard mode != .discard else {
      descriptors = []
      return
    }
    let isConsole = process.logger?.destination == .console
    if isConsole { try makeDirectories(paths.console, mode: 0o700) }
    let logs = try openFile(isConsole ? paths.console : paths.logs, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
    let folder = try RunLogs.directory(process.name, in: logs, gid: gid)
    let directory = try RunLogs.directory(String(run), in: folder, gid: gid)
    let output = try RunLogs.file("stdout", in: directory, gid: gid)
    let errors = try RunLogs.file("stderr", in: directory, gid: gid)
    descriptors = [SharedDescriptor(directory), SharedDescriptor(output), SharedDescriptor(errors)]
  }

  private static func directory(_ name: String, in parent: borrowing FileDescriptor, gid: UInt32) throws(Errno)
    -> FileDescriptor
  {
    do throws(Errno) { try makeDirectory(name, mode: 0o750, at: parent.rawValue) } catch  where error.code == EEXIST {}
    let made = try openFile(name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, at: parent.rawValue)
    try own(made, mode: 0o750, gid: gid)
    return made
  }

  private static func file(_ name: String, in directory: borrowing FileDescriptor, gid: UInt32) throws(Errno)
    -> FileDescriptor
  {
    let file = try openFile(
      name, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, mode: 0o640, at: directory.rawValue)
    try own(file, mode: 0o640, gid: gid)
    return file
  }

  private static func own(_ file: borrowing FileDescriptor, mode: UInt32, gid: UInt32) throws(Errno) {
    if CurrentProcess.effectiveUser == 0 { try changeOwner(of: file.rawValue, uid: 0, gid: gid) }
    try changeMode(of: file.rawValue, to: mode)
  }
}
