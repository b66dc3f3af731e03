import LinuxKernel
import StrictJSON
import TaskModel
import TaskStore

/// `ps`: every task of this host, live or ended.
enum PsCommand {
  static let command = Command(
    name: "ps", summary: "list the tasks of this host, live and ended", synopsis: "[options]",
    options: CommonOptions.directories + [
      CommonOptions.output, Option("--live", "only tasks that have not ended"),
      Option("--quiet", short: "-q", "only ids"),
    ], run: run)

  private static func run(_ arguments: Arguments) throws(ExecutorFailure) -> ExitCode {
    _ = try arguments.operands(0...0, "")
    let style = try arguments.outputStyle()
    var rows: [[String]] = []
    for id in try TaskPaths.allIDs(arguments.workDirectory) {
      let paths = TaskPaths(workDirectory: arguments.workDirectory, runDirectory: arguments.runDirectory, taskID: id)
      let summary = TaskSummary(paths)
      if arguments.has("--live"), summary.hasEnded { continue }
      if arguments.has("--quiet") {
        Console.output(id)
      } else if style == .json {
        Console.output(summary.json.compact)
      } else {
        rows.append([id, summary.state, summary.role, summary.startedAt, summary.remark])
      }
    }
    if style == .plain, !arguments.has("--quiet") {
      if rows.isEmpty {
        Console.note("no tasks in \(arguments.workDirectory)")
      } else {
        Console.output(Console.table([["TASK", "STATE", "ROLE", "STARTED", ""]] + rows))
      }
    }
    return .finished
  }
}

/// A task in one line, from its result where it has ended, else from its journal.
struct TaskSummary {
  let paths: TaskPaths
  let state: String
  let role: String
  let startedAt: String
  let message: String
  let hint: String?
  let hasEnded: Bool
  let hasExecutor: Bool
  /// Whether the task has ended, and its executor could not write its result.
  let lacksResult: Bool
  /// Of a task that has no executor: whether its container is there, where that can be told.
  let hasContainer: Bool?

  init(_ paths: TaskPaths) {
    self.paths = paths
    if let bytes = try? readRegularFile(paths.result, limit: 64 << 20),
      let json = try? JSON(parsing: bytes, limits: .init(bytes: 64 << 20))
    {
      state = json["state"]?.string ?? "?"
      role = json["role"]?["name"]?.string ?? "?"
      startedAt = json["created_at"]?.string ?? ""
      message = json["message"]?.string ?? ""
      hint = json["hint"]?.string
      hasEnded = true
      hasExecutor = false
      lacksResult = false
      hasContainer = nil
      return
    }
    let journal = try? JournalContents(reading: paths.journal)
    let created = journal?.records.first
    let last = journal?.lastUpdate
    role = created?.json["settings"]?["role"]?.string ?? "?"
    startedAt = created?.time ?? ""
    state = last?.state ?? TaskState.staging.rawValue
    message = last?.message ?? ""
    hint = last?.hint
    hasEnded = false
    hasExecutor = TaskLock.isHeld(paths)
    lacksResult = journal?.finished != nil && !hasExecutor
    hasContainer = hasExecutor ? nil : journal.flatMap { InitFate($0, paths).hasContainer }
  }

  /// What a person should know besides the state.
  var remark: String {
    if lacksResult { return "its result could not be written; `recover` or `sweep` writes it" }
    if !hasEnded, !hasExecutor {
      return hasContainer == false
        ? "its executor and its container are gone; `recover` or `sweep` ends it"
        : "its executor is gone; `recover` goes on with it"
    }
    return printable(message.utf8.prefix { $0 != UInt8(ascii: "\n") })
  }

  var json: JSON {
    JSON(object: [
      ("task_id", JSON(paths.taskID)), ("state", JSON(state)), ("role", JSON(role)),
      ("created_at", startedAt.isEmpty ? nil : JSON(startedAt)), ("message", message.isEmpty ? nil : JSON(message)),
      ("hint", hint.map { JSON($0) }),
      ("ended", JSON(hasEnded)), ("executor", JSON(hasExecutor)),
      ("container", hasContainer.map { JSON($0) }),
    ])
  }
}
