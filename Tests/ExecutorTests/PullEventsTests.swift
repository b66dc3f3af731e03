@testable import Images
import Registry
import StrictJSON
import Testing

@testable import Executor

/// What a program is told of a pull.
struct PullEventsTests {
  private static let digest = SHA256.digest(of: Array("layer".utf8))

  private func told(_ steps: [(milliseconds: UInt64, progress: PullProgress)]) -> [String] {
    var lines: [String] = []
    var events = PullEvents { lines.append($0.compact) }
    for step in steps { events.take(step.progress, at: step.milliseconds * 1_000_000 + 1_000_000_000) }
    return lines
  }

  private func unpacking(fetched: UInt64) -> PullProgress {
    var progress = ImportProgress(phase: .unpacking)
    progress.image = "app:1"
    progress.parts = [
      LayerProgress(digest: nil, number: 1, phase: .fetching, fetched: fetched, unpacked: 1, size: 9)
    ]
    return .importing(progress)
  }

  @Test func eachNewsIsALine() {
    let digest = PullEventsTests.digest.description
    #expect(
      told([
        (0, .resolved(PullEventsTests.digest)), (1, .layers(missing: 1, of: 2, bytes: 9)),
        (2, .fetched(PullEventsTests.digest, bytes: 9)),
        (3, .retrying(what: "layer", why: "503", milliseconds: 500)), (4, .waiting), (5, .present),
      ]) == [
        #"{"event":"resolved","digest":"\#(digest)"}"#, #"{"event":"layers","missing":1,"layers":2,"bytes":9}"#,
        #"{"event":"fetched","digest":"\#(digest)","bytes":9}"#,
        #"{"event":"retrying","what":"layer","why":"503","milliseconds":500}"#, #"{"event":"waiting"}"#,
        #"{"event":"present"}"#,
      ])
  }

  @Test func bytesAreToldTwiceASecond() {
    let lines = told([
      (0, unpacking(fetched: 1)), (100, unpacking(fetched: 2)), (499, unpacking(fetched: 3)),
      (500, unpacking(fetched: 4)), (900, unpacking(fetched: 5)),
    ])
    #expect(
      lines
        == [1, 4].map {
          #"{"event":"unpacking","image":"app:1","layers_done":0,"layers":"#
            + #"[{"number":1,"phase":"fetching","fetched":\#($0),"unpacked":1,"size":9}]}"#
        })
  }
}
