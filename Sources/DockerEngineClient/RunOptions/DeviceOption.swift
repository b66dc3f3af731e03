import HTTP1

/// `device`, `device-cgroup-rule`, `gpus` and the rates of block devices.
enum DeviceOption {
  /// `/dev/a[:/dev/b][:rwm]`, or the qualified name of a CDI device, `vendor.com/class=name`.
  static func device(_ state: inout RunOptionState, _ text: String) throws(RunOptionProblem) {
    let bytes = Array(text.utf8)
    if bytes.first != UInt8(ascii: "/"), bytes.contains(UInt8(ascii: "/")), bytes.contains(UInt8(ascii: "=")) {
      state.cdiDevices.append(text)
      return
    }
    let parts = SplitText.parts(text, ":")
    guard parts.count <= 3, !text.utf8.contains(0) else { throw .value(text, "/dev/host[:/dev/container][:rwm]") }
    var device = DeviceMapping(hostPath: try RunOptionValue.absolutePath(parts[0], "a device of the host"))
    if parts.count == 2, isPermissions(parts[1]) {
      device.permissions = parts[1]
    } else if parts.count >= 2 {
      device.containerPath = try RunOptionValue.absolutePath(parts[1], "a device in the container")
    }
    if parts.count == 3 {
      guard isPermissions(parts[2]) else { throw .value(parts[2], "some of r, w and m, each once") }
      device.permissions = parts[2]
    }
    device.containerPath = try state.take(target: device.containerPath)
    state.request.hostConfig.devices.append(device)
  }

  private static func isPermissions(_ text: String) -> Bool {
    let bytes = Array(text.utf8)
    return !bytes.isEmpty && bytes.allSatisfy { "rwm".utf8.contains($0) } && Set(bytes).count == bytes.count
  }

  /// `c 42:* rmw`
  static func cgroupRule(_ text: String) throws(RunOptionProblem) -> String {
    let parts = SplitText.parts(text, " ")
    let numbers = parts.count == 3 ? SplitText.parts(parts[1], ":") : []
    let valid =
      numbers.count == 2 && ["a", "b", "c"].contains(parts[0])
      && numbers.allSatisfy { $0.utf8.elementsEqual("*".utf8) || (!$0.isEmpty && $0.utf8.allSatisfy(ASCII.isDigit)) }
      && (1...3).contains(parts[2].utf8.count) && parts[2].utf8.allSatisfy { "rwm".utf8.contains($0) }
    guard valid else { throw .value(text, "a rule such as \"c 42:* rmw\"") }
    return text
  }

  /// `all`, a number, or fields: `driver=nvidia,"device=0,1","capabilities=utility,compute"`.
  static func gpus(_ state: inout RunOptionState, _ text: String) throws(RunOptionProblem) {
    var devices = DeviceRequest()
    var seen: Set<String> = []
    for field in try RunOptionValue.csv(text) {
      let (name, given) = RunOptionValue.cut(field, "=")
      // A value alone is the count.
      let key = given == nil ? "count" : name
      let value = given ?? name
      guard seen.insert(key).inserted else {
        throw RunOptionProblem("\(excerpt(key.utf8, limit: 40)) is given more than once")
      }
      switch key {
      case "driver": devices.driver = value
      case "count": devices.count = value.utf8.elementsEqual("all".utf8) ? -1 : try RunOptionValue.integer(value)
      case "device": devices.deviceIDs = SplitText.parts(value, ",")
      case "capabilities": devices.capabilities = [SplitText.parts(value, ",") + ["gpu"]]
      case "options":
        for option in try RunOptionValue.csv(value) {
          let (name, value) = RunOptionValue.cut(option, "=")
          devices.options[name] = value ?? ""
        }
      default: throw RunOptionProblem("there is no \"\(excerpt(key.utf8, limit: 40))\" of a GPU request")
      }
    }
    if !seen.contains("count"), devices.deviceIDs.isEmpty { devices.count = 1 }
    if devices.capabilities.isEmpty { devices.capabilities = [["gpu"]] }
    state.request.hostConfig.deviceRequests.append(devices)
  }

  /// `/dev/sda:1mb`
  static func byteRate(_ text: String) throws(RunOptionProblem) -> ContainerResources.DeviceRate {
    let (path, value) = try parts(text)
    return ContainerResources.DeviceRate(path: path, value: UInt64(try RunOptionValue.size(value)))
  }

  /// `/dev/sda:100`
  static func operationRate(_ text: String) throws(RunOptionProblem) -> ContainerResources.DeviceRate {
    let (path, value) = try parts(text)
    guard let rate = UInt64(value) else { throw .value(value, "a whole number") }
    return ContainerResources.DeviceRate(path: path, value: rate)
  }

  /// `/dev/sda:500`
  static func weight(_ text: String) throws(RunOptionProblem) -> ContainerResources.DeviceRate {
    let (path, value) = try parts(text)
    return ContainerResources.DeviceRate(path: path, value: UInt64(try weight(value: value)))
  }

  /// 10 to 1000, or 0 for the default.
  static func weight(value: String) throws(RunOptionProblem) -> Int64 {
    let weight = try RunOptionValue.integer(value, 0...1000)
    guard weight == 0 || weight >= 10 else { throw .value(value, "a weight from 10 to 1000, or 0") }
    return weight
  }

  private static func parts(_ text: String) throws(RunOptionProblem) -> (path: String, value: String) {
    let (path, value) = RunOptionValue.cut(text, ":")
    // The engine looks for it as root: what is not below /dev is nobody's to ask for.
    let names = SplitText.parts(path, "/")
    guard let value, path.utf8.starts(with: "/dev/".utf8), !path.utf8.contains(0), !names.contains(".."),
      !names.contains(".")
    else {
      throw .value(text, "/dev/NAME:VALUE")
    }
    return (path, value)
  }

  private static let limits = [
    "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile", "nproc", "rss", "rtprio",
    "rttime", "sigpending", "stack",
  ]

  /// `nofile=1024[:2048]`; of two for one limit the last counts.
  static func ulimit(_ state: inout RunOptionState, _ text: String) throws(RunOptionProblem) {
    let (name, value) = RunOptionValue.cut(text, "=")
    guard let value else { throw .value(text, "name=soft[:hard]") }
    guard limits.contains(where: { $0.utf8.elementsEqual(name.utf8) }) else {
      let near = NearNames.of(name, among: limits)
      let hint = near.isEmpty ? "" : "; near: \(near.joined(separator: ", "))"
      throw RunOptionProblem("there is no limit \"\(excerpt(name.utf8, limit: 40))\"\(hint)")
    }
    let parts = SplitText.parts(value, ":")
    guard parts.count <= 2 else { throw .value(text, "name=soft[:hard]") }
    let soft = try RunOptionValue.integer(parts[0])
    let hard = parts.count == 2 ? try RunOptionValue.integer(parts[1]) : soft
    guard soft >= -1, hard >= -1, hard == -1 || (soft != -1 && soft <= hard) else {
      throw RunOptionProblem("the soft limit of \"\(excerpt(text.utf8, limit: 60))\" is above the hard one")
    }
    state.request.hostConfig.ulimits.removeAll { $0.name.utf8.elementsEqual(name.utf8) }
    state.request.hostConfig.ulimits.append(Ulimit(name: name, soft: soft, hard: hard))
  }
}
