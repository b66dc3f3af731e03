import Images
import Testing

@testable import Registry

@Suite struct EndpointTests {
  @Test(arguments: [
    ("debian", "https://registry-1.docker.io/v2/library/debian", "docker.io"),
    ("team/app:1", "https://registry-1.docker.io/v2/team/app", "docker.io"),
    ("example.com/app", "https://example.com/v2/app", "example.com"),
    ("Example.com:5000/app", "https://example.com:5000/v2/app", "Example.com:5000"),
    ("localhost:5000/app", "https://localhost:5000/v2/app", "localhost:5000"),
  ])
  func aReferenceSaysWhereItsRegistryIs(text: String, url: String, credentials: String) throws {
    let reference = try ImageReference(text)
    let endpoint = try RegistryEndpoint(registry: reference.registry)
    #expect(endpoint.url(reference.repository) == url)
    #expect(endpoint.credentialName == credentials)
  }

  @Test(arguments: [
    ("localhost", RegistryEndpoint.Scheme.either), ("localhost:5000", .either), ("127.0.0.1:5000", .either),
    ("127.9.9.9", .either), ("[::1]:5000", .either), ("127.0.0.1.example.com", .https),
    ("localhost.example.com", .https),
    ("127.0.0", .https), ("example.com:5000", .https), ("10.0.0.1:80", .https), ("plain.example.com:80", .http),
    ("PLAIN.example.com:80", .http), ("plain.example.com", .https), ("[::2]:5000", .https),
  ])
  func plainHTTPIsForThisMachineAndForWhatIsNamed(registry: String, scheme: RegistryEndpoint.Scheme) throws {
    #expect(try RegistryEndpoint(registry: registry, plainHTTP: ["plain.example.com:80"]).scheme == scheme)
  }

  @Test(arguments: [
    ("https://mirror.example.com", "https://mirror.example.com/v2/x", "mirror.example.com"),
    ("https://mirror.example.com:443/", "https://mirror.example.com/v2/x", "mirror.example.com"),
    ("http://mirror:5000/a/b/", "http://mirror:5000/a/b/v2/x", "mirror:5000"),
    ("mirror:5000", "https://mirror:5000/v2/x", "mirror:5000"),
    ("mirror:5000/a/", "https://mirror:5000/a/v2/x", "mirror:5000"),
    ("https://registry-1.docker.io", "https://registry-1.docker.io/v2/x", "docker.io"),
  ])
  func aMirrorIsAskedInPlaceOfDockersOwn(mirror: String, url: String, credentials: String) throws {
    let endpoint = try RegistryEndpoint(registry: "docker.io", mirror: mirror)
    #expect(endpoint.url("x") == url && endpoint.credentialName == credentials)
    #expect(try RegistryEndpoint(registry: "example.com", mirror: mirror).authority == "example.com")
  }

  @Test(arguments: [
    "", "ftp://x", "https://", "https://u:p@x/", "https://x/?q", "https://x/#f", "https://x y", "https://x\n",
    "file:///etc",
    "https://x\"y", "https://é",
  ])
  func whatIsNoMirrorIsRefused(mirror: String) {
    let error = #expect(throws: RegistryError.self) { try RegistryEndpoint(registry: "docker.io", mirror: mirror) }
    #expect(error?.kind == .configuration)
  }

  @Test func originsAreSchemeHostAndPort() throws {
    let one = try #require(WebAddress("https://Reg.example.com:443/token".utf8))
    #expect(one.authority == "reg.example.com" && one.path == "/token" && one.host == "reg.example.com")
    for (text, same) in [
      ("https://reg.example.com/x", true), ("http://reg.example.com/", false), ("https://reg.example.com:8443/", false),
      ("https://reg.example.com.evil/", false), ("https://example.com/", false),
    ] {
      #expect(try #require(WebAddress(text.utf8)).hasOrigin(of: one) == same, "\(text)")
    }
    #expect(WebAddress("https://reg.example.com@evil/".utf8) == nil)
    #expect(WebAddress("https://a\\@b/".utf8) == nil)
    #expect(WebAddress("https://[::1]:5000/x".utf8)?.host == "[::1]")
    #expect(WebAddress("https://x?a=b".utf8)?.path == "/?a=b")
  }
}
