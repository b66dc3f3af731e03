import Glibc
import LinuxKernel
import Testing

@testable import DiskUsage
@testable import TaskStore

@Suite struct DiskTreeTests {
  private let top = "/tmp/aurora-disk-\(UInt32.random(in: 0..<UInt32.max))"
  private let all = DiskTree.Bounds(entries: 100_000, depth: 200)

  private func file(_ path: String, kibibytes: Int) throws {
    let file = try openFile("\(top)/\(path)", O_WRONLY | O_CREAT | O_EXCL, mode: 0o600)
    try file.writeAll([UInt8](repeating: 1, count: kibibytes << 10))
  }

  private func directory(_ path: String = "") throws { try makeDirectories("\(top)/\(path)") }

  /// Measured as a sandbox is, with what every directory takes for itself left aside.
  private func measure(_ bounds: DiskTree.Bounds? = nil) throws -> DiskMeasurement? {
    try DiskTree.measure([DiskTree.Root(label: "sandbox", path: top)], bounds ?? all)
  }

  private func kibibytes(_ found: DiskMeasurement?) -> UInt64 { (found?.bytes ?? 0) >> 10 }

  @Test func theThreeLargestPathsAreNamed() throws {
    defer { try? removeTree(top) }
    try directory("cache")
    try file("core.123", kibibytes: 4000)
    for index in 0..<40 { try file("cache/\(index)", kibibytes: 40) }
    try file("log", kibibytes: 400)
    try file("small", kibibytes: 4)
    let found = try #require(try measure())
    #expect(found.largest.map(\.path) == ["sandbox/core.123", "sandbox/cache", "sandbox/log"])
    #expect((6004...6100).contains(kibibytes(found)))
  }

  @Test func aDirectoryGivesWayToTheFilesThatMakeNearlyAllOfIt() throws {
    defer { try? removeTree(top) }
    try directory("a/b/c")
    try file("a/b/c/core", kibibytes: 4000)
    try file("a/b/note", kibibytes: 4)
    #expect(try measure()?.largest.first?.path == "sandbox/a/b/c/core")
  }

  @Test func namesOfTheTasksChoosingAreEscaped() throws {
    defer { try? removeTree(top) }
    try directory()
    try file("evil\u{1b}[2J\n", kibibytes: 400)
    #expect(try measure()?.largest.first?.path == #"sandbox/evil\x1b[2J\x0a"#)
  }

  /// The task's own directory: what lies in its directories is measured by itself, and it changes with each report.
  @Test func ofTheRecordTheFilesCountAlone() throws {
    defer { try? removeTree(top) }
    try directory("logs")
    try file("events.jsonl", kibibytes: 400)
    try file("logs/stdout", kibibytes: 4000)
    let found = try #require(try DiskTree.measure(paths: [], record: top, all))
    #expect((400...420).contains(kibibytes(found)))
    #expect(found.largest.map(\.path) == ["record/events.jsonl"])
    #expect(!found.isChanging)
  }

  @Test func aFileWithSeveralNamesCountsOnce() throws {
    defer { try? removeTree(top) }
    try directory("other")
    try file("one", kibibytes: 1000)
    for index in 0..<20 {
      try makeHardLink("\(top)/one", at: currentDirectory, to: "\(top)/other/\(index)", at: currentDirectory)
    }
    #expect((1000...1100).contains(kibibytes(try measure())))
  }

  @Test func holesCostNothing() throws {
    defer { try? removeTree(top) }
    try directory()
    let sparse = try openFile("\(top)/sparse", O_WRONLY | O_CREAT, mode: 0o600)
    try truncate(sparse, to: 1 << 40)
    #expect(kibibytes(try measure()) < 100)
  }

  @Test func linksAreNotFollowed() throws {
    defer { try? removeTree(top) }
    try directory()
    try makeSymbolicLink("\(top)/usr", to: Array("/usr".utf8))
    #expect(kibibytes(try measure()) < 100)
  }

  @Test func moreThanMayBeLookedAtIsNoNumber() throws {
    defer { try? removeTree(top) }
    try directory()
    for index in 0..<20 { try file("\(index)", kibibytes: 0) }
    #expect(try measure(.init(entries: 20, depth: 9)) != nil)
    #expect(try measure(.init(entries: 19, depth: 9)) == nil)
  }

  @Test func whatLiesTooDeepIsSaidAndIsOverTheLimit() throws {
    defer { try? removeTree(top) }
    try directory("a/b/c/d/e/f")
    let found = try #require(try measure(.init(entries: 100, depth: 4)))
    #expect(found.obstacle == "directories are nested too deep in sandbox/a/b")
    #expect(found.complaint(limit: 1 << 40)?.contains("nested too deep in sandbox/a/b") == true)
    #expect(try measure()?.obstacle == nil)
  }

  @Test func aDirectoryThatIsNotThereTakesNothing() throws {
    #expect(try DiskTree.measure(paths: ["/nonexistent"], all)?.bytes == 0)
  }

  @Test func directoriesBeyondThoseThatAreHeldOpenAreFoundByName() throws {
    defer { try? removeTree(top) }
    for index in 0..<30 {
      try directory("\(index)/deep")
      try file("\(index)/deep/x", kibibytes: 40)
    }
    let found = try #require(try measure(.init(entries: 1000, depth: 9, held: 3)))
    #expect(found.bytes == (try measure()?.bytes))
    #expect(kibibytes(found) >= 1200)
  }

  @Test func aDirectoryThatWasEmptiedIsNotReadOnTheWay() throws {
    defer { try? removeTree(top) }
    try directory("was/full")
    for index in 0..<12_000 {
      try file("was/full/" + String(repeating: "x", count: 240) + String(index), kibibytes: 0)
    }
    let blocks = try status(of: top + "/was/full").blocks * 512
    for index in 0..<12_000 { try removeFile("\(top)/was/full/" + String(repeating: "x", count: 240) + String(index)) }
    // Some file systems give back what names took.
    guard try status(of: top + "/was/full").blocks * 512 == blocks, blocks > 2 << 20 else { return }
    #expect(try measure(.init(entries: 1000, depth: 9, names: 1 << 20)) == nil)
    #expect(try measure(.init(entries: 1000, depth: 9, names: blocks))?.files == 3)
    // A block of each is nothing beside its entry.
    for index in 0..<100 { try directory("\(index)") }
    #expect(try measure(.init(entries: 1000, depth: 9, names: blocks))?.files == 103)
  }

  @Test func furtherNamesAreCounted() throws {
    defer { try? removeTree(top) }
    try directory("a")
    try file("a/x", kibibytes: 200)
    for index in 0..<50 { #expect(Glibc.link("\(top)/a/x", "\(top)/a/\(index)") == 0) }
    let found = try #require(try measure())
    #expect(found.files == 3 && found.furtherNames == 50 && (200...300).contains(kibibytes(found)))
    var many = found
    many.furtherNames = DiskMeasurement.mostFiles(1 << 20)
    #expect(
      many.complaint(limit: 1 << 20)
        == "disk limit exceeded: 32771 files and directories, a limit of 1 MiB allows 32768")
  }

  @Test func aTreeThatHasJustChangedIsSaidToBeChanging() throws {
    defer { try? removeTree(top) }
    try directory("a")
    #expect(try measure()?.isChanging == true)
    #expect(try DiskTree.measure(paths: ["/usr/share"], all)?.isChanging == false)
  }

  @Test func theSearchForWhatIsOpenIsBoundedAndComesLast() throws {
    defer { try? removeTree(top) }
    try directory("a")
    try file("a/x", kibibytes: 40)
    let roots = [try DiskTree.Root(label: "sandbox", path: top)]
    // Its children are processes that other tests have made, or none.
    func found(limit: UInt64?, until end: UInt64) throws -> DiskMeasurement? {
      try DiskTree.measure(roots, all, openFilesBelow: getpid(), limit: limit, until: end)
    }
    let child = try SpawnRequest(executable: .path("/bin/sleep"), arguments: ["sleep", "60"], descriptors: [0, 1, 2])
      .spawn()
    defer {
      try? child.signal(SIGKILL)
      _ = try? child.wait()
    }
    #expect(try found(limit: nil, until: 0)?.isCut == true)
    #expect(try found(limit: nil, until: .max)?.isCut == false)
    // What is too much already needs no search.
    #expect(try found(limit: 1 << 10, until: 0)?.isCut == false)
    #expect(try found(limit: 1 << 10, until: 0)?.walked ?? 0 > 0)
  }

  @Test func pathsThatExplainNothingAreLeftOut() {
    let found = DiskMeasurement(
      bytes: 71 << 20, largest: [.init(path: "sandbox/a", bytes: 70 << 20), .init(path: "sandbox/b", bytes: 4096)])
    #expect(found.complaint(limit: 64 << 20)?.utf8.holds("sandbox/b".utf8) == false)
  }

  @Test func theComplaintHasLimitUseAndPaths() {
    let found = DiskMeasurement(
      bytes: 71 << 20,
      largest: [.init(path: "sandbox/core.123", bytes: 48 << 20), .init(path: "/tmp/x", bytes: 12 << 20)])
    #expect(
      found.complaint(limit: 64 << 20)
        == "disk limit exceeded: 64 MiB limit, 71 MiB used: sandbox/core.123 48 MiB, /tmp/x 12 MiB")
    #expect(found.complaint(limit: 71 << 20) == nil)
  }

  @Test func aMeasurementSurvivesItsWayThroughThePipe() throws {
    var found = DiskMeasurement(
      bytes: 5, files: 4, largest: [.init(path: "\u{e4}", bytes: 3)], obstacle: "b", isChanging: true)
    (found.isCut, found.walked, found.furtherNames) = (true, 7, 9)
    let item: [UInt8] = [2, 0, 0, 0, 0xc3, 0xa4] + [3, 0, 0, 0, 0, 0, 0, 0]
    let numbers: [UInt8] = [5, 0, 0, 0, 0, 0, 0, 0] + [4, 0, 0, 0, 0, 0, 0, 0] + [9, 0, 0, 0, 0, 0, 0, 0]
    #expect(
      found.encoded == numbers + [1, 0, 0, 0, 14, 0, 0, 0] + item + [1, 1, 0, 0, 0, 98, 1] + [
        1, 7, 0, 0, 0, 0, 0, 0, 0,
      ])
    #expect(try DiskMeasurement(decoding: found.encoded) == found)
  }

  @Test func theUpperDirectoryIsFoundInTheMounts() {
    func found(_ text: String) -> String? {
      OverlayUpper.directory(mountinfo: Array(text.utf8)).map { String(decoding: $0, as: UTF8.self) }
    }
    let overlay =
      "9 8 0:50 / / rw,relatime master:3 - overlay overlay rw,lowerdir=/l/A:/l/B,upperdir=/d/x\\040y/diff,workdir=/d/w"
    #expect(found(overlay + "\n10 9 0:6 / /proc rw - proc proc rw\n") == "/d/x y/diff")
    #expect(found("9 8 8:1 / / rw - ext4 /dev/sda rw\n") == nil)
    // Something else is mounted over it; an upper directory that is relative to who knows what.
    #expect(found(overlay + "\n10 9 0:6 / / rw - tmpfs tmpfs rw\n") == nil)
    #expect(found("9 8 0:50 / / rw - overlay overlay rw,lowerdir=l/A,upperdir=x/diff\n") == nil)
    #expect(found("garbage\n- - -\n") == nil)
  }
}
