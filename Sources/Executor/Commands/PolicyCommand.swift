import StrictJSON
import TaskModel
import TaskStore

/// `policy explain`: what a document asks for, and which rule gives or denies it.
enum PolicyCommand {
  static let command = Command(
    name: "policy", summary: "show what a document needs leave for, and which rule gives or denies it",
    synopsis: "explain FILE [options]", options: TaskOptions.all + [PolicyGate.option, CommonOptions.output],
    notes: """
      Nothing is made. What only a run knows, such as ports, is stood in for. docs/policy.md has the members of a policy;
      `aurora-executor schema policy` prints its JSON Schema.
      exit status: 0 all is given, 77 something is denied, 78 the policy itself cannot be used.
      """,
    run: run)

  private static func run(_ arguments: Arguments) throws(ExecutorFailure) -> ExitCode {
    let style = try arguments.outputStyle()
    guard arguments.operands.first == "explain" else {
      throw ExecutorFailure(
        .usage, "policy: what about it? `explain` is missing", hint: "`aurora-executor policy explain task.json`")
    }
    let loader = try TaskOptions.loader(arguments, operands: Array(arguments.operands.dropFirst()))
    let document = try loader.document(strict: false)
    let settings = try TaskOptions.settings(arguments, document).0
    let (task, diagnostics) = document.standIn(custom: settings.bindings.map { ($0[0], $0[1]) })
    let fatal = loader.report(diagnostics, strict: false)
    guard let task, fatal == 0 else { throw loader.invalid(fatal) }
    let verdict = try PolicyGate(arguments, document, task.withImageCommand, settings).verdict
    if style == .json {
      Console.raw(Array(verdict.json.pretty.utf8))
    } else {
      Console.output(
        verdict.policy.map { "policy \($0.file) (\($0.digest))" } ?? "no policy: the document means what it says")
      Console.output(verdict.table)
    }
    return verdict.isGiven ? .finished : .needsPrivileges
  }
}
