import Testing

@testable import TaskModel

/// Random tasks in random worlds: what holds in all of them.
@Suite struct MachinePropertyTests {
  /// SplitMix64: the same numbers for the same seed everywhere.
  struct Dice: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
      state &+= 0x9e37_79b9_7f4a_7c15
      var z = state
      z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
      z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
      return z ^ (z >> 31)
    }
    mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &self) < percent }
  }

  private func randomTask(_ dice: inout Dice) -> TaskSpecification {
    let count = Int.random(in: 1...12, using: &dice)
    var processes: [ProcessDefinition] = []
    for index in 0..<count {
      var one = process(
        "p\(index)", maxFailures: Int.random(in: 0...3, using: &dice), daemon: dice.chance(15),
        ephemeral: dice.chance(15), final: dice.chance(15), minDuration: Double(Int.random(in: 0...5, using: &dice)))
      if dice.chance(20) { one.stopTimeout = Double(Int.random(in: 0...4, using: &dice)) }
      if dice.chance(20) { one.backoff = Backoff(factor: 2, max: 20, jitter: 0.3) }
      if dice.chance(30) { one.healthCheck = HealthCheck(probe: .tcp(port: 1)) }
      processes.append(one)
    }
    // Forward edges between processes that may be ordered.
    for later in processes.indices {
      for earlier in 0..<later where dice.chance(25) {
        let (a, b) = (processes[earlier], processes[later])
        guard a.isFinal == b.isFinal else { continue }
        if a.healthCheck != nil, dice.chance(40) {
          processes[later].after.append(Prerequisite(a.name, .healthy))
        } else if dice.chance(20) {
          processes[later].after.append(Prerequisite(a.name, .started))
        } else if !a.isDaemon, !a.isEphemeral || b.isEphemeral {
          processes[later].after.append(Prerequisite(a.name))
        }
      }
    }
    processes.shuffle(using: &dice)
    var plan = TaskSpecification(
      name: "t", processes: processes, maxFailures: Int.random(in: 0...3, using: &dice),
      maxConcurrency: Int.random(in: 0...4, using: &dice),
      finalizationWait: Double(Int.random(in: 0...20, using: &dice)))
    if dice.chance(30) { plan.lifecycle = HTTPLifecycle(port: 80, gracefulShutdownWait: 2, shutdownWait: 2) }
    if dice.chance(20) { plan.maxCompletionTime = Double(Int.random(in: 1...60, using: &dice)) }
    return plan
  }

  private func randomScript(_ task: TaskSpecification, _ dice: inout Dice) -> String {
    var statements: [String] = []
    for process in task.processes {
      for _ in 0..<Int.random(in: 0...3, using: &dice) {
        let acts = ["exit 0", "exit 1", "signal SIGSEGV", "oom", "cannot start", "lost", "runs"]
        let act = acts.randomElement(using: &dice) ?? "exit 0"
        let stops = ["", " stops 3s", " stops never"].randomElement(using: &dice) ?? ""
        statements.append("\(process.name): \(act) @\(Int.random(in: 0...9, using: &dice))s\(stops)")
      }
      if process.healthCheck != nil, dice.chance(60) {
        let word = dice.chance(70) ? "healthy" : "unhealthy"
        statements.append("\(process.name): \(word) @\(Int.random(in: 0...9, using: &dice))s")
      }
    }
    for happening in ["stop", "kill", "disk", "unhealthy", "container lost"] where dice.chance(15) {
      statements.append("\(happening) @\(Int.random(in: 0...90, using: &dice))s")
    }
    // Daemons would go on for ever.
    statements.append("stop @200s")
    return statements.joined(separator: "; ")
  }

  @Test func everyTaskKeepsItsRules() throws {
    for seed in 0..<UInt64(2000) {
      var dice = Dice(state: seed)
      let plan = randomTask(&dice)
      let script = randomScript(plan, &dice)
      let result = try simulate(plan, script, maxRuns: 20, lifecycleAnswers: dice.chance(50))
      let broken = Referee(plan, maxRuns: 20).judge(result)
      guard broken.isEmpty else {
        Issue.record(
          "seed \(seed): \(broken)\n\(script)\n\(result.timeline.map(\.description).joined(separator: "\n"))")
        return
      }
    }
  }

  @Test func aReplayGivesTheSameEffects() throws {
    for seed in 0..<UInt64(500) {
      var dice = Dice(state: seed)
      let plan = randomTask(&dice)
      let result = try simulate(plan, randomScript(plan, &dice), maxRuns: 20)
      var replay = TaskMachine(plan, maxRuns: 20)
      for entry in result.timeline {
        if case .event(let event) = entry.what { _ = replay.handle(event, at: entry.at) }
      }
      // Only what time alone brought about is missing from the record.
      if replay.phase != .terminal, let last = result.timeline.last { _ = replay.handle(.timer, at: last.at) }
      #expect(replay.verdict?.state == result.verdict?.state, "seed \(seed)")
      #expect(replay.processes.map { $0.runs.count } == result.processes.map { $0.runs.count }, "seed \(seed)")
    }
  }

  @Test func noEventInNoStateIsTooMuch() {
    let plan = task(
      process("a", maxFailures: 2, minDuration: 0), process("b", daemon: true, ephemeral: true),
      process("c", after: ["a"]), process("f", final: true))
    for seed in 0..<UInt64(1500) {
      var dice = Dice(state: seed)
      var machine = TaskMachine(plan, maxRuns: 3, waitsForStrays: dice.chance(50))
      var finishes = 0
      for _ in 0..<40 {
        let instant = UInt64.random(in: 0...80, using: &dice) * second
        for effect in machine.handle(randomEvent(&dice), at: dice.chance(2) ? .max : instant) {
          #expect(finishes == 0)
          if case .finish = effect { finishes += 1 }
        }
      }
      #expect(finishes == (machine.phase == .terminal ? 1 : 0))
    }
  }

  private func randomEvent(_ dice: inout Dice) -> TaskEvent {
    let process = ["a", "b", "c", "f", "no such", ""].randomElement(using: &dice) ?? ""
    let run = [-1, 0, 0, 0, 1, 1, 2, 7, Int.max].randomElement(using: &dice) ?? 0
    let outcomes: [RunOutcome] = [
      .exited(0), .exited(1), .exited(-1), .signaled(9), .signaled(Int32.min), .lost(""),
      .cannotStart(.other, reason: "", hint: nil),
      .outOfMemory(signal: nil, exitCode: 1, limitBytes: .max, peakBytes: 1023),
    ]
    let events: [TaskEvent] = [
      .containerReady, .containerReady, .forked(process: process, run: run), .running(process: process, run: run),
      .ended(process: process, run: run, outcomes.randomElement(using: &dice) ?? .exited(0)),
      .ended(process: process, run: run, .exited(0)), .forked(process: process, run: run), .healthy, .timer, .timer,
      .resumed, .allGone, .strays(run), .lifecycleAnswered(handled: true),
    ]
    let ends: [TaskEvent] = [
      .containerFailed(reason: "r", message: "m"), .containerLost("x"), .unhealthy("x"),
      .limitation(reason: "r", message: "m"), .stop(.graceful(by: "x")), .stop(.now(by: "x")),
    ]
    return (dice.chance(8) ? ends.randomElement(using: &dice) : events.randomElement(using: &dice)) ?? .timer
  }

  @Test(.timeLimit(.minutes(1))) func tenThousandProcessesAreNoBurden() throws {
    let chain = (0..<10_000).map { process("p\($0)", minDuration: 0, after: $0 % 20 == 0 ? [] : ["p\($0 - 1)"]) }
    let plan = TaskSpecification(name: "t", processes: chain, maxConcurrency: 500)
    let result = try simulate(plan)
    #expect(result.verdict?.state == .finished)
    #expect(result.processes.allSatisfy { $0.state == .success })
  }
}

/// Watches a timeline for broken rules.
private struct Referee {
  let plan: TaskSpecification
  let maxRuns: Int
  private var definitions: [String: ProcessDefinition] = [:]

  init(_ plan: TaskSpecification, maxRuns: Int) {
    self.plan = plan
    self.maxRuns = maxRuns
    for process in plan.processes { definitions[process.name] = process }
  }

  func judge(_ result: Simulation.Result) -> [String] {
    var broken: [String] = []
    var live: Set<String> = []
    var runs: [String: Int] = [:]
    var failures: [String: Int] = [:]
    var done: Set<String> = []
    var ran: Set<String> = []
    var healthy: Set<String> = []
    var lastEnd: [String: UInt64] = [:]
    var isOver = false
    var isEnding = false
    var finalsMayRun = false
    for entry in result.timeline {
      if isOver { broken.append("something after the end: \(entry)") }
      switch entry.what {
      case .effect(.start(let name, let run)):
        guard let definition = definitions[name] else { return ["unknown \(name)"] }
        if run != runs[name, default: 0] { broken.append("\(name) has run \(run) after \(runs[name, default: 0])") }
        runs[name] = run + 1
        if run >= maxRuns { broken.append("\(name) exceeds the cap") }
        if !live.insert(name).inserted { broken.append("\(name) runs twice") }
        let peers = live.filter { definitions[$0]?.isFinal == definition.isFinal }
        if plan.maxConcurrency > 0, peers.count > plan.maxConcurrency { broken.append("too many run") }
        for earlier in definition.after {
          let reached =
            switch earlier.condition {
            case .started: ran
            case .healthy: healthy
            case .finished: done
            }
          if !reached.contains(earlier.process) { broken.append("\(name) before \(earlier)") }
        }
        if let end = lastEnd[name], definition.backoff == nil,
          entry.at < end + UInt64(definition.minDuration * 1e9)
        {
          broken.append("\(name) too soon")
        }
        if definition.isFinal, !finalsMayRun { broken.append("\(name) is final and runs early") }
        if !definition.isFinal, isEnding { broken.append("\(name) starts while the task ends") }
      case .event(.running(let name, _)): ran.insert(name)
      case .event(.processHealthy(let name, _)): if live.contains(name) { healthy.insert(name) }
      case .event(.ended(let name, _, let outcome)):
        guard let definition = definitions[name] else { return ["unknown \(name)"] }
        live.remove(name)
        lastEnd[name] = entry.at
        if outcome == .exited(0) {
          if !definition.isDaemon { done.insert(name) }
        } else if outcome != .lost("simulated") {
          failures[name, default: 0] += 1
          let isOut = definition.maxFailures > 0 && failures[name, default: 0] >= definition.maxFailures
          // An ephemeral process that fails for good counts as done.
          if definition.isEphemeral, isOut { done.insert(name) }
        }
      case .effect(.terminateStrays), .effect(.lifecycle): isEnding = true
      case .effect(.killAll):
        isEnding = true
        finalsMayRun = true
        live = []
      case .effect(.finish(let verdict)):
        isOver = true
        if !verdict.state.isTerminal { broken.append("ends as \(verdict.state)") }
        if verdict.message.isEmpty { broken.append("no message") }
      default: break
      }
    }
    if !isOver { broken.append("does not end") }
    if result.verdict == nil { broken.append("no verdict") }
    for record in result.processes where record.runs.contains(where: { !$0.state.isTerminal }) {
      broken.append("\(record.name) is left \(record.state)")
    }
    return broken
  }
}
