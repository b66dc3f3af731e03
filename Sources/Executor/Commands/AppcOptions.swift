import LinuxKernel
import Registry
import TaskStore

/// The options that say where AppC images are looked for.
enum AppcOptions {
  static let all: [Option] = [
    Option("--appc-store", value: "DIR", "where AppC images are that the store lacks: NAME-VERSION-OS-ARCH.aci"),
    Option("--appc-discovery-prefix", value: "URL", "where they are fetched from: this, and NAME-VERSION-OS-ARCH.aci"),
  ]

  static func places(_ arguments: Arguments) throws(ExecutorFailure) -> AppcPlaces {
    AppcPlaces(directory: try directory(arguments), prefix: arguments.last("--appc-discovery-prefix"))
  }

  /// `--appc-store`, where nobody else has a say: that an image is the one with an id is believed of what lies unpacked there,
  /// and what is there is read as root.
  static func directory(_ arguments: Arguments) throws(ExecutorFailure) -> String? {
    guard let path = arguments.last("--appc-store") else { return nil }
    do throws(ExecutorFailure) { return try TrustedDirectory.check(DirectoryPath.absolute(path)) } catch {
      throw ExecutorFailure(
        error.kind, "--appc-store \(printable(path.utf8)): \(error.message)",
        hint: "a directory that nobody else can change is needed, with all above it")
    }
  }
}
