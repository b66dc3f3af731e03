import Explanation
import LinuxKernel
import TaskStore

/// `explain`: why a task ended as it did, or what it waits for.
enum ExplainCommand {
  static let command = Command(
    name: "explain", summary: "say why a task ended as it did, and what to try", synopsis: "TASK [options]",
    options: CommonOptions.directories + [CommonOptions.output],
    notes: "TASK is an id, or as much of its beginning as names one task. Nothing is changed.", run: run)

  private static func run(_ arguments: Arguments) throws(ExecutorFailure) -> ExitCode {
    let style = try arguments.outputStyle()
    let explanation = Explainer.explain(try TaskEvidence(reading: try TaskSelection.one(arguments)))
    if style == .json {
      Console.raw(Array(explanation.json.pretty.utf8))
    } else {
      Console.output(explanation.text)
    }
    return .finished
  }
}
