import LaunchModel
import LinuxKernel
import Testing

@testable import ContainerInit

/// Tokens of what init waits for: an event that comes late never reaches who came after.
@Suite struct EventSourcesTests {
  private func name(_ source: EventSources.Source?) -> String? {
    switch source {
    case nil: nil
    case .listener: "listener"
    case .signals: "signals"
    case .drainTimer: "drainTimer"
    default: "other"
    }
  }

  @Test func everySourceIsFoundByItsToken() {
    var sources = EventSources()
    let (first, second) = (sources.add(.listener), sources.add(.signals))
    #expect(first != second)
    #expect(name(sources[first]) == "listener" && name(sources[second]) == "signals")
  }

  @Test func aPlaceIsTakenAgainAndTheOldTokenMeansNobody() {
    var sources = EventSources()
    let first = sources.add(.listener)
    sources.remove(first)
    #expect(sources[first] == nil)
    let second = sources.add(.signals)
    // The same place: what is kept does not grow with all that there ever was.
    #expect(UInt32(truncatingIfNeeded: first) == UInt32(truncatingIfNeeded: second) && first != second)
    #expect(sources[first] == nil && name(sources[second]) == "signals")
    // Removed late, and once more: who has the place stays, and it is given to one only.
    sources.remove(first)
    #expect(name(sources[second]) == "signals")
    sources.remove(second)
    sources.remove(second)
    let (third, fourth) = (sources.add(.listener), sources.add(.drainTimer))
    #expect(third != fourth && name(sources[third]) == "listener" && name(sources[fourth]) == "drainTimer")
  }

  @Test func aTokenOfNobodyMeansNothing() {
    var sources = EventSources()
    #expect(sources[0] == nil && sources[UInt64.max] == nil)
    sources.remove(7)
    let token = sources.add(.listener)
    #expect(sources[token & 0xffff_ffff] == nil)
  }
}
