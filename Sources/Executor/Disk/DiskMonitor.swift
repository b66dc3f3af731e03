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
  private let poller: Poller
  private let timer: TimerDescriptor
  private var schedule: DiskSchedule
  private var worker: DiskWorker?
  private var began: UInt64 = 0
  private var hasWarned = false

  /// What takes a few milliseconds is not worth a process.
  private static let small = DiskTree.Bounds(entries: 2000, depth: 100)

  /// The monitor of a task; `nil` when it has no limit, or `--isolation` leaves `disk/du` out.
  static func make(
    _ task: TaskSpecification, _ settings: RunSettings, _ paths: TaskPaths, _ container: any Container,
    warn: @escaping (String) -> Void
  ) throws(Errno) -> DiskMonitor? {
    guard let limit = task.resources?.disk, limit > 0, settings.isolation.contains(DiskUsageLimit.name) else {
      return nil
    }
    return try DiskMonitor(limit: UInt64(limit), roots(paths, container), warn: warn)
  }

  /// Paths of the sandbox are shown as such, those of the writable layer as the container sees them.
  private static func roots(_ paths: TaskPaths, _ container: any Container) -> [DiskTree.Root] {
    let layer = container.writableLayer.flatMap { DiskTree.Root(label: "", path: $0) }
    return [DiskTree.Root(label: "sandbox", path: paths.sandbox), layer].compactMap { $0 }
  }

  init(limit: UInt64, _ roots: [DiskTree.Root], warn: @escaping (String) -> Void) throws(Errno) {
    self.limit = limit
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
    schedule = DiskSchedule(limit: limit, at: now, free: DiskMonitor.free(places))
    // At once: another executor may have begun the task, and an image's own command may not write at all.
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

  private func look() -> [TaskEvent] {
    switch schedule.look(at: Clock.now, free: DiskMonitor.free(places)) {
    case .wait(let instant):
      try? timer.set(instant)
      return []
    case .measure: return measure()
    }
  }

  private func measure() -> [TaskEvent] {
    began = Clock.now
    schedule.begin(free: DiskMonitor.free(places))
    if let found = DiskTree.measure(roots, DiskMonitor.small), found.deepest == nil { return judge(found) }
    do {
      let worker = try DiskWorker(roots)
      try poller.add(worker.output.rawValue, token: Source.worker.rawValue)
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
    try? poller.remove(worker.output.rawValue)
    self.worker = nil
    switch state {
    case .finished(let found): return judge(found)
    case .failed(let why): return fail(why)
    case .running: return []
    }
  }

  /// Says it once: what comes after it is the end of the task.
  private func judge(_ found: DiskMeasurement) -> [TaskEvent] {
    if let complaint = found.complaint(limit: limit) {
      return [.limitation(reason: Reason.disk, message: complaint)]
    }
    let now = Clock.now
    try? timer.set(schedule.measured(found.bytes, at: now, took: now - began))
    return []
  }

  private func fail(_ why: String) -> [TaskEvent] {
    if !hasWarned { warn("warning: the task's use of disk cannot be measured, it is tried again: \(why)") }
    hasWarned = true
    let now = Clock.now
    try? timer.set(schedule.failed(at: now, took: now - began))
    return []
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
