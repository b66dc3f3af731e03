import Glibc
import LinuxKernel
import StrictJSON
import Testing

@testable import Images

/// The store and its workers, on the real kernel.
@Suite(.serialized, .needsRoot, .needsWorker) struct ImageStoreTests {
  private let scratch: Scratch
  private let store: ImageStore
  private let root: String

  init() throws {
    scratch = try Scratch()
    root = scratch.path + "/images"
    store = try ImageStore(root: root, worker: try #require(Requirements.worker))
  }

  private static func layer(_ files: (String, String)...) -> [UInt8] {
    var tar = TarBuilder()
    for (name, content) in files { tar.file(name, content) }
    return tar.finished
  }

  private let fixture = ImageFixture(
    ImageStoreTests.layer(("etc/os", "debian"), ("gone", "x")), ImageStoreTests.layer((".wh.gone", ""), ("new", "y")))

  private func importBytes(_ bytes: [UInt8], as name: String? = nil) throws -> [StoredImage] {
    try importPath(try scratch.write("archive", bytes), as: name)
  }

  private func importPath(_ path: String, as name: String? = nil) throws -> [StoredImage] {
    try store.importArchive(path, as: try name.map { try ImageReference($0) }) { _ in }
  }

  private func expectWhole(_ image: StoredImage?, location: SourceLocation = #_sourceLocation) throws {
    let image = try #require(image, sourceLocation: location)
    #expect(image.layers.count == 2, sourceLocation: location)
    #expect(try readFile(image.layers[0].path + "/etc/os") == Array("debian".utf8), sourceLocation: location)
    #expect(try readFile(image.layers[1].path + "/new") == Array("y".utf8), sourceLocation: location)
    let whiteout = try status(of: image.layers[1].path + "/gone")
    #expect(whiteout.mode & UInt32(S_IFMT) == UInt32(S_IFCHR) && whiteout.deviceType == 0, sourceLocation: location)
    #expect(image.config.environment == ["PATH=/bin", "A=b=c"], sourceLocation: location)
    #expect(try entries(of: root + "/staging").isEmpty, sourceLocation: location)
  }

  @Test func importsDockerArchives() throws {
    let images = try importBytes(ImageFixture.tar(fixture.dockerFiles(tags: ["debian:bookworm", "localhost/x:1"])))
    let found = try store.find(try ImageReference("debian:bookworm"))
    try expectWhole(found)
    #expect(images.map(\.id) == [fixture.digest(fixture.document)])
    #expect(found?.references.map(\.description) == ["debian:bookworm", "localhost/x:1"])
    #expect(found?.config.entrypoint == ["/entry"])
    #expect(found?.config.command == ["one", "two"])
    #expect(found?.config.workingDirectory == "/work")
    #expect(found?.config.user == "1000:1000")
    #expect(found?.config.labels == [ImageConfig.Label(name: "x.y", value: "z")])
    #expect(found?.config.volumes == ["/data"])
    #expect(found?.config.exposedPorts == ["80/tcp"])
    #expect(found?.config.stopSignal == "SIGINT")
    #expect(found?.bytes == 8)
    #expect(found?.manifestDigest == nil)
  }

  @Test func importsArchivesOfBeforeManifests() throws {
    _ = try importBytes(ImageFixture.tar(fixture.legacyFiles(repository: "team/old", tag: "v1")))
    let found = try store.find(try ImageReference("team/old:v1"))
    try expectWhole(found)
    #expect(found?.config.command == ["layer 1"])
    #expect(found?.config.diffIDs == fixture.layers.map { fixture.digest($0) })
  }

  @Test func importsLayoutsAsDirectoryAndAsArchive() throws {
    let files = fixture.layoutFiles(index: [fixture.manifestDescriptor(name: "docker.io/library/debian:bookworm")])
    let directory = scratch.path + "/layout"
    try ImageFixture.write(files, to: directory)
    _ = try importPath(directory)
    let found = try store.find(try ImageReference("debian:bookworm"))
    try expectWhole(found)
    #expect(found?.manifestDigest == fixture.digest(fixture.manifest))
    let byDigest = try store.find(try ImageReference("debian@\(fixture.digest(fixture.manifest))"))
    #expect(byDigest?.id == found?.id)
    #expect(try store.find(try ImageReference("debian@\(fixture.digest(fixture.document))")) == nil)

    _ = try importBytes(ImageFixture.tar(files), as: "other:name")
    #expect(try store.find(try ImageReference("other:name"))?.id == found?.id)
  }

  @Test(arguments: ["gzip", "zstd"])
  func importsCompressedArchives(program: String) throws {
    let files = fixture.layoutFiles(index: [fixture.manifestDescriptor(name: "debian")])
    let path = try scratch.write("plain.tar", ImageFixture.tar(files))
    guard try run(["/usr/bin/\(program)", "-q", path]) == .exited(0) else { return }
    _ = try importPath(path + (program == "gzip" ? ".gz" : ".zst"))
    try expectWhole(try store.find(try ImageReference("debian")))
  }

  @Test func choosesThePlatformOfThisHost() throws {
    var foreign = fixture
    foreign.architecture = "s390x"
    func platform(_ architecture: String) -> JSON {
      JSON(object: [("os", "linux"), ("architecture", JSON(architecture))])
    }
    let inner = JSON(object: [
      ("schemaVersion", 2), ("mediaType", "application/vnd.oci.image.index.v1+json"),
      (
        "manifests",
        JSON([
          foreign.manifestDescriptor(name: nil, platform: platform("s390x")),
          fixture.manifestDescriptor(name: nil, platform: platform(Platform.host.architecture)),
        ])
      ),
    ]).compactBytes
    let index = JSON(object: [
      ("mediaType", "application/vnd.oci.image.index.v1+json"), ("digest", JSON(fixture.digest(inner).description)),
      ("size", JSON(inner.count)), ("annotations", JSON(object: [("org.opencontainers.image.ref.name", "multi:1")])),
    ])
    let files = fixture.layoutFiles(index: [index], extra: [inner, foreign.document, foreign.manifest])
    _ = try importBytes(ImageFixture.tar(files))
    try expectWhole(try store.find(try ImageReference("multi:1")))

    let other = try ImageStore(
      root: root, worker: try #require(Requirements.worker), platform: Platform(os: "linux", architecture: "riscv64"))
    let error = #expect(throws: ImageError.self) {
      _ = try other.importArchive(scratch.path + "/archive", as: nil) { _ in }
    }
    #expect(error?.description.contains("none of the 2 images") == true)
    #expect(error?.description.contains("multi:1 (linux/s390x): it is not for linux/riscv64") == true)
  }

  @Test func namesAreNeededWhereTheArchiveHasNone() throws {
    let files = fixture.layoutFiles(index: [fixture.manifestDescriptor(name: nil)])
    let error = #expect(throws: ImageError.self) { _ = try importBytes(ImageFixture.tar(files)) }
    #expect(error?.description.contains("no name") == true)
    #expect(error?.hint.contains("NAME:TAG") == true)
    #expect(try store.list().isEmpty)
    _ = try importBytes(ImageFixture.tar(files), as: "given:name")
    try expectWhole(try store.find(try ImageReference("given:name")))
  }

  @Test func missingFilesAreNotFound() throws {
    let error = #expect(throws: ImageError.self) { _ = try importPath("/nonexistent.tar") }
    #expect(error?.kind == .notFound)
    #expect(error?.description.contains("/nonexistent.tar") == true)
  }

  @Test func layersAreKeptOnceAndImportsAreRepeatable() throws {
    let bytes = ImageFixture.tar(fixture.dockerFiles(tags: ["one"]))
    _ = try importBytes(bytes)
    let first = try status(of: try #require(try store.findAny("one")).layers[0].path)
    var unpacked = 0
    var other = fixture
    other.environment = ["DIFFERENT=1"]
    _ = try store.importArchive(
      try scratch.write("other", ImageFixture.tar(other.dockerFiles(tags: ["two"]))), as: nil
    ) { unpacked = max(unpacked, $0.layersDone - $0.layersPresent) }
    #expect(unpacked == 0)
    #expect(try status(of: try #require(try store.findAny("two")).layers[0].path).inode == first.inode)
    #expect(try entries(of: root + "/layers").count == 2)
    #expect(try store.list().map { $0.references.map(\.description) } == [["one:latest"], ["two:latest"]])
  }

  @Test func aNameMovesToTheImageThatTookItLast() throws {
    _ = try importBytes(ImageFixture.tar(fixture.dockerFiles(tags: ["moving"])))
    var other = fixture
    other.environment = ["DIFFERENT=1"]
    _ = try importBytes(ImageFixture.tar(other.dockerFiles(tags: ["moving"])))
    #expect(try store.findAny("moving")?.id == other.digest(other.document))
    #expect(try store.list().count == 2)
  }

  @Test func imagesAreFoundByTheStartOfTheirId() throws {
    _ = try importBytes(ImageFixture.tar(fixture.dockerFiles(tags: ["x"])))
    let id = fixture.digest(fixture.document)
    #expect(try store.findAny(id.short)?.id == id)
    #expect(try store.findAny(id.description)?.id == id)
    #expect(try store.findAny("ffff") == nil || id.hex.utf8.starts(with: "ffff".utf8))
    #expect(try store.findAny("missing") == nil)
  }

  @Test func nothingOfTheStoreIsForOthers() throws {
    _ = try importBytes(ImageFixture.tar(fixture.dockerFiles(tags: ["x"])))
    #expect(try status(of: root).permissions == 0o700)
    let opened = try openFile(root, O_RDONLY | O_DIRECTORY)
    try changeMode(of: opened.rawValue, to: 0o755)
    let error = #expect(throws: ImageError.self) { _ = try ImageStore(root: root) }
    #expect(error?.description.contains("mode 755") == true)
  }

  @Test func whatADeadImportLeftIsSwept() throws {
    try makeDirectories(root + "/staging/dead/0-x/fs/deep")
    let live = try Staging(in: StorePaths(root: root))
    _ = try ImageStore(root: root)
    #expect(try entries(of: root + "/staging").count == 1)
    withExtendedLifetime(live) {}
  }

  @Test func anInterruptedImportLeavesNothing() throws {
    let pipe = try makePipe()
    try pipe.second.descriptor.writeAll([1])
    let path = try scratch.write("archive", ImageFixture.tar(fixture.dockerFiles(tags: ["x"])))
    let error = #expect(throws: ImageError.self) {
      _ = try store.importArchive(path, as: nil, interruption: pipe.first.rawValue) { _ in }
    }
    #expect(error?.kind == .host(Errno("", code: EINTR)))
    #expect(try entries(of: root + "/staging").isEmpty)
    #expect(try entries(of: root + "/layers").isEmpty)
  }

  /// What an unpack worker can do while it reads what others wrote: looked at from outside.
  @Test func workersAreShutIn() throws {
    let pipe = try makePipe()
    let tree = try scratch.directory("tree")
    let root = try WorkerRoot.mount(tree, writable: true)
    let worker = try WorkerProcess(
      try #require(Requirements.worker), UnpackWorker.Request(.layer), source: pipe.first.rawValue, root: root)
    // The first file shows that the worker has come to its work.
    var tar = TarBuilder()
    tar.file("started")
    try pipe.second.descriptor.writeAll(tar.bytes)
    while (try? status(of: tree + "/started")) == nil { #expect(worker.pump()) }

    let proc = "/proc/\(worker.pid)/"
    let lines = String(decoding: try readFile(proc + "status"), as: UTF8.self).split(separator: "\n")
    func field(_ name: String) -> String? {
      lines.first { $0.hasPrefix(name + ":\t") }.map { String($0.dropFirst(name.count + 2)) }
    }
    let kept = String(UnpackWorker.Job.layer.capabilities.rawValue, radix: 16)
    let padded = String(repeating: "0", count: 16 - kept.count) + kept
    #expect(kept == "8000001b", "CHOWN, DAC_OVERRIDE, FOWNER, FSETID, SETFCAP")
    #expect(field("CapEff") == padded)
    #expect(field("CapPrm") == padded)
    #expect(field("CapBnd") == padded)
    #expect(field("CapInh") == "0000000000000000")
    #expect(field("CapAmb") == "0000000000000000")
    #expect(field("NoNewPrivs") == "1")
    #expect(field("Seccomp") == "2")
    for space in ["mnt", "pid", "net", "ipc"] {
      #expect(try readSymbolicLink(proc + "ns/" + space) != readSymbolicLink("/proc/self/ns/" + space), "\(space)")
    }
    let mounts = String(decoding: try readFile(proc + "mountinfo"), as: UTF8.self).split(separator: "\n")
    #expect(mounts.count == 1, "\(mounts)")
    #expect(mounts.first?.contains(" / nosuid") == true || mounts.first?.contains("nosuid,nodev") == true, "\(mounts)")
    let descriptors = Set(try entries(of: proc + "fd").map { String(decoding: $0.name, as: UTF8.self) })
    #expect(descriptors.isSubset(of: ["0", "1", "2", "3", "4", "5"]), "\(descriptors)")
    let limits = String(decoding: try readFile(proc + "limits"), as: UTF8.self)
    #expect(limits.contains("Max core file size        0 "))
    #expect(limits.contains("Max address space         805306368 "))

    worker.stop()
    #expect((try? status(of: proc)) == nil, "a worker that was stopped is gone")
  }

  /// Two executors that want one image at the same time unpack its layers once.
  @Test func twoImportsOfOneImageDoTheWorkOnce() throws {
    var tar = TarBuilder()
    for index in 0..<2000 { tar.file("directory/file-\(index)", String(repeating: "x", count: 1000)) }
    let path = try scratch.write(
      "archive", ImageFixture.tar(ImageFixture(tar.finished).dockerFiles(tags: ["x"])))
    final class Second: @unchecked Sendable {  // written by its thread, read after it has ended
      let store: ImageStore
      let path: String
      var unpacked = 0
      var failure: (any Error)?
      init(_ store: ImageStore, _ path: String) {
        self.store = store
        self.path = path
      }
      func run() {
        do {
          _ = try store.importArchive(path, as: nil) { unpacked = max(unpacked, $0.layersDone - $0.layersPresent) }
        } catch { failure = error }
      }
    }
    let imports = [Second(store, path), Second(store, path), Second(store, path)]
    var threads: [pthread_t] = []
    for item in imports {
      var thread = pthread_t()
      let started = pthread_create(
        &thread, nil,
        {
          guard let argument = $0 else { return nil }
          Unmanaged<Second>.fromOpaque(argument).takeUnretainedValue().run()
          return nil
        }, Unmanaged.passUnretained(item).toOpaque())
      #expect(started == 0)
      threads.append(thread)
    }
    for thread in threads { pthread_join(thread, nil) }
    #expect(imports.compactMap(\.failure).isEmpty)
    #expect(imports.map(\.unpacked).reduce(0, +) == 1)
    #expect(try entries(of: root + "/staging").isEmpty)
    #expect(try store.find(try ImageReference("x")) != nil)
  }

  /// The stack as a container sees it: overlayfs reads our whiteouts and opaque directories.
  @Test func overlayfsStacksTheLayers() throws {
    var lower = TarBuilder()
    lower.directory("hidden/")
    lower.file("hidden/old", "x")
    lower.file("gone", "x")
    lower.file("kept", "kept")
    lower.directory("remade/")
    lower.file("remade/old", "x")
    var upper = TarBuilder()
    upper.file("hidden/.wh..wh..opq")
    upper.file("hidden/new", "new")
    upper.file(".wh.gone")
    upper.file(".wh.remade")
    upper.directory("remade/")
    upper.file("only-here/.wh.nothing")
    upper.file("only-here/new", "x")
    upper.file("hidden/.wh.old")
    let image = try #require(
      try importBytes(ImageFixture.tar(ImageFixture(lower.finished, upper.finished).dockerFiles(tags: ["x"]))).first)
    let overlay = try FileSystemContext("overlay")
    for layer in image.layers.reversed() { try overlay.set("lowerdir+", layer.path) }
    try overlay.set(flag: "userxattr")
    let mount = try overlay.mount([.readOnly, .noSetuid, .noDevices])
    func names(_ directory: String) throws -> Set<String> {
      let opened = try openFile(directory, O_RDONLY | O_DIRECTORY, at: mount.rawValue)
      return Set(try entries(of: opened.rawValue).map { String(decoding: $0.name, as: UTF8.self) })
    }
    #expect(try names(".") == ["hidden", "kept", "remade", "only-here"])
    #expect(try names("only-here") == ["new"], "a whiteout of nothing is not to be seen")
    #expect(try names("hidden") == ["new"])
    #expect(try names("remade").isEmpty)
  }

  @Test func ownersAndFileCapabilitiesAreKept() throws {
    var tar = TarBuilder()
    // cap_net_bind_service+ep, version 2
    tar.pax([("SCHILY.xattr.security.capability", [1, 0, 0, 2, 0, 4, 0, 0] + [UInt8](repeating: 0, count: 12))])
    var header = TarBuilder.Header("server")
    header.uid = TarBuilder.octal(1234, 8)
    header.gid = TarBuilder.octal(5678, 8)
    header.mode = "0006755"
    tar.add(header, data: Array("x".utf8))
    var directory = TarBuilder.Header("home/", type: "5")
    directory.uid = TarBuilder.binary(4_294_967_294, 8)
    directory.mode = "0000700"
    tar.add(directory)
    let image = try #require(
      try importBytes(ImageFixture.tar(ImageFixture(tar.finished).dockerFiles(tags: ["x"]))).first)
    let path = image.layers[0].path
    let server = try status(of: path + "/server")
    #expect(server.uid == 1234 && server.gid == 5678 && server.permissions == 0o6755)
    let file = try openFile(path + "/server", O_RDONLY)
    #expect(try attribute("security.capability", of: file.rawValue)?.count == 20)
    #expect(try status(of: path + "/home").uid == 4_294_967_294)
  }

  @Test func aLayerThatOccursTwiceIsStackedOnce() throws {
    var repeated = fixture
    repeated.layers = [fixture.layers[0], fixture.layers[1], fixture.layers[0]]
    let image = try #require(try importBytes(ImageFixture.tar(repeated.dockerFiles(tags: ["x"]))).first)
    #expect(image.layers.map(\.diffID) == [fixture.digest(fixture.layers[1]), fixture.digest(fixture.layers[0])])
    #expect(image.config.diffIDs.count == 3)
    #expect(try store.find(try ImageReference("x"))?.layers == image.layers)
  }

  @Test func nothingBelowAnOpaqueRootIsStacked() throws {
    var tar = TarBuilder()
    tar.file(".wh..wh..opq")
    tar.file("only", "this")
    var hiding = fixture
    hiding.layers.append(tar.finished)
    let image = try #require(try importBytes(ImageFixture.tar(hiding.dockerFiles(tags: ["x"]))).first)
    #expect(image.layers.map(\.diffID) == [hiding.digest(tar.finished)])
    #expect(image.config.diffIDs.count == 3)
  }

  /// Descriptors of this process that an import could have left open; other tests run beside this one.
  private func openDescriptors() throws -> Int {
    try entries(of: "/proc/self/fd").count { entry in
      let number = "/proc/self/fd/" + String(decoding: entry.name, as: UTF8.self)
      guard let target = try? readSymbolicLink(number) else { return false }
      return target.starts(with: scratch.path.utf8) || target.elementsEqual("anon_inode:[pidfd]".utf8)
    }
  }

  /// Every hostile image of the fixture: refused with the entry's name or contained, and nothing left behind.
  @Test(.needsProgram("/usr/bin/python3")) func hostileImagesDoNoHarm() throws {
    let cases = try scratch.directory("cases")
    try #require(try run(["/usr/bin/env", "python3", hostileImages, cases]) == .exited(0))
    let list = try JSON(parsing: try readFile(cases + "/cases.json"))
    let mounts = try readFile("/proc/self/mountinfo")
    for item in list.array ?? [] {
      let name = try #require(item["case"]?.string)
      let before = try openDescriptors()
      var image: StoredImage?
      var failure: ImageError?
      do { image = try importPath(cases + "/" + name).first } catch { failure = error as? ImageError }
      if item["outcome"]?.string == "refused" {
        let text = failure?.description ?? "accepted"
        #expect(failure?.kind == .invalid, "\(name): \(text)")
        for word in item["words"]?.array?.compactMap(\.string) ?? [] {
          #expect(text.contains(word), "\(name): \(text)")
        }
        #expect(!text.utf8.contains { $0 < 0x20 }, "\(name): \(text)")
        #expect(try store.list().isEmpty, "\(name)")
        #expect(try entries(of: root + "/layers").isEmpty, "\(name)")
      } else {
        #expect(failure == nil, "\(name): \(failure?.description ?? "")")
        for file in item["files"]?.array?.compactMap(\.string) ?? [] {
          let absent = file.utf8.first == UInt8(ascii: "!")
          let path = (image?.layers.last?.path ?? "") + "/" + (absent ? String(file.dropFirst()) : file)
          #expect(((try? status(of: path)) == nil) == absent, "\(name): \(file)")
        }
        _ = try store.remove(try #require(image).id.description, force: true)
      }
      #expect(try entries(of: root + "/staging").isEmpty, "\(name)")
      #expect(try openDescriptors() == before, "\(name)")
    }
    #expect(try readFile("/proc/self/mountinfo") == mounts)
    #expect((try? status(of: "/tmp/evil")) == nil)
  }
}

private let hostileImages = fixture("hostile-images.py")
