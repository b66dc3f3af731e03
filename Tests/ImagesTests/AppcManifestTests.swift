import StrictJSON
import Testing

@testable import Images

/// What the manifest of an ACI says, and which ones are refused.
@Suite struct AppcManifestTests {
  private static let id = "sha512-" + String(repeating: "ab", count: 64)

  private func read(_ text: String) throws -> AppcManifest {
    try AppcManifest(document: try JSON(parsing: Array(text.utf8)), budgets: Budgets())
  }

  private func manifest(_ more: String, name: String = "example.com/app") -> String {
    #"{"acKind": "ImageManifest", "acVersion": "0.8.11", "name": "\#(name)"\#(more.isEmpty ? "" : ", " + more)}"#
  }

  private func refusal(_ text: String) -> String {
    do {
      _ = try read(text)
      return "accepted"
    } catch {
      return "\(error)"
    }
  }

  @Test func everythingThatIsUsedIsRead() throws {
    let read = try read(
      manifest(
        """
        "labels": [{"name": "version", "value": "1.0"}, {"name": "os", "value": "linux"}, {"name": "arch", "value": "amd64"}],
        "app": {"exec": ["/bin/app", "--quiet"], "user": "100", "group": "300", "workingDirectory": "/opt/work",
          "environment": [{"name": "A", "value": "b=c"}], "eventHandlers": [], "isolators": [{"name": "x", "value": 1}]},
        "dependencies": [{"imageName": "example.com/base", "imageID": "\(Self.id)", "size": 12,
          "labels": [{"name": "env", "value": "canary"}]}, {"imageName": "b"}],
        "pathWhitelist": ["/etc//ca/./crt", "/etc/systemd/", "/"],
        "annotations": [{"name": "created", "value": "2014-10-27T19:32:27Z"}], "unknown": [1]
        """))
    #expect(read.name == "example.com/app" && read.labels.map(\.value) == ["1.0", "linux", "amd64"])
    #expect(read.config.entrypoint == ["/bin/app", "--quiet"] && read.config.workingDirectory == "/opt/work")
    #expect(read.config.environment == ["A=b=c"] && read.config.user == "100:300")
    #expect(read.config.os == "linux" && read.config.architecture == "amd64")
    #expect(read.config.created == "2014-10-27T19:32:27Z")
    #expect(read.dependencies.map(\.query.name) == ["example.com/base", "b"])
    #expect(read.dependencies[0].query.imageID?.description == Self.id && read.dependencies[0].size == 12)
    #expect(read.dependencies[0].query.labels == [ImageConfig.Label(name: "env", value: "canary")])
    #expect(read.pathWhitelist == ["etc/ca/crt", "etc/systemd", ""].map { Array($0.utf8) })
    var wire = WireWriter()
    read.write(to: &wire)
    var reader = WireReader(wire.bytes)
    #expect(try AppcManifest(from: &reader) == read)
  }

  @Test func littleIsRequired() throws {
    let read = try read(manifest(#""app": {"exec": []}, "labels": null, "dependencies": [], "pathWhitelist": []"#))
    #expect(read.config.entrypoint.isEmpty && read.config.os.isEmpty && read.dependencies.isEmpty)
    // An architecture means nothing without a system.
    #expect(try self.read(manifest(#""labels": [{"name": "arch", "value": "mips"}]"#)).config.architecture.isEmpty)
  }

  @Test(arguments: [
    ("[]", "an array, not an object"), (#"{"acVersion": "0.8.0", "name": "x"}"#, "acKind is \"\", not ImageManifest"),
    (#"{"acKind": "PodManifest", "acVersion": "0.8.0", "name": "x"}"#, "acKind is \"PodManifest\""),
    (#"{"acKind": "ImageManifest", "name": "x"}"#, "acVersion is \"\""),
    (#"{"acKind": "ImageManifest", "acVersion": "1.0.0", "name": "x"}"#, "versions 0.x are understood"),
    (#"{"acKind": "ImageManifest", "acVersion": "0.8.0"}"#, "name: \"\" is no AC identifier"),
    (#"{"acKind": "ImageManifest", "acVersion": "0.8.0", "name": 1}"#, "name is a number, not a string"),
  ])
  func otherDocumentsAreRefused(_ text: String, _ why: String) { #expect(refusal(text).contains(why)) }

  @Test(arguments: ["", "A", "a/", "/a", "a//b", "a b", "../a", "a..b", "é", "a\u{300}"])
  func otherNamesAreRefused(_ name: String) {
    #expect(refusal(manifest("", name: name)).contains("is no AC identifier"))
  }

  @Test(arguments: [
    (#""labels": {}"#, "labels is an object, not a list"), (#""labels": [1]"#, "labels[0].name is missing"),
    (#""labels": [{"name": "version"}]"#, "labels[0].value is missing"),
    (#""labels": [{"name": "name", "value": "x"}]"#, "labels[0]: no label is called name"),
    (#""labels": [{"name": "a", "value": "x"}, {"name": "a", "value": "x"}]"#, "labels[1]: there are two labels a"),
    (#""app": []"#, "app is an array"), (#""app": {"exec": "x"}"#, "app.exec is a string, not a list"),
    (#""app": {"exec": ["/a", 1]}"#, "app.exec[1] is a number"), (#""app": {"exec": [""]}"#, "app.exec[0] is empty"),
    (#""app": {"exec": ["/a\u0000b"]}"#, "app.exec[0] holds a NUL"),
    (#""app": {"workingDirectory": "x"}"#, "app.workingDirectory is \"x\", not an absolute path"),
    (#""app": {"environment": [{"name": "A=B", "value": ""}]}"#, "app.environment[0]: \"A=B\" is no name"),
    (#""app": {"environment": [{"name": "A"}]}"#, "app.environment[0].value is missing"),
    (#""dependencies": [{}]"#, "dependencies[0]: imageName: \"\" is no AC identifier"),
    (#""dependencies": [{"imageName": "a", "imageID": "sha256-00"}]"#, "dependencies[0]: imageID is not sha512-"),
    (#""dependencies": [{"imageName": "a", "size": -1}]"#, "dependencies[0]: size is no number"),
    (#""pathWhitelist": ["etc"]"#, "pathWhitelist[0]: \"etc\" is not an absolute path"),
    (#""pathWhitelist": ["/a\u0000"]"#, "pathWhitelist[0]: the name holds a NUL"),
  ])
  func whatCannotBeIsRefusedWithItsPlace(_ more: String, _ why: String) {
    #expect(refusal(manifest(more)).contains(why), "\(refusal(manifest(more)))")
  }

  @Test func dependenciesAreBounded() {
    let many = Array(repeating: #"{"imageName": "a"}"#, count: 200).joined(separator: ",")
    #expect(refusal(manifest("\"dependencies\": [\(many)]")).contains("200 dependencies, more than 128"))
  }

  @Test func queriesAreWrittenAsToolsWriteThem() throws {
    let query = try AppcQuery("example.com/app:1.0,arch=x86_64")
    #expect(query.name == "example.com/app" && query.description == "example.com/app:1.0,arch=x86_64")
    #expect(try AppcQuery("app:\(Self.id)").imageID?.description == Self.id)
    #expect(throws: ImageError.self) { try AppcQuery("app:") }
    #expect(throws: ImageError.self) { try AppcQuery("app,x") }
    #expect(throws: ImageError.self) { try AppcQuery("") }
  }

  @Test func labelsAreComparedByMeaning() throws {
    let id = try #require(AppcImageID(Self.id))
    let image = AppcIdentity(
      imageID: id, name: "a",
      labels: [ImageConfig.Label(name: "version", value: "1"), ImageConfig.Label(name: "arch", value: "amd64")])
    #expect(try AppcQuery("a").means(image) && AppcQuery("a,arch=x86_64").means(image))
    #expect(try !AppcQuery("b").means(image) && !AppcQuery("a:2").means(image) && !AppcQuery("a,env=x").means(image))
    // The id alone decides, but for the name.
    #expect(
      try AppcQuery(name: "a", labels: [ImageConfig.Label(name: "version", value: "2")], imageID: id).means(image))
    #expect(try !AppcQuery(name: "b", imageID: id).means(image))
    #expect(AppcIdentity(image.json) == image)
  }

  @Test func imageIDsAreTheHashOfTheTar() {
    // FIPS 180-2, "abc".
    #expect(
      AppcImageID.of(Array("abc".utf8))?.description
        == "sha512-ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
        + "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f")
    #expect(AppcImageID("sha512-" + String(repeating: "0", count: 127)) == nil)
    #expect(AppcImageID("sha512-" + String(repeating: "g", count: 128)) == nil)
  }
}
