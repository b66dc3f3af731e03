import Isolators
import LaunchModel
import TaskModel
import Testing

@testable import Supervision

@Suite struct OutcomeJudgeTests {
  private static let second: UInt64 = 1_000_000_000

  /// How a run ends at 100 s, as the kernel counts and logs kills for want of memory.
  private func outcome(
    _ waitStatus: Int32, counted: UInt64?, known: UInt64 = 0, log: [UInt64]?, successes: [Int32] = [0]
  ) -> RunOutcome {
    var process = ProcessDefinition(name: "p", command: "x")
    process.successExitCodes = successes
    var judge = OutcomeJudge([process], knownKills: known)
    var usage = ContainerUsage()
    usage.outOfMemoryKills = counted
    (usage.memoryLimitBytes, usage.memoryPeakBytes) = (64, 63)
    let record = ExitRecord(key: RunKey("p", 0), waitStatus: waitStatus, bootTime: 100 * Self.second, wallTime: 0)
    return judge.outcome(
      of: record, killCount: usage.outOfMemoryKills, usage: { usage }, kills: { log?.map { $0 * Self.second } })
  }

  private let killed: Int32 = 9
  private let three: Int32 = 3 << 8
  private let isKilled = RunOutcome.outOfMemory(signal: 9, exitCode: nil, limitBytes: 64, peakBytes: 63)
  private let hasFailed = RunOutcome.outOfMemory(signal: nil, exitCode: 3, limitBytes: 64, peakBytes: 63)

  @Test func aKillShortlyBeforeIsTheReason() {
    #expect(outcome(killed, counted: 1, log: [100]) == isKilled)
    #expect(outcome(three, counted: 1, log: [95]) == hasFailed)
    #expect(outcome(three, counted: 2, known: 1, log: [20, 99]) == hasFailed)
  }

  @Test func aKillThatItSurvivedForLongIsNot() {
    #expect(outcome(three, counted: 1, log: [80]) == .exited(3))
    #expect(outcome(killed, counted: 1, log: [10]) == .signaled(9))
    #expect(outcome(three, counted: 1, log: []) == .exited(3))
  }

  @Test func withoutTheLogTheCounterIsBelieved() {
    #expect(outcome(killed, counted: 1, log: nil) == isKilled)
    #expect(outcome(killed, counted: 1, known: 1, log: nil) == .signaled(9))
    #expect(outcome(killed, counted: nil, log: nil) == .signaled(9))
  }

  @Test func aSuccessHasNoReason() {
    #expect(outcome(0, counted: 1, log: [100]) == .exited(0))
    #expect(outcome(three, counted: 1, log: [100], successes: [0, 3]) == .exited(3))
  }

  @Test func killsThatAreAccountedForAreNotAccountedForTwice() {
    var judge = OutcomeJudge([ProcessDefinition(name: "p", command: "x")], knownKills: 0)
    var usage = ContainerUsage()
    usage.outOfMemoryKills = 1
    let record = ExitRecord(key: RunKey("p", 0), waitStatus: 9, bootTime: 100 * Self.second, wallTime: 0)
    func outcome() -> RunOutcome {
      judge.outcome(
        of: record, killCount: usage.outOfMemoryKills, usage: { usage }, kills: { [99 * Self.second] })
    }
    let first = outcome()
    #expect(first == .outOfMemory(signal: 9, exitCode: nil, limitBytes: 0, peakBytes: 0))
    #expect(judge.knownKills == 1)
    #expect(outcome() == .signaled(9))
  }

  @Test func whatWasNeverStartedSaysWhy() {
    var judge = OutcomeJudge([], knownKills: 0)
    var record = ExitRecord(key: RunKey("p", 0), waitStatus: 0, bootTime: 0, wallTime: 0)
    record.startFailure = StartFailure(.noShell, "no shell", hint: "install one")
    #expect(
      judge.outcome(of: record, killCount: nil, usage: { ContainerUsage() }, kills: { nil })
        == .cannotStart(.noShell, reason: "no shell", hint: "install one"))
  }
}
