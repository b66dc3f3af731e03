import Glibc
import LinuxKernel
import Testing

@testable import Images

/// What dead and failed imports and pulls leave, and what it may cost others.
@Suite(.serialized, .needsRoot) struct StoreLeftoverTests {
  private let scratch: Scratch
  private let root: String
  private let paths: StorePaths

  init() throws {
    scratch = try Scratch()
    root = scratch.path + "/images"
    paths = StorePaths(root: root)
    _ = try ImageStore(root: root)
  }

  /// What a pull left so many seconds ago.
  private func leave(_ name: String, bytes: Int, secondsAgo: Int64) throws {
    let path = paths.pulls + "/" + name
    try makeDirectories(path + "/partial", mode: 0o700)
    try writeFileAtomically(path + "/partial/blob", [UInt8](repeating: 1, count: bytes))
    let time = FileTime(seconds: Int64(Clock.wall / 1_000_000_000) - secondsAgo, nanoseconds: 0)
    for path in [path + "/partial", path] { try setTimes(of: path, at: currentDirectory, to: time) }
  }

  private func pulls() throws -> [String] {
    try entries(of: paths.pulls).map { String(decoding: $0.name, as: UTF8.self) }.sorted()
  }

  @Test func theOldestGoFirstWhenPullsLeaveTooMuch() throws {
    for (name, age) in [("a", 400), ("b", 300), ("c", 200), ("d", 100)] as [(String, Int64)] {
      try leave(name, bytes: 100_000, secondsAgo: age)
    }
    try ImageStore.sweepPulls(paths, keeping: 1_000_000, until: .max)
    #expect(try pulls() == ["a", "b", "c", "d"])
    try ImageStore.sweepPulls(paths, keeping: 250_000, until: .max)
    #expect(try pulls() == ["c", "d"])
    // The last one is what somebody goes on with, however large it is.
    try ImageStore.sweepPulls(paths, keeping: 10, until: .max)
    #expect(try pulls() == ["d"])
    try ImageStore.sweepPulls(paths, keeping: 0, until: .max)
    #expect(try pulls().isEmpty)
  }

  @Test func aFileOfSeveralNamesIsMeasuredOnce() throws {
    try leave("a", bytes: 1_000_000, secondsAgo: 1)
    let partial = try openFile(paths.pulls + "/a/partial", O_RDONLY | O_DIRECTORY)
    for number in 1...20 { try makeHardLink("blob", at: partial.rawValue, to: "b\(number)", at: partial.rawValue) }
    let leftover = try #require(try StoreLeftover.pulls(paths).first)
    #expect((1_000_000..<2_000_000).contains(try leftover.diskBytes()))
  }

  @Test func ofManyTheYoungestStayWithoutALookAtTheOthers() throws {
    try leave("large", bytes: 1_000_000, secondsAgo: 5000)
    for number in 1...100 { try leave("small\(number)", bytes: 1, secondsAgo: Int64(4000 - number)) }
    try ImageStore.sweepPulls(paths, until: .max)
    let left = try Set(pulls())
    #expect(left == Set((37...100).map { "small\($0)" }))
    #expect(try ImageStore(reading: root).surplus().isEmpty)
  }

  @Test func whatNobodyCameBackForWithinADayGoes() throws {
    try leave("old", bytes: 10, secondsAgo: 100_000)
    try leave("young", bytes: 10, secondsAgo: 1000)
    _ = try ImageStore(root: root)
    #expect(try pulls() == ["young"])
  }

  @Test func allGoWhenThereIsNoRoomForAPullButItsOwn() throws {
    try leave("other", bytes: 10, secondsAgo: 10)
    let own = try #require(try PullDirectory("own", in: paths))
    own.makeRoom(for: 1)
    #expect(try pulls() == ["other", "own"])
    own.makeRoom(for: .max)
    #expect(try pulls() == ["own"])
  }

  @Test func garbageCollectionTakesThemAndSaysSo() throws {
    try leave("young", bytes: 100_000, secondsAgo: 10)
    try makeDirectories(paths.staging + "/dead/fs", mode: 0o700)
    let live = try Staging(in: paths)
    let pull = try #require(try PullDirectory("live", in: paths))
    let store = try ImageStore(reading: root)
    var events: [GarbageEvent] = []
    try store.collectGarbage(GarbagePolicy(), isDryRun: true) { events.append($0) }
    #expect(events.map(\.kind) == [.staging, .pull])
    #expect(events.last.map { $0.bytes >= 100_000 } == true)
    #expect(try pulls() == ["live", "young"])
    var again: [GarbageEvent] = []
    try store.collectGarbage(GarbagePolicy()) { again.append($0) }
    #expect(again == events)
    #expect(try pulls() == ["live"])
    #expect(try entries(of: paths.staging).count == 1)
    withExtendedLifetime((live, pull)) {}
  }

  /// The end of an import does not wait for its files, and the next command removes what is left.
  @Test func theEndOfAnImportIsNotLate() throws {
    do {
      let staging = try Staging(in: paths, patience: 0)
      try makeDirectories(staging.path + "/a/b/c", mode: 0o700)
    }
    #expect(try entries(of: paths.staging).count == 1)
    try Staging.sweep(paths, until: 0)
    #expect(try entries(of: paths.staging).count == 1, "others have no time for it")
    _ = try ImageStore(root: root)
    #expect(try entries(of: paths.staging).isEmpty)
  }

  @Test func whatCannotBeRemovedIsNobodysFault() throws {
    let path = paths.staging + "/dead"
    try makeDirectories(path + "/mount", mode: 0o700)
    try mountClassic(source: "none", target: path + "/mount", type: "tmpfs", flags: 0)
    let detach: Int32 = 2  // MNT_DETACH
    defer { _ = umount2(path + "/mount", detach) }
    _ = try ImageStore(root: root)
    #expect(try entries(of: paths.staging).count == 1)
  }
}
