extension TaskMachine {
  /// The index of a process whose live run is this one; nil for a late, repeated or unknown report.
  private func live(_ process: String, _ run: Int) -> Int? {
    guard let index = index(of: process), nodes[index].stage == .live, nodes[index].currentRun == run else {
      return nil
    }
    return index
  }

  mutating func forked(_ process: String, _ run: Int) {
    if live(process, run) == nil, let index = index(of: process), run == nodes[index].record.runs.count {
      // A run that the record has and this replay has not asked for yet: it exists, so it is taken over.
      let mayRun = phase == .active ? !nodes[index].definition.isFinal : phase == .finalizing && afterKill == nil
      let stage = nodes[index].stage
      if mayRun, stage == .ready || stage == .gated { addRun(index) }
    }
    guard let index = live(process, run), let last = nodes[index].record.runs.indices.last,
      nodes[index].record.runs[last].state == .waiting
    else { return }
    nodes[index].record.runs[last].state = .forked
    nodes[index].record.runs[last].forkedAt = now
    if nodes[index].isAskedToEnd, afterKill == nil { sendStopSignal(index) }
  }

  mutating func running(_ process: String, _ run: Int) {
    guard let index = live(process, run), let last = nodes[index].record.runs.indices.last else { return }
    switch nodes[index].record.runs[last].state {
    case .waiting, .forked:
      nodes[index].record.runs[last].state = .running
      nodes[index].record.runs[last].startedAt = now
      satisfy(.started, of: index)
      publishRunning()
    default: break
    }
  }

  mutating func ended(_ process: String, _ run: Int, _ outcome: RunOutcome) {
    guard let index = live(process, run) else { return }
    var outcome = outcome
    switch outcome {
    case .exited, .signaled, .outOfMemory, .unhealthy:
      satisfy(.started, of: index)
      publishRunning()
      // Whatever it did when it was told to end, this is why it ended.
      if let illness = nodes[index].illness { outcome = .unhealthy(illness) }
    case .cannotStart, .lost: break
    }
    let isRestarting = nodes[index].isRestarting
    let state = isRestarting ? .killed : stateAfter(outcome, of: index)
    close(index, state: state, outcome: outcome)
    let isPlanned = phase == .active || (phase == .finalizing && afterKill == nil)
    if isPlanned, isRestarting { return runAgain(index) }
    guard isPlanned else {
      // The task is ending: what a run still does has no consequence.
      nodes[index].stage = state == .success ? .finished : .failed
      settle(index)
      return
    }
    plan(index, after: state)
  }

  private func stateAfter(_ outcome: RunOutcome, of index: Int) -> ProcessState {
    switch outcome {
    case .exited:
      return outcome.isSuccess(of: nodes[index].definition) ? .success : .failed
    case .signaled:
      // A signal of ours is no failure of the process; anyone else's is.
      return nodes[index].isAskedToEnd || afterKill != nil ? .killed : .failed
    case .outOfMemory, .cannotStart, .unhealthy: return .failed
    case .lost: return .lost
    }
  }

  /// Ends the live run of a process; what becomes of the process is the caller's to say.
  mutating func close(_ index: Int, state: ProcessState, outcome: RunOutcome?) {
    if let last = nodes[index].record.runs.indices.last {
      nodes[index].record.runs[last].state = state
      nodes[index].record.runs[last].outcome = outcome
      nodes[index].record.runs[last].endedAt = now
    }
    nodes[index].isAskedToEnd = false
    nodes[index].isRestarting = false
    nodes[index].illness = nil
    self[planOf: index].live.remove(index)
    if nodes[index].isCounted { count(index, false) }
  }

  /// Whether `restart` would have a run to end: one that is there while runs are planned.
  package func canRestart(_ process: String) -> Bool {
    guard phase == .active || phase == .finalizing, afterKill == nil, let index = index(of: process) else {
      return false
    }
    return nodes[index].stage == .live && !nodes[index].isRestarting
  }

  /// The run has the time to end that it would have at the end of the task.
  mutating func restart(_ process: String) {
    guard canRestart(process), let index = index(of: process) else { return }
    nodes[index].isRestarting = true
    nodes[index].isAskedToEnd = true
    // One that is not forked yet gets its signal when it is.
    guard nodes[index].record.runs.last?.state != .waiting else { return }
    sendStopSignal(index, within: nodes[index].definition.stopTimeout ?? task.finalizationWait)
  }

  /// At once, whatever comes between two runs otherwise.
  private mutating func runAgain(_ index: Int) {
    guard nodes[index].record.runs.count < maxRuns else {
      nodes[index].hitRunCap = true
      return fail(index)
    }
    makeReady(index)
  }

  /// Counts a process as one that can move the plan on, or not any more.
  private mutating func count(_ index: Int, _ isCounted: Bool) {
    guard nodes[index].isCounted != isCounted else { return }
    nodes[index].isCounted = isCounted
    self[planOf: index].moving += isCounted ? 1 : -1
  }

  /// Thermos' rules for what comes after a run (docs/differences.md lists where they were mended).
  private mutating func plan(_ index: Int, after state: ProcessState) {
    let definition = nodes[index].definition
    switch state {
    case .success:
      nodes[index].failuresInARow = 0
      if !definition.isDaemon { return finish(index) }
    case .failed:
      nodes[index].failures += 1
      nodes[index].failuresInARow += 1
      if definition.maxFailures > 0, nodes[index].failures >= definition.maxFailures {
        return definition.isEphemeral ? finish(index) : fail(index)
      }
    default: break
    }
    guard nodes[index].record.runs.count < maxRuns else {
      nodes[index].hitRunCap = true
      return fail(index)
    }
    let at = instant(after: nodes[index].delay)
    if at <= now { return makeReady(index) }
    nodes[index].stage = .gated
    self[planOf: index].gates.insert(Due(at: at, node: index, run: nodes[index].record.runs.count))
    count(index, mayMove(index))
  }

  /// The process is done well: whoever waits for it alone may start.
  private mutating func finish(_ index: Int) {
    nodes[index].stage = .finished
    settle(index)
    satisfy(.finished, of: index)
  }

  /// The process has come to what others wait for.
  private mutating func satisfy(_ condition: Prerequisite.Condition, of index: Int) {
    guard nodes[index].successors.contains(where: { $0.condition == condition }) else { return }
    let satisfied = nodes[index].successors.filter { $0.condition == condition }
    nodes[index].successors.removeAll { $0.condition == condition }
    for edge in satisfied {
      nodes[edge.to].blockers -= 1
      if nodes[edge.to].blockers == 0, nodes[edge.to].stage == .blocked { makeReady(edge.to) }
    }
    // An ephemeral process that nobody waits for any more is no help.
    if nodes[index].isCounted { count(index, mayMove(index)) }
  }

  private func mayMove(_ index: Int) -> Bool {
    !nodes[index].definition.isEphemeral || (nodes[index].isAwaited && !nodes[index].successors.isEmpty)
  }

  // MARK: Health of a process

  mutating func processHealthy(_ process: String, _ run: Int) {
    guard let index = live(process, run), let last = nodes[index].record.runs.indices.last,
      nodes[index].record.runs[last].state == .running, nodes[index].record.runs[last].healthyAt == nil
    else { return }
    nodes[index].record.runs[last].healthyAt = now
    satisfy(.healthy, of: index)
  }

  /// The run is told to end, and has failed; `max_failures` says whether there is another.
  mutating func processUnhealthy(_ process: String, _ run: Int, _ why: String) {
    guard phase == .active || phase == .finalizing, afterKill == nil, let index = live(process, run),
      nodes[index].record.runs.last?.state == .running, nodes[index].illness == nil
    else { return }
    nodes[index].illness = why
    sendStopSignal(index, within: nodes[index].definition.stopTimeout ?? task.finalizationWait)
  }

  /// The process failed for good: whoever waits for it waits for ever.
  private mutating func fail(_ index: Int) {
    nodes[index].stage = .failed
    settle(index)
    if nodes[index].definition.isFinal {
      note("final process \(nodes[index].lastEndWithHint)\(capText(index))", about: nodes[index].lastRun)
    } else {
      failed.append(index)
    }
  }

  private mutating func settle(_ index: Int) {
    nodes[index].record.isDone = true
    if !nodes[index].definition.isEphemeral { self[planOf: index].remaining -= 1 }
  }

  mutating func makeReady(_ index: Int) {
    nodes[index].stage = .ready
    self[planOf: index].ready.insert(index)
    count(index, mayMove(index))
  }

  /// Lets processes whose instant has come wait for a place only.
  mutating func openGates(_ plan: WritableKeyPath<TaskMachine, Plan>) {
    while let due = self[keyPath: plan].gates.first, due.at <= now {
      _ = self[keyPath: plan].gates.removeFirst()
      guard nodes[due.node].stage == .gated, nodes[due.node].record.runs.count == due.run else { continue }
      nodes[due.node].stage = .ready
      self[keyPath: plan].ready.insert(due.node)
    }
  }

  /// Starts what may start, in the order of the document, as far as `max_concurrency` lets it.
  mutating func startReady(_ plan: WritableKeyPath<TaskMachine, Plan>) {
    let limit = task.maxConcurrency > 0 ? task.maxConcurrency : Int.max
    while self[keyPath: plan].live.count < limit, let index = self[keyPath: plan].ready.removeFirst() {
      guard nodes[index].stage == .ready else { continue }
      addRun(index)
      let run = nodes[index].lastRun
      effects.append(.start(process: run.process, run: run.run))
    }
  }

  private mutating func addRun(_ index: Int) {
    nodes[index].record.runs.append(RunRecord(number: nodes[index].record.runs.count, requestedAt: now))
    nodes[index].stage = .live
    nodes[index].isAskedToEnd = false
    nodes[index].illness = nil
    self[planOf: index].live.insert(index)
  }

  /// What to add to a message when the number of runs was the reason.
  func capText(_ index: Int) -> String {
    guard nodes[index].hitRunCap else { return "" }
    return "; \(maxRuns) runs are the most a process may have (--max-runs)"
  }
}
