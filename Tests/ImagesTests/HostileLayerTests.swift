import Glibc
import LinuxKernel
import Testing

@testable import Images

/// Layers that were made to do harm. Each is refused with an error that names its entry, and nothing outside the layer's
/// directory changes. Everything runs in this process, without root.
@Suite(.serialized) struct HostileLayerTests {
  /// Unpacks beside a canary, and expects a refusal that shows every one of `words`.
  private func refuses(
    _ words: [String], budgets: Budgets = Budgets(), location: SourceLocation = #_sourceLocation,
    _ fill: (inout TarBuilder) -> Void
  ) throws {
    let scratch = try Scratch()
    let canary = try scratch.write("canary", Array("alive".utf8))
    try makeDirectory(scratch.path + "/private", mode: 0o700)
    var tar = TarBuilder()
    fill(&tar)
    let error = scratch.refusal(tar.finished, budgets: budgets)
    let text = try #require(error, "it was accepted", sourceLocation: location).description
    #expect(error?.kind == .invalid, sourceLocation: location)
    for word in words { #expect(text.contains(word), "\(text)", sourceLocation: location) }
    #expect(try readFile(canary) == Array("alive".utf8), sourceLocation: location)
    #expect(try status(of: scratch.path + "/private").permissions == 0o700, sourceLocation: location)
    #expect(
      try entries(of: scratch.path).count == 4, "canary, private, the archive, the tree", sourceLocation: location)
  }

  /// The layer is the root of every name in it, as umoci and Docker have it, so there is nothing to refuse.
  @Test(arguments: [
    "../canary", "a/../../canary", "./../canary", "/canary", "//canary", "/../a/./..//canary", "canary/",
    "x/y/../../canary",
  ])
  func namesStayInside(name: String) throws {
    let scratch = try Scratch()
    let canary = try scratch.write("canary", Array("alive".utf8))
    var tar = TarBuilder()
    tar.file(name, "inside")
    _ = try scratch.unpack(tar.finished)
    #expect(try readFile(canary) == Array("alive".utf8))
    #expect(try scratch.content("canary") == "inside")
    #expect(try scratch.names() == [Array("canary".utf8)])
  }

  @Test(arguments: ["/", ".", "./", "..", "a/..", ""])
  func theRootHasManyNames(name: String) throws {
    let scratch = try Scratch()
    var tar = TarBuilder()
    tar.directory(name, mode: "0000711")
    _ = try scratch.unpack(tar.finished)
    #expect(try scratch.status(".").permissions == 0o711)
    try refuses(["root"]) { $0.file(name, "x") }
  }

  @Test func writingThroughALinkStaysInside() throws {
    let scratch = try Scratch()
    _ = try scratch.write("canary", Array("alive".utf8))
    var tar = TarBuilder()
    tar.directory("deep/er/")
    tar.symbolicLink("deep/er/out", to: "../../../..")
    tar.file("deep/er/out/canary", "inside")
    _ = try scratch.unpack(tar.finished)
    #expect(try scratch.content("canary") == "inside")
    #expect(try readFile(scratch.path + "/canary") == Array("alive".utf8))
  }

  @Test func aLinkIsReplacedNotFollowed() throws {
    let scratch = try Scratch()
    let canary = try scratch.write("canary", Array("alive".utf8))
    try makeDirectory(scratch.path + "/private", mode: 0o700)
    var tar = TarBuilder()
    tar.symbolicLink("file", to: canary)
    tar.file("file", "mine")
    tar.symbolicLink("directory", to: scratch.path + "/private")
    tar.directory("directory/", mode: "0000777")
    tar.symbolicLink("fifo", to: canary)
    tar.add(TarBuilder.Header("fifo", type: "6"))
    _ = try scratch.unpack(tar.finished)
    #expect(try readFile(canary) == Array("alive".utf8))
    #expect(try status(of: scratch.path + "/private").permissions == 0o700)
    #expect(try scratch.content("file") == "mine")
    #expect(try scratch.status("directory").isDirectory)
  }

  /// The deferred pass over directories must not be led astray by what came after them (CVE-2021-32760).
  @Test func aDirectoryThatBecameALinkKeepsTheModeOfItsTarget() throws {
    let scratch = try Scratch()
    var tar = TarBuilder()
    tar.directory("other/", mode: "0000711")
    tar.directory("a/", mode: "0000777")
    tar.symbolicLink("a", to: "other")
    tar.directory("b/")
    tar.directory("b/c/", mode: "0000777")
    tar.directory("d/")
    tar.directory("d/c/", mode: "0000711")
    tar.symbolicLink("b", to: "d")
    _ = try scratch.unpack(tar.finished)
    #expect(try scratch.status("other").permissions == 0o711)
    #expect(try scratch.status("d/c").permissions == 0o711)
  }

  /// Replacing a directory removes its tree, whatever the names in it: also those that a removal itself could use.
  @Test func anyTreeCanBeReplaced() throws {
    let scratch = try Scratch()
    var tar = TarBuilder()
    for index in 1...9 { tar.directory("d/.ax-remove-\(index)/x/y/z/") }
    tar.file("d/.ax-remove-10", "x")
    for index in 1...9 { tar.directory("d/e\(index)/x/y/z/") }
    tar.file("d", "now a file")
    _ = try scratch.unpack(tar.finished)
    #expect(try scratch.content("d") == "now a file")
  }

  @Test func theRootMustBeADirectory() throws {
    try refuses(["root"]) { $0.symbolicLink("./", to: "/etc") }
    try refuses(["root"]) { $0.symbolicLink(".", to: "/etc") }
    try refuses(["root"]) { $0.file(".", "x") }
  }

  @Test func aChildBelowAFileIsRefused() throws {
    try refuses(["a/b", "no directory"]) {
      $0.file("a", "x"); $0.file("a/b", "y")
    }
  }

  @Test func linksThatLeadNowhereAreRefused() throws {
    try refuses(["loop/x"]) {
      $0.symbolicLink("loop", to: "loop"); $0.file("loop/x", "y")
    }
  }

  /// What a link leads to may be in the layers below.
  @Test func aDirectoryIsMadeWhereALinkLeads() throws {
    let scratch = try Scratch()
    var tar = TarBuilder()
    tar.symbolicLink("gone", to: "/a/../usr/./lib")
    tar.file("gone/deep/x", "y")
    tar.symbolicLink("d", to: "../../../d2/e")
    tar.file("d/../z", "lexical")
    tar.file("d/z", "followed")
    _ = try scratch.unpack(tar.finished)
    #expect(try scratch.content("usr/lib/deep/x") == "y")
    #expect(try scratch.content("d2/e/z") == "followed")
    #expect(try scratch.content("z") == "lexical")
    try refuses(["x/y"]) { tar in
      for index in 0..<50 { tar.symbolicLink("l\(index)", to: "l\(index + 1)") }
      tar.symbolicLink("x", to: "l0")
      tar.file("x/y")
    }
  }

  @Test func hardLinksReachWhatTheLayerHas() throws {
    let scratch = try Scratch()
    _ = try scratch.write("canary", Array("alive".utf8))
    var tar = TarBuilder()
    tar.directory("d/")
    tar.file("d/f", "x")
    tar.symbolicLink("l", to: "/d")
    tar.hardLink("absolute", to: "/d/f")
    tar.hardLink("dots", to: "../../d/../d/f")
    tar.hardLink("through", to: "l/f")
    tar.symbolicLink("d/s", to: "/etc/shadow")
    tar.hardLink("symbolic", to: "l/s")
    tar.add(TarBuilder.Header("dev/null", type: "3"))
    tar.hardLink("dev/zero", to: "/dev/null")
    let report = try scratch.unpack(tar.finished)
    for name in ["absolute", "dots", "through"] {
      #expect(try scratch.status(name).inode == scratch.status("d/f").inode)
    }
    #expect(try scratch.status("symbolic").inode == scratch.status("d/s").inode)
    #expect(report.skippedDevices == 2)
    #expect(!scratch.exists("dev/zero"))
  }

  @Test func hardLinksReachNothingElse() throws {
    try refuses(["x", "directory"]) {
      $0.directory("d/"); $0.hardLink("x", to: "d")
    }
    try refuses(["x", "directory"]) { $0.hardLink("x", to: ".") }
    // What the layer does not have, one of our whiteouts among it, is for the layers below to give (`LayerStackTests`).
    for target in ["/etc/passwd", "../canary", "missing", "f"] {
      let scratch = try Scratch()
      _ = try scratch.write("canary", Array("alive".utf8))
      var tar = TarBuilder()
      tar.file(".wh.f")
      tar.file("x", "an earlier entry")
      tar.hardLink("x", to: target)
      let report = try scratch.unpack(tar.finished)
      #expect(report.gaps.links.map(\.name) == [Array("x".utf8)])
      #expect(!scratch.exists("x"))
    }
  }

  @Test(arguments: [".wh.", ".wh..", ".wh...", "d/.wh.", "d/.wh..", "d/.wh..."])
  func whiteoutsOfNothingAreRefused(name: String) throws {
    try refuses([name, "whiteout"]) {
      $0.directory("d/"); $0.file(name)
    }
  }

  @Test func onlyTheLastComponentIsAWhiteout() throws {
    let scratch = try Scratch()
    var tar = TarBuilder()
    tar.file(".wh.a/b", "x")
    _ = try scratch.unpack(tar.finished)
    #expect(try scratch.content(".wh.a/b") == "x")
  }

  @Test func aWhiteoutThroughALinkStaysInside() throws {
    let scratch = try Scratch()
    let canary = try scratch.write("canary", Array("alive".utf8))
    var tar = TarBuilder()
    tar.symbolicLink("l", to: "..")
    tar.file("l/.wh.canary")
    tar.file("l/.wh..wh..opq")
    _ = try scratch.unpack(tar.finished)
    #expect(try readFile(canary) == Array("alive".utf8))
    #expect(try scratch.isWhiteout("canary"))
  }

  @Test func longNamesAreRefused() throws {
    try refuses(["component"]) { tar in
      tar.pax([("path", [UInt8](repeating: 0x61, count: 256))])
      tar.file("x")
    }
    try refuses(["6000 bytes"]) { tar in
      tar.pax([("path", Array(String(repeating: "abc/", count: 1500).utf8))])
      tar.file("x")
    }
    try refuses(["512 directories"]) { tar in
      tar.pax([("path", Array(String(repeating: "a/", count: 513).utf8))])
      tar.directory("x")
    }
    try refuses(["NUL"]) {
      $0.pax([("path", Array("a\0b".utf8))]); $0.file("x")
    }
    try refuses(["NUL"]) {
      $0.pax([("linkpath", Array("a\0b".utf8))]); $0.symbolicLink("x", to: "y")
    }
  }

  @Test func theDeepestAllowedTreeIsMadeAndRemoved() throws {
    let scratch = try Scratch()
    var tar = TarBuilder()
    tar.pax([("path", Array((String(repeating: "a/", count: 511) + "f").utf8))])
    tar.file("x", "deep")
    _ = try scratch.unpack(tar.finished)
    try removeTree(scratch.path + "/tree")
    #expect(!scratch.exists("."))
  }

  @Test func idsThatTheKernelWouldBendAreRefused() throws {
    for value in [-1, 0xffff_ffff, 0x1_0000_0000] as [Int64] {
      try refuses(["suid", "\(value)"]) { tar in
        var header = TarBuilder.Header("suid")
        header.mode = "0004755"
        header.uid = TarBuilder.binary(value, 8)
        tar.add(header)
      }
      try refuses(["gid \(value)"]) {
        $0.pax([("gid", Array("\(value)".utf8))]); $0.file("x")
      }
    }
  }

  @Test func sizesThatCannotBeAreRefused() throws {
    for value in [-1, Int64.min / 512, Int64.max, 1 << 40] {
      try refuses(["x"]) { tar in
        var header = TarBuilder.Header("x")
        header.size = TarBuilder.binary(value, 12)
        tar.add(header)
      }
      try refuses(["x"]) {
        $0.pax([("size", Array("\(value)".utf8))]); $0.file("x")
      }
    }
  }

  @Test func timesBeyondEveryClockAreNoTrap() throws {
    for time in ["9223372036854775807", "-9223372036854775808.9", "99999999999", "0.999999999999999999999999"] {
      let scratch = try Scratch()
      var tar = TarBuilder()
      tar.pax([("mtime", Array(time.utf8))])
      tar.file("x")
      tar.pax([("mtime", Array(time.utf8))])
      tar.directory("d/")
      // The kernel clamps what it cannot store.
      _ = try? scratch.unpack(tar.finished)
    }
    try refuses(["time"]) {
      $0.pax([("mtime", Array("99999999999999999999".utf8))]); $0.file("x")
    }
    try refuses(["time"]) {
      $0.pax([("mtime", Array("1.x".utf8))]); $0.file("x")
    }
  }

  @Test func budgetsAreKept() throws {
    var budgets = Budgets()
    budgets.entries = 3
    try refuses(["more than 3 entries"], budgets: budgets) { tar in for index in 0..<4 { tar.file("\(index)") } }
    budgets = Budgets()
    budgets.attributeBytes = 100
    try refuses(["x", "100 bytes"], budgets: budgets) { tar in
      tar.pax([("SCHILY.xattr.user.a", [UInt8](repeating: 1, count: 101))])
      tar.file("x")
    }
    try refuses(["1024"]) { tar in
      tar.pax((0..<1025).map { ("SCHILY.xattr.user.\($0)", []) })
      tar.file("x")
    }
    budgets = Budgets()
    budgets.directoryNameBytes = 10
    try refuses(["10 bytes together"], budgets: budgets) { $0.directory("longer-than-that/") }
    budgets = Budgets()
    budgets.unpackedBytes = 4096
    try refuses(["4096"], budgets: budgets) {
      $0.file("x", String(repeating: "a", count: 4000)); $0.file("y", "b")
    }
    budgets.unpackedBytes = 8192
    // Holes count as well: a file of terabytes costs its reader as much as one with content.
    try refuses(["sparse", "8192"], budgets: budgets) { tar in
      tar.pax([
        ("GNU.sparse.major", Array("0".utf8)), ("GNU.sparse.minor", Array("1".utf8)),
        ("GNU.sparse.size", Array("1099511627776".utf8)), ("GNU.sparse.map", Array("0,1".utf8)),
      ])
      tar.file("x", "a")
    }
  }

  @Test func namesInErrorsCannotWriteToATerminal() throws {
    try refuses(["\\x1b[31m"]) {
      $0.file("x"); $0.file("x/\u{1b}[31m")
    }
  }
}
