extension TaskMachine {
  /// Seconds that the answer to a lifecycle request may take; whoever sends it gives up earlier.
  private static var answerLimit: Double { 5 }
  /// Seconds after which processes that SIGKILL does not end (in uninterruptible sleep) are given up.
  private static var killLimit: Double { 60 }
  /// Notes kept of one task.
  private static var noteLimit: Int { 32 }

  // MARK: Events of the task as a whole

  mutating func containerReady() {
    guard phase == .starting else { return }
    phase = .active
    publish(.starting)
    if let seconds = task.maxCompletionTime { completionDeadline = instant(after: seconds) }
  }

  mutating func containerFailed(reason: String, message: String, hint: String?) {
    guard phase == .starting else { return containerLost(message, hint: hint) }
    end(Verdict(state: .failed, reason: reason, message: message, hint: hint))
  }

  mutating func containerLost(_ why: String, hint: String? = nil) {
    // Nobody was there to see the runs end; only of those that were killed with everything is the end known.
    for index in liveNodes {
      close(index, state: afterKill == nil ? .lost : .killed, outcome: .lost(why))
      nodes[index].stage = .failed
    }
    if verdict == nil {
      return end(Verdict(state: .lost, reason: Reason.executorTerminated, message: why, hint: hint))
    }
    note("the container was lost while the task was \(phase.rawValue): \(why)")
    noteSkippedFinals("the container was lost")
    end()
  }

  mutating func healthy() {
    guard phase == .active, state == .starting else { return }
    publish(.running, reason: Reason.health, message: "Task is healthy.")
  }

  mutating func unhealthy(_ why: String) {
    guard phase == .active else { return }
    decide(Verdict(state: .failed, reason: Reason.health, message: "Failed health check! \(why)"), asking: true)
  }

  mutating func limitation(reason: String, message: String) {
    switch phase {
    case .starting: end(Verdict(state: .failed, reason: reason, message: message))
    case .active: decide(Verdict(state: .failed, reason: reason, message: message), asking: true)
    default: note(message)
    }
  }

  mutating func stop(_ request: StopRequest) {
    switch (request, phase) {
    case (.graceful(let by, let origin), .starting), (.now(let by, let origin), .starting):
      end(
        Verdict(
          state: .killed, reason: Reason.killedDuringLaunch, message: "stopped by \(by) before it ran",
          stopOrigin: origin))
    case (.graceful(let by, let origin), .active):
      decide(Verdict(state: .killed, message: "stopped by \(by)", stopOrigin: origin), asking: true)
    case (.now(let by, let origin), .active):
      verdict = Verdict(state: .killed, message: "killed by \(by)", stopOrigin: origin)
      phase = .cleaning
      killNow(by, origin)
    case (.now(let by, let origin), .stopping), (.now(let by, let origin), .cleaning),
      (.now(let by, let origin), .finalizing):
      killNow(by, origin)
    default: break
    }
  }

  mutating func lifecycleAnswered(handled: Bool) {
    guard phase == .stopping, case .asking(let last) = step else { return }
    guard handled, let lifecycle = task.lifecycle else { return nextStep(after: last) }
    step = .waiting(last: last)
    stepDeadline = instant(after: last ? lifecycle.shutdownWait : lifecycle.gracefulShutdownWait)
  }

  mutating func allGone() {
    guard let goal = afterKill else { return }
    for index in liveNodes {
      close(index, state: .killed, outcome: nil)
      nodes[index].stage = .failed
    }
    afterKill = nil
    killDeadline = .max
    switch goal {
    case .end: end()
    case .finals:
      phase = .finalizing
      if now >= deadline {
        noteSkippedFinals(outOfTime)
        end()
      }
    }
  }

  /// Asks again for what was not answered. A run that nobody forked is not started only to be killed.
  mutating func resumed() {
    if afterKill != nil { return effects.append(.killAll) }
    for index in liveNodes where nodes[index].record.runs.last?.state == .waiting {
      guard phase == .stopping || phase == .cleaning else {
        let run = nodes[index].lastRun
        effects.append(.start(process: run.process, run: run.run))
        continue
      }
      close(index, state: .killed, outcome: nil)
      nodes[index].stage = .failed
    }
    if phase == .stopping, case .asking(let last) = step { ask(last: last) }
    if phase == .cleaning {
      for index in liveNodes {
        let run = nodes[index].lastRun
        let signal = nodes[index].definition.stopSignal
        effects.append(.terminate(process: run.process, run: run.run, signal: signal))
      }
      straysLeft = nil
      effects.append(.terminateStrays)
    }
  }

  // MARK: What each phase does when nothing holds it

  mutating func advanceActive() {
    killOverdue()
    if now >= completionDeadline, let seconds = task.maxCompletionTime {
      let message = "ran longer than max_completion_time, \(Quantity.seconds(seconds))"
      return decide(Verdict(state: .failed, reason: Reason.maxCompletionTime, message: message), asking: true)
    }
    if task.maxFailures > 0, failed.count >= task.maxFailures, let last = failed.last {
      return decide(failure(of: last), asking: false)
    }
    if regular.isComplete {
      for index in failed {
        note("\(nodes[index].lastEndWithHint)\(capText(index)); max_failures allows it", about: nodes[index].lastRun)
      }
      if nodes.contains(where: { $0.definition.isEphemeral && !$0.definition.isFinal }),
        nodes.allSatisfy({ $0.definition.isEphemeral || $0.definition.isFinal })
      {
        note("every regular process is ephemeral, so there was nothing to run for")
      }
      return decide(Verdict(state: .finished, message: "finished"), asking: false)
    }
    openGates(\.regular)
    startReady(\.regular)
    if regular.isDeadlocked { decide(deadlock(), asking: false) }
  }

  mutating func advanceStopping() {
    if regular.live.isEmpty { return beginCleaning() }
    killOverdue()
    guard now >= stepDeadline else { return }
    switch step {
    case .idle: beginCleaning()
    case .asking(let last), .waiting(let last): nextStep(after: last)
    }
  }

  mutating func advanceCleaning() {
    if afterKill != nil { return giveUpKilling() }
    killOverdue()
    let areStraysGone = !waitsForStrays || (straysLeft ?? 1) <= 0
    guard now >= deadline || (regular.live.isEmpty && areStraysGone) else { return }
    if hasFinals, now >= deadline { noteSkippedFinals(outOfTime) }
    kill(hasFinals && now < deadline ? .finals : .end)
  }

  mutating func advanceFinalizing() {
    if afterKill != nil { return giveUpKilling() }
    killOverdue()
    if finals.isComplete { return kill(.end) }
    if now >= deadline {
      noteUnfinishedFinals()
      return kill(.end)
    }
    openGates(\.finals)
    startReady(\.finals)
    if finals.isDeadlocked {
      note("final processes that never ran, because one they wait for failed: \(names { $0.stage == .blocked })")
      kill(.end)
    }
  }

  // MARK: Transitions

  /// The task is over, one way or the other; from here on it only ends.
  private mutating func decide(_ verdict: Verdict, asking: Bool) {
    var verdict = verdict
    verdict.notes = (self.verdict?.notes ?? []) + pendingNotes + verdict.notes
    pendingNotes = []
    self.verdict = verdict
    guard asking, task.lifecycle != nil, !regular.live.isEmpty else { return beginCleaning() }
    phase = .stopping
    ask(last: false)
  }

  private mutating func ask(last: Bool) {
    step = .asking(last: last)
    stepDeadline = instant(after: Self.answerLimit)
    effects.append(.lifecycle(endpoint: endpoint(last: last)))
  }

  func endpoint(last: Bool) -> String {
    guard let lifecycle = task.lifecycle else { return "" }
    return last ? lifecycle.shutdownEndpoint : lifecycle.gracefulShutdownEndpoint
  }

  private mutating func nextStep(after last: Bool) {
    if last { beginCleaning() } else { ask(last: true) }
  }

  private mutating func beginCleaning() {
    phase = .cleaning
    step = .idle
    stepDeadline = .max
    deadline = instant(after: task.finalizationWait)
    for index in liveNodes {
      nodes[index].isAskedToEnd = true
      // One that is not forked yet has nothing to signal; it gets its signal when it is.
      if nodes[index].record.runs.last?.state != .waiting { sendStopSignal(index) }
    }
    effects.append(.terminateStrays)
  }

  /// - Parameter seconds: until SIGKILL; `nil`: what `finalization_wait` leaves.
  mutating func sendStopSignal(_ index: Int, within seconds: Double? = nil) {
    let run = nodes[index].lastRun
    let definition = nodes[index].definition
    effects.append(.terminate(process: run.process, run: run.run, signal: definition.stopSignal))
    if let seconds = seconds ?? definition.stopTimeout {
      stopTimers.insert(Due(at: instant(after: seconds), node: index, run: run.run))
    }
  }

  /// SIGKILL to the runs whose time to end is over.
  private mutating func killOverdue() {
    while let due = stopTimers.first, due.at <= now {
      _ = stopTimers.removeFirst()
      guard nodes[due.node].stage == .live, nodes[due.node].currentRun == due.run else { continue }
      let run = nodes[due.node].lastRun
      effects.append(.terminate(process: run.process, run: run.run, signal: SignalName.kill))
    }
  }

  private mutating func kill(_ goal: AfterKill) {
    afterKill = goal
    killDeadline = instant(after: Self.killLimit)
    effects.append(.killAll)
  }

  /// Ends the task at once, whatever it is at.
  private mutating func killNow(_ by: String, _ origin: StopOrigin?) {
    let cutsFinals = hasFinals && !(phase == .finalizing && finals.isComplete)
    let cutsRuns = !regular.live.isEmpty || !finals.live.isEmpty
    if cutsFinals { noteSkippedFinals("the task was killed by \(by)") }
    // What had finished stays finished unless something was taken from it.
    if verdict?.state == .finished, cutsFinals || cutsRuns {
      verdict = Verdict(
        state: .killed, message: "killed by \(by)", stopOrigin: origin, notes: verdict?.notes ?? [])
    }
    if phase == .stopping {
      phase = .cleaning
      step = .idle
      stepDeadline = .max
    }
    if afterKill == nil { kill(.end) } else { afterKill = .end }
  }

  private mutating func giveUpKilling() {
    guard now >= killDeadline else { return }
    note(
      "SIGKILL did not end every process within \(Quantity.seconds(Self.killLimit)): \(liveRuns.first?.description ?? "a stray")"
    )
    allGone()
  }

  private mutating func end(_ verdict: Verdict? = nil) {
    if var verdict {
      verdict.notes = pendingNotes + verdict.notes
      self.verdict = verdict
    }
    phase = .terminal
    state = self.verdict?.state ?? .lost
  }

  // MARK: What is told

  private mutating func publish(_ state: TaskState, reason: String? = nil, message: String? = nil) {
    self.state = state
    effects.append(.update(state, reason: reason, message: message))
  }

  /// The first run that runs makes the task RUNNING when nobody checks its health.
  mutating func publishRunning() {
    let isWell = phase == .active || (phase == .finalizing && verdict?.state == .finished)
    guard isWell, state == .starting, !hasHealthCheck else { return }
    publish(.running, message: "No health-check defined, task is assumed healthy.")
  }

  /// - Parameter run: the one whose end it tells of.
  mutating func note(_ text: String, about run: RunReference? = nil) {
    guard (verdict?.notes ?? pendingNotes).count < Self.noteLimit else { return }
    if verdict == nil { pendingNotes.append(text) } else { verdict?.notes.append(text) }
    if let run { notedRuns.insert(run) }
  }

  private var outOfTime: String {
    "finalization_wait, \(Quantity.seconds(task.finalizationWait)), was used up"
  }

  private mutating func noteSkippedFinals(_ why: String) {
    guard hasFinals, !finals.isComplete else { return }
    let left = names { $0.definition.isFinal && !$0.record.isDone }
    note("final processes not run to their end, because \(why): \(left)")
  }

  private mutating func noteUnfinishedFinals() { noteSkippedFinals(outOfTime) }

  /// The names of some processes, at most five of them.
  private func names(where isMeant: (PlanNode) -> Bool) -> String {
    let all = nodes.lazy.filter(isMeant).map(\.definition.name)
    let first = Array(all.prefix(5))
    let rest = all.count - first.count
    return first.joined(separator: ", ") + (rest > 0 ? " and \(rest) more" : "")
  }

  private mutating func failure(of index: Int) -> Verdict {
    let node = nodes[index]
    var reason = Reason.processFailed
    switch node.record.runs.last?.outcome {
    case .outOfMemory: reason = Reason.memory
    case .unhealthy: reason = Reason.health
    default: break
    }
    let others = failed.filter { $0 != index }.prefix(10)
    notedRuns.formUnion(others.map { nodes[$0].lastRun })
    let notes = others.map { "failed before: \(nodes[$0].lastEndWithHint)\(capText($0))" }
    return Verdict(
      state: .failed, reason: reason, message: node.lastEnd + capText(index),
      hint: node.record.runs.last?.outcome?.hint, decider: node.lastRun, notes: notes)
  }

  private mutating func deadlock() -> Verdict {
    let stuck = names { $0.stage == .blocked && !$0.definition.isFinal && !$0.definition.isEphemeral }
    func isInTheWay(_ index: Int) -> Bool { nodes[index].successors.contains { nodes[$0.to].stage == .blocked } }
    if let culprit = failed.first(where: isInTheWay) {
      var verdict = failure(of: culprit)
      verdict.message += "; never started, because they wait for it: \(stuck)"
      return verdict
    }
    // One that has ended without what somebody waits for.
    let ended = nodes.indices.first { nodes[$0].record.isDone && isInTheWay($0) }
    if let ended, let edge = nodes[ended].successors.first(where: { nodes[$0.to].stage == .blocked }) {
      var verdict = failure(of: ended)
      if verdict.reason == Reason.processFailed, nodes[ended].stage == .finished { verdict.reason = nil }
      verdict.message += "; it was never \(edge.condition), so these never started: \(stuck)"
      return verdict
    }
    return Verdict(state: .failed, reason: Reason.invalid, message: "deadlock: \(stuck) wait for each other")
  }
}
