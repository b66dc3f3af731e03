import StrictJSON

/// One thing wrong, or odd, in a task document.
package struct Diagnostic: Error, Sendable, Equatable, CustomStringConvertible {
  /// Whether the document can be used in spite of it.
  package enum Severity: Sendable, Equatable {
    case error
    case warning
  }

  /// What kind of fault it is; `validate` refuses a document with an `unknownKey`, `run` only warns.
  package enum Kind: Sendable, Equatable {
    /// Not JSON, or too large.
    case syntax
    /// A key that no version of the document known here has.
    case unknownKey
    /// A required member is absent.
    case missing
    /// A value of another type than the field has.
    case type
    /// A value of the right type that the field does not accept.
    case value
    /// The processes cannot be ordered as asked.
    case plan
    /// A template reference that nothing binds.
    case unbound
    /// Accepted, but unlikely to be meant.
    case advice
  }

  package let severity: Severity
  package let kind: Kind
  /// Where it stands in the text; line 0 when it stands nowhere, as for a value from the command line.
  package let position: JSON.Position
  /// The way to the value from the top of the document: `task.processes[2].cmdline`; empty for the document itself.
  package let path: String
  package let message: String
  /// What to do about it, when something useful can be said.
  package let hint: String?

  package init(
    _ kind: Kind, severity: Severity = .error, at position: JSON.Position, path: String, _ message: String,
    hint: String? = nil
  ) {
    self.kind = kind
    self.severity = severity
    self.position = position
    self.path = path
    self.message = message
    // It repeats names and references of the document as they are to be typed.
    self.hint = hint?.escapedForMessage(limit: 1_000, backslashes: false)
  }

  /// `31:18: task.processes[2]: unknown key "max_failurs" (did you mean "max_failures"?)`.
  package var description: String {
    var text = position == .none ? "" : "\(position.line):\(position.column): "
    // Keys of the document are in it.
    if !path.isEmpty { text += path.escapedForMessage(limit: 400) + ": " }
    text += message
    if let hint { text += " (\(hint))" }
    return text
  }
}

extension [Diagnostic] {
  /// Whether the document they speak of cannot be used.
  package var hasErrors: Bool { contains { $0.severity == .error } }
}
