import HTTP1
import LinuxKernel

/// What curl's exit statuses mean (curl(1), "EXIT CODES").
enum CurlExit {
  /// The error for a curl that ended with `status`, having said `words`; `nil` when it has done all that it should.
  static func error(_ status: ExitStatus, words: [UInt8], maximumBytes: UInt64) -> RegistryError? {
    let said = quote(words)
    guard case .exited(let code) = status else {
      return RegistryError(.unavailable, why: "curl was ended by \(status)", mayPass: true)
    }
    func unavailable(_ why: String, hint: String = "", _ trait: RegistryError.Trait? = nil) -> RegistryError {
      RegistryError(.unavailable, why: why + said, hint: hint, mayPass: true, trait: trait)
    }
    switch code {
    case 0: return nil
    case 1: return .invalid("it is neither HTTP nor HTTPS" + said)
    case 3: return .invalid("it leads to a URL that is none" + said)
    case 5:
      return unavailable(
        "the proxy's name cannot be resolved", hint: "the proxy is that of https_proxy and its like", .unreachable)
    case 6: return unavailable("the name of the host cannot be resolved", .unreachable)
    case 7: return unavailable("no connection can be made", .unreachable)
    case 28: return unavailable("it takes too long")
    case 33, 36: return unavailable("what was cut cannot be gone on with")
    case 35:
      return RegistryError(
        .unavailable, why: "TLS cannot be begun" + said,
        hint: "a registry that speaks plain HTTP needs --plain-http HOST[:PORT]", trait: .noTLS)
    case 52: return unavailable("the connection was closed without an answer")
    case 18, 55, 56, 92, 95: return unavailable("the connection broke in the middle")
    case 16, 43, 61, 8: return .invalid("the answer is no HTTP" + said)
    case 60, 51, 90, 91:
      return RegistryError(
        .unavailable, why: "its certificate is not to be trusted" + said,
        hint: "--ca-file FILE names the authorities to believe, in PEM")
    case 63: return .invalid("the answer is longer than \(maximumBytes) bytes")
    case 67:
      return .invalid("it leads to a URL with a user name" + said)
    case 77:
      return RegistryError(
        .configuration, why: "the certificate authorities cannot be read" + said,
        hint: "the package ca-certificates has the usual ones; --ca-file FILE names others")
    case 2: return RegistryError(.configuration, why: "this curl lacks what is needed: 7.61 or later" + said)
    case 126, 127: return RegistryError(.configuration, why: "curl cannot be executed" + said)
    default: return RegistryError(.unavailable, why: "curl failed with status \(code)" + said, mayPass: true)
    }
  }

  /// curl's own words without its name and number: `: Could not resolve host: x`.
  private static func quote(_ words: [UInt8]) -> String {
    let line = words.prefix { $0 != ASCII.lineFeed }
    var rest = line[...]
    if rest.starts(with: "curl: ".utf8) { rest = rest.dropFirst(6) }
    if rest.first == UInt8(ascii: "("), let close = rest.firstIndex(of: UInt8(ascii: ")")) {
      rest = rest[(close + 1)...].drop(while: ASCII.isSpace)
    }
    return rest.isEmpty ? "" : " (curl: \(printable(rest.prefix(300))))"
  }
}
