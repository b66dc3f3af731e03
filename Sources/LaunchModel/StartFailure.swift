/// Why a command was never executed: which kind of failure, for programs; the reason and what may help, for people.
package struct StartFailure: Error, Sendable, Hashable, WireRecord {
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

  package static let blank = StartFailure(.other, "")
  package mutating func fields<Pass: WirePass>(_ pass: inout Pass) throws(Pass.Failure) {
    // Without a hint its text is empty.
    var hintText = hint ?? ""
    try pass.field(&reason)
    try pass.field(&hintText)
    try pass.field(later: &kind)
    hint = hintText.isEmpty ? nil : hintText
  }
}

extension StartFailure.Kind: WireField {
  package init(field reader: inout WireReader) throws(WireError) { self.init(try reader.next()) }
  package func writeField(to writer: inout WireWriter) { writer.put(name) }
}
