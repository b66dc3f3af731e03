import Containers
import Glibc
import LaunchModel
import LinuxKernel
import StrictJSON
import TaskModel
import TaskStore

/// What happens, as events for the machine.
extension TaskSupervisor {
  /// A bounded number of them: what is asked in answer to one may be answered before the last is read, and signals and
  /// timers have their turn too. What is left is there when the poller is asked again.
  ///
  /// - Returns: whether there may be more.
  @discardableResult func takeInitEvents() throws -> Bool {
    for _ in 0..<Self.initTurn where verdict == nil {
      switch initProcess.next() {
      case .nothing: return false
      case .closed(let why):
        try lose(why)
        return false
      case .event(let event, let descriptors):
        if services.take(event, descriptors) { pending += probes?.takePending() ?? [] } else { try take(event) }
      }
      try drainPendingEvents()
    }
    return verdict == nil
  }

  static let initTurn = 64

  /// Init is gone. The ends that it wrote down are known; of the rest nothing can be.
  func lose(_ why: String) throws {
    initProcess.close(in: poller)
    try drainPendingEvents()
    for record in UnreportedEnds.of(paths, machine) { ended(record) }
    releaseEnds()
    let words = container.lastWords()
    // In the task's own cgroup, as in Docker, it may be the one whom the kernel chose.
    if container.wasInitKilledForMemory(words) {
      let usage = container.usage()
      // Who reaches the limit has used as much.
      let limit = usage.memoryLimitBytes ?? UInt64(clamping: task.resources?.memoryLimit ?? 0)
      let outcome = RunOutcome.outOfMemory(
        signal: nil, exitCode: nil, limitBytes: limit, peakBytes: usage.memoryPeakBytes ?? limit)
      pending.append(
        .limitation(
          reason: Reason.memory, message: outcome.text + "; the kernel ended container-init, and the container with it")
      )
    }
    pending.append(.containerLost(why + lastWords(words.text)))
    try drainPendingEvents()
  }

  func take(_ event: InitEvent) throws {
    switch event {
    case .ready(_, let reports):
      silence.end()
      if !isReady {
        isReady = true
        pending.append(.containerReady)
        try drainPendingEvents()
      }
      try reconcile(reports)
      if isTakeover {
        isTakeover = false
        pending.append(.resumed)
      }
    case .setupFailed(let message, let hint):
      pending.append(
        .containerFailed(
          reason: Reason.launchFailed, message: message, hint: hint.isEmpty ? nil : hint))
    case .forked(let key, _): pending.append(.forked(process: key.process, run: Int(key.run)))
    case .running(let key): pending.append(.running(process: key.process, run: Int(key.run)))
    case .cannotStart(let key, let failure):
      pending.append(.ended(process: key.process, run: Int(key.run), failure.outcome))
    case .ended(let record): ended(record)
    case .allGone:
      silence.end()
      pending.append(.allGone)
    case .strays(let count): strays(Int(count))
    case .stopRequested(let signal):
      let by = "\(SignalName.name(of: signal)) to the container from outside"
      pending.append(.stop(.graceful(by: by, origin: .container)))
    case .logTrouble(let key, let message):
      publisher.note("warning: \(key): \(message)")
      noted.add("\(key): \(message)")
    case .socket, .noSocket, .executed: break  // taken before
    case .unknown: break
    }
  }

  /// A number that changes all the time is written down now and then; that none is left, at once.
  func strays(_ count: Int) {
    let now = Clock.now
    if let lastStrays {
      guard count != lastStrays.count, count == 0 || now >= lastStrays.at + Self.strayPause else { return }
    }
    lastStrays = (count, now)
    pending.append(.strays(count))
  }

  static let strayPause: UInt64 = 1_000_000_000

  func ended(_ record: ExitRecord) {
    let outcome = judge.outcome(
      of: record, killCount: container.outOfMemoryKillCount(), usage: container.usage,
      kills: { container.outOfMemoryKills()?.map(\.time) })
    follower?.drain(process: record.key.process, run: Int(record.key.run))
    standstill.hasEnded(record.key)
    let event = TaskEvent.ended(process: record.key.process, run: Int(record.key.run), outcome)
    guard machine.phase == .active else { return pending.append(event) }
    let isFailure = definitions[record.key.process].map { !outcome.isSuccess(of: $0) } ?? true
    for monitor in monitors { pending += monitor.explainEnd(isFailure: isFailure) }
    if monitors.contains(where: \.isExplaining) { heldEnds.append(event) } else { pending.append(event) }
  }

  /// What the monitors have found out is heard before; a task that is ending needs no reason any more.
  func releaseEnds() {
    pending += heldEnds
    heldEnds = []
  }

  /// Brings the machine and init to one view after a takeover: what init knows and the journal does not is told to the
  /// machine, and what the machine wants and init has not got is asked for again.
  func reconcile(_ reports: [RunReport]) throws {
    if isTakeover { showLiveRuns() }
    for report in reports {
      let (process, number) = (report.key.process, Int(report.key.run))
      guard let run = machine.record(of: process)?.runs.first(where: { $0.number == number }) else { continue }
      guard !run.state.isTerminal else { continue }
      if run.state == .waiting { pending.append(.forked(process: process, run: number)) }
      switch report.state {
      case .held:
        // Its `forked` is recorded already, and the executor ended before it could say go.
        if run.state != .waiting { try initProcess.send(.go(report.key)) }
      case .running: if run.state != .running { pending.append(.running(process: process, run: number)) }
      case .ended(let record): ended(record)
      }
      try drainPendingEvents()
    }
  }

  /// What was written while there was no executor is shown, too, also when the run has ended by now.
  func showLiveRuns() {
    for record in machine.processes {
      guard let process = definitions[record.name] else { continue }
      for run in record.runs where !run.state.isTerminal { follower?.follow(process, run: run.number, resumes: true) }
    }
  }

  func takeSignals() {
    while let received = (try? nextSignal(signals.descriptor)) ?? nil {
      let by = "\(SignalName.name(of: received.signal)) from pid \(received.pid) (uid \(received.uid))"
      if received.signal == SIGINT { interrupts += 1 }
      container.thaw()
      let isSecond = received.signal == SIGINT && interrupts > 1
      pending.append(.stop(isSecond ? .now(by: by, origin: .signal) : .graceful(by: by, origin: .signal)))
    }
  }

  /// Ends the task before anything else happens to it.
  func request(_ stop: StopRequest) {
    container.thaw()
    pending.append(.stop(stop))
  }

  func answer(_ request: ControlRequest, by: String) -> ControlReply {
    switch request {
    case .stop, .kill:
      self.request(request == .kill ? .now(by: by, origin: .request) : .graceful(by: by, origin: .request))
      return .done([])
    case .restart(let process):
      guard machine.canRestart(process) else {
        return .refused(
          machine.record(of: process) == nil
            ? "the task has no process \(process.quotedForMessage)" : "\(process) has no run that could end now")
      }
      pending.append(.restart(process: process, by: by))
      return .done([])
    case .status:
      return .done(machine.statusMembers)
    case .subscribe: return .done([])
    }
  }

  /// For whoever has sent SIGUSR1.
  func sayStatus() {
    publisher.note("status: \(machine.summary)")
  }

  /// What init wrote before it ended, and what others know of the end, for the message.
  func lastWords(_ others: String) -> String {
    let bytes = (try? readRegularFile(paths.initLog, limit: 65536)) ?? []
    let words = [
      printable(bytes.split(separator: UInt8(ascii: "\n")).last ?? []), others,
    ].filter { !$0.isEmpty }
    return words.isEmpty ? "" : ": " + words.joined(separator: "; ")
  }
}
