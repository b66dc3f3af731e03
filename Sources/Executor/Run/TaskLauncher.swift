import LaunchModel
import StrictJSON
import TaskModel

/// What a run of a task gets from above: who knows that there are two containerizers, and how a plan is shown.
struct TaskLauncher: Sendable {
  let containerizer:
    @Sendable (TaskSpecification, Identity, RunSettings, TaskPaths) throws(ExecutorFailure) -> any Containerizer
  /// What `plan.json` says of a launch.
  let report: @Sendable (LaunchPlan) -> JSON
}
