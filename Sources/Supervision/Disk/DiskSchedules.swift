import DiskUsage

/// When to look at the file system and when to measure, for both things that a task's files take: room and inodes. The rule
/// is the same, and what one of them needs is done for both.
struct DiskSchedules {
  private var bytes: DiskSchedule
  private var files: DiskSchedule

  init(limit: UInt64, at now: UInt64, _ space: DiskScale.Space, isNew: Bool) {
    bytes = DiskSchedule(limit: limit, at: now, free: space.free, isNew: isNew)
    files = DiskSchedule(limit: DiskMeasurement.mostFiles(limit), at: now, free: space.freeFiles, isNew: isNew)
  }

  mutating func look(at now: UInt64, _ space: DiskScale.Space) -> DiskSchedule.Step {
    switch (bytes.look(at: now, free: space.free), files.look(at: now, free: space.freeFiles)) {
    case (.wait(let one), .wait(let other)): .wait(until: min(one, other))
    default: .measure
    }
  }

  mutating func begin(at now: UInt64, _ space: DiskScale.Space) -> DiskSchedule.Care {
    let (one, other) = (bytes.begin(at: now, free: space.free), files.begin(at: now, free: space.freeFiles))
    if one == .still || other == .still { return .still }
    return one == .thorough || other == .thorough ? .thorough : .plain
  }

  /// - Parameter total: how long it took in all.
  mutating func measured(_ found: DiskMeasurement, isDoubtful: Bool, at now: UInt64, took total: UInt64) -> UInt64 {
    let (cost, search) = DiskSchedules.parts(found, total)
    return min(
      bytes.measured(found.bytes, isDoubtful: isDoubtful, at: now, took: cost, search: search),
      files.measured(found.files, isDoubtful: isDoubtful, at: now, took: cost, search: search))
  }

  mutating func measuredStill(_ found: DiskMeasurement, at now: UInt64, took total: UInt64) -> UInt64 {
    let (cost, search) = DiskSchedules.parts(found, total)
    return min(
      bytes.measuredStill(found.bytes, at: now, took: cost, search: search),
      files.measuredStill(found.files, at: now, took: cost, search: search))
  }

  private static func parts(_ found: DiskMeasurement, _ total: UInt64) -> (cost: UInt64, search: UInt64) {
    let cost = min(found.walked, total)
    return (cost, total - cost)
  }

  mutating func insistsOnStill() {
    bytes.insistsOnStill()
    files.insistsOnStill()
  }

  mutating func heldOff(at now: UInt64, isBrief: Bool = false) {
    bytes.heldOff(at: now, isBrief: isBrief)
    files.heldOff(at: now, isBrief: isBrief)
  }

  mutating func abandoned() {
    bytes.abandoned()
    files.abandoned()
  }

  /// Nil when it has not worked for too long while the task may be over its limit.
  mutating func failed(at now: UInt64, took cost: UInt64) -> UInt64? {
    let (one, other) = (bytes.failed(at: now, took: cost), files.failed(at: now, took: cost))
    guard let one, let other else { return nil }
    return min(one, other)
  }
}
