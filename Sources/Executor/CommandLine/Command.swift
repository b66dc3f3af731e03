import Supervision
import TaskStore

/// One command of the executor: its name, its options and what it does.
struct Command: Sendable {
  let name: String
  let summary: String
  /// The words after the name in the usage line.
  let synopsis: String
  let options: [Option]
  /// More for `--help`, after the options.
  var notes: String = ""
  /// Whether it needs more of this host than files that it can read.
  var needsProc = false
  /// Whether it acts on what it finds in the work and run directory, so that nobody else may have a say in them.
  var believesDirectories = false
  let run: @Sendable (Arguments) throws(ExecutorFailure) -> ExitCode

  var help: String {
    var text = "\(summary)\n\nusage: aurora-executor \(name) \(synopsis)\n"
    if !options.isEmpty {
      text += "\noptions:\n"
      let rows = options.filter { !$0.isHidden }.map { option in
        [
          "  " + ([option.name] + [option.short].compactMap { $0 }).joined(separator: ", ")
            + (option.value.map { " " + $0 } ?? ""), option.help,
        ]
      }
      text += Console.table(rows) + "\n"
    }
    return text + (notes.isEmpty ? "" : "\n" + notes + "\n")
  }
}

/// Options that several commands have.
enum CommonOptions {
  static let workDirectory = Option(
    "--work-dir", value: "PATH", "where tasks and images are (\(Defaults.workDirectory))")
  static let runDirectory = Option("--run-dir", value: "PATH", "where control sockets are (\(Defaults.runDirectory))")
  static let output = Option("--output", value: "auto|plain|json", "how to print: for people or for programs")
  static let directories = [workDirectory, runDirectory]
  static let log = Option(
    "--log", value: "FILE|syslog|journal", "log begin and end of tasks, and what failed without consequence")
}

extension Arguments {
  /// `--output`, where `auto` is for people.
  func outputStyle() throws(ExecutorFailure) -> StatusPublisher.Style {
    switch last("--output") ?? "auto" {
    case "auto", "plain": return .plain
    case "json": return .json
    case let other: throw ExecutorFailure(.usage, "--output \(other): it is auto, plain or json")
    }
  }

  /// A whole number of an option.
  func integer(_ option: String, in range: ClosedRange<Int>) throws(ExecutorFailure) -> Int? {
    guard let text = last(option) else { return nil }
    guard let value = Int(text), range.contains(value), String(value) == text else {
      throw ExecutorFailure(
        .usage, "\(option) \(text): a number from \(range.lowerBound) to \(range.upperBound) is needed")
    }
    return value
  }
}
