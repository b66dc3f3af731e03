import Testing

@testable import Registry

@Suite struct ChallengeTests {
  private func read(_ values: String...) -> [String] {
    AuthenticationChallenge.read(values.map { Array($0.utf8) }).map { challenge in
      challenge.scheme
        + challenge.parameters.map { " \($0.name)=\(String(decoding: $0.value, as: UTF8.self))" }.joined()
    }
  }

  @Test func theUsualOnes() {
    #expect(
      read(#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull""#)
        == ["bearer realm=https://auth.docker.io/token service=registry.docker.io scope=repository:a/b:pull"])
    #expect(read(#"Basic realm="Registry Realm""#) == ["basic realm=Registry Realm"])
    #expect(read(#"BEARER Realm=x , Service = "y""#) == ["bearer realm=x service=y"])
    #expect(read("Negotiate") == ["negotiate"])
    #expect(read("") == [])
  }

  @Test func severalInOneFieldAndInMany() {
    #expect(
      read(#"Basic realm="a, Bearer b=\"c\"", Bearer realm="x",service=y, Negotiate"#)
        == [#"basic realm=a, Bearer b="c""#, "bearer realm=x service=y", "negotiate"])
    #expect(read("Negotiate, Basic realm=x") == ["negotiate", "basic realm=x"])
    #expect(read("Negotiate", "Basic realm=x") == ["negotiate", "basic realm=x"])
    #expect(read(", ,Basic realm=x,, ,") == ["basic realm=x"])
  }

  @Test(arguments: [
    #"Bearer realm="x"#, #"Bearer realm="x\"#, #"Bearer realm="a", realm="b""#, #"Bearer realm="a" service="b""#,
    "Bearer realm=", "Bearer =x", "Bearer \"x\"", "Bearer realm=\"a\u{1}\"", "Bearer realm=\"a\r\nX: y\"", "é realm=x",
    "Bearer abc==", "=", "\"",
  ])
  func whatIsMalformedIsNotGuessedAt(value: String) { #expect(read(value).allSatisfy { !$0.contains("realm") }) }

  @Test func thereAreBounds() {
    #expect(read("Basic realm=" + String(repeating: "x", count: 9000)) == [])
    #expect(read(String(repeating: "Basic realm=x, ", count: 100)).count == 8)
    #expect(read("Basic " + (0..<100).map { "p\($0)=x" }.joined(separator: ",")) == [])
  }

  @Test func whateverComesIsSurvived() {
    var seed: UInt64 = 7
    let letters = Array(#"Bearer =,"\ x"#.utf8) + [0, 10, 13, 9, 0xff]
    for _ in 0..<20_000 {
      let bytes = (0..<24).map { _ in
        seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return letters[Int(seed >> 33) % letters.count]
      }
      for challenge in AuthenticationChallenge.read([bytes]) {
        #expect(challenge.parameters.allSatisfy { !$0.value.contains(10) && !$0.value.contains(13) })
      }
    }
  }
}
