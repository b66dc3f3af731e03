import LaunchModel
import LinuxKernel
import PlayedInit
import TaskModel
import Testing

@testable import Supervision

/// Time for which the task was stopped is not the task's.
@Suite struct StandstillTests {
  private let second: UInt64 = 1_000_000_000

  @Test func whatHasPassedIsAddedUp() throws {
    let standstill = try Standstill()
    #expect(standstill.total(at: 5) == 0 && standstill.rest(at: 5) == nil)
    standstill.begin(at: second)
    standstill.begin(at: 2 * second)
    #expect(standstill.total(at: 3 * second) == 2 * second && standstill.rest(at: 3 * second) != nil)
    standstill.end(at: 3 * second)
    standstill.end(at: 9 * second)
    let whole = 2 * second + Standstill.moment
    #expect(standstill.total(at: 9 * second) == whole)
    // Whoever goes on has a moment of rest.
    #expect(standstill.rest(at: 3 * second) == 3 * second + Standstill.moment)
    #expect(standstill.rest(at: 3 * second + Standstill.moment) == nil)
    standstill.begin(at: 10 * second)
    #expect(standstill.total(at: 11 * second) == whole + second)
  }

  @Test func aRunHasItsTimeToEndWhatEverItWasStoppedFor() throws {
    let standstill = try Standstill()
    let (one, other, third) = (RunKey("a", 0), RunKey("b", 0), RunKey("c", 0))
    var ended: [RunKey] = []
    func overdue(_ run: RunKey) { standstill.overdue(run) { ended.append(run) } }
    // Stopped before it was asked.
    standstill.begin()
    standstill.end()
    for run in [one, other, third] { standstill.asked(run) }
    overdue(one)
    #expect(ended == [one])
    standstill.begin()
    CurrentProcess.pause(milliseconds: 50)
    standstill.end()
    let began = Clock.now
    overdue(other)
    overdue(third)
    standstill.hasEnded(third)
    #expect(ended == [one])
    _ = waitUntil {
      _ = standstill.takeEvents()
      return ended.count > 1
    }
    #expect(ended == [one, other] && Clock.now - began > Standstill.moment)
    // It has had its time.
    overdue(other)
    #expect(ended == [one, other, other])
  }

  @Test func whoIsStoppedHasAsMuchLongerToAnswer() throws {
    let host = try TaskHost()
    for directory in [host.paths.sandbox, host.paths.run] { try makeDirectories(directory, mode: 0o700) }
    var script = InitScript()
    script.commands = [.hangs]
    let container = try PlayedContainer(
      LaunchPlan(taskID: "t-1", identity: host.identity, sandbox: "/sandbox"), host.paths, script)
    let standstill = try Standstill()
    let services = ContainerServices(container.client)
    let probes = try ContainerProbes(services, identity: host.identity, standstill)
    var answered: [UInt64] = []
    let spec = ProcessSpec(
      process: "", run: 0, command: .shell("check"), environment: [], workingDirectory: "/", logMode: .direct)
    let began = Clock.now
    let then: (ContainerProbes.Answer) -> Void = { answer in
      if case .timedOut = answer { answered.append(Clock.now - began) }
    }
    _ = probes.run(spec, within: 0.1, then: then)
    standstill.begin()
    func goOn(milliseconds: UInt64) {
      let end = Clock.now + milliseconds * 1_000_000
      while Clock.now < end {
        _ = probes.takeEvents()
        CurrentProcess.pause(milliseconds: 5)
      }
    }
    _ = probes.takePending()
    goOn(milliseconds: 500)
    #expect(answered.isEmpty)
    standstill.end()
    _ = waitUntil {
      _ = probes.takeEvents()
      return !answered.isEmpty
    }
    #expect(answered.first.map { $0 > 500_000_000 + Standstill.moment } == true)
  }
}
