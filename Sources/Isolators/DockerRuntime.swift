import Glibc
import LaunchModel
import LinuxKernel

/// `docker/runtime`: an image's ENV, below the task's own; its ENTRYPOINT and CMD, for a task that has no processes;
/// and its WORKDIR and STOPSIGNAL, for that command. Its USER never overrides the role.
package struct DockerRuntime: Isolator {
  package static let name = "docker/runtime"
  package init(host: HostFacts) {}

  package func prepare(_ container: ContainerConfig) throws(IsolationError) -> PlanFragment {
    guard let image = container.image, !image.isAppc else { return PlanFragment() }
    return try image.fragment(for: Self.name, runsCommand: container.runsImageCommand)
  }
}

extension ContainerConfig.ImageRuntime {
  /// What an image brings besides files, in the plan.
  ///
  /// - Parameter isolator: whose it is.
  func fragment(for isolator: String, runsCommand: Bool) throws(IsolationError) -> PlanFragment {
    var fragment = PlanFragment()
    fragment.environment = environment
    if runsCommand {
      guard let line = ImageCommand(entrypoint + command, in: workingDirectory) else {
        throw IsolationError(
          isolator, "the image's working directory \"\(workingDirectory)\" is not an absolute path")
      }
      fragment.imageCommand = line.words
      fragment.imageStopSignal = stopSignal
      fragment.imageWorkingDirectory = line.workingDirectory
      fragment.afterPivot = [line.makesDirectory]
    }
    return fragment
  }
}
