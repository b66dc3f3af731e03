import Containers
import LaunchModel
import StrictJSON
import TaskModel
import TaskStore

/// What a run of a task gets from above: who knows that there are two containerizers, and how a plan is shown.
package struct TaskLauncher: Sendable {
  package let containerizer:
    @Sendable (TaskSpecification, Identity, RunSettings, TaskPaths) throws(ExecutorFailure) -> any Containerizer
  /// What `plan.json` says of a launch.
  package let report: @Sendable (LaunchPlan) -> JSON

  package init(
    containerizer:
      @escaping @Sendable (TaskSpecification, Identity, RunSettings, TaskPaths) throws(ExecutorFailure)
      -> any Containerizer,
    report: @escaping @Sendable (LaunchPlan) -> JSON
  ) {
    self.containerizer = containerizer
    self.report = report
  }
}
