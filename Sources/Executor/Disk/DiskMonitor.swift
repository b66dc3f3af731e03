import Glibc
import Isolators
import LinuxKernel
import TaskModel

/// Ends a task whose files take more than its limit of disk: its sandbox, and what its container writes elsewhere.
///
/// A small tree is measured on the spot; a large one by a process beside this one, for the supervisor must go on.
final class DiskMonitor: TaskMonitor {
  private enum Source: UInt64 { case timer, worker }

  private let limit: UInt64
  private let roots: [DiskTree.Root]
  /// One root of each file system.
  private let places: [SharedDescriptor]
  private let warn: (String) -> Void
  private let container: any Container
  private let poller: Poller
  private let timer: TimerDescriptor
  private var schedule: DiskSchedule
  private var worker: DiskWorker?
  private var began: UInt64 = 0
  private var care = DiskSchedule.Care.plain
  private var hasWarned = false

  /// What takes a few milliseconds is not worth a process.
  private static let small = DiskTree.Bounds(entries: 2000, depth: 100)
  /// How long a measurement may last: one that hangs is a measurement that failed.
  private static let patience: UInt64 = 300_000_000_000
  /// How long the task may be stopped for one.
  private static let longestStill: UInt64 = 2_000_000_000

  /// The monitor of a task; `nil` when it has no limit, or `--isolation` leaves `disk/du` out.
  static func make(
    _ task: TaskSpecification, _ settings: RunSettings, _ paths: TaskPaths, _ container: any Container, isNew: Bool,
    warn: @escaping (String) -> Void
  ) throws(Errno) -> DiskMonitor? {
    guard let limit = task.resources?.disk, limit > 0, settings.isolation.contains(DiskUsageLimit.name) else {
      return nil
    }
    // An executor before this one may have ended while it held the task.
    container.thaw()
    return try DiskMonitor(limit: UInt64(limit), roots(paths, container), container, isNew: isNew, warn: warn)
  }

  /// Paths of the sandbox are shown as such, those of the writable layer as the container sees them.
  private static func roots(_ paths: TaskPaths, _ container: any Container) throws(Errno) -> [DiskTree.Root] {
    var roots = [try DiskTree.Root(label: "sandbox", path: paths.sandbox)]
    // An engine's may be where this host does not see it.
    if let layer = container.writableLayer, let root = try? DiskTree.Root(label: "", path: layer) { roots.append(root) }
    return roots
  }

  init(
    limit: UInt64, _ roots: [DiskTree.Root], _ container: any Container, isNew: Bool, warn: @escaping (String) -> Void
  )
    throws(Errno)
  {
    self.limit = limit
    self.container = container
    self.roots = roots
    self.warn = warn
    var devices: Set<UInt64> = []
    places = roots.map(\.directory).filter { root in
      (try? status(of: root.rawValue)).map { devices.insert($0.device).inserted } ?? false
    }
    poller = try Poller()
    timer = try TimerDescriptor()
    try poller.add(timer.descriptor.rawValue, token: Source.timer.rawValue)
    let now = Clock.now
    schedule = DiskSchedule(limit: limit, at: now, free: DiskMonitor.free(places), isNew: isNew)
    // Soon: another executor may have begun the task.
    try timer.set(now + 1_000_000_000)
  }

  var descriptor: Int32 { poller.number }

  func takeEvents() -> [TaskEvent] {
    var events: [TaskEvent] = []
    for event in (try? poller.wait(timeoutMilliseconds: 0)) ?? [] {
      switch Source(rawValue: event.token) {
      case .timer:
        timer.acknowledge()
        events += look()
      case .worker: events += collect()
      case nil: break
      }
    }
    return events
  }

  deinit { if care == .still { container.thaw() } }

  private func look() -> [TaskEvent] {
    if worker != nil { return giveUp() }
    switch schedule.look(at: Clock.now, free: DiskMonitor.free(places)) {
    case .wait(let instant):
      try? timer.set(instant)
      return []
    case .measure: return measure()
    }
  }

  private func measure() -> [TaskEvent] {
    began = Clock.now
    care = schedule.begin(at: began, free: DiskMonitor.free(places))
    if care == .still, !container.freeze() {
      schedule.heldOff(at: began)
      care = .thorough
    }
    let process = care == .plain ? nil : container.initPID
    do {
      if let found = try DiskTree.measure(roots, DiskMonitor.small, openFilesBelow: process), found.obstacle == nil {
        return judge(found)
      }
      let worker = try DiskWorker(roots, openFilesBelow: process)
      try poller.add(worker.output.rawValue, token: Source.worker.rawValue)
      try timer.set(began + (care == .still ? DiskMonitor.longestStill : DiskMonitor.patience))
      self.worker = worker
      return []
    } catch {
      return fail("\(error)")
    }
  }

  private func collect() -> [TaskEvent] {
    guard let worker else { return [] }
    let state = worker.take()
    if case .running = state { return [] }
    forgetWorker()
    switch state {
    case .finished(let found): return judge(found)
    case .failed(let why): return fail(why)
    case .running: return []
    }
  }

  /// The time of the worker is up.
  private func giveUp() -> [TaskEvent] {
    worker?.abandon()
    forgetWorker()
    guard care == .still else { return fail("it takes too long") }
    // Too many files to stop the task for: it goes on, and is measured as it is.
    container.thaw()
    care = .thorough
    let now = Clock.now
    schedule.heldOff(at: now)
    schedule.abandoned()
    try? timer.set(now)
    return []
  }

  private func forgetWorker() {
    if let worker { try? poller.remove(worker.output.rawValue) }
    worker = nil
  }

  /// Says it once: what comes after it is the end of the task.
  private func judge(_ found: DiskMeasurement) -> [TaskEvent] {
    let wasStill = goOn()
    if let complaint = found.complaint(limit: limit) {
      return [.limitation(reason: Reason.disk, message: complaint)]
    }
    let now = Clock.now
    let next =
      wasStill
      ? schedule.measuredStill(found.bytes, at: now, took: now - began)
      : schedule.measured(found.bytes, isDoubtful: found.isChanging, at: now, took: now - began)
    try? timer.set(next)
    return []
  }

  private func fail(_ why: String) -> [TaskEvent] {
    _ = goOn()
    if !hasWarned { warn("warning: the task's use of disk cannot be measured, it is tried again: \(why)") }
    hasWarned = true
    let now = Clock.now
    guard let next = schedule.failed(at: now, took: now - began) else {
      return [.limitation(reason: Reason.disk, message: DiskMeasurement.unknown(why, limit: limit))]
    }
    try? timer.set(next)
    return []
  }

  /// Lets the task go on. True when it was stopped.
  private func goOn() -> Bool {
    guard care == .still else { return false }
    container.thaw()
    care = .plain
    return true
  }

  /// `nil` when a file system cannot say: then only measuring tells.
  private static func free(_ places: [SharedDescriptor]) -> UInt64? {
    var sum: UInt64 = 0
    for place in places {
      guard let space = try? space(of: place.rawValue), space.total > 0 else { return nil }
      sum += min(space.free, 1 << 60)
    }
    return sum
  }
}
