import TaskModel
import Testing

@testable import DiskUsage
@testable import TaskStore

@Suite struct LogCeilingTests {
  private let mebibyte: UInt64 = 1 << 20

  private func run(_ process: String, _ number: Int, ended: UInt64?, _ mebibytes: UInt64 = 2) -> LogCeiling.Run {
    .init(process: process, number: number, endedAt: ended, bytes: mebibytes << 20)
  }

  private func surplus(_ limit: UInt64, _ runs: [LogCeiling.Run]) -> [String] {
    LogCeiling(asked: limit << 20, disk: nil).surplus(runs).map { "\($0.process)\($0.number)" }
  }

  @Test func theRunsThatEndedFirstGoFirstUntilTheRestFits() {
    let runs = [
      run("a", 0, ended: 10), run("a", 1, ended: 40), run("a", 2, ended: 60), run("b", 0, ended: 20),
      run("b", 1, ended: 30), run("b", 2, ended: 50), run("b", 3, ended: nil),
    ]
    #expect(surplus(14, runs) == [])
    #expect(surplus(13, runs) == ["a0"])
    #expect(surplus(9, runs) == ["a0", "b0", "b1"])
  }

  @Test func theNewestRunOfEachProcessStays() {
    let runs = [
      run("a", 0, ended: 1), run("a", 1, ended: 2), run("a", 2, ended: nil, 500), run("b", 0, ended: 3, 700),
      run("c", 0, ended: nil),
    ]
    #expect(surplus(1, runs) == ["a0", "a1"])
    #expect(surplus(0, [run("a", 0, ended: 1)]) == [])
  }

  /// Of a process that keeps crashing, the run before matters most.
  @Test func theRunBeforeGoesLast() {
    let runs = [
      run("a", 0, ended: 1), run("a", 1, ended: nil), run("b", 0, ended: 2), run("b", 1, ended: 3),
      run("b", 2, ended: nil),
    ]
    #expect(surplus(8, runs) == ["b0"])
    #expect(surplus(6, runs) == ["b0", "a0"])
    #expect(surplus(4, runs) == ["b0", "a0", "b1"])
  }

  /// Not for the half of its disk: what the run before has is worth more than that other files have room.
  @Test func theRunBeforeStaysUnderALimitOfDisk() {
    let runs = [run("a", 0, ended: 1), run("a", 1, ended: 2), run("a", 2, ended: nil)]
    let ceiling = LogCeiling(asked: 10 << 20, disk: 2 << 20)
    #expect(ceiling.surplus(runs).map(\.number) == [0])
  }

  /// Two names that only look equal are two processes.
  @Test func namesAreComparedByTheirBytes() {
    let runs = [run("\u{e9}", 0, ended: 1), run("e\u{301}", 1, ended: 2)]
    #expect(surplus(0, runs) == [])
  }

  @Test func logsMayTakeHalfOfALimitOfDisk() {
    #expect(LogCeiling(asked: 100, disk: nil).bytes == 100)
    #expect(LogCeiling(asked: 100, disk: 1000).bytes == 100)
    #expect(LogCeiling(asked: 1000, disk: 100).bytes == 50)
  }

  @Test func theNoteNamesRunsByTheirRanges() {
    let ceiling = LogCeiling(asked: 8 << 20, disk: nil)
    func note(_ removed: (String, Int)...) -> [String] { ceiling.note(removed.map { (process: $0.0, run: $0.1) }) }
    let why = "the logs of all runs may take 8 MiB"
    #expect(note() == [])
    #expect(note(("web", 3)) == ["logs of web run 3 were removed: \(why)"])
    #expect(
      note(("web", 0), ("db", 0), ("web", 1), ("web", 2), ("web", 5)) == [
        "logs of web runs 0 to 2, 5 were removed: \(why)", "logs of db run 0 were removed: \(why)",
      ])
  }

  @Test func theConsolesOfATaskShareOneBound() {
    func size(_ consoles: Int) -> UInt64? {
      let process = ProcessDefinition(
        name: "p", command: "true", logger: LoggerConfig(destination: .console))
      if case .files(let bytes, 1) = RunLogs.mode(for: process, consoles: consoles) { return bytes }
      return nil
    }
    #expect(size(1) == 1 << 20)
    for count in [3, 40, 300, 600] { #expect((size(count) ?? 0) * 12 * UInt64(count) <= 32 << 20) }
    #expect(size(10_000) == 4096)
  }

  @Test func aLimitOfDiskIsALimitOfFiles() {
    #expect(DiskMeasurement.mostFiles(1) == 32768)
    #expect(DiskMeasurement.mostFiles(16 << 20) == 32768)
    #expect(DiskMeasurement.mostFiles(1 << 30) == 262_144)
    let found = DiskMeasurement(bytes: 5, files: 300_000, largest: [])
    #expect(
      found.complaint(limit: 16 << 20)
        == "disk limit exceeded: 300000 files and directories, a limit of 16 MiB allows 32768")
    #expect(found.complaint(limit: 2 << 30) == nil)
  }
}
