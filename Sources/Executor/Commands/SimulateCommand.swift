import OperatorPolicy
import StrictJSON
import TaskModel
import TaskStore

/// `simulate`: the task's timeline in virtual time.
enum SimulateCommand {
  static let command = Command(
    name: "simulate", summary: "play a task in virtual time and print its timeline",
    synopsis: "--task FILE --script SCRIPT",
    options: TaskOptions.all + [
      CommonOptions.output,
      Option("--script", value: "TEXT", "what the processes do: 'web: exit 1 @3s x2; db: healthy @5s; kill @40s'"),
    ],
    notes: "A process that the script does not name exits 0 after a second.\nexit status: that of the simulated task.",
    run: run)

  private static func run(_ arguments: Arguments) throws(ExecutorFailure) -> ExitCode {
    let style = try arguments.outputStyle()
    let request = try TaskOptions.read(arguments, strict: false).withoutRegistries
    let task = try request.task()
    let script: SimulationScript
    do throws(SimulationScriptError) {
      script = try SimulationScript(arguments.last("--script") ?? "", processes: task.processes.map(\.name))
    } catch {
      throw ExecutorFailure(.usage, "--script: \(error)", hint: "'web: exit 1 @3s x2; kill @40s'")
    }
    var simulation = Simulation(task, script: script, maxRuns: request.settings.maxRuns)
    let result = simulation.run()
    for entry in result.timeline {
      if style == .json {
        Console.output(JSON(object: [("at_ms", JSON(entry.at / 1_000_000)), ("event", JSON(entry.text))]).compact)
      } else {
        Console.output(entry.description)
      }
    }
    if result.isCutOff {
      Console.warning("the timeline is cut off after \(result.timeline.count) entries")
    } else if result.verdict == nil {
      let waits = result.waits.isEmpty ? "" : ": " + result.waits.joined(separator: "; ")
      throw ExecutorFailure(
        .usage, "nothing more happens, and the task has not ended\(waits)",
        hint: "the script can go on: \"stop @60s\"")
    }
    return switch result.verdict?.state {
    case .finished: .finished
    case .killed: .killed
    case .lost: .lost
    default: .failed
    }
  }
}

/// `schema`: the task document for editors and programs.
enum SchemaCommand {
  static let command = Command(
    name: "schema", summary: "print a JSON Schema of the task document, or of a policy", synopsis: "[policy]",
    options: [], notes: "Editors use it through \"$schema\" in the document.", run: run)

  private static func run(_ arguments: Arguments) throws(ExecutorFailure) -> ExitCode {
    let schema: JSON
    switch try arguments.operands(0...1, "").first {
    case nil: schema = TaskSchema.json
    case "policy": schema = PolicySchema.json
    case let other?:
      throw ExecutorFailure(.usage, "there is no schema of \"\(other)\"", hint: "of a policy there is one")
    }
    Console.raw(Array(schema.pretty.utf8))
    return .finished
  }
}
