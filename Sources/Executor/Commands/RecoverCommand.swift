import LinuxKernel

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
    let style = try arguments.outputStyle()
    let statusDescriptor = try arguments.integer("--status-fd", in: 0...1023).map(Int32.init)
    let signals = try SignalSource.open()
    try RunCommand.checkPaths(arguments)
    let paths = try TaskSelection.one(arguments)
    if (try? status(of: paths.result)) != nil {
      throw CommandFailure(
        .cannotCreate, "the task \(paths.taskID) has ended", hint: "`aurora-executor status \(paths.taskID)` says how")
    }
    if TaskLock.isHeld(paths) {
      throw CommandFailure(.cannotCreate, "the task \(paths.taskID) is being run by another executor")
    }
    let history = try TaskHistory(paths)
    if history.journal.isDamaged {
      throw CommandFailure(
        .internalError, "the journal \(paths.journal) is damaged after line \(history.journal.lastSequence)",
        hint: "what happened cannot be known from it; nothing is done about the task")
    }
    let rest = TaskRun(
      paths: paths, settings: history.settings,
      publisher: StatusPublisher(taskID: paths.taskID, style: style, statusDescriptor: statusDescriptor),
      resultFile: arguments.last("--result"),
      follows: arguments.has("--follow") || (style == .plain && Console.outputIsTerminal), signals: signals)
    return try rest.recover(history)
  }
}
