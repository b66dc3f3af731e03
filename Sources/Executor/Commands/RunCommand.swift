import Glibc
import LaunchModel
import LinuxKernel
import Supervision
import TaskStore

/// `run`: one task to its end, in the foreground.
enum RunCommand {
  static let command = Command(
    name: "run", summary: "run a task to its end in the foreground", synopsis: "--task FILE [options]",
    options: TaskOptions.all + CommonOptions.directories + [
      PolicyGate.option,
      CommonOptions.output, CommonOptions.log,
      Option("--result", value: "FILE", "write result.json here as well"),
      Option("--status-fd", value: "N", "write status updates as JSON lines to this descriptor"),
      Option("--follow", "show the processes' output (by default when standard output is a terminal)"),
      Option("--detach", "print the task's id and return when it runs"), DetachedRun.option,
      Option("--keep", "leave the container, ended, for a look at it; sweep removes it"),
      Option("--assert-clean", "exit 79 when anything of the container is left when the task has ended"),
      Option("--rm", "remove the task's directory when it has ended"),
    ],
    notes: """
      SIGTERM and SIGINT stop the task gracefully, a second SIGINT at once. SIGUSR1 prints its status; other signals do
      nothing, SIGHUP neither: `aurora-executor stop` and `kill` end a task from elsewhere.
      exit status: 0 TASK_FINISHED, 1 TASK_FAILED, 3 TASK_KILLED, 4 TASK_LOST, 64 and above: it was not run
      (77: root is needed, or this host's policy does not allow it).
      """,
    needsProc: true, believesDirectories: true, run: run)

  private static func run(_ arguments: Arguments) throws(ExecutorFailure) -> ExitCode {
    let style = try arguments.outputStyle()
    let statusDescriptor = try StatusPublisher.descriptor(arguments)
    let starter = try StatusPublisher.descriptor(arguments, DetachedRun.option.name)
    // Blocked from here on, so that a stop that comes early is not lost: it is read when the task is there.
    let signals = try SignalSource.open()
    var request = try TaskOptions.read(arguments, strict: false)
    let (loader, taskID) = (request.loader, request.taskID)
    request.settings.keepsContainer = arguments.has("--keep")
    for option in ["--rm", "--assert-clean"] where request.settings.keepsContainer && arguments.has(option) {
      throw ExecutorFailure(.usage, "--keep and \(option) contradict each other")
    }
    let paths = TaskPaths(
      workDirectory: arguments.workDirectory, runDirectory: arguments.runDirectory, taskID: taskID)
    try checkPaths(arguments)
    // A task that is there was allowed when it was begun.
    let isTakeover = exists(paths)
    // What it was begun with is written down.
    let new = isTakeover ? nil : try judged(request, arguments, until: signals)
    let settings = new?.settings ?? request.settings
    if arguments.has("--detach") {
      return try DetachedRun.run(loader, arguments, settings, taskID: taskID, statusDescriptor, signals)
    }
    if starter != nil { try DetachedRun.leaveCaller() }
    let publisher = try StatusPublisher(
      taskID: taskID, style: style, statusDescriptor: statusDescriptor, starter: starter)
    var run = TaskRun(
      paths: paths, settings: settings, publisher: publisher,
      launcher: ContainerizerChoice.launcher, resultFile: arguments.last("--result"),
      follows: arguments.has("--follow") || (style == .plain && Console.outputIsTerminal), signals: signals)
    run.assertsClean = arguments.has("--assert-clean")
    run.removesRecord = arguments.has("--rm")
    run.judgedIdentity = new?.identity
    run.isDetached = starter != nil
    publisher.note(StatusPublisher.announcement(taskID))
    OperatorLog.about(taskID)
    if let new { OperatorLog.note(.started(new.task)) }
    let end = publisher.run { [run] () throws(ExecutorFailure) in
      if let new { try run.start(loader.bytes, new.task) } else { try takeOver(run, loader) }
    }
    OperatorLog.note(.ended(end))
    return ExitCode(end)
  }

  /// The task as this host's policy has it, or its refusal. No registry is asked anything for what is refused.
  private static func judged(
    _ request: TaskOptions.Request, _ arguments: Arguments, until signals: SharedDescriptor
  ) throws(ExecutorFailure) -> PolicyGate {
    guard !request.document.referencedImages.isEmpty else { return try judged(request, arguments) }
    _ = try judged(request.withoutRegistries, arguments)
    return try judged(request.resolved(arguments, until: signals), arguments)
  }

  private static func judged(_ request: TaskOptions.Request, _ arguments: Arguments) throws(ExecutorFailure)
    -> PolicyGate
  {
    let gate = try PolicyGate(arguments, request.document, try request.task(), request.settings)
    try gate.enforce(request.loader)
    return gate
  }

  private static func exists(_ paths: TaskPaths) -> Bool { (try? status(of: paths.task)) != nil }

  /// The id of a task that is there already: its executor died, and this one goes on with it.
  private static func takeOver(_ run: TaskRun, _ loader: DocumentLoader) throws(ExecutorFailure) -> TaskEnd {
    if TaskLock.isHeld(run.paths) {
      throw ExecutorFailure(
        .cannotCreate, "the task \(run.paths.taskID) is being run by another executor", hint: "choose another --task-id"
      )
    }
    guard (try? readRegularFile(run.paths.document, limit: 5 << 20)) == loader.bytes else {
      throw ExecutorFailure(
        .cannotCreate, "there is a task \(run.paths.taskID) already, with another document",
        hint: "choose another --task-id, or `aurora-executor recover \(run.paths.taskID)`")
    }
    let takeover = try Takeover(run.paths)
    guard takeover.history.settings.role.utf8.elementsEqual(run.settings.role.utf8) else {
      throw ExecutorFailure(
        .cannotCreate,
        "there is a task \(run.paths.taskID) already, with the role \(takeover.history.settings.role) and not "
          + run.settings.role,
        hint: "choose another --task-id, or `aurora-executor recover \(run.paths.taskID)`")
    }
    let rest = TaskRun(
      paths: takeover.paths, settings: takeover.history.settings, publisher: run.publisher,
      launcher: run.launcher, resultFile: run.resultFile,
      follows: run.follows, assertsClean: run.assertsClean, removesRecord: run.removesRecord,
      isDetached: run.isDetached, signals: run.signals)
    OperatorLog.note(.tookOver(takeover.history.task))
    return try rest.recover(takeover)
  }

  /// Overlay options and socket addresses have their own ideas of some characters. And a run directory has a directory for
  /// each task, as that of the tasks: neither may be taken for the other.
  static func checkPaths(_ arguments: Arguments, usesRunDirectory: Bool = true) throws(ExecutorFailure) {
    for (option, path) in [("--work-dir", arguments.workDirectory), ("--run-dir", arguments.runDirectory)] {
      guard path.utf8.first == UInt8(ascii: "/"), !path.utf8.contains(where: { ":,\\".utf8.contains($0) || $0 < 0x20 })
      else {
        throw ExecutorFailure(
          .usage, "\(option) \(printable(path.utf8)): an absolute path without : , \\ and control characters is needed")
      }
    }
    guard usesRunDirectory else { return }
    let (work, run) = (arguments.workDirectory, arguments.runDirectory)
    let tasks = TaskPaths.tasks(work)
    for place in [tasks, TaskPaths.images(work)] where DirectoryPath.isWithin(run, place) {
      throw ExecutorFailure(
        .usage,
        "--run-dir \(printable(run.utf8)): this is the place of the work directory's own, \(printable(place.utf8))",
        hint: "choose a directory outside of the work directory")
    }
    if DirectoryPath.isWithin(tasks, run) {
      throw ExecutorFailure(
        .usage,
        "--run-dir \(printable(run.utf8)): the tasks of the work directory lie in it, in \(printable(tasks.utf8))",
        hint: "choose a directory outside of the work directory")
    }
  }
}

/// SIGTERM and SIGINT as a descriptor: the only signals that end a task. SIGUSR1 has its status printed
/// (`TaskSupervisor`), and all others do nothing. What was ignored when the executor was started stays ignored.
enum SignalSource {
  static func open() throws(ExecutorFailure) -> SharedDescriptor {
    do throws(Errno) {
      let stops = [SIGTERM, SIGINT].filter { !SignalDispositions.isIgnored($0) }
      // Blocked until somebody reads it.
      _ = try signalDescriptor([SIGUSR1])
      SignalDispositions.ignoreOthers(than: [SIGTERM, SIGINT, SIGUSR1])
      return SharedDescriptor(try signalDescriptor(stops))
    } catch {
      throw ExecutorFailure(.internalError, "cannot take signals: \(error)")
    }
  }
}
