import LinuxKernel
import TaskModel
import TaskStore

/// A run whose output is shown.
final class FollowedRun {
  let process: ProcessDefinition
  let number: Int
  /// For people.
  let path: String
  let streams: [FollowedStream]
  private let shown: ShownPositions
  private var noted: [UInt64?]
  /// When the rest is given up; nil before the run has ended.
  var deadline: UInt64?

  /// Descriptors that one holds: the directory, a file of each stream with its index, and the positions; and two more for
  /// the next file and the way to the directory.
  static let descriptors = 8

  /// - Parameter resumes: another executor has begun to; what it has shown is not shown again.
  init(
    _ process: ProcessDefinition, run: Int, in directory: SharedDescriptor, paths: TaskPaths,
    _ runDirectory: HeldRunDirectory, output: ExecutorOutput, prefix: [UInt8], resumes: Bool
  ) {
    (self.process, number) = (process, run)
    path = RunLogs.path(process, run: run, paths)
    let (out, err) = (LogStream(directory, "stdout"), LogStream(directory, "stderr"))
    streams = [
      FollowedStream("stdout", out, prefix: prefix, queue: output.output),
      FollowedStream("stderr", err, prefix: prefix, queue: output.errors),
    ]
    shown = ShownPositions(paths, runDirectory, process.name, run)
    noted = [nil, nil]
    for (index, stream) in streams.enumerated() {
      if let position = shown.position(index) {
        stream.log.go(to: position)
      } else if resumes, !process.goesToConsole {
        // Nobody has shown it so far, and it may be much.
        stream.log.goToEnd()
      } else {
        // What is rotated away before the first look is missing as well.
        stream.log.go(to: 0)
      }
      stream.hasNews()
    }
  }

  var keepsFiles: Bool { process.logger?.destination != .console }
  var isBehind: Bool { streams.contains(where: \.isBehind) }

  /// Notes how far it was shown, for an executor that goes on with the task.
  func note() {
    for (index, stream) in streams.enumerated() {
      guard let position = stream.shown, position != noted[index] else { continue }
      shown.note(position, index)
      noted[index] = position
    }
  }

  func forget() { shown.remove() }
}

extension ProcessDefinition {
  /// Whether its output belongs on the executor's own standard output.
  var goesToConsole: Bool { [.console, .both].contains(logger?.destination) }
}
