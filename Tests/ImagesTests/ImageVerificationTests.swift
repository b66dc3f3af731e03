import Glibc
import LinuxKernel
import Testing

@testable import Images

/// `image verify`: whatever is another in a layer is found and named.
@Suite(.serialized, .needsRoot, .needsWorker) struct ImageVerificationTests {
  private let scratch: Scratch
  private let store: ImageStore
  private let layer: StoredLayer
  private let image: StoredImage

  init() throws {
    scratch = try Scratch()
    store = try ImageStore(root: scratch.path + "/images", worker: try #require(Requirements.worker))
    var tar = TarBuilder()
    tar.directory("d/")
    tar.file("d/f", "content")
    tar.file("d/g", String(repeating: "x", count: 600_000))
    tar.file("gone/.wh.x")
    var fixture = ImageFixture()
    fixture.layers = [tar.finished]
    let path = try scratch.write("archive", ImageFixture.tar(fixture.dockerFiles(tags: ["x"])))
    image = try #require(try store.importArchive(path, as: nil) { _ in }.first)
    layer = try #require(image.layers.first)
  }

  private func differences() throws -> [String] {
    try store.verify(layer: layer.diffID).differences.map { "\($0.kind) \(String(decoding: $0.path, as: UTF8.self))" }
  }

  @Test func whatIsAsItWasIsSound() throws {
    let check = try store.verify(layer: layer.diffID)
    #expect(check.isSound)
    #expect(check.entries == 6)
    #expect(try store.verify(documents: image.id).isEmpty)
  }

  @Test func everyKindOfChangeIsNamed() throws {
    let tree = layer.path
    func change(_ path: String, _ body: (Int32) throws -> Void) throws {
      let file = try openFile(tree + "/" + path, O_RDWR)
      let before = try status(of: file.rawValue).modified
      try body(file.rawValue)
      // As something would do that wants not to be noticed.
      try setTimes(of: file.rawValue, to: FileTime(seconds: before, nanoseconds: 0))
    }
    try change("d/f") { try changeMode(of: $0, to: 0o600) }
    #expect(try differences() == ["changed d/f"])
    try change("d/f") { try changeMode(of: $0, to: 0o644) }
    #expect(try differences().isEmpty, "and it is no matter of times")
    try change("d/f") { try changeOwner(of: $0, uid: 1, gid: 0) }
    #expect(try differences() == ["changed d/f"])
    try change("d/f") { try changeOwner(of: $0, uid: 0, gid: 0) }
    try change("d/f") { try setAttribute("user.x", [1], of: $0) }
    #expect(try differences() == ["changed d/f"])
    try change("d/f") { try removeAttribute("user.x", of: $0) }
    #expect(try differences().isEmpty)
    // One byte, far in, of the same length.
    try change("d/g") { _ = pwrite($0, "y", 1, 500_000) }
    #expect(try differences() == ["changed d/g"])
    try change("d/g") { _ = pwrite($0, "\0", 1, 500_000) }
    #expect(try differences() == ["changed d/g"])
    try change("d/g") { _ = pwrite($0, "x", 1, 500_000) }
    #expect(try differences().isEmpty)

    try writeFileAtomically(tree + "/d/new", [])
    try removeFile(tree + "/d/f")
    try removeFile(tree + "/gone/x")
    #expect(try differences() == ["removed d/f", "added d/new", "removed gone/x"])
    try makeSymbolicLink(tree + "/gone/x", to: "elsewhere")
    #expect(try differences() == ["removed d/f", "added d/new", "changed gone/x"])
  }

  @Test func holesAreZeros() throws {
    let files = try ["sparse", "full"].map { name in
      let tree = try scratch.directory(name)
      let file = try openFile(tree + "/f", O_RDWR | O_CREAT, mode: 0o600)
      try file.writeAll([1, 2, 3], at: 3_000_000)
      if name == "full" { try file.writeAll([UInt8](repeating: 0, count: 3_000_000), at: 0) }
      try setTimes(of: file.rawValue, to: FileTime(seconds: 1, nanoseconds: 0))
      return tree
    }
    var found: [[TreeDigests.Item]] = []
    for tree in files {
      var items: [TreeDigests.Item] = []
      try TreeWalk.run(tree) { (item) throws(ImageError) in items.append(item) }
      found.append(items)
    }
    #expect(found[0].count == 2 && found[0] == found[1])
  }

  @Test func damageOfWhatIsComparedWithIsDamage() throws {
    let path = scratch.path + "/images/layers/\(layer.diffID.hex)/digests"
    var bytes = try readFile(path)
    bytes[20] ^= 1
    try writeFileAtomically(path, bytes)
    let error = #expect(throws: ImageError.self) { _ = try store.verify(layer: layer.diffID) }
    #expect(error?.description.contains("digests is damaged") == true)
  }

  @Test func layersOfBeforeCanBeTakenAsTheyAre() throws {
    try removeFile(scratch.path + "/images/layers/\(layer.diffID.hex)/digests")
    #expect(try !store.verify(layer: layer.diffID).isSound)
    #expect(try store.verify(layer: layer.diffID, records: true).isRecorded)
    #expect(try store.verify(layer: layer.diffID).isSound)
    try writeFileAtomically(layer.path + "/d/f", Array("contenT".utf8))
    #expect(try differences() == ["changed d/f"])
  }

  @Test func aConfigurationThatIsNotItsIdIsNamed() throws {
    let path = scratch.path + "/images/images/\(image.id.hex)/config.json"
    try writeFileAtomically(path, Array("{}".utf8))
    #expect(try store.verify(documents: image.id).first?.contains("config.json: its digest is") == true)
  }

  @Test func namesAreReadAsTheyWereWritten() throws {
    let path = scratch.path + "/digests"
    let deep = Array(repeating: "x", count: 2000).joined(separator: "/")
    let items = ["", "a", "a\n", "b/c", "b/cd", deep + "\u{ff}", deep].map {
      TreeDigests.Item(path: Array($0.utf8), digest: Array(SHA256.digest(of: Array($0.utf8)).rawBytes.prefix(16)))
    }
    let writer = try TreeDigestsWriter(path)
    // More than what is written and read at once.
    for _ in 0..<40 { for item in items { try writer.append(item) } }
    try writer.finish(durable: false)
    let reader = try #require(try TreeDigestsReader(path))
    var read: [TreeDigests.Item] = []
    while let item = try reader.next() { read.append(item) }
    #expect(read == Array(repeating: items, count: 40).flatMap(\.self))
  }

  @Test(arguments: ["cut", "longer", "changed"]) func digestsThatAreNotWhatWasWrittenAreDamage(how: String) throws {
    let path = scratch.path + "/digests"
    let writer = try TreeDigestsWriter(path)
    try writer.append(TreeDigests.Item(path: Array("a".utf8), digest: Array(repeating: 1, count: 16)))
    try writer.finish(durable: false)
    var bytes = try readFile(path)
    switch how {
    case "cut": bytes.removeLast()
    case "longer": bytes.append(0)
    default: bytes[bytes.count - 40] ^= 1
    }
    try writeFileAtomically(path, bytes)
    #expect(throws: ImageError.self) {
      let reader = try #require(try TreeDigestsReader(path))
      while try reader.next() != nil {}
    }
  }

  @Test func pathsHaveTheOrderOfTheWalk() throws {
    let tree = scratch.path + "/order"
    for path in ["a/b", "a.b/c", "a/b-c", "a/b/d/e", "a-/x", "B", "a/c"] { try makeDirectories("\(tree)/\(path)") }
    var paths: [[UInt8]] = []
    try TreeWalk.run(tree) { (item) throws(ImageError) in paths.append(item.path) }
    #expect(paths.count == 12)
    for (one, other) in zip(paths, paths.dropFirst()) {
      #expect(TreeDigests.precedes(one, other) && !TreeDigests.precedes(other, one))
    }
    #expect(!TreeDigests.precedes(paths[3], paths[3]))
  }
}
