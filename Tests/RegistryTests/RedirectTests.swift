import Testing

@testable import Registry

@Suite struct RedirectTests {
  private static func request(_ url: String, mayBePlain: Bool = false) -> CurlRequest {
    var request = CurlRequest(url: url, mayBePlain: mayBePlain, maximumBytes: 7)
    request.authorization = "Basic secret"
    request.headers = ["Accept: x"]
    request.offset = 5
    return request
  }

  private static func head(_ status: Int, _ location: String?) -> ReplyHead {
    ReplyHead(status: status, fields: location.map { [(Array("location".utf8), Array($0.utf8))] } ?? [])
  }

  private func next(_ location: String, from url: String = "https://reg.example.com:5000/v2/a/b?q=1") throws
    -> CurlRequest?
  {
    try Redirect.next(after: Self.head(307, location), of: Self.request(url, mayBePlain: true), count: 0)
  }

  /// RFC 3986, 5.4, as far as servers need it.
  @Test(arguments: [
    ("https://other.example.com/x?y=z#f", "https://other.example.com/x?y=z"), ("//other/x", "https://other/x"),
    ("/x", "https://reg.example.com:5000/x"), ("c", "https://reg.example.com:5000/v2/a/c"),
    ("?r=2", "https://reg.example.com:5000/v2/a/b?r=2"), ("#f", "https://reg.example.com:5000/v2/a/b?q=1"),
    ("/a b|c\"é", "https://reg.example.com:5000/a%20b%7Cc%22%C3%A9"), ("/%41", "https://reg.example.com:5000/%41"),
    ("HTTPS://Other:443/", "https://other/"), ("/a?u=http://x:1/", "https://reg.example.com:5000/a?u=http://x:1/"),
  ])
  func itLeadsWhereBrowsersGo(location: String, url: String) throws {
    let found = try next(location)
    #expect(found?.url == url)
    #expect(found?.headers == ["Accept: x"] && found?.offset == 5 && found?.maximumBytes == 7)
  }

  @Test(arguments: [
    ("/x", true), ("https://reg.example.com:5000/x", true), ("https://REG.example.com:5000/x", true),
    ("https://reg.example.com:5001/x", false), ("https://reg.example.com/x", false),
    ("https://sub.reg.example.com:5000/x", false),
    ("https://reg.example.com.evil:5000/", false), ("//192.0.2.1:5000/", false),
  ])
  func aCredentialIsForOneOrigin(location: String, isShown: Bool) throws {
    #expect(try next(location)?.authorization == (isShown ? "Basic secret" : nil))
  }

  @Test func onceHiddenItStaysHidden() throws {
    let away = try #require(try next("https://other/x"))
    let back = try Redirect.next(after: Self.head(302, "https://reg.example.com:5000/y"), of: away, count: 1)
    #expect(back != nil && back?.authorization == nil)
  }

  @Test(arguments: [
    "file:///etc/shadow", "ftp://x/", "javascript:1", "https://user:word@x/", "https://", "//", "https://x y/", "/a\nb",
    "/a\0",
    "https://x\\@y/", "http:/x", "mailto:x",
  ])
  func whatLeadsNowhereIsRefused(location: String) {
    let error = #expect(throws: RegistryError.self) { try next(location) }
    #expect(error?.kind == .invalid)
  }

  @Test func nobodyElsewhereHasThisMachineAsked() throws {
    for place in [
      "https://127.0.0.1:5000/x", "https://localhost/x", "//[::1]/x", "//127.1/", "//2130706433:5000/", "//0x7f.1/",
      "//0177.0.0.1/", "//0/", "//0.0.0.0:80/", "//[::]/", "//[0:0::0:1]/", "//[::ffff:127.0.0.1]/",
      "//[::ffff:7f00:2]:5000/", "//[::ffff:0.0.0.0]/", "//localhost./", "//x.localhost/", "//LOCALHOST./",
      "//localhost../",
      "//ip6-localhost:80/", "//localhost.localdomain/",
    ] {
      #expect(throws: RegistryError.self, "\(place)") { try next(place) }
      #expect(try next(place, from: "https://localhost:5000/v2/") != nil)
    }
  }

  @Test(arguments: [
    "https://128.0.0.1/", "https://127.0.0.1.example.com/", "https://localhost.example.com/", "https://127/",
    "https://[2001:db8::1]/", "https://[::ffff:192.0.2.1]/", "https://notlocalhost/", "https://1.127/",
  ])
  func othersAreAsked(place: String) throws {
    #expect(try next(place) != nil)
  }

  @Test func tlsIsNotLeft() throws {
    #expect(throws: RegistryError.self) { try next("http://reg.example.com:5000/") }
    let plain = Self.request("http://reg:5000/v2/", mayBePlain: true)
    #expect(try Redirect.next(after: Self.head(301, "http://store/x"), of: plain, count: 0)?.url == "http://store/x")
    let secure = try #require(try Redirect.next(after: Self.head(301, "https://store/x"), of: plain, count: 0))
    #expect(throws: RegistryError.self) {
      try Redirect.next(after: Self.head(301, "http://store/x"), of: secure, count: 1)
    }
    let never = Self.request("http://reg:5000/v2/")
    #expect(throws: RegistryError.self) {
      try Redirect.next(after: Self.head(301, "http://store/x"), of: never, count: 0)
    }
  }

  @Test func othersAreAnswers() throws {
    let request = Self.request("https://x/")
    #expect(try Redirect.next(after: Self.head(301, nil), of: request, count: 0) == nil)
    for status in [200, 206, 300, 304, 401, 503] {
      #expect(try Redirect.next(after: Self.head(status, "https://y/"), of: request, count: 9) == nil)
    }
    var posting = request
    posting.form = "a=b"
    #expect(try Redirect.next(after: Self.head(307, "https://x/y"), of: posting, count: 0) == nil)
    let error = #expect(throws: RegistryError.self) {
      try Redirect.next(after: Self.head(307, "https://x/y"), of: request, count: Redirect.most)
    }
    #expect(error?.message.contains("without end") == true)
  }
}
