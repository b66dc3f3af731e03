import DockerEngineClient
import LinuxKernel
import TaskStore

/// Where the Docker engine is.
enum DockerOptions {
  static let socket = Option(
    "--docker-socket", value: "PATH", "the engine's socket (DOCKER_HOST, else /var/run/docker.sock)")

  /// `--docker-socket`, else what `DOCKER_HOST` says; `nil` for the usual place.
  static func socket(_ arguments: Arguments) throws(ExecutorFailure) -> String? {
    let given = arguments.last("--docker-socket")
    guard let host = given ?? HostEnvironment.variable("DOCKER_HOST"), !host.isEmpty else { return nil }
    do throws(DockerEngineError) { return try DockerEngine.Configuration.socketPath(dockerHost: host) } catch {
      throw ExecutorFailure(
        .usage, given == nil ? error.description : "--docker-socket \(printable(host.utf8)): it is an absolute path")
    }
  }
}
