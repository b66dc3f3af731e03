import LinuxKernel
import Testing

@testable import Registry

@Suite struct TokenTests {
  private func request(_ challenge: String) throws -> TokenRequest {
    try TokenRequest(try #require(AuthenticationChallenge.read([Array(challenge.utf8)]).first), repository: "a/b")
  }

  @Test func aChallengeBecomesARequest() throws {
    let plain = try request(
      #"Bearer realm="https://t.example.com/token",service="reg & co",scope="repository:a/b:pull""#)
    #expect(
      plain.url == "https://t.example.com/token?service=reg%20%26%20co&scope=repository%3Aa%2Fb%3Apull"
        && plain.form == nil)
    let own = try request(#"Bearer realm="https://t.example.com/token?x=1""#)
    #expect(own.url == "https://t.example.com/token?x=1&scope=repository%3Aa%2Fb%3Apull")
    let form = plain.with(identityToken: "s=c r+t")
    #expect(form.formURL == "https://t.example.com/token")
    #expect(form.form?.hasSuffix("&refresh_token=s%3Dc%20r%2Bt") == true)
    #expect(form.form?.hasPrefix("grant_type=refresh_token&service=reg%20%26%20co&") == true)
  }

  @Test(arguments: [
    #"Bearer service="x""#, #"Bearer realm="file:///etc/shadow""#, #"Bearer realm="/token""#,
    #"Bearer realm="https://u:p@x/""#, #"Bearer realm="https://x/ y""#,
  ])
  func aRealmThatIsNoServerIsRefused(challenge: String) {
    #expect(throws: RegistryError.self) { try request(challenge) }
  }

  @Test(arguments: [
    (#"{"token":"a"}"#, "a", 60), (#"{"access_token":"b","expires_in":300}"#, "b", 300),
    (#"{"token":"a","access_token":"b"}"#, "a", 60), (#"{"token":"","access_token":"b"}"#, "b", 60),
    (#"{"token":"a","expires_in":0}"#, "a", 60), (#"{"token":"a","expires_in":-5}"#, "a", 60),
    (#"{"token":"a","expires_in":"x"}"#, "a", 60), (#"{"token":"a","expires_in":99999999999}"#, "a", 3600),
    (#"{"token":"a","expires_in":null,"issued_at":7}"#, "a", 60),
  ])
  func anAnswerHasATokenForAWhile(answer: String, value: String, seconds: UInt64) throws {
    let token = try BearerToken(answer: Array(answer.utf8), now: 1000)
    #expect(token.value == value && token.expires == 1000 + seconds * 1_000_000_000)
  }

  @Test(arguments: [
    "", "{}", "[]", "null", #"{"token":1}"#, #"{"token":""}"#, #"{"token":"hunter2\r\nX: y"}"#,
    #"{"token":"hunter2 x"}"#,
    #"{"token":"hunter2","token":"b"}"#, #"{"token":"hunter2"#,
  ])
  func anAnswerWithoutOneIsRefusedAndNotQuoted(answer: String) {
    let error = #expect(throws: RegistryError.self) { try BearerToken(answer: Array(answer.utf8), now: 0) }
    #expect(error?.description.contains("hunter2") == false)
  }

  @Test func aTokenIsReplacedBeforeItEnds() throws {
    let token = try BearerToken(answer: Array(#"{"token":"a","expires_in":60}"#.utf8), now: 0)
    #expect(token.isFresh(now: 0) && token.isFresh(now: 49_000_000_000))
    #expect(!token.isFresh(now: 50_000_000_000) && !token.isFresh(now: 70_000_000_000))
  }

  @Test func pausesGrowAndEnd() {
    let policy = RetryPolicy()
    let error = RegistryError(.unavailable, why: "x", mayPass: true)
    #expect((1...5).map { policy.pause(after: $0, error) } == [500, 1000, 2000, 4000, nil])
    #expect(policy.pause(after: 1, error.final) == nil)
    #expect(policy.pause(after: 1, RegistryError(.unavailable, why: "x", mayPass: true, retryAfter: 3)) == 3000)
    #expect(policy.pause(after: 1, RegistryError(.unavailable, why: "x", mayPass: true, retryAfter: 61)) == nil)
    #expect(RetryPolicy.seconds(Array(" 12 ".utf8)) == 12)
    for text in ["", "-1", "x", "Wed, 21 Oct 2015 07:28:00 GMT", "99999999999999999999"] {
      #expect(RetryPolicy.seconds(Array(text.utf8)) == nil)
    }
    #expect(RetryPolicy.seconds(nil) == nil)
  }
}
