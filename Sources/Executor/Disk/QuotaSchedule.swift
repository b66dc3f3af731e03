/// When to ask a project quota, and when to measure a task's files all the same: pure, the time is passed in.
///
/// Asking costs one system call. The quota does not count a file whose project id somebody has changed; so what the file
/// system has lost beyond the growth of what is charged is added up, and when the task could be over its limit by it,
/// the files are measured. On a busy host others lose much; so that must be cheap.
///
///     asks         every second while the task fills its quota fast, else up to every 14 s
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
  private static let rarest = 600 * second

  private let limit: UInt64
  private var charged: UInt64
  private var free: UInt64?
  /// What the last measurement found beyond what was charged then.
  private var uncharged: UInt64 = 0
  /// What the file systems have lost since it began, less the growth of what is charged.
  private var unexplained: UInt64
  private var unexplainedBefore: UInt64 = 0
  private var measuredAt: UInt64
  private var cost: UInt64 = 0
  private var interval = second

  /// - Parameter isNew: whether nothing of the task has run. What it did under another executor may be anything.
  init(limit: UInt64, at now: UInt64, free: UInt64?, charged: UInt64, isNew: Bool) {
    self.limit = limit
    self.free = free
    self.charged = charged
    unexplained = isNew ? 0 : 1 << 60
    measuredAt = isNew ? now : 0
  }

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
    if now >= due { return .measure }
    interval =
      growth < (limit - charged) / 8 ? min(interval * 2, QuotaSchedule.notice) : QuotaSchedule.second
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
    return now + interval
  }
}
