import ContainerInit
import TaskModel

/// What is known about a task, from its directory: a value, so that the explanation is a function of it.
struct TaskEvidence {
  /// One check of health that was recorded, of the task or of a process.
  struct HealthOutput: Equatable {
    var process: String?
    var hasFailed: Bool
    var output: String
  }

  /// A file that a shell could not run, looked at afterwards.
  enum Program: Equatable {
    case absent
    case directory
    case present(ProgramHead)
  }

  var task: TaskSpecification
  var taskID: String
  /// A name of `TaskState`.
  var state: String
  /// How it ended, or is going to; without one it has not been decided.
  var verdict: Verdict?
  /// Runs whose end its notes tell of.
  var notedRuns: Set<RunReference> = []
  var hasEnded = true
  var hasExecutor = false
  /// Whether its container is there; `nil` when none was launched, or it cannot be found out.
  var hasContainer: Bool?
  /// Whether it has ended and there is no result that can be read.
  var lacksResult = false
  var phase = TaskMachine.Phase.terminal
  var processes: [ProcessRecord]
  /// The last words of the deciding run, at most 4 KiB of them, by lines.
  var stderr: [[UInt8]] = []
  /// Whether it wrote anything at all to its standard output.
  var hasOutput = false
  /// What among the logs is none of ours.
  var oddLogs: [String] = []
  /// Of container-init, for a container that could not be set up.
  var initLog: [UInt8] = []
  var health: [HealthOutput] = []
  /// The file that `stderr` complains about, where it could be looked for.
  var program: Program?
  /// PATH, as the processes had it.
  var searchPath: String?
  /// The image, as the task names it.
  var image: String?
  /// `--work-dir PATH` where it is not the default, for the commands that are shown.
  var workDirectory: String?

  /// The deciding run.
  var decidingRun: RunRecord? {
    guard let decider = verdict?.decider else { return nil }
    return processes.first { $0.name == decider.process }?.runs.first { $0.number == decider.run }
  }
}
