import Testing

@testable import DiskUsage

@Suite struct ProjectIDsTests {
  private static let lowest = ProjectIDs.range.lowerBound

  @Test func theFirstThatIsFreeIsTaken() {
    let taken = Set((0..<5).map { Self.lowest + $0 })
    #expect(ProjectIDs(projid: []).first(from: 0) { !taken.contains($0) } == Self.lowest + 5)
  }

  @Test func whatProjidNamesIsLeftAlone() {
    let file = "# \(Self.lowest + 2) is free:\nlogs:\(Self.lowest)\n\nspaced: \(Self.lowest + 1)\nbad:line:x\nnothing\n"
    #expect(ProjectIDs(projid: Array(file.utf8)).first(from: 0) { _ in true } == Self.lowest + 2)
  }

  @Test(arguments: [0, 1, 77, UInt32.max]) func everyStartStaysInTheRange(start: UInt32) {
    var asked: [UInt32] = []
    #expect(
      ProjectIDs(projid: []).first(from: start) {
        asked.append($0)
        return false
      } == nil)
    #expect(asked.allSatisfy(ProjectIDs.range.contains))
    // Each once, and not without end.
    #expect(Set(asked).count == asked.count && (1...10_000).contains(asked.count))
  }

  @Test func theRangeIsNobodyElsesByDefault() {
    for id in [0, 1, 5000, 10_000, 1_048_577, .max] as [UInt32] { #expect(!ProjectIDs.range.contains(id)) }
  }
}
