import TaskModel

/// Any task and any events, sensible or not: the machine keeps its rules, a replay gives the same, and a kill ends it.
func fuzzMachine(_ bytes: [UInt8]) {
  var dice = Dice(bytes)
  let task = someTask(&dice)
  let maxRuns = dice.below(4) + 1
  let waits = dice.chance(50)
  var referee = Referee(task, TaskMachine(task, maxRuns: maxRuns, waitsForStrays: waits), maxRuns: maxRuns)
  var clock: UInt64 = 0
  while !dice.isEmpty {
    switch dice.below(8) {
    case 0: clock = dice.long()
    case 1...3: clock &+= UInt64(dice.byte()) * 250_000_000
    default: break
    }
    referee.send(someEvent(&dice, referee.machine), at: clock)
  }
  let again = referee.events.reduce(into: TaskMachine(task, maxRuns: maxRuns, waitsForStrays: waits)) {
    _ = $0.handle($1.event, at: $1.at)
  }
  promise(again.phase == referee.machine.phase && again.state == referee.machine.state, "a replay in another state")
  promise(again.verdict == referee.machine.verdict, "a replay with another verdict")
  promise(again.processes == referee.machine.processes, "a replay with other runs")
  promise(again.timer == referee.machine.timer, "a replay with another timer")
  promise(again.liveRuns == referee.machine.liveRuns, "a replay with other live runs")
  end(&referee, &clock)
}

/// A kill in an honest world ends every task.
private func end(_ referee: inout Referee, _ clock: inout UInt64) {
  referee.send(.containerReady, at: clock)
  referee.send(.stop(.now(by: "x")), at: clock)
  for _ in 0..<200 where referee.machine.phase != .terminal {
    if referee.wantsEverythingKilled {
      for run in referee.machine.liveRuns {
        referee.send(.ended(process: run.process, run: run.run, .signaled(9)), at: clock)
      }
      referee.wantsEverythingKilled = false
      referee.send(.allGone, at: clock)
    } else if let timer = referee.machine.timer {
      clock = max(clock, timer)
      referee.send(.timer, at: clock)
    } else {
      referee.send(.stop(.now(by: "x")), at: clock)
      referee.send(.allGone, at: clock)
    }
  }
  promise(referee.machine.phase == .terminal, "killed, and it does not end: \(referee.machine.phase)")
}

private func someTask(_ dice: inout Dice) -> TaskSpecification {
  var processes: [ProcessDefinition] = []
  for index in 0...dice.below(8) {
    let traits = dice.byte()
    var one = ProcessDefinition(
      name: "p\(index)", command: "true", maxFailures: Int(traits & 3), isDaemon: traits & 4 != 0,
      isEphemeral: traits & 8 != 0, minDuration: Double(dice.below(7)), isFinal: traits & 16 != 0)
    if traits & 32 != 0 { one.stopTimeout = Double(dice.below(5)) }
    if traits & 64 != 0 { one.backoff = Backoff(factor: 2, max: 20, jitter: 0.5) }
    if traits & 128 != 0, index > 0 {
      one.after = [Prerequisite("p\(dice.below(index))", Prerequisite.Condition.allCases[dice.below(3)])]
    }
    if dice.chance(20) { one.healthCheck = HealthCheck(probe: .tcp(port: 1)) }
    processes.append(one)
  }
  var task = TaskSpecification(
    name: "t", processes: processes, maxFailures: dice.below(4), maxConcurrency: dice.below(4),
    finalizationWait: Double(dice.below(20)))
  if dice.chance(30) { task.lifecycle = HTTPLifecycle(port: 80, gracefulShutdownWait: 2, shutdownWait: 2) }
  if dice.chance(20) { task.maxCompletionTime = Double(dice.below(60)) }
  if dice.chance(20) { task.healthCheck = HealthCheck(probe: .shell(command: "true")) }
  return task
}

private func someEvent(_ dice: inout Dice, _ machine: TaskMachine) -> TaskEvent {
  let kind = dice.below(26)
  var process = "p\(dice.below(9))"
  var run = [-1, 0, 1, 2, Int.max][dice.below(5)]
  // Mostly a run that there is.
  let live = machine.liveRuns
  if kind < 12 || kind > 23, !live.isEmpty {
    let one = live[dice.below(live.count)]
    (process, run) = (one.process, one.run)
  }
  switch kind {
  case 0...2: return .forked(process: process, run: run)
  case 3...4: return .running(process: process, run: run)
  case 5...12: return .ended(process: process, run: run, someOutcome(&dice))
  case 13: return .containerReady
  case 14: return .healthy
  case 15: return dice.chance(30) ? .unhealthy("sick") : .resumed
  case 16: return .stop(dice.chance(50) ? .graceful(by: "x") : .now(by: "x"))
  case 17: return .allGone
  case 18: return .strays(run)
  case 19: return .lifecycleAnswered(handled: dice.chance(50))
  case 20: return dice.chance(20) ? .containerLost("gone") : .timer
  case 21: return dice.chance(20) ? .containerFailed(reason: "r", message: "m") : .timer
  case 23: return .restart(process: process, by: "x")
  case 22: return dice.chance(30) ? .limitation(reason: "r", message: "m") : .timer
  case 24: return .processHealthy(process: process, run: run)
  case 25: return .processUnhealthy(process: process, run: run, "sick")
  default: return .timer
  }
}

private func someOutcome(_ dice: inout Dice) -> RunOutcome {
  switch dice.below(8) {
  case 0...2: .exited(0)
  case 3: .exited(1)
  case 4: .signaled(Int32(dice.byte()))
  case 5: .outOfMemory(signal: 9, exitCode: nil, limitBytes: 1, peakBytes: .max)
  case 6: .cannotStart(.other, reason: "", hint: nil)
  default: .lost("")
  }
}
