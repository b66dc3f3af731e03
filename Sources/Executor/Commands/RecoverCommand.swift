import Glibc
import LinuxKernel
import Supervision
import TaskModel
import TaskStore

/// `recover`: goes on with tasks whose executor died.
enum RecoverCommand {
  static let command = Command(
    name: "recover", summary: "go on with tasks whose executor died", synopsis: "TASK… | --all [options]",
    options: CommonOptions.directories + [
      CommonOptions.output, CommonOptions.log,
      Option("--all", "every task whose executor is gone"),
      Option("--detach", "in an executor of its own; several tasks always are"), DetachedRun.option,
      Option("--result", value: "FILE", "write result.json here as well"),
      Option("--status-fd", value: "N", "write status updates as JSON lines to this descriptor"),
      Option("--follow", "show the processes' output"),
    ],
    notes: """
      Processes have been running on meanwhile; what ended meanwhile is reported as it ended. SIGTERM and SIGINT stop a task
      that is gone on with, as in `run`; SIGHUP does not.
      """,
    needsProc: true, believesDirectories: true, run: run)

  private static func run(_ arguments: Arguments) throws(ExecutorFailure) -> ExitCode {
    let tasks = try tasks(arguments)
    guard arguments.has("--detach") || arguments.has("--all") || tasks.count > 1,
      !arguments.has(DetachedRun.option.name)
    else { return try recover(tasks[0], arguments) }
    for option in ["--follow", "--result", "--status-fd"]
    where arguments.has(option) && (tasks.count != 1 || option == "--follow") {
      throw ExecutorFailure(
        .usage, "\(option) and \(tasks.count == 1 ? "--detach" : "several tasks") contradict each other")
    }
    let signals = try SignalSource.open()
    let status = try StatusPublisher.descriptor(arguments)
    var worst = ExitCode.finished
    for paths in tasks {
      do throws(ExecutorFailure) {
        let code = try DetachedRun.recover(paths, arguments, status, signals)
        if code != .finished { worst = code }
      } catch {
        // The others are gone on with all the same.
        Console.error(error)
        worst = ExitCode(error)
      }
    }
    return worst
  }

  private static func tasks(_ arguments: Arguments) throws(ExecutorFailure) -> [TaskPaths] {
    guard arguments.has("--all") else {
      guard !arguments.operands.isEmpty else {
        throw ExecutorFailure(
          .usage, "which task? the task is missing", hint: "`recover --all` goes on with every one that can be")
      }
      return try arguments.operands.map { (name) throws(ExecutorFailure) in try TaskSelection.named(name, arguments) }
    }
    guard arguments.operands.isEmpty else {
      throw ExecutorFailure(.usage, "--all is every task; none is named beside it")
    }
    let all = try TaskPaths.allIDs(arguments.workDirectory).map {
      TaskPaths(workDirectory: arguments.workDirectory, runDirectory: arguments.runDirectory, taskID: $0)
    }
    return all.filter { (try? status(of: $0.result)) == nil && !TaskLock.isHeld($0) }
  }

  /// - Parameter ending: ends the task as soon as it is taken over.
  static func recover(_ paths: TaskPaths, _ arguments: Arguments, ending: StopRequest? = nil) throws(ExecutorFailure)
    -> ExitCode
  {
    OperatorLog.about(paths.taskID)
    let style = try arguments.outputStyle()
    let statusDescriptor = try StatusPublisher.descriptor(arguments)
    let starter = try StatusPublisher.descriptor(arguments, DetachedRun.option.name)
    let signals = try SignalSource.open()
    try RunCommand.checkPaths(arguments)
    if starter != nil { try DetachedRun.leaveCaller() }
    let takeover = try Takeover(paths)
    let publisher = try StatusPublisher(
      taskID: paths.taskID, style: style, statusDescriptor: statusDescriptor, starter: starter)
    var rest = TaskRun(
      paths: takeover.paths, settings: takeover.history.settings, publisher: publisher,
      launcher: ContainerizerChoice.launcher, resultFile: arguments.last("--result"),
      follows: arguments.has("--follow") || (style == .plain && Console.outputIsTerminal), signals: signals)
    rest.ending = ending
    rest.isDetached = starter != nil
    publisher.note(StatusPublisher.announcement(paths.taskID))
    OperatorLog.note(.tookOver(takeover.history.task))
    let end = publisher.run { [rest] () throws(ExecutorFailure) in try rest.recover(takeover) }
    OperatorLog.note(.ended(end))
    return ExitCode(end)
  }
}

extension DetachedRun {
  /// `recover` of one task; its log goes on.
  fileprivate static func recover(
    _ paths: TaskPaths, _ arguments: Arguments, _ status: SharedDescriptor?, _ signals: SharedDescriptor
  ) throws(ExecutorFailure) -> ExitCode {
    let log: SharedDescriptor
    let size: UInt64
    let directory = try TaskLock.open(paths)
    do throws(Errno) {
      log = SharedDescriptor(
        try openFile(
          TaskPaths.executorLogName, O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW, mode: 0o600, at: directory.rawValue))
      size = try LinuxKernel.status(of: log.rawValue).size
    } catch {
      throw ExecutorFailure(.cannotCreate, "cannot open \(paths.executorLog): \(error)")
    }
    let detached = DetachedRun(
      taskID: paths.taskID, words: ["recover", paths.taskID] + passedOn(arguments), log: log,
      logStart: Int64(clamping: size), style: try arguments.outputStyle(), status: status, signals: signals)
    return try detached.start()
  }
}
