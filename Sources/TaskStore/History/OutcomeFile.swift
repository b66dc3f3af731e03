import Glibc
import LaunchModel
import LinuxKernel
import StrictJSON
import TaskModel

/// What the final processes are told of the task's end: a file, and variables.
///
/// The file lies among the logs, which are root's and read-only in the container, so nothing that a task has planted
/// can lead the write elsewhere. It is written anew before each final process starts, also by an executor that took
/// the task over.
package struct OutcomeFile {
  package let paths: TaskPaths
  package let times: RunTimes
  /// Where the processes see the logs.
  package let directory: String

  package init(paths: TaskPaths, times: RunTimes, directory: String) {
    self.paths = paths
    self.times = times
    self.directory = directory
  }

  package func write(_ verdict: Verdict, _ processes: [ProcessRecord]) throws(Errno) {
    let json = JSON(
      object: [("schema_version", 1), ("task_id", JSON(paths.taskID))] + verdict.members
        + [("decider", verdict.deciderJSON), ("processes", processes.json(times, onlyStarted: true))])
    let logs = SharedDescriptor(try openFile(paths.logs, O_RDONLY | O_DIRECTORY | O_NOFOLLOW))
    try PreparedFile(TaskPaths.outcomeName, Array(json.pretty.utf8), mode: 0o644, durable: false, in: logs).takePlace()
  }

  package func variables(_ verdict: Verdict) -> [EnvironmentVariable] {
    [
      EnvironmentVariable("AURORA_TASK_STATE", verdict.state.rawValue),
      // Empty rather than absent, which ends a shell that runs with `set -u`.
      EnvironmentVariable("AURORA_REASON", verdict.reason ?? ""),
      EnvironmentVariable("AURORA_OUTCOME_FILE", directory + "/" + TaskPaths.outcomeName),
    ]
  }
}
