import Glibc
import LaunchModel
import LinuxKernel
import TaskModel

/// Where the output of a run goes: files that are opened here, on the host, and handed to init as descriptors.
package struct RunLogs {
  /// Rotation unless the task says otherwise: 100 MiB a file, five old ones.
  private static let standard = LogMode.files(maximumBytes: 100 << 20, backups: 5)
  /// What may wait for a console that stands still, of all `console` processes of a task together: it lies in memory.
  private static let waiting: UInt64 = 32 << 20

  package let mode: LogMode
  package let descriptors: [SharedDescriptor]

  /// The directory that a run's output is written to, and shown from.
  package static func path(_ process: ProcessDefinition, run: Int, _ paths: TaskPaths) -> String {
    process.logger?.destination == .console ? paths.console(process.name, run) : paths.logs(process.name, run)
  }

  /// `console` keeps no log: its files are in the run directory, and only until they have been shown. By files rather
  /// than a pipe, since nobody may be there to read: a process goes on all the same, and `recover` finds what it wrote.
  ///
  /// - Parameters:
  ///   - consoles: how many `console` processes the task has.
  ///   - bound: what a stream of files that are kept may take; `nil` where only the kind matters.
  package static func mode(for process: ProcessDefinition, consoles: Int = 1, within bound: LogBound? = nil) -> LogMode
  {
    let asked = asked(process, consoles)
    return process.keepsLog ? bound?.hold(asked) ?? asked : asked
  }

  private static func asked(_ process: ProcessDefinition, _ consoles: Int) -> LogMode {
    guard let logger = process.logger else { return standard }
    switch (logger.destination, logger.mode) {
    case (.none, _): return .discard
    case (.console, _):
      // Two streams of two files each; one has as much again for the end of a line, and for its index.
      let size = waiting / UInt64(max(1, consoles)) / 12
      return .files(maximumBytes: min(max(size, 4096), 1 << 20), backups: 1)
    // One file, as long as it fits; then as many pieces as it is bound to.
    case (_, .standard): return .files(maximumBytes: .max, backups: .max)
    case (_, .rotate):
      return .files(maximumBytes: UInt64(clamping: logger.logSize), backups: UInt32(clamping: logger.backups))
    }
  }

  /// Where no file can be made, or nobody would see it.
  package static let none = RunLogs(mode: .discard, descriptors: [])

  private init(mode: LogMode, descriptors: [SharedDescriptor]) {
    self.mode = mode
    self.descriptors = descriptors
  }

  /// Makes the run's directory with its two files.
  package init(_ process: ProcessDefinition, run: Int, in roots: LogRoots, consoles: Int, within bound: LogBound)
    throws(Errno)
  {
    mode = RunLogs.mode(for: process, consoles: consoles, within: bound)
    guard mode != .discard else {
      descriptors = []
      return
    }
    let root = try roots.directory(isConsole: process.logger?.destination == .console)
    let folder = try roots.makeDirectory(process.name, in: root.descriptor)
    let directory = try roots.makeDirectory(String(run), in: folder)
    let output = try roots.makeFile("stdout", in: directory)
    let errors = try roots.makeFile("stderr", in: directory)
    descriptors = [SharedDescriptor(directory), SharedDescriptor(output), SharedDescriptor(errors)]
  }
}
