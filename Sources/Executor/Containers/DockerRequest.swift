import ContainerInit
import DockerEngineClient
import Isolators
import LaunchModel
import LinuxKernel
import TaskModel

/// What a task asks of its container, as the engine's create request and the plan that init carries out in it: a value
/// made of values.
struct DockerRequest {
  /// Where things are in the container, outside whatever an image may hold: the directory's name is random, so that no
  /// image can have a link there which leads the mount below a volume of its own, and runs its own program as ours.
  enum Place {
    static let programName = "init"
    static let socketName = "start.sock"
    /// How the directory's name begins.
    static let prefix = ".aurora-executor"

    static func directory(_ nonce: String) -> String {
      "/" + prefix + "." + String(decoding: nonce.utf8.prefix(16), as: UTF8.self)
    }
  }

  /// Where things are on the host.
  struct HostPaths: Equatable {
    /// The program and the socket.
    var handover: String
    var sandbox: String
    var logs: String
    var workDirectory: String
    /// `/etc/passwd` and so on with the role user in it, for a root that cannot be written to.
    var accounts: [(target: String, source: String)] = []

    static func == (left: HostPaths, right: HostPaths) -> Bool {
      left.handover == right.handover && left.sandbox == right.sandbox
        && left.logs == right.logs && left.workDirectory == right.workDirectory
        && left.accounts.map(\.source) == right.accounts.map(\.source)
    }
  }

  /// What init needs beyond the task: to write the account files, to become the role, to signal its processes, and to
  /// see who holds a log open.
  static let initCapabilities = capabilities([
    "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP", "SYS_PTRACE",
  ])

  /// As the document and its parameters have it; `finish` adds what the image says and what is ours.
  private(set) var create: ContainerCreateRequest
  private(set) var pull: DockerRunOptions.PullPolicy?
  private(set) var warnings: [String]
  private let task: TaskSpecification
  private let identity: Identity
  private let settings: RunSettings

  init(_ task: TaskSpecification, _ container: DockerContainer, _ identity: Identity, _ settings: RunSettings)
    throws(CommandFailure)
  {
    self.task = task
    self.identity = identity
    self.settings = settings
    create = ContainerCreateRequest(image: container.image)
    let allowed = try DockerParameters.Allowed(settings.allowedDockerParameters)
    try allowed.check(container)
    create.hostConfig.privileged = container.privileged
    try DockerRequest.addNetwork(container, to: &create)
    DockerRequest.addLimits(task.resources, to: &create.hostConfig.resources)
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
      throw CommandFailure(
        .failed, "container.docker.parameters\(index.map { "[\($0)]" } ?? ""): \(error)", hint: hint, parameter: index)
    }
    if container.network == .user, create.hostConfig.networkMode.isEmpty {
      throw CommandFailure(
        .failed, "container.docker.network is USER, and no network is named",
        hint: "name it in a parameter: {\"name\": \"network\", \"value\": \"NAME\"}")
    }
    try checkPlaces()
    settle()
  }

  // MARK: What the document says

  private static func addNetwork(_ container: DockerContainer, to create: inout ContainerCreateRequest)
    throws(CommandFailure)
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
      throw CommandFailure(
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
  private static func addLimits(_ resources: Resources?, to limits: inout ContainerResources) {
    let (standard, own): (Int64, Int64) = (4096, 1)
    limits.pidsLimit = (resources?.pids ?? standard).addingClamped(own)
    guard let resources else { return }
    limits.cpuShares = max(2, min(262_144, Int64(1024 * min(resources.cpu, 256))))
    limits.cpuPeriod = 100_000
    limits.cpuQuota = max(1000, Int64(100_000 * min(resources.cpu, 4096)))
    limits.memory = resources.ram
    limits.memoryReservation = resources.ram
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
  private func checkPlaces() throws(CommandFailure) {
    let sandbox = DockerRequest.cleaned(settings.sandboxMountPoint)
    for target in targets {
      let components = DockerRequest.cleaned(target)
      guard let first = components.first else {
        throw CommandFailure(.failed, "\(printable(target.utf8)): nothing can be mounted on / of a container")
      }
      if first.starts(with: Place.prefix.utf8) {
        throw CommandFailure(.failed, "\(printable(target.utf8)): /\(Place.prefix)* is the executor's own")
      }
      if components == sandbox || components.starts(with: sandbox + [Array(".logs".utf8)]) {
        throw CommandFailure(
          .failed, "\(printable(target.utf8)): nothing can be mounted over the sandbox or its .logs",
          hint: "other directories in the sandbox are free")
      }
    }
  }

  /// Where the parameters mount something.
  private var targets: [String] {
    let config = create.hostConfig
    let binds = config.binds.compactMap { bind -> String? in
      let parts = bind.split(separator: ":", omittingEmptySubsequences: false)
      return parts.count > 1 ? String(parts[1]) : nil
    }
    return config.mounts.map(\.target) + Array(config.tmpfs.keys) + create.spec.volumes + binds
  }

  /// Account files are written in the image's own /etc, never in a volume: that may be a directory of the host.
  private func checkAccounts(_ image: ImageDetails) throws(CommandFailure) {
    let etc = [Array("etc".utf8)]
    func covers(_ target: String) -> Bool { DockerRequest.cleaned(target) == etc }
    let isParameters = targets.contains(where: covers)
    guard isParameters || image.spec.volumes.contains(where: covers) else { return }
    throw CommandFailure(
      .failed,
      "cannot provide the role user: "
        + (isParameters ? "the parameters mount something on /etc" : "the image has a VOLUME at /etc"),
      hint: "with the parameter {\"name\": \"read-only\", \"value\": \"true\"} the account files are mounted over "
        + "its own; or --no-create-user")
  }

  /// The components of a path as the engine takes it.
  private static func cleaned(_ path: String) -> [[UInt8]] { Array(path.utf8).cleanedPathComponents }

  // MARK: Limits on power

  /// Whether ids inside are ids outside although the engine maps them.
  var usesHostUsers: Bool { create.hostConfig.userNamespaceMode == "host" }
  /// Init cannot write the account files: they have to be mounted.
  var needsAccountFiles: Bool { create.hostConfig.readOnlyRoot && settings.createsUser }
  var platform: String? { create.platform.isEmpty ? nil : create.platform }

  /// The container could undo the read-only mount of what is ours.
  var mayRemount: Bool {
    guard let bounding = try? boundingSet() else { return true }
    return bounding.contains(DockerRequest.capabilities(["SYS_ADMIN"]))
  }

  /// The most any process of the task may gain; `nil`: no limit (`privileged`).
  func boundingSet() throws(CommandFailure) -> Capabilities? {
    if create.hostConfig.privileged { return nil }
    let (added, addsAll) = try parse(create.hostConfig.addCapabilities)
    let (dropped, dropsAll) = try parse(create.hostConfig.dropCapabilities)
    if addsAll { return DockerRequest.capabilities(Capabilities.names).subtracting(dropped) }
    let base = dropsAll ? [] : DockerRequest.capabilities(LinuxCapabilities.standard)
    return base.subtracting(dropped).union(added)
  }

  private func parse(_ names: [String]) throws(CommandFailure) -> (Capabilities, isAll: Bool) {
    var set: Capabilities = []
    for name in names where name.uppercased() != "ALL" {
      guard let capability = Capabilities(name: name) else {
        throw CommandFailure(
          .failed, "unknown capability \"\(printable(name.utf8))\"", hint: "capabilities(7) lists them")
      }
      set.formUnion(capability)
    }
    return (set, names.contains { $0.uppercased() == "ALL" })
  }

  private static func capabilities(_ names: [String]) -> Capabilities {
    names.reduce(into: Capabilities()) { set, name in Capabilities(name: name).map { set.formUnion($0) } }
  }

  /// The limits of setrlimit(2), which are the processes' alone: init, which has the engine's, writes their logs. Core
  /// dumps are off, as natively, unless somebody asks for them.
  private var limits: [ResourceLimit] {
    let asked = create.hostConfig.ulimits.compactMap { limit in
      PosixResourceLimits.resources[limit.name.uppercased()].map { number in
        ResourceLimit(
          resource: number, soft: UInt64(exactly: limit.soft) ?? .max, hard: UInt64(exactly: limit.hard) ?? .max)
      }
    }
    let core: Int32 = 4
    return (asked.contains { $0.resource == core } ? [] : [ResourceLimit(resource: core, soft: 0, hard: 0)]) + asked
  }

  // MARK: With an image

  /// The plan that init carries out in a container of `image`.
  func plan(_ taskID: String, image: ImageDetails) throws(CommandFailure) -> LaunchPlan {
    var plan = LaunchPlan(taskID: taskID, identity: identity, sandbox: settings.sandboxMountPoint)
    plan.environment = try environment(image)
    for group in create.hostConfig.groups.compactMap({ UInt32($0) })
    where !plan.restrictions.identity.supplementaryGroups.contains(group) {
      plan.restrictions.identity.supplementaryGroups.append(group)
    }
    plan.restrictions.boundingCapabilities = try boundingSet()?.rawValue
    plan.restrictions.noNewPrivileges =
      settings.isolation.contains(LinuxNoNewPrivileges.name) && !create.hostConfig.privileged
    plan.restrictions.limits = limits
    if settings.createsUser, !create.hostConfig.readOnlyRoot {
      try checkAccounts(image)
      plan.steps.append(.account(identity))
    }
    guard task.runsImageCommand else { return plan }
    let directory = [create.spec.workingDirectory, image.spec.workingDirectory, "/"].first { !$0.isEmpty } ?? "/"
    guard directory.utf8.first == UInt8(ascii: "/"), !directory.utf8.contains(0) else {
      throw CommandFailure(.failed, "the working directory \"\(printable(directory.utf8))\" is not an absolute path")
    }
    // An entry point that is given replaces the image's together with its command, as with `docker run`.
    let isReplaced = !(create.spec.entrypoint ?? []).isEmpty
    plan.imageCommand =
      isReplaced ? create.spec.entrypoint ?? [] : (image.spec.entrypoint ?? []) + (image.spec.command ?? [])
    // As the engine starts in it: links on the way do not count.
    let cleaned = directory.cleanedAbsolutePath
    plan.imageWorkingDirectory = cleaned
    plan.steps.append(.directory(target: cleaned, mode: 0o755))
    return plan
  }

  /// The image's variables and those of the parameters, where a name without a value takes the image's away.
  private func environment(_ image: ImageDetails) throws(CommandFailure) -> [EnvironmentVariable] {
    var variables: [EnvironmentVariable] = []
    for assignment in image.spec.environment + create.spec.environment {
      let variable = EnvironmentVariable(assignment: assignment)
      guard variable.isValid else {
        throw CommandFailure(.failed, "an environment variable that cannot be: \"\(printable(variable.name.utf8))\"")
      }
      variables.removeAll { $0.name.utf8.elementsEqual(variable.name.utf8) }
      if assignment.utf8.contains(UInt8(ascii: "=")) { variables.append(variable) }
    }
    return variables
  }

  /// The whole request: the image as the engine knows it now, so that a name that moves meanwhile changes nothing, and
  /// everything that is ours, over whatever was asked for.
  func finished(_ taskID: String, image: ImageDetails, nonce: String, paths: HostPaths) throws(CommandFailure)
    -> ContainerCreateRequest
  {
    var request = create
    label(&request.spec.labels, taskID, nonce, paths.workDirectory)
    request.spec.image = image.id.text
    request.spec.entrypoint = [Place.directory(nonce) + "/" + Place.programName]
    request.spec.command = [ContainerInit.handoverCommand, Place.directory(nonce) + "/" + Place.socketName]
    request.spec.environment = DockerRequest.environmentOfInit(image)
    request.spec.user = "0:0"
    request.spec.workingDirectory = "/"
    request.spec.healthcheck = Healthcheck.none
    request.spec.stopSignal = "SIGTERM"
    request.spec.stopTimeout = Int64(min(task.finalizationWait, 86_400)) + 10
    request.hostConfig.groups = []
    // The plan has them: what an engine is given here holds for init too.
    request.hostConfig.ulimits = []
    request.hostConfig.initProcess = false
    request.hostConfig.autoRemove = false
    request.hostConfig.restartPolicy = RestartPolicy(name: "no")
    request.hostConfig.logConfig = LogConfig(driver: "none")
    if let bounding = try boundingSet() {
      let all = DockerRequest.capabilities(Capabilities.names)
      request.hostConfig.dropCapabilities = ["ALL"]
      // By name, each may be one that an older engine does not know.
      request.hostConfig.addCapabilities =
        bounding == all ? ["ALL"] : bounding.union(DockerRequest.initCapabilities).list.map { String($0.dropFirst(4)) }
    }
    request.hostConfig.mounts += ownMounts(nonce, paths)
    return request
  }

  /// What init's own environment is: nothing of the image's. An engine adds an image's variables to what it is asked for,
  /// and takes those away that are named without a value. The image would otherwise have a say in what the C library and
  /// the Swift runtime do in init, with init's rights: `SWIFT_BACKTRACE` names a program to start when it crashes.
  private static func environmentOfInit(_ image: ImageDetails) -> [String] {
    let own = [EnvironmentVariable("SWIFT_BACKTRACE", "enable=no"), EnvironmentVariable("GLIBC_TUNABLES", "")]
    let names = image.spec.environment.map { EnvironmentVariable(assignment: $0).name }
    return own.map { "\($0.name)=\($0.value)" }
      + names.filter { name in !own.contains { $0.name.utf8.elementsEqual(name.utf8) } }
  }

  /// A container of the image that is only looked into, and never started.
  func probe(_ taskID: String, image: ImageDetails, nonce: String, workDirectory: String) -> ContainerCreateRequest {
    var request = ContainerCreateRequest(image: image.id.text)
    label(&request.spec.labels, taskID, nonce, workDirectory)
    request.spec.entrypoint = ["/"]
    request.hostConfig.networkMode = "none"
    request.platform = create.platform
    return request
  }

  private func label(_ labels: inout [String: String], _ taskID: String, _ nonce: String, _ workDirectory: String) {
    labels[DockerLabels.workDirectory] = workDirectory
    labels[DockerLabels.image] = create.spec.image
    labels[DockerLabels.taskID] = taskID
    labels[DockerLabels.role] = identity.name
    labels[DockerLabels.nonce] = nonce
  }

  /// What is ours in the container.
  func ownMounts(_ nonce: String, _ paths: HostPaths) -> [MountSpec] {
    let sandbox = settings.sandboxMountPoint
    func bind(_ source: String, _ target: String, readOnly: Bool) -> MountSpec {
      var mount = MountSpec(.bind, source: source, target: target)
      mount.readOnly = readOnly
      return mount
    }
    return [
      bind(paths.handover, Place.directory(nonce), readOnly: true), bind(paths.sandbox, sandbox, readOnly: false),
      bind(paths.logs, sandbox + "/.logs", readOnly: true),
    ] + paths.accounts.map { bind($0.source, $0.target, readOnly: true) }
  }
}

extension TaskSpecification {
  /// It has no processes of its own: the image's command is what runs.
  var runsImageCommand: Bool { processes.contains { $0.command == nil } }
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
