import StrictJSON
import TaskModel

/// Any document is refused with a reason and a place, or is a task: it binds, runs, and can be written and read again.
func fuzzDocument(_ bytes: [UInt8]) {
  let (document, diagnostics) = TaskDocument.decode(bytes)
  check(diagnostics, Places(bytes))
  guard let document else {
    promise(diagnostics.hasErrors, "refused without an error")
    return
  }
  promise(!diagnostics.hasErrors, "accepted with an error")
  check(document.check(), Places(bytes))
  var ports: [String: Int] = [:]
  for (index, name) in document.referencedPorts.enumerated() { ports[name] = 31_000 + index }
  let bindings = Bindings(
    taskID: "t-1", role: "nobody", hostname: "host", cluster: "c", ports: ports, custom: [("x", "{{y}}"), ("y", "1")])
  let (task, faults) = document.bind(bindings)
  check(faults, Places(bytes))
  promise((task == nil) == faults.hasErrors, "bound with an error, or not bound without one")
  let text = Array(document.json.pretty.utf8)
  let (again, repeated) = TaskDocument.decode(text)
  promise(again != nil, "what was accepted is refused when it is written anew: \(repeated)")
  promise(repeated.count == diagnostics.count, "other faults when it is written anew")
  promise(again?.bind(bindings).task == task, "another task when it is written anew")
  if document.rendered(bindings).json == nil { promise(task == nil, "a task that cannot be rendered") }
  guard let task else { return }
  run(task)
}

/// Faults of a document have a place in it, words, and nothing that a terminal acts on.
private func check(_ diagnostics: [Diagnostic], _ places: Places) {
  for diagnostic in diagnostics {
    promise(places.hold(diagnostic.position), "\(diagnostic) lies outside")
    promise(!diagnostic.message.isEmpty, "a fault without words")
    promise(
      diagnostic.description.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7f },
      "a message with control characters: \(diagnostic)")
    promise(diagnostic.description.utf8.count < 20_000, "a message of \(diagnostic.description.utf8.count) bytes")
  }
}

/// Every process succeeds at once, and a stop ends what goes on by itself.
private func run(_ task: TaskSpecification) {
  guard !task.processes.isEmpty, let script = try? SimulationScript("stop @100s", processes: []) else { return }
  var simulation = Simulation(task, script: script, maxRuns: 3)
  let result = simulation.run()
  // Waits may be longer than the clock goes on.
  promise(result.isCutOff || result.verdict != nil, "a task without an end")
}
