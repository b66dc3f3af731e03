import ContainerInit
import Containers
import Glibc
import LaunchModel
import LinuxKernel
import StrictJSON
import TaskModel
import TaskStore

/// Runs one task to its end: the loop around the task machine, on one thread.
///
/// What happens becomes an event; the event is journalled, then given to the machine; what the machine wants is done.
/// Nothing here decides anything about the task.
final class TaskSupervisor {
  private enum Source: UInt64 {
    case signals = 1, statusSignal, control, timer, initProcess, containerEnd, logs, output, answer, logRoom
    /// The first of the monitors; the others follow.
    case monitors
  }

  private let task: TaskSpecification
  private let paths: TaskPaths
  private let container: any Container
  private let journal: Journal
  private let publisher: StatusPublisher
  private let environment: ProcessEnvironment
  private let logRoots: LogRoots
  private let follower: ConsoleFollower?
  private let monitors: [any TaskMonitor]
  private let logKeeper: LogKeeper
  private let services: ContainerServices
  /// Absent where the task has nothing to be asked.
  private let probes: ContainerProbes?
  private let health: HealthMonitor?
  private let definitions: [String: ProcessDefinition]
  /// How many processes have a console and no log.
  private let consoles: Int

  private(set) var machine: TaskMachine
  private(set) var verdict: Verdict?
  private var pending: [TaskEvent] = []
  /// Ends of runs that wait for a monitor's word on their reason.
  private var heldEnds: [TaskEvent] = []
  private var followed: TaskMachine.Phase?
  private var isReady: Bool
  private var isTakeover: Bool
  private var judge: OutcomeJudge
  private var interrupts = 0

  private let poller: Poller
  private let signals: SharedDescriptor
  private let statusSignal: FileDescriptor
  private let control: ControlServer?
  private let timer: TimerDescriptor
  private let initProcess: InitConversation
  private let silence: InitSilence
  private let noted: TaskNotes
  /// All that the result is to say beside the verdict.
  var notes: [String] { noted.texts + logKeeper.notes }
  /// Whether a process has had more than one run.
  private var hasRunAgain: Bool
  private var lastStrays: (count: Int, at: UInt64)?

  /// - Parameters:
  ///   - machine: fresh, or as a replay of the journal left it.
  ///   - notes: what another executor has noted for the result.
  ///   - outOfMemoryKills: those that are accounted for already.
  ///   - isTakeover: whether another executor began the task; what it asked for is asked for again.
  ///   - logKeeper: what holds the logs to their ceiling.
  ///   - monitors: what else may change the task's course.
  ///   - signals: where SIGTERM and SIGINT are read; blocked since the program began.
  ///   - control: where others ask; absent where it could not be had.
  init(
    machine: TaskMachine, isTakeover: Bool, notes: [String], outOfMemoryKills: UInt64, container: any Container,
    journal: Journal,
    paths: TaskPaths, runDirectory: HeldRunDirectory,
    identity: Identity,
    environment: ProcessEnvironment, publisher: StatusPublisher, follower: ConsoleFollower?,
    monitors: [any TaskMonitor], logKeeper: LogKeeper, signals: SharedDescriptor, control: ControlServer?
  ) throws(Errno) {
    self.machine = machine
    task = machine.task
    self.container = container
    self.journal = journal
    self.paths = paths
    logRoots = LogRoots(
      paths, runDirectory, reader: container.logsDirectory.utf8.elementsEqual(paths.logs.utf8) ? nil : identity.uid)
    self.environment = environment
    self.publisher = publisher
    self.follower = follower
    services = ContainerServices(container.client)
    if task.lifecycle != nil || task.hasHealthChecks {
      let probes = try ContainerProbes(services, identity: identity)
      self.probes = probes
      health = HealthMonitor(
        task, probes: probes, plan: container.plan, environment: environment, paths: paths)
      self.monitors = [probes] + monitors
    } else {
      (probes, health, self.monitors) = (nil, nil, monitors)
    }
    self.signals = signals
    self.control = control
    self.logKeeper = logKeeper
    isReady = machine.phase != .starting
    self.isTakeover = isTakeover
    // Another executor may have lifted it.
    isCPUBound = !isTakeover
    noted = TaskNotes(notes, journal, publisher, paths)
    hasRunAgain = isTakeover
    judge = OutcomeJudge(task.processes, knownKills: outOfMemoryKills)
    definitions = Dictionary(task.processes.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    consoles = task.processes.count { $0.logger?.destination == .console }
    poller = try Poller()
    timer = try TimerDescriptor()
    silence = try InitSilence()
    try poller.add(silence.descriptor, token: Source.answer.rawValue)
    try poller.add(signals.rawValue, token: Source.signals.rawValue)
    statusSignal = try signalDescriptor([SIGUSR1])
    try poller.add(statusSignal.rawValue, token: Source.statusSignal.rawValue)
    if let control { try poller.add(control.descriptor, token: Source.control.rawValue) }
    try poller.add(timer.descriptor.rawValue, token: Source.timer.rawValue)
    initProcess = try InitConversation(container.client, in: poller, token: Source.initProcess.rawValue)
    try poller.add(container.endDescriptor, token: Source.containerEnd.rawValue)
    try poller.add(logKeeper.descriptor, token: Source.logRoom.rawValue)
    if let watched = follower?.descriptor { try poller.add(watched, token: Source.logs.rawValue) }
    try poller.add(publisher.output.descriptor, token: Source.output.rawValue)
    for (index, monitor) in self.monitors.enumerated() {
      try poller.add(monitor.descriptor, token: Source.monitors.rawValue + UInt64(index))
    }
  }

  /// Runs until the task has ended, and says how.
  func run() throws(ExecutorFailure) -> Verdict {
    do {
      // It has been greeted.
      if isTakeover { try silence.begin() }
      while verdict == nil {
        // Output that waits for its turn, or for a second at most for who reads it, is gone on with in between.
        publisher.output.watch()
        let timeout = follower?.timeout
        let events = try poller.wait(timeoutMilliseconds: [timeout, noted.timeout].compactMap { $0 }.min())
        if timeout != nil { follower?.goOn() }
        noted.keepJournal()
        // Signals are the first of the sources, however busy the others are.
        for event in events.sorted(by: { $0.token < $1.token }) where verdict == nil {
          switch Source(rawValue: min(event.token, Source.monitors.rawValue)) {
          case .signals: takeSignals()
          case .statusSignal:
            while let _ = (try? nextSignal(statusSignal)) ?? nil { sayStatus() }
          case .control: control?.serve { [self] in answer($0, by: $1) }
          case .timer:
            timer.acknowledge()
            pending.append(.timer)
          case .initProcess:
            if event.writable { try initProcess.flush() }
            try takeInitEvents()
          case .containerEnd:
            // What init said before it ended comes first.
            while verdict == nil, try takeInitEvents() {}
            try lose("container-init ended unexpectedly")
          case .answer:
            try goOverInit()
          case .logs: follower?.takeEvents()
          case .output:
            publisher.output.goOn()
            follower?.goOn()
          case .logRoom: try makeRoomForLogs()
          case .monitors:
            let monitor = monitors[Int(event.token - Source.monitors.rawValue)]
            // It may be about to measure them; checks are not, and are many.
            if monitor !== probes { try makeRoomForLogs() }
            pending += monitor.takeEvents()
          case nil: break
          }
          try settle()
        }
        // Others have spoken to it as well.
        try initProcess.watch(in: poller)
      }
    } catch let failure as ExecutorFailure {
      throw failure
    } catch {
      throw ExecutorFailure(.internalError, "the task cannot be watched any more: \(error)")
    }
    follower?.finish()
    guard let verdict else { throw ExecutorFailure(.internalError, "the task ended without a verdict") }
    return verdict
  }

  /// Takes the pending events one by one; an event's effects may add others.
  private func settle() throws {
    while verdict == nil {
      if pending.isEmpty, machine.phase != .active || !monitors.contains(where: \.isExplaining) { releaseEnds() }
      guard !pending.isEmpty else { return }
      let event = pending.removeFirst()
      let now = Clock.now
      var (type, members) = event.journalForm
      if case .ended = event, judge.knownKills > 0 { members.append(("oom_kills", JSON(judge.knownKills))) }
      journal.append(type, members, at: now)
      for effect in machine.handle(event, at: now) { try perform(effect) }
      control?.publish(JSON(object: [("event", JSON(type))] + members))
      health?.follow(event, machine)
      if followed != machine.phase {
        followed = machine.phase
        for monitor in monitors { monitor.follow(machine.phase) }
      }
      pending += probes?.takePending() ?? []
      if case .forked(let process, let run) = event { try initProcess.send(.go(RunKey(process, UInt32(run)))) }
    }
  }

  // MARK: What the machine wants

  private func perform(_ effect: TaskEffect) throws {
    switch effect {
    case .start(let process, let run): try start(process, run)
    case .terminate(let process, let run, let signal):
      try initProcess.send(.signal(RunKey(process, UInt32(run)), signal))
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

  /// Init does it, as long as it answers: the greeting after it is how it shows that it has got so far.
  private func killAll() throws {
    container.boundCPU(false)
    isCPUBound = false
    try initProcess.send(.killAll)
    try initProcess.send(.hello(.own))
    try silence.begin()
  }

  private func goOverInit() throws {
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

  /// Not while everything is being killed.
  private var isCPUBound: Bool

  private func makeRoomForLogs() throws {
    // Of most tasks no process has a run that could go.
    guard hasRunAgain else { return }
    for run in logKeeper.makeRoom(machine.processes, definitions) {
      journal.append("logs_removed", [("process", JSON(run.process)), ("run", JSON(run.run))], at: Clock.now)
    }
    for warning in logKeeper.takeWarnings() { publisher.note("warning: \(warning)") }
  }

  private func start(_ name: String, _ run: Int) throws {
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
  private func callLifecycle(_ endpoint: String) {
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
  private static let lifecycleSeconds = 1.0

  // MARK: What happens

  /// A bounded number of them: what is asked in answer to one may be answered before the last is read, and signals and
  /// timers have their turn too. What is left is there when the poller is asked again.
  ///
  /// - Returns: whether there may be more.
  @discardableResult private func takeInitEvents() throws -> Bool {
    for _ in 0..<Self.initTurn where verdict == nil {
      switch initProcess.next() {
      case .nothing: return false
      case .closed(let why):
        try lose(why)
        return false
      case .event(let event, let descriptors):
        if services.take(event, descriptors) { pending += probes?.takePending() ?? [] } else { try take(event) }
      }
      try settle()
    }
    return verdict == nil
  }

  private static let initTurn = 64

  /// Init is gone. The ends that it wrote down are known; of the rest nothing can be.
  private func lose(_ why: String) throws {
    initProcess.close(in: poller)
    try settle()
    for record in UnreportedEnds.of(paths, machine) { ended(record) }
    releaseEnds()
    let words = container.lastWords()
    // In the task's own cgroup, as in Docker, it may be the one whom the kernel chose.
    if container.wasInitKilledForMemory(words) {
      let usage = container.usage()
      // Who reaches the limit has used as much.
      let limit = usage.memoryLimitBytes ?? UInt64(clamping: task.resources?.ram ?? 0)
      let outcome = RunOutcome.outOfMemory(
        signal: nil, exitCode: nil, limitBytes: limit, peakBytes: usage.memoryPeakBytes ?? limit)
      pending.append(
        .limitation(
          reason: Reason.memory, message: outcome.text + "; the kernel ended container-init, and the container with it")
      )
    }
    pending.append(.containerLost(why + lastWords(words.text)))
    try settle()
  }

  private func take(_ event: InitEvent) throws {
    switch event {
    case .ready(_, let reports):
      silence.end()
      if !isReady {
        isReady = true
        pending.append(.containerReady)
        try settle()
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
  private func strays(_ count: Int) {
    let now = Clock.now
    if let lastStrays {
      guard count != lastStrays.count, count == 0 || now >= lastStrays.at + Self.strayPause else { return }
    }
    lastStrays = (count, now)
    pending.append(.strays(count))
  }

  private static let strayPause: UInt64 = 1_000_000_000

  private func ended(_ record: ExitRecord) {
    let outcome = judge.outcome(of: record, container.usage()) { container.outOfMemoryKills()?.map(\.time) }
    follower?.drain(process: record.key.process, run: Int(record.key.run))
    let event = TaskEvent.ended(process: record.key.process, run: Int(record.key.run), outcome)
    guard machine.phase == .active else { return pending.append(event) }
    let isFailure = definitions[record.key.process].map { !outcome.isSuccess(of: $0) } ?? true
    for monitor in monitors { pending += monitor.explainEnd(isFailure: isFailure) }
    if monitors.contains(where: \.isExplaining) { heldEnds.append(event) } else { pending.append(event) }
  }

  /// What the monitors have found out is heard before; a task that is ending needs no reason any more.
  private func releaseEnds() {
    pending += heldEnds
    heldEnds = []
  }

  /// Brings the machine and init to one view after a takeover: what init knows and the journal does not is told to the
  /// machine, and what the machine wants and init has not got is asked for again.
  private func reconcile(_ reports: [RunReport]) throws {
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
      try settle()
    }
  }

  /// What was written while there was no executor is shown, too, also when the run has ended by now.
  private func showLiveRuns() {
    for record in machine.processes {
      guard let process = definitions[record.name] else { continue }
      for run in record.runs where !run.state.isTerminal { follower?.follow(process, run: run.number, resumes: true) }
    }
  }

  private func takeSignals() {
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

  private func answer(_ request: ControlRequest, by: String) -> ControlReply {
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
  private func sayStatus() {
    publisher.note("status: \(machine.summary)")
  }

  /// What init wrote before it ended, and what others know of the end, for the message.
  private func lastWords(_ others: String) -> String {
    let bytes = (try? readRegularFile(paths.initLog, limit: 65536)) ?? []
    let words = [
      printable(bytes.split(separator: UInt8(ascii: "\n")).last ?? []), others,
    ].filter { !$0.isEmpty }
    return words.isEmpty ? "" : ": " + words.joined(separator: "; ")
  }
}
