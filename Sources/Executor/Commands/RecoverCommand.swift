import LinuxKernel
import TaskModel

/// `recover`: goes on with a task whose executor died.
enum RecoverCommand {
  static let command = Command(
    name: "recover", summary: "go on with a task whose executor died", synopsis: "TASK [options]",
    options: CommonOptions.directories + [
      CommonOptions.output,
      Option("--result", value: "FILE", "write result.json here as well"),
      Option("--status-fd", value: "N", "write status updates as JSON lines to this descriptor"),
      Option("--follow", "show the processes' output"),
    ],
    notes: "Processes have been running on meanwhile; what ended meanwhile is reported as it ended.", run: run)

  private static func run(_ arguments: Arguments) throws(CommandFailure) -> ExitCode {
    try recover(try TaskSelection.one(arguments), arguments)
  }

  /// - Parameter ending: ends the task as soon as it is taken over.
  static func recover(_ paths: TaskPaths, _ arguments: Arguments, ending: StopRequest? = nil) throws(CommandFailure)
    -> ExitCode
  {
    let style = try arguments.outputStyle()
    let statusDescriptor = try StatusPublisher.descriptor(arguments)
    let signals = try SignalSource.open()
    try RunCommand.checkPaths(arguments)
    let takeover = try Takeover(paths)
    let publisher = try StatusPublisher(taskID: paths.taskID, style: style, statusDescriptor: statusDescriptor)
    var rest = TaskRun(
      paths: takeover.paths, settings: takeover.history.settings, publisher: publisher,
      resultFile: arguments.last("--result"),
      follows: arguments.has("--follow") || (style == .plain && Console.outputIsTerminal), signals: signals)
    rest.ending = ending
    return publisher.run { [rest] () throws(CommandFailure) in try rest.recover(takeover) }
  }
}
