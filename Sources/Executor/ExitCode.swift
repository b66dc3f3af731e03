/// Exit statuses of the executor (DESIGN: those of sysexits(3) where one fits).
enum ExitCode: Int32, Sendable {
  case finished = 0
  case failed = 1
  case killed = 3
  case lost = 4
  /// The command line is wrong.
  case usage = 64
  /// The task document is invalid.
  case invalidDocument = 65
  case notFound = 66
  /// The Docker engine or a registry cannot be reached.
  case unavailable = 69
  case internalError = 70
  case cannotCreate = 73
  /// What was to be shown could not be written.
  case outputFailed = 74
  /// Root is needed, or leave that the operator's policy does not give.
  case needsPrivileges = 77
  /// The executor's own configuration is wrong.
  case configuration = 78
  /// `--assert-clean` found something left over.
  case residue = 79
}

/// A command that cannot go on: what, where, why; then what may help; and the exit status that says which kind it is.
struct CommandFailure: Error, CustomStringConvertible {
  let exitCode: ExitCode
  /// The Docker parameter of the document that it is about.
  let parameter: Int?
  /// What and why, without the parameter.
  let cause: String
  let hint: String?

  init(_ exitCode: ExitCode, _ cause: String, hint: String? = nil, parameter: Int? = nil) {
    self.exitCode = exitCode
    self.parameter = parameter
    self.cause = cause
    self.hint = hint
  }

  var message: String { (parameter.map { "container.docker.parameters[\($0)]: " } ?? "") + cause }

  var description: String { message + (hint.map { "\nhint: \($0)" } ?? "") }
}
