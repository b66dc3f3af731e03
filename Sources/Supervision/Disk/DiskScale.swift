import Containers
import DiskUsage
import Glibc
import LaunchModel
import LinuxKernel
import TaskStore

/// Measures a task's files for a monitor: a small tree on the spot, a large one by a process beside this one, for the
/// supervisor must go on. The monitor's timer is here as well.
final class DiskScale {
  enum Event {
    case timer
    /// What `watch` was given is readable.
    case watched
    /// What became of a measurement that a worker had.
    case ended(Result<DiskMeasurement, WorkerFailure>)
  }

  struct WorkerFailure: Error { let reason: String }

  private enum Source: UInt64 { case timer, worker, watched, abandoned }

  private var roots: [DiskTree.Root]
  /// What `console` processes wrote and nobody has seen yet; there when one has begun.
  private let console: String
  private let counted: DiskTree.Counted
  /// The task does not answer for it.
  private let copy: CopiedRoot?
  /// A root on each file system.
  private let places: [SharedDescriptor]
  private let poller: Poller
  private let timer: TimerDescriptor
  private let program: String
  /// The only user whose files the task can make; `nil` where it may make anybody's.
  private let user: UInt32?
  private var worker: DiskWorker?
  private var abandoned: [DiskWorker] = []

  /// What takes a few milliseconds is not worth a process. What a process has open is: it can have who looks wait for its locks.
  private static let small = DiskTree.Bounds(entries: 2000, depth: 100, names: 4 << 20)

  /// - Parameter program: what measures large trees.
  init(
    _ paths: TaskPaths, _ container: any Container, counting counted: DiskTree.Counted = .blocks,
    program: String = CurrentProcess.program
  ) throws(Errno) {
    self.counted = counted
    self.program = program
    copy = container.plan.copiedRoot
    // Root gives files away, and so may who gains privileges by what it executes.
    let restrictions = container.plan.restrictions
    let isPlain = restrictions.identity.uid != 0 && restrictions.noNewPrivileges
    user = isPlain ? restrictions.identity.uid : nil
    // Paths of the sandbox are shown as such, those of the writable layer as the container sees them.
    var roots = [try DiskTree.Root(label: "sandbox", path: paths.sandbox)]
    // An engine's may be where this host does not see it.
    if let layer = container.writableLayer, let root = try? DiskTree.Root(label: "", path: layer) { roots.append(root) }
    roots += container.foreignFiles
    // What init and the supervisor write for the task: its journal and the record of exits grow with each of its runs.
    roots.append(try DiskTree.Root(label: DiskTree.Root.record, path: paths.task))
    roots.append(try DiskTree.Root(label: "logs", path: paths.logs))
    self.roots = roots
    console = paths.console
    var devices: [UInt64] = []
    // The logs first: where a directory is charged to a project, the file system says what that has left.
    places = roots.reversed().map(\.directory).filter { root in
      guard let device = (try? status(of: root.rawValue))?.device, !devices.contains(device) else { return false }
      devices.append(device)
      return true
    }
    poller = try Poller()
    timer = try TimerDescriptor()
    try poller.add(timer.descriptor.rawValue, token: Source.timer.rawValue)
  }

  /// Readable when there is something for `takeEvents`.
  var descriptor: Int32 { poller.number }

  /// Another descriptor to watch.
  func watch(_ descriptor: Int32) throws(Errno) { try poller.add(descriptor, token: Source.watched.rawValue) }

  func unwatch(_ descriptor: Int32) { try? poller.remove(descriptor) }

  func setTimer(_ instant: UInt64?) { bestEffort("set the timer of the disk's measuring") { try timer.set(instant) } }

  func takeEvents() -> [Event] {
    var events: [Event] = []
    for event in (try? poller.wait(timeoutMilliseconds: 0)) ?? [] {
      switch Source(rawValue: event.token) {
      case .timer:
        timer.acknowledge()
        events.append(.timer)
      case .worker: if let ended = take() { events.append(.ended(ended)) }
      case .watched: events.append(.watched)
      case .abandoned: abandoned.removeAll { $0.hasEnded() }
      case nil: break
      }
    }
    return events
  }

  /// Whether a worker is at it.
  var isBusy: Bool { worker != nil }

  /// What there is on the file systems of the files.
  struct Space {
    /// Bytes; `nil` when one cannot say: then only measuring tells.
    var free: UInt64?
    /// Inodes, by the number of those that are taken: how many there could still be changes with every byte on some.
    var freeFiles: UInt64
  }

  var space: Space {
    var found = Space(free: 0, freeFiles: 1 << 61)
    for place in places {
      let space = try? LinuxKernel.space(of: place.rawValue)
      found.freeFiles -= min(found.freeFiles, space?.inodes ?? 0)
      guard let space, space.total > 0, let free = found.free else {
        found.free = nil
        continue
      }
      found.free = free + min(space.free, 1 << 60)
    }
    return found
  }

  /// Begins to measure. What it returns is the result; `nil` when a worker has it, of which `takeEvents` will tell.
  ///
  /// - Parameters:
  ///   - process: the init of the task's processes, to count what they hold open without a name, too.
  ///   - limit: what names alone may take for that to be looked for.
  ///   - end: until when it is looked for.
  func begin(openFilesBelow process: Int32?, limit: UInt64? = nil, until end: UInt64 = .max) throws -> DiskMeasurement?
  {
    let bounds = DiskScale.small
    if !roots.contains(where: { $0.label == "console" }), let root = try? DiskTree.Root(label: "console", path: console)
    {
      roots.append(root)
    }
    if let found = try DiskTree.measure(roots, bounds, counting: counted)?.sparing(copy), found.obstacle == nil {
      // What is too much already needs no search, and where there are no processes there is nothing to search.
      let isEnough = limit.map { found.bytes > $0 } ?? false
      guard let process, !isEnough, OpenFiles.hasProcesses(below: process) else { return found }
    }
    let worker = try DiskWorker(
      roots, counting: counted, openFilesBelow: process, madeBy: user,
      limit: limit.map { $0 + (copy?.bytes ?? 0) }, until: end, program: program)
    try poller.add(worker.output.rawValue, token: Source.worker.rawValue)
    self.worker = worker
    return nil
  }

  /// What the worker has said; `nil` while it has not ended.
  private func take() -> Result<DiskMeasurement, WorkerFailure>? {
    guard let worker else { return nil }
    switch worker.take() {
    case .running: return nil
    case .finished(let found):
      forgetWorker()
      return .success(found.sparing(copy))
    case .failed(let why):
      forgetWorker()
      return .failure(WorkerFailure(reason: why))
    }
  }

  /// Gives the worker up.
  func abandon() {
    if let worker {
      worker.abandon()
      // Removed from the poller by closing it, with the last of what is kept of it.
      bestEffort("wait for the end of a worker that measured the disk") {
        try poller.add(worker.end, token: Source.abandoned.rawValue)
      }
      abandoned.append(worker)
    }
    forgetWorker()
  }

  private func forgetWorker() {
    if let worker { try? poller.remove(worker.output.rawValue) }
    worker = nil
  }
}
