import Glibc
import LinuxKernel
import Testing

@testable import Images

/// What becomes of a good layer. Everything runs in this process, without root.
@Suite(.serialized) struct LayerUnpackerTests {
  @Test func makesWhatTheArchiveSays() throws {
    let scratch = try Scratch()
    var tar = TarBuilder()
    tar.directory("./")
    tar.directory("./usr/")
    tar.file("./usr/hello", "hello, world", mode: "0000640")
    tar.symbolicLink("./bin", to: "usr")
    tar.hardLink("./usr/again", to: "./usr/hello")
    tar.add(TarBuilder.Header("./fifo", type: "6"))
    let report = try scratch.unpack(tar.finished)

    #expect(try scratch.content("usr/hello") == "hello, world")
    #expect(try scratch.status("usr/hello").permissions == 0o640)
    #expect(try scratch.status("usr/hello").inode == scratch.status("usr/again").inode)
    #expect(try readSymbolicLink(scratch.path + "/tree/bin") == Array("usr".utf8))
    #expect(try scratch.status("fifo").mode & UInt32(S_IFMT) == UInt32(S_IFIFO))
    #expect(report.entries == 6)
    #expect(report.contentBytes == 12)
    #expect(report.diffID == SHA256.digest(of: tar.finished))
  }

  @Test func emptyLayerIsALayer() throws {
    #expect(try Scratch().unpack([UInt8](repeating: 0, count: 1024)).entries == 0)
    #expect(try Scratch().unpack([]).entries == 0)
  }

  @Test(arguments: [0, 0o077, 0o777] as [UInt32])
  func modesDoNotDependOnTheCreationMask(mask: UInt32) throws {
    let scratch = try Scratch()
    var tar = TarBuilder()
    tar.directory("d/", mode: "0001777")
    tar.file("d/f", mode: "0000666")
    tar.file("implicit/parents/f", mode: "0000604")
    tar.directory("closed/", mode: "0000500")
    tar.file("closed/inside")
    _ = try scratch.unpack(tar.finished, creationMask: mask)
    #expect(try scratch.status("d").permissions == 0o1777)
    #expect(try scratch.status("d/f").permissions == 0o666)
    #expect(try scratch.status("implicit").permissions == 0o755)
    #expect(try scratch.status("implicit/parents").permissions == 0o755)
    #expect(try scratch.status("implicit/parents/f").permissions == 0o604)
    #expect(try scratch.status("closed").permissions == 0o500)
  }

  @Test func setUserIdBitsStay() throws {
    let scratch = try Scratch()
    var tar = TarBuilder()
    tar.file("su", "x", mode: "0004755")
    tar.directory("shared/", mode: "0002775")
    tar.file("shared/f")
    var fifo = TarBuilder.Header("fifo", type: "6")
    fifo.mode = "0002640"
    tar.add(fifo)
    _ = try scratch.unpack(tar.finished)
    #expect(try scratch.status("su").permissions == 0o4755)
    #expect(try scratch.status("shared").permissions == 0o2775)
    #expect(try scratch.status("shared/f").gid == getegid())
    #expect(try scratch.status("fifo").permissions == 0o2640)
  }

  @Test func timesAreThoseOfTheArchiveAlsoForDirectories() throws {
    let scratch = try Scratch()
    var tar = TarBuilder()
    var directory = TarBuilder.Header("d/", type: "5")
    directory.mode = "0000755"
    directory.modified = "00000001750"  // 1000
    tar.add(directory)
    tar.pax([("mtime", Array("-1.25".utf8))])
    tar.file("d/f", "x")
    tar.pax([("mtime", Array("2000000000.5".utf8))])
    tar.symbolicLink("d/l", to: "f")
    _ = try scratch.unpack(tar.finished)
    #expect(try scratch.status("d").modified == 1000)
    #expect(try scratch.status("d/f").modified == -2)
    #expect(try scratch.status("d/l").modified == 2_000_000_000)
  }

  @Test func theLastEntryOfANameWins() throws {
    let scratch = try Scratch()
    var tar = TarBuilder()
    tar.file("a", "first")
    tar.file("a", "second")
    tar.directory("b/")
    tar.file("b/inside", "x")
    tar.file("b", "now a file")
    tar.file("c", "a file")
    tar.directory("c/", mode: "0000711")
    tar.file("c/child", "y")
    tar.directory("e/", mode: "0000700")
    tar.file("e/kept", "z")
    tar.directory("e/", mode: "0000750")
    _ = try scratch.unpack(tar.finished)
    #expect(try scratch.content("a") == "second")
    #expect(try scratch.content("b") == "now a file")
    #expect(try scratch.status("c").permissions == 0o711)
    #expect(try scratch.content("c/child") == "y")
    #expect(try scratch.status("e").permissions == 0o750)
    #expect(try scratch.content("e/kept") == "z")
  }

  @Test func replacingAFileLeavesItsOtherNamesAlone() throws {
    let scratch = try Scratch()
    var tar = TarBuilder()
    tar.file("original", "old")
    tar.hardLink("other", to: "original")
    tar.file("original", "new")
    tar.hardLink("other", to: "other")
    _ = try scratch.unpack(tar.finished)
    #expect(try scratch.content("original") == "new")
    #expect(try scratch.content("other") == "old")
  }

  @Test func whiteoutsAndOpaqueDirectoriesTakeOverlayForm() throws {
    let scratch = try Scratch()
    var tar = TarBuilder()
    tar.file("etc/.wh.passwd")
    tar.directory("var/")
    tar.file("var/.wh..wh..opq")
    tar.file("var/new", "x")
    tar.file(".wh..wh.aufs")
    tar.file(".wh..wh.plnk/123", "x")
    tar.file("deep/er/.wh.gone")
    let report = try scratch.unpack(tar.finished)
    #expect(try scratch.isWhiteout("etc/passwd"))
    #expect(try scratch.isWhiteout("deep/er/gone"))
    #expect(try scratch.attribute("user.overlay.opaque", of: "var") == "y")
    #expect(try scratch.content("var/new") == "x")
    #expect(try scratch.names() == [Array("etc".utf8), Array("var".utf8), Array("deep".utf8)])
    #expect(!report.opaqueRoot)
  }

  /// AUFS keeps a file with several names beside the tree.
  @Test func filesThatAufsKeepsForLinksGetTheirNames() throws {
    let scratch = try Scratch()
    var tar = TarBuilder()
    tar.directory(".wh..wh.plnk/", mode: "0000700")
    tar.file(".wh..wh.plnk/12.34", "two names", mode: "0000640")
    tar.hardLink("a", to: ".wh..wh.plnk/12.34")
    tar.hardLink("d/b", to: "/.wh..wh.plnk/12.34")
    tar.file("d/.wh..wh.orph/x")
    _ = try scratch.unpack(tar.finished)
    #expect(try scratch.names() == [Array("a".utf8), Array("d".utf8)])
    #expect(try scratch.content("a") == "two names")
    #expect(try scratch.status("a").inode == scratch.status("d/b").inode)
    #expect(try scratch.status("a").links == 2)
    #expect(try scratch.status("a").permissions == 0o640)
  }

  /// As some builders compare trees: what was in a directory, and then the directory.
  @Test func aDirectoryThatIsDeletedPieceByPieceIsDeleted() throws {
    let scratch = try Scratch()
    var tar = TarBuilder()
    tar.file("d/e/.wh.f")
    tar.file("d/.wh.g")
    tar.file(".wh.d")
    tar.file("o/e/.wh.f")
    tar.file("o/kept/x")
    tar.file("o/.wh..wh..opq")
    let report = try scratch.unpack(tar.finished)
    #expect(try scratch.isWhiteout("d"))
    #expect(try scratch.names("o") == [Array("kept".utf8)])
    #expect(report.gaps.directories == ["o", "o/kept"].map { Array($0.utf8) })
  }

  @Test func directoriesWithoutAnEntryAreReported() throws {
    let scratch = try Scratch()
    var tar = TarBuilder()
    tar.file("a/b/f")
    tar.directory("a/b/")
    tar.file("later/f")
    tar.directory("later/")
    tar.file("replaced/f")
    tar.file("replaced", "a file")
    tar.symbolicLink("l", to: "/x/y")
    tar.file("l/z/f")
    tar.file(".wh.deleted")
    tar.file("deleted/f")
    let report = try scratch.unpack(tar.finished)
    #expect(report.gaps.directories == ["a", "x", "x/y", "x/y/z"].map { Array($0.utf8) })
  }

  @Test func anOpaqueRootIsReported() throws {
    var tar = TarBuilder()
    tar.file(".wh..wh..opq")
    #expect(try Scratch().unpack(tar.finished).opaqueRoot)
  }

  @Test(arguments: [true, false])
  func aDirectoryThatIsDeletedAndMadeAgainHidesTheOldOne(whiteoutFirst: Bool) throws {
    let scratch = try Scratch()
    var tar = TarBuilder()
    if whiteoutFirst { tar.file(".wh.d") }
    tar.directory("d/", mode: "0000750")
    tar.file("d/new", "x")
    if !whiteoutFirst { tar.file(".wh.d") }
    tar.file(".wh.implicit")
    tar.file("implicit/new", "x")
    _ = try scratch.unpack(tar.finished)
    #expect(try scratch.content("d/new") == "x")
    #expect(try scratch.status("d").permissions == 0o750)
    #expect(try scratch.attribute("user.overlay.opaque", of: "d") == "y")
    #expect(try scratch.attribute("user.overlay.opaque", of: "implicit") == "y")
    #expect(try scratch.status("implicit").permissions == 0o755)
  }

  @Test func aFileOfTheSameLayerBeatsItsWhiteout() throws {
    let scratch = try Scratch()
    var tar = TarBuilder()
    tar.file("a", "kept")
    tar.file(".wh.a")
    tar.file(".wh.b")
    tar.file("b", "made")
    _ = try scratch.unpack(tar.finished)
    #expect(try scratch.content("a") == "kept")
    #expect(try scratch.content("b") == "made")
  }

  /// What is put aside while a layer is unpacked has a name there; it was the host's fault when an image had that.
  @Test func theUnpackersOwnNameIsRefused() throws {
    for link in [false, true] {
      let scratch = try Scratch()
      var tar = TarBuilder()
      if link {
        tar.symbolicLink("a", to: ".wh..aurora.displaced")
        tar.file("a/0", "in the way")
      } else {
        tar.file(".wh..aurora.displaced/0", "in the way")
      }
      tar.file("d/x")
      tar.symbolicLink("d", to: "elsewhere")
      let error = #expect(throws: ImageError.self) { try scratch.unpack(tar.finished) }
      #expect(error?.kind == .invalid, "\(error?.description ?? "")")
    }
  }

  @Test func linksOfTheLayerAreFollowedInsideIt() throws {
    let scratch = try Scratch()
    var tar = TarBuilder()
    tar.directory("usr/lib/")
    tar.symbolicLink("lib", to: "/usr/lib")
    tar.file("lib/x", "through an absolute link")
    tar.symbolicLink("up", to: "../../../usr")
    tar.file("up/lib/y", "through dots")
    tar.file("lib/new/z", "with a new directory")
    _ = try scratch.unpack(tar.finished)
    #expect(try scratch.content("usr/lib/x") == "through an absolute link")
    #expect(try scratch.content("usr/lib/y") == "through dots")
    #expect(try scratch.content("usr/lib/new/z") == "with a new directory")
  }

  @Test func userAttributesAreKeptAndOthersCounted() throws {
    let scratch = try Scratch()
    var tar = TarBuilder()
    tar.pax([
      ("SCHILY.xattr.user.note", Array("a=b\nc\0d".utf8)), ("SCHILY.xattr.user.overlay.opaque", Array("y".utf8)),
      ("SCHILY.xattr.trusted.overlay.redirect", Array("/etc".utf8)),
      ("SCHILY.xattr.security.selinux", Array("x".utf8)), ("SCHILY.xattr.system.posix_acl_access", [1]),
    ])
    tar.directory("d/")
    tar.pax([("SCHILY.xattr.user.first", Array("1".utf8))])
    tar.directory("e/")
    tar.directory("e/")
    let report = try scratch.unpack(tar.finished)
    #expect(try scratch.attribute("user.note", of: "d") == "a=b\nc\0d")
    #expect(try scratch.attribute("user.overlay.opaque", of: "d") == nil)
    #expect(try scratch.attribute("user.first", of: "e") == nil, "the last entry has none")
    #expect(report.skippedAttributes == 4)
  }

  @Test func deviceNodesAreLeftOutAlsoThoseThatOverlayReads() throws {
    let scratch = try Scratch()
    var tar = TarBuilder()
    tar.file("etc", "lower")
    var whiteout = TarBuilder.Header("etc", type: "3")
    whiteout.patches = [(329, TarBuilder.octal(0, 8)), (337, TarBuilder.octal(0, 8))]
    tar.add(whiteout)
    tar.add(TarBuilder.Header("dev/sda", type: "4"))
    let report = try scratch.unpack(tar.finished)
    #expect(try scratch.content("etc") == "lower")
    #expect(!scratch.exists("dev/sda"))
    #expect(report.skippedDevices == 2)
  }

  @Test func namesAreBytes() throws {
    let scratch = try Scratch()
    var tar = TarBuilder()
    let combining = Array("\u{301}".utf8)
    tar.file(Array("dir/".utf8) + combining + Array("pwn".utf8), "below dir")
    tar.file(Array(".wh.".utf8) + combining + Array("a".utf8), "")
    tar.file(Array("\u{e9}".utf8), "composed")
    tar.file(Array("e\u{301}".utf8), "decomposed")
    tar.file([0x61, 0xff], "one")
    tar.file([0x61, 0xfe], "other")
    tar.file(Array("new\r\nline\u{1b}".utf8), "x")
    _ = try scratch.unpack(tar.finished)
    #expect(try scratch.names("dir") == [combining + Array("pwn".utf8)])
    #expect(
      try scratch.names() == [
        Array("dir".utf8), combining + Array("a".utf8), Array("\u{e9}".utf8), Array("e\u{301}".utf8), [0x61, 0xff],
        [0x61, 0xfe], Array("new\r\nline\u{1b}".utf8),
      ])
    #expect(try scratch.isWhiteout("\u{301}a"))
    #expect(try scratch.content("\u{e9}") == "composed")
    #expect(try scratch.content("e\u{301}") == "decomposed")
  }
}
