import Testing

@testable import DockerContainerizer
@testable import DockerEngineClient

/// What a person sees of a pull.
struct PullProgressTests {
  private func shown(isTerminal: Bool, _ messages: [(id: String, status: String, current: Int64?, total: Int64?)])
    -> String
  {
    var bytes: [UInt8] = []
    var progress = PullProgress(isTerminal: isTerminal) { bytes += $0 }
    for (index, message) in messages.enumerated() {
      progress.take(
        EngineProgress(id: message.id, status: message.status, current: message.current, total: message.total),
        at: UInt64(index) * 1_000_000_000)
    }
    progress.finish()
    return String(decoding: bytes, as: UTF8.self)
  }

  private let pull: [(id: String, status: String, current: Int64?, total: Int64?)] = [
    ("1", "Pulling from team/app", nil, nil), ("aa", "Pulling fs layer", nil, nil), ("bb", "Already exists", nil, nil),
    ("aa", "Downloading", 1024, 4096), ("aa", "Download complete", nil, nil), ("aa", "Pull complete", nil, nil),
  ]

  @Test func aTerminalHasOneLineThatIsWipedAtTheEnd() {
    let lines = shown(isTerminal: true, pull).split(separator: "\r\u{1b}[K", omittingEmptySubsequences: false)
    #expect(
      lines.suffix(4) == [
        "  1 of 2 layers, 1 KiB / 4 KiB", "  1 of 2 layers, 4 KiB / 4 KiB", "  2 of 2 layers, 4 KiB / 4 KiB", "",
      ])
  }

  @Test func elsewhereThereAreLinesWithoutCounting() {
    #expect(
      shown(isTerminal: false, pull) == """
          1: Pulling from team/app
          aa: Pulling fs layer
          bb: Already exists
          aa: Download complete
          aa: Pull complete

        """)
  }

  @Test func anEngineThatInventsLayersAndSizesIsHarmless() {
    let many = (0..<5000).map { ("\($0)", "Downloading", Int64?.some(.max), Int64?.some(.max)) }
    #expect(shown(isTerminal: true, many).contains("512 layers"))
    #expect(shown(isTerminal: false, [("\u{1b}[2J", "a\u{7}b", nil, nil)]).utf8.allSatisfy { $0 >= 0x20 || $0 == 0x0a })
  }
}
