import Containers
import Glibc
import LaunchModel
import LinuxKernel
import StrictJSON
import TaskModel
import TaskStore

/// What the machine wants, done.
extension TaskSupervisor {
  func perform(_ effect: TaskEffect) throws {
    switch effect {
    case .start(let process, let run): try start(process, run)
    case .terminate(let process, let run, let signal):
      try terminate(RunKey(process, UInt32(run)), signal)
    case .terminateStrays:
      lastStrays = nil
      try initProcess.send(.signalStrays(SIGTERM))
    case .killAll: try killAll()
    case .lifecycle(let endpoint): callLifecycle(endpoint)
    case .setTimer(let instant): try timer.set(instant)
    case .update(let state, let reason, let message):
      journal.append(
        "update",
        [("state", JSON(state.rawValue)), ("reason", reason.map { JSON($0) }), ("message", message.map { JSON($0) })],
        at: Clock.now)
      control?.publish(
        StatusPublisher.json(taskID: paths.taskID, state, reason: reason, message: message, wall: Clock.wall))
      publisher.update(state, reason: reason, message: message)
    case .finish(let verdict): self.verdict = verdict
    }
  }

  /// A run that was stopped to be measured while it had time to end gets that time before it is killed.
  private func terminate(_ run: RunKey, _ signal: Int32) throws(Errno) {
    let request = InitRequest.signal(run, signal)
    guard signal == SIGKILL else {
      standstill.asked(run)
      return try initProcess.send(request)
    }
    standstill.overdue(run) { [initProcess] in
      bestEffort("kill \(run), whose time to end is over", tolerating: EPIPE, ECONNRESET) {
        try initProcess.send(request)
      }
    }
  }

  /// Init does it, as long as it answers: the greeting after it is how it shows that it has got so far.
  func killAll() throws {
    container.boundCPU(false)
    isCPUBound = false
    try initProcess.send(.killAll)
    try initProcess.send(.hello(.own))
    try silence.begin()
  }

  func goOverInit() throws {
    switch try silence.overdue() {
    case .none: break
    case .killForIt:
      // One that is taken over and says nothing may have been told to by the executor before; where it was not, it is waited for.
      guard machine.isKilling else { return noted.add("container-init does not answer") }
      guard container.canKillTask else {
        return noted.add("container-init did not answer when the task was to be killed")
      }
      container.thaw()
      container.killTask()
      noted.add("container-init did not answer, and the task's processes were killed over its head")
    case .giveUp where !machine.isKilling: break
    case .giveUp(let seconds): try lose("container-init has not answered for \(seconds) s")
    }
  }

  func makeRoomForLogs() throws {
    // Of most tasks no process has a run that could go.
    guard hasRunAgain else { return }
    for run in logKeeper.makeRoom(machine.processes, definitions) {
      journal.append("logs_removed", [("process", JSON(run.process)), ("run", JSON(run.run))], at: Clock.now)
    }
    for warning in logKeeper.takeWarnings() { publisher.note("warning: \(warning)") }
  }

  func start(_ name: String, _ run: Int) throws {
    guard let process = definitions[name] else { return }
    if !isCPUBound { container.boundCPU(true) }
    isCPUBound = true
    journal.append("intent", [("process", JSON(name)), ("run", JSON(run))], at: Clock.now)
    if run > 0 { hasRunAgain = true }
    try makeRoomForLogs()
    let logs: RunLogs
    do throws(Errno) {
      // Nobody would show it, nor take it away then.
      let isUnseen = follower == nil && process.logger?.destination == .console
      logs =
        isUnseen ? .none : try RunLogs(process, run: run, in: logRoots, consoles: consoles, within: logKeeper.bound)
    } catch  where error.isShortage {
      // What it does is wanted more than what it says.
      let what = "\(process.name)/\(run): its output is not kept: \(error)"
      publisher.note("warning: \(what)")
      noted.add(what)
      logs = .none
    } catch {
      let reason = "cannot make the log files in \(RunLogs.path(process, run: run, paths)): \(error)"
      pending.append(.ended(process: name, run: run, .cannotStart(.setup, reason: reason, hint: nil)))
      return
    }
    let ending = process.isFinal ? machine.verdict : nil
    if let ending {
      do throws(Errno) { try environment.outcome.write(ending, machine.processes) } catch {
        // It was to be told, and can do its work without.
        publisher.note("warning: cannot write \(paths.outcome): \(error)")
      }
    }
    follower?.follow(process, run: run)
    let plan = container.plan
    let spec = ProcessSpec(
      process: name, run: UInt32(run), command: process.command.map { .shell($0) } ?? .program(plan.imageCommand),
      environment: environment.variables(
        image: plan.environment, run: RunReference(process: name, run: run), ending: ending),
      workingDirectory: process.command == nil ? plan.imageWorkingDirectory ?? plan.sandbox : plan.sandbox,
      logMode: logs.mode)
    do throws(Errno) { try initProcess.send(.spawn(spec), logs.descriptors) } catch {
      guard error.isShortage else { throw error }
      let reason = "container-init cannot be asked for it: \(error)"
      pending.append(.ended(process: name, run: run, .cannotStart(.setup, reason: reason, hint: nil)))
    }
  }

  /// A POST that asks the task to end. Only an answer that takes the request gives it time; 404 and 501 say that there is
  /// no such endpoint.
  func callLifecycle(_ endpoint: String) {
    guard let lifecycle = task.lifecycle, let probes else { return pending.append(.lifecycleAnswered(handled: false)) }
    let request = LoopbackExchange.Request(method: "POST", endpoint: endpoint, wantsBody: false)
    probes.ask(port: lifecycle.port, request, within: Self.lifecycleSeconds) { [probes] answer in
      if case .response(let status, _) = answer {
        probes.tell(.lifecycleAnswered(handled: status != 404 && status != 501))
      } else {
        probes.tell(.lifecycleAnswered(handled: false))
      }
    }
  }

  /// How long a server may take to answer, as Aurora's executor has it.
  static let lifecycleSeconds = 1.0
}
