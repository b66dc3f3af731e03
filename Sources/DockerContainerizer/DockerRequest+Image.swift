import ContainerInit
import DockerEngineClient
import Isolators
import LaunchModel
import LinuxKernel
import TaskModel
import TaskStore

/// What is asked for a container of an image that the engine has described.
extension DockerRequest {
  /// The plan that init carries out in a container of `image`.
  package func plan(_ taskID: String, image: ImageDetails) throws(ExecutorFailure) -> LaunchPlan {
    var plan = LaunchPlan(taskID: taskID, identity: identity, sandbox: settings.sandboxMountPoint)
    plan.environment = try environment(image)
    for group in create.hostConfig.groups.compactMap({ UInt32($0) })
    where !plan.restrictions.identity.supplementaryGroups.contains(group) {
      plan.restrictions.identity.supplementaryGroups.append(group)
    }
    plan.restrictions.boundingCapabilities = try boundingSet()?.rawValue
    plan.restrictions.noNewPrivileges =
      settings.isolation.contains(LinuxNoNewPrivileges.name) && !create.hostConfig.privileged && !letsGainPrivileges
    plan.restrictions.limits = limits
    plan.restrictions.scopesSockets =
      settings.isolation.contains(LinuxLandlock.name)
      && plan.restrictions.noNewPrivileges && Landlock.version >= Landlock.firstWithScopes
    // Whatever profile the engine has.
    plan.restrictions.keepsCgroupNamespace =
      identity.uid == 0 && !mayRemount && plan.restrictions.noNewPrivileges
    plan.restrictions.pinsNoFiles =
      plan.restrictions.noNewPrivileges && settings.isolation.contains(DiskUsageLimit.name)
      && task.resources?.disk ?? 0 > 0 && !isUnconfined
    plan.restrictions.filter = try additionalFilter(plan.restrictions)
    // What is ours of the walls; the others are the engine's.
    plan.isolators =
      [PosixResourceLimits.name] + (create.hostConfig.privileged ? [] : [LinuxCapabilities.name])
      + (plan.restrictions.noNewPrivileges ? [LinuxNoNewPrivileges.name] : [])
    if settings.createsUser, !create.hostConfig.readOnlyRoot {
      try checkAccounts(image)
      plan.steps.append(.account(identity))
    }
    guard task.runsImageCommand else { return plan }
    let asked = create.spec
    let directory = asked.workingDirectory.isEmpty ? image.spec.workingDirectory : asked.workingDirectory
    // An entry point that is given replaces the image's together with its command, as with `docker run`.
    let isReplaced = !(asked.entrypoint ?? []).isEmpty
    let words = isReplaced ? asked.entrypoint ?? [] : (image.spec.entrypoint ?? []) + (image.spec.command ?? [])
    guard let command = ImageCommand(words, in: directory) else {
      throw ExecutorFailure(.failed, "the working directory \"\(printable(directory.utf8))\" is not an absolute path")
    }
    plan.imageCommand = command.words
    plan.imageWorkingDirectory = command.workingDirectory
    plan.imageStopSignal = try stopSignal(image)
    plan.steps.append(command.makesDirectory)
    return plan
  }

  /// What asks the image's command to end: what is asked for, else what the image says. An image that names no signal that there
  /// is says nothing, as with an engine.
  private func stopSignal(_ image: ImageDetails) throws(ExecutorFailure) -> Int32? {
    let asked = create.spec.stopSignal
    guard !asked.isEmpty else { return SignalName.number(of: image.spec.stopSignal) }
    if let signal = SignalName.number(of: asked) { return signal }
    throw ExecutorFailure(.failed, "stop-signal: \"\(printable(asked.utf8))\" is no signal (as in \"SIGTERM\")")
  }

  /// Beside the engine's filter, unless the task asks for none. A process that may still gain privileges cannot install one
  /// without CAP_SYS_ADMIN.
  private func additionalFilter(_ restrictions: Restrictions) throws(ExecutorFailure) -> CompiledFilter? {
    guard settings.isolation.contains(LinuxSeccomp.name), restrictions.noNewPrivileges, !isUnconfined else {
      return nil
    }
    do throws(IsolationError) { return try LinuxSeccomp.additional() } catch {
      throw ExecutorFailure(.configuration, error.description, hint: error.hint)
    }
  }

  private var isUnconfined: Bool {
    securityOptions("seccomp").contains { $0.elementsEqual("unconfined".utf8) }
  }

  /// `security-opt no-new-privileges=false`.
  private var letsGainPrivileges: Bool {
    securityOptions("no-new-privileges").contains { value in !["true", "1"].contains { value.elementsEqual($0.utf8) } }
  }

  /// The values of `security-opt NAME=VALUE`, as the engine takes it apart.
  private func securityOptions(_ name: String) -> [[UInt8]] {
    create.hostConfig.securityOptions.compactMap { option in
      let parts = option.utf8.split(maxSplits: 1, omittingEmptySubsequences: false) {
        $0 == UInt8(ascii: "=") || $0 == UInt8(ascii: ":")
      }
      return parts.count == 2 && parts[0].elementsEqual(name.utf8) ? Array(parts[1]) : nil
    }
  }

  /// The image's variables and those of the parameters, where a name without a value takes the image's away.
  private func environment(_ image: ImageDetails) throws(ExecutorFailure) -> [EnvironmentVariable] {
    do throws(InvalidAssignment) {
      return try [EnvironmentVariable](assignments: image.spec.environment + create.spec.environment)
    } catch {
      throw ExecutorFailure(invalid: error)
    }
  }

  /// The whole request: the image as the engine knows it now, so that a name that moves meanwhile changes nothing, and
  /// everything that is ours, over whatever was asked for.
  package func finished(_ taskID: String, image: ImageDetails, nonce: String, paths: HostPaths) throws(ExecutorFailure)
    -> ContainerCreateRequest
  {
    var request = create
    label(&request.spec.labels, taskID, nonce, paths.workDirectory)
    request.spec.image = image.id.text
    request.spec.entrypoint = [Place.directory(nonce) + "/" + Place.programName]
    request.spec.command = [ContainerInit.command, Place.directory(nonce) + "/" + Place.socketName]
    request.spec.environment = DockerRequest.environmentOfInit(image)
    request.spec.user = "0:0"
    request.spec.workingDirectory = "/"
    request.spec.healthcheck = Healthcheck.none
    request.spec.stopSignal = "SIGTERM"
    request.spec.stopTimeout = Int64(min(task.finalizationWait, 86_400)) + 10
    // An engine's own lists, which these replace, lack some of it.
    if !request.hostConfig.privileged {
      if request.hostConfig.maskedPaths == nil {
        request.hostConfig.maskedPaths = FilesystemLinux.masked + paths.masked
      }
      if request.hostConfig.readOnlyPaths == nil { request.hostConfig.readOnlyPaths = FilesystemLinux.readOnly }
    }
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

  /// What an image has no say in: what the C library and the Swift runtime do in init, with init's rights.
  /// `SWIFT_BACKTRACE` names a program to start when it crashes. An engine adds an image's variables to what it is asked for,
  /// and takes those away that are named without a value. The others stay, for `docker exec` and the engine's runtimes
  /// (`NVIDIA_VISIBLE_DEVICES`); init forgets them before it does anything (CLinux/own_modes.c).
  private static func environmentOfInit(_ image: ImageDetails) -> [String] {
    let own = ["SWIFT_BACKTRACE=enable=no", "GLIBC_TUNABLES="]
    let others: Set<[UInt8]> = Set(
      image.spec.environment.map { Array($0.utf8.prefix { $0 != UInt8(ascii: "=") }) }
        .filter { name in ["GLIBC_", "LD_", "MALLOC_", "SWIFT_"].contains { name.starts(with: $0.utf8) } })
    let taken = others.map { String(decoding: $0, as: UTF8.self) }.sorted()
    return own + taken.filter { name in !own.contains { $0.utf8.starts(with: (name + "=").utf8) } }
  }

  /// A container of the image that is only looked into, and never started.
  package func probe(_ taskID: String, image: ImageDetails, nonce: String, workDirectory: String)
    -> ContainerCreateRequest
  {
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
  package func ownMounts(_ nonce: String, _ paths: HostPaths) -> [MountSpec] {
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

  /// Account files are written in the image's own /etc, never in a volume: that may be a directory of the host.
  private func checkAccounts(_ image: ImageDetails) throws(ExecutorFailure) {
    let etc = [Array("etc".utf8)]
    func covers(_ target: String) -> Bool { DockerRequest.cleaned(target) == etc }
    let isParameters = targets.contains(where: covers)
    guard isParameters || image.spec.volumes.contains(where: covers) else { return }
    throw ExecutorFailure(
      .failed,
      "cannot provide the role user: "
        + (isParameters ? "the parameters mount something on /etc" : "the image has a VOLUME at /etc"),
      hint: "with the parameter {\"name\": \"read-only\", \"value\": \"true\"} the account files are mounted over "
        + "its own; or --no-create-user")
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
    let none = PosixResourceLimits.noCoreDump
    return (asked.contains { $0.resource == none.resource } ? [] : [none]) + asked
  }
}
