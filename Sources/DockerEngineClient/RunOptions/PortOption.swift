import HTTP1

/// `publish` and `expose`.
enum PortOption {
  /// `[address:][hostPort]:containerPort[/protocol]` with ranges, or `published=8080,target=80[,protocol=udp]`.
  static func publish(_ state: inout RunOptionState, _ text: String) throws(RunOptionProblem) {
    let problem = RunOptionProblem.value(text, "[address:][hostPort:]containerPort[/protocol]")
    var plain = text
    if text.utf8.contains(UInt8(ascii: "=")) { plain = try longForm(text) }
    var parts = SplitText.parts(plain, ":")
    guard let target = parts.popLast() else { throw problem }
    let hostPort = parts.popLast() ?? ""
    var address = parts.joined(separator: ":")
    if address.utf8.first == UInt8(ascii: "["), address.utf8.last == UInt8(ascii: "]") {
      address = String(decoding: address.utf8.dropFirst().dropLast(), as: UTF8.self)
    }
    if !parts.isEmpty, !address.isEmpty { _ = try IPAddressText.check(address) }

    let (ports, proto) = try containerPorts(target, text)
    var hostPorts: ClosedRange<Int>?
    if !hostPort.isEmpty {
      guard let range = range(hostPort) else { throw problem }
      // A range of the host for one port of the container means "a free one of these".
      guard range.count == ports.count || ports.count == 1 else {
        throw RunOptionProblem("\"\(excerpt(text.utf8, limit: 60))\" pairs ranges of different lengths")
      }
      hostPorts = range
    }
    for (offset, port) in ports.enumerated() {
      var host = ""
      if let hostPorts {
        host = String(hostPorts.lowerBound + offset)
        if ports.count == 1, hostPorts.count > 1 { host += "-\(hostPorts.upperBound)" }
      }
      let key = "\(port)/\(proto)"
      state.request.hostConfig.portBindings[key, default: []].append(PortBinding(hostAddress: address, hostPort: host))
      expose(&state, key)
    }
  }

  /// `port[-port][/protocol]`
  static func expose(_ state: inout RunOptionState, range text: String) throws(RunOptionProblem) {
    let (ports, proto) = try containerPorts(text, text)
    for port in ports { expose(&state, "\(port)/\(proto)") }
  }

  private static func expose(_ state: inout RunOptionState, _ key: String) {
    if !state.request.spec.exposedPorts.contains(key) { state.request.spec.exposedPorts.append(key) }
  }

  private static func longForm(_ text: String) throws(RunOptionProblem) -> String {
    var values = ["protocol": "tcp"]
    for field in SplitText.parts(text, ",") {
      let (name, value) = RunOptionValue.cut(field, "=")
      guard let value, ["published", "target", "protocol", "mode"].contains(name) else {
        throw .value(text, "published=PORT,target=PORT[,protocol=PROTOCOL]")
      }
      values[name] = value
    }
    return "\(values["published"] ?? ""):\(values["target"] ?? "")/\(values["protocol"] ?? "tcp")"
  }

  private static func containerPorts(
    _ text: String, _ whole: String
  ) throws(RunOptionProblem) -> (ports: ClosedRange<Int>, proto: String) {
    let (ports, given) = RunOptionValue.cut(text, "/")
    let lowered = String(decoding: ASCII.lowercased((given ?? "tcp").utf8), as: UTF8.self)
    let proto = lowered.isEmpty ? "tcp" : lowered
    guard ["tcp", "udp", "sctp"].contains(proto) else { throw .value(proto, "tcp, udp or sctp") }
    guard let range = range(ports) else { throw .value(whole, "a port or a range of ports from 0 to 65535") }
    return (range, proto)
  }

  private static func range(_ text: String) -> ClosedRange<Int>? {
    let (first, last) = RunOptionValue.cut(text, "-")
    guard let from = ASCII.decimal(first.utf8), let to = ASCII.decimal((last ?? first).utf8), from <= to, to <= 65535
    else { return nil }
    return Int(from)...Int(to)
  }
}
