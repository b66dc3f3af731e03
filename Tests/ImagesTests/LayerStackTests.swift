import Glibc
import LinuxKernel
import Testing

@testable import Images

/// Layers that leave something to those below them. Everything runs in this process, without root.
@Suite(.serialized) struct LayerStackTests {
  private let scratch: Scratch

  init() throws { scratch = try Scratch() }

  private func stack(
    _ fills: [(inout TarBuilder) -> Void], _ effort: StackEffort = StackEffort(interruption: nil)
  ) throws -> StackedLayers { try StackedLayers(fills, in: scratch, effort) }

  private func refusal(_ fills: [(inout TarBuilder) -> Void]) -> String {
    do {
      _ = try stack(fills)
      return "accepted"
    } catch {
      return "\(error)"
    }
  }

  private static func base(_ tar: inout TarBuilder) {
    tar.pax([("mtime", Array("1000.25".utf8)), ("SCHILY.xattr.user.note", Array("below".utf8))])
    tar.directory("tmp/", mode: "0001777")
    tar.directory("srv/", mode: "0000750")
    tar.directory("srv/deep/", mode: "0000700")
    tar.directory("usr/", mode: "0000711")
    tar.directory("usr/lib/", mode: "0000751")
    tar.file("usr/lib/old", "old")
    tar.symbolicLink("lib", to: "usr/lib")
    tar.symbolicLink("here", to: ".")
    tar.symbolicLink("usr/lib/plugins", to: "/srv/deep")
    tar.file("file", "a file")
  }

  private static let isExt4: Bool = {
    guard let directory = try? openFile("/tmp", O_PATH) else { return false }
    return (try? fileSystemMagic(of: directory.rawValue)) == 0xef53
  }()

  /// Images that share a layer share the names that its files can have.
  @Test(.enabled(if: Requirements.met(isExt4), "needs ext4, which counts names, in /tmp"))
  func aFileThatCanHaveNoFurtherNameIsCopied() throws {
    let directory = try scratch.directory("full")
    try writeFileAtomically(directory + "/file", Array("a file".utf8), mode: 0o641)
    let holder = SharedDescriptor(try openFile(directory, O_RDONLY | O_DIRECTORY))
    let name = Array("file".utf8)
    var end: Errno?
    for number in 0..<70_000 where end == nil {
      do throws(Errno) {
        try makeHardLink(name, at: holder.rawValue, to: Array(String(number).utf8), at: holder.rawValue)
      } catch {
        end = error
      }
    }
    try #require(end?.code == EMLINK)
    let room = try scratch.directory("room")
    var supplement = try StackSupplement(in: room, StackEffort(interruption: nil))
    #expect(try supplement.link(name, of: holder, to: Array("a/copy".utf8)))
    let copy = try status(of: supplement.tree + "/a/copy")
    #expect(copy.permissions == 0o641 && copy.links == 1)
    #expect(try readFile(supplement.tree + "/a/copy") == Array("a file".utf8))
    // It takes the room of one copy, however many names there are.
    #expect(try supplement.link(name, of: holder, to: Array("another".utf8)))
    #expect(try status(of: supplement.tree + "/another").inode == copy.inode)
  }

  @Test func directoriesWithoutAnEntryAreWhatTheyAreBelow() throws {
    let made = try stack([
      Self.base,
      { tar in
        tar.file("tmp/marker")
        tar.file("srv/deep/new")
        tar.file("fresh/x")
      },
      { tar in tar.file("tmp/more") },
    ])
    #expect(made.stack.supplements.count == 1)
    let tmp = try #require(try made.seen("tmp"))
    #expect(tmp.permissions == 0o1777)
    #expect(tmp.modified == 1000 && tmp.modifiedNanoseconds == 250_000_000)
    #expect(try made.seen("srv")?.permissions == 0o750)
    #expect(try made.seen("srv/deep")?.permissions == 0o700)
    #expect(try made.seen("fresh")?.permissions == 0o755)
    for name in ["tmp/marker", "tmp/more", "srv/deep/new", "usr/lib/old"] { #expect(try made.seen(name) != nil) }
    let top = try openFile((made.roots.last ?? "") + "/tmp", O_RDONLY)
    #expect(try attribute("user.note", of: top.rawValue) == Array("below".utf8))
    // The layers themselves stay what they are: other images have them as well.
    #expect(try status(of: made.roots[1] + "/tmp").permissions == 0o755)
  }

  @Test func nothingIsMadeWhereNothingIsLeftOpen() throws {
    let made = try stack([
      Self.base,
      { tar in
        tar.directory("tmp/", mode: "0000700")
        tar.file("tmp/marker")
        tar.file("fresh/dir/x")
      },
    ])
    #expect(made.stack.supplements.isEmpty)
    #expect(try made.seen("tmp")?.permissions == 0o700)
  }

  @Test func aLinkOfALowerLayerIsFollowed() throws {
    let made = try stack([
      Self.base,
      { tar in
        tar.file("lib/new", "new")
        tar.directory("lib/dir/", mode: "0000701")
        tar.file("lib/dir/x", "x")
        tar.file("lib/plugins/p", "p")
        tar.file("lib/.wh.old")
      },
      { tar in tar.file("usr/lib/dir/y") },
    ])
    #expect(try made.seen("lib")?.isSymbolicLink == true)
    #expect(try made.seen("usr/lib/new")?.size == 3)
    #expect(try made.seen("usr/lib/old") == nil)
    #expect(try made.seen("usr/lib/dir")?.permissions == 0o701)
    #expect(try made.seen("usr/lib/dir/x") != nil)
    #expect(try made.seen("usr/lib/dir/y") != nil)
    #expect(try made.seen("usr/lib/plugins")?.isSymbolicLink == true)
    #expect(try made.seen("srv/deep/p")?.size == 1)
    #expect(try made.seen("usr")?.permissions == 0o711)
    #expect(try made.seen("usr/lib")?.permissions == 0o751)
    #expect(try made.seen("srv/deep")?.permissions == 0o700)
  }

  @Test func aLinkOfALowerLayerMayLeadToWhatIsMadeNow() throws {
    let made = try stack([
      { tar in
        tar.symbolicLink("gone", to: "/not/yet")
        tar.symbolicLink("loop", to: "loop")
        tar.symbolicLink("onto", to: "file")
        tar.file("file")
      },
      { tar in
        tar.file("gone/x")
        tar.file("loop/x")
        tar.file("onto/x")
      },
    ])
    #expect(try made.seen("not/yet/x") != nil)
    #expect(try made.seen("gone")?.isSymbolicLink == true)
    #expect(try made.seen("loop/x") != nil, "nothing that could be followed")
    #expect(try made.seen("onto/x") != nil)
  }

  @Test func anEntryReplacesALinkAndAFileIsHidden() throws {
    let made = try stack([
      Self.base,
      { tar in
        tar.directory("lib/", mode: "0000700")
        tar.file("lib/x")
        tar.file("file/x")
      },
    ])
    #expect(try made.seen("lib")?.permissions == 0o700)
    #expect(try made.seen("lib/x") != nil)
    #expect(try made.seen("file/x") != nil)
  }

  @Test func deletedAndOpaqueDirectories() throws {
    let made = try stack([
      { tar in
        tar.directory("gone/", mode: "0000700")
        tar.directory("opaque/", mode: "0000700")
        tar.directory("opaque/inner/", mode: "0000700")
      },
      { tar in
        tar.file(".wh.gone")
        tar.file("gone/x")
        tar.file("opaque/.wh..wh..opq")
        tar.file("opaque/inner/x")
      },
    ])
    #expect(try made.seen("gone")?.permissions == 0o755, "it is another one")
    #expect(try made.seen("opaque")?.permissions == 0o700)
    #expect(try made.seen("opaque/inner")?.permissions == 0o755, "it is another one")
  }

  @Test func aLinkOfTheSameLayerLeadsToWhatIsBelow() throws {
    let made = try stack([
      Self.base,
      { tar in
        tar.symbolicLink("short", to: "/lib/plugins")
        tar.file("short/x", "x")
      },
    ])
    #expect(try made.seen("srv/deep/x")?.size == 1)
    #expect(try made.seen("srv/deep")?.permissions == 0o700)
    #expect(try made.seen("lib")?.isSymbolicLink == true)
  }

  @Test func hardLinksReachFilesOfLowerLayers() throws {
    let made = try stack([
      Self.base,
      { tar in
        tar.hardLink("second", to: "/lib/old")
        tar.hardLink("third", to: "second")
        tar.hardLink("lib/fourth", to: "usr/lib/old")
        tar.file(".wh.fifth")
        tar.hardLink("here/fifth", to: "file")
        tar.hardLink("late", to: "file")
        tar.file("late", "another")
      },
    ])
    let old = try #require(try made.seen("usr/lib/old"))
    for name in ["second", "third", "usr/lib/fourth"] { #expect(try made.seen(name)?.inode == old.inode) }
    #expect(try made.seen("late")?.size == 7)
    #expect(try made.seen("fifth")?.size == 6, "the layer deletes another one")
    for target in ["missing", "usr/lib", "/etc/passwd", "../layer0.tar"] {
      let text = refusal([Self.base, { $0.hardLink("x", to: target) }])
      #expect(text.contains("layer 2: entry x: a hard link to"), "\(text)")
    }
    #expect(refusal([{ $0.hardLink("x", to: "y") }]).contains("layer 1: entry x"))
    let renamed = try stack([
      Self.base,
      { tar in
        tar.hardLink("x", to: "file")
        tar.file(".wh.file")
        tar.hardLink("y", to: "usr/lib/old")
        tar.file("usr/lib/old", "replaced later")
      },
    ])
    #expect(try renamed.seen("y")?.size == 3)
    #expect(try renamed.seen("x")?.size == 6)
    #expect(try renamed.seen("file") == nil)
  }

  @Test func aSecondNameOfALowerLinkIsFollowed() throws {
    let made = try stack([
      Self.base,
      { tar in
        tar.file("alias/before")
        tar.hardLink("alias", to: "lib")
        tar.file("alias/x", "x")
        tar.file("alias/more/y", "y")
        tar.hardLink("srv/up", to: "here")
        tar.file("srv/up/z", "z")
      },
    ])
    let alias = try #require(try made.seen("alias"))
    #expect(alias.isSymbolicLink)
    #expect(try alias.inode == made.seen("lib")?.inode)
    for name in ["usr/lib/x", "usr/lib/more/y", "usr/lib/old", "srv/z"] { #expect(try made.seen(name) != nil) }
    #expect(try made.seen("usr/lib/before") == nil)
  }

  @Test func aLinkThatWasMadeThroughALowerOneIsFollowed() throws {
    let made = try stack([
      Self.base,
      { tar in
        tar.symbolicLink("lib/chain", to: "/srv/deep")
        tar.file("usr/lib/chain/x", "x")
      },
    ])
    #expect(try made.seen("usr/lib/chain")?.isSymbolicLink == true)
    #expect(try made.seen("srv/deep/x")?.size == 1)
  }

  @Test func whatWentThroughALowerLinkStaysWhenTheLinkIsReplaced() throws {
    let made = try stack([
      Self.base,
      { tar in
        tar.file("lib/x", "first")
        tar.directory("lib/own/", mode: "0000711")
        tar.file("lib/own/y", "y")
        tar.file("lib", "a file")
        tar.file("tmp/x", "x")
        tar.hardLink("tmp/gone", to: "file")
        tar.file("tmp", "no link below")
        tar.hardLink("tmp2/kept", to: "file")
        tar.hardLink("here/linked", to: "file")
        tar.hardLink("usr/lib/plugins/only", to: "file")
        tar.file("usr/lib/plugins", "a file")
        tar.file("here/z", "z")
        tar.symbolicLink("here", to: "srv")
      },
    ])
    #expect(try made.seen("lib")?.size == 6)
    #expect(try made.seen("usr/lib/x")?.size == 5)
    #expect(try made.seen("usr/lib/own/y")?.size == 1)
    #expect(try made.seen("usr/lib/own")?.permissions == 0o711)
    #expect(try made.seen("tmp")?.size == 13)
    #expect(try made.seen("z")?.size == 1)
    #expect(try made.seen("linked")?.inode == made.seen("file")?.inode)
    #expect(try made.seen("srv/linked") == nil)
    #expect(try made.seen("tmp2/kept") != nil)
    #expect(try made.seen("srv/deep/only") != nil)
    #expect(try made.seen("usr/lib/plugins")?.size == 6)
    #expect(try made.seen("here")?.isSymbolicLink == true)
    // Nothing of it is in an image that has no link there, nor in the layer's own tree.
    let alone = try stack([
      { $0.directory("lib/") },
      { tar in
        tar.file("lib/x", "first")
        tar.file("lib", "a file")
      },
    ])
    #expect(try alone.seen("lib")?.size == 6)
    for root in made.roots + alone.roots {
      #expect(try !entries(of: root).contains { $0.name.starts(with: ".wh".utf8) })
    }
  }

  @Test func aHardLinkMeansTheFileThatWasThereThen() throws {
    let made = try stack([
      Self.base,
      { tar in
        tar.hardLink("before", to: "usr/lib/old")
        tar.file("lib/old", "replaced")
        tar.hardLink("behind", to: "usr/lib/old")
      },
    ])
    #expect(try made.seen("before")?.size == 3)
    #expect(try made.seen("usr/lib/old")?.size == 8)
    #expect(try made.seen("behind")?.inode == made.seen("usr/lib/old")?.inode)
  }

  /// A worker that was taken over says what it likes.
  @Test func whatAWorkerClaimsLeadsNowhere() throws {
    for path in ["", "/etc", "../x", "a/../b", "a//b", "a/", ".", "a\0b"] {
      var wire = WireWriter()
      wire.put(list: [Array(path.utf8)]) { $0.put($1) }
      wire.put(0 as UInt64)
      var reader = WireReader(wire.bytes)
      #expect(throws: ImageError.self, "\(path)") { _ = try LayerGaps(from: &reader) }
    }
    let outside = try scratch.directory("outside")
    try writeFileAtomically(outside + "/secret", [1])
    let lower = try scratch.directory("lower")
    let upper = try scratch.directory("upper")
    for tree in [lower, upper] { try makeDirectory(tree + "/d", mode: 0o700) }
    try makeSymbolicLink(upper + "/d/link", to: Array(outside.utf8), at: currentDirectory)
    try makeSymbolicLink(lower + "/d/link", to: Array("/d".utf8), at: currentDirectory)
    var gaps = LayerGaps()
    gaps.directories = [Array("d/link".utf8), Array("d/none".utf8)]
    let rooms = [try scratch.directory("room1"), try scratch.directory("room2")]
    var used = 0
    var stack = LayerStack(StackEffort(interruption: nil)) { () throws(ImageError) in
      used += 1
      return rooms[used - 1]
    }
    let id = SHA256.digest(of: [])
    try stack.run([
      LayerStack.Layer(id: id, tree: lower, gaps: LayerGaps(), place: "1"),
      LayerStack.Layer(id: SHA256.digest(of: [1]), tree: upper, gaps: gaps, place: "2"),
    ])
    #expect(used == 2)
    for room in rooms { #expect((try? status(of: room + "/fs/d/secret")) == nil) }
  }

  /// Layers of a few kilobytes can leave millions of names to one another.
  @Test func whatItCostsIsBounded() throws {
    let fills: [(inout TarBuilder) -> Void] = [
      Self.base, { tar in for index in 0..<3000 { tar.file("tmp/d\(index)/x") } },
      { tar in for index in 0..<3000 { tar.file("tmp/d\(index)/y") } },
    ]
    _ = try stack(fills)
    #expect(throws: ImageError.self) { try stack(fills, StackEffort(interruption: nil, most: 1000)) }
    let pipe = try makePipe()
    try pipe.second.descriptor.writeAll([1])
    let error = #expect(throws: ImageError.self) { try stack(fills, StackEffort(interruption: pipe.first.rawValue)) }
    #expect(error?.description.contains("interrupted") == true)
  }

  @Test func theSameLayersGiveTheSameSupplement() throws {
    let fills: [(inout TarBuilder) -> Void] = [Self.base, { $0.file("tmp/x") }]
    let one = try stack(fills)
    let other = try LayerStackTests().stack(fills)
    #expect(one.stack.ids == other.stack.ids)
    #expect(one.stack.ids.count == 3)
  }
}
