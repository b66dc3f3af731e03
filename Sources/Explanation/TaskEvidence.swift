import ContainerInit
import TaskModel

/// What is known about a task, from its directory: a value, so that the explanation is a function of it.
package struct TaskEvidence {
  /// One check of health that was recorded, of the task or of a process.
  package struct HealthOutput: Equatable {
    var process: String?
    var hasFailed: Bool
    var output: String
  }

  /// A file that a shell could not run, looked at afterwards.
  package enum Program: Equatable {
    case absent
    case directory
    case present(ProgramHead)
  }

  package var task: TaskSpecification
  package var taskID: String
  /// A name of `TaskState`.
  package var state: String
  /// How it ended, or is going to; without one it has not been decided.
  package var verdict: Verdict?
  /// Runs whose end its notes tell of.
  package var notedRuns: Set<RunReference> = []
  package var hasEnded = true
  package var hasExecutor = false
  /// Whether its container is there; `nil` when none was launched, or it cannot be found out.
  package var hasContainer: Bool?
  /// Whether it has ended and there is no result that can be read.
  package var lacksResult = false
  package var phase = TaskMachine.Phase.terminal
  package var processes: [ProcessRecord]
  /// The last words of the deciding run, at most 4 KiB of them, by lines.
  package var stderr: [[UInt8]] = []
  /// Whether it wrote anything at all to its standard output.
  var hasOutput = false
  /// What among the logs is none of ours.
  var oddLogs: [String] = []
  /// Of container-init, for a container that could not be set up.
  package var initLog: [UInt8] = []
  package var health: [HealthOutput] = []
  /// The file that `stderr` complains about, where it could be looked for.
  package var program: Program?
  /// PATH, as the processes had it.
  var searchPath: String?
  /// The image, as the task names it.
  package var image: String?
  /// `--work-dir PATH` where it is not the default, for the commands that are shown.
  package var workDirectory: String?

  package init(
    task: TaskSpecification, taskID: String, state: String, verdict: Verdict? = nil,
    notedRuns: Set<RunReference> = [], hasEnded: Bool = true, hasExecutor: Bool = false, hasContainer: Bool? = nil,
    lacksResult: Bool = false, phase: TaskMachine.Phase = TaskMachine.Phase.terminal, processes: [ProcessRecord],
    stderr: [[UInt8]] = [], hasOutput: Bool = false, oddLogs: [String] = [], initLog: [UInt8] = [],
    health: [HealthOutput] = [], program: Program? = nil, searchPath: String? = nil, image: String? = nil,
    workDirectory: String? = nil
  ) {
    self.task = task
    self.taskID = taskID
    self.state = state
    self.verdict = verdict
    self.notedRuns = notedRuns
    self.hasEnded = hasEnded
    self.hasExecutor = hasExecutor
    self.hasContainer = hasContainer
    self.lacksResult = lacksResult
    self.phase = phase
    self.processes = processes
    self.stderr = stderr
    self.hasOutput = hasOutput
    self.oddLogs = oddLogs
    self.initLog = initLog
    self.health = health
    self.program = program
    self.searchPath = searchPath
    self.image = image
    self.workDirectory = workDirectory
  }

  /// The deciding run.
  var decidingRun: RunRecord? {
    guard let decider = verdict?.decider else { return nil }
    return processes.first { $0.name == decider.process }?.runs.first { $0.number == decider.run }
  }
}
