import Testing

@testable import Images

@Suite struct ImageReferenceTests {
  private static let digest = "sha256:" + String(repeating: "ab", count: 32)

  @Test(arguments: [
    ("debian", "docker.io/library/debian:latest", "debian:latest"),
    ("debian:bookworm", "docker.io/library/debian:bookworm", "debian:bookworm"),
    ("docker.io/debian:bookworm", "docker.io/library/debian:bookworm", "debian:bookworm"),
    ("index.docker.io/library/debian:bookworm", "docker.io/library/debian:bookworm", "debian:bookworm"),
    ("team/app", "docker.io/team/app:latest", "team/app:latest"),
    ("localhost/app", "localhost/app:latest", "localhost/app:latest"),
    ("localhost:5000/a/b/c:1", "localhost:5000/a/b/c:1", "localhost:5000/a/b/c:1"),
    ("[::1]:5000/app", "[::1]:5000/app:latest", "[::1]:5000/app:latest"),
    ("Registry/app", "Registry/app:latest", "Registry/app:latest"),
    ("example.com/a__b/c-----d.e", "example.com/a__b/c-----d.e:latest", "example.com/a__b/c-----d.e:latest"),
    ("docker.io/library/a/b", "docker.io/library/a/b:latest", "library/a/b:latest"),
    ("debian@" + digest, "docker.io/library/debian@" + digest, "debian@" + digest),
    ("debian:x@" + digest, "docker.io/library/debian:x@" + digest, "debian:x@" + digest),
  ])
  func readsWhatDockerReads(text: String, canonical: String, familiar: String) throws {
    let reference = try ImageReference(text)
    #expect(reference.canonical == canonical)
    #expect(reference.description == familiar)
    #expect(try ImageReference(canonical) == reference)
    #expect(try ImageReference(familiar) == reference)
  }

  @Test(arguments: [
    "", "-x", "Debian", "a/B", "a:", "a:-x", "a:.x", "a b", "a\nb", "a\r\nb", "a//b", "/a", "a/", "a/..", "../a",
    "a/../b",
    "a..b", "a___b", "_a", "a_", "a@", "a@sha256:", "a@sha256:" + "AB",
    "a@sha512:" + String(repeating: "a", count: 128),
    "a@" + digest + "@" + digest, "a@sha256:../../x", "x.y:/a", "x.y:123456/a", "-x.y/a", "[::1/a", "[]/a", "é",
    "a\u{301}",
    "a/\u{301}b", "http://a/b", String(repeating: "a", count: 64), String(repeating: "b", count: 256),
    "a:" + String(repeating: "t", count: 129), "a\u{0}b",
  ])
  func refusesWhatIsNoReference(text: String) {
    #expect(throws: ReferenceError.self) { _ = try ImageReference(text) }
  }

  /// Names are kept in their full form and read again by every command: one that is longer by then must not be one.
  @Test func theFullFormIsAReferenceAsWell() throws {
    var accepted = 0
    for registry in [
      "", "docker.io/", "docker.io/library/", "index.docker.io/", "localhost:5000/", "Registry/", "[::1]/",
    ] {
      for part in ["", "team/", "library/", "a.b/"] {
        for length in Array(1...3) + Array(225...260) {
          for suffix in ["", ":" + String(repeating: "t", count: 128), "@" + Self.digest, ":x@" + Self.digest] {
            let text = registry + part + String(repeating: "a", count: length) + suffix
            guard let reference = try? ImageReference(text) else { continue }
            accepted += 1
            let again = try? ImageReference(reference.canonical)
            #expect(again == reference, "\(text)")
            #expect(reference.repository.utf8.count <= 255)
          }
        }
      }
    }
    #expect(accepted > 1000)
    #expect(throws: ReferenceError.self) { _ = try ImageReference(String(repeating: "a", count: 248)) }
    #expect(try ImageReference(String(repeating: "b", count: 247)).repository.utf8.count == 255)
  }

  @Test func namesTheTextAndTheFaultInTheError() {
    let error = #expect(throws: ReferenceError.self) { _ = try ImageReference("Debian") }
    #expect(error?.description.contains("\"Debian\"") == true)
    #expect(error?.description.contains("lower-case") == true)
  }

  @Test func digestsAreLowerCaseAndComplete() throws {
    let digest = try #require(Digest(ImageReferenceTests.digest))
    #expect(digest.description == ImageReferenceTests.digest)
    #expect(digest.short == "abababababab")
    #expect(Digest(ImageReferenceTests.digest + "a") == nil)
    #expect(Digest("sha256:" + String(repeating: "AB", count: 32)) == nil)
    #expect(Digest("sha512:" + String(repeating: "ab", count: 32)) == nil)
    #expect(SHA256.digest(of: []).hex == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
  }
}
