/// When to ask a project quota, and when to measure a task's files all the same: pure, the time is passed in.
///
/// Asking costs one system call. The quota does not count a file whose project id somebody has changed; so what the file
/// system has lost beyond the growth of what is charged is added up, and when the task could be over its limit by it,
/// the files are measured. On a busy host others lose much; so that must be cheap.
///
///     asks         every minute where the kernel tells when the limit is passed; elsewhere every second while the task fills its
///                  quota fast, else up to every 14 s
///     measurement  while the task may be over its limit by what is not charged: every 14 s, or a hundred times what the last
///                  one took; otherwise every 10 min
struct QuotaSchedule {
  enum Step: Equatable {
    /// More is charged than the limit.
    case over
    case measure
    case wait(until: UInt64)
  }

  private static let second: UInt64 = 1_000_000_000
  /// Within which a limit is noticed, less a second for everything else.
  private static let notice = 14 * second
  private static let rest = 60 * second
  private static let rarest = 600 * second

  private let limit: UInt64
  private let isWarned: Bool
  private var charged: UInt64
  private var free: UInt64?
  /// What the last measurement found beyond what was charged then.
  private var uncharged: UInt64 = 0
  /// What the file systems have lost since it began, less the growth of what is charged.
  private var unexplained: UInt64
  private var unexplainedBefore: UInt64 = 0
  private var measuredAt: UInt64
  /// What it did under another executor has not been looked at.
  private var isUnseen: Bool
  private var cost: UInt64 = 0
  private var interval: UInt64

  /// - Parameters:
  ///   - isNew: whether nothing of the task has run. What it did under another executor may be anything.
  ///   - isWarned: whether the kernel tells when the limit is passed.
  init(limit: UInt64, at now: UInt64, free: UInt64?, charged: UInt64, isNew: Bool, isWarned: Bool) {
    self.limit = limit
    self.isWarned = isWarned
    interval = isWarned ? QuotaSchedule.rest : QuotaSchedule.second
    self.free = free
    self.charged = charged
    unexplained = 0
    isUnseen = !isNew
    measuredAt = now
  }

  func firstLook(at now: UInt64) -> UInt64 { now + interval }

  /// What to do now that so much is free, and so much charged; `nil` when that cannot be told.
  mutating func look(at now: UInt64, free: UInt64?, charged: UInt64?) -> Step {
    if charged == nil { unexplained = 1 << 60 }
    let charged = charged ?? self.charged
    let growth = charged > self.charged ? charged - self.charged : 0
    var loss: UInt64 = 0
    if let before = self.free, let free, before > free { loss = before - free }
    if loss > growth { unexplained = min(1 << 60, unexplained + loss - growth) }
    self.free = free
    self.charged = charged
    guard charged <= limit else { return .over }
    let mayBeOver = charged + uncharged + unexplained > limit
    let dearest = min(100 * cost, QuotaSchedule.rarest)
    let due = measuredAt + (mayBeOver ? max(QuotaSchedule.notice, dearest) : QuotaSchedule.rarest)
    if now >= due || isUnseen { return .measure }
    let isCalm = growth < (limit - charged) / 8
    if !isWarned { interval = isCalm ? min(interval * 2, QuotaSchedule.notice) : QuotaSchedule.second }
    return .wait(until: min(due, now + interval))
  }

  /// A measurement begins: what is lost from here on, it may not have seen.
  mutating func begin() {
    unexplainedBefore = unexplained
    unexplained = 0
  }

  /// It has ended. Returns when to look next.
  ///
  /// - Parameter isDoubtful: whether it may have missed something.
  mutating func measured(_ used: UInt64, isDoubtful: Bool, at now: UInt64, took cost: UInt64) -> UInt64 {
    uncharged = used > charged ? used - charged : 0
    if isDoubtful { unexplained = min(1 << 60, unexplained + unexplainedBefore) }
    return ended(at: now, took: cost)
  }

  /// It has not worked.
  mutating func failed(at now: UInt64, took cost: UInt64) -> UInt64 {
    unexplained = min(1 << 60, unexplained + unexplainedBefore)
    return ended(at: now, took: cost)
  }

  private mutating func ended(at now: UInt64, took cost: UInt64) -> UInt64 {
    self.cost = cost
    measuredAt = now
    isUnseen = false
    return now + interval
  }
}
