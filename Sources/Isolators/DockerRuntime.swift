import Glibc
import LaunchModel
import LinuxKernel

/// `docker/runtime`: an image's ENV, below the task's own; its ENTRYPOINT and CMD, for a task that has no processes;
/// and its WORKDIR, for that command. Its USER never overrides the role.
package struct DockerRuntime: Isolator {
  package static let name = "docker/runtime"
  package init(host: HostFacts) {}

  package func prepare(_ container: ContainerConfig) throws(IsolationError) -> PlanFragment {
    var fragment = PlanFragment()
    guard let image = container.image else { return fragment }
    for variable in image.environment where !variable.isValid {
      throw IsolationError(
        Self.name, "the image sets an environment variable that cannot be: \"\(variable.name)\"",
        hint: "rebuild the image without it")
    }
    fragment.environment = image.environment
    if container.runsImageCommand {
      guard let command = ImageCommand(image.entrypoint + image.command, in: image.workingDirectory) else {
        throw IsolationError(Self.name, "the image's WORKDIR \"\(image.workingDirectory)\" is not an absolute path")
      }
      fragment.imageCommand = command.words
      fragment.imageWorkingDirectory = command.workingDirectory
      fragment.afterPivot = [command.makesDirectory]
    }
    return fragment
  }
}
