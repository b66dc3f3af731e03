import Testing

@testable import Images

/// A layer that reaches one place through a lower layer's link and by its own name: the last entry counts.
@Suite(.serialized) struct LayerOrderTests {
  private let scratch: Scratch

  init() throws { scratch = try Scratch() }

  private func stack(_ fills: [(inout TarBuilder) -> Void]) throws -> StackedLayers {
    try StackedLayers(fills, in: scratch, StackEffort(interruption: nil))
  }

  private static func twoNames(_ tar: inout TarBuilder) {
    tar.directory("usr/lib/")
    tar.file("usr/lib/foo", "below")
    tar.directory("usr/lib/x/", mode: "0000750")
    tar.file("usr/lib/x/old", "below")
    tar.symbolicLink("lib", to: "usr/lib")
  }

  @Test(arguments: [false, true]) func deletionsThroughALinkLeaveWhatTheLayerHas(isFirst: Bool) throws {
    let made = try stack([
      Self.twoNames,
      { tar in
        if isFirst {
          tar.file("lib/x/.wh..wh..opq")
          tar.file("lib/.wh.foo")
        }
        tar.file("usr/lib/foo", "mine")
        tar.file("usr/lib/x/mine", "mine")
        if !isFirst {
          tar.file("lib/x/.wh..wh..opq")
          tar.file("lib/.wh.foo")
        }
      },
    ])
    #expect(try made.text("lib") == "-> usr/lib")
    #expect(try made.text("usr/lib/foo") == "mine")
    #expect(try made.text("usr/lib/x/mine") == "mine")
    #expect(try made.text("usr/lib/x/old") == nil)
    #expect(try made.seen("usr/lib/x")?.permissions == 0o750)
  }

  @Test func aDirectoryDeletedThroughALinkIsTheLayersOwn() throws {
    let made = try stack([
      Self.twoNames,
      { tar in
        tar.file("lib/.wh.x")
        tar.directory("usr/lib/x/", mode: "0000711")
        tar.file("usr/lib/x/mine", "mine")
        tar.file("usr/lib/x/deep/mine", "mine")
      },
    ])
    #expect(try made.text("usr/lib/x/mine") == "mine")
    #expect(try made.text("usr/lib/x/deep/mine") == "mine")
    #expect(try made.text("usr/lib/x/old") == nil)
    #expect(try made.seen("usr/lib/x")?.permissions == 0o711)
  }

  @Test(arguments: [false, true]) func theLastOfTwoWaysCounts(isOwnLast: Bool) throws {
    let made = try stack([
      Self.twoNames,
      { tar in
        if !isOwnLast {
          tar.file("usr/lib/foo", "own")
          tar.directory("usr/lib/x/", mode: "0000700")
        }
        tar.file("lib/foo", "through")
        tar.directory("lib/x/", mode: "0000711")
        tar.file("lib/x/y", "through")
        if isOwnLast {
          tar.file("usr/lib/foo", "own")
          tar.directory("usr/lib/x/", mode: "0000700")
        }
      },
    ])
    #expect(try made.text("usr/lib/foo") == (isOwnLast ? "own" : "through"))
    #expect(try made.text("usr/lib/x/y") == "through")
    #expect(try made.text("usr/lib/x/old") == "below")
    #expect(try made.seen("usr/lib/x")?.permissions == (isOwnLast ? 0o700 : 0o711))
  }

  @Test func theLayersOwnLinkIsInTheWayOfALowerOne() throws {
    let made = try stack([
      { tar in
        tar.directory("run/")
        tar.directory("var/")
        tar.symbolicLink("var/run", to: "../run")
      },
      { tar in
        tar.directory("data/run/")
        tar.symbolicLink("run", to: "data/run")
        tar.file("var/run/app", "through both")
      },
    ])
    #expect(try made.text("run") == "-> data/run")
    #expect(try made.text("var/run") == "-> ../run")
    #expect(try made.text("data/run/app") == "through both")
  }
}
