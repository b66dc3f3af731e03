/// Which registry a reference to an image means, and how credentials for it are filed.
public enum RegistryName {
  /// What Docker files the credentials of its own registry under.
  public static let dockerHub = "https://index.docker.io/v1/"

  /// The registry of a reference, as credentials are filed: the first component when it is a host (it has a point or a
  /// colon, or is `localhost`), Docker's own otherwise.
  public static func server(of reference: String) -> String {
    let bytes = Array(reference.utf8)
    guard let slash = bytes.firstIndex(of: UInt8(ascii: "/")) else { return dockerHub }
    let host = bytes[..<slash]
    let isHost =
      host.contains(UInt8(ascii: ".")) || host.contains(UInt8(ascii: ":")) || host.elementsEqual("localhost".utf8)
    guard isHost, !host.elementsEqual("docker.io".utf8), !host.elementsEqual("index.docker.io".utf8) else {
      return dockerHub
    }
    return String(decoding: host, as: UTF8.self)
  }

  /// Only the host of a server that may be filed as a URL: `https://index.docker.io/v1/` is `index.docker.io`.
  static func host(_ server: String) -> [UInt8] {
    var rest = Array(server.utf8)[...]
    for scheme in ["https://", "http://"] where rest.starts(with: scheme.utf8) {
      rest = rest.dropFirst(scheme.utf8.count)
      break
    }
    return ASCII.lowercased(rest.prefix { $0 != UInt8(ascii: "/") })
  }
}
