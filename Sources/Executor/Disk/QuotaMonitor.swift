import Glibc
import LinuxKernel
import TaskModel

/// Ends a task that takes more than its limit of disk, where a project quota counts it and keeps it from taking much more.
///
/// The quota says how much; the files are measured to say where it is. What the quota cannot see is looked for as well, see
/// `QuotaSchedule`.
final class QuotaMonitor: TaskMonitor {
  private enum Work {
    case none
    /// For what is not charged.
    case measuring
    /// It is over its limit, and what takes most is looked for.
    case naming(charged: UInt64)
    /// It has been said: what comes now is the end of the task.
    case done
  }

  private let quota: DiskQuota
  private let container: any Container
  private let warn: (String) -> Void
  private let scale: DiskScale
  private var schedule: QuotaSchedule
  private var work = Work.none
  private var began: UInt64 = 0
  private var hasWarned = false
  private var isLifted = false

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
    let now = Clock.now
    schedule = QuotaSchedule(
      limit: quota.limit, at: now, free: scale.free, charged: (try? quota.used()) ?? 0, isNew: isNew)
    scale.setTimer(now + (isNew ? 1_000_000_000 : 0))
  }

  var descriptor: Int32 { scale.descriptor }

  func takeEvents() -> [TaskEvent] {
    scale.takeEvents().flatMap { event in
      switch event {
      case .timer: look()
      case .ended(let result): collect(result)
      }
    }
  }

  var isExplaining: Bool { if case .naming = work { true } else { false } }

  /// What failed may have failed because nothing more could be written.
  func explainFailure() -> [TaskEvent] {
    switch work {
    case .none, .measuring:
      guard let charged = used(), charged > quota.limit else { return [] }
      return name(charged)
    case .naming, .done: return []
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
    case .naming(let charged):
      scale.abandon()
      return say(DiskMeasurement(bytes: charged, largest: []))
    case .done: return []
    }
    let charged = used()
    switch schedule.look(at: Clock.now, free: scale.free, charged: charged) {
    case .over: return name(charged ?? 0)
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
  private func name(_ charged: UInt64) -> [TaskEvent] {
    if case .measuring = work { scale.abandon() }
    work = .naming(charged: charged)
    do {
      if let found = try scale.begin(openFilesBelow: container.initPID) { return say(found, charged) }
      scale.setTimer(Clock.now + QuotaMonitor.patienceForNames)
      return []
    } catch {
      return say(DiskMeasurement(bytes: charged, largest: []))
    }
  }

  private func collect(_ result: Result<DiskMeasurement, DiskScale.WorkerFailure>) -> [TaskEvent] {
    switch (work, result) {
    case (.naming(let charged), .success(let found)): say(found, charged)
    case (.naming(let charged), .failure): say(DiskMeasurement(bytes: charged, largest: []))
    case (.measuring, .success(let found)): judge(found)
    case (.measuring, .failure(let failure)): fail(failure.reason)
    // Given up while it was ending.
    case (.none, _), (.done, _): []
    }
  }

  private func judge(_ found: DiskMeasurement) -> [TaskEvent] {
    if found.complaint(limit: quota.limit) != nil { return say(found) }
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

  private func say(_ found: DiskMeasurement, _ charged: UInt64? = nil) -> [TaskEvent] {
    work = .done
    scale.setTimer(nil)
    var found = found
    found.bytes = charged ?? found.bytes
    guard let complaint = found.complaint(limit: quota.limit) else { return [] }
    return [.limitation(reason: Reason.disk, message: complaint)]
  }
}
