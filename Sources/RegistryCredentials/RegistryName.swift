import HTTP1

/// How credentials for a registry are filed.
public enum RegistryName {
  /// What Docker files the credentials of its own registry under.
  public static let dockerHub = "https://index.docker.io/v1/"

  /// What credentials are filed under.
  /// - Parameter registry: `docker.io`, `localhost:5000`; which one a reference to an image means is for its reader to say, so that
  ///   there is one grammar of references and no other.
  public static func server(_ registry: String) -> String {
    registry.utf8.elementsEqual("docker.io".utf8) ? dockerHub : registry
  }

  /// Only the host of a server that may be filed as a URL: `https://index.docker.io/v1/` is `index.docker.io`.
  package static func host(_ server: String) -> [UInt8] {
    var rest = Array(server.utf8)[...]
    for scheme in ["https://", "http://"] where rest.starts(with: scheme.utf8) {
      rest = rest.dropFirst(scheme.utf8.count)
      break
    }
    return ASCII.lowercased(rest.prefix { $0 != UInt8(ascii: "/") })
  }
}
