import Testing

@testable import TaskModel

/// Drives a machine by hand, in seconds.
struct MachineHarness {
  var machine: TaskMachine
  /// Everything the machine asked for, timers left out.
  var log: [TaskEffect] = []

  init(_ task: TaskSpecification, maxRuns: Int = 100, health: Bool? = nil, waitsForStrays: Bool = false) {
    machine = TaskMachine(task, maxRuns: maxRuns, health: health, waitsForStrays: waitsForStrays)
  }

  /// Sends an event and gives back what the machine asks for, without timers.
  @discardableResult mutating func send(_ event: TaskEvent, at seconds: Double = 0) -> [TaskEffect] {
    let effects = machine.handle(event, at: UInt64(seconds * 1e9)).filter {
      if case .setTimer = $0 { false } else { true }
    }
    log += effects
    return effects
  }

  /// The run forks and runs.
  @discardableResult mutating func run(_ process: String, _ run: Int = 0, at seconds: Double = 0) -> [TaskEffect] {
    send(.forked(process: process, run: run), at: seconds) + send(.running(process: process, run: run), at: seconds)
  }

  @discardableResult mutating func end(
    _ process: String, _ run: Int = 0, _ outcome: RunOutcome = .exited(0), at seconds: Double = 0
  ) -> [TaskEffect] {
    send(.ended(process: process, run: run, outcome), at: seconds)
  }

  var verdict: Verdict? {
    for effect in log { if case .finish(let verdict) = effect { return verdict } }
    return nil
  }

  /// The published states, the verdict's included.
  var states: [TaskState] {
    log.compactMap { effect in
      switch effect {
      case .update(let state, _, _): state
      case .finish(let verdict): verdict.state
      default: nil
      }
    }
  }
}

/// A short way to write processes and tasks.
func process(
  _ name: String, maxFailures: Int = 1, daemon: Bool = false, ephemeral: Bool = false, final: Bool = false,
  minDuration: Double = 5, after: [String] = []
) -> ProcessDefinition {
  ProcessDefinition(
    name: name, command: "true", maxFailures: maxFailures, isDaemon: daemon, isEphemeral: ephemeral,
    minDuration: minDuration, isFinal: final, after: after.map { Prerequisite($0) })
}

func task(
  _ processes: ProcessDefinition..., orders: [[String]] = [], maxFailures: Int = 1, maxConcurrency: Int = 0,
  finalizationWait: Double = 30
) -> TaskSpecification {
  TaskSpecification(
    name: "t", processes: processes, orders: orders, maxFailures: maxFailures, maxConcurrency: maxConcurrency,
    finalizationWait: finalizationWait)
}

/// Runs a task in virtual time by a script.
func simulate(
  _ task: TaskSpecification, _ script: String = "", maxRuns: Int = 100, lifecycleAnswers: Bool = false
) throws -> Simulation.Result {
  let script = try SimulationScript(script, processes: task.processes.map(\.name))
  var simulation = Simulation(task, script: script, maxRuns: maxRuns, lifecycleAnswers: lifecycleAnswers)
  return simulation.run()
}

extension Simulation.Result {
  /// The states of a process's runs.
  func states(of name: String) -> [ProcessState] {
    processes.first { $0.name == name }?.runs.map(\.state) ?? []
  }

  /// The starts, as `name run n` with their seconds.
  var starts: [String] {
    timeline.compactMap { entry in
      guard case .effect(.start(let process, let run)) = entry.what else { return nil }
      return "\(Double(entry.at) / 1e9) \(process) \(run)"
    }
  }
}
