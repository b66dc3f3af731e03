import HTTP1
import StrictJSON

/// What a token server gives for a while (Docker's "token authentication", and OAuth 2).
struct BearerToken: Sendable {
  let value: String
  /// Nanoseconds of `Clock.now`.
  let expires: UInt64

  /// Without a word about it, as the specification has it.
  private static let standardSeconds: UInt64 = 60
  /// More is not believed: asking again costs nothing.
  private static let maximumSeconds: UInt64 = 3600
  private static let maximumBytes = 64 << 10

  /// Reads a token server's answer, `now` being when it was asked.
  init(answer: [UInt8], now: UInt64) throws(RegistryError) {
    let json: JSON
    do throws(JSONError) { json = try JSON(parsing: answer) } catch {
      // Not the reader's words: they could quote a token.
      throw .invalid("its answer is not JSON (\(error.position.line):\(error.position.column))")
    }
    let candidates = [json["token"], json["access_token"]].compactMap { $0?.string }.filter { !$0.isEmpty }
    guard let value = candidates.first else { throw .invalid("its answer has no token") }
    // It becomes part of a header field, where a line's end would begin another.
    guard value.utf8.count <= BearerToken.maximumBytes, value.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else {
      throw .invalid("its token has characters that no token has")
    }
    self.value = value
    var seconds = BearerToken.standardSeconds
    if let stated = json["expires_in"]?.integer, stated > 0 {
      seconds = min(UInt64(stated), BearerToken.maximumSeconds)
    }
    expires = now + seconds * 1_000_000_000
  }

  /// Whether a request that is begun now still has it when it arrives.
  func isFresh(now: UInt64) -> Bool { now + 10_000_000_000 < expires }
}

/// How a token is asked for.
struct TokenRequest: Sendable {
  let url: String
  /// The value of `Authorization`, for a user with a password.
  var authorization: String?
  /// The body of a POST, for a user with a token of his own.
  var form: String?
  /// Where it goes.
  let server: WebAddress

  /// What a challenge asks for; the credential is added by who may.
  init(_ challenge: AuthenticationChallenge, repository: String) throws(RegistryError) {
    guard let realm = challenge.value("realm"), let server = WebAddress(realm) else {
      throw .invalid("its challenge names no token server")
    }
    func text(_ name: String) -> String? {
      challenge.value(name).flatMap { String(validating: $0, as: UTF8.self) }.flatMap { $0.isEmpty ? nil : $0 }
    }
    self.server = server
    service = text("service")
    scope = text("scope") ?? "repository:\(repository):pull"
    let separator = server.path.utf8.contains(UInt8(ascii: "?")) ? "&" : "?"
    let items = [("service", service), ("scope", scope)].compactMap { key, value in value.map { (key, $0) } }
    url = server.text + separator + PercentEncoding.query(items).dropFirst()
  }

  private let service: String?
  private let scope: String

  /// The same for a user who is known by a token that he got by logging in: it goes in a body, never in a URL.
  func with(identityToken token: String) -> TokenRequest {
    var copy = self
    let items = [
      ("grant_type", "refresh_token"), ("service", service ?? server.authority), ("client_id", "aurora-executor"),
      ("scope", scope), ("refresh_token", token),
    ]
    copy.form = String(PercentEncoding.query(items).dropFirst())
    return copy
  }

  /// Where a form is sent: without the query of the other way.
  var formURL: String { server.text }
}
