import Testing

@testable import Supervision

/// Plays a file system, a task and its quota against the schedule, in virtual time.
@Suite struct QuotaScheduleTests {
  private static let second: UInt64 = 1_000_000_000
  private static let limit: UInt64 = 100 << 20
  private static let disk: UInt64 = 1 << 40

  private struct Played {
    var looks = 0
    var measurements: [Double] = []
    var noticedAt: Double?
  }

  /// - Parameters:
  ///   - charged, hidden, others: what the quota counts, what of the task it does not count, and what everybody else has
  ///     taken, at a second.
  private func play(
    seconds: Double, isWarned: Bool = false, isNew: Bool = true, cost: Double = 0,
    charged: (Double) -> UInt64? = { _ in 1 << 20 }, hidden: (Double) -> UInt64 = { _ in 0 },
    others: (Double) -> UInt64 = { _ in 0 }
  ) -> Played {
    func free(_ at: Double) -> UInt64 { Self.disk - (charged(at) ?? 0) - hidden(at) - others(at) }
    func time(_ instant: UInt64) -> Double { Double(instant) / Double(Self.second) }
    var played = Played()
    var schedule = QuotaSchedule(
      limit: Self.limit, at: 0, free: free(0), charged: charged(0) ?? 0, isNew: isNew, isWarned: isWarned)
    var now = isNew ? schedule.firstLook(at: 0) : 0
    while time(now) < seconds {
      played.looks += 1
      let at = time(now)
      switch schedule.look(at: now, free: free(at), charged: charged(at)) {
      case .over:
        played.noticedAt = at
        return played
      case .wait(let until):
        #expect(until > now)
        now = until
      case .measure:
        played.measurements.append(at)
        schedule.begin()
        let found = (charged(at) ?? 0) + hidden(at)
        now += UInt64(cost * Double(Self.second))
        if found > Self.limit {
          played.noticedAt = time(now)
          return played
        }
        now = schedule.measured(found, isDoubtful: false, at: now, took: UInt64(cost * Double(Self.second)))
      }
    }
    return played
  }

  @Test func anIdleTaskIsHardlyLookedAt() {
    let warned = play(seconds: 3600, isWarned: true)
    #expect(warned.looks <= 70 && warned.measurements.count <= 6)
    let unwarned = play(seconds: 3600)
    #expect(unwarned.looks <= 3600 / 13 && unwarned.measurements.count <= 6)
  }

  @Test func withoutWarningsAnExcessIsSeenWithin15Seconds() {
    for start in stride(from: 0.3, to: 60, by: 0.7) {
      let played = play(seconds: 120, charged: { $0 < start ? 1 << 20 : 101 << 20 })
      #expect((played.noticedAt ?? .infinity) <= start + 15)
      #expect(played.measurements.isEmpty)
    }
  }

  @Test func whatTheTaskIsChargedForCausesNoMeasurement() {
    let played = play(seconds: 590, charged: { UInt64($0) << 17 })
    #expect(played.measurements.isEmpty && played.noticedAt == nil)
  }

  @Test(arguments: [false, true]) func whatIsNotChargedIsFound(isWarned: Bool) {
    for start in stride(from: 20.0, to: 100, by: 7) {
      let played = play(seconds: 300, isWarned: isWarned, hidden: { $0 < start ? 0 : 100 << 20 })
      #expect((played.noticedAt ?? .infinity) <= start + (isWarned ? 61 : 15))
    }
  }

  @Test func whatIsHiddenAndWhatIsChargedCountTogether() {
    let played = play(
      seconds: 1200, charged: { $0 < 700 ? 30 << 20 : 60 << 20 }, hidden: { $0 < 20 ? 0 : 60 << 20 })
    // Found when it was measured for what others might have hidden, or when the charge grew.
    #expect((700...720).contains(played.noticedAt ?? .infinity))
  }

  @Test func whatOthersWriteCostsAHundredthAtMost() {
    let played = play(seconds: 3600, cost: 2, others: { UInt64($0 * 200e6) })
    #expect((10...18).contains(played.measurements.count))
    #expect(played.noticedAt == nil)
  }

  @Test func afterATakeoverItIsMeasuredAtOnce() {
    #expect(play(seconds: 10, isNew: false, hidden: { _ in 100 << 20 }).noticedAt == 0)
  }

  @Test func aQuotaThatCannotBeAskedIsReplacedByMeasuring() {
    let played = play(seconds: 120, charged: { $0 < 30 ? 1 << 20 : nil }, hidden: { $0 < 50 ? 0 : 101 << 20 })
    #expect((played.noticedAt ?? .infinity) <= 65)
  }
}
