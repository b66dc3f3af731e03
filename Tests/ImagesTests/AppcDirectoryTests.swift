import Testing

@testable import Images

/// Where AppC images are looked for in a directory.
@Suite struct AppcDirectoryTests {
  private let host = Platform(os: "linux", architecture: "amd64")

  @Test func namesAreThoseOfSimpleDiscovery() throws {
    #expect(
      try AppcQuery("example.com/app").fileNames(for: host)
        == ["example.com/app-latest-linux-amd64.aci", "example.com/app-latest-linux-x86_64.aci"])
    #expect(
      try AppcQuery("app:1.0,arch=x86_64").fileNames(for: host)
        == ["app-1.0-linux-x86_64.aci", "app-1.0-linux-amd64.aci"])
    #expect(try AppcQuery("app:1,os=freebsd,arch=mips").fileNames(for: host) == ["app-1-freebsd-mips.aci"])
    #expect(
      try AppcQuery("app").fileNames(for: Platform(os: "linux", architecture: "arm64", variant: "v8"))
        == ["app-latest-linux-aarch64.aci", "app-latest-linux-arm64.aci"])
  }

  @Test(arguments: ["app:../../x", "app:1/2", "app:1,os=../x", "app:1,arch=a/b", "app:1%2f", "app:\u{e9}"])
  func labelsThatArePathsAreRefused(_ text: String) throws {
    let query = try AppcQuery(text)
    let error = #expect(throws: ImageError.self) { try query.fileNames(for: host) }
    #expect(error?.why.contains("cannot be in the name of a file") == true)
  }

  @Test func theLikeliestFilesComeFirst() throws {
    let scratch = try Scratch()
    let id = try #require(AppcImageID.of([1]))
    _ = try scratch.directory("example.com")
    for name in [
      "app-1.0-linux-amd64.aci", "app-2.0-linux-x86_64.aci", "app-2.0-linux-s390x.aci", "app-latest-linux-amd64.aci",
      "other-1.0-linux-amd64.aci", "app.aci", "app-3.0.aci",
    ] { _ = try scratch.write("example.com/" + name, []) }
    _ = try scratch.write("\(id).aci", [])
    func found(_ query: AppcQuery) throws -> [String] {
      try AppcDirectory(scratch.path).candidates(query, platform: host).map {
        String(Substring($0.utf8.dropFirst(scratch.path.utf8.count + 1)))
      }
    }
    let all = try found(AppcQuery(name: "example.com/app", imageID: id))
    #expect(all.prefix(2) == ["\(id).aci", "example.com/app-latest-linux-amd64.aci"])
    #expect(
      Set(all.dropFirst(2))
        == Set(["app-1.0-linux-amd64", "app-2.0-linux-x86_64", "app"].map { "example.com/\($0).aci" }))
    #expect(all.last == "example.com/app.aci")
    #expect(try found(AppcQuery("example.com/app:2.0")) == ["example.com/app-2.0-linux-x86_64.aci"])
    #expect(try found(AppcQuery("example.com/app:3.0")) == ["example.com/app-3.0.aci"])
    #expect(try found(AppcQuery("elsewhere/app")) == [])
    let error = #expect(throws: ImageError.self) {
      try AppcDirectory(scratch.path + "/none").candidates(AppcQuery("a"), platform: host)
    }
    #expect(error?.kind == .notFound && error?.why.contains("--appc-store") == true)
  }
}
