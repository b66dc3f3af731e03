/// Why a command was never executed: which kind of failure, for programs; the reason and what may help, for people.
package struct StartFailure: Error, Sendable, Hashable, WireValue {
  /// By its name on the wire and in the journal, so that one of a newer init passes through.
  package struct Kind: Sendable, Hashable {
    package let name: String
    package init(_ name: String) { self.name = name }

    package static let commandNotFound = Kind("command_not_found")
    /// There, and not for this user to execute.
    package static let notExecutable = Kind("not_executable")
    package static let isDirectory = Kind("is_directory")
    /// There, and the interpreter or the loader that it names is not.
    package static let missingInterpreter = Kind("missing_interpreter")
    package static let wrongArchitecture = Kind("wrong_architecture")
    /// No program that the kernel knows, and none of another architecture either.
    package static let unknownFormat = Kind("unknown_format")
    /// A command line, and nothing that could read it.
    package static let noShell = Kind("no_shell")
    package static let workingDirectory = Kind("working_directory")
    package static let argumentsTooLong = Kind("arguments_too_long")
    /// What comes before the command could not be done: its logs, its process, its rights.
    package static let setup = Kind("setup")
    /// Anything else; also of an init that does not tell.
    package static let other = Kind("other")
  }

  package var kind: Kind
  package var reason: String
  package var hint: String?

  package init(_ kind: Kind, _ reason: String, hint: String? = nil) {
    self.kind = kind
    self.reason = reason
    self.hint = hint
  }

  package init(from reader: inout WireReader) throws(WireError) {
    reason = try reader.string()
    let hint = try reader.string()
    self.hint = hint.isEmpty ? nil : hint
    kind = reader.isAtEnd ? .other : Kind(try reader.string())
  }
  package func write(to writer: inout WireWriter) {
    writer.put(reason)
    writer.put(hint ?? "")
    writer.put(kind.name)
  }
}
