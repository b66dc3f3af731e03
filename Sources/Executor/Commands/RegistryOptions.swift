import Images
import LinuxKernel
import Registry
import TaskStore

/// The options that say how registries are asked: the same for every command that asks one.
enum RegistryOptions {
  static let all: [Option] = [
    Option("--docker-registry", value: "URL", "the registry asked for images without one in their names (Docker Hub)"),
    Option("--ca-file", value: "FILE", "certificate authorities to believe in place of the host's, in PEM"),
    Option(
      "--plain-http", value: "HOST[:PORT]", isRepeatable: true,
      "speak plain HTTP with this registry; for one on this machine only credentials need it"),
  ]

  static let configuration = Option(
    "--docker-config", value: "FILE|DIR",
    "registry credentials (REGISTRY_AUTH_FILE, config.json of DOCKER_CONFIG, of ~/.docker)")
  static let platform = Option("--platform", value: "OS/ARCH[/VARIANT]", "for which an image is wanted (this host's)")

  /// What the command line and the environment say.
  static func access(_ arguments: Arguments) -> RegistryAccess {
    var access = RegistryAccess()
    access.mirror = arguments.last("--docker-registry")
    access.plainHTTP = arguments.all("--plain-http")
    access.certificates = arguments.last("--ca-file")
    access.configuration = arguments.last("--docker-config")
    access.takeEnvironment()
    return access
  }

  static func platform(_ arguments: Arguments) throws(ExecutorFailure) -> Platform {
    guard let text = arguments.last("--platform") else { return .host }
    guard let platform = Platform(text) else {
      throw ExecutorFailure(
        .usage, "--platform \(printable(text.utf8)): linux/ARCHITECTURE[/VARIANT] is needed", hint: "linux/arm64")
    }
    return platform
  }
}
