/// Runs a task in virtual time: the machine is real, the world is a script.
package struct Simulation: Sendable {
  /// Something that happened, and when.
  package struct Entry: Sendable, Equatable, CustomStringConvertible {
    package enum What: Sendable, Equatable {
      /// The world did something.
      case event(TaskEvent)
      /// The machine asked for something.
      case effect(TaskEffect)
    }

    /// Nanoseconds since the simulation began.
    package let at: UInt64
    package let what: What

    /// `3.000 web run 0: exit status 1`.
    package var description: String {
      let milliseconds = at / 1_000_000
      let fraction = String(milliseconds % 1000 + 1000).utf8.dropFirst()
      return "\(milliseconds / 1000).\(Substring(fraction)) \(text)"
    }

    /// For people, without the instant.
    package var text: String {
      switch what {
      case .event(let event): event.text
      case .effect(let effect): effect.text
      }
    }
  }

  package struct Result: Sendable {
    package var timeline: [Entry]
    /// nil when the task does not end: nothing is left to happen, or too much happened.
    package var verdict: Verdict?
    package var processes: [ProcessRecord]
    /// Whether it was given up because too much happened.
    package var isCutOff: Bool
    /// What the processes wait for of a task that does not end.
    package var waits: [String]
  }

  /// More entries than this are not collected: a daemon that never fails would run for ever.
  package static var entryLimit: Int { 100_000 }

  private let script: SimulationScript
  private let lifecycleAnswers: Bool
  private let daemons: Set<[UInt8]>
  /// Processes that have a health check of their own.
  private let checked: Set<[UInt8]>
  /// Whether the task has a check, and the script does not say what comes of it.
  private var becomesHealthy: Bool
  private var machine: TaskMachine
  private var agenda = Heap<Due>()
  private var planned: [TaskEvent] = []
  private var timeline: [Entry] = []
  private var now: UInt64 = 0
  /// The act of each live run and when it started, by process.
  private var running: [[UInt8]: (run: Int, act: SimulationScript.Act)] = [:]
  private var started: Set<[UInt8]> = []

  /// - Parameters:
  ///   - maxRuns: how many runs a process may have.
  ///   - lifecycleAnswers: whether the task's server takes the HTTP lifecycle's requests.
  package init(_ task: TaskSpecification, script: SimulationScript, maxRuns: Int = 100, lifecycleAnswers: Bool = false)
  {
    self.script = script
    self.lifecycleAnswers = lifecycleAnswers
    daemons = Set(task.processes.lazy.filter(\.isDaemon).map { Array($0.name.utf8) })
    let checked = Set(task.processes.lazy.filter { $0.healthCheck != nil }.map { Array($0.name.utf8) })
    self.checked = checked
    becomesHealthy =
      task.healthCheck != nil
      && !script.happenings.contains { happening in
        let isHealth = happening.what == .healthy || happening.what == .unhealthy
        return isHealth && happening.process.map { !checked.contains(Array($0.utf8)) } != false
      }
    machine = TaskMachine(task, maxRuns: maxRuns)
  }

  package mutating func run() -> Result {
    if !script.happenings.contains(where: { $0.what == .ready || $0.what == .containerFailed }) {
      plan(.containerReady, at: 0)
    }
    for happening in script.happenings where happening.process == nil {
      plan(Self.event(happening), at: happening.at)
    }
    while machine.phase != .terminal, timeline.count < Self.entryLimit {
      let timer = machine.timer
      if let next = agenda.first, next.at <= timer ?? .max {
        _ = agenda.removeFirst()
        now = max(now, next.at)
        deliver(planned[next.node])
      } else if let timer {
        now = max(now, timer)
        perform(machine.handle(.timer, at: now))
      } else {
        break
      }
    }
    return Result(
      timeline: timeline, verdict: machine.phase == .terminal ? machine.verdict : nil, processes: machine.processes,
      isCutOff: timeline.count >= Self.entryLimit, waits: machine.waits)
  }

  private mutating func plan(_ event: TaskEvent, at instant: UInt64) {
    // The number orders what happens at one instant as it was planned.
    agenda.insert(Due(at: instant, node: planned.count, run: 0))
    planned.append(event)
  }

  private mutating func deliver(_ event: TaskEvent) {
    // A run ends once, however many reasons it was given to.
    if case .ended(let process, let run, _) = event {
      guard running[Array(process.utf8)]?.run == run else { return }
      running[Array(process.utf8)] = nil
    }
    timeline.append(Entry(at: now, what: .event(event)))
    perform(machine.handle(event, at: now))
  }

  private mutating func perform(_ effects: [TaskEffect]) {
    for effect in effects {
      if case .setTimer = effect { continue }
      timeline.append(Entry(at: now, what: .effect(effect)))
      switch effect {
      case .start(let process, let run): start(process, run)
      case .terminate(let process, let run, let signal): terminate(process, run, signal)
      case .killAll:
        running = [:]
        plan(.allGone, at: now)
      case .lifecycle: plan(.lifecycleAnswered(handled: lifecycleAnswers), at: now)
      case .terminateStrays, .setTimer, .update, .finish: break
      }
    }
  }

  private mutating func start(_ process: String, _ run: Int) {
    let key = Array(process.utf8)
    let act =
      script.act(of: process, run: run) ?? SimulationScript.Act(outcome: daemons.contains(key) ? nil : .exited(0))
    running[key] = (run, act)
    if case .cannotStart? = act.outcome {
      // It never runs: no report of a fork.
    } else {
      plan(.forked(process: process, run: run), at: now)
      plan(.running(process: process, run: run), at: now)
    }
    if becomesHealthy {
      becomesHealthy = false
      plan(.healthy, at: now)
    }
    let happenings = script.happenings.filter { $0.process.map { $0.utf8.elementsEqual(key) } == true }
    if checked.contains(key) {
      // Each run has its own health, and is well unless the script says otherwise.
      for happening in happenings { plan(Self.event(happening, of: process, run), at: later(happening.at)) }
      if happenings.isEmpty { plan(.processHealthy(process: process, run: run), at: now) }
    } else if !started.contains(key) {
      for happening in happenings { plan(Self.event(happening), at: later(happening.at)) }
    }
    started.insert(key)
    if let outcome = act.outcome { plan(.ended(process: process, run: run, outcome), at: later(act.after)) }
  }

  private mutating func terminate(_ process: String, _ run: Int, _ signal: Int32) {
    guard let live = running[Array(process.utf8)], live.run == run else { return }
    guard let delay = signal == SignalName.kill ? 0 : live.act.stopsIn else { return }
    plan(.ended(process: process, run: run, .signaled(signal)), at: later(delay))
  }

  private func later(_ delay: UInt64) -> UInt64 {
    let (sum, overflow) = now.addingReportingOverflow(delay)
    return overflow ? .max : sum
  }

  private static func event(_ happening: SimulationScript.Happening, of process: String, _ run: Int) -> TaskEvent {
    happening.what == .healthy
      ? .processHealthy(process: process, run: run) : .processUnhealthy(process: process, run: run, "simulated")
  }

  private static func event(_ happening: SimulationScript.Happening) -> TaskEvent {
    switch happening.what {
    case .ready: .containerReady
    case .stop: .stop(.graceful(by: "stop"))
    case .kill: .stop(.now(by: "kill"))
    case .healthy: .healthy
    case .unhealthy: .unhealthy("simulated")
    case .disk: .limitation(reason: Reason.disk, message: "disk limit exceeded")
    case .containerLost: .containerLost("simulated")
    case .containerFailed: .containerFailed(reason: Reason.launchFailed, message: "simulated")
    }
  }
}

extension TaskEvent {
  /// For people: `web run 2: exit status 3`.
  package var text: String {
    switch self {
    case .containerReady: "container ready"
    case .containerFailed(_, let message, _): "container failed: \(message)"
    case .containerLost(let why): "container lost: \(why)"
    case .forked(let process, let run): "\(process) run \(run): forked"
    case .running(let process, let run): "\(process) run \(run): running"
    case .ended(let process, let run, let outcome): "\(process) run \(run): \(outcome.textWithHint)"
    case .healthy: "healthy"
    case .unhealthy(let why): "unhealthy: \(why)"
    case .processHealthy(let process, let run): "\(process) run \(run): healthy"
    case .processUnhealthy(let process, let run, let why): "\(process) run \(run): unhealthy: \(why)"
    case .limitation(_, let message): "limit: \(message)"
    case .stop(.graceful(let by, _)): "stop asked for by \(by)"
    case .stop(.now(let by, _)): "kill asked for by \(by)"
    case .restart(let process, let by): "restart of \(process) asked for by \(by)"
    case .lifecycleAnswered(let handled):
      handled ? "the task's server took the request" : "the task's server did not take the request"
    case .strays(let count): "\(count) stray processes"
    case .allGone: "all processes gone"
    case .timer: "timer"
    case .resumed: "taken over by a new executor"
    }
  }
}

extension TaskEffect {
  /// For people: `start web run 2`.
  package var text: String {
    switch self {
    case .start(let process, let run): "start \(process) run \(run)"
    case .terminate(let process, let run, let signal): "\(SignalName.name(of: signal)) to \(process) run \(run)"
    case .terminateStrays: "SIGTERM to strays"
    case .killAll: "SIGKILL to all"
    case .lifecycle(let endpoint): "POST \(endpoint)"
    case .setTimer: "timer set"
    case .update(let state, _, _): state.rawValue
    case .finish(let verdict): "\(verdict.state.rawValue): \(verdict.message)"
    }
  }
}
