import Glibc
import LinuxKernel
import Testing

@testable import Images

/// Which members a tar stream has, in every dialect that layers are found in.
@Suite struct TarReaderTests {
  private struct Member: Equatable {
    var name: String
    var content: String
  }

  private func open(_ bytes: [UInt8], budgets: Budgets = Budgets()) throws -> (SharedDescriptor, TarReader) {
    let file = SharedDescriptor(try sealedMemory("tar", bytes))
    let stream = try ByteStream(
      file.rawValue, ByteRange(offset: 0, size: UInt64(bytes.count)), hashing: false, limit: .max)
    return (file, TarReader(stream, budgets: budgets))
  }

  /// Names and contents of all members.
  private func members(_ bytes: [UInt8]) throws -> [Member] {
    let opened = try open(bytes)
    var tar = opened.1
    var members: [Member] = []
    while let entry = try tar.next() {
      var content: [UInt8] = []
      while true {
        let piece = try tar.data()
        if piece.isEmpty { break }
        content += piece
      }
      members.append(
        Member(name: String(decoding: entry.name, as: UTF8.self), content: String(decoding: content, as: UTF8.self)))
    }
    withExtendedLifetime(opened.0) {}
    return members
  }

  private func first(_ bytes: [UInt8]) throws -> TarEntry {
    let opened = try open(bytes)
    var tar = opened.1
    let entry = try tar.next()
    return try withExtendedLifetime(opened.0) { try #require(entry) }
  }

  private func refusal(_ bytes: [UInt8]) -> String {
    do {
      _ = try members(bytes)
      return "accepted"
    } catch {
      return "\(error)"
    }
  }

  @Test func ustarPrefixesAreJoined() throws {
    var tar = TarBuilder()
    var header = TarBuilder.Header("name")
    header.prefix = Array("some/long/prefix".utf8)
    tar.add(header, data: Array("x".utf8))
    #expect(try members(tar.finished) == [Member(name: "some/long/prefix/name", content: "x")])
  }

  @Test func gnuHeadersHaveNoPrefix() throws {
    var tar = TarBuilder()
    var header = TarBuilder.Header("name")
    header.magic = "ustar  \0"
    header.prefix = Array("00000000000".utf8)  // where GNU tar keeps the access time
    tar.add(header)
    #expect(try members(tar.finished).map(\.name) == ["name"])
  }

  @Test func oldTarWritesDirectoriesWithASlash() throws {
    var tar = TarBuilder()
    var header = TarBuilder.Header("d/", type: "\0")
    header.magic = ""
    tar.add(header)
    #expect(try first(tar.finished).kind == .directory)
  }

  @Test func gnuLongNamesAndLinks() throws {
    var tar = TarBuilder()
    let long = String(repeating: "directory/", count: 20) + "name"
    tar.add(TarBuilder.Header("././@LongLink", type: "L"), data: Array((long + "\0").utf8))
    tar.add(TarBuilder.Header("././@LongLink", type: "K"), data: Array((long + "\0").utf8))
    tar.symbolicLink("short", to: "short")
    let entry = try first(tar.finished)
    #expect(entry.name == Array(long.utf8))
    #expect(entry.linkName == Array(long.utf8))
  }

  @Test func paxOverridesTheHeader() throws {
    var tar = TarBuilder()
    tar.pax([
      ("path", Array("pax/päth".utf8)), ("uid", Array("70000".utf8)), ("gid", Array("4294967294".utf8)),
      ("mtime", Array("12.5".utf8)), ("comment", Array("ignored".utf8)), ("path", Array("pax/last".utf8)),
    ])
    tar.file("header", "content")
    let entry = try first(tar.finished)
    #expect(entry.name == Array("pax/last".utf8))
    #expect(entry.uid == 70000)
    #expect(entry.gid == 4_294_967_294)
    #expect(entry.modified == FileTime(seconds: 12, nanoseconds: 500_000_000))
  }

  @Test func anEmptyPaxValueTakesBackTheOneBefore() throws {
    var tar = TarBuilder()
    tar.pax([("path", Array("pax".utf8)), ("path", [])])
    tar.file("header")
    #expect(try first(tar.finished).name == Array("header".utf8))
  }

  /// Size in the pax header and in the ustar header: the first decides how much data there is and where the next header
  /// stands (CVE-2025-62518). What would be smuggled in is data here.
  @Test func paxSizeDecidesWhereTheNextHeaderStands() throws {
    var inner = TarBuilder()
    inner.file("smuggled", "evil")
    var tar = TarBuilder()
    tar.pax([("size", Array("\(inner.bytes.count)".utf8))])
    var header = TarBuilder.Header("outer")
    header.size = TarBuilder.octal(0, 12)
    tar.add(header, data: inner.bytes)
    tar.file("after")
    #expect(try members(tar.finished).map(\.name) == ["outer", "after"])

    var other = TarBuilder()
    other.pax([("size", Array("0".utf8))])
    var long = TarBuilder.Header("outer")
    long.size = TarBuilder.octal(UInt64(inner.bytes.count), 12)
    other.add(long, data: inner.bytes)
    #expect(try members(other.finished).map(\.name) == ["outer", "smuggled"])
  }

  @Test func linksAndDirectoriesHaveNoDataWhateverTheirSizeSays() throws {
    for type: Character in ["1", "2", "5", "6"] {
      var tar = TarBuilder()
      var header = TarBuilder.Header("x", type: type)
      header.link = Array("y".utf8)
      header.size = TarBuilder.octal(512, 12)
      tar.add(header)
      tar.file("after", "seen")
      #expect(try members(tar.finished).map(\.name) == ["x", "after"])
    }
  }

  @Test func binaryNumbersReachBeyondOctal() throws {
    var tar = TarBuilder()
    var header = TarBuilder.Header("x")
    header.uid = TarBuilder.binary(3_000_000_000, 8)
    tar.add(header)
    #expect(try first(tar.finished).uid == 3_000_000_000)
  }

  @Test func numbersMayBePaddedInEveryKnownWay() throws {
    for text in ["  644\0  ", "644     ", "0000644\0", "0000644 ", " 644 \0\0\0"] {
      var tar = TarBuilder()
      var header = TarBuilder.Header("x")
      header.mode = text
      tar.add(header)
      #expect(try first(tar.finished).mode == 0o644)
    }
  }

  @Test func theFourFormsOfSparseFilesAreOneFile() throws {
    func pax(_ records: [(String, String)]) -> [(String, [UInt8])] { records.map { ($0.0, Array($0.1.utf8)) } }
    var old = TarBuilder()
    var header = TarBuilder.Header("sparse", type: "S")
    header.magic = "ustar  \0"
    header.patches = [
      (386, TarBuilder.octal(1024, 12)), (398, TarBuilder.octal(3, 12)), (410, TarBuilder.octal(4096, 12)),
      (422, TarBuilder.octal(2, 12)), (483, TarBuilder.octal(8192, 12)),
    ]
    old.add(header, data: Array("abcde".utf8))

    var first = TarBuilder()
    first.pax(
      pax([
        ("GNU.sparse.size", "8192"), ("GNU.sparse.numblocks", "2"), ("GNU.sparse.offset", "1024"),
        ("GNU.sparse.numbytes", "3"), ("GNU.sparse.offset", "4096"), ("GNU.sparse.numbytes", "2"),
      ]))
    first.file("sparse", "abcde")

    var second = TarBuilder()
    second.pax(
      pax([
        ("GNU.sparse.size", "8192"), ("GNU.sparse.numblocks", "2"), ("GNU.sparse.map", "1024,3,4096,2"),
        ("GNU.sparse.name", "sparse"),
      ]))
    second.file("GNUSparseFile.1/sparse", "abcde")

    var third = TarBuilder()
    third.pax(
      pax([
        ("GNU.sparse.major", "1"), ("GNU.sparse.minor", "0"), ("GNU.sparse.realsize", "8192"),
        ("GNU.sparse.name", "sparse"),
      ]))
    let map = Array("2\n1024\n3\n4096\n2\n".utf8)
    third.add(
      TarBuilder.Header("GNUSparseFile.1/sparse"),
      data: map + [UInt8](repeating: 0, count: 512 - map.count) + Array("abcde".utf8))

    for tar in [old, first, second, third] {
      let entry = try self.first(tar.finished)
      #expect(entry.name == Array("sparse".utf8))
      #expect(entry.size == 8192)
      #expect(entry.sparse == [TarEntry.Region(offset: 1024, length: 3), TarEntry.Region(offset: 4096, length: 2)])
      let scratch = try Scratch()
      _ = try scratch.unpack(tar.finished)
      var expected = [UInt8](repeating: 0, count: 8192)
      expected.replaceSubrange(1024..<1027, with: Array("abc".utf8))
      expected.replaceSubrange(4096..<4098, with: Array("de".utf8))
      #expect(try readFile(scratch.path + "/tree/sparse") == expected)
    }
  }

  @Test func sparseMapsThatDoNotFitAreRefused() throws {
    func refused(_ map: String, size: String = "100", data: String = "abcde") -> String {
      var tar = TarBuilder()
      tar.pax([("GNU.sparse.size", Array(size.utf8)), ("GNU.sparse.map", Array(map.utf8))])
      tar.file("x", data)
      return refusal(tar.finished)
    }
    #expect(refused("0,5") == "accepted")
    #expect(refused("10,3,5,2").contains("overlap"))
    #expect(refused("0,3,2,2").contains("overlap"))
    #expect(refused("99,5").contains("outside"))
    #expect(refused("0,4").contains("4 bytes"))
    #expect(refused("0,6").contains("6 bytes"))
    #expect(refused("-1,5").contains("overlap"))
    #expect(refused("0").contains("malformed"))
    #expect(refused("0,5", size: "-5").contains("malformed"))
    #expect(refused("9223372036854775807,5").contains("outside"))
    #expect(refused("0,9223372036854775807,1,9223372036854775807").contains("outside"))
    #expect(refused(Array(repeating: "0,0", count: 10_001).joined(separator: ",")).contains("10000 regions"))
  }

  @Test func whatFollowsTheEndIsNoMember() throws {
    var tar = TarBuilder()
    tar.file("x")
    var after = TarBuilder()
    after.file("trailing")
    #expect(try members(tar.finished + after.finished).map(\.name) == ["x"])
    #expect(try members(tar.bytes).map(\.name) == ["x"], "no end at all")
    #expect(refusal(tar.bytes + [UInt8](repeating: 0, count: 512) + after.finished).contains("block of zeros"))
  }

  @Test func damageIsRefused() throws {
    var tar = TarBuilder()
    tar.file("x", "content")
    var flipped = tar.finished
    flipped[0] ^= 1
    #expect(refusal(flipped).contains("checksum"))
    #expect(refusal(Array(tar.bytes.dropLast(512))).contains("middle"))
    #expect(refusal(Array(tar.bytes.prefix(300))).contains("middle"))

    var unknown = TarBuilder()
    unknown.add(TarBuilder.Header("x", type: "Q"))
    #expect(refusal(unknown.finished).contains("unknown type Q"))
  }

  @Test func labelsAndDumpedDirectoriesOfGnuTarAreRead() throws {
    var tar = TarBuilder()
    tar.add(TarBuilder.Header("my label", type: "V"))
    tar.add(TarBuilder.Header("d/", type: "D"), data: Array("Yfile\0\0".utf8))
    tar.file("d/file", "content")
    #expect(try members(tar.finished) == [Member(name: "d/", content: ""), Member(name: "d/file", content: "content")])
    #expect(try first(tar.finished).kind == .directory)
  }

  @Test func extensionsThatAreAmbiguousAreRefused() throws {
    var both = TarBuilder()
    both.add(TarBuilder.Header("L", type: "L"), data: Array("one".utf8))
    both.pax([("path", Array("two".utf8))])
    both.file("x")
    #expect(refusal(both.finished).contains("two names"))

    var dangling = TarBuilder()
    dangling.pax([("path", Array("nothing".utf8))])
    #expect(refusal(dangling.finished).contains("belongs to nothing"))

    var global = TarBuilder()
    global.pax([("comment", Array("git's commit id".utf8))], type: "g")
    global.file("x")
    #expect(try members(global.finished).map(\.name) == ["x"])
    var times = TarBuilder()
    times.pax([("mtime", Array("5".utf8)), ("atime", Array("5".utf8))], type: "g")
    times.file("x")
    #expect(try first(times.finished).modified.seconds == 0)
    var changing = TarBuilder()
    changing.pax([("path", Array("everything".utf8))], type: "g")
    changing.file("x")
    #expect(refusal(changing.finished).contains("global"))
  }

  @Test(arguments: [
    "", "5", "5 a=", "x a=b\n", "6 a=bc\n", "-6 a=b\n", "99999999999999999999 a=b\n", "4 =b\n", "6 a=b\n\n", "6 a\0=\n",
    "3 \n",
  ])
  func malformedPaxRecordsAreRefused(text: String) throws {
    var tar = TarBuilder()
    tar.add(TarBuilder.Header("pax", type: "x"), data: Array(text.utf8))
    tar.file("x")
    #expect((refusal(tar.finished) == "accepted") == text.isEmpty, "\(text)")
  }

  @Test func hugeExtensionsAreRefusedBeforeTheyAreRead() throws {
    for type: Character in ["x", "g", "L", "K"] {
      var tar = TarBuilder()
      var header = TarBuilder.Header("x", type: type)
      header.size = TarBuilder.binary(8 << 30, 12)
      tar.add(header)
      #expect(refusal(tar.finished).contains("more than"))
    }
  }

  /// Random damage to a good archive: refused or read, never a trap.
  @Test func randomDamageIsNoTrap() throws {
    var tar = TarBuilder()
    tar.pax([
      ("path", Array("päth".utf8)), ("size", Array("5".utf8)), ("GNU.sparse.map", Array("0,5".utf8)),
      ("GNU.sparse.size", Array("9".utf8)),
    ])
    tar.file("x", "hello")
    tar.add(TarBuilder.Header("L", type: "L"), data: Array("long".utf8))
    tar.symbolicLink("a", to: "b")
    var generator = SystemRandomNumberGenerator()
    for _ in 0..<3000 {
      var bytes = tar.finished
      for _ in 0..<Int.random(in: 1...4, using: &generator) {
        bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
      }
      // Repair the checksums, so that the damage gets further.
      for block in stride(from: 0, to: bytes.count - 511, by: 512) where bytes[block + 257] == UInt8(ascii: "u") {
        for index in (block + 148)..<(block + 156) { bytes[index] = 0x20 }
        let sum = bytes[block..<(block + 512)].reduce(0) { $0 + UInt64($1) }
        for (index, byte) in TarBuilder.octal(sum, 7).enumerated() { bytes[block + 148 + index] = byte }
      }
      _ = refusal(bytes)
    }
  }
}
