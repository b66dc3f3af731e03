import Glibc
import LinuxKernel
import Testing

@testable import Images

/// Removal, and what it must leave alone.
@Suite(.serialized, .needsRoot, .needsWorker) struct ImageRemovalTests {
  private let scratch: Scratch
  private let store: ImageStore
  private let root: String
  private let shared: [UInt8]

  init() throws {
    scratch = try Scratch()
    root = scratch.path + "/images"
    store = try ImageStore(root: root, worker: try #require(Requirements.worker))
    var tar = TarBuilder()
    tar.file("shared", "1234")
    shared = tar.finished
  }

  private func add(_ tags: String..., layer: String? = nil) throws -> StoredImage {
    var layers = [shared]
    if let layer {
      var tar = TarBuilder()
      tar.file(layer, layer)
      layers.append(tar.finished)
    }
    var fixture = ImageFixture()
    fixture.layers = layers
    let path = try scratch.write("archive", ImageFixture.tar(fixture.dockerFiles(tags: tags)))
    return try #require(try store.importArchive(path, as: nil) { _ in }.first)
  }

  private func layerCount() throws -> Int { try entries(of: root + "/layers").count }

  @Test func layersGoWithTheLastImageThatHasThem() throws {
    let one = try add("one", layer: "a")
    let two = try add("two", layer: "bb")
    #expect(try layerCount() == 3)
    let first = try store.remove("one")
    #expect(first.images == [one.id])
    #expect(first.layers == [one.layers[1].diffID])
    #expect(first.bytes == 1)
    #expect(try layerCount() == 2)
    let second = try store.remove(two.id.short)
    #expect(second.references.map(\.description) == ["two:latest"])
    #expect(second.bytes == 6)
    #expect(try layerCount() == 0)
    #expect(try store.list().isEmpty)
    #expect(try entries(of: root + "/staging").isEmpty)
  }

  @Test func aNameAmongOthersIsOnlyTakenOff() throws {
    let image = try add("one", "two")
    let removal = try store.remove("one")
    #expect(removal == ImageRemoval(references: [try ImageReference("one")], images: [], layers: [], bytes: 0))
    #expect(try store.findAny("one") == nil)
    #expect(try store.findAny("two")?.id == image.id)
  }

  @Test func anIdWithSeveralNamesNeedsForce() throws {
    let image = try add("one", "two")
    let error = #expect(throws: ImageError.self) { _ = try store.remove(image.id.short) }
    #expect(error?.description.contains("one:latest, two:latest") == true)
    #expect(try store.remove(image.id.short, force: true).references.count == 2)
    #expect(try store.list().isEmpty)
  }

  @Test func anImageInUseStaysAlsoWithForce() throws {
    let image = try add("one")
    do {
      let use = try store.lockForUse(image)
      // A copy, as a container's init inherits it, keeps the image when the executor has gone.
      let inherited = try use.duplicate()
      try use.close()
      for force in [false, true] {
        let error = #expect(throws: ImageError.self) { _ = try store.remove("one", force: force) }
        #expect(error?.kind == .inUse)
      }
      #expect(try store.findAny("one")?.id == image.id)
      try inherited.close()
    }
    // A test beside this one may be starting a worker just now: until it has executed, its copy of the lock is there.
    var removed: [Digest] = []
    for _ in 0..<200 where removed.isEmpty {
      removed = (try? store.remove("one").images) ?? []
      if removed.isEmpty { usleep(10_000) }
    }
    #expect(removed == [image.id])
    let error = #expect(throws: ImageError.self) { _ = try store.lockForUse(image) }
    #expect(error?.kind == .notFound)
  }

  @Test func whatIsNotThereIsNotFound() throws {
    let error = #expect(throws: ImageError.self) { _ = try store.remove("missing") }
    #expect(error?.kind == .notFound)
  }

  @Test func garbageIsWhatIsNeitherUsedNorPinnedNorYoung() throws {
    let pinned = try add("pinned", layer: "a")
    let used = try add("used", layer: "bb")
    let old = try add("old", "also-old", layer: "ccc")
    _ = try store.setPinned("pinned", true)
    #expect(try store.findAny("pinned")?.isPinned == true)
    let use = try store.lockForUse(used)
    #expect(try store.collectGarbage(GarbagePolicy(unusedSeconds: 3600)).images.isEmpty)
    #expect(try store.collectGarbage(GarbagePolicy(untilFree: 0)).images.isEmpty)

    let first = try store.collectGarbage(GarbagePolicy(unusedSeconds: 0))
    #expect(first.images == [old.id])
    #expect(first.references.count == 2)
    #expect(first.bytes == 3)
    try use.close()
    _ = try store.setPinned("pinned", false)
    // More room than any disk has: everything that may go goes.
    #expect(Set(try store.collectGarbage(GarbagePolicy(untilFree: .max)).images) == [pinned.id, used.id])
    #expect(try layerCount() == 0)
  }

  @Test func aUseIsRemembered() throws {
    let image = try add("one")
    let file = try openFile(root + "/images/\(image.id.hex)/used", O_WRONLY)
    try setTimes(of: file.rawValue, to: FileTime(seconds: 1000, nanoseconds: 0))
    #expect(try store.findAny("one")?.lastUsedAt == 1_000_000_000_000)
    try store.lockForUse(image).close()
    let now = Clock.wall
    #expect((try store.findAny("one")?.lastUsedAt ?? 0) > now - 10_000_000_000)
  }

  @Test func aLayerWithoutAnImageIsAnOrphan() throws {
    let image = try add("one")
    try removeTree(root + "/images/" + image.id.hex)
    #expect(try store.removeOrphans().layers == image.layers.map(\.diffID))
    #expect(try layerCount() == 0)
  }

  @Test func aHostileLayerCanBeRemoved() throws {
    var tar = TarBuilder()
    for index in 1...20 { tar.directory(".ax-remove-\(index)/x/y/z/") }
    tar.directory("a/b/c/d/e/f/", mode: "0000000")
    tar.pax([("path", Array(String(repeating: "d/", count: 500).utf8))])
    tar.directory("x")
    var fixture = ImageFixture()
    fixture.layers = [tar.finished]
    _ = try store.importArchive(
      try scratch.write("archive", ImageFixture.tar(fixture.dockerFiles(tags: ["x"]))), as: nil
    ) { _ in }
    _ = try store.remove("x")
    #expect(try entries(of: root + "/staging").isEmpty)
  }
}
