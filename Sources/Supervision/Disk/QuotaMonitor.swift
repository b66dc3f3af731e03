import Containers
import DiskUsage
import Glibc
import LinuxKernel
import TaskModel
import TaskStore

/// Ends a task that takes more than its limit of disk, where a project quota counts it and keeps it from taking much more.
///
/// The kernel warns when the limit is passed, and when something is refused; where it cannot be heard the quota is asked now
/// and then. The quota says how much; the files are measured to say where it is, and on XFS whether it is theirs
/// (`DiskQuota.isExact`). What the quota cannot see is looked for as well, see `QuotaSchedule`.
final class QuotaMonitor: TaskMonitor {
  private enum Work {
    case waiting
    /// For what is not charged.
    case measuring
    /// For what takes most.
    case naming(Excess)
    /// The task ends, and is not limited any more.
    case done
  }

  /// Why the task may be over its limit.
  private struct Excess {
    var charged: UInt64
    /// A run has failed just after something was refused to it. It may have cleaned up behind it.
    var wasRefused = false
    /// The end of a run waits for it.
    var isAwaited = false
  }

  private let quota: any DiskCharge
  private let warnings: QuotaWarnings?
  private let refusals: QuotaWarnings?
  private let container: any Container
  private let warn: (String) -> Void
  private let scale: DiskScale
  private var schedule: QuotaSchedule
  private var work = Work.waiting
  private var began: UInt64 = 0
  private var refusedAt: UInt64?
  private var isListening = false
  private var alarmPause = QuotaMonitor.second
  private var hasWarned = false

  private static let second: UInt64 = 1_000_000_000
  /// How long a measurement may last, and one that the end of the task waits for.
  private static let timeout = 300 * second
  private static let timeoutOfEnds = 10 * second
  /// A failure so long after something was refused, to whichever process, has another reason.
  private static let refusalMatters = 10 * second
  private static let longestAlarmPause = 14 * second

  /// - Parameters:
  ///   - scale: measures the task's files, as the quota counts them.
  ///   - chargesLogs: whether the logs are charged to the task.
  init(
    _ quota: any DiskCharge, _ scale: DiskScale, _ container: any Container, isNew: Bool, chargesLogs: Bool,
    warn: @escaping (String) -> Void
  ) throws(Errno) {
    self.quota = quota
    self.container = container
    self.warn = warn
    self.scale = scale
    let what = "hear of the warnings of the disk's project \(quota.project)"
    warnings = bestEffort(what) { try QuotaWarnings(project: quota.project, refusals: false) }
    refusals = bestEffort(what) { try QuotaWarnings(project: quota.project, refusals: true) }
    let now = Clock.now
    schedule = QuotaSchedule(
      limit: quota.limit, at: now, free: scale.space.free, charged: (try? quota.usage().bytes) ?? 0, isNew: isNew,
      isWarned: warnings != nil && chargesLogs)
    // What another executor has not seen is looked at at once.
    scale.setTimer(isNew ? schedule.firstLook(at: now) : now)
    listen(true)
    if let refusals { bestEffort(what) { try scale.watch(refusals.descriptor) } }
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

  var isExplaining: Bool { if case .naming(let excess) = work { excess.isAwaited } else { false } }

  /// What failed may have failed because nothing more could be written.
  func explainEnd(isFailure: Bool) -> [TaskEvent] {
    let events = heed()
    guard events.isEmpty else { return events }
    let wasRefused = isFailure && refusedAt.map { Clock.now - $0 < QuotaMonitor.refusalMatters } ?? false
    let tooMany = isFailure ? sayTooMany() : []
    guard tooMany.isEmpty else { return tooMany }
    switch work {
    case .waiting, .measuring:
      guard isFailure, let charged = used(), charged > quota.limit || wasRefused else { return [] }
      return name(Excess(charged: charged, wasRefused: wasRefused, isAwaited: true))
    case .naming(var excess):
      // What is set aside is no reason to keep a success waiting.
      guard isFailure || quota.isExact else { return [] }
      excess.wasRefused = excess.wasRefused || wasRefused
      if !excess.isAwaited { scale.setTimer(Clock.now + QuotaMonitor.timeoutOfEnds) }
      excess.isAwaited = true
      work = .naming(excess)
      return []
    case .done: return []
    }
  }

  /// Final processes have room that the task had not.
  func follow(_ phase: TaskMachine.Phase) {
    guard phase == .finalizing || phase == .terminal else { return }
    stop()
    do throws(Errno) { try quota.loosen() } catch {
      warn("warning: the disk limit stays as it is while final processes run: \(error)")
    }
  }

  // MARK: What happens

  private func look() -> [TaskEvent] {
    switch work {
    case .waiting: break
    case .measuring:
      scale.abandon()
      return fail("it takes too long")
    case .naming(let excess):
      scale.abandon()
      return decide(excess, nil)
    case .done: return []
    }
    let tooMany = sayTooMany()
    guard tooMany.isEmpty else { return tooMany }
    listen(true)
    let charged = used()
    switch schedule.look(at: Clock.now, free: scale.space.free, charged: charged) {
    case .over: return name(Excess(charged: charged ?? 0))
    case .measure: return measure()
    case .wait(let instant):
      alarmPause = QuotaMonitor.second
      scale.setTimer(instant)
      return []
    }
  }

  /// Takes the kernel's warnings. A limit that was passed, and is not any more, is no reason for anything.
  private func heed() -> [TaskEvent] {
    if refusals?.take(device: quota.device).isEmpty == false { refusedAt = Clock.now }
    guard isListening, warnings?.take(device: quota.device).isEmpty == false else { return [] }
    let tooMany = sayTooMany()
    guard tooMany.isEmpty, let charged = used(), charged > quota.limit else { return tooMany }
    return name(Excess(charged: charged))
  }

  /// Of inodes the quota says all that there is to say.
  private func sayTooMany() -> [TaskEvent] {
    if case .done = work { return [] }
    guard let files = (try? quota.usage())?.inodes, files > DiskMeasurement.mostFiles(quota.limit) else { return [] }
    return say(DiskMeasurement.tooMany(files, limit: quota.limit))
  }

  /// XFS warns each time that something is written beyond the limit: not while nothing would follow from it.
  private func listen(_ on: Bool) {
    guard let warnings, isListening != on else { return }
    isListening = on
    guard on else { return scale.unwatch(warnings.descriptor) }
    bestEffort("hear of the warnings of the disk's project \(quota.project)") {
      try scale.watch(warnings.descriptor)
    }
  }

  /// What is charged; `nil` when that cannot be told any more: somebody may have switched the quotas off.
  private func used() -> UInt64? {
    do throws(Errno) { return try quota.usage().bytes } catch {
      warnOnce("the task's disk quota cannot be asked, its files are measured: \(error)")
      return nil
    }
  }

  private func warnOnce(_ what: String) {
    if !hasWarned { warn("warning: " + what) }
    hasWarned = true
  }

  // MARK: Measuring

  private func measure() -> [TaskEvent] {
    began = Clock.now
    schedule.begin()
    work = .measuring
    do {
      if let found = try scale.begin(openFilesBelow: container.initPID, limit: quota.limit) { return judge(found) }
      scale.setTimer(began + QuotaMonitor.timeout)
      return []
    } catch {
      return fail("\(error)")
    }
  }

  private func name(_ excess: Excess) -> [TaskEvent] {
    if case .measuring = work { scale.abandon() }
    began = Clock.now
    work = .naming(excess)
    listen(false)
    do {
      if let found = try scale.begin(openFilesBelow: container.initPID, limit: quota.limit) {
        return decide(excess, found)
      }
      let isEnd = quota.isExact || excess.isAwaited
      scale.setTimer(began + (isEnd ? QuotaMonitor.timeoutOfEnds : QuotaMonitor.timeout))
      return []
    } catch {
      return decide(excess, nil)
    }
  }

  private func collect(_ result: Result<DiskMeasurement, DiskScale.WorkerFailure>) -> [TaskEvent] {
    switch (work, result) {
    case (.naming(let excess), .success(let found)): decide(excess, found)
    case (.naming(let excess), .failure): decide(excess, nil)
    case (.measuring, .success(let found)): judge(found)
    case (.measuring, .failure(let failure)): fail(failure.reason)
    // Given up while it was ending.
    case (.waiting, _), (.done, _): []
    }
  }

  /// Whether there is more than is charged.
  private func judge(_ found: DiskMeasurement) -> [TaskEvent] {
    // What cannot be measured is charged all the same.
    if found.bytes > quota.limit { return say(found.excess(quota.limit)) }
    work = .waiting
    let now = Clock.now
    scale.setTimer(schedule.measured(found.bytes, isDoubtful: found.isChanging, at: now, took: now - began))
    return []
  }

  private func fail(_ why: String) -> [TaskEvent] {
    warnOnce("the task's use of disk cannot be measured, it is tried again: \(why)")
    work = .waiting
    let now = Clock.now
    scale.setTimer(schedule.failed(at: now, took: now - began))
    return []
  }

  /// Whether the task is over its limit, with what was found of its files in time.
  private func decide(_ excess: Excess, _ found: DiskMeasurement?) -> [TaskEvent] {
    var measured = found ?? DiskMeasurement(bytes: excess.charged, largest: [])
    if quota.isExact { measured = complete(measured, excess.charged, isWhole: found != nil) }
    let isCertain = quota.isExact || found != nil
    if isCertain, measured.bytes > quota.limit { return say(measured.excess(quota.limit)) }
    if excess.wasRefused { return say(measured.refusal(quota.limit, quota.hardLimit)) }
    // What is set aside will be given back, and the hard limit holds meanwhile.
    work = .waiting
    let now = Clock.now
    scale.setTimer(now + max(alarmPause, 10 * (now - began)))
    alarmPause = min(2 * alarmPause, QuotaMonitor.longestAlarmPause)
    return []
  }

  /// The same with what is charged as what is used. What the task's directories do not explain of it has been moved out of
  /// them, or is on its way through a socket; or somebody who is not of the task has its project charged.
  private func complete(_ found: DiskMeasurement, _ charged: UInt64, isWhole: Bool) -> DiskMeasurement {
    var found = found
    let still = min(charged, used() ?? 0)
    let elsewhere = still > found.bytes ? still - found.bytes : 0
    // Of directories that change something may have been missed.
    if isWhole, elsewhere >= (found.isChanging ? max(1 << 20, still / 4) : 1 << 20) {
      found.largest.append(.init(path: "files elsewhere", bytes: elsewhere))
      found.largest = Array(found.largest.sorted { $0.bytes > $1.bytes }.prefix(3))
    }
    found.bytes = charged
    return found
  }

  private func say(_ message: String) -> [TaskEvent] {
    stop()
    return [.limitation(reason: Reason.disk, message: message)]
  }

  private func stop() {
    if scale.isBusy { scale.abandon() }
    work = .done
    listen(false)
    scale.setTimer(nil)
  }
}
