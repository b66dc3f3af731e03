import Glibc
import Images
import LinuxKernel
import StrictJSON
import TaskModel
import TaskStore

extension TaskEvidence {
  /// Reads what the task's directory holds.
  package init(reading paths: TaskPaths) throws(ExecutorFailure) {
    let history = try TaskHistory(paths)
    let machine = history.machine
    self.init(
      task: history.task, taskID: paths.taskID, state: history.journal.lastUpdate.state, verdict: machine.verdict,
      notedRuns: machine.notedRuns, hasEnded: false, hasExecutor: TaskLock.isHeld(paths), phase: machine.phase,
      processes: machine.processes)
    // The result has the last word: a launch that failed is no event, and notes are added at the very end.
    if let bytes = try? readRegularFile(paths.result, limit: 64 << 20),
      let result = try? JSON(parsing: bytes, limits: .init(bytes: 64 << 20)), let ended = Verdict(result: result)
    {
      hasEnded = true
      state = ended.state.rawValue
      verdict = ended
    } else if machine.phase == .terminal, !hasExecutor {
      hasEnded = true
      lacksResult = true
    }
    hasContainer = InitFate(history.launched, paths).hasContainer
    initLog = TaskEvidence.tail(paths.initLog)
    health = TaskEvidence.health(paths.health)
    searchPath = history.launched?["path"]?.string
    image = TaskEvidence.image(history.task)
    if paths.workDirectory != Defaults.workDirectory { workDirectory = paths.workDirectory }
    guard let decider = verdict?.decider else { return }
    var odd: [String] = []
    if let logs = (try? LogTree(paths.logs) { odd.append($0) })?.run(decider.process, decider.run) {
      stderr = TaskEvidence.lines("stderr", at: logs.rawValue) { error in
        odd.append(LogFaults.text("\(paths.logs(decider.process, decider.run))/stderr", error))
      }
      hasOutput = ((try? LinuxKernel.status(of: "stdout", at: logs.rawValue))?.size ?? 0) > 0
    }
    oddLogs = odd
    if case .exited(let status)? = decidingRun?.outcome,
      let complaint = ShellComplaint(exitStatus: status, stderr: stderr)
    {
      program = ProgramLookup(paths, history.settings, history.task).find(complaint.path)
    }
  }

  /// The last 4 KiB by lines, without empty ones; of the file before when the log was rotated just then.
  private static func lines(_ name: String, at directory: Int32, fault: (Errno) -> Void) -> [[UInt8]] {
    var bytes = tail(name, at: directory, fault: fault)
    if bytes.isEmpty { bytes = tail(name + ".1", at: directory, fault: fault) }
    return bytes.split(separator: UInt8(ascii: "\n")).map(Array.init)
  }

  private static func tail(
    _ path: String, at directory: Int32 = currentDirectory, fault: (Errno) -> Void = { _ in }
  ) -> [UInt8] {
    do throws(Errno) {
      let file = try openFile(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, at: directory)
      let about = try status(of: file.rawValue)
      guard about.isRegularFile else { return [] }
      return try file.read(upTo: 4096, at: max(0, Int64(about.size) - 4096))
    } catch {
      if error.code != ENOENT { fault(error) }
      return []
    }
  }

  /// The newest checks, oldest first; what came back where there is anything, else why it was not good.
  private static func health(_ path: String) -> [HealthOutput] {
    (HealthReport.read(path) ?? []).flatMap { subject in
      (subject["checks"]?.array ?? []).suffix(10).map { check in
        HealthOutput(
          process: subject["process"]?.string, hasFailed: check["outcome"]?.string == "failure",
          output: check["output"]?.string ?? check["reason"]?.string ?? "")
      }
    }
  }

  private static func image(_ task: TaskSpecification) -> String? {
    switch task.container {
    case .docker(let container): return container.image
    case .mesos(let container):
      switch container.image {
      case .docker(let name, let tag): return name + (tag.map { ":" + $0 } ?? "")
      case .appc(let name, _, _): return name
      case nil: return nil
      }
    }
  }
}
