import HTTP1

/// `network`: a name or mode, or `name=net,alias=web,ip=10.1.2.3,driver-opt=key=value`.
enum NetworkOption {
  static func network(_ state: inout RunOptionState, _ text: String) throws(RunOptionProblem) {
    guard text.utf8.contains(UInt8(ascii: "=")) else {
      state.networks.append((try name(text), EndpointSettings()))
      return
    }
    var target = ""
    var endpoint = EndpointSettings()
    for field in try RunOptionValue.csv(text) {
      let (written, given) = RunOptionValue.cut(field, "=")
      guard let given else { throw RunOptionProblem("\"\(excerpt(field.utf8, limit: 60))\" is not name=value") }
      let value = String(decoding: ASCII.trimmed(Array(given.utf8)[...]), as: UTF8.self)
      switch String(decoding: ASCII.lowercased(ASCII.trimmed(Array(written.utf8)[...])), as: UTF8.self) {
      case "name": target = try name(value)
      case "alias": endpoint.aliases.append(try RunOptionValue.text(value, "an alias"))
      case "ip": endpoint.ipv4Address = try ipv4(value)
      case "ip6": endpoint.ipv6Address = try ipv6(value)
      case "mac-address": endpoint.macAddress = try IPAddressText.macAddress(value)
      case "link-local-ip": endpoint.linkLocalAddresses.append(try IPAddressText.check(value))
      case "driver-opt":
        let (key, text) = RunOptionValue.cut(value, "=")
        guard let text, !key.isEmpty else { throw .value(value, "key=value") }
        endpoint.driverOptions[key] = text
      case "gw-priority": endpoint.gatewayPriority = try RunOptionValue.integer(value)
      case let key: throw RunOptionProblem("a network has no \"\(excerpt(key.utf8, limit: 40))\"")
      }
    }
    if target.isEmpty { throw RunOptionProblem("\"\(excerpt(text.utf8, limit: 60))\" has no name=…") }
    state.networks.append((target, endpoint))
  }

  static func ipv4(_ text: String) throws(RunOptionProblem) -> String {
    guard IPAddressText.isIPv4(text.utf8) else { throw .value(text, "an IPv4 address") }
    return text
  }

  static func ipv6(_ text: String) throws(RunOptionProblem) -> String {
    guard IPAddressText.isIPv6(text.utf8) else { throw .value(text, "an IPv6 address") }
    return text
  }

  private static func name(_ text: String) throws(RunOptionProblem) -> String {
    guard !text.isEmpty, text.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7f }) else { throw .value(text, "a network") }
    return text
  }

  /// `name:address` or `name=address`; the engine knows the first form only, and no brackets.
  static func extraHost(_ text: String) throws(RunOptionProblem) -> String {
    let problem = RunOptionProblem.value(text, "name:address")
    let separator: Character = text.utf8.contains(UInt8(ascii: "=")) ? "=" : ":"
    let (name, given) = RunOptionValue.cut(text, separator)
    guard var address = given, !name.isEmpty, !name.utf8.contains(UInt8(ascii: ":")) else { throw problem }
    if address.utf8.first == UInt8(ascii: "["), address.utf8.last == UInt8(ascii: "]") {
      address = String(decoding: address.utf8.dropFirst().dropLast(), as: UTF8.self)
    }
    if !address.utf8.elementsEqual("host-gateway".utf8) { _ = try IPAddressText.check(address) }
    return "\(name):\(address)"
  }

  /// A domain to search, or `.` for none.
  static func searchDomain(_ text: String) throws(RunOptionProblem) -> String {
    let bytes = ASCII.trimmed(Array(text.utf8)[...])
    if bytes.elementsEqual([UInt8(ascii: ".")]) { return "." }
    let name = bytes.last == UInt8(ascii: ".") ? bytes.dropLast() : bytes
    let labels = name.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    let hyphen = UInt8(ascii: "-")
    let valid = labels.allSatisfy { label in
      guard let first = label.first, let last = label.last else { return false }
      return first != hyphen && last != hyphen && label.allSatisfy { ASCII.isAlphanumeric($0) || $0 == hyphen }
    }
    guard valid, name.count < 255, name.contains(where: ASCII.isLetter) else { throw .value(text, "a domain") }
    return String(decoding: name, as: UTF8.self)
  }
}
