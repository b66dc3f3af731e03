import HTTP1
import Images
import LinuxKernel

/// Where a registry is asked and how: made of a reference and of what the command line says.
package struct RegistryEndpoint: Sendable, Equatable {
  /// What may be spoken with it.
  package enum Scheme: Sendable, Equatable {
    case https
    case http
    /// HTTPS, and plain HTTP when whoever listens does not speak TLS: only a registry of this machine, as Docker has it.
    case either
  }

  package internal(set) var scheme: Scheme
  /// Whether plain HTTP is spoken because whoever listens does not speak TLS: nobody said that it is the registry.
  package internal(set) var hasFallenBack = false
  /// `registry-1.docker.io`, `localhost:5000`
  package let authority: String
  /// What stands before `/v2/`; empty but for some mirrors.
  package let prefix: String
  /// How credentials for it are filed: `docker.io`, else the authority.
  package let credentialName: String
  /// Whether it is this machine, where no proxy leads.
  package var isLoopback: Bool { WebAddress.isLoopback(authority) }
  /// Whether it is Docker's own registry, whose tokens come from another host.
  package var isDockerHub: Bool { authority == RegistryEndpoint.dockerHub }

  static let dockerHub = "registry-1.docker.io"
  static let dockerHubTokens = "auth.docker.io"

  /// The endpoint for the registry that a reference names.
  /// - Parameters:
  ///   - registry: as `ImageReference` has it.
  ///   - mirror: the URL of what is asked in place of Docker's own registry (`--docker-registry`).
  ///   - plainHTTP: the registries, `host[:port]`, with which plain HTTP may be spoken.
  package init(registry: String, mirror: String? = nil, plainHTTP: [String] = []) throws(RegistryError) {
    func mayBePlain(_ authority: String) -> Bool {
      plainHTTP.contains { ASCII.lowercased(Array($0.utf8)) == ASCII.lowercased(Array(authority.utf8)) }
    }
    func scheme(of authority: String) -> Scheme {
      if mayBePlain(authority) { return .http }
      return WebAddress.isLoopback(authority) ? .either : .https
    }
    guard registry.utf8.elementsEqual(ImageReference.defaultRegistry.utf8) else {
      authority = String(decoding: ASCII.lowercased(Array(registry.utf8)), as: UTF8.self)
      prefix = ""
      credentialName = registry
      self.scheme = scheme(of: registry)
      return
    }
    guard let mirror else {
      authority = RegistryEndpoint.dockerHub
      prefix = ""
      credentialName = registry
      self.scheme = .https
      return
    }
    // A host alone is HTTPS; a URL says itself what it is.
    let bytes = Array(mirror.utf8)
    let name = bytes.prefix { $0 != UInt8(ascii: "/") }
    let hasScheme = name.last == UInt8(ascii: ":") && bytes.dropFirst(name.count).starts(with: "//".utf8)
    guard let address = WebAddress(hasScheme ? bytes : Array("https://".utf8) + bytes),
      !address.path.utf8.contains(UInt8(ascii: "?"))
    else {
      throw RegistryError(
        .configuration, why: "--docker-registry \(printable(bytes)) is no URL of a registry",
        hint: "https://HOST[:PORT][/PATH], or http:// for plain HTTP")
    }
    authority = address.authority
    var path = Array(address.path.utf8)
    while path.last == UInt8(ascii: "/") { path.removeLast() }
    prefix = String(decoding: path, as: UTF8.self)
    credentialName = address.authority == RegistryEndpoint.dockerHub ? registry : address.authority
    self.scheme = address.isSecure ? (hasScheme ? .https : scheme(of: address.authority)) : .http
  }

  /// The URL of something below `/v2/`, which is made of a checked reference and so needs no encoding.
  func url(_ path: String) -> String { "\(scheme == .http ? "http" : "https")://\(authority)\(prefix)/v2/\(path)" }

  /// The registry's origin, in the scheme that is spoken with it.
  var origin: WebAddress? { WebAddress(Array(url("").utf8)) }
}
