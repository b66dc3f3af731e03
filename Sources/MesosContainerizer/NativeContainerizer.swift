import Cgroups
import ContainerInit
import Containers
import DiskUsage
import Glibc
import Images
import Isolators
import LaunchModel
import LinuxKernel
import StrictJSON
import TaskModel
import TaskStore

/// The Mesos containerizer, for the supervisor: an image from the store, isolators, container-init.
package struct NativeContainerizer: Containerizer {
  private let task: TaskSpecification
  private let container: MesosContainer
  private let identity: Identity
  private let settings: RunSettings
  private let paths: TaskPaths
  private let launcher: MesosContainerizer
  private let isRoot: Bool
  private var found: (store: ImageStore, image: StoredImage)?
  private var stored: StoredImage? { found?.image }
  private var imageLock: SharedDescriptor?
  private var root: ImageRoot
  package private(set) var image: ProvisionedImage?

  /// - Parameters:
  ///   - host: what there is here; looked up where nothing is said.
  ///   - program: the file that container-init is executed from.
  package init(
    task: TaskSpecification, container: MesosContainer, identity: Identity, settings: RunSettings, paths: TaskPaths,
    host: HostFacts? = nil, program: String = CurrentProcess.program
  ) throws(ExecutorFailure) {
    self.task = task
    self.container = container
    self.identity = identity
    self.settings = settings
    self.paths = paths
    root = ImageRoot(paths)
    try NativeContainerizer.refuseUnsupported(task, container)
    do {
      let host = if let host { host } else { try HostFacts.discover() }
      isRoot = host.isRoot
      launcher = MesosContainerizer(
        isolators: try BuiltInIsolators.select(settings.isolation, host: host), host: host,
        owner: CgroupOwner(workDirectory: paths.workDirectory), program: program)
      if case .profile(let name) = container.linuxInfo?.seccomp, !launcher.isolatorNames.contains(LinuxSeccomp.name) {
        throw IsolationError(
          LinuxSeccomp.name, "the task asks for the seccomp profile \(name), and --isolation leaves this out")
      }
    } catch let error as IsolationError {
      throw ExecutorFailure(.configuration, error.description, hint: error.hint)
    } catch {
      throw ExecutorFailure(.internalError, "cannot look at this host: \(error)")
    }
  }

  /// What the document asks for and this version cannot give. Running the task all the same, with less isolation or
  /// fewer devices than it counts on, would be worse than not running it.
  private static func refuseUnsupported(_ task: TaskSpecification, _ container: MesosContainer) throws(ExecutorFailure)
  {
    func refuse(_ what: String) -> ExecutorFailure { ExecutorFailure(.failed, "\(what) not supported yet") }
    if !container.networkInfos.isEmpty { throw refuse("networks of network_infos are") }
    if container.ttyInfo != nil { throw refuse("a terminal (tty_info) is") }
    if let gpus = task.resources?.gpu, gpus > 0 { throw refuse("GPUs are") }
  }

  package var imageName: String? {
    switch container.image {
    case .docker(let name, let tag): name + (tag.map { ":" + $0 } ?? "")
    case .appc(let name, _, _): name
    case nil: nil
    }
  }

  private var isAppc: Bool { if case .appc = container.image { true } else { false } }

  package mutating func provision(until signals: SharedDescriptor) throws(ExecutorFailure) {
    guard container.image != nil else { return }
    guard isRoot else {
      throw ExecutorFailure(
        .needsPrivileges, "a task with an image needs root, for its file system is put together by mounts",
        hint: "run with sudo, or leave the image out")
    }
    try obtain(until: signals)
    do {
      if let found { imageLock = try NativeContainerizer.unwalkable(try found.store.lockForUse(found.image)) }
    } catch let error as ImageError {
      throw ExecutorFailure(error)
    } catch {
      throw ExecutorFailure(.cannotCreate, "cannot hold the image: \(error)")
    }
    if let found { try root.provision(found.image.summary, until: signals) }
  }

  /// The lock on an image as init can hold it: its directory, from which nothing of the host can be reached.
  private static func unwalkable(_ lock: consuming FileDescriptor) throws(Errno) -> SharedDescriptor {
    let own = SharedDescriptor(try openUnwalkable([UInt8](), at: lock.rawValue))
    guard try FileLock.take(.shared, on: own.rawValue, wait: false) else { throw Errno("flock", code: EWOULDBLOCK) }
    return own
  }

  package mutating func locate() throws(ExecutorFailure) {
    switch try wanted() {
    case nil: break
    case .reference(let reference):
      use(try NativeImage(settings, workDirectory: paths.workDirectory).stored(reference))
    case .appc(let query): use(try NativeAppcImage(settings, workDirectory: paths.workDirectory).stored(query))
    }
  }

  /// The image from the store, or pulled, as the settings have it.
  private mutating func obtain(until signals: SharedDescriptor) throws(ExecutorFailure) {
    switch try wanted() {
    case nil: break
    case .reference(let reference):
      use(try NativeImage(settings, workDirectory: paths.workDirectory).provide(reference, until: signals))
    case .appc(let query):
      use(try NativeAppcImage(settings, workDirectory: paths.workDirectory).provide(query, until: signals))
    }
  }

  private mutating func use(_ image: (ImageStore, StoredImage)) {
    found = image
    let digest = image.1.appc?.imageID.description ?? (image.1.manifestDigest ?? image.1.id).description
    self.image = ProvisionedImage(
      reference: imageName ?? image.1.id.description, digest: digest, id: image.1.id.description)
  }

  /// What the task calls its image.
  private enum Wanted {
    case reference(ImageReference)
    case appc(AppcQuery)
  }

  /// `nil` for a task without one.
  private func wanted() throws(ExecutorFailure) -> Wanted? {
    guard let source = container.image, let text = imageName else { return nil }
    do {
      switch source {
      case .docker: return .reference(try ImageReference(text))
      case .appc(let name, let id, let labels): return .appc(try AppcQuery(name: name, id: id, labels: labels))
      }
    } catch let error as ReferenceError {
      throw ExecutorFailure(.failed, error.description)
    } catch let error as ImageError {
      throw ExecutorFailure(.failed, error.message, hint: error.hint)
    } catch {
      throw ExecutorFailure(.internalError, "cannot read what the task calls its image: \(error)")
    }
  }

  /// What the task asks for, in the isolators' terms.
  private func config() throws(ExecutorFailure) -> ContainerConfig {
    var root = ContainerConfig.Root.host
    var runtime: ContainerConfig.ImageRuntime?
    if let stored {
      root = self.root.config(stored.summary)
      runtime = ContainerConfig.ImageRuntime(
        environment: try environment(of: stored),
        entrypoint: stored.config.entrypoint, command: stored.config.command,
        workingDirectory: stored.config.workingDirectory,
        stopSignal: SignalName.number(of: stored.config.stopSignal), isAppc: isAppc)
    }
    var resources = ContainerConfig.Resources()
    if let asked = task.resources {
      resources.cpus = asked.cpu
      resources.memoryBytes = UInt64(clamping: asked.memoryLimit)
      resources.diskBytes = UInt64(clamping: asked.disk)
    }
    let (asked, ceiling) = (task.resources?.pids, settings.policy?.ceilings[.pids])
    resources.pids = UInt64(clamping: CgroupsPIDs.most(asked: asked, ceiling: ceiling))
    resources.asksForPIDs = asked != nil || ceiling != nil
    let sandbox = stored == nil ? paths.sandbox : settings.sandboxMountPoint
    var config = ContainerConfig(
      id: paths.taskID, identity: identity, resources: resources, root: root, sandboxHostPath: paths.sandbox,
      logsHostPath: paths.logs, sandbox: sandbox, hostname: HostEnvironment.hostname)
    config.image = runtime
    config.processCount = task.processes.count
    config.networkFilesDirectory = stored == nil ? nil : paths.networkFiles
    config.hiddenDirectories = try hiddenDirectories
    config.createsUser = settings.createsUser
    config.countsProjects = DiskQuota.countsProjects(at: paths.sandbox)
    config.runsImageCommand = task.processes.contains { $0.command == nil }
    config.volumes = container.volumes.map { volume in
      let path =
        switch volume.source {
        case .hostPath(let path): path
        case .sandboxPath(let path): path
        }
      return ContainerConfig.Volume(
        containerPath: volume.containerPath, hostPath: path, readOnly: volume.mode == .readOnly)
    }
    config.volumesAreJudged = settings.policy != nil
    config.limits = container.rlimits.map { ContainerConfig.NamedLimit(name: $0.type, soft: $0.soft, hard: $0.hard) }
    config.mostOpenFiles = settings.policy?.ceilings[.openFiles].map { UInt64(clamping: $0) }
    if let info = container.linuxInfo {
      config.boundingCapabilities = info.boundingCapabilities
      config.effectiveCapabilities = info.effectiveCapabilities
      config.sharesPIDNamespace = info.sharePIDNamespace
      config.sharesIPCNamespace = info.ipcMode == .shareParent
      config.sharedMemoryBytes = info.shmSizeBytes.map { UInt64(clamping: $0) }
    }
    if let most = settings.policy?.ceilings[.shm] {
      config.sharedMemoryBytes = min(
        config.sharedMemoryBytes ?? NamespacesIPC.sharedMemoryBytes, UInt64(clamping: most))
    }
    config.seccomp = seccomp
    return config
  }

  private func environment(of image: StoredImage) throws(ExecutorFailure) -> [EnvironmentVariable] {
    do throws(InvalidAssignment) { return try [EnvironmentVariable](assignments: image.config.environment) } catch {
      throw ExecutorFailure(invalid: error)
    }
  }

  /// What a container without an image must not see of the others. What is not there needs not be hidden; what cannot be
  /// looked at may well be there.
  private var hiddenDirectories: [String] {
    get throws(ExecutorFailure) {
      guard settings.isolation.contains(FilesystemLinux.name) else { return [] }
      var found: [String] = []
      for path in [
        TaskPaths.tasks(paths.workDirectory), TaskPaths.images(paths.workDirectory), paths.runDirectory,
      ] {
        do throws(Errno) {
          if try status(of: path, followLinks: true).isDirectory { found.append(path) }
        } catch  where error.code != ENOENT {
          throw ExecutorFailure(.configuration, "cannot hide \(path) from the task: \(error)")
        } catch {}
      }
      return found
    }
  }

  /// Which filter of system calls the task gets: what it asks for. Whoever is to judge that judges here.
  private var seccomp: ContainerConfig.Seccomp {
    switch container.linuxInfo?.seccomp {
    case nil: .default
    case .unconfined: .unconfined
    case .profile(let name): name.utf8.elementsEqual("default".utf8) ? .default : .file(name)
    }
  }

  package func plan() throws(ExecutorFailure) -> LaunchPlan { try plan(config()) }

  private func plan(_ config: ContainerConfig) throws(ExecutorFailure) -> LaunchPlan {
    var plan: LaunchPlan
    do throws(LaunchError) { plan = try launcher.plan(config) } catch { throw ExecutorFailure(error) }
    // Nobody has left them out by name.
    guard !isRoot, settings.isolation == RunSettings.unprivilegedIsolation else { return plan }
    plan.leftOut += RunSettings.defaultIsolation.filter { !settings.isolation.contains($0) }
      .map { LeftOut($0, "it needs root") }
    return plan
  }

  package func engineRequest() -> EngineRequest? { nil }

  /// The sandbox with what `TaskPaths` made in it, the writable layer, and the logs where a quota that is full keeps none of
  /// them from being written: what they say then is what is needed.
  /// None where the image was copied: what is in the copy was made before there was anybody to charge, and so would be what is
  /// made in its directories.
  package var quotaDirectories: [String] {
    if root.isCopy { return [] }
    let sandbox = [paths.sandbox] + (DiskQuota.letsLogsPass(at: paths.sandbox) ? [paths.logs] : [])
    return paths.hasRootfs ? sandbox + [paths.upper, paths.overlayWork] : sandbox
  }

  /// A launch waits for nobody.
  package func launch(until signals: SharedDescriptor) throws(ExecutorFailure) -> any Container {
    let files = ContainerFiles(
      initLog: paths.initLog, exits: paths.exits, controlSocket: paths.controlSocket, directory: paths.run)
    let config = try config()
    let plan = try plan(config)
    let sandbox = try Sandbox(paths, identity).prepare(plan.sandboxEntries)
    if isRoot, !plan.steps.contains(where: \.isRoot) { try paths.openFor(identity) }
    do throws(LaunchError) {
      let launched = try launcher.launch(
        plan, config, files: files, sandbox: sandbox, keepOpen: imageLock.map { [$0] } ?? [])
      return try NativeContainer(launched, paths: paths, launcher: launcher, keeps: settings.keepsContainer)
    } catch {
      throw ExecutorFailure(error)
    }
  }

  package mutating func adopt(_ launched: JSON, _ record: LaunchRecord) throws(ExecutorFailure) -> Adoption {
    guard let identity = ProcessIdentity(json: launched) else {
      throw ExecutorFailure(.internalError, "the journal does not say which process container-init was")
    }
    image = record.image
    switch try LivingInit.find(identity, paths) {
    case .gone(let why): return .gone(why)
    case .living(let found):
      return .container(
        NativeContainer(
          record.plan, found.process, identity, found.client, paths: paths, launcher: launcher,
          keeps: settings.keepsContainer))
    }
  }

  /// A launch undoes itself; what provisioning made is the writable layer.
  package func abandon() -> [String] { paths.removeRootfs() }

  package func removeRemains(keeping: Bool) -> [String] {
    // An init of which nothing is known but its socket: an executor was killed before it could write down whom it had
    // started. The cgroup ends it as well, where there is one.
    if let client = try? InitClient(connectingTo: paths.controlSocket) {
      bestEffort("have container-init shut down", tolerating: EPIPE, ECONNRESET) { try client.send(.shutdown) }
    }
    bestEffort("remove the control socket \(paths.controlSocket)", tolerating: ENOENT) {
      try removeFile(paths.controlSocket)
    }
    return launcher.destroy(paths.taskID, initProcess: nil) + paths.putRootfsAside(keeping: keeping)
  }
}

extension CgroupOwner {
  /// Whose the cgroups of a work directory's native tasks are.
  package init(workDirectory: String) { self.init(tasks: TaskPaths.tasks(workDirectory)) }
}
