/// An option of `docker run` that cannot be applied.
public struct DockerRunOptionError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The classes of failure.
  public enum Kind: Sendable, Equatable {
    /// Docker has no option of this name; `suggestions` has near ones.
    case unknown
    /// Docker has it, but it would break what the caller promises; `detail` says why.
    case refused
    /// Its value is not as the option wants it, or does not go with another option.
    case invalid
  }

  /// The class of this failure.
  public let kind: Kind
  /// Which of the options it was, from 0; their number when it is about several of them together.
  public let index: Int
  /// The option's long name, or what was given instead.
  public let name: String
  /// What is wrong.
  public let detail: String
  /// Names that are near, for an unknown one.
  public let suggestions: [String]

  init(_ kind: Kind, index: Int, name: String, detail: String, suggestions: [String] = []) {
    self.kind = kind
    self.index = index
    self.name = name
    self.detail = detail
    self.suggestions = suggestions
  }

  /// The whole story on one line.
  public var description: String {
    let hint = suggestions.isEmpty ? "" : "; near names: \(suggestions.joined(separator: ", "))"
    return "docker parameter \"\(excerpt(name.utf8, limit: 60))\": \(detail)\(hint)"
  }
}

/// What an option's own code reports; the caller adds the option's name.
struct RunOptionProblem: Error {
  let text: String
  let kind: DockerRunOptionError.Kind
  /// The option, where the code knows better than its caller.
  let option: String?

  init(_ text: String, _ kind: DockerRunOptionError.Kind = .invalid, option: String? = nil) {
    self.text = text
    self.kind = kind
    self.option = option
  }

  /// A value that is not what it should be.
  static func value(_ value: String, _ expected: String) -> RunOptionProblem {
    RunOptionProblem("\"\(excerpt(value.utf8, limit: 120))\" is not \(expected)")
  }
}
