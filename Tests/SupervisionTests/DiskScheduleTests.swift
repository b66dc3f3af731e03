import Testing

@testable import Supervision

/// Plays a file system and a task against the schedule, in virtual time.
@Suite struct DiskScheduleTests {
  private static let second: UInt64 = 1_000_000_000
  private static let mebibyte: UInt64 = 1 << 20

  private struct Played {
    var looks = 0
    var measurements: [UInt64] = []
    /// When a measurement first found the task over its limit.
    var noticedAt: UInt64?
  }

  /// - Parameters:
  ///   - used, others: what the task and everybody else have taken at a second.
  ///   - cost: what a measurement takes, in seconds.
  private func play(
    seconds: UInt64, limit: UInt64 = 100 << 20, cost: Double = 0, used: (Double) -> UInt64,
    others: (Double) -> UInt64 = { _ in 0 }, says: Bool = true
  ) -> Played {
    let disk: UInt64 = 1 << 40
    func free(_ now: UInt64) -> UInt64? {
      let at = Double(now) / Double(Self.second)
      return says ? disk - used(at) - others(at) : nil
    }
    var played = Played()
    var schedule = DiskSchedule(limit: limit, at: 0, free: free(0), isNew: true)
    var now = Self.second
    while now < seconds * Self.second {
      played.looks += 1
      switch schedule.look(at: now, free: free(now)) {
      case .wait(let until):
        #expect(until > now)
        now = until
      case .measure:
        played.measurements.append(now)
        _ = schedule.begin(at: now, free: free(now))
        let found = used(Double(now) / Double(Self.second))
        let took = UInt64(cost * Double(Self.second))
        now += took
        if found > limit {
          played.noticedAt = now
          return played
        }
        now = schedule.measured(found, at: now, took: took)
      }
    }
    return played
  }

  /// Somebody frees as much as the task takes in files without a name: the file system loses nothing.
  @Test func whatHasNoNameIsLookedForWithoutASign() {
    let second = Self.second
    var schedule = DiskSchedule(limit: 100 * Self.mebibyte, at: 0, free: 1 << 40, isNew: true)
    var (now, searches): (UInt64, [UInt64]) = (second, [])
    while now < 120 * second {
      switch schedule.look(at: now, free: 1 << 40) {
      case .wait(let until): now = until
      case .measure:
        if schedule.begin(at: now, free: 1 << 40) == .thorough { searches.append(now / second) }
        now = schedule.measured(0, isDoubtful: true, at: now, took: second / 1000, search: second / 50)
      }
    }
    #expect((2...4).contains(searches.count), "\(searches)")
    #expect((searches.first ?? .max) <= 45, "\(searches)")
  }

  @Test func whatHasNoNameAnyMoreAndIsNotFreeIsLookedForBeforeItIsTooMuch() {
    // 60 of 100 MiB are written, measured, and deleted while they are held; then 60 more.
    let (disk, mebibyte, second) = (UInt64(1 << 40), Self.mebibyte, Self.second)
    var schedule = DiskSchedule(limit: 100 * mebibyte, at: 0, free: disk, isNew: true)
    var free = disk - 60 * mebibyte
    #expect(schedule.look(at: second, free: free) == .measure)
    #expect(schedule.begin(at: second, free: free) == .plain)
    _ = schedule.measured(60 * mebibyte, at: second, took: 0)
    #expect(schedule.look(at: 20 * second, free: free) == .measure)
    #expect(schedule.begin(at: 20 * second, free: free) == .plain)
    _ = schedule.measured(0, at: 20 * second, took: 0)
    free -= 60 * mebibyte
    #expect(schedule.look(at: 21 * second, free: free) == .measure)
    #expect(schedule.begin(at: 21 * second, free: free) == .thorough)
  }

  @Test func whatIsTakenSlowlyAndHasNoNameIsLookedFor() {
    // 60 of 100 MiB are lost before each measurement, which finds nothing.
    let (disk, mebibyte, second) = (UInt64(1 << 40), Self.mebibyte, Self.second)
    var schedule = DiskSchedule(limit: 100 * mebibyte, at: 0, free: disk, isNew: true)
    var (now, free) = (second, disk)
    var cares: [DiskSchedule.Care] = []
    for _ in 0..<2 {
      free -= 60 * mebibyte
      #expect(schedule.look(at: now, free: free) == .measure)
      cares.append(schedule.begin(at: now, free: free))
      _ = schedule.measured(0, at: now, took: 0)
      // Before it is time to look without a sign.
      now += 15 * second
    }
    #expect(cares == [.plain, .thorough])
    // That one has seen everything.
    free -= 60 * mebibyte
    _ = schedule.look(at: now, free: free)
    #expect(schedule.begin(at: now, free: free) == .plain)
  }

  @Test func whatWasDeletedAndIsFreeIsForgotten() {
    let (disk, mebibyte, second) = (UInt64(1 << 40), Self.mebibyte, Self.second)
    var schedule = DiskSchedule(limit: 100 * mebibyte, at: 0, free: disk, isNew: true)
    let free = disk - 60 * mebibyte
    _ = schedule.look(at: second, free: free)
    _ = schedule.begin(at: second, free: free)
    _ = schedule.measured(60 * mebibyte, at: second, took: 0)
    #expect(schedule.look(at: 28 * second, free: disk) == .measure)
    _ = schedule.begin(at: 28 * second, free: disk)
    _ = schedule.measured(0, at: 28 * second, took: 0)
    #expect(schedule.look(at: 43 * second, free: free) == .measure)
    #expect(schedule.begin(at: 43 * second, free: free) == .plain)
  }

  @Test func anIdleTaskIsLookedAtRarelyAndMeasuredWhereThatIsCheap() {
    let played = play(seconds: 3600, used: { _ in 1 << 20 })
    #expect(played.looks < 3600 / 5)
    #expect(played.measurements.count <= 3600 / 14 + 1)
  }

  @Test func aLargeIdleTreeIsHardlyEverMeasured() {
    let played = play(seconds: 3600, cost: 2, used: { _ in 1 << 20 })
    #expect(played.measurements.count <= 3600 / 200 + 1)
  }

  @Test(arguments: [0, 0.01, 0.5, 2, 4]) func aLimitIsNoticedWithin15Seconds(cost: Double) {
    for start in stride(from: 1.0, to: 60, by: 0.7) {
      let over = 101 * Self.mebibyte
      let sudden = play(seconds: 120, cost: cost, used: { $0 < start ? 1 << 20 : over })
      #expect((sudden.noticedAt ?? .max) <= UInt64((start + 15) * 1e9))
      // Creeping up to the limit, and over it from one second after `start`.
      let creeping = play(
        seconds: 120, cost: cost,
        used: { $0 < start ? 99 * Self.mebibyte : UInt64(Double(99 << 20) + ($0 - start) * 2e6) })
      #expect((creeping.noticedAt ?? .max) <= UInt64((start + 16) * 1e9))
    }
  }

  @Test func whatOthersFreeHidesNothingForLongWhereMeasuringIsCheap() {
    // They free exactly what the task takes, so that the file system looks as if nothing were.
    let played = play(
      seconds: 120, used: { $0 < 20 ? 0 : 200 << 20 }, others: { $0 < 20 ? 1 << 30 : (1 << 30) - (200 << 20) })
    #expect((played.noticedAt ?? .max) <= 35 * Self.second)
  }

  @Test func freeingAtAnotherTimeHidesNothing() {
    // Half a minute between what the task takes and what others free, and measuring is dear.
    let played = play(
      seconds: 300, cost: 4, used: { $0 < 20 ? 0 : 200 << 20 }, others: { $0 < 50 ? 1 << 30 : 0 })
    #expect((played.noticedAt ?? .max) <= 35 * Self.second)
  }

  @Test func othersWhoWriteMuchCostATaskWithRoomLittle() {
    let played = play(seconds: 600, cost: 0.2, used: { _ in 1 << 20 }, others: { UInt64($0 * 1e9) })
    // A tenth of the time at most.
    #expect(Double(played.measurements.count) * 0.2 <= 60 + 1)
  }

  @Test func aFileSystemThatSaysNothingIsMeasured() {
    let played = play(seconds: 120, cost: 0.1, used: { $0 < 30 ? 0 : 200 << 20 }, says: false)
    #expect((played.noticedAt ?? .max) <= 45 * Self.second)
  }

  @Test func whatIsTooDearForThePromiseCostsATenthAtMost() {
    let played = play(seconds: 1200, cost: 10, used: { _ in 1 << 20 }, others: { UInt64($0 * 5e8) })
    #expect(played.measurements.count <= 1200 / 100 + 1)
  }

  /// A measurement every second of a task that has taken more than it may, each of which sees nothing of it.
  private func cares(isDoubtful: Bool, lossAtFirst: UInt64 = 200 << 20) -> [DiskSchedule.Care] {
    let disk: UInt64 = 1 << 40
    var schedule = DiskSchedule(limit: 100 << 20, at: 0, free: disk, isNew: true)
    _ = schedule.begin(at: Self.second, free: disk)
    var now = schedule.measured(0, at: Self.second, took: 0)
    var cares: [DiskSchedule.Care] = []
    while now < 12 * Self.second {
      switch schedule.look(at: now, free: disk - lossAtFirst) {
      case .wait(let until): now = until
      case .measure:
        let care = schedule.begin(at: now, free: disk - lossAtFirst)
        cares.append(care)
        now =
          care == .still
          ? schedule.measuredStill(0, at: now, took: 0)
          : schedule.measured(0, isDoubtful: isDoubtful, at: now, took: 0)
      }
    }
    return cares
  }

  @Test func aTreeThatKeepsChangingIsMeasuredAgainAndAtLastWithTheTaskStopped() {
    #expect(cares(isDoubtful: true) == [.thorough, .thorough, .thorough, .still])
    // What others have taken is forgotten after one look at a tree that is calm.
    #expect(cares(isDoubtful: false) == [.thorough])
    #expect(cares(isDoubtful: true, lossAtFirst: 99 << 20) == [])
  }

  @Test func aSearchThatIsDearDelaysNoWalkAndForgetsNothing() {
    let disk: UInt64 = 1 << 40
    var schedule = DiskSchedule(limit: 100 << 20, at: 0, free: disk, isNew: true)
    var (now, cares): (UInt64, [DiskSchedule.Care]) = (Self.second, [])
    while now < 100 * Self.second {
      switch schedule.look(at: now, free: disk - (200 << 20)) {
      case .wait(let until): now = until
      case .measure:
        cares.append(schedule.begin(at: now, free: disk - (200 << 20)))
        let search = cares.last == .plain ? 0 : 10 * Self.second
        now += search
        now = schedule.measured(0, isDoubtful: true, at: now, took: 0, search: search)
      }
    }
    // Nothing was explained: the search comes back when it is its turn.
    #expect(cares.first == .thorough && cares.filter { $0 == .thorough }.count == 1 && cares.count > 40)
  }

  @Test func measurementsThatFailWhileTheTaskMayBeOverEndIt() {
    func failures(loss: UInt64) -> Int? {
      let disk: UInt64 = 1 << 40
      var schedule = DiskSchedule(limit: 100 << 20, at: 0, free: disk, isNew: true)
      var now = Self.second
      for count in 1...50 {
        while case .wait(let until) = schedule.look(at: now, free: disk - loss) { now = until }
        _ = schedule.begin(at: now, free: disk - loss)
        guard let next = schedule.failed(at: now, took: 0) else { return count }
        now = next
      }
      return nil
    }
    #expect(failures(loss: 0) == nil)
    #expect((failures(loss: 200 << 20) ?? .max) <= 6)
  }
}
