import Glibc
import LinuxKernel
import Testing

@testable import Images

/// Layers that leave something to those below them. Everything runs in this process, without root.
@Suite(.serialized) struct LayerStackTests {
  private let scratch: Scratch

  init() throws { scratch = try Scratch() }

  /// The layers unpacked and completed, as one tree.
  private func stack(
    _ fills: [(inout TarBuilder) -> Void], _ effort: StackEffort = StackEffort(interruption: nil)
  ) throws -> (
    stack: LayerStack, tree: MergedTree, roots: [String]
  ) {
    var layers: [LayerStack.Layer] = []
    for (index, fill) in fills.enumerated() {
      var tar = TarBuilder()
      fill(&tar)
      let directory = try scratch.directory("layer\(index)-\(Clock.now)")
      let file = try openFile(try scratch.write("layer\(index).tar", tar.finished), O_RDONLY)
      let tree = directory + "/fs"
      try makeDirectory(tree, mode: 0o755)
      let stream = try ByteStream(file.rawValue, .everything, hashing: true, limit: .max)
      var unpacker = LayerUnpacker(stream, into: try openFile(tree, O_RDONLY | O_DIRECTORY), budgets: Budgets())
      let report = try unpacker.run()
      // Through the pipe, as from a worker.
      var wire = WireWriter()
      report.write(to: &wire)
      var reader = WireReader(wire.bytes)
      let received = try LayerReport(from: &reader)
      #expect(received.gaps == report.gaps)
      try DisplacedTrees.take(received.gaps, of: directory)
      layers.append(
        LayerStack.Layer(id: received.diffID, tree: tree, gaps: received.gaps, place: "layer \(index + 1)"))
    }
    let scratch = scratch
    var stack = LayerStack(effort) { () throws(ImageError) in
      let path = scratch.path + "/room\(Clock.now)"
      try kernel("make it") { () throws(Errno) in try makeDirectory(path, mode: 0o700) }
      return path
    }
    try stack.run(layers)
    let paths = stack.ids.map { id in
      layers.first { $0.id == id }?.tree ?? (stack.supplements.first { $0.id == id }?.directory ?? "") + "/fs"
    }
    let roots = try paths.map { SharedDescriptor(try openFile($0, O_RDONLY | O_DIRECTORY)) }
    return (stack, MergedTree(layers: roots, effort: effort), paths)
  }

  private func refusal(_ fills: [(inout TarBuilder) -> Void]) -> String {
    do {
      _ = try stack(fills)
      return "accepted"
    } catch {
      return "\(error)"
    }
  }

  /// What is seen at a path, links not followed.
  private func seen(_ path: String, _ tree: MergedTree) throws -> FileStatus? {
    let (parent, name) = StackSupplement.split(Array(path.utf8))
    guard let directory = try tree.directory(parent) else { return nil }
    switch try tree.look(name, in: directory) {
    case .nothing: return nil
    case .other(let status, _): return status
    case .directory(let found):
      let top = try #require(try tree.open(found.path, found.parts[0]))
      return try status(of: top.rawValue)
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

  private func text(_ path: String, _ tree: MergedTree) throws -> String? {
    let (parent, name) = StackSupplement.split(Array(path.utf8))
    guard let directory = try tree.directory(parent),
      case .other(let status, let layer) = try tree.look(name, in: directory)
    else { return nil }
    let holder = try #require(try tree.open(parent, layer))
    if status.isSymbolicLink {
      return "-> " + String(decoding: try readSymbolicLink(name, at: holder.rawValue), as: UTF8.self)
    }
    let file = try openFile(name, O_RDONLY | O_NOFOLLOW, at: holder.rawValue)
    return String(decoding: try file.read(upTo: 100) ?? [], as: UTF8.self)
  }

  private static func twoNames(_ tar: inout TarBuilder) {
    tar.directory("usr/lib/")
    tar.file("usr/lib/foo", "below")
    tar.directory("usr/lib/x/", mode: "0000750")
    tar.file("usr/lib/x/old", "below")
    tar.symbolicLink("lib", to: "usr/lib")
  }

  /// A layer reaches one place through a lower layer's link and by its own name.
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
    #expect(try text("lib", made.tree) == "-> usr/lib")
    #expect(try text("usr/lib/foo", made.tree) == "mine")
    #expect(try text("usr/lib/x/mine", made.tree) == "mine")
    #expect(try text("usr/lib/x/old", made.tree) == nil)
    #expect(try seen("usr/lib/x", made.tree)?.permissions == 0o750)
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
    #expect(try text("usr/lib/x/mine", made.tree) == "mine")
    #expect(try text("usr/lib/x/deep/mine", made.tree) == "mine")
    #expect(try text("usr/lib/x/old", made.tree) == nil)
    #expect(try seen("usr/lib/x", made.tree)?.permissions == 0o711)
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
    #expect(try text("usr/lib/foo", made.tree) == (isOwnLast ? "own" : "through"))
    #expect(try text("usr/lib/x/y", made.tree) == "through")
    #expect(try text("usr/lib/x/old", made.tree) == "below")
    #expect(try seen("usr/lib/x", made.tree)?.permissions == (isOwnLast ? 0o700 : 0o711))
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
    #expect(try text("run", made.tree) == "-> data/run")
    #expect(try text("var/run", made.tree) == "-> ../run")
    #expect(try text("data/run/app", made.tree) == "through both")
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
    let tmp = try #require(try seen("tmp", made.tree))
    #expect(tmp.permissions == 0o1777)
    #expect(tmp.modified == 1000 && tmp.modifiedNanoseconds == 250_000_000)
    #expect(try seen("srv", made.tree)?.permissions == 0o750)
    #expect(try seen("srv/deep", made.tree)?.permissions == 0o700)
    #expect(try seen("fresh", made.tree)?.permissions == 0o755)
    for name in ["tmp/marker", "tmp/more", "srv/deep/new", "usr/lib/old"] { #expect(try seen(name, made.tree) != nil) }
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
    #expect(try seen("tmp", made.tree)?.permissions == 0o700)
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
    #expect(try seen("lib", made.tree)?.isSymbolicLink == true)
    #expect(try seen("usr/lib/new", made.tree)?.size == 3)
    #expect(try seen("usr/lib/old", made.tree) == nil)
    #expect(try seen("usr/lib/dir", made.tree)?.permissions == 0o701)
    #expect(try seen("usr/lib/dir/x", made.tree) != nil)
    #expect(try seen("usr/lib/dir/y", made.tree) != nil)
    #expect(try seen("usr/lib/plugins", made.tree)?.isSymbolicLink == true)
    #expect(try seen("srv/deep/p", made.tree)?.size == 1)
    #expect(try seen("usr", made.tree)?.permissions == 0o711)
    #expect(try seen("usr/lib", made.tree)?.permissions == 0o751)
    #expect(try seen("srv/deep", made.tree)?.permissions == 0o700)
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
    #expect(try seen("not/yet/x", made.tree) != nil)
    #expect(try seen("gone", made.tree)?.isSymbolicLink == true)
    #expect(try seen("loop/x", made.tree) != nil, "nothing that could be followed")
    #expect(try seen("onto/x", made.tree) != nil)
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
    #expect(try seen("lib", made.tree)?.permissions == 0o700)
    #expect(try seen("lib/x", made.tree) != nil)
    #expect(try seen("file/x", made.tree) != nil)
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
    #expect(try seen("gone", made.tree)?.permissions == 0o755, "it is another one")
    #expect(try seen("opaque", made.tree)?.permissions == 0o700)
    #expect(try seen("opaque/inner", made.tree)?.permissions == 0o755, "it is another one")
  }

  @Test func aLinkOfTheSameLayerLeadsToWhatIsBelow() throws {
    let made = try stack([
      Self.base,
      { tar in
        tar.symbolicLink("short", to: "/lib/plugins")
        tar.file("short/x", "x")
      },
    ])
    #expect(try seen("srv/deep/x", made.tree)?.size == 1)
    #expect(try seen("srv/deep", made.tree)?.permissions == 0o700)
    #expect(try seen("lib", made.tree)?.isSymbolicLink == true)
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
    let old = try #require(try seen("usr/lib/old", made.tree))
    for name in ["second", "third", "usr/lib/fourth"] { #expect(try seen(name, made.tree)?.inode == old.inode) }
    #expect(try seen("late", made.tree)?.size == 7)
    #expect(try seen("fifth", made.tree)?.size == 6, "the layer deletes another one")
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
    #expect(try seen("y", renamed.tree)?.size == 3)
    #expect(try seen("x", renamed.tree)?.size == 6)
    #expect(try seen("file", renamed.tree) == nil)
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
    let alias = try #require(try seen("alias", made.tree))
    #expect(alias.isSymbolicLink)
    #expect(try alias.inode == seen("lib", made.tree)?.inode)
    for name in ["usr/lib/x", "usr/lib/more/y", "usr/lib/old", "srv/z"] { #expect(try seen(name, made.tree) != nil) }
    #expect(try seen("usr/lib/before", made.tree) == nil)
  }

  @Test func aLinkThatWasMadeThroughALowerOneIsFollowed() throws {
    let made = try stack([
      Self.base,
      { tar in
        tar.symbolicLink("lib/chain", to: "/srv/deep")
        tar.file("usr/lib/chain/x", "x")
      },
    ])
    #expect(try seen("usr/lib/chain", made.tree)?.isSymbolicLink == true)
    #expect(try seen("srv/deep/x", made.tree)?.size == 1)
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
    #expect(try seen("lib", made.tree)?.size == 6)
    #expect(try seen("usr/lib/x", made.tree)?.size == 5)
    #expect(try seen("usr/lib/own/y", made.tree)?.size == 1)
    #expect(try seen("usr/lib/own", made.tree)?.permissions == 0o711)
    #expect(try seen("tmp", made.tree)?.size == 13)
    #expect(try seen("z", made.tree)?.size == 1)
    #expect(try seen("linked", made.tree)?.inode == seen("file", made.tree)?.inode)
    #expect(try seen("srv/linked", made.tree) == nil)
    #expect(try seen("tmp2/kept", made.tree) != nil)
    #expect(try seen("srv/deep/only", made.tree) != nil)
    #expect(try seen("usr/lib/plugins", made.tree)?.size == 6)
    #expect(try seen("here", made.tree)?.isSymbolicLink == true)
    // Nothing of it is in an image that has no link there, nor in the layer's own tree.
    let alone = try stack([
      { $0.directory("lib/") },
      { tar in
        tar.file("lib/x", "first")
        tar.file("lib", "a file")
      },
    ])
    #expect(try seen("lib", alone.tree)?.size == 6)
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
    #expect(try seen("before", made.tree)?.size == 3)
    #expect(try seen("usr/lib/old", made.tree)?.size == 8)
    #expect(try seen("behind", made.tree)?.inode == seen("usr/lib/old", made.tree)?.inode)
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
