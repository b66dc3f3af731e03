import LinuxKernel
import StrictJSON
import TaskModel
import TaskStore

/// `status`: one task with its processes and runs.
enum StatusCommand {
  static let command = Command(
    name: "status", summary: "show one task with its processes", synopsis: "TASK [options]",
    options: CommonOptions.directories + [CommonOptions.output],
    notes: "TASK is an id, or as much of its beginning as names one task.", run: run)

  private static func run(_ arguments: Arguments) throws(ExecutorFailure) -> ExitCode {
    let style = try arguments.outputStyle()
    let paths = try TaskSelection.one(arguments)
    var json: JSON
    if let bytes = try? readRegularFile(paths.result, limit: 64 << 20),
      let result = try? JSON(parsing: bytes, limits: .init(bytes: 64 << 20))
    {
      json = result
    } else {
      json = live(try TaskHistory(paths))
    }
    if let health = HealthReport.read(paths.health) {
      json = JSON(object: (json.members ?? []).map { ($0.key, $0.value) } + [("health", JSON(health))])
    }
    if style == .json {
      Console.raw(Array(json.pretty.utf8))
    } else {
      Console.output(text(json, paths))
    }
    return .finished
  }

  /// The state of a task that has not ended, in the shape of a result.
  private static func live(_ history: TaskHistory) -> JSON {
    let (state, reason, message, hint) = history.journal.lastUpdate
    let hasExecutor = TaskLock.isHeld(history.paths)
    let hasContainer = hasExecutor ? nil : InitFate(history.launched, history.paths).hasContainer
    let result = TaskResult(
      taskID: history.paths.taskID, verdict: Verdict(state: .running, message: ""), containerizer: "", containerID: nil,
      image: nil, plan: nil, role: nil, roleName: history.settings.role, createdAt: history.createdAt, finishedAt: 0,
      ports: history.task.ports, processes: history.machine.processes, runTimes: history.times, usage: .init(),
      diskBytes: nil, policy: history.settings.policy)
    return JSON(object: [
      ("schema_version", 1), ("task_id", JSON(history.paths.taskID)), ("state", JSON(state)),
      ("reason", reason.map { JSON($0) }), ("message", message.map { JSON($0) }), ("hint", hint.map { JSON($0) }),
      ("container_id", history.launched?["container_id"]), ("executor", JSON(hasExecutor)),
      ("container", hasContainer.map { JSON($0) }),
      ("role", JSON(object: [("name", JSON(history.settings.role))])), ("ports", result.json["ports"]),
      ("policy", result.json["policy"]),
      ("created_at", JSON(Clock.timestamp(history.createdAt))), ("processes", result.json["processes"]),
    ])
  }

  private static func text(_ json: JSON, _ paths: TaskPaths) -> String {
    func field(_ name: String, _ value: String?) -> String? {
      value.map { name + String(repeating: " ", count: max(1, 10 - name.utf8.count)) + $0 }
    }
    let role = json["role"]
    let numbers = role?["uid"]?.integer.flatMap { uid in role?["gid"]?.integer.map { " (\(uid):\($0))" } } ?? ""
    let decider = json["decider"].map { "\($0["process"]?.string ?? "?") run \($0["run"]?.integer ?? 0)" }
    let ports = (json["ports"]?.members ?? []).map { "\($0.key) \($0.value.integer ?? 0)" }
    var lines = [
      field("task", json["task_id"]?.string), field("state", json["state"]?.string),
      field("reason", json["reason"]?.string),
      field("message", json["message"]?.string.flatMap { $0.isEmpty ? nil : $0 }),
      json["hint"]?.string.map { "hint: \($0)" }, field("decider", decider),
      field("container", json["container_id"]?.string.map { printable($0.utf8) }),
      field("role", role?["name"]?.string.map { $0 + numbers }),
      field(
        "image", json["image"].map { "\($0["reference"]?.string ?? "") (\($0["digest"]?.string ?? ""))" }),
      field("ports", ports.isEmpty ? nil : ports.joined(separator: ", ")),
      field("created", json["created_at"]?.string), field("finished", json["finished_at"]?.string),
      json["executor"]?.bool == false ? field("executor", abandoned(json["container"]?.bool)) : nil,
    ].compactMap { $0 }
    for note in json["notes"]?.array ?? [] { lines.append("note      \(note.string ?? "")") }
    var rows = [["PROCESS", "STATE", "RUNS", "LAST RUN"]]
    for process in json["processes"]?.members ?? [] {
      let runs = process.value["runs"]?.array ?? []
      rows.append([
        printable(process.key.utf8), process.value["state"]?.string ?? "", String(runs.count), lastRun(runs.last),
      ])
    }
    if rows.count > 1 { lines += ["", Console.table(rows)] }
    for subject in json["health"]?.array ?? [] { lines += ["", health(subject)] }
    lines += ["", "sandbox   \(paths.sandbox)", "logs      \(paths.logs)"]
    return lines.joined(separator: "\n")
  }

  private static func abandoned(_ hasContainer: Bool?) -> String {
    hasContainer == false
      ? "gone, and the container too; `recover` or `sweep` ends the task" : "gone; `recover` goes on with the task"
  }

  /// The last checks of a task or of one process, newest first.
  private static func health(_ subject: JSON) -> String {
    let whose = subject["process"]?.string.map { " of \(printable($0.utf8)) run \(subject["run"]?.integer ?? 0)" }
    var lines = ["health\(whose ?? ""): \(subject["status"]?.string ?? "")"]
    var rows: [[String]] = []
    for check in (subject["checks"]?.array ?? []).reversed() {
      let said = [check["reason"]?.string, check["output"]?.string].compactMap { $0 }.joined(separator: ": ")
      let took = "\(check["milliseconds"]?.integer ?? 0) ms"
      rows.append(["  " + (check["at"]?.string ?? ""), check["outcome"]?.string ?? "", took, printable(said.utf8)])
    }
    if !rows.isEmpty { lines.append(Console.table(rows)) }
    return lines.joined(separator: "\n")
  }

  private static func lastRun(_ run: JSON?) -> String {
    guard let run else { return "" }
    if let code = run["exit_code"]?.integer {
      return "exit status \(code)" + (run["reason"]?.string == "oom" ? ", out of memory" : "")
    }
    if let signal = run["signal"]?.string { return signal + (run["reason"]?.string == "oom" ? ", out of memory" : "") }
    if let message = run["message"]?.string { return message }
    return run["started_at"]?.string.map { "since \($0)" } ?? ""
  }
}
