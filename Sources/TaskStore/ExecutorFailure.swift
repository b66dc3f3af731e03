/// Why something that was asked for cannot be had: what, where, why; then what may help. The kind is what programs go by.
package struct ExecutorFailure: Error, CustomStringConvertible {
  package enum Kind: Sendable {
    /// What the task is or asks for cannot be run here.
    case failed
    /// A signal or a request ended it before anything ran.
    case stopped
    /// The command line is wrong.
    case usage
    /// The task document is invalid.
    case invalidDocument
    case notFound
    /// The Docker engine or a registry cannot be reached.
    case unavailable
    /// What should not happen.
    case internalError
    case cannotCreate
    /// Root is needed, or leave that the operator's policy does not give.
    case needsPrivileges
    /// This host's or the executor's own configuration is wrong.
    case configuration
  }

  package let kind: Kind
  /// The Docker parameter of the document that it is about.
  package let parameter: Int?
  /// What and why, without the parameter.
  package let cause: String
  package let hint: String?

  package init(_ kind: Kind, _ cause: String, hint: String? = nil, parameter: Int? = nil) {
    self.kind = kind
    self.parameter = parameter
    self.cause = cause
    self.hint = hint
  }

  package var message: String { (parameter.map { "container.docker.parameters[\($0)]: " } ?? "") + cause }

  /// As a person is told.
  package var report: String { "error: \(description)" }

  package var description: String { message + (hint.map { "\nhint: \($0)" } ?? "") }
}
