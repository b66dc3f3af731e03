import LaunchModel
import LinuxKernel
import Testing

@testable import ContainerInit

/// Limits that an engine gave its container, which init was raised over and the processes are to have.
@Suite struct InheritedLimitsTests {
  @Test func whatHasBeenRaisedSinceIsHandedOn() throws {
    var inherited = InheritedLimits.read()
    let index = try #require(inherited.firstIndex { $0.resource == 7 })
    #expect(InheritedLimits.completed([], inherited, for: .max).isEmpty)
    inherited[index].soft = 5
    inherited[index].hard = 6
    #expect(InheritedLimits.completed([], inherited, for: .max) == [ResourceLimit(resource: 7, soft: 5, hard: 6)])
    // The task's own word goes before.
    let own = ResourceLimit(resource: 7, soft: 1, hard: 2)
    #expect(InheritedLimits.completed([own], inherited, for: .max) == [own])
  }

  /// Who has init's uid leaves it room for signals.
  @Test func processesOfInitsUserHaveHalfOfThePendingSignals() throws {
    let inherited = [ResourceLimit(resource: ResourceLimit.pendingSignals, soft: 100, hard: 100)]
    let half = ResourceLimit(resource: ResourceLimit.pendingSignals, soft: 50, hard: 50)
    #expect(InheritedLimits.completed([], inherited, for: CurrentProcess.effectiveUser) == [half])
  }
}
