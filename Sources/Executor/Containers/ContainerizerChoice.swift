import LaunchModel
import TaskModel

/// Which containerizer a task gets: the one its document names.
enum ContainerizerChoice {
  /// Its name, as a result has it.
  static func name(_ task: TaskSpecification) -> String {
    switch task.container {
    case .mesos: "mesos"
    case .docker: "docker"
    }
  }

  static func make(
    _ task: TaskSpecification, _ identity: Identity, _ settings: RunSettings, _ paths: TaskPaths
  ) throws(ExecutorFailure) -> any Containerizer {
    switch task.container {
    case .mesos(let container):
      return try NativeContainerizer(
        task: task, container: container, identity: identity, settings: settings, paths: paths)
    case .docker(let container):
      return try DockerContainerizer(
        task: task, container: container, identity: identity, settings: settings, paths: paths)
    }
  }
}
