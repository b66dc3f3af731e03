import DockerEngineClient
import LinuxKernel
import StrictJSON
import TaskStore

/// `doctor`: what this host has of what tasks need.
enum DoctorCommand {
  static let command = Command(
    name: "doctor", summary: "show what this host has of what tasks need, and what to do about the rest",
    synopsis: "[options]",
    options: [CommonOptions.workDirectory, DockerOptions.socket, PolicyGate.option, CommonOptions.output],
    notes: """
      Nothing is changed. A line is `ok`, `limited` (it works without, or in another way) or `missing`.
      exit status: 0 native tasks can run, 78 something that they need is missing.
      """,
    run: run)

  private static func run(_ arguments: Arguments) throws(ExecutorFailure) -> ExitCode {
    _ = try arguments.operands(0...0, "nothing")
    let checks = HostChecks(
      workDirectory: arguments.workDirectory,
      engineSocket: try DockerOptions.socket(arguments) ?? DockerEngine.Configuration().socketPath,
      policy: arguments.last(PolicyGate.option.name)
    ).all()
    let isUsable = !checks.contains { $0.isRequired && $0.state == .missing }
    if try arguments.outputStyle() == .json {
      Console.raw(Array(JSON(object: [("usable", JSON(isUsable)), ("checks", JSON(checks.map(\.json)))]).pretty.utf8))
    } else {
      Console.output(
        Console.table(checks.map { [$0.state.rawValue, $0.name, "\($0.found) (\($0.enables))"] }))
      for check in checks where check.state != .ok {
        if let remedy = check.remedy { Console.output("hint: \(check.name): \(remedy)") }
      }
    }
    return isUsable ? .finished : .configuration
  }
}
