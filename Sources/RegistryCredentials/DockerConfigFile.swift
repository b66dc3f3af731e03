import HTTP1
import LinuxKernel
import StrictJSON

/// The credentials that `docker login` left, and the helpers that keep the rest: `config.json`.
public struct DockerConfigFile: Sendable {
  private struct Entry: Sendable {
    let server: String
    let authorization: RegistryAuthorization?
  }

  /// Where it was read from.
  public let path: String
  private var entries: [Entry] = []
  private var helpers: [(server: String, helper: String)] = []
  private var store: String?

  /// Where the file is: in the directory that `DOCKER_CONFIG` names, else in `.docker` of `HOME`; `nil` without both.
  public static func defaultPath(environment: [String: String]) -> String? {
    if let directory = environment["DOCKER_CONFIG"], !directory.isEmpty { return "\(directory)/config.json" }
    if let home = environment["HOME"], !home.isEmpty { return "\(home)/.docker/config.json" }
    return nil
  }

  /// Reads the file, or `config.json` of a directory; one that is not there is the same as an empty one, unless it has to be
  /// there.
  public init(path: String, mustExist: Bool = false) throws(CredentialError) {
    let isDirectory = (try? status(of: path, followLinks: true))?.isDirectory ?? false
    let path = isDirectory ? path + "/config.json" : path
    self.path = path
    let bytes: [UInt8]
    do throws(Errno) {
      bytes = try readRegularFile(path, limit: 1 << 20, followLinks: true)
    } catch {
      if !mustExist, error.connectFailure == .absent { return }
      throw DockerConfigFile.failure(path, "\(error)", error.code)
    }
    // Of a `docker logout`, or of who made the file for others to fill in: it says nothing.
    if bytes.allSatisfy({ ASCII.isSpace($0) || $0 == ASCII.lineFeed || $0 == ASCII.carriageReturn }) { return }
    do throws(JSONError) {
      try read(JSON(parsing: bytes))
    } catch {
      throw DockerConfigFile.failure(path, "\(error.position.line):\(error.position.column): not as it should be")
    }
  }

  // Nothing that the file holds may be quoted: any of it could be a secret.
  private static func failure(_ path: String, _ detail: String, _ code: Int32? = nil) -> CredentialError {
    CredentialError(
      .file, operation: "read registry credentials", place: printable(path.utf8), detail: detail,
      errorNumber: code)
  }

  private mutating func read(_ json: JSON) throws(JSONError) {
    func wrong(_ value: JSON) -> JSONError { JSONError(position: value.position, message: "") }
    guard json.members != nil else { throw wrong(json) }
    if let store = json["credsStore"], !store.isNull {
      guard let name = store.string else { throw wrong(store) }
      self.store = name.isEmpty ? nil : name
    }
    if let list = json["credHelpers"], !list.isNull {
      guard let members = list.members else { throw wrong(list) }
      for member in members {
        guard let name = member.value.string else { throw wrong(member.value) }
        helpers.append((member.key, name))
      }
    }
    if let list = json["auths"], !list.isNull {
      guard let members = list.members else { throw wrong(list) }
      for member in members {
        entries.append(Entry(server: member.key, authorization: try DockerConfigFile.read(member.value, member.key)))
      }
    }
  }

  /// One entry of `auths`; `nil` when it holds no secret, as `docker login` leaves it beside a helper.
  private static func read(_ json: JSON, _ server: String) throws(JSONError) -> RegistryAuthorization? {
    func wrong(_ value: JSON) -> JSONError { JSONError(position: value.position, message: "") }
    func text(_ key: String) throws(JSONError) -> String {
      guard let value = json[key], !value.isNull else { return "" }
      guard let text = value.string else { throw wrong(value) }
      return text
    }
    guard json.members != nil else { throw wrong(json) }
    let identityToken = try text("identitytoken")
    let registryToken = try text("registrytoken")
    var (user, password) = (try text("username"), try text("password"))
    let auth = try text("auth")
    if !auth.isEmpty {
      guard let decoded = Base64.decode(auth), let colon = decoded.firstIndex(of: UInt8(ascii: ":")),
        let name = String(validating: decoded[..<colon], as: UTF8.self)
      else { throw wrong(json["auth"] ?? json) }
      // Old clients padded the password with NULs.
      var secret = decoded[(colon + 1)...]
      while secret.last == 0 { secret = secret.dropLast() }
      guard let secret = String(validating: secret, as: UTF8.self) else { throw wrong(json["auth"] ?? json) }
      (user, password) = (name, secret)
    }
    if !identityToken.isEmpty { return RegistryAuthorization(server: server, secret: .identityToken(identityToken)) }
    if !registryToken.isEmpty { return RegistryAuthorization(server: server, secret: .registryToken(registryToken)) }
    if user.isEmpty { return nil }
    return RegistryAuthorization(server: server, secret: .password(user: user, password: password))
  }

  /// What was found for a registry.
  public struct Lookup: Sendable {
    /// `nil` when there is nothing: the pull is anonymous then.
    public var authorization: RegistryAuthorization?
    /// Why something was passed over that may have had more, for people; `nil` when nothing was.
    public var warning: String?
  }

  /// The credentials for a registry: from the helper for this registry, else from the general helper,
  /// else from the file itself.
  ///
  /// A general helper whose program is not installed has nothing, and what is public needs nothing of it; one that is named for
  /// this very registry must be there.
  /// - Parameters:
  ///   - registry: `host[:port]`; `docker.io` for Docker's own.
  ///   - environment: what a helper gets; its `PATH` says where helpers are looked for.
  ///   - limit: how long a helper may take.
  ///   - interrupt: a descriptor; once something can be read from it, a helper is not waited for.
  public func authorization(
    for registry: String, environment: [String: String], limit: Duration = .seconds(30), interrupt: Int32? = nil
  ) throws(CredentialError) -> Lookup {
    let server = RegistryName.server(registry)
    let own = ownHelper(for: server)
    var warning: String?
    if let helper = own ?? store {
      let helper = CredentialHelper(name: helper, environment: environment)
      if own == nil, helper.isMissing {
        warning = "\(helper.program), which credsStore of \(printable(path.utf8)) names, is not in PATH"
      } else {
        return Lookup(authorization: try helper.get(server, limit: limit, interrupt: interrupt))
      }
    }
    return Lookup(authorization: entry(for: server)?.authorization, warning: warning)
  }

  private func entry(for server: String) -> Entry? {
    if let exact = entries.first(where: { $0.server.utf8.elementsEqual(server.utf8) }) { return exact }
    let host = RegistryName.host(server)
    return entries.first { RegistryName.host($0.server) == host }
  }

  /// Whether the file has an entry for a server, with or without a secret: its user knows it.
  public func names(_ server: String) -> Bool {
    let host = RegistryName.host(server)
    return entries.contains { RegistryName.host($0.server) == host }
      || helpers.contains { RegistryName.host($0.server) == host }
  }

  /// The helper that is named for a server; an empty name takes it out of the general helper's hands.
  private func ownHelper(for server: String) -> String? {
    if let exact = helpers.first(where: { $0.server.utf8.elementsEqual(server.utf8) }) { return exact.helper }
    let host = RegistryName.host(server)
    return helpers.first { RegistryName.host($0.server) == host }?.helper
  }
}
