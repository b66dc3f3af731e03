import Containers
import DockerContainerizer
import LaunchModel
import MesosContainerizer
import Supervision
import TaskModel
import TaskStore

/// Which containerizer a task gets: the one its document names.
enum ContainerizerChoice {
  static let launcher = TaskLauncher(containerizer: make, report: { PlanReport($0).json })

  static func make(
    _ task: TaskSpecification, _ identity: Identity, _ settings: RunSettings, _ paths: TaskPaths
  ) throws(ExecutorFailure) -> any Containerizer {
    switch task.container {
    case .mesos(let container):
      return try NativeContainerizer(
        task: task, container: container, identity: identity, settings: settings, paths: paths)
    case .docker(let container):
      return try DockerContainerizer(
        task: task, container: container, identity: identity, settings: settings, paths: paths, tell: Console.note)
    }
  }
}
