import Glibc
import LinuxKernel
import TaskModel

/// Ends a task that takes more than its limit of disk, where a project quota counts it and keeps it from taking much more.
///
/// The kernel warns when the limit is passed, and when something is refused; where it cannot be heard the quota is asked now
/// and then. The quota says how much; the files are measured to say where it is. What the quota cannot see is looked for as
/// well, see `QuotaSchedule`.
final class QuotaMonitor: TaskMonitor {
  private enum Work {
    case none
    /// For what is not charged.
    case measuring
    /// It is over its limit, and what takes most is looked for.
    case naming(Excess)
    /// It has been said: what comes now is the end of the task.
    case done
  }

  private enum Excess {
    case charged(UInt64)
    /// What is there now is within the limit, and a run has failed after something was refused: it has cleaned up behind it.
    case refused
  }

  private let quota: DiskQuota
  private let warnings: QuotaWarnings?
  private let container: any Container
  private let warn: (String) -> Void
  private let scale: DiskScale
  private var schedule: QuotaSchedule
  private var work = Work.none
  private var began: UInt64 = 0
  private var hasWarned = false
  private var isLifted = false
  /// Something was refused since the last run ended.
  private var wasRefused = false

  /// How long a measurement may last, and one that the end of the task waits for.
  private static let patience: UInt64 = 300_000_000_000
  private static let patienceForNames: UInt64 = 10_000_000_000

  init(
    _ quota: DiskQuota, _ paths: TaskPaths, _ container: any Container, isNew: Bool, warn: @escaping (String) -> Void
  )
    throws(Errno)
  {
    self.quota = quota
    self.container = container
    self.warn = warn
    scale = try DiskScale(paths, container)
    warnings = try? QuotaWarnings(project: quota.project)
    if let warnings { try scale.watch(warnings.descriptor) }
    let now = Clock.now
    schedule = QuotaSchedule(
      limit: quota.limit, at: now, free: scale.free, charged: (try? quota.used()) ?? 0, isNew: isNew,
      isWarned: warnings != nil)
    // What another executor has not seen is looked at at once.
    scale.setTimer(isNew ? schedule.firstLook(at: now) : now)
  }

  var descriptor: Int32 { scale.descriptor }

  func takeEvents() -> [TaskEvent] {
    scale.takeEvents().flatMap { (event) -> [TaskEvent] in
      switch event {
      case .timer: look()
      case .watched: heed()
      case .ended(let result): collect(result)
      }
    }
  }

  var isExplaining: Bool { if case .naming = work { true } else { false } }

  /// What failed may have failed because nothing more could be written. What it survived is not the reason of a later failure.
  func explainEnd(isFailure: Bool) -> [TaskEvent] {
    var events = heed()
    switch work {
    case .none, .measuring:
      if isFailure, let charged = used(), charged > quota.limit {
        events += name(.charged(charged))
      } else if isFailure, wasRefused {
        events += name(.refused)
      }
    case .naming, .done: break
    }
    wasRefused = false
    return events
  }

  /// Takes the kernel's warnings. A soft limit that was passed, and is not any more, is no reason for anything.
  private func heed() -> [TaskEvent] {
    let found = warnings?.take(device: quota.device) ?? []
    if found.contains(where: \.isRefusal) { wasRefused = true }
    guard !found.isEmpty, !isOver, let charged = used(), charged > quota.limit else { return [] }
    return name(.charged(charged))
  }

  private var isOver: Bool {
    switch work {
    case .none, .measuring: false
    case .naming, .done: true
    }
  }

  /// Final processes are not limited any more.
  func follow(_ phase: TaskMachine.Phase) {
    guard !isLifted, phase == .finalizing || phase == .terminal else { return }
    isLifted = true
    work = .done
    scale.abandon()
    scale.setTimer(nil)
    do throws(Errno) { try quota.lift() } catch {
      warn("warning: the disk limit stays while final processes run: \(error)")
    }
  }

  private func look() -> [TaskEvent] {
    switch work {
    case .none: break
    case .measuring:
      scale.abandon()
      return fail("it takes too long")
    case .naming(let excess):
      scale.abandon()
      return say(excess, [])
    case .done: return []
    }
    let charged = used()
    switch schedule.look(at: Clock.now, free: scale.free, charged: charged) {
    case .over: return name(.charged(charged ?? 0))
    case .measure: return measure()
    case .wait(let instant):
      scale.setTimer(instant)
      return []
    }
  }

  /// What is charged; `nil` when that cannot be told any more, somebody may have switched the quotas off.
  private func used() -> UInt64? {
    do throws(Errno) { return try quota.used() } catch {
      if !hasWarned { warn("warning: the task's disk quota cannot be asked, its files are measured: \(error)") }
      hasWarned = true
      return nil
    }
  }

  private func measure() -> [TaskEvent] {
    began = Clock.now
    schedule.begin()
    work = .measuring
    do {
      if let found = try scale.begin(openFilesBelow: container.initPID) { return judge(found) }
      scale.setTimer(began + QuotaMonitor.patience)
      return []
    } catch {
      return fail("\(error)")
    }
  }

  /// Looks for what takes most, and says that the limit is exceeded.
  private func name(_ excess: Excess) -> [TaskEvent] {
    if case .measuring = work { scale.abandon() }
    work = .naming(excess)
    do {
      if let found = try scale.begin(openFilesBelow: container.initPID) { return say(excess, found.largest) }
      scale.setTimer(Clock.now + QuotaMonitor.patienceForNames)
      return []
    } catch {
      return say(excess, [])
    }
  }

  private func collect(_ result: Result<DiskMeasurement, DiskScale.WorkerFailure>) -> [TaskEvent] {
    switch (work, result) {
    case (.naming(let excess), .success(let found)): say(excess, found.largest)
    case (.naming(let excess), .failure): say(excess, [])
    case (.measuring, .success(let found)): judge(found)
    case (.measuring, .failure(let failure)): fail(failure.reason)
    // Given up while it was ending.
    case (.none, _), (.done, _): []
    }
  }

  private func judge(_ found: DiskMeasurement) -> [TaskEvent] {
    if let complaint = found.complaint(limit: quota.limit) { return say(complaint) }
    work = .none
    let now = Clock.now
    scale.setTimer(schedule.measured(found.bytes, isDoubtful: found.isChanging, at: now, took: now - began))
    return []
  }

  private func fail(_ why: String) -> [TaskEvent] {
    if !hasWarned { warn("warning: the task's use of disk cannot be measured, it is tried again: \(why)") }
    hasWarned = true
    work = .none
    let now = Clock.now
    scale.setTimer(schedule.failed(at: now, took: now - began))
    return []
  }

  private func say(_ excess: Excess, _ largest: [DiskMeasurement.Item]) -> [TaskEvent] {
    switch excess {
    case .charged(let bytes): say(DiskMeasurement(bytes: bytes, largest: largest).excess(quota.limit))
    case .refused: say(DiskMeasurement.refused(quota.limit, quota.hardLimit, largest))
    }
  }

  private func say(_ message: String) -> [TaskEvent] {
    work = .done
    scale.setTimer(nil)
    return [.limitation(reason: Reason.disk, message: message)]
  }
}
