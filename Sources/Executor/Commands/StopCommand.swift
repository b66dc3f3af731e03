import LinuxKernel
import StrictJSON
import Supervision
import TaskModel
import TaskStore

/// `stop` and `kill`: the end of a task, asked of its executor.
enum StopCommand {
  static let stop = command("stop", "end a task: its processes are asked to, final processes run", .stop)
  static let kill = command("kill", "end a task at once, without its final processes", .kill)

  private static func command(_ name: String, _ summary: String, _ request: ControlRequest) -> Command {
    Command(
      name: name, summary: summary, synopsis: "TASK [options]",
      options: CommonOptions.directories + [
        CommonOptions.output, CommonOptions.log,
        Option("--recover", "take a task over whose executor is gone, and end it"),
        Option("--wait", value: "SECONDS", "how long to wait for the end (for ever); 0 returns at once"),
      ],
      notes:
        "TASK is an id, or as much of its beginning as names one task. Exit status 0 when it has ended, or was asked to.",
      needsProc: true, believesDirectories: true,
      run: { (arguments) throws(ExecutorFailure) in try run(arguments, request, name) })
  }

  private static func run(_ arguments: Arguments, _ request: ControlRequest, _ name: String) throws(ExecutorFailure)
    -> ExitCode
  {
    let style = try arguments.outputStyle()
    let seconds = try arguments.integer("--wait", in: 0...1_000_000)
    let paths = try TaskSelection.one(arguments).launched
    OperatorLog.about(paths.taskID)
    OperatorLog.note(.asked(name, user: CurrentProcess.effectiveUser))
    if let end = end(of: paths) { return show(end, paths, style) }
    guard TaskLock.isHeld(paths) else {
      guard arguments.has("--recover") else {
        throw ExecutorFailure(
          .unavailable, "the executor of \(paths.taskID) is gone, and nobody is there to end the task",
          hint: "`aurora-executor \(name) \(paths.taskID) --recover` takes it over and ends it")
      }
      let ending =
        request == .kill ? StopRequest.now(by: caller, origin: .request) : .graceful(by: caller, origin: .request)
      let code = try RecoverCommand.recover(paths, arguments, ending: ending)
      // It was to end, and has.
      return [.finished, .failed, .killed, .lost].contains(code) ? .finished : code
    }
    let client = try ControlClient(paths)
    if try client.ask(request, within: answerMilliseconds) == nil { client.interrupt() }
    if seconds == 0 { return .finished }
    guard client.waitForEnd(seconds: seconds) else {
      throw ExecutorFailure(
        .failed, "the task \(paths.taskID) has not ended within \(seconds ?? 0) s",
        hint: "`aurora-executor status \(paths.taskID)` shows what it is at; `kill` waits for no process")
    }
    guard let end = end(of: paths) else {
      // Its executor ended without an end of the task, or it was to keep no record (`--rm`).
      if paths.isMissing { return .finished }
      throw ExecutorFailure(
        .failed, "the executor of \(paths.taskID) has ended, and the task has not",
        hint: "`aurora-executor \(name) \(paths.taskID) --recover` takes it over and ends it")
    }
    return show(end, paths, style)
  }

  private static var caller: String { "a request from pid \(CurrentProcess.pid) (uid \(CurrentProcess.effectiveUser))" }

  /// An executor that supervises answers at once; one that waits for an engine does not answer before that is over.
  private static let answerMilliseconds: Int32 = 500

  private static func end(of paths: TaskPaths) -> JSON? {
    (try? readRegularFile(paths.result, limit: 64 << 20)).flatMap {
      try? JSON(parsing: $0, limits: .init(bytes: 64 << 20))
    }
  }

  private static func show(_ result: JSON, _ paths: TaskPaths, _ style: StatusPublisher.Style) -> ExitCode {
    let words = ["state", "message"].compactMap { result[$0]?.string }.filter { !$0.isEmpty }
    switch style {
    case .json:
      Console.output(
        JSON(object: ["task_id", "state", "reason", "message", "hint", "finished_at"].map { ($0, result[$0]) }).compact)
    case .plain:
      let hint = result["hint"]?.string.map { "\nhint: \($0)" } ?? ""
      Console.output("\(paths.taskID)  \(words.joined(separator: "  "))\(hint)")
    }
    return .finished
  }
}
