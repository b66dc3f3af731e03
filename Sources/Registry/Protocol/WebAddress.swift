import Glibc
import HTTP1
import LinuxKernel

/// An absolute URL of HTTP or HTTPS, taken apart as far as credentials need it. Everything else is none.
struct WebAddress: Equatable, Sendable {
  let isSecure: Bool
  /// `host` or `host:port` in lower case, an IPv6 address in brackets; the scheme's own port is left out.
  let authority: String
  /// From the first `/` on, with the query; never empty.
  let path: String

  /// Reads bytes that somebody else wrote: anything that readers could disagree on is refused, and so are user names,
  /// which would be credentials.
  init?(_ text: some Collection<UInt8>) {
    guard text.count <= 8192, text.allSatisfy({ $0 > 0x20 && $0 < 0x7f && !"\"\\<>^`{|}#".utf8.contains($0) }) else {
      return nil
    }
    let bytes = Array(text)
    let lowered = ASCII.lowercased(bytes.prefix(8))
    var rest: ArraySlice<UInt8>
    if lowered.starts(with: "https://".utf8) {
      (isSecure, rest) = (true, bytes[8...])
    } else if lowered.starts(with: "http://".utf8) {
      (isSecure, rest) = (false, bytes[7...])
    } else {
      return nil
    }
    let end = rest.firstIndex { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "?") } ?? rest.endIndex
    var host = ASCII.lowercased(rest[..<end])
    rest = rest[end...]
    let isPlain = { (byte: UInt8) in ASCII.isAlphanumeric(byte) || ".-:[]_".utf8.contains(byte) }
    guard !host.isEmpty, host.count <= 260, host.allSatisfy(isPlain) else { return nil }
    let standard = Array((isSecure ? ":443" : ":80").utf8)
    if host.suffix(standard.count).elementsEqual(standard),
      host.first == UInt8(ascii: "[") || host.count > standard.count
    {
      host.removeLast(standard.count)
    }
    guard !host.isEmpty else { return nil }
    authority = String(decoding: host, as: UTF8.self)
    let slash = rest.first == UInt8(ascii: "/") ? "" : "/"
    path = slash + String(decoding: rest, as: UTF8.self)
  }

  var text: String { "\(isSecure ? "https" : "http")://\(authority)\(path)" }

  /// The host without the port.
  var host: String { WebAddress.host(of: authority) }

  /// Scheme, host and port: whom a credential may be shown to.
  func hasOrigin(of other: WebAddress) -> Bool { isSecure == other.isSecure && authority == other.authority }

  static func host(of authority: String) -> String {
    let bytes = Array(authority.utf8)
    if bytes.first == UInt8(ascii: "["), let close = bytes.firstIndex(of: UInt8(ascii: "]")) {
      return String(decoding: bytes[...close], as: UTF8.self)
    }
    return String(decoding: bytes.prefix { $0 != UInt8(ascii: ":") }, as: UTF8.self)
  }

  /// Whether the host is this machine itself by its name alone: `localhost`, `127.0.0.0/8`, `[::1]`. Such a host is trusted,
  /// so nothing is here that a resolver could lead elsewhere.
  static func isLoopback(_ authority: String) -> Bool {
    let host = ASCII.lowercased(Array(WebAddress.host(of: authority).utf8))
    if host.elementsEqual("localhost".utf8) || host.elementsEqual("[::1]".utf8) { return true }
    let parts = host.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    guard parts.count == 4, parts[0].elementsEqual("127".utf8) else { return false }
    return parts.allSatisfy { (1...3).contains($0.count) && $0.allSatisfy(ASCII.isDigit) }
  }

  /// Whether the host leads to this machine by what is usual, whatever a name server says: also its own name, names below `localhost` (RFC 6761),
  /// 0.0.0.0 and `[::]`, which reach it as well, IPv4 addresses in IPv6, and what inet_aton(3) reads as one of these. Others
  /// are not let lead there.
  static func mayBeThisMachine(_ authority: String) -> Bool {
    if isLoopback(authority) { return true }
    var host = String(decoding: ASCII.lowercased(Array(WebAddress.host(of: authority).utf8)), as: UTF8.self)
    if host.hasPrefix("[") {
      var address = in6_addr()
      guard inet_pton(AF_INET6, String(host.dropFirst().dropLast()), &address) == 1 else { return false }
      let bytes = withUnsafeBytes(of: address) { Array($0) }
      if bytes.dropLast().allSatisfy({ $0 == 0 }) { return bytes[15] <= 1 }
      let isMapped = bytes[..<10].allSatisfy { $0 == 0 } && bytes[10] == 0xff && bytes[11] == 0xff
      return isMapped && (bytes[12] == 127 || bytes[12...].allSatisfy { $0 == 0 })
    }
    // A name may end with the root's dot.
    while host.hasSuffix(".") { host.removeLast() }
    // As hosts(5) has them.
    let names = [
      "localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback", HostEnvironment.hostname.lowercased(),
    ]
    if names.contains(host) || host.hasSuffix(".localhost") { return true }
    var address = in_addr()
    guard inet_aton(host, &address) != 0 else { return false }
    let number = UInt32(bigEndian: address.s_addr)
    return number >> 24 == 127 || number == 0
  }
}
