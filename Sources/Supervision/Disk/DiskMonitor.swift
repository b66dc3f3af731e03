import Containers
import DiskUsage
import Glibc
import LinuxKernel
import TaskModel
import TaskStore

/// Ends a task whose files take more than its limit of disk: its sandbox, what its container writes elsewhere, and its
/// logs. By measuring, where there is no quota (`QuotaMonitor`).
final class DiskMonitor: TaskMonitor {
  private let limit: UInt64
  private let warn: (String) -> Void
  private let container: any Container
  private let scale: DiskScale
  private let standstill: Standstill?
  private var schedule: DiskSchedules
  private var began: UInt64 = 0
  private var care = DiskSchedule.Care.plain
  /// Until when it is waited for that the task has stopped; `nil` when it is not waited for.
  private var stopsUntil: UInt64?
  /// Whether all of it had stopped when the measurement at hand began.
  private var hasStopped = false
  /// Until when it is known that it cannot be told to stop.
  private var cannotStopUntil: UInt64 = 0
  /// Measurements of the stopped task in a row whose time was up before all open files were looked at.
  private var cuts = 0
  private var hasEnded = false
  private var isRepeated = false
  private var hasWarned = false

  /// How long a measurement may last: one that hangs is a measurement that failed.
  private static let timeout: UInt64 = 300_000_000_000
  /// How long the task may be stopped for one, and how much of that it may take to stop.
  private static let longestStill: UInt64 = 2_000_000_000
  private static let longestStop: UInt64 = 1_000_000_000
  private static let betweenLooks: UInt64 = 5_000_000
  /// A worker has this time to say what it has found.
  private static let lastMoment: UInt64 = 300_000_000
  private static let cutsBeforeEnd = 5
  private static let betweenAttempts: UInt64 = 60_000_000_000

  /// - Parameters:
  ///   - scale: measures the task's files.
  ///   - standstill: is told when the task is stopped for that, and when it goes on.
  init(
    limit: UInt64, _ scale: DiskScale, _ container: any Container, _ standstill: Standstill? = nil, isNew: Bool,
    warn: @escaping (String) -> Void
  ) throws(Errno) {
    self.limit = limit
    self.container = container
    self.warn = warn
    self.scale = scale
    self.standstill = standstill
    let now = Clock.now
    schedule = DiskSchedules(limit: limit, at: now, scale.space, isNew: isNew)
    // Soon: another executor may have begun the task.
    scale.setTimer(now + 1_000_000_000)
  }

  var descriptor: Int32 { scale.descriptor }

  func takeEvents() -> [TaskEvent] {
    scale.takeEvents().flatMap { (event) -> [TaskEvent] in
      guard !hasEnded else { return [] }
      return switch event {
      case .timer: look()
      case .watched: []
      case .ended(.success(let found)): judge(found)
      case .ended(.failure(let failure)): fail(failure.reason)
      }
    }
  }

  deinit { if care == .still { container.thaw() } }

  /// What is written at the end ends no task any more, and the time to end is not for being stopped.
  func follow(_ phase: TaskMachine.Phase) {
    guard phase != .starting, phase != .active else { return }
    if scale.isBusy { scale.abandon() }
    _ = goOn()
    hasEnded = true
    scale.setTimer(nil)
  }

  private func look() -> [TaskEvent] {
    if scale.isBusy { return giveUp() }
    if stopsUntil != nil { return awaitStop() }
    switch schedule.look(at: Clock.now, scale.space) {
    case .wait(let instant):
      scale.setTimer(instant)
      return []
    case .measure: return measure()
    }
  }

  /// - Parameter isStill: with the task stopped, whatever the schedule says.
  private func measure(isStill: Bool = false) -> [TaskEvent] {
    began = Clock.now
    // What was lost since the last look is part of what this one is to explain.
    if isStill { _ = schedule.look(at: began, scale.space) }
    care = schedule.begin(at: began, scale.space)
    if isStill {
      care = .still
      schedule.insistsOnStill()
    }
    guard care == .still else { return begin() }
    guard container.freeze() else {
      cannotStopUntil = began + DiskMonitor.betweenAttempts
      schedule.heldOff(at: began)
      care = .thorough
      return begin()
    }
    standstill?.begin()
    stopsUntil = began + DiskMonitor.longestStop
    return awaitStop()
  }

  /// Whoever is in a system call that cannot be interrupted stops when that is done, and does nothing else before. So it is not
  /// waited for without end.
  private func awaitStop() -> [TaskEvent] {
    let now = Clock.now
    hasStopped = container.isFrozen
    if !hasStopped, let stopsUntil, now < stopsUntil {
      scale.setTimer(min(stopsUntil, now + DiskMonitor.betweenLooks))
      return []
    }
    stopsUntil = nil
    return begin()
  }

  private func begin() -> [TaskEvent] {
    do {
      let end = care == .still ? began + DiskMonitor.longestStill - DiskMonitor.lastMoment : .max
      let process = care == .plain ? nil : container.initPID
      if let found = try scale.begin(openFilesBelow: process, limit: limit, until: end) { return judge(found) }
      scale.setTimer(began + (care == .still ? DiskMonitor.longestStill : DiskMonitor.timeout))
      return []
    } catch {
      return fail("\(error)")
    }
  }

  /// The time of the worker is up.
  private func giveUp() -> [TaskEvent] {
    scale.abandon()
    guard care == .still else { return fail("it takes too long") }
    // Too many files to stop the task for: it goes on, and is measured as it is.
    thaw()
    care = .thorough
    let now = Clock.now
    schedule.heldOff(at: now)
    schedule.abandoned()
    scale.setTimer(now)
    return []
  }

  /// Says it once: what comes after it is the end of the task.
  private func judge(_ found: DiskMeasurement) -> [TaskEvent] {
    let isPlain = care == .plain
    let wasStill = goOn()
    if let complaint = found.complaint(limit: limit) {
      // Of what changes, something may have been met twice.
      guard found.isChanging, !wasStill, !isRepeated else {
        return [.limitation(reason: Reason.disk, message: complaint)]
      }
      isRepeated = true
      schedule.abandoned()
      return measure(isStill: true)
    }
    isRepeated = false
    // Who has so many files that the walk takes most of the time is not to blame for that.
    if wasStill { cuts = found.isCut && found.walked < DiskMonitor.longestStill / 2 ? cuts + 1 : 0 }
    guard cuts < DiskMonitor.cutsBeforeEnd else { return endBySearch() }
    let now = Clock.now
    let next: UInt64
    if wasStill, !found.isCut, hasStopped || !found.isChanging {
      next = schedule.measuredStill(found, at: now, took: now - began)
    } else {
      if wasStill { schedule.heldOff(at: now, isBrief: found.isHeldUp) }
      let mayHideSome = now >= cannotStopUntil && !isPlain
      next = schedule.measured(found, isDoubtful: found.isChanging || mayHideSome, at: now, took: now - began)
    }
    scale.setTimer(next)
    return []
  }

  private func endBySearch() -> [TaskEvent] {
    let why = "its processes have too many files open to look for those without a name"
    return [.limitation(reason: Reason.disk, message: DiskMeasurement.unknown(why, limit: limit))]
  }

  private func fail(_ why: String) -> [TaskEvent] {
    _ = goOn()
    if !hasWarned { warn("warning: the task's use of disk cannot be measured, it is tried again: \(why)") }
    hasWarned = true
    let now = Clock.now
    guard let next = schedule.failed(at: now, took: now - began) else {
      return [.limitation(reason: Reason.disk, message: DiskMeasurement.unknown(why, limit: limit))]
    }
    scale.setTimer(next)
    return []
  }

  /// Lets the task go on. True when it was stopped.
  private func goOn() -> Bool {
    guard care == .still else { return false }
    thaw()
    (care, stopsUntil) = (.plain, nil)
    return true
  }

  private func thaw() {
    container.thaw()
    standstill?.end()
  }
}
