import HTTP1
import LinuxKernel
import RegistryCredentials

/// Who we are to one registry and for one repository: finds that out when the registry asks, and keeps a token for as long
/// as it is good.
///
/// A credential is shown to the registry itself and to the server of tokens that the registry names, where that has the
/// registry's own origin, or is named beside it in the user's configuration, or is Docker's.
struct Authenticator {
  let access: RegistryAccess
  let endpoint: RegistryEndpoint
  let repository: String
  /// The challenge that was last answered by a token.
  private var challenge: AuthenticationChallenge?
  private var token: BearerToken?
  /// What the registry gets as it is: a user with his password, or a token of its own.
  private var direct: String?
  private var isRead = false
  private var file: DockerConfigFile?
  private var known: RegistryAuthorization?
  /// Why a credential that there is was not shown; for who is refused afterwards.
  private(set) var heldBack: String?
  /// Why there may be a credential that was not found.
  private(set) var warning: String?

  init(access: RegistryAccess, endpoint: RegistryEndpoint, repository: String) {
    self.access = access
    self.endpoint = endpoint
    self.repository = repository
  }

  /// What asks a token server; the answer's body, or the error.
  typealias Ask = (TokenRequest) throws(RegistryError) -> [UInt8]

  /// The value of `Authorization` for the next request, `nil` before the registry has asked. A token that is about to end
  /// is replaced first.
  mutating func header(_ interruption: Int32?, _ ask: Ask) throws(RegistryError) -> String? {
    if let direct { return direct }
    if let token, token.isFresh(now: Clock.now) { return "Bearer " + token.value }
    guard let challenge else { return nil }
    return "Bearer " + (try renew(challenge, interruption, ask))
  }

  /// Answers what the registry wants to see (401). False when there is nothing better to show than what it has refused.
  mutating func answer(_ head: ReplyHead, isFirst: Bool, _ interruption: Int32?, _ ask: Ask) throws(RegistryError)
    -> Bool
  {
    let challenges = AuthenticationChallenge.read(head.values("www-authenticate"))
    try readCredentials(interruption)
    if case .registryToken(let value) = known?.secret, isFirst, direct == nil {
      direct = "Bearer " + (try Authenticator.plain(value))
      return true
    }
    if let bearer = challenges.first(where: { $0.scheme == "bearer" }) {
      guard isFirst else { return false }
      challenge = bearer
      _ = try renew(bearer, interruption, ask)
      return true
    }
    guard challenges.contains(where: { $0.scheme == "basic" }) else {
      guard let other = challenges.first else { return false }
      throw RegistryError(
        .denied, why: "the registry wants to be shown what we do not have (\(printable(other.scheme.utf8.prefix(40))))")
    }
    guard isFirst, direct == nil, case .password(let user, let password) = known?.secret else { return false }
    direct = Authenticator.basic(user, password)
    return true
  }

  private mutating func renew(_ challenge: AuthenticationChallenge, _ interruption: Int32?, _ ask: Ask)
    throws(RegistryError) -> String
  {
    let now = Clock.now
    var request = try TokenRequest(challenge, repository: repository)
    let place = "token server \(printable(request.server.authority.utf8))"
    guard request.server.isSecure || endpoint.scheme == .http && mayBePlain(request.server) else {
      throw RegistryError.invalid("the registry names a token server that speaks plain HTTP").at(place)
    }
    guard endpoint.isLoopback || !WebAddress.mayBeThisMachine(request.server.authority) else {
      throw RegistryError.invalid("the registry names a token server on this host, where it is not itself").at(place)
    }
    if let known {
      if isTrusted(request.server) {
        switch known.secret {
        case .password(let user, let password): request.authorization = Authenticator.basic(user, password)
        case .identityToken(let value): request = request.with(identityToken: value)
        case .registryToken: break
        }
      } else {
        heldBack =
          "the credentials for \(printable(endpoint.authority.utf8)) were not shown to \(printable(request.server.authority.utf8)), "
          + "which the registry names; an entry for it among the auths of config.json allows that"
      }
    }
    do throws(RegistryError) {
      let fresh = try BearerToken(answer: try ask(request), now: now)
      token = fresh
      return fresh.value
    } catch {
      throw ((heldBack ?? warning).map { error.hinting($0) } ?? error).at(place)
    }
  }

  /// Plain HTTP is spoken with a token server of the registry's own host, or of this machine.
  private func mayBePlain(_ server: WebAddress) -> Bool {
    server.host == WebAddress.host(of: endpoint.authority) || WebAddress.isLoopback(server.authority)
      || access.plainHTTP.contains { $0.utf8.elementsEqual(server.authority.utf8) }
  }

  private func isTrusted(_ server: WebAddress) -> Bool {
    if let origin = endpoint.origin, server.hasOrigin(of: origin) { return true }
    if endpoint.isDockerHub { return server.isSecure && server.authority == RegistryEndpoint.dockerHubTokens }
    return file?.names(server.authority) ?? false
  }

  private mutating func readCredentials(_ interruption: Int32?) throws(RegistryError) {
    guard !isRead else { return }
    file = try access.credentialFile()
    let (file, endpoint, environment) = (file, endpoint, access.environment)
    let found = try access.credentials { () throws(CredentialError) in
      try file?.authorization(for: endpoint.credentialName, environment: environment, interrupt: interruption)
    }
    known = found?.authorization
    warning = found?.warning
    guard known == nil || !endpoint.hasFallenBack else {
      let place = printable(endpoint.authority.utf8)
      throw RegistryError(
        .denied, why: "what listens there does not speak TLS, and credentials are not shown to it",
        hint: "--plain-http \(place) says that plain HTTP is what the registry speaks")
    }
    isRead = true
  }

  private static func basic(_ user: String, _ password: String) -> String {
    "Basic " + Base64.encode(Array("\(user):\(password)".utf8))
  }

  private static func plain(_ token: String) throws(RegistryError) -> String {
    guard token.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else {
      throw RegistryError(
        .configuration, why: "the registry's token in the configuration has characters that no token has")
    }
    return token
  }
}
