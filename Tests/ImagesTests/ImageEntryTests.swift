import Glibc
import LinuxKernel
import StrictJSON
import Testing

@testable import Images

/// One image is no other's affair: what it says about itself, what is damaged of it, how many names it has.
@Suite(.serialized, .needsRoot, .needsWorker) struct ImageEntryTests {
  private let scratch: Scratch
  private let store: ImageStore
  private let root: String

  init() throws {
    scratch = try Scratch()
    root = scratch.path + "/images"
    store = try ImageStore(root: root, worker: try #require(Requirements.worker))
  }

  private func fixture(_ file: String) -> ImageFixture {
    var shared = TarBuilder()
    shared.file("shared", "1234")
    var own = TarBuilder()
    own.file(file, file)
    return ImageFixture(shared.finished, own.finished)
  }

  private func add(_ tag: String) throws -> StoredImage {
    let path = try scratch.write("archive", ImageFixture.tar(fixture(tag).dockerFiles(tags: [tag])))
    return try #require(try store.importArchive(path, as: nil) { _ in }.first)
  }

  private func path(_ image: StoredImage, _ name: String) -> String { root + "/images/\(image.id.hex)/\(name)" }

  @Test func lookUpsReadNoOthersConfiguration() throws {
    let other = try add("other")
    let mine = try add("mine")
    try writeFileAtomically(path(other, "image.json"), Array("damaged".utf8))
    #expect(try store.find(try ImageReference("mine"))?.id == mine.id)
    #expect(try store.findAny(mine.id.short)?.id == mine.id)
    #expect(try store.find(try AppcQuery("example.com/nothing")) == nil)
    #expect(try store.find(manifest: mine.id) == nil)
    #expect(try store.list().count == 2)
    #expect(throws: ImageError.self) { _ = try store.find(try ImageReference("other")) }
    // What it protects stays, and what is only the other's goes.
    #expect(try store.remove("mine").layers == [mine.layers[1].diffID])
    #expect(try entries(of: root + "/layers").count == 2)
  }

  @Test func storesOfBeforeThereWereEntriesAreRead() throws {
    let image = try add("one")
    try removeFile(path(image, "entry.json"))
    #expect(try ImageStore(reading: root).list().map(\.id) == [image.id])
    #expect((try? status(of: path(image, "entry.json"))) == nil, "who reads writes nothing")
    #expect(try store.list().map(\.id) == [image.id])
    #expect(
      try entries(of: root + "/images/\(image.id.hex)").map { String(decoding: $0.name, as: UTF8.self) }.sorted()
        == ["config.json", "entry.json", "image.json", "used"])
    try writeFileAtomically(path(image, "image.json"), Array("damaged".utf8))
    #expect(try store.list().map(\.id) == [image.id], "it was written down once")
  }

  @Test func whatADamagedImageMayNeedStays() throws {
    let damaged = try add("damaged")
    let mine = try add("mine")
    for name in ["entry.json", "image.json"] { try writeFileAtomically(path(damaged, name), Array("{".utf8)) }
    #expect(try store.find(try ImageReference("mine"))?.id == mine.id)
    let inventory = try store.inventory()
    #expect(inventory.images.map(\.id) == [mine.id])
    #expect(inventory.damaged.map(\.id) == [damaged.id])
    #expect(inventory.damaged.first?.references.map(\.description) == ["damaged:latest"])
    let removal = try store.remove("mine")
    #expect(removal.layers.isEmpty && removal.unreadable == [damaged.id])
    #expect(try entries(of: root + "/layers").count == 3)
    #expect(try store.collectGarbage(GarbagePolicy(unusedSeconds: 0)).layers.isEmpty)
    // It can be removed itself, and then nothing is left.
    #expect(try store.remove("damaged").layers.count == 3)
    #expect(try entries(of: root + "/layers").isEmpty)
  }

  @Test func importingADamagedImageAgainMendsIt() throws {
    let image = try add("one")
    for name in ["entry.json", "image.json"] { try writeFileAtomically(path(image, name), Array("{".utf8)) }
    #expect(throws: ImageError.self) { _ = try store.find(try ImageReference("one")) }
    #expect(try add("one").config == image.config)
    #expect(try store.inventory().damaged.isEmpty)
  }

  @Test func configurationsHaveBounds() throws {
    var large = fixture("a")
    large.environment = ["A=" + String(repeating: "\u{7f}", count: 300_000)]
    var many = fixture("b")
    many.environment = (0..<5000).map { "A\($0)=" }
    for (fixture, text) in [(large, "configuration of"), (many, "5000 items of Env")] {
      let path = try scratch.write("archive", ImageFixture.tar(fixture.dockerFiles(tags: ["x"])))
      let error = #expect(throws: ImageError.self) { _ = try store.importArchive(path, as: nil) { _ in } }
      #expect(error?.description.contains(text) == true, "\(String(describing: error))")
    }
    #expect(try store.list().isEmpty)
    // An image of a telephone switch: half of all ports.
    var ports = ImageConfig()
    ports.exposedPorts = (16384...32768).map { "\($0)/udp" }
    #expect(try ImageConfig(document: ports.document).exposedPorts.count == 16385)
  }

  @Test func anArchiveOfManyNamesIsRefusedUnlessItIsNamed() throws {
    let names = (0..<9000).map { "\(String(repeating: "x", count: 100))/\($0):1" }
    let path = try scratch.write("archive", ImageFixture.tar(fixture("a").dockerFiles(tags: names)))
    let error = #expect(throws: ImageError.self) { _ = try store.importArchive(path, as: nil) { _ in } }
    #expect(error?.description.contains("more than 64 names (9000)") == true, "\(String(describing: error))")
    #expect(error?.hint.contains("NAME:TAG") == true)
    #expect(try store.importArchive(path, as: try ImageReference("mine")) { _ in }.count == 1)
    #expect(try store.findAny("mine") != nil)
  }

  @Test func theWaitForTheStoresLockCanBeInterrupted() throws {
    let held = try store.lockStore()
    let pipe = try makePipe()
    try pipe.second.descriptor.writeAll([1])
    let error = #expect(throws: ImageError.self) { _ = try store.lockStore(pipe.first.rawValue) }
    #expect(error?.kind == .host(Errno("", code: EINTR)))
    withExtendedLifetime(held) {}
  }

  @Test func askingWhetherAnImageIsInUseDisturbsNobody() throws {
    let image = try add("one")
    let held = SharedDescriptor(try openFile(root + "/images/" + image.id.hex, O_RDONLY | O_DIRECTORY))
    #expect(try FileLock.take(.exclusive, on: held.rawValue, wait: false))
    var thread = pthread_t()
    let started = pthread_create(
      &thread, nil,
      {
        usleep(50_000)
        // The one that asks is done: its descriptor is the only one of this lock.
        if let argument = $0 { _ = flock(Int32(Int(bitPattern: argument)), LOCK_UN) }
        return nil
      }, UnsafeMutableRawPointer(bitPattern: Int(held.rawValue)))
    #expect(started == 0)
    try store.lockForUse(image).close()
    pthread_join(thread, nil)
    withExtendedLifetime(held) {}
  }
}
