import LinuxKernel

/// The request while options are applied to it, and what can only be decided when all of them are known.
struct RunOptionState {
  var request: ContainerCreateRequest
  var pull: DockerRunOptions.PullPolicy?
  var warnings: [String] = []
  let readFile: DockerRunOptions.FileReader?

  /// Networks in their order; the first one takes the options that name no network.
  var networks: [(name: String, endpoint: EndpointSettings)] = []
  /// What options without a network say: for the first one.
  var endpoint = EndpointSettings()
  var logDriver: String?
  var logOptions: [String: String] = [:]
  var noHealthcheck = false
  var health: Healthcheck?
  var cdiDevices: [String] = []
  /// What files say comes first, so that what is given itself has the last word.
  var fileVariables: [String] = []
  var variables: [String] = []
  var fileLabels: [String: String] = [:]
  var labels: [String: String] = [:]
  /// Where something is mounted.
  private var targets: Set<[UInt8]> = []

  init(_ request: ContainerCreateRequest, readFile: DockerRunOptions.FileReader?) {
    self.request = request
    self.readFile = readFile
    let config = request.hostConfig
    let given =
      config.binds.map(\.target) + config.mounts.map(\.target) + config.tmpfs.keys + config.devices.map(\.containerPath)
      + request.spec.volumes
    targets = Set(given.map { Array($0.cleanedAbsolutePath.utf8) })
  }

  /// A path in the container that something is to be mounted on, as it goes to the engine: which cleans some itself and
  /// leaves others to what mounts them. So one place has one name, and one mount.
  mutating func take(target: String) throws(RunOptionProblem) -> String {
    let cleaned = try RunOptionValue.absolutePath(target, "a path in the container").cleanedAbsolutePath
    guard targets.insert(Array(cleaned.utf8)).inserted, request.hostConfig.tmpfs[cleaned] == nil else {
      throw RunOptionProblem("something else is to be mounted on \"\(excerpt(cleaned.utf8, limit: 120))\" already")
    }
    return cleaned
  }

  /// The lines of a file that an option names.
  func content(of path: String) throws(RunOptionProblem) -> [UInt8] {
    guard let readFile else {
      throw RunOptionProblem("it names a file of the host, and reading those is not allowed here", .refused)
    }
    let path = try RunOptionValue.absolutePath(path, "a path of the host")
    do throws(DockerEngineError) {
      return try readFile(path)
    } catch {
      throw RunOptionProblem(error.description)
    }
  }

  mutating func finish() throws(RunOptionProblem) {
    for variable in fileVariables + variables {
      // Of two with one name a process would see the first; the last is the one that counts.
      let name = RunOptionValue.cut(variable, "=").name
      request.spec.environment.removeAll { RunOptionValue.cut($0, "=").name.utf8.elementsEqual(name.utf8) }
      request.spec.environment.append(variable)
    }
    request.spec.labels.merge(fileLabels) { $1 }
    request.spec.labels.merge(labels) { $1 }
    if noHealthcheck {
      if health != nil {
        throw RunOptionProblem("it cannot be used together with a health-… option", option: "no-healthcheck")
      }
      request.spec.healthcheck = Healthcheck.none
    } else if let health {
      request.spec.healthcheck = health
    }
    if logDriver != nil || !logOptions.isEmpty {
      if let logDriver, logDriver.utf8.elementsEqual("none".utf8), !logOptions.isEmpty {
        throw RunOptionProblem("the driver \"none\" has no options", option: "log-opt")
      }
      request.hostConfig.logConfig = LogConfig(driver: logDriver ?? "", options: logOptions)
    }
    if !cdiDevices.isEmpty {
      var devices = DeviceRequest()
      devices.driver = "cdi"
      devices.deviceIDs = cdiDevices
      request.hostConfig.deviceRequests.append(devices)
    }
    try finishNetworks()
  }

  private mutating func finishNetworks() throws(RunOptionProblem) {
    if networks.isEmpty {
      // Options of an endpoint without a network are about the one that the engine or the caller chooses.
      if endpoint == EndpointSettings() { return }
      let mode = request.hostConfig.networkMode
      let name = mode.isEmpty ? "default" : mode
      try merge(&endpoint, into: request.networks[name] ?? EndpointSettings(), name)
      request.networks[name] = endpoint
      return
    }
    request.hostConfig.networkMode = networks[0].name
    request.networks = [:]
    let modes = networks.filter { !isUserDefined($0.name) }
    if !modes.isEmpty, networks.count > 1 {
      throw RunOptionProblem("\"\(excerpt(modes[0].name.utf8, limit: 60))\" cannot be combined with another network")
    }
    for (index, network) in networks.enumerated() {
      var settings = network.endpoint
      if index == 0 {
        var common = endpoint
        if isUserDefined(network.name) { common.links = request.hostConfig.links }
        try merge(&common, into: settings, network.name)
        settings = common
      }
      if !isUserDefined(network.name), !settings.aliases.isEmpty || !settings.links.isEmpty {
        throw RunOptionProblem(
          "aliases and links are for networks that were made, not for \"\(excerpt(network.name.utf8, limit: 60))\"",
          option: "network-alias")
      }
      if request.networks[network.name] != nil {
        throw RunOptionProblem("the network \"\(excerpt(network.name.utf8, limit: 60))\" is given more than once")
      }
      // A single network without settings of its own needs no endpoint: the mode says it all.
      if networks.count > 1 || settings != EndpointSettings() { request.networks[network.name] = settings }
    }
  }

  /// Joins what was said of a network with what was said without one; both at once would leave open which counts.
  private func merge(
    _ common: inout EndpointSettings, into own: EndpointSettings, _ name: String
  ) throws(RunOptionProblem) {
    func one(_ first: String, _ second: String, _ option: String) throws(RunOptionProblem) -> String {
      if !first.isEmpty, !second.isEmpty {
        throw RunOptionProblem("it is also given for the network \"\(excerpt(name.utf8, limit: 60))\"", option: option)
      }
      return first.isEmpty ? second : first
    }
    func one(_ first: [String], _ second: [String], _ option: String) throws(RunOptionProblem) -> [String] {
      if !first.isEmpty, !second.isEmpty { _ = try one("x", "x", option) }
      return first.isEmpty ? second : first
    }
    var merged = own
    merged.aliases = try one(common.aliases, own.aliases, "network-alias")
    merged.links = try one(common.links, own.links, "link")
    merged.ipv4Address = try one(common.ipv4Address, own.ipv4Address, "ip")
    merged.ipv6Address = try one(common.ipv6Address, own.ipv6Address, "ip6")
    merged.linkLocalAddresses = try one(common.linkLocalAddresses, own.linkLocalAddresses, "link-local-ip")
    _ = try one(request.spec.macAddress, own.macAddress, "mac-address")
    common = merged
  }

  /// Not one of the modes that every engine has.
  private func isUserDefined(_ network: String) -> Bool {
    let modes = ["default", "bridge", "host", "none"]
    return !modes.contains { $0.utf8.elementsEqual(network.utf8) } && !network.utf8.starts(with: "container:".utf8)
  }
}
