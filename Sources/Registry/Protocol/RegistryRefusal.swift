import HTTP1
import LinuxKernel
import StrictJSON

/// What an answer that is no success means.
enum RegistryRefusal {
  /// The error for a status, with the registry's own words where it has any.
  static func error(_ head: ReplyHead, body: [UInt8]) -> RegistryError {
    let said = words(body)
    let status = "\(head.status)" + (said.isEmpty ? "" : ": \(said)")
    let after = RetryPolicy.seconds(head.value("retry-after"))
    switch head.status {
    case 401:
      return RegistryError(
        .denied, why: "the registry wants to know who asks (\(status))",
        hint: "`docker login`, or --docker-config, has it know; a name that is not there may be answered so as well")
    case 403:
      return RegistryError(
        .denied, why: "the registry does not allow it (\(status))",
        hint: "these credentials, or none, are not enough; a name that is not there may be answered so as well")
    case 404: return RegistryError(.notFound, why: "the registry has no such thing (\(status))", hint: "check the name")
    case 416: return RegistryError(.unavailable, why: "it cannot be gone on with (\(status))", mayPass: true)
    case 429:
      return RegistryError(
        .unavailable,
        why: "the registry is asked too often (\(status))"
          + (after.map { "; it asks to be left alone for \($0) s" } ?? ""),
        hint: "later, or with credentials, which have limits of their own", mayPass: true, retryAfter: after)
    case 408, 425, 500, 502, 503, 504:
      return RegistryError(
        .unavailable, why: "the registry cannot serve it now (\(status))", mayPass: true, retryAfter: after)
    case 500...: return RegistryError(.unavailable, why: "the registry failed (\(status))")
    case 300..<400: return .invalid("the answer leads on, where it is not followed (\(status))")
    default: return .invalid("the registry refuses it (\(status))")
    }
  }

  /// The first of a registry's own words, in the form that the specification has for them; empty where there are none.
  static func words(_ body: [UInt8]) -> String {
    guard body.count <= 64 << 10, let json = try? JSON(parsing: body) else { return "" }
    let first = json["errors"]?.array?.first
    let parts = [
      first?["code"]?.string, first?["message"]?.string ?? json["message"]?.string ?? json["details"]?.string,
    ]
    return parts.compactMap { $0 }.filter { !$0.isEmpty }.map { printable($0.utf8.prefix(200)) }.joined(separator: ", ")
  }
}
