import Testing

@testable import TaskStore

@Suite struct LookPauseTests {
  @Test func doublesUpToASecondWhileNothingComes() {
    var pause = LookPause()
    var seen: [Int32] = []
    for _ in 0..<9 {
      seen.append(pause.milliseconds)
      pause.looked(foundNews: false)
    }
    #expect(seen == [10, 20, 40, 80, 160, 320, 640, 1000, 1000])
  }

  @Test func isShortAgainWhenSomethingHasCome() {
    var pause = LookPause()
    for _ in 0..<20 { pause.looked(foundNews: false) }
    pause.looked(foundNews: true)
    #expect(pause == LookPause())
  }
}
