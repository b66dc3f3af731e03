import DockerContainerizer
import StrictJSON
import TaskModel
import TaskStore

/// `validate`: everything that is wrong with a document, at once.
enum ValidateCommand {
  static let command = Command(
    name: "validate", summary: "say everything that is wrong with a task document", synopsis: "FILE [options]",
    options: TaskOptions.all + [PolicyGate.option],
    notes: """
      Unknown keys are errors here; `run` warns of them and goes on.
      exit status: 0 valid, 65 not, 77 valid and not allowed by this host's policy.
      """, run: run)

  private static func run(_ arguments: Arguments) throws(ExecutorFailure) -> ExitCode {
    let loader = try TaskOptions.loader(arguments)
    let document = try loader.document(strict: true)
    // What only a run knows, such as ports, is stood in for; what nothing would bind is still an error.
    var settings = try TaskOptions.settings(arguments, document).0
    let (task, diagnostics) = document.standIn(custom: settings.bindings.map { ($0[0], $0[1]) })
    let gate = try PolicyGate(arguments, document, task?.withImageCommand, settings)
    // What a policy says of parameters is the policy's to say.
    if gate?.verdict.policy != nil { settings.allowedDockerParameters = "all" }
    let found = task.map { DockerFaults.of($0.withImageCommand, document, settings) } ?? []
    let fatal = loader.report(diagnostics + found, strict: true)
    guard fatal == 0 else { throw loader.invalid(fatal) }
    try gate?.enforce(loader)
    let count = document.processNames.count
    Console.output("\(loader.name): valid: task \(document.name), \(count) process\(count == 1 ? "" : "es")")
    return .finished
  }
}

/// `render`: the document with its templates bound.
enum RenderCommand {
  static let command = Command(
    name: "render", summary: "print the document with its templates bound", synopsis: "FILE [options]",
    options: TaskOptions.all, run: run)

  private static func run(_ arguments: Arguments) throws(ExecutorFailure) -> ExitCode {
    let request = try TaskOptions.read(arguments, strict: false).resolved(arguments)
    let loader = request.loader
    let (json, diagnostics) = request.document.rendered(
      TaskBindings.make(request.settings, taskID: request.taskID, request.document))
    let fatal = loader.report(diagnostics, strict: false)
    guard let json, fatal == 0 else { throw loader.invalid(fatal) }
    Console.raw(Array(json.pretty.utf8))
    return .finished
  }
}
