import Glibc
import LinuxKernel
import Testing

@testable import Images

/// Images as one tree, without overlayfs. Everything runs in this process, without root.
@Suite(.serialized) struct ImageCopyTests {
  private let scratch: Scratch

  init() throws { scratch = try Scratch() }

  /// Layers, unpacked, lowest first.
  private func unpack(_ fills: [(inout TarBuilder) -> Void]) throws -> [String] {
    try fills.enumerated().map { index, fill in
      var tar = TarBuilder()
      fill(&tar)
      let file = try openFile(try scratch.write("layer\(index).tar", tar.finished), O_RDONLY)
      let tree = try scratch.directory("layer\(index)")
      let stream = try ByteStream(file.rawValue, .everything, hashing: true, limit: .max)
      var unpacker = LayerUnpacker(stream, into: try openFile(tree, O_RDONLY | O_DIRECTORY), budgets: Budgets())
      _ = try unpacker.run()
      return tree
    }
  }

  /// In `tree`, where the scratch directory looks.
  private func copy(_ trees: [String]) throws -> ImageCopy {
    try ImageCopy(of: trees, into: try scratch.directory("tree"))
  }

  private static func base(_ tar: inout TarBuilder) {
    tar.pax([("mtime", Array("1000.25".utf8)), ("SCHILY.xattr.user.note", Array("below".utf8))])
    tar.directory("tmp/", mode: "0001777")
    tar.directory("gone/")
    tar.file("gone/x", "x")
    tar.directory("anew/", mode: "0000700")
    tar.file("anew/old", "old")
    tar.file("set", "id", mode: "0004755")
    tar.file("one", "first")
    tar.symbolicLink("link", to: "/etc/nowhere")
    tar.file("changed", "below")
    var link = TarBuilder.Header("two", type: "1")
    link.link = Array("one".utf8)
    tar.add(link)
    tar.add(TarBuilder.Header("fifo", type: "6"))
  }

  private static func above(_ tar: inout TarBuilder) {
    tar.file(".wh.gone")
    tar.directory("anew/", mode: "0000711")
    tar.file("anew/.wh..wh..opq")
    tar.file("anew/new", "new")
    tar.file("changed", "above")
    tar.file("tmp/marker", "")
  }

  @Test func itIsWhatOverlayfsWouldShow() throws {
    // Layers as an import has them: what `tmp` is like is in a supplement otherwise.
    let copied = try copy(try unpack([Self.base, Self.above]))
    #expect(
      try scratch.names()
        == Set(["tmp", "anew", "set", "one", "link", "changed", "two", "fifo"].map { Array($0.utf8) }))
    #expect(try scratch.names("anew") == [Array("new".utf8)])
    #expect(try scratch.content("changed") == "above")
    #expect(try scratch.status("set").permissions == 0o4755)
    #expect(try scratch.status("anew").permissions == 0o711)
    #expect(try scratch.status("one").inode == scratch.status("two").inode)
    #expect(try scratch.status("one").links == 2)
    #expect(try readSymbolicLink(scratch.path + "/tree/link") == Array("/etc/nowhere".utf8))
    #expect(try scratch.status("fifo").mode & UInt32(S_IFMT) == UInt32(S_IFIFO))
    #expect(try scratch.attribute("user.overlay.opaque", of: "anew") == nil)
    #expect(copied.files == 9)
  }

  @Test func timesAndAttributesStay() throws {
    _ = try copy(try unpack([Self.base]))
    let tmp = try scratch.status("tmp")
    #expect(tmp.permissions == 0o1777 && tmp.modified == 1000 && tmp.modifiedNanoseconds == 250_000_000)
    #expect(try scratch.attribute("user.note", of: "tmp") == "below")
  }

  @Test func nothingIsSharedWithTheStore() throws {
    let trees = try unpack([Self.base])
    _ = try copy(trees)
    let file = try openFile(scratch.path + "/tree/one", O_WRONLY | O_TRUNC)
    try file.writeAll(Array("mine".utf8))
    #expect(try readFile(trees[0] + "/one") == Array("first".utf8))
  }

  @Test func holesStayHoles() throws {
    let tree = try scratch.directory("layer")
    let file = try openFile(tree + "/sparse", O_RDWR | O_CREAT, mode: 0o644)
    try setLength(of: file.rawValue, to: 1 << 33)
    try Array("middle".utf8).withUnsafeBytes { try writeAll($0, to: file.rawValue, at: 1 << 32) }
    let copied = try copy([tree])
    let found = try scratch.status("sparse")
    #expect(found.size == 1 << 33 && found.blocks * 512 < 1 << 20 && copied.bytes < 1 << 20)
    let made = try openFile(scratch.path + "/tree/sparse", O_RDONLY)
    #expect(try made.read(upTo: 8, at: 1 << 32) == Array("middle\0\0".utf8))
  }

  /// A store on overlayfs has sockets for whiteouts, where nobody can make the kernel's own.
  @Test func aSocketHidesWhatIsBelow() throws {
    let (below, above) = (try scratch.directory("below"), try scratch.directory("above"))
    for name in ["kept", "hidden"] { try writeFileAtomically(below + "/" + name, [1]) }
    let directory = try openFile(above, O_RDONLY | O_DIRECTORY)
    try makeNode("hidden", mode: UInt32(S_IFSOCK), major: 0, minor: 0, at: directory.rawValue)
    _ = try copy([below, above])
    #expect(try scratch.names() == [Array("kept".utf8)])
  }

  @Test func aStopEndsIt() throws {
    let tree = try scratch.directory("layer")
    for index in 0..<300 { try writeFileAtomically("\(tree)/\(index)", [1]) }
    let pipe = try makePipe()
    try pipe.second.descriptor.writeAll([1])
    let error = #expect(throws: ImageError.self) {
      try ImageCopy(of: [tree], into: try scratch.directory("tree"), interruption: pipe.first.rawValue)
    }
    #expect(error?.why == "it was interrupted")
  }
}
