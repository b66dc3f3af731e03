import Glibc
import LinuxKernel
import StrictJSON
import Testing

@testable import Images

/// What an archive's documents say, read in this process and without root.
@Suite struct ArchiveInspectorTests {
  private let fixture = ImageFixture([1, 2, 3], [4, 5])

  private func inspect(_ archive: [UInt8], budgets: Budgets = Budgets()) throws -> ArchiveContents {
    let file = SharedDescriptor(try sealedMemory("archive", archive))
    defer { withExtendedLifetime(file) {} }
    let files = try ArchiveFiles(archive: file.rawValue, size: UInt64(archive.count), budgets: budgets)
    return try ArchiveInspector(files: files, platform: .host, budgets: budgets).contents()
  }

  private func refusal(_ files: [(String, [UInt8])]) -> String {
    do {
      _ = try inspect(ImageFixture.tar(files))
      return "accepted"
    } catch {
      return "\(error)"
    }
  }

  private func blob(_ archive: [UInt8], _ layer: ArchiveLayer) -> [UInt8]? {
    guard case .range(let offset, let size) = layer.location else { return nil }
    return Array(archive[Int(offset)..<Int(offset + size)])
  }

  @Test func layersAreFoundWhereTheyStandInTheArchive() throws {
    for files in [
      fixture.dockerFiles(tags: ["x"]), fixture.layoutFiles(index: [fixture.manifestDescriptor(name: "x")]),
      fixture.legacyFiles(repository: "x", tag: "latest"),
    ] {
      let archive = ImageFixture.tar(files.map { ("./" + $0.0, $0.1) })
      let image = try #require(try inspect(archive).images.first)
      #expect(image.layers.map { blob(archive, $0) } == fixture.layers)
      #expect(image.names.count == 1)
    }
  }

  /// `docker save` before 25 writes a layer that is used again as a link.
  @Test func linkedMembersAreTheirTargets() throws {
    var tar = TarBuilder()
    for (name, bytes) in fixture.dockerFiles(tags: ["x"]) where name != "layer1/layer.tar" {
      tar.add(TarBuilder.Header(name), data: bytes)
    }
    tar.symbolicLink("layer1/layer.tar", to: "../layer0/layer.tar")
    let image = try #require(try inspect(tar.finished).images.first)
    #expect(blob(tar.finished, image.layers[1]) == [1, 2, 3])

    var loop = TarBuilder()
    loop.symbolicLink("manifest.json", to: "manifest.json")
    let error = #expect(throws: ImageError.self) { _ = try inspect(loop.finished) }
    #expect(error?.description.contains("chain of links") == true)
  }

  @Test func namesComeFromWhereverTheyAre() throws {
    func names(_ annotation: String, _ value: String, more: [(String, [UInt8])] = []) throws -> ArchiveImage {
      let descriptor = JSON(
        object: (fixture.manifestDescriptor(name: nil).members ?? []).map { ($0.key, $0.value) } + [
          ("annotations", JSON(object: [(annotation, JSON(value))]))
        ])
      return try #require(
        try inspect(ImageFixture.tar(fixture.layoutFiles(index: [descriptor]) + more)).images.first)
    }
    #expect(try names("io.containerd.image.name", "docker.io/library/a:1").names == ["docker.io/library/a:1"])
    #expect(try names("org.opencontainers.image.ref.name", "a:1").names == ["a:1"])
    let tagged = try names("org.opencontainers.image.ref.name", "bookworm")
    #expect(tagged.names.isEmpty)
    #expect(tagged.tag == "bookworm")
    // docker save from 25 on writes both; the names may be in the older document alone.
    let manifest = JSON([
      JSON(object: [
        ("Config", JSON("blobs/sha256/\(fixture.digest(fixture.document).hex)")),
        ("RepoTags", JSON([JSON("from:manifest")])), ("Layers", JSON([])),
      ])
    ])
    #expect(
      try names("org.opencontainers.image.ref.name", "bookworm", more: [("manifest.json", manifest.compactBytes)]).names
        == ["from:manifest"])
  }

  @Test func oneImageUnderTwoNamesIsOneImage() throws {
    let files = fixture.layoutFiles(index: [
      fixture.manifestDescriptor(name: "a:1"), fixture.manifestDescriptor(name: "b:2"),
    ])
    let images = try inspect(ImageFixture.tar(files)).images
    #expect(images.map(\.names) == [["a:1", "b:2"]])
  }

  @Test func aNameChoosesAmongSeveral() throws {
    var other = fixture
    other.environment = ["OTHER=1"]
    let images = ArchiveContents(images: [
      try #require(try inspect(ImageFixture.tar(fixture.dockerFiles(tags: ["a:1"]))).images.first),
      try #require(try inspect(ImageFixture.tar(other.dockerFiles(tags: ["b:1", "c:1"]))).images.first),
    ])
    let chosen = try ImageSelection(of: images, as: try ImageReference("docker.io/library/c:1")).chosen
    #expect(chosen.map(\.image.config.environment) == [["OTHER=1"]])
    #expect(chosen.first?.references.map(\.description) == ["c:1"])
    #expect(try ImageSelection(of: images, as: nil).chosen.map { $0.references.count } == [1, 2])
    let error = #expect(throws: ImageError.self) {
      _ = try ImageSelection(of: images, as: try ImageReference("d:1"))
    }
    #expect(error?.description.contains("2 images and none is d:1: a:1, b:1") == true)
    let digest = #expect(throws: ImageError.self) {
      _ = try ImageSelection(
        of: ArchiveContents(images: [images.images[0]]),
        as: try ImageReference("a@sha256:" + String(repeating: "0", count: 64)))
    }
    #expect(digest?.description.contains("digest of its manifest") == true)
  }

  /// A layout with the fixture's image under `good:1` and what `beside` adds to its index.
  private func layout(beside: [JSON], extra: [[UInt8]] = []) throws -> ArchiveContents {
    let index = beside + [fixture.manifestDescriptor(name: "good:1")]
    return try inspect(ImageFixture.tar(fixture.layoutFiles(index: index, extra: extra)))
  }

  @Test func whatLiesBesideAnImageIsPassedOverAndNamed() throws {
    var arm = fixture
    arm.architecture = "s390x"
    let platform = JSON(object: [("os", "unknown"), ("architecture", "unknown")])
    let beside: [JSON] = [
      arm.manifestDescriptor(name: "arm:1"),
      fixture.manifestDescriptor(name: "good:1", platform: platform),
      JSON(object: [("digest", "sha512:abc"), ("size", 1)]),
      JSON(object: [
        ("mediaType", "application/vnd.oci.image.manifest.v1+json"), ("artifactType", "application/spdx+json"),
        ("digest", JSON(fixture.digest([7]).description)), ("size", 1),
      ]),
    ]
    let contents = try layout(beside: beside, extra: [arm.document, arm.manifest])
    #expect(contents.images.map(\.names) == [["good:1", "good:1"]] || contents.images.map(\.names) == [["good:1"]])
    let told = contents.passedOver.map(\.description)
    #expect(told.contains { $0.contains("arm:1: ") && $0.contains("the image is for linux/s390x") }, "\(told)")
    #expect(told.contains { $0.contains("sha512:abc") && $0.contains("a digest that is not sha256") }, "\(told)")
    #expect(told.contains { $0.contains("(application/spdx+json)") && $0.contains("missing") }, "\(told)")

    // A name chooses first: of what has other names nothing is said, and what cannot be taken is the error.
    let good = try ImageSelection(of: contents, as: try ImageReference("good:1"))
    #expect(!good.passedOver.contains { $0.description.contains("arm") })
    let error = #expect(throws: ImageError.self) {
      _ = try ImageSelection(of: contents, as: try ImageReference("arm:1"))
    }
    #expect(error?.description.contains("the image is for linux/s390x") == true)
    #expect(try ImageSelection(of: contents, as: try ImageReference("new:1")).chosen.count == 1)
  }

  @Test func whereNothingIsLeftEveryReasonIsGiven() throws {
    var one = fixture
    one.architecture = "s390x"
    var two = one
    two.architecture = "riscv64"
    let files = fixture.layoutFiles(
      index: [one.manifestDescriptor(name: "a:1"), two.manifestDescriptor(name: "b:1")],
      extra: [one.document, one.manifest, two.document, two.manifest])
    let text = refusal(files)
    #expect(text.contains("none of the 2 images"), "\(text)")
    #expect(text.contains("a:1: ") && text.contains("b:1: ") && text.contains("linux/riscv64"), "\(text)")
  }

  @Test func neighboursInArchivesOfDockerSaveArePassedOver() throws {
    var arm = fixture
    arm.architecture = "s390x"
    let good = fixture.dockerFiles(tags: ["two:x86"])
    let bad = arm.dockerFiles(tags: ["two:arm"])
    func items(_ files: [(String, [UInt8])]) throws -> [JSON] {
      try JSON(parsing: try #require(files.last).1).array ?? []
    }
    let manifest = JSON([JSON("nonsense")] + (try items(bad)) + (try items(good))).compactBytes
    let archive = ImageFixture.tar(Array((bad.dropLast() + good.dropLast())) + [("manifest.json", manifest)])
    let contents = try inspect(archive)
    #expect(contents.images.map(\.names) == [["two:x86"]])
    #expect(contents.passedOver.map(\.names) == [[], ["two:arm"]])
    let selection = try ImageSelection(of: contents, as: nil)
    #expect(selection.passedOver.last?.description.contains("two:arm: manifest.json: the image is for") == true)
  }

  /// What a name of the archive's is worth shows when nobody gave another.
  @Test func imagesWithoutAUsableNameArePassedOver() throws {
    var contents = try inspect(ImageFixture.tar(fixture.dockerFiles(tags: ["a:1"])))
    contents.images += try inspect(ImageFixture.tar(fixture.dockerFiles(tags: ["NO"]))).images
    contents.images += try inspect(ImageFixture.tar(fixture.dockerFiles(tags: []))).images
    let selection = try ImageSelection(of: contents, as: nil)
    #expect(selection.chosen.count == 1)
    #expect(
      selection.passedOver.map(\.hint) == Array(repeating: "name it yourself: image import ARCHIVE NAME:TAG", count: 1)
        + ["name it: image import ARCHIVE NAME:TAG"])
  }

  @Test func damagedArchivesSayWhatIsMissing() {
    func without(_ name: String, _ files: [(String, [UInt8])]) -> String { refusal(files.filter { $0.0 != name }) }
    let layout = fixture.layoutFiles(index: [fixture.manifestDescriptor(name: "x")])
    #expect(without("index.json", layout).contains("neither an OCI layout nor"))
    #expect(without(layout[2].0, layout).contains("is missing"))
    let docker = fixture.dockerFiles(tags: ["x"])
    #expect(without("layer0/layer.tar", docker).contains("layer0/layer.tar is missing"))
    #expect(without("manifest.json", docker).contains("neither an OCI layout nor"))
    let legacy = fixture.legacyFiles(repository: "x", tag: "1")
    #expect(without(legacy[1].0, legacy).contains("is missing"))
    #expect(refusal([]).contains("neither an OCI layout nor"))
    #expect(refusal([("manifest.json", Array("[]".utf8))]).contains("lists no image"))
    #expect(refusal([("manifest.json", Array("{".utf8))]).contains("manifest.json: 1:2"))
  }

  @Test func cyclesAndNestingEnd() throws {
    let id = fixture.digest([9]).hex
    let cycle = Array(#"{"parent": "\#(id)", "os": "linux"}"#.utf8)
    let files = [
      ("\(id)/json", cycle), ("\(id)/layer.tar", []), ("repositories", Array(#"{"x": {"1": "\#(id)"}}"#.utf8)),
    ]
    #expect(refusal(files).contains("cycle"))

    // Indexes that list indexes.
    var inner = fixture.manifestDescriptor(name: nil)
    var blobs: [[UInt8]] = []
    for _ in 0..<6 {
      let index = JSON(object: [
        ("schemaVersion", 2), ("mediaType", "application/vnd.oci.image.index.v1+json"), ("manifests", JSON([inner])),
      ]).compactBytes
      blobs.append(index)
      inner = JSON(object: [
        ("mediaType", "application/vnd.oci.image.index.v1+json"), ("digest", JSON(fixture.digest(index).description)),
        ("size", JSON(index.count)),
      ])
    }
    #expect(refusal(fixture.layoutFiles(index: [inner], extra: blobs)).contains("levels deep"))
  }

  @Test func membersOfOtherKindsHarmOnlyWhoNeedsThem() throws {
    var tar = TarBuilder()
    for type: Character in ["3", "4", "6"] { tar.add(TarBuilder.Header("beside\(type)", type: type)) }
    for (name, bytes) in fixture.dockerFiles(tags: ["x"]) { tar.add(TarBuilder.Header(name), data: bytes) }
    #expect(try inspect(tar.finished).images.count == 1)
    tar.add(TarBuilder.Header("layer0/layer.tar", type: "6"))
    let error = #expect(throws: ImageError.self) { _ = try inspect(tar.finished) }
    #expect(error?.description.contains("layer0/layer.tar: it is a device or a fifo") == true)
  }

  @Test func tooManyMembersAreRefused() {
    var budgets = Budgets()
    budgets.archiveMembers = 2
    var many = TarBuilder()
    for index in 0..<3 { many.file("\(index)") }
    #expect(throws: ImageError.self) { _ = try inspect(many.finished, budgets: budgets) }
  }

  /// Random damage to documents: refused or read, never a trap.
  @Test func randomDamageIsNoTrap() throws {
    var generator = SystemRandomNumberGenerator()
    let words = ["0", "-1", "[]", "{}", "null", "\"\"", "1e99", "\"sha256:\"", "true", "18446744073709551616"].map {
      Array($0.utf8)
    }
    for files in [
      fixture.dockerFiles(tags: ["x"]), fixture.layoutFiles(index: [fixture.manifestDescriptor(name: "x")]),
      fixture.legacyFiles(repository: "x", tag: "1"),
    ] {
      for _ in 0..<1500 {
        var damaged = files
        let index = Int.random(in: 0..<files.count, using: &generator)
        guard !damaged[index].1.isEmpty else { continue }
        let place = Int.random(in: 0..<damaged[index].1.count, using: &generator)
        if Bool.random(using: &generator) {
          damaged[index].1[place] = UInt8.random(in: 0...255, using: &generator)
        } else {
          let end = min(damaged[index].1.count, place + Int.random(in: 0...12, using: &generator))
          damaged[index].1.replaceSubrange(place..<end, with: words.randomElement(using: &generator) ?? [])
        }
        _ = refusal(damaged)
      }
    }
  }
}
