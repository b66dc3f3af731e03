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
      let directory = image.workingDirectory.isEmpty ? "/" : image.workingDirectory
      guard directory.utf8.first == UInt8(ascii: "/"), !directory.utf8.contains(0) else {
        throw IsolationError(Self.name, "the image's WORKDIR \"\(directory)\" is not an absolute path")
      }
      fragment.imageCommand = image.entrypoint + image.command
      // As the Docker engine starts in it: links on the way do not count.
      let cleaned = directory.cleanedAbsolutePath
      fragment.imageWorkingDirectory = cleaned
      fragment.afterPivot = [.directory(target: cleaned, mode: 0o755)]
    }
    return fragment
  }
}
