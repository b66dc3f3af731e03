/// When to look at the file system, and when to measure the task's files: pure, the time is passed in.
///
/// Looking (statfs(2)) costs next to nothing and tells how much the file system has lost. A task cannot have taken more
/// than that since its files were measured last, so as long as it is less than what the task has left there is nothing to
/// measure. Only what somebody else frees between two looks can hide what the task takes; so its files are measured
/// now and then all the same.
///
///     looks        every second while the file system fills fast, else up to every 14 s, less where measuring takes long
///     measurement  when the task may be over its limit: after a pause of nine times what the last one took, at most so
///                  long that the limit is noticed within 15 s; otherwise after a hundred times what it took, at least
///                  every 14 s where it is cheap and at least every 10 min where it is not
///
/// A plain measurement does not see what has no name: that is looked for as well at least every 28 s, where that is cheap. What the file system has lost and it does not explain is not forgotten by
/// it, nor is what was measured once, is not there any more and is not free again: however slowly it comes together, as soon as it
/// may be too much what has no name is looked for.
///
/// A task that goes on can keep something from being met: in directories that change, in processes that hand each other what
/// they have open. While a measurement does not explain what is lost, that is not forgotten and it is repeated; at last the
/// task is stopped for as long as it takes, so that nothing can change. Where it cannot be stopped, a measurement that has
/// met no change must do.
struct DiskSchedule {
  enum Step: Equatable {
    case wait(until: UInt64)
    case measure
  }

  /// How carefully to measure.
  enum Care {
    /// What has a name alone: there is no sign that it is over its limit, or it is not time yet for more.
    case plain
    /// The file system has lost more than the task had left, or it is long ago: what is open and has no name is counted, too.
    case thorough
    /// The same with the task stopped.
    case still
  }

  private static let second: UInt64 = 1_000_000_000
  private static let leastLongestLook = 10 * second
  /// Within which a limit is noticed, less a second for everything else.
  private static let notice = 14 * second
  private static let rarest = 600 * second

  private let limit: UInt64
  /// What the last measurement found, how long it took and when it ended.
  private var used: UInt64 = 0
  private var cost: UInt64 = 0
  private var measuredAt: UInt64
  private var hasBegun = false
  /// What the file systems have lost since the last measurement began; nil when they cannot say.
  private var lost: UInt64?
  private var free: UInt64?
  /// What the file systems have got back since the last measurement ended.
  private var gained: UInt64 = 0
  private var interval = 4 * second
  /// What was lost when the measurement at hand began.
  private var lostBefore: UInt64?
  /// Measurements in a row that may have missed something, or that failed, while the task may be over its limit.
  private var doubts = 0
  private var failures = 0
  private var stillNotBefore: UInt64 = 0
  /// The search for what has no name can take much longer than the walk: that goes on in between.
  private var searchNotBefore: UInt64 = 0
  private var searchedAt: UInt64
  /// How careful the measurement at hand is.
  private var care = Care.plain

  private static let doubtsBeforeStill = 3
  private static let failuresBeforeEnd = 5
  private static let betweenStills = 10 * second
  /// Between two searches for what has no name where nothing says that there is any.
  private static let betweenSearches = 2 * notice

  /// - Parameters:
  ///   - free: what is free on the file systems of the task's files.
  ///   - isNew: whether nothing of the task has run. What it took under another executor may be anything.
  init(limit: UInt64, at now: UInt64, free: UInt64?, isNew: Bool) {
    self.limit = limit
    self.free = free
    lost = free.map { _ in isNew ? 0 : 1 << 60 }
    measuredAt = now
    searchedAt = now
  }

  /// What to do now that so much is free.
  mutating func look(at now: UInt64, free: UInt64?) -> Step {
    var loss: UInt64?
    if let before = self.free, let free {
      loss = before > free ? before - free : 0
      gained += free > before ? free - before : 0
    }
    self.free = free
    lost = lost.flatMap { sum in loss.map { sum + $0 } }
    let room = limit > used ? limit - used : 0
    // What was there before the first measurement is not known.
    let mayBeOver = !hasBegun || isSuspected ?? true
    let due = measuredAt + (mayBeOver ? pause : leisure)
    if now >= due { return .measure }
    // What fills fast is looked at more often.
    let isCalm = loss.map { $0 < room / 8 } ?? false
    interval = isCalm ? min(interval * 4, longestLook) : DiskSchedule.second
    return .wait(until: min(due, now + interval))
  }

  /// Whether the file systems have lost more than the task had left; nil when that is not known.
  private var isSuspected: Bool? { lost.map { $0 > (limit > used ? limit - used : 0) } }
  private var wasSuspected: Bool { lostBefore.map { $0 > (limit > used ? limit - used : 0) } ?? false }

  /// A measurement begins: what is lost from here on, it may not have seen.
  mutating func begin(at now: UInt64, free: UInt64?) -> Care {
    hasBegun = true
    care = .plain
    lostBefore = lost
    lost = 0
    self.free = free
    // Where no file system says anything, everything may be.
    guard wasSuspected || lostBefore == nil else {
      // What somebody else frees may hide that too, and no walk sees it.
      if now >= max(searchedAt + DiskSchedule.betweenSearches, searchNotBefore) { care = .thorough }
      return care
    }
    // What does not explain it is soon followed by another.
    interval = DiskSchedule.second
    if doubts >= DiskSchedule.doubtsBeforeStill, now >= stillNotBefore {
      care = .still
    } else if now >= searchNotBefore {
      care = .thorough
    }
    return care
  }

  /// It has ended. Returns when to look next.
  ///
  /// - Parameters:
  ///   - isDoubtful: whether it may have missed something.
  ///   - cost: what the walk over what has a name took.
  ///   - search: how much longer it took to look for what has none.
  mutating func measured(
    _ used: UInt64, isDoubtful: Bool = false, at now: UInt64, took cost: UInt64, search: UInt64 = 0
  ) -> UInt64 {
    failures = 0
    let isCareful = care != .plain
    if isCareful { (searchedAt, searchNotBefore) = (now, now + 9 * search) }
    let (explained, gone) = (used > self.used ? used - self.used : 0, self.used > used ? self.used - used : 0)
    if isCareful || !wasSuspected { doubts = isDoubtful && wasSuspected ? doubts + 1 : 0 }
    // A careful one that has missed nothing says all there is to say.
    let isOpen = wasSuspected && (isDoubtful || !isCareful)
    if isOpen || !wasSuspected {
      let returned = isOpen ? 0 : gained
      lost = lostBefore.flatMap { before in
        lost.map { $0 + (before + gone > explained + returned ? before + gone - explained - returned : 0) }
      }
    }
    gained = 0
    self.used = used
    self.cost = cost
    measuredAt = now
    return now + interval
  }

  /// It has ended with the task stopped: nothing was missed.
  mutating func measuredStill(_ used: UInt64, at now: UInt64, took cost: UInt64, search: UInt64 = 0) -> UInt64 {
    stillNotBefore = now + max(DiskSchedule.betweenStills, 9 * (cost + search))
    return measured(used, at: now, took: cost, search: search)
  }

  /// The task could not be stopped, or not for so long. What is missing is looked for again later; soon where the task itself was
  /// in the way.
  mutating func heldOff(at now: UInt64, isBrief: Bool = false) {
    stillNotBefore = now + (isBrief ? 1 : 6) * DiskSchedule.betweenStills
  }

  /// The one at hand is made with the task stopped, whatever was said.
  mutating func insistsOnStill() { care = .still }

  /// It was given up, to be done again at once.
  mutating func abandoned() { lost = lost.map { $0 + (lostBefore ?? 0) } }

  /// It has not worked. Returns when to look next; nil when that has gone on for too long while the task may be over its
  /// limit.
  mutating func failed(at now: UInt64, took cost: UInt64) -> UInt64? {
    // Where no file system says anything, nothing but measuring could tell.
    failures = wasSuspected || free == nil ? failures + 1 : 0
    guard failures < DiskSchedule.failuresBeforeEnd else { return nil }
    self.cost = max(self.cost, cost)
    measuredAt = now
    abandoned()
    return now + interval
  }

  /// How long after a measurement the next may begin. What was written behind the back of one is seen by the next, so two
  /// of them and the pause between must fit; where they do not, nothing is promised and it costs no more than else.
  private var pause: UInt64 {
    guard 3 * cost <= DiskSchedule.notice + DiskSchedule.second else { return 9 * cost }
    return max(DiskSchedule.second, min(9 * cost, max(cost, rest)))
  }

  /// What is taken just after a look is seen by the next, and the measurement that follows must fit.
  private var longestLook: UInt64 {
    max(DiskSchedule.leastLongestLook, DiskSchedule.notice - min(DiskSchedule.notice, cost))
  }

  private var leisure: UInt64 { max(pause, rest, min(100 * cost, DiskSchedule.rarest)) }

  private var rest: UInt64 { DiskSchedule.notice > 2 * cost ? DiskSchedule.notice - 2 * cost : 0 }
}
