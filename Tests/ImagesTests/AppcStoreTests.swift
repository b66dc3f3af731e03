import Glibc
import LinuxKernel
import Testing

@testable import Images

/// AppC images in the store: imported, found, put together of their dependencies, refused.
@Suite(.serialized, .needsRoot, .needsWorker) struct AppcStoreTests {
  private let scratch: Scratch
  private let store: ImageStore

  init() throws {
    scratch = try Scratch()
    store = try ImageStore(root: scratch.path + "/images", worker: try #require(Requirements.worker))
  }

  /// An ACI; `more` goes on in its manifest behind the name.
  private func aci(
    _ name: String, _ more: String = "", manifest: Bool = true, _ fill: (inout TarBuilder) -> Void = { _ in }
  ) -> [UInt8] {
    var tar = TarBuilder()
    let text =
      #"{"acKind": "ImageManifest", "acVersion": "0.8.11", "name": "\#(name)"\#(more.isEmpty ? "" : ", " + more)}"#
    if manifest { tar.file("manifest", text) }
    tar.directory("rootfs")
    fill(&tar)
    return tar.finished
  }

  @discardableResult private func add(_ bytes: [UInt8], _ appc: AppcImport = AppcImport()) throws -> StoredImage {
    let path = try scratch.write("image.aci", bytes)
    return try #require(try store.importArchive(path, as: nil, appc: appc) { _ in }.first)
  }

  private func refusal(_ bytes: [UInt8], _ appc: AppcImport = AppcImport()) -> String {
    do {
      try add(bytes, appc)
      return "accepted"
    } catch {
      return "\(error)"
    }
  }

  private func content(_ image: StoredImage, _ name: String) -> String? {
    for layer in image.layers.reversed() {
      if let bytes = try? readFile(layer.path + "/" + name) { return String(decoding: bytes, as: UTF8.self) }
    }
    return nil
  }

  @Test func anACIIsAnImageOfOneLayer() throws {
    let bytes = aci(
      "example.com/app",
      #"""
      "labels": [{"name": "version", "value": "1.0"}, {"name": "os", "value": "linux"}],
      "app": {"exec": ["/bin/app"], "user": "0", "group": "0", "environment": [{"name": "A", "value": "b"}]}
      """#
    ) { tar in
      tar.file("./rootfs/bin/app", "x", mode: "0004755")
      tar.hardLink("rootfs/bin/same", to: "rootfs/bin/app")
      tar.symbolicLink("rootfs/link", to: "/bin/app")
      tar.file("rootfs/.wh.kept", "")
      tar.file("rootfs/manifest", "inner")
    }
    let image = try add(bytes)
    #expect(image.appc?.imageID == AppcImageID.of(bytes) && image.appc?.description == "example.com/app:1.0")
    #expect(image.references.isEmpty && image.layers.count == 1)
    #expect(image.config.entrypoint == ["/bin/app"] && image.config.environment == ["A=b"])
    let root = image.layers[0].path
    #expect(try status(of: root + "/bin/app").mode & 0o7777 == 0o4755)
    #expect(try status(of: root + "/bin/same").inode == status(of: root + "/bin/app").inode)
    #expect(try readSymbolicLink(root + "/link") == Array("/bin/app".utf8))
    #expect(try readFile(root + "/manifest") == Array("inner".utf8))
    #expect(Set(try entries(of: root).map { String(decoding: $0.name, as: UTF8.self) }).isSuperset(of: [".wh.kept"]))
    let id = try #require(AppcImageID.of(bytes)).description
    for text in ["example.com/app", "example.com/app:1.0", id, String(id.prefix(20)), image.id.short] {
      #expect(try store.findAny(text)?.id == image.id, "\(text)")
    }
    #expect(try store.findAny("example.com/app:2") == nil)
    #expect(try store.find(AppcQuery("example.com/app:1.0,os=linux"))?.id == image.id)
    // Again it is the same, and a tar of the same bytes as a root file system is another.
    #expect(try add(bytes).id == image.id && store.list().count == 1)
    #expect(try store.remove("example.com/app").images == [image.id])
    #expect(try store.list().isEmpty && entries(of: scratch.path + "/images/layers").isEmpty)
  }

  @Test func theImageIDIsHeldAgainstWhatIsAskedFor() throws {
    let bytes = aci("a")
    let other = try #require(AppcImageID.of([1]))
    let wrong = refusal(bytes, AppcImport(wanted: try AppcQuery(name: "a", imageID: other)))
    #expect(wrong.contains("its image id is sha512-") && wrong.contains("and \(other) is asked for"))
    #expect(refusal(bytes, AppcImport(wanted: try AppcQuery("b"))).contains("it is called a, and b is asked for"))
    #expect(refusal(bytes, AppcImport(wanted: try AppcQuery("a:1"))).contains("its label version is not there"))
    #expect(try store.list().isEmpty)
    try add(bytes, AppcImport(wanted: try AppcQuery(name: "a", imageID: AppcImageID.of(bytes))))
  }

  @Test func theLastOfSeveralVersionsIsMeantByTheName() throws {
    for version in ["2", "1"] { try add(aci("a", #""labels": [{"name": "version", "value": "\#(version)"}]"#)) }
    #expect(try store.find(AppcQuery("a"))?.appc?.description == "a:1")
    #expect(try store.find(AppcQuery("a:2"))?.appc?.description == "a:2")
    #expect(throws: ImageError.self) { try store.findAny("a") }
    #expect(try store.remove("a:2").images.count == 1)
  }

  @Test func dependenciesLieBelowInTheirOrder() throws {
    let base = try add(
      aci("base") {
        $0.file("rootfs/a", "base")
        $0.file("rootfs/b", "base")
      })
    try add(
      aci("lib", #""dependencies": [{"imageName": "base", "imageID": "\#(base.appc?.imageID.description ?? "")"}]"#) {
        $0.file("rootfs/b", "lib")
        $0.file("rootfs/c", "lib")
      })
    try add(aci("other", #""app": {"exec": ["/x"]}"#) { $0.file("rootfs/c", "other") })
    let bytes = aci("app", #""dependencies": [{"imageName": "lib"}, {"imageName": "other"}]"#) {
      $0.file("rootfs/d", "app")
    }
    let app = try add(bytes)
    #expect(app.layers.count == 4 && app.config.entrypoint.isEmpty)
    #expect(["a", "b", "c", "d"].map { content(app, $0) } == ["base", "lib", "other", "app"])
    // What it is made of stays with it.
    for name in ["base", "lib", "other"] { _ = try store.remove(name) }
    #expect(try store.find(AppcQuery("app"))?.layers.count == 4)
    let missing = refusal(aci("x", #""dependencies": [{"imageName": "base:gone"}]"#))
    #expect(missing.contains("is no AC identifier"))
    let none = refusal(aci("x", #""dependencies": [{"imageName": "base"}]"#))
    #expect(none.contains("image x: dependency base: it is not in the image store") && none.contains("--appc-store"))
  }

  @Test func aDependencyThatIsGivenIsUsed() throws {
    let asked = aci("x", #""dependencies": [{"imageName": "base", "size": 7}]"#)
    var sizes: [UInt64?] = []
    let image = try add(
      asked,
      AppcImport { (dependency) throws(ImageError) in
        sizes.append(dependency.size)
        do { return try add(aci("base") { $0.file("rootfs/a", "given") }) } catch { return nil }
      })
    #expect(sizes == [7] && content(image, "a") == "given")
  }

  @Test func aWhitelistLeavesItsPathsAlone() throws {
    try add(
      aci("base") {
        $0.directory("rootfs/etc", mode: "0000750")
        $0.file("rootfs/etc/keep", "base")
        $0.file("rootfs/etc/drop", "base")
        $0.file("rootfs/usr/lib/x", "base")
        $0.symbolicLink("rootfs/bin", to: "usr/bin")
        $0.file("rootfs/under/a", "hidden by a file")
        $0.directory("rootfs/only/inner")
        $0.file("rootfs/only/inner/file", "")
        $0.file("rootfs/two", "base")
      })
    let list = ["/etc/keep", "/usr/lib/own", "/only/inner/", "/bin/sh", "/two", "/nowhere/x", "/under/a", "/hard"]
    let bytes = aci(
      "app",
      #""dependencies": [{"imageName": "base"}], "pathWhitelist": [\#(list.map { "\"\($0)\"" }.joined(separator: ","))]"#
    ) {
      $0.file("rootfs/usr/lib/own", "app")
      $0.file("rootfs/usr/lib/dropped", "app")
      $0.file("rootfs/under", "a file")
      $0.file("rootfs/two", "app")
      $0.hardLink("rootfs/hard", to: "rootfs/usr/lib/dropped")
    }
    let image = try add(bytes)
    #expect(image.layers.count == 1)
    let root = image.layers[0].path
    func names(_ path: String) throws -> Set<String> {
      Set(try entries(of: root + path).map { String(decoding: $0.name, as: UTF8.self) })
    }
    #expect(try names("") == ["etc", "usr", "bin", "under", "only", "two", "hard"])
    #expect(try names("/etc") == ["keep"] && names("/usr") == ["lib"] && names("/usr/lib") == ["own"])
    #expect(try names("/only") == ["inner"] && names("/only/inner").isEmpty)
    #expect(
      try status(of: root + "/etc").permissions == 0o750 && readSymbolicLink(root + "/bin") == Array("usr/bin".utf8))
    #expect(content(image, "two") == "app" && content(image, "under") == "a file" && content(image, "hard") == "app")
    // The dependency's own layer is as it was.
    let base = try #require(try store.find(AppcQuery("base")))
    #expect(content(base, "etc/drop") == "base")
    // A whitelist of a dependency is none of what lies beside it.
    try add(aci("beside") { $0.file("rootfs/etc/drop", "beside") })
    let both = try add(aci("both", #""dependencies": [{"imageName": "beside"}, {"imageName": "app"}]"#))
    #expect(content(both, "etc/drop") == "beside" && content(both, "etc/keep") == "base")
  }

  /// As Mesos keeps them.
  @Test func anImageThatLiesUnpackedIsImported() throws {
    let bytes = aci("example.com/app", #""app": {"exec": ["/bin/app"]}"#)
    let id = try #require(AppcImageID.of(bytes))
    let directory = scratch.path + "/images/../mesos/images/\(id)"
    let long = String(repeating: "n", count: 200)
    try makeDirectories(scratch.path + "/mesos/images/\(id)/rootfs/bin", mode: 0o755)
    let text = #"{"acKind": "ImageManifest", "acVersion": "0.8.11", "name": "example.com/app"}"#
    try writeFileAtomically(directory + "/manifest", Array(text.utf8))
    try writeFileAtomically(directory + "/rootfs/bin/app", Array("program".utf8), mode: 0o755)
    try writeFileAtomically(directory + "/rootfs/\(long)", [UInt8](repeating: 7, count: 2_000_000))
    let root = try openFile(directory + "/rootfs", O_RDONLY | O_DIRECTORY)
    let bin = try openFile(directory + "/rootfs/bin", O_RDONLY | O_DIRECTORY)
    try makeHardLink("app", at: bin.rawValue, to: "same", at: bin.rawValue)
    try makeSymbolicLink("out", to: Array("/etc/passwd".utf8), at: root.rawValue)
    try makeNode("pipe", mode: UInt32(S_IFIFO) | 0o600, major: 0, minor: 0, at: root.rawValue)
    try changeOwner(of: "out", at: root.rawValue, uid: 12, gid: 5_000_000)
    try changeMode(of: bin.rawValue, to: 0o2751)
    try setAttribute("user.kept", Array("value".utf8), of: bin.rawValue)
    let query = try AppcQuery(name: "example.com/app", imageID: id)
    #expect(try AppcDirectory(scratch.path + "/mesos").candidates(query, platform: .host).count == 1)
    let image = try #require(
      try store.importArchive(directory, as: nil, appc: AppcImport(wanted: query)) { _ in }.first)
    #expect(image.appc?.imageID == id)
    let tree = image.layers[0].path
    #expect(try readFile(tree + "/bin/app") == Array("program".utf8))
    #expect(try status(of: tree + "/bin/same").inode == status(of: tree + "/bin/app").inode)
    #expect(try readFile(tree + "/" + long, limit: 4 << 20) == [UInt8](repeating: 7, count: 2_000_000))
    #expect(try readSymbolicLink(tree + "/out") == Array("/etc/passwd".utf8))
    let (link, made) = (try status(of: tree + "/out"), try status(of: tree + "/bin"))
    #expect(link.uid == 12 && link.gid == 5_000_000 && made.permissions == 0o2751)
    #expect(try status(of: tree + "/pipe").mode & UInt32(S_IFMT) == UInt32(S_IFIFO))
    let kept = try openFile(tree + "/bin", O_RDONLY | O_DIRECTORY)
    #expect(try attribute("user.kept", of: kept.rawValue) == Array("value".utf8))
    // The ACI itself is another.
    #expect(try add(bytes).id != image.id)
  }

  @Test func whatIsNoACIIsRefused() throws {
    func tar(_ fill: (inout TarBuilder) -> Void) -> [UInt8] { aci("a", "", fill) }
    let cases: [([UInt8], String)] = [
      (tar { $0.file("rootfs/../../x", "") }, "x is neither its manifest nor below its rootfs"),
      (tar { $0.file("etc/x", "") }, "etc/x is neither its manifest nor below its rootfs"),
      (tar { $0.file("rootfs2/x", "") }, "is neither its manifest nor below its rootfs"),
      (tar { $0.file("./manifest", "{}") }, "there are 2 members called manifest"),
      (tar { $0.hardLink("rootfs/x", to: "manifest") }, "a hard link to manifest, which is not below rootfs"),
      (tar { $0.hardLink("rootfs/x", to: "rootfs/../../etc/shadow") }, "a hard link to etc/shadow, which is not below"),
      (tar { $0.symbolicLink("rootfs", to: "/etc") }, "the root of the layer must be a directory"),
      (
        tar {
          $0.symbolicLink("rootfs/up", to: "/"); $0.file("rootfs/up/../../x", "")
        }, "x is neither its manifest nor below its rootfs"
      ),
      (aci("a", manifest: false) { $0.symbolicLink("manifest", to: "rootfs/m") }, "its manifest is no regular file"),
      (aci("a", manifest: false) { $0.directory("manifest") }, "its manifest is no regular file"),
      (aci("a", manifest: false) { $0.file("manifest", "x") }, "manifest: "),
      (
        aci("a", #""labels": [{"name": "os", "value": "linux"}, {"name": "arch", "value": "s390x"}]"#),
        "is for linux/s390x"
      ),
      (aci("A"), "AppC image: manifest: name: \"A\" is no AC identifier"),
    ]
    for (bytes, why) in cases { #expect(refusal(bytes).contains(why), "\(refusal(bytes))") }
    var huge = TarBuilder()
    huge.file("manifest", String(repeating: " ", count: 5 << 20))
    huge.directory("rootfs")
    #expect(refusal(huge.finished).contains("a document of 5242880 bytes"))
    #expect(refusal(aci("a", manifest: false)).contains("neither an OCI layout"))
    #expect(try store.list().isEmpty && entries(of: scratch.path + "/images/staging").isEmpty)
    // A link in the image that leads out is one of the container's.
    let image = try add(
      tar {
        $0.symbolicLink("rootfs/up", to: "/"); $0.file("rootfs/up/x", "in")
      })
    #expect(try readFile(image.layers[0].path + "/x") == Array("in".utf8))
  }
}
