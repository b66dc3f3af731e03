import Glibc
import LaunchModel
import LinuxKernel

/// What init does once its container stands: starts, reaps and reports every process, and pumps their logs.
///
/// One thread, one poller. It keeps on when the executor goes away, and tells the next one what it missed.
final class InitServer {
  private let starter: ProcessStarter
  private let tree: ProcessTree
  private let exits: ExitFile
  private let poller: Poller
  private var listener: (socket: SharedDescriptor, token: UInt64)
  private let entrance: InitEntrance
  private let signals: FileDescriptor
  private let drainTimer: TimerDescriptor
  private let strayTimer: TimerDescriptor
  private let workTimer: TimerDescriptor
  private var work: TreeWork?
  private var sources = EventSources()
  private var runs = RunTable()
  /// Runs that have ended and whose streams had not, the one that is to be cut off first first.
  private var draining: [Run] = []
  private var connections: [(channel: InitChannel, token: UInt64)] = []
  private var spare: SharedDescriptor?
  private let null: SharedDescriptor
  /// Every stream goes through this one: what init holds does not grow with the processes.
  private let buffer = TransferBuffer(capacity: LogPump.chunk)
  private var owesAllGone = false
  /// Set when the executor has asked strays to end: it is told how many are left.
  private var tellsStrays = false
  private var straysTold: Int?
  private var toldStraysAt: UInt64 = 0
  /// A signal that asked for the end while no executor was there to hear of it: the next one does.
  private var untoldStop: Int32?
  /// The same of what could not be written, the first of it.
  private var untoldTroubles: [(RunKey, String)] = []

  /// How often strays are counted while somebody waits for them to end.
  private static let strayNanoseconds: UInt64 = 200_000_000
  /// How often their number is told while it changes.
  private static let strayPause: UInt64 = 1_000_000_000
  /// How long a stream may stay open after its run has ended before it is cut off.
  private static let drainNanoseconds: UInt64 = 1_000_000_000
  private static let mostTroubles = 32
  /// What the rest of a run may take before others get their turn.
  private static let turnNanoseconds: UInt64 = 20_000_000

  init(starter: ProcessStarter, tree: ProcessTree, listener: SharedDescriptor, exits: SharedDescriptor) throws(Errno) {
    self.starter = starter
    self.tree = tree
    self.exits = ExitFile(exits)
    CurrentProcess.ignoreFileSizeSignal()
    self.listener = (listener, 0)
    entrance = try InitEntrance()
    poller = try Poller()
    // In a pid namespace that others share, any of them would end it.
    SignalDispositions.ignoreOthers(than: [SIGTERM, SIGINT])
    signals = try signalDescriptor([SIGCHLD, SIGTERM, SIGINT])
    drainTimer = try TimerDescriptor()
    strayTimer = try TimerDescriptor()
    workTimer = try TimerDescriptor()
    null = SharedDescriptor(try Child.openNull(O_WRONLY))
    spare = SharedDescriptor(try null.descriptor.duplicate())
    try listener.descriptor.setNonBlocking(true)
    self.listener.token = try watch(listener.rawValue, .listener)
    _ = try watch(entrance.channel.socket.rawValue, .entrance)
    _ = try watch(signals.rawValue, .signals)
    _ = try watch(drainTimer.descriptor.rawValue, .drainTimer)
    _ = try watch(strayTimer.descriptor.rawValue, .strayTimer)
    _ = try watch(workTimer.descriptor.rawValue, .workTimer)
    work = TreeWork(tree) { [unowned self] group in runs.isAlive(group) }
  }

  /// Serves until it is told to shut down.
  func run() throws(Errno) -> Never {
    while true {
      for event in try poller.wait() {
        guard let source = sources[event.token] else { continue }
        switch source {
        case .listener: try accept()
        case .entrance: serveEntrance()
        case .signals: takeSignals()
        case .drainTimer:
          drainTimer.acknowledge()
          cutStreams()
        case .strayTimer:
          strayTimer.acknowledge()
          countStrays()
        case .workTimer:
          workTimer.acknowledge()
          goOnWithWork()
        case .connection(let channel): serve(channel, token: event.token, writable: event.writable)
        case .failure(let run): settle(run, token: event.token)
        case .log(let run, let pump): drainLog(run, pump, token: event.token)
        }
      }
    }
  }

  private func watch(_ number: Int32, _ source: EventSources.Source) throws(Errno) -> UInt64 {
    let token = sources.add(source)
    do throws(Errno) { try poller.add(number, token: token) } catch {
      sources.remove(token)
      throw error
    }
    return token
  }

  private func unwatch(_ number: Int32, token: UInt64) {
    sources.remove(token)
    try? poller.remove(number)
  }

  // MARK: The executor

  private func accept() throws(Errno) {
    while let socket = try nextConnection() {
      let shared = SharedDescriptor(socket)
      // Only who started this container may steer it: the socket's directory says so, and so does this.
      guard let peer = try? UnixSocket.peer(of: shared.descriptor), peer.uid == CurrentProcess.effectiveUser else {
        continue
      }
      let channel = try InitChannel(shared)
      connections.append((channel, try watch(shared.rawValue, .connection(channel))))
    }
  }

  /// The next connection. Out of descriptors, the one that is kept for this is given up to turn the caller away: left
  /// alone it would wake us for ever.
  private func nextConnection() throws(Errno) -> FileDescriptor? {
    do throws(Errno) {
      return try UnixSocket.accept(listener.socket.descriptor)
    } catch {
      guard [EMFILE, ENFILE, ENOMEM, ENOBUFS].contains(error.code) else { throw error }
      spare = nil
      _ = try? UnixSocket.accept(listener.socket.descriptor)?.rawValue
      spare = try? SharedDescriptor(null.descriptor.duplicate())
      return nil
    }
  }

  private func serveEntrance() {
    while case .message(.listen, let descriptors)? = try? entrance.channel.receive(InitRequest.self) {
      listen(on: descriptors)
    }
  }

  /// Takes the connections of another socket from now on. Those that there are stay.
  private func listen(on descriptors: [SharedDescriptor]) {
    guard let socket = descriptors.first, (try? socket.descriptor.setNonBlocking(true)) != nil,
      let token = try? watch(socket.rawValue, .listener)
    else { return }
    unwatch(listener.socket.rawValue, token: listener.token)
    listener = (socket, token)
  }

  private func serve(_ channel: InitChannel, token: UInt64, writable: Bool) {
    do {
      if writable {
        try channel.flush()
        if !channel.hasUnsent { try poller.modify(channel.socket.rawValue, token: token, read: true, write: false) }
      }
      while true {
        switch try channel.receive(InitRequest.self) {
        case .nothing: return
        case .closed: return drop(channel)
        case .message(let request, let descriptors): handle(request, descriptors, from: channel)
        }
      }
    } catch {
      drop(channel)
    }
  }

  private func drop(_ channel: InitChannel) {
    guard let index = connections.firstIndex(where: { $0.channel === channel }) else { return }
    unwatch(channel.socket.rawValue, token: connections[index].token)
    connections.remove(at: index)
    // Nobody waits for its commands any more.
    for run in runs.alive where run.command?.channel === channel { Children.signalGroup(run.pid, SIGKILL) }
  }

  private func tell(_ event: InitEvent) {
    for (channel, _) in connections { tell(event, to: channel) }
  }

  private func tell(_ event: InitEvent, to channel: InitChannel, _ descriptors: [SharedDescriptor] = []) {
    do throws(Errno) {
      try channel.send(event, descriptors: descriptors)
      guard channel.hasUnsent, let entry = connections.first(where: { $0.channel === channel }) else { return }
      try poller.modify(channel.socket.rawValue, token: entry.token, read: true, write: true)
    } catch {
      drop(channel)
    }
  }

  private func handle(_ request: InitRequest, _ descriptors: [SharedDescriptor], from channel: InitChannel) {
    switch request {
    case .hello:
      tell(.ready(.own, runs.reports), to: channel)
      if let signal = untoldStop {
        untoldStop = nil
        tell(.stopRequested(signal: signal), to: channel)
      }
      for (key, what) in untoldTroubles { tell(.logTrouble(key, what), to: channel) }
      untoldTroubles = []
    case .spawn(let spec): spawn(spec, descriptors)
    case .go(let key):
      guard let run = runs[key], let go = run.go else { return }
      run.go = nil
      try? go.descriptor.writeAll([1])
    case .signal(let key, let signal):
      guard let run = runs[key], run.isAlive else { return }
      Children.signalGroup(run.pid, signal)
      // A process that is stopped takes no signal but this one.
      if signal != SIGKILL { Children.signalGroup(run.pid, SIGCONT) }
    case .signalStrays(let signal):
      work?.signalStrays(signal)
      tellsStrays = true
      (straysTold, toldStraysAt) = (nil, 0)
      countStrays()
    case .killAll:
      starter.score?.restore()
      work?.killAll()
      owesAllGone = true
      goOnWithWork()
      reapAndTell()
    case .shutdown:
      try? exits.catchUp()
      Child.exit(0)
    case .openSocket(let id, let isIPv6):
      do throws(Errno) {
        let socket = try StreamSocket.makeTCP(isIPv6: isIPv6, owner: starter.restrictions.identity.uid)
        tell(.socket(id), to: channel, [SharedDescriptor(socket)])
      } catch {
        tell(.noSocket(id, errno: error.code), to: channel)
      }
    case .execute(let id, let spec): execute(id, spec, descriptors, for: channel)
    case .killCommand(let id):
      let command = runs.alive.first { $0.command?.id == id && $0.command?.channel === channel }
      if let command { Children.signalGroup(command.pid, SIGKILL) }
    case .listen: listen(on: descriptors)
    case .unknown: break
    }
  }

  /// Starts a command beside the task's runs. It is let go at once: whether it ran is of no consequence to a recovery.
  private func execute(_ id: UInt32, _ spec: ProcessSpec, _ descriptors: [SharedDescriptor], for channel: InitChannel) {
    do throws(Errno) {
      let streams = try LogStreams(spec.logMode, descriptors, for: starter.restrictions, null: null)
      let child = try starter.fork(spec, output: streams.output, errors: streams.errors)
      let run = Run(key: RunKey(spec.process, spec.run), child: child)
      run.command = (id, channel)
      runs.addCommand(run)
      run.go = nil
      try? child.go.descriptor.writeAll([1])
    } catch {
      var record = ExitRecord(
        key: RunKey(spec.process, spec.run), waitStatus: 0, bootTime: Clock.now, wallTime: Clock.wall)
      record.startFailure = StartFailure(.setup, "cannot start a process: \(error)")
      tell(.executed(id, record), to: channel)
    }
  }

  // MARK: Runs

  private func spawn(_ spec: ProcessSpec, _ descriptors: [SharedDescriptor]) {
    let key = RunKey(spec.process, spec.run)
    // Asked twice, as an executor may that lost the answer: the run is what it is.
    if let run = runs[key] { return tell(.ready(.own, [RunReport(key, run.state)])) }
    do throws(Errno) {
      let streams = try LogStreams(spec.logMode, descriptors, for: starter.restrictions, null: null)
      let child = try starter.fork(spec, output: streams.output, errors: streams.errors)
      let run = Run(key: key, child: child)
      runs.add(run)
      run.pumps = streams.pumps
      for pump in run.pumps { pump.token = try watch(pump.pipe.rawValue, .log(run, pump)) }
      run.failureToken = try watch(child.failure.rawValue, .failure(run))
      tell(.forked(key, pid: child.pid))
    } catch {
      tell(.cannotStart(key, StartFailure(.setup, "cannot start a process: \(error)")))
    }
  }

  private func settle(_ run: Run, token: UInt64) {
    guard let failure = run.failure else { return }
    let number = failure.rawValue
    guard run.settleStart() else { return }
    unwatch(number, token: token)
    if run.startFailure == nil, run.go == nil { tell(.running(run.key)) }
  }

  private func takeSignals() {
    // SIGTERM and its like to init are for the executor to act on, not for init: it ends when it is told to. Senders
    // inside have no say: a task's own root could otherwise stop itself by accident (`kill -1`).
    while let received = (try? nextSignal(signals)) ?? nil {
      guard received.signal != SIGCHLD, received.isVouchedFor, !tree.isInside(received.pid), !mayBeNameless else {
        continue
      }
      if connections.isEmpty { untoldStop = received.signal }
      tell(.stopRequested(signal: received.signal))
    }
    reapAndTell()
  }

  /// Whether a signal from inside may have come without who has sent it: where init's uid is the task's, and what the kernel has
  /// queued for that comes near its limit. It is delivered all the same then, as if from outside.
  private var mayBeNameless: Bool {
    guard starter.restrictions.identity.uid == CurrentProcess.effectiveUser, let queued = CurrentProcess.queuedSignals
    else {
      return false
    }
    return queued.count >= queued.limit / 2
  }

  private func reapAndTell() {
    while let pid = Children.peekEnded() {
      let run = runs.takeEnded(pid)
      // While the leader is not reaped its number stands for this group and no other.
      if run != nil { Children.signal(-pid, SIGKILL) }
      guard let (waitStatus, use) = Children.reap(pid) else { continue }
      if let run { finish(run, waitStatus, use) }
    }
    if tellsStrays { countStrays() }
    if owesAllGone, !Children.areLeft, runs.areRecorded {
      owesAllGone = false
      work?.endKilling()
      tell(.allGone)
    }
  }

  // MARK: All processes

  private func countStrays() {
    work?.countStrays()
    goOnWithWork()
  }

  private func goOnWithWork() {
    guard let report = work?.goOn() else { return }
    try? workTimer.set(report.next)
    if let count = report.strays { tellStrays(count) }
  }

  /// That none is left is told at once; a number that comes and goes, now and then.
  private func tellStrays(_ count: Int) {
    // Those that somebody put here from outside (`docker exec`, nsenter(1)) are nobody's children here: no signal says
    // that they have ended.
    if count > 0 { try? strayTimer.set(Clock.now + InitServer.strayNanoseconds) }
    guard count != straysTold, count == 0 || Clock.now >= toldStraysAt + InitServer.strayPause else { return }
    (straysTold, toldStraysAt) = (count, Clock.now)
    tell(.strays(UInt32(clamping: count)))
  }

  private func finish(_ run: Run, _ waitStatus: Int32, _ use: ResourceUse) {
    var record = ExitRecord(key: run.key, waitStatus: waitStatus, bootTime: Clock.now, wallTime: Clock.wall)
    record.userMicroseconds = use.userMicroseconds
    record.systemMicroseconds = use.systemMicroseconds
    record.maximumResidentBytes = use.maximumResidentBytes
    if let failure = run.failure {
      _ = run.settleStart()
      // A process that came and went before we looked was running all the same.
      if run.command == nil {
        unwatch(failure.rawValue, token: run.failureToken)
        if run.startFailure == nil, run.go == nil { tell(.running(run.key)) }
      }
    }
    record.startFailure = run.startFailure
    run.end = record
    if let (id, channel) = run.command { return tell(.executed(id, record), to: channel) }
    let end = Clock.now + InitServer.turnNanoseconds
    for pump in run.pumps {
      pump.drain(through: buffer, until: end)
      tellTrouble(of: pump, run)
    }
    if run.pumps.allSatisfy(\.isAtEnd) { return conclude(run) }
    run.cutAt = Clock.now + InitServer.drainNanoseconds
    // A process that left the group may still hold the log: it goes with the run.
    work?.searchHolders(of: run.pumps.filter { !$0.isAtEnd }.map(\.pipe), until: run.cutAt)
    try? workTimer.set(Clock.now)
    draining.append(run)
    // Each run has its own second: an end after it must not put it off.
    if draining.count == 1 { try? drainTimer.set(run.cutAt) }
  }

  private func tellTrouble(of pump: LogPump, _ run: Run) {
    if let trouble = pump.takeTrouble() { tellTrouble(run.key, trouble) }
  }

  private func tellTrouble(_ key: RunKey, _ what: String) {
    if connections.isEmpty, untoldTroubles.count < InitServer.mostTroubles { untoldTroubles.append((key, what)) }
    tell(.logTrouble(key, what))
  }

  private func drainLog(_ run: Run, _ pump: LogPump, token: UInt64) {
    pump.pump(through: buffer)
    tellTrouble(of: pump, run)
    if pump.isAtEnd { unwatch(pump.pipe.rawValue, token: token) }
    if run.end != nil, !run.isRecorded, run.pumps.allSatisfy(\.isAtEnd) {
      conclude(run)
      reapAndTell()
    }
  }

  /// Streams whose run ended a while ago: what holds them cannot be reached, so they are closed.
  private func cutStreams() {
    while let run = draining.first, run.isRecorded || run.cutAt <= Clock.now {
      draining.removeFirst()
      // What many rotations have kept waiting.
      for pump in run.pumps { pump.drain(through: buffer, until: nil) }
      conclude(run)
    }
    try? drainTimer.set(draining.first?.cutAt)
    reapAndTell()
  }

  /// Writes the end down, then tells it.
  private func conclude(_ run: Run) {
    guard let record = run.end, !run.isRecorded else { return }
    run.isRecorded = true
    work?.forget(run.pumps.map(\.pipe))
    for pump in run.pumps { unwatch(pump.pipe.rawValue, token: pump.token) }
    run.pumps = []
    do throws(Errno) { try exits.write(record.frame) } catch {
      tellTrouble(run.key, "its end could not be written down: \(error)")
    }
    tell(.ended(record))
  }
}
