import Glibc
import LaunchModel
import LinuxKernel

/// What init does once its container stands: starts, reaps and reports every process, and pumps their logs.
///
/// One thread, one poller. It keeps on when the executor goes away, and tells the next one what it missed. What is here is its
/// state and its loop; what it does is with who it does it for: connections, runs, all processes.
final class InitServer {
  let starter: ProcessStarter
  let tree: ProcessTree
  let exits: ExitFile
  let poller: Poller
  var listener: (socket: SharedDescriptor, token: UInt64)
  let entrance: InitEntrance
  let signals: FileDescriptor
  let drainTimer: TimerDescriptor
  let strayTimer: TimerDescriptor
  let workTimer: TimerDescriptor
  var work: TreeWork?
  private var sources = EventSources()
  var runs = RunTable()
  /// Runs that have ended and whose streams had not, the one that is to be cut off first first.
  var draining: [Run] = []
  var connections: [(channel: InitChannel, token: UInt64)] = []
  var spare: SharedDescriptor?
  let null: SharedDescriptor
  /// Every stream goes through this one: what init holds does not grow with the processes.
  let buffer = TransferBuffer(capacity: LogPump.chunk)
  var owesAllGone = false
  /// Set when the executor has asked strays to end: it is told how many are left.
  var tellsStrays = false
  var straysTold: Int?
  var toldStraysAt: UInt64 = 0
  /// A signal that asked for the end while no executor was there to hear of it: the next one does.
  var untoldStop: Int32?
  /// The same of what could not be written, the first of it.
  var untoldTroubles: [(RunKey, String)] = []

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

  func watch(_ number: Int32, _ source: EventSources.Source) throws(Errno) -> UInt64 {
    let token = sources.add(source)
    do throws(Errno) { try poller.add(number, token: token) } catch {
      sources.remove(token)
      throw error
    }
    return token
  }

  func unwatch(_ number: Int32, token: UInt64) {
    sources.remove(token)
    try? poller.remove(number)
  }
}
