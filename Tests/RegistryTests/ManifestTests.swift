import Images
import Testing

@testable import Registry

@Suite struct ManifestTests {
  private static let a = "sha256:" + String(repeating: "a", count: 64)
  private static let oci = "application/vnd.oci.image.manifest.v1+json"
  private static let docker = "application/vnd.docker.distribution.manifest.v2+json"
  private static let ociIndex = "application/vnd.oci.image.index.v1+json"
  private static let list = "application/vnd.docker.distribution.manifest.list.v2+json"

  private static func image(_ more: String = "", config: String = "application/vnd.oci.image.config.v1+json") -> String
  {
    #"{"schemaVersion":2,"config":{"mediaType":"\#(config)","digest":"\#(a)","size":2},"#
      + #""layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"\#(a)","size":3}]\#(more)}"#
  }

  private static func index(_ platforms: [String], more: String = "") -> String {
    let entries = platforms.map { platform in
      #"{"mediaType":"\#(oci)","digest":"\#(a)","size":9,"platform":\#(platform)}"#
    }
    return #"{"schemaVersion":2,"manifests":[\#(entries.joined(separator: ","))]\#(more)}"#
  }

  private func read(_ text: String, _ type: String?, expected: Digest? = nil) throws -> RemoteManifest {
    try RemoteManifest(Array(text.utf8), announced: type, expected: expected)
  }

  @Test func bothKindsOfManifestAndOfIndexAreRead() throws {
    for type in [ManifestTests.oci, ManifestTests.docker] {
      guard case .image(let manifest) = try read(ManifestTests.image(), type).content else {
        Issue.record("no image")
        return
      }
      #expect(manifest.layers.map(\.size) == [3])
    }
    for type in [ManifestTests.ociIndex, ManifestTests.list] {
      guard case .index(let entries) = try read(ManifestTests.index([#"{"os":"linux"}"#]), type).content else {
        Issue.record("no index")
        return
      }
      #expect(entries.count == 1)
    }
    // Of a server that knows files and no manifests.
    let own = ManifestTests.image(#","mediaType":"\#(ManifestTests.oci)""#)
    #expect(try read(own, "application/octet-stream").mediaType == ManifestTests.oci)
    #expect(try read(own, nil).mediaType == ManifestTests.oci)
  }

  @Test func theDigestIsThatOfTheBytes() throws {
    let text = ManifestTests.image()
    let digest = SHA256.digest(of: Array(text.utf8))
    #expect(try read(text, ManifestTests.oci, expected: digest).digest == digest)
    let error = #expect(throws: RegistryError.self) { try read(text + " ", ManifestTests.oci, expected: digest) }
    #expect(error?.why.contains(digest.description) == true)
  }

  @Test(arguments: [
    ("{", oci, "not JSON"), ("[]", oci, "schemaVersion"), ("{}", "text/html", "no image"), ("{}", nil, "which kind"),
    (image(#","manifests":[]"#), oci, "at once"), (image(), list, "at once"),
    (index([], more: #","layers":[]"#), ociIndex, "at once"),
    (image(#","mediaType":"\#(docker)""#), oci, "announced"),
    (index([], more: #","mediaType":"\#(list)""#), ociIndex, "announced"),
    (image(config: "application/vnd.cncf.helm.config.v1+json"), oci, "helm"),
    (#"{"schemaVersion":2,"manifests":{}}"#, list, "list of manifests"),
    (#"{"schemaVersion":1,"fsLayers":[]}"#, "application/vnd.docker.distribution.manifest.v1+prettyjws", "schema 1"),
    (#"{"schemaVersion":1,"fsLayers":[]}"#, "application/json", "schema 1"),
    (image().replacing(a, with: "sha512:" + a.dropFirst(7)), oci, "digest"),
    (image().replacing("\"size\":3", with: "\"size\":-1"), oci, "size"),
    (image().replacing("\"size\":3", with: "\"size\":9223372036854775807"), oci, "more than"),
    (String(repeating: "[", count: 100_000), oci, "not JSON"),
  ])
  func whatIsNoManifestIsRefusedWithItsReason(text: String, type: String?, word: String) {
    let error = #expect(throws: RegistryError.self) { try read(text, type) }
    #expect(error?.kind == .invalid && error?.message.contains(word) == true, "\(String(describing: error))")
  }

  private func chosen(_ platforms: [String], _ platform: String) throws -> Int? {
    let text = ManifestTests.index(platforms)
    guard case .index(let entries) = try read(text, ManifestTests.ociIndex).content else { return nil }
    let wanted = try #require(Platform(platform))
    let one = try RemoteManifest.choose(entries, for: wanted)
    return entries.firstIndex { $0.platform == one.platform }
  }

  @Test func platformsAreComparedByMeaning() throws {
    let many = [
      #"{"os":"linux","architecture":"arm","variant":"v7"}"#, #"{"os":"linux","architecture":"arm64","variant":"v8"}"#,
      #"{"os":"unknown","architecture":"unknown"}"#, #"{"os":"linux","architecture":"amd64"}"#,
      #"{"os":"windows","architecture":"amd64"}"#, #"{"os":"linux","architecture":"386"}"#,
    ]
    for (platform, index) in [
      ("linux/amd64", 3), ("x86_64", 3), ("linux/x86_64", 3), ("aarch64", 1), ("linux/arm64", 1), ("linux/arm64/v8", 1),
      ("armv7l", 0), ("linux/arm/7", 0), ("linux/i686", 5),
    ] {
      #expect(try chosen(many, platform) == index, "\(platform)")
    }
    // The 32-bit programs of a family run where nothing better is.
    #expect(try chosen([many[0], many[5]], "amd64") == 1)
    #expect(try chosen([many[5], #"{"os":"linux","architecture":"x86_64"}"#], "amd64") == 1)
  }

  @Test func whereNothingFitsBothSidesAreNamed() {
    let error = #expect(throws: RegistryError.self) {
      try chosen(
        [
          #"{"os":"linux","architecture":"arm64","variant":"v8"}"#, #"{"os":"linux","architecture":"s390x"}"#,
          #"{"os":"unknown","architecture":"unknown"}"#,
        ], "amd64")
    }
    #expect(error?.why == "there is no image for linux/amd64; there are: linux/arm64/v8, linux/s390x")
    let attested = #expect(throws: RegistryError.self) {
      try chosen([#"{"os":"unknown","architecture":"unknown"}"#], "amd64")
    }
    #expect(attested?.why == "the index lists no image")
  }

  @Test(arguments: ["", "/", "linux/", "linux//v8", "a/b/c/d", "linux/ämd64", "linux/a b", "LINUX/amd64", "a\n"])
  func whatIsNoPlatformIsNone(text: String) { #expect(Platform(text) == nil) }
}
