import HTTP1
import LinuxKernel

/// Where an answer sends a request. curl is never let go there by itself: to whom a credential is shown is decided here,
/// whatever curl there is (before 7.83 one shows it to another port of the same host).
enum Redirect {
  /// More hops than registries and their stores make.
  static let most = 5

  private static let statuses = [301, 302, 303, 307, 308]

  /// The request to make in its place; `nil` when the answer is one.
  ///
  /// - Parameter count: how often it was sent elsewhere before.
  static func next(after head: ReplyHead, of request: CurlRequest, count: Int) throws(RegistryError) -> CurlRequest? {
    // What is posted is a secret: it goes nowhere else.
    guard request.form == nil, statuses.contains(head.status), let location = head.value("location") else { return nil }
    guard count < most else { throw .invalid("it is redirected without end") }
    guard let here = WebAddress(request.url.utf8) else { throw .invalid("it is redirected from a URL that is none") }
    let shown = printable(location.prefix(200))
    guard let there = here.resolving(location) else {
      throw .invalid("it is redirected to what is neither HTTP nor HTTPS, or no plain URL (\(shown))")
    }
    var next = request
    next.mayBePlain = request.mayBePlain && !here.isSecure
    guard there.isSecure || next.mayBePlain else {
      throw .invalid("it is redirected from HTTPS to plain HTTP (\(shown))")
    }
    // What listens on this machine is not for a server elsewhere to ask.
    guard WebAddress.isLoopback(here.authority) || !WebAddress.mayBeThisMachine(there.authority) else {
      throw .invalid("it is redirected to this machine, where it does not come from (\(shown))")
    }
    next.url = there.text
    if !there.hasOrigin(of: here) { next.authorization = nil }
    next.isDirect = request.isDirect && WebAddress.isLoopback(there.authority)
    return next
  }
}

extension WebAddress {
  /// Where a `Location` leads from here (RFC 3986, section 5.2), without its fragment; `nil` when that is nowhere. What a
  /// URL may not have is escaped, as browsers and curl do it; control characters are refused.
  func resolving(_ location: [UInt8]) -> WebAddress? {
    guard !location.contains(where: { $0 < 0x20 || $0 == 0x7f }) else { return nil }
    let text = location.prefix { $0 != UInt8(ascii: "#") }.flatMap { byte -> [UInt8] in
      byte > 0x7f || " \"\\<>^`{|}".utf8.contains(byte)
        ? [UInt8(ascii: "%")] + WebAddress.hexadecimal(byte) : [byte]
    }
    let end = text.firstIndex { "/?".utf8.contains($0) } ?? text.endIndex
    if text[..<end].contains(UInt8(ascii: ":")) { return WebAddress(text) }
    let scheme = isSecure ? "https:" : "http:"
    if text.starts(with: "//".utf8) { return WebAddress(Array(scheme.utf8) + text) }
    let place = Array(path.utf8.prefix { $0 != UInt8(ascii: "?") })
    let prefix: [UInt8] =
      switch text.first {
      case UInt8(ascii: "/"): []
      case UInt8(ascii: "?"): place
      case nil: Array(path.utf8)
      default: Array(place[...(place.lastIndex(of: UInt8(ascii: "/")) ?? 0)])
      }
    return WebAddress(Array("\(scheme)//\(authority)".utf8) + prefix + text)
  }

  private static func hexadecimal(_ byte: UInt8) -> [UInt8] {
    let digits = Array("0123456789ABCDEF".utf8)
    return [digits[Int(byte >> 4)], digits[Int(byte & 15)]]
  }
}
