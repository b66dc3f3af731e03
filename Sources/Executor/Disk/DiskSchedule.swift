/// When to look at the file system, and when to measure the task's files: pure, the time is passed in.
///
/// Looking (statfs(2)) costs next to nothing and tells how much the file system has lost. A task cannot have taken more
/// than that since its files were measured last, so as long as it is less than what the task has left there is nothing to
/// measure. Only what somebody else frees between two looks can hide what the task takes; so its files are measured
/// now and then all the same.
///
///     looks        every second while the file system fills fast, else up to every 10 s
///     measurement  when the task may be over its limit: after a pause of nine times what the last one took, at most so
///                  long that the limit is noticed within 15 s; otherwise after a hundred times what it took, at least
///                  every 14 s where it is cheap and at least every 10 min where it is not
struct DiskSchedule {
  enum Step: Equatable {
    case wait(until: UInt64)
    case measure
  }

  private static let second: UInt64 = 1_000_000_000
  private static let longestLook = 10 * second
  /// Within which a limit is noticed, less a second for everything else.
  private static let notice = 14 * second
  private static let rarest = 600 * second

  private let limit: UInt64
  /// What the last measurement found, how long it took and when it ended.
  private var used: UInt64 = 0
  private var cost: UInt64 = 0
  private var measuredAt: UInt64
  /// What the file systems have lost since the last measurement began; nil before the first one (another executor may
  /// have begun the task), and when they cannot say.
  private var lost: UInt64?
  private var free: UInt64?
  private var interval = second

  /// - Parameter free: what is free on the file systems of the task's files.
  init(limit: UInt64, at now: UInt64, free: UInt64?) {
    self.limit = limit
    self.free = free
    measuredAt = now
  }

  /// What to do now that so much is free.
  mutating func look(at now: UInt64, free: UInt64?) -> Step {
    var loss: UInt64?
    if let before = self.free, let free { loss = before > free ? before - free : 0 }
    self.free = free
    lost = lost.flatMap { sum in loss.map { sum + $0 } }
    let room = limit > used ? limit - used : 0
    let mayBeOver = lost.map { $0 > room } ?? true
    let due = measuredAt + (mayBeOver ? pause : leisure)
    if now >= due { return .measure }
    // What fills fast is looked at more often.
    let isCalm = loss.map { $0 < room / 8 } ?? false
    interval = isCalm ? min(interval * 2, DiskSchedule.longestLook) : DiskSchedule.second
    return .wait(until: min(due, now + interval))
  }

  /// A measurement begins: what is lost from here on, it may not have seen.
  mutating func begin(free: UInt64?) {
    lost = 0
    self.free = free
  }

  /// It has ended. Returns when to look next.
  mutating func measured(_ used: UInt64, at now: UInt64, took cost: UInt64) -> UInt64 {
    self.used = used
    self.cost = cost
    measuredAt = now
    return now + interval
  }

  /// It has not worked. Returns when to look next.
  mutating func failed(at now: UInt64, took cost: UInt64) -> UInt64 {
    self.cost = max(self.cost, cost)
    measuredAt = now
    lost = nil
    return now + interval
  }

  /// How long after a measurement the next may begin. What was written behind the back of one is seen by the next, so two
  /// of them and the pause between must fit.
  private var pause: UInt64 {
    let rest = DiskSchedule.notice > 2 * cost ? DiskSchedule.notice - 2 * cost : 0
    return max(DiskSchedule.second, min(9 * cost, max(cost, rest)))
  }

  private var leisure: UInt64 {
    let rest = DiskSchedule.notice > 2 * cost ? DiskSchedule.notice - 2 * cost : 0
    return max(pause, rest, min(100 * cost, DiskSchedule.rarest))
  }
}
