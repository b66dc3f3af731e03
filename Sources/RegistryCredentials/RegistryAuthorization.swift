import StrictJSON

/// What a registry is to be told about who pulls. It holds a secret and never shows it: not in an error, not printed.
public struct RegistryAuthorization: Sendable, Equatable, CustomStringConvertible, CustomDebugStringConvertible,
  CustomReflectable
{
  /// The secret, in one of the forms that registries know.
  public enum Secret: Sendable, Equatable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// User and password.
    case password(user: String, password: String)
    /// A token that was got by logging in.
    case identityToken(String)
    /// A token that the registry itself takes, sent to it as it is.
    case registryToken(String)

    /// No secret.
    public var description: String { "…" }
    /// No secret.
    public var debugDescription: String { "…" }
    /// No secret.
    public var customMirror: Mirror { Mirror(reflecting: "…") }
  }

  /// The registry as its configuration names it.
  public let server: String
  /// What proves who pulls.
  public let secret: Secret

  /// The secret for `server`.
  public init(server: String, secret: Secret) {
    self.server = server
    self.secret = secret
  }

  /// The value of `X-Registry-Auth`: URL-safe Base64 of a JSON object.
  public var headerValue: String {
    let json: JSON =
      switch secret {
      case .password(let user, let password):
        JSON(object: [("username", JSON(user)), ("password", JSON(password)), ("serveraddress", JSON(server))])
      case .identityToken(let token):
        JSON(object: [("identitytoken", JSON(token)), ("serveraddress", JSON(server))])
      case .registryToken(let token):
        JSON(object: [("registrytoken", JSON(token)), ("serveraddress", JSON(server))])
      }
    return Base64.encodeURLSafe(json.compactBytes)
  }

  /// The server only.
  public var description: String { "authorization for \(excerpt(server.utf8, limit: 120))" }
  /// The server only.
  public var debugDescription: String { description }
  /// The server only: `dump` prints what a mirror shows.
  public var customMirror: Mirror { Mirror(self, children: ["server": server]) }
}
