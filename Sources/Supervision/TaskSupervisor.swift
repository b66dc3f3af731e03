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

  let task: TaskSpecification
  let paths: TaskPaths
  let container: any Container
  let journal: Journal
  let publisher: StatusPublisher
  let environment: ProcessEnvironment
  let logRoots: LogRoots
  let follower: ConsoleFollower?
  let standstill: Standstill
  let monitors: [any TaskMonitor]
  let logKeeper: LogKeeper
  let services: ContainerServices
  /// Absent where the task has nothing to be asked.
  let probes: ContainerProbes?
  private let health: HealthMonitor?
  let definitions: [String: ProcessDefinition]
  /// How many processes have a console and no log.
  let consoles: Int

  private(set) var machine: TaskMachine
  var verdict: Verdict?
  var pending: [TaskEvent] = []
  /// Ends of runs that wait for a monitor's word on their reason.
  var heldEnds: [TaskEvent] = []
  private var followed: TaskMachine.Phase?
  var isReady: Bool
  /// Not while everything is being killed.
  var isCPUBound: Bool
  var isTakeover: Bool
  var judge: OutcomeJudge
  var interrupts = 0

  let poller: Poller
  let signals: SharedDescriptor
  private let statusSignal: FileDescriptor
  let control: ControlServer?
  let timer: TimerDescriptor
  let initProcess: InitConversation
  let silence: InitSilence
  let noted: TaskNotes
  /// All that the result is to say beside the verdict.
  var notes: [String] { noted.texts + logKeeper.notes }
  /// Whether a process has had more than one run.
  var hasRunAgain: Bool
  var lastStrays: (count: Int, at: UInt64)?

  /// - Parameters:
  ///   - machine: fresh, or as a replay of the journal left it.
  ///   - notes: what another executor has noted for the result.
  ///   - outOfMemoryKills: those that are accounted for already.
  ///   - isTakeover: whether another executor began the task; what it asked for is asked for again.
  ///   - logKeeper: what holds the logs to their ceiling.
  ///   - standstill: knows how long the task was stopped by one of the monitors.
  ///   - monitors: what else may change the task's course.
  ///   - signals: where SIGTERM and SIGINT are read; blocked since the program began.
  ///   - control: where others ask; absent where it could not be had.
  ///   - timeouts: how long an init that is to kill everything may be silent.
  init(
    machine: TaskMachine, isTakeover: Bool, notes: [String], outOfMemoryKills: UInt64, container: any Container,
    journal: Journal,
    paths: TaskPaths, runDirectory: HeldRunDirectory,
    identity: Identity,
    environment: ProcessEnvironment, publisher: StatusPublisher, follower: ConsoleFollower?,
    standstill: Standstill, monitors: [any TaskMonitor], logKeeper: LogKeeper, signals: SharedDescriptor,
    control: ControlServer?,
    timeouts: InitSilence.Timeouts
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
    self.standstill = standstill
    if task.lifecycle != nil || task.hasHealthChecks {
      let probes = try ContainerProbes(services, identity: identity, standstill)
      self.probes = probes
      health = HealthMonitor(
        task, probes: probes, plan: container.plan, environment: environment, paths: paths,
        standstill)
      self.monitors = [probes, standstill] + monitors
    } else {
      (probes, health, self.monitors) = (nil, nil, [standstill] + monitors)
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
    silence = try InitSilence(timeouts)
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
          try drainPendingEvents()
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
  func drainPendingEvents() throws {
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
}
