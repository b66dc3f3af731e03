import ContainerInit
import DockerEngineClient
import Isolators
import LaunchModel
import LinuxKernel
import TaskModel
import TaskStore

/// What a task asks of its container, as the engine's create request and the plan that init carries out in it: a value
/// made of values.
package struct DockerRequest {
  /// Where things are in the container, outside whatever an image may hold: the directory's name is random, so that no
  /// image can have a link there which leads the mount below a volume of its own, and runs its own program as ours.
  package enum Place {
    static let programName = "init"
    static let socketName = "start.sock"
    /// How the directory's name begins.
    package static let prefix = ".aurora-executor"

    package static func directory(_ nonce: String) -> String {
      "/" + prefix + "." + String(decoding: nonce.utf8.prefix(16), as: UTF8.self)
    }
  }

  /// Where things are on the host.
  package struct HostPaths: Equatable {
    /// The program and the socket.
    var handover: String
    var sandbox: String
    var logs: String
    var workDirectory: String
    /// `/etc/passwd` and so on with the role user in it, for a root that cannot be written to.
    var accounts: [(target: String, source: String)] = []
    /// What engines hide of this host in a container, beside what we do.
    var masked: [String] = []

    package static func == (left: HostPaths, right: HostPaths) -> Bool {
      left.handover == right.handover && left.sandbox == right.sandbox
        && left.logs == right.logs && left.workDirectory == right.workDirectory
        && left.accounts.map(\.source) == right.accounts.map(\.source) && left.masked == right.masked
    }
  }

  /// What init needs beyond the task: to write the account files, to become the role, to signal its processes, and to
  /// see who holds a log open.
  static let initCapabilities = capabilities([
    "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP", "SYS_PTRACE",
  ])

  /// As the document and its parameters have it; `finish` adds what the image says and what is ours.
  package private(set) var create: ContainerCreateRequest
  private(set) var pull: DockerRunOptions.PullPolicy?
  private(set) var warnings: [String]
  package let task: TaskSpecification
  package let identity: Identity
  package let settings: RunSettings

  package init(_ task: TaskSpecification, _ container: DockerContainer, _ identity: Identity, _ settings: RunSettings)
    throws(ExecutorFailure)
  {
    self.task = task
    self.identity = identity
    self.settings = settings
    create = ContainerCreateRequest(image: container.image)
    let allowed = try DockerParameters.Allowed(settings.allowedDockerParameters)
    try allowed.check(container)
    create.hostConfig.privileged = container.privileged
    try DockerRequest.addNetwork(container, to: &create)
    DockerRequest.addLimits(task.resources, settings.policy?.ceilings[.pids], to: &create.hostConfig.resources)
    if let count = task.resources?.gpu, count > 0 {
      // As `--gpus N`: whether there are any is the engine's to say.
      var devices = DeviceRequest()
      (devices.count, devices.capabilities) = (count, [["gpu"]])
      create.hostConfig.deviceRequests.append(devices)
    }
    let usable = try DockerParameters.usable(
      container.parameters, allowed: allowed,
      identity: (identity.name, identity.uid, identity.gid), runsImageCommand: task.runsImageCommand)
    do throws(DockerRunOptionError) {
      let applied = try DockerRunOptions.apply(parameters: usable.parameters, to: &create)
      pull = applied.pull
      warnings = usable.warnings + applied.warnings
    } catch {
      let hint = error.suggestions.isEmpty ? nil : "did you mean \(error.suggestions.joined(separator: " or "))?"
      let index = usable.indices.indices.contains(error.index) ? usable.indices[error.index] : nil
      let place = index == nil ? "container.docker.parameters: " : ""
      throw ExecutorFailure(.failed, "\(place)\(error)", hint: hint, parameter: index)
    }
    if container.network == .user, create.hostConfig.networkMode.isEmpty {
      throw ExecutorFailure(
        .failed, "container.docker.network is USER, and no network is named",
        hint: "name it in a parameter: {\"name\": \"network\", \"value\": \"NAME\"}")
    }
    try checkPlaces()
    settle()
    create.hostConfig.makeNoSources()
    if let leave = settings.policy { create.hostConfig.govern(leave) }
  }

  // MARK: What the document says

  private static func addNetwork(_ container: DockerContainer, to create: inout ContainerCreateRequest)
    throws(ExecutorFailure)
  {
    switch container.network {
    case .host, nil: create.hostConfig.networkMode = "host"
    case .bridge: create.hostConfig.networkMode = "bridge"
    case .none?: create.hostConfig.networkMode = "none"
    // A parameter names it.
    case .user: create.hostConfig.networkMode = ""
    }
    guard !container.portMappings.isEmpty else { return }
    let isOwn =
      container.network == .bridge || container.network == .user
      || container.parameters.contains { DockerRunOptions.canonicalName($0.name) == "network" }
    guard isOwn else {
      throw ExecutorFailure(
        .failed, "port_mappings need a network of the container's own, and this one is on the host's",
        hint: "set container.docker.network to BRIDGE, or leave port_mappings out")
    }
    for mapping in container.portMappings {
      let port = "\(mapping.containerPort)/\(mapping.transport)"
      create.hostConfig.portBindings[port, default: []].append(PortBinding(hostPort: String(mapping.hostPort)))
      if !create.spec.exposedPorts.contains(port) { create.spec.exposedPorts.append(port) }
    }
  }

  /// The same numbers as natively; init is one more process in the container.
  private static func addLimits(_ resources: Resources?, _ ceiling: Int64?, to limits: inout ContainerResources) {
    limits.pidsLimit = CgroupsPIDs.most(asked: resources?.pids, ceiling: ceiling).addingClamped(1)
    guard let resources else { return }
    let cpus = CPUBandwidth(cpus: resources.cpu)
    limits.cpuShares = Int64(cpus.shares)
    limits.cpuPeriod = Int64(CPUBandwidth.periodMicroseconds)
    limits.cpuQuota = Int64(cpus.quotaMicroseconds)
    limits.memory = resources.memoryLimit
    limits.memoryReservation = resources.memoryLimit
  }

  /// What only holds together with what the parameters said.
  private mutating func settle() {
    create.hostConfig.resources.settle()
    let mode = create.hostConfig.networkMode
    let hasOwnName =
      mode != "host" && !mode.utf8.starts(with: "container:".utf8) && create.hostConfig.utsMode != "host"
    if hasOwnName, create.spec.hostname.isEmpty { create.spec.hostname = HostEnvironment.hostname }
  }

  /// Nothing may be mounted where something of ours is. What the image makes of a path is looked at after the start.
  private func checkPlaces() throws(ExecutorFailure) {
    let sandbox = DockerRequest.cleaned(settings.sandboxMountPoint)
    for target in targets {
      let components = DockerRequest.cleaned(target)
      guard let first = components.first else {
        throw ExecutorFailure(.failed, "\(printable(target.utf8)): nothing can be mounted on / of a container")
      }
      if first.starts(with: Place.prefix.utf8) {
        throw ExecutorFailure(.failed, "\(printable(target.utf8)): /\(Place.prefix)* is the executor's own")
      }
      if sandbox.starts(with: components) || components.starts(with: sandbox + [Array(".logs".utf8)]) {
        throw ExecutorFailure(
          .failed, "a volume may not be mounted on \(printable(target.utf8))",
          hint: "the sandbox, its .logs and what lies above them stay as they are; other directories in it are free")
      }
    }
  }

  /// Where the parameters mount something.
  package var targets: [String] {
    let config = create.hostConfig
    return config.mounts.map(\.target) + Array(config.tmpfs.keys) + create.spec.volumes + config.binds.map(\.target)
  }

  /// What of the host a policy has given leave for.
  var judgedMounts: [MountSpec] {
    guard settings.policy != nil else { return [] }
    return create.hostConfig.mounts.filter { $0.kind == .bind }
  }

  /// The components of a path as the engine takes it.
  package static func cleaned(_ path: String) -> [[UInt8]] { Array(path.utf8).cleanedPathComponents }

  // MARK: Limits on power

  /// Whether ids inside are ids outside although the engine maps them.
  var usesHostUsers: Bool { create.hostConfig.userNamespaceMode == "host" }
  /// Init cannot write the account files: they have to be mounted.
  var needsAccountFiles: Bool { create.hostConfig.readOnlyRoot && settings.createsUser }
  package var platform: String? { create.platform.isEmpty ? nil : create.platform }

  /// The container could undo the read-only mount of what is ours.
  var mayRemount: Bool {
    guard let bounding = try? boundingSet() else { return true }
    return bounding.contains(DockerRequest.capabilities(["SYS_ADMIN"]))
  }

  /// The most any process of the task may gain; `nil`: no limit (`privileged`).
  func boundingSet() throws(ExecutorFailure) -> Capabilities? {
    if create.hostConfig.privileged { return nil }
    let (added, addsAll) = try parse(create.hostConfig.addCapabilities)
    let (dropped, dropsAll) = try parse(create.hostConfig.dropCapabilities)
    if addsAll { return DockerRequest.capabilities(Capabilities.names).subtracting(dropped) }
    let mode = create.hostConfig.networkMode
    // Whose network another container has is not known here; it may be the host's.
    let sharesHostNetwork = mode == "host" || mode.utf8.starts(with: "container:".utf8)
    let base =
      dropsAll ? [] : DockerRequest.capabilities(LinuxCapabilities.standard(sharesHostNetwork: sharesHostNetwork))
    return base.subtracting(dropped).union(added)
  }

  private func parse(_ names: [String]) throws(ExecutorFailure) -> (Capabilities, isAll: Bool) {
    var set: Capabilities = []
    for name in names where name.uppercased() != "ALL" {
      guard let capability = Capabilities(name: name) else {
        throw ExecutorFailure(
          .failed, "unknown capability \"\(printable(name.utf8))\"", hint: "capabilities(7) lists them")
      }
      set.formUnion(capability)
    }
    return (set, names.contains { $0.uppercased() == "ALL" })
  }

  package static func capabilities(_ names: [String]) -> Capabilities {
    names.reduce(into: Capabilities()) { set, name in Capabilities(name: name).map { set.formUnion($0) } }
  }
}

extension TaskSpecification {
  /// It has no processes of its own: the image's command is what runs.
  package var runsImageCommand: Bool { processes.contains { $0.command == nil } }
}

extension ContainerResources {
  /// Fields that say the same in two ways must not contradict each other.
  fileprivate mutating func settle() {
    if nanoCPUs != nil { (cpuPeriod, cpuQuota) = (nil, nil) }
    // Memory and swap together, as natively: a task cannot swap its way past its limit.
    if let memory, memorySwap == nil { memorySwap = memory }
    if let memory, let reservation = memoryReservation, memory > 0 { memoryReservation = min(reservation, memory) }
  }
}

extension Int64 {
  fileprivate func addingClamped(_ other: Int64) -> Int64 {
    let (sum, overflow) = addingReportingOverflow(other)
    return overflow ? .max : sum
  }
}
