import LinuxKernel

/// One request as curl is told of it: a value, and its text for `curl --config -`.
struct CurlRequest: Sendable {
  var url: String
  /// What may be spoken with the server that the URL names.
  var mayBePlain: Bool
  /// `Name: value`; no secrets.
  var headers: [String] = []
  /// The value of `Authorization`.
  var authorization: String?
  /// The body of a POST.
  var form: String?
  /// Where to go on with what was cut.
  var offset: UInt64 = 0
  /// A longer body is not even begun, where its length is announced.
  var maximumBytes: UInt64
  /// Not by a proxy.
  var isDirect = false
  /// The name under which the curl process finds certificate authorities to believe in place of the host's.
  var certificates: String?
  var timeouts = TransferTimeouts()

  /// The configuration. Throws when a value holds what no value of ours has: it could end its line and begin another.
  func configuration() throws(RegistryError) -> [UInt8] {
    var lines: [String] = ["globoff", "silent", "show-error", "include", "no-buffer"]
    func add(_ name: String, _ value: String) throws(RegistryError) {
      lines.append("\(name) = \(try CurlRequest.quoted(value))")
    }
    try add("url", url)
    try add("user-agent", "aurora-executor")
    try add("proto", mayBePlain ? "=http,https" : "=https")
    try add("connect-timeout", String(timeouts.connect))
    try add("speed-time", String(timeouts.slow))
    try add("speed-limit", String(timeouts.slowBytes))
    if let whole = timeouts.whole { try add("max-time", String(whole)) }
    try add("max-filesize", String(maximumBytes))
    lines += ["suppress-connect-headers", "tlsv1.2", "disallow-username-in-url"]
    if isDirect { try add("noproxy", "*") }
    if let certificates { try add("cacert", certificates) }
    if offset > 0 { try add("range", "\(offset)-") }
    for header in headers { try add("header", header) }
    if let authorization { try add("header", "Authorization: " + authorization) }
    if let form { try add("data-raw", form) }
    return Array((lines.joined(separator: "\n") + "\n").utf8)
  }

  /// A value between quotes, as curl reads it. Only `\` and `"` mean anything there; a control character, which could be a
  /// line's end to curl or to a server, is refused.
  static func quoted(_ value: String) throws(RegistryError) -> String {
    var out: [UInt8] = [UInt8(ascii: "\"")]
    for byte in value.utf8 {
      guard byte >= 0x20, byte != 0x7f else {
        throw .invalid("a control character in what would be sent to a server")
      }
      if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { out.append(UInt8(ascii: "\\")) }
      out.append(byte)
    }
    out.append(UInt8(ascii: "\""))
    return String(decoding: out, as: UTF8.self)
  }
}

/// How long a server may take, in seconds.
package struct TransferTimeouts: Sendable {
  package var connect = 10
  /// Fewer than `slowBytes` a second for so long is as good as nothing.
  package var slow = 30
  package var slowBytes = 512
  /// For all of it; none for what may be large.
  package var whole: Int?
  package init() {}
}
