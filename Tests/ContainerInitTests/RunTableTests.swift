import LaunchModel
import LinuxKernel
import Testing

@testable import ContainerInit

/// The runs as init keeps them, without processes.
@Suite struct RunTableTests {
  private func run(_ name: String, pid: Int32) throws -> (run: Run, failure: SharedDescriptor) {
    let (go, failure) = (try makePipe(), try makePipe(nonBlocking: true))
    let run = Run(key: RunKey(name, 0), child: HeldChild(pid: pid, go: go.second, failure: failure.first))
    return (run, failure.second)
  }

  private func end(_ run: Run) {
    run.end = ExitRecord(key: run.key, waitStatus: 0, bootTime: 1, wallTime: 2)
    run.isRecorded = true
  }

  @Test func runsAreReportedInTheOrderOfTheirStarts() throws {
    var table = RunTable()
    let runs = try ["b", "a", "c"].enumerated().map { try run($0.element, pid: Int32(10 + $0.offset)).run }
    for run in runs { table.add(run) }
    runs[1].go = nil
    end(runs[2])
    let record = try #require(runs[2].end)
    #expect(
      table.reports == [
        RunReport(RunKey("b", 0), .held(pid: 10)), RunReport(RunKey("a", 0), .running(pid: 11)),
        RunReport(RunKey("c", 0), .ended(record)),
      ])
    #expect(table[RunKey("a", 0)] === runs[1] && table[RunKey("a", 1)] == nil)
  }

  @Test func whoHasEndedIsTakenOnceAndStrangersNever() throws {
    var table = RunTable()
    let runs = try (0..<3).map { try run("p\($0)", pid: Int32(10 + $0)).run }
    for run in runs { table.add(run) }
    #expect(table.isAlive(10) && !table.isAlive(9))
    #expect(table.takeEnded(10) === runs[0])
    #expect(table.takeEnded(10) == nil && table.takeEnded(99) == nil)
    #expect(!table.isAlive(10) && table.isAlive(11) && table.isAlive(12))
    // It is a run of the task all the same.
    #expect(table.reports.count == 3)
  }

  @Test func aCommandIsNoRunOfTheTask() throws {
    var table = RunTable()
    let command = try run("check", pid: 20).run
    table.addCommand(command)
    #expect(table.reports.isEmpty && table[RunKey("check", 0)] == nil && table.areRecorded)
    #expect(table.isAlive(20) && table.takeEnded(20) === command)
  }

  @Test func allIsRecordedWhenTheLastRunIs() throws {
    var table = RunTable()
    let (one, other) = (try run("a", pid: 1).run, try run("b", pid: 2).run)
    table.add(one)
    table.add(other)
    end(one)
    _ = table.takeEnded(2)
    #expect(!table.areRecorded)
    end(other)
    #expect(table.areRecorded)
  }

  @Test func whyACommandWasNotExecutedIsReadOnceItIsKnown() throws {
    let (run, failure) = try run("a", pid: 1)
    #expect(!run.settleStart())
    let reason = StartFailure(.isDirectory, "cannot start /x", hint: "choose a program")
    try failure.descriptor.writeAll(reason.encoded)
    #expect(run.settleStart() && run.startFailure == reason && run.failure == nil)
    #expect(run.settleStart())
    // A child that was killed while it wrote.
    let (torn, pipe) = try self.run("b", pid: 2)
    try pipe.descriptor.writeAll(reason.encoded.prefix(3))
    #expect(torn.settleStart() && torn.startFailure?.kind == .other)
  }
}
