import LinuxKernel
import StrictJSON
import TaskStore

/// `version`: what this is.
enum VersionCommand {
  static let command = Command(
    name: "version", summary: "print the version", synopsis: "[--output json]", options: [CommonOptions.output],
    run: run)

  private static func run(_ arguments: Arguments) throws(ExecutorFailure) -> ExitCode {
    if try arguments.outputStyle() == .json {
      Console.output(JSON(object: [("name", "aurora-executor"), ("version", JSON(Version.number))]).compact)
    } else {
      Console.output("aurora-executor \(Version.number)")
    }
    return .finished
  }
}
