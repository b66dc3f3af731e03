import Glibc
import LaunchModel
import LinuxKernel
import Testing

@testable import TaskStore

@Suite struct PastTimeTests {
  private let now: UInt64 = 1_800_000_000_000_000_000

  @Test(arguments: [
    ("10m", 1_799_999_400.0), ("1h30m", 1_799_994_600), ("2d1s", 1_799_827_199), ("0s", 1_800_000_000),
    ("1700000000", 1_700_000_000), ("1700000000.25", 1_700_000_000.25), ("0", 0), ("99999d", 0),
    ("2026-11-22T10:15:00Z", 1_795_342_500), ("2026-11-22t10:15:00.5z", 1_795_342_500.5),
    ("2026-11-22T12:15:00+02:00", 1_795_342_500), ("2026-11-22T04:45:00.000-05:30", 1_795_342_500),
    ("2024-02-29T00:00:00Z", 1_709_164_800), ("1970-01-01T00:00:00Z", 0),
  ])
  func aMomentIsUnderstood(text: String, seconds: Double) {
    #expect(PastTime.parse(text, now: now) == UInt64(seconds * 1000) * 1_000_000)
  }

  @Test(arguments: [
    "", "m", "10", "10x", "1h-3m", "-5m", "yesterday", "1.5h", ".5", "5.", "2026-11-22", "2026-11-22T10:15:00",
    "2026-13-22T10:15:00Z", "2026-11-22T10:15:00.Z", "2026-11-22T10:15:00+2:00", "1969-12-31T23:59:59Z",
    "99999999999999999999", "10m\u{301}", "१०m",
  ])
  func whatIsNoMomentIsRefused(text: String) {
    // Ten seconds after 1970 are a moment, if an odd one.
    #expect(PastTime.parse(text, now: now) == (text == "10" ? 10_000_000_000 : nil))
  }
}

/// Logs as init leaves them, read from a directory of the test's own.
@Suite struct LogReadingTests {
  private final class Folder {
    let path: String
    init() throws {
      path = "/tmp/aurora-logs-\(UInt64.random(in: 0 ... .max))"
      try makeDirectories(path)
    }
    deinit { try? removeTree(path) }

    /// A file of a stream with its index: each piece was written at its time, in seconds.
    func write(
      _ process: String, run: Int = 0, file name: String = "stdout", from position: UInt64 = 0,
      _ pieces: [(UInt64, String)]
    ) throws {
      let directory = "\(path)/\(process)/\(run)"
      try makeDirectories(directory)
      var (bytes, index) = ([UInt8](), LogIndexRecord.header(position: position))
      for (time, text) in pieces {
        index += LogIndexRecord(time: time * 1_000_000_000, offset: UInt64(bytes.count)).encoded
        bytes += Array(text.utf8)
      }
      try writeFileAtomically("\(directory)/\(name)", bytes)
      try writeFileAtomically("\(directory)/\(LogIndexRecord.name(of: name))", index)
    }

    func stream(_ process: String) throws -> LogStream {
      LogStream(try #require(try LogTree(path).run(process, 0)), "stdout")
    }

    func lines(
      _ processes: [String], tail: Int? = nil, since: UInt64? = nil, runs: ProcessLog.Runs = .all
    ) throws -> [String] {
      let merge = LogMerge()
      for process in processes {
        let log = ProcessLog(
          process: process, stream: "stdout", tree: try LogTree(path), runs: runs,
          since: since.map { $0 * 1_000_000_000 })
        log.begin(tail: tail)
        merge.add(log)
      }
      var lines: [String] = []
      while let (_, line) = merge.next() { lines.append(String(decoding: line.bytes, as: UTF8.self)) }
      return lines
    }
  }

  @Test func linesAreMergedByTheTimeAtWhichTheyBegan() throws {
    let folder = try Folder()
    try folder.write("a", [(1, "a1\na1'\na"), (4, "1''\na4\n"), (6, "a6")])
    try folder.write("b", [(2, "b2\n"), (3, "b3\n"), (5, "b5\n")])
    #expect(try folder.lines(["a", "b"]) == ["a1\n", "a1'\n", "a1''\n", "b2\n", "b3\n", "a4\n", "b5\n", "a6"])
    #expect(try folder.lines(["a", "b"], since: 3) == ["b3\n", "a4\n", "b5\n", "a6"])
  }

  @Test func aLastLineWithoutAnEndIsMergedLikeOthers() throws {
    let folder = try Folder()
    try folder.write("a", [(1, "a1\n"), (2, "a2")])
    try folder.write("b", [(3, "b3\n")])
    try folder.write("c", [(4, "c4")])
    #expect(try folder.lines(["a", "b", "c"]) == ["a1\n", "a2", "b3\n", "c4"])
  }

  @Test func aRewoundLogLeavesOutWhatItLeftOutBefore() throws {
    let folder = try Folder()
    try folder.write("a", [(1, "old\n"), (3, "new\n")])
    let log = ProcessLog(
      process: "a", stream: "stdout", tree: try LogTree(folder.path), runs: .all, since: 2_000_000_000)
    log.begin(tail: 9)
    for _ in 0..<2 {
      #expect(log.next().map { String(decoding: $0.bytes, as: UTF8.self) } == "new\n")
      #expect(log.next() == nil)
      log.rewind()
    }
  }

  @Test func whatWasReadAheadAndGivenBackComesAgain() throws {
    let folder = try Folder()
    try folder.write("a", [(1, "1\n2\n3")])
    let log = ProcessLog(process: "a", stream: "stdout", tree: try LogTree(folder.path), runs: .all, since: nil)
    log.begin(tail: nil)
    let merge = LogMerge()
    merge.add(log)
    func next() -> String? { merge.next().map { String(decoding: $0.line.bytes, as: UTF8.self) } }
    #expect(next() == "1\n")
    merge.putBack()
    #expect(next() == "2\n")
    merge.putBack()
    (log.follows, log.holdsPartial) = (true, true)
    #expect(next() == nil)
    try openFile("\(folder.path)/a/0/stdout", O_WRONLY | O_APPEND).writeAll(" goes on\n".utf8)
    #expect([next(), next()] == ["3 goes on\n", nil])
  }

  @Test func followedRunsAreShownOneByOneAlsoWhereNumbersAreLeftOut() throws {
    let folder = try Folder()
    try folder.write("a", run: 0, [(1, "0\n")])
    let log = ProcessLog(process: "a", stream: "stdout", tree: try LogTree(folder.path), runs: .all, since: nil)
    log.follows = true
    log.begin(tail: nil)
    func next() -> String? { log.next().map { String(decoding: $0.bytes, as: UTF8.self) } }
    #expect([next(), next()] == ["0\n", nil])
    for run in 1...3 { try folder.write("a", run: run, [(2, "\(run)\n")]) }
    #expect([next(), next(), next(), next()] == ["1\n", "2\n", "3\n", nil])
    try folder.write("a", run: 7, [(2, "7\n")])
    var seen = next()
    for _ in 0..<200 where seen == nil {
      CurrentProcess.pause(milliseconds: 10)
      seen = next()
    }
    #expect(seen == "7\n")
  }

  @Test func olderFilesAreNotShownAgainWhenTheOneThatWasReadIsRemoved() throws {
    let folder = try Folder()
    try folder.write("a", file: "stdout.1", from: 0, [(1, "one")])
    try folder.write("a", from: 3, [(2, "two")])
    let stream = try folder.stream("a")
    func next() -> String? { stream.read(upTo: 100).map { String(decoding: $0, as: UTF8.self) } }
    #expect([next(), next(), next()] == ["one", "two", nil])
    try removeFile("\(folder.path)/a/0/stdout")
    #expect(next() == nil)
    try removeFile("\(folder.path)/a/0/stdout.index")
    try folder.write("a", from: 6, [(3, "three")])
    #expect([next(), next()] == ["three", nil])
    #expect(stream.takeMissing() == 0)
  }

  @Test func oneLogStaysInItsOrderWhenTheClockGoesBack() throws {
    let folder = try Folder()
    try folder.write("a", [(100, "1\n"), (10, "2\n"), (11, "3\n")])
    try folder.write("b", [(50, "x\n"), (200, "y\n")])
    #expect(try folder.lines(["a", "b"]) == ["x\n", "1\n", "2\n", "3\n", "y\n"])
    #expect(try folder.lines(["a"], since: 60) == ["1\n", "2\n", "3\n"])
  }

  @Test func rotatedFilesAndRunsFollowEachOther() throws {
    let folder = try Folder()
    try folder.write("a", run: 0, file: "stdout.10", [(1, "1\n2")])
    try folder.write("a", run: 0, file: "stdout.9", from: 3, [(2, "2\n3\n")])
    try folder.write("a", run: 0, [])
    try folder.write("a", run: 2, [(3, "4\n"), (5, "5")])
    try folder.write("a", run: 10, [(6, "6\n")])
    try folder.write("b", [(4, "b\n")])
    #expect(try folder.lines(["a"]) == ["1\n", "22\n", "3\n", "4\n", "5", "6\n"])
    #expect(try folder.lines(["a", "b"], since: 3) == ["4\n", "b\n", "5", "6\n"])
    #expect(try folder.lines(["a"], tail: 3) == ["4\n", "5", "6\n"])
    #expect(try folder.lines(["a"], tail: 5) == ["22\n", "3\n", "4\n", "5", "6\n"])
    #expect(try folder.lines(["a"], runs: .only(2)) == ["4\n", "5"])
    #expect(try folder.lines(["a"], runs: .last) == ["6\n"])
  }

  @Test func filesThatAreRenamedNoMoreComeBeforeTheOthersTheLowestNumberFirst() throws {
    let folder = try Folder()
    // Two have gone, and an operator has taken one from between.
    for (number, name) in ["old.3", "old.9", "old.11", "2", "1"].enumerated() {
      try folder.write(
        "a", file: "stdout.\(name)", from: UInt64(3 * number), [(UInt64(number + 1), "\(name.suffix(2))\n")])
    }
    try folder.write("a", from: 15, [(9, "new\n")])
    let all = [".3\n", ".9\n", "11\n", "2\n", "1\n", "new\n"]
    #expect(try folder.lines(["a"]) == all)
    #expect(try folder.lines(["a"], tail: 5) == Array(all.suffix(5)))
    #expect(try folder.lines(["a"], since: 3) == Array(all.suffix(4)))
    // What is no number is no file of the stream.
    for name in ["old.0", "old.01", "old.", "old.x", "01", "x", "old.99999999999"] {
      #expect(LogFileNames.place(of: Array("stdout.\(name)".utf8), "stdout") == nil)
    }
  }

  /// A reader that is behind follows files to where they are not renamed any more, and from there to the newest.
  @Test func aReaderFollowsAFileToItsLastName() throws {
    let folder = try Folder()
    let directory = "\(folder.path)/a/0"
    try folder.write("a", [(1, "0")])
    let stream = try folder.stream("a")
    func next() -> String? { stream.read(upTo: 100).map { String(decoding: $0, as: UTF8.self) } }
    #expect(next() == "0")
    var old = 0
    for number in 1...25 {
      let last = LogFileNames.renamed
      func move(_ from: String, _ to: String) {
        try? rename("\(directory)/\(LogIndexRecord.name(of: from))", to: "\(directory)/\(LogIndexRecord.name(of: to))")
        try? rename("\(directory)/\(from)", to: "\(directory)/\(to)")
      }
      if (try? status(of: "\(directory)/stdout.\(last)")) != nil {
        old += 1
        move("stdout.\(last)", "stdout.old.\(old)")
      }
      for place in (0..<last).reversed() { move(LogFileNames.name("stdout", at: place), "stdout.\(place + 1)") }
      try folder.write("a", from: UInt64(number), [(2, "\(number % 10)")])
      // It reads on now and then.
      if number == 12 { #expect((0..<7).map { _ in next() } == ["1", "2", "3", "4", "5", "6", "7"]) }
    }
    var rest = ""
    while let text = next() { rest += text }
    #expect(rest == "890123456789012345")
    #expect(stream.takeMissing() == 0)
  }

  @Test func aReaderFindsItsWayThroughRotationsAndCountsWhatIsGone() throws {
    let folder = try Folder()
    let directory = "\(folder.path)/a/0"
    try folder.write("a", [(1, "one")])
    let stream = try folder.stream("a")
    func next() -> String? { stream.read(upTo: 100).map { String(decoding: $0, as: UTF8.self) } }
    func rotate(to position: UInt64, _ text: String) throws {
      for (old, new) in [("stdout.1", "stdout.2"), ("stdout", "stdout.1")] {
        try? rename("\(directory)/\(LogIndexRecord.name(of: old))", to: "\(directory)/\(LogIndexRecord.name(of: new))")
        try? rename("\(directory)/\(old)", to: "\(directory)/\(new)")
      }
      try folder.write("a", from: position, [(2, text)])
    }
    #expect([next(), next()] == ["one", nil])
    try rotate(to: 3, "two")
    try rotate(to: 6, "three")
    #expect([next(), next(), next()] == ["two", "three", nil])
    #expect(stream.takeMissing() == 0)
    for (position, text) in [(11, "four"), (15, "five"), (19, "six"), (22, "seven")] as [(UInt64, String)] {
      try rotate(to: position, text)
    }
    #expect([next(), next(), next(), next()] == ["five", "six", "seven", nil])
    #expect(stream.takeMissing() == 4)
  }
}
