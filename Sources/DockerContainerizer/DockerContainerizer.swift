import ContainerInit
import Containers
import DockerEngineClient
import Glibc
import LaunchModel
import LinuxKernel
import StrictJSON
import TaskModel
import TaskStore

/// The Docker containerizer, for the supervisor: the engine makes the container, container-init runs in it.
package struct DockerContainerizer: Containerizer {
  /// The writable layer is the engine's, and made when its processes start.
  package let quotaDirectories: [String] = []
  private let task: TaskSpecification
  private let container: DockerContainer
  private let identity: Identity
  private let paths: TaskPaths
  /// For people.
  private let tell: (String) -> Void
  private let engine: DockerEngine
  /// The same engine for what is worth knowing and not worth waiting for: a task that has ended is told of soon.
  private let advisor: DockerEngine
  private let request: DockerRequest
  private let source: DockerImage
  private let keeps: Bool
  private let creation: DockerCreation
  /// An executor before this one may have asked for containers too.
  private let isTakeover: Bool
  /// The container that the journal names.
  private var recorded: ContainerID?
  private var details: ImageDetails?
  package private(set) var image: ProvisionedImage?

  package init(
    task: TaskSpecification, container: DockerContainer, identity: Identity, settings: RunSettings, paths: TaskPaths,
    tell: @escaping (String) -> Void
  ) throws(ExecutorFailure) {
    self.task = task
    self.container = container
    self.identity = identity
    self.paths = paths
    self.tell = tell
    let socket = settings.dockerSocket ?? DockerEngine.Configuration().socketPath
    engine = DockerContainerizer.engine(socket, head: .seconds(30))
    advisor = DockerContainerizer.engine(socket, head: .seconds(5))
    keeps = settings.keepsContainer
    creation = DockerCreation(engine)
    isTakeover = (try? status(of: paths.containerNonce)) != nil
    request = try DockerRequest(task, container, identity, settings)
    source = try DockerImage(
      container.image, engine: engine, platform: request.platform, configFile: settings.dockerConfig,
      tell: tell)
  }

  private static func engine(_ socket: String, head: Duration) -> DockerEngine {
    var configuration = DockerEngine.Configuration(socketPath: socket)
    configuration.deadlines.head = head
    configuration.deadlines.whole = head + .seconds(10)
    return DockerEngine(configuration)
  }

  package var imageName: String? { source.name }

  // MARK: The image

  package mutating func provision(until signals: SharedDescriptor) throws(ExecutorFailure) {
    guard CurrentProcess.effectiveUser == 0 else {
      throw ExecutorFailure(
        .needsPrivileges, "a Docker task needs root: init's socket and the logs are root's", hint: "run with sudo")
    }
    for warning in request.warnings { tell("warning: " + warning) }
    engine.interrupt = signals.rawValue
    take(try source.provide(container.forcePullImage ? .always : request.pull ?? .missing, until: signals))
  }

  package mutating func locate() throws(ExecutorFailure) {
    guard let found = try source.present() else {
      throw ExecutorFailure(
        .failed, "the engine has no image \(source.name) yet; a run would pull it",
        hint: "`docker pull \(source.name)` to see the plan before")
    }
    take(found)
  }

  private mutating func take(_ found: ImageDetails) {
    details = found
    image = source.named(found)
  }

  /// What an engine must be able to do. It takes ten milliseconds to describe itself, so it is asked when something has
  /// gone wrong, or when it has warned that it does otherwise than asked.
  ///
  /// - Returns: what it cannot do and the task needs.
  private func shortcoming() throws(DockerEngineError) -> ExecutorFailure? {
    let info = try advisor.info()
    guard info.osType == "linux" else {
      return ExecutorFailure(
        .configuration, "the engine runs \(printable(info.osType.utf8)) containers, not Linux ones")
    }
    let maps = info.remapsUsers && !info.rootDirectory.utf8.reversed().starts(with: "/0.0".utf8.reversed())
    if info.isRootless || (maps && !request.usesHostUsers) {
      return ExecutorFailure(
        .failed,
        "the engine maps user ids (\(info.isRootless ? "rootless" : "userns-remap")): the role user \(identity.name) "
          + "cannot have the host's uid \(identity.uid) in a container, and everything it writes would be another's",
        hint: info.isRootless
          ? "use an engine that runs as root"
          : "give the task the parameter {\"name\": \"userns\", \"value\": \"host\"}, or run an engine without userns-remap"
      )
    }
    guard task.resources != nil else { return nil }
    for (works, what) in [
      (info.supportsMemoryLimit, "memory"), (info.supportsCPUQuota, "CPU quota"), (info.supportsPidsLimit, "pids"),
    ] where !works {
      return ExecutorFailure(
        .failed, "the engine cannot limit \(what) on this host, and the task asks for limits",
        hint: "the kernel lacks the cgroup controller, or it is not mounted")
    }
    return nil
  }

  package func plan() throws(ExecutorFailure) -> LaunchPlan {
    guard let details else { throw ExecutorFailure(.internalError, "the image is not known yet") }
    return try request.plan(paths.taskID, image: details)
  }

  package func engineRequest() throws(ExecutorFailure) -> EngineRequest? {
    guard let details, let image else { throw ExecutorFailure(.internalError, "the image is not known yet") }
    var hostPaths = DockerRequest.HostPaths(
      handover: paths.handover, sandbox: paths.sandbox, logs: paths.logs, workDirectory: paths.workDirectory)
    hostPaths.masked = DockerHostPaths.thermalThrottles
    let create = try request.finished(paths.taskID, image: details, nonce: EngineRequest.unknown, paths: hostPaths)
    let version = try atEngine { () throws(DockerEngineError) in try engine.apiVersion() }
    return EngineRequest(
      name: DockerOwnership.name(paths.taskID), image: image.reference, platform: request.platform,
      body: create.json(for: version), mountsAccounts: request.needsAccountFiles)
  }

  // MARK: Launch

  package func launch(until signals: SharedDescriptor) throws(ExecutorFailure) -> any Container {
    (engine.interrupt, advisor.interrupt) = (signals.rawValue, signals.rawValue)
    // What it is asked about a container that runs is not for a signal to cut short.
    defer { advisor.interrupt = nil }
    do throws(ExecutorFailure) { return try launch(try nonce(), until: signals) } catch {
      // What the engine is may be the reason behind what it said.
      // An engine that does not answer this adds nothing to what it has said.
      if error.kind == .failed, let shortcoming = (try? shortcoming()) ?? nil { throw shortcoming }
      throw error
    }
  }

  private func launch(_ nonce: String, until signals: SharedDescriptor) throws(ExecutorFailure) -> any Container {
    guard let details, let image else { throw ExecutorFailure(.internalError, "the image is not known yet") }
    let plan = try plan()
    _ = try Sandbox(paths, identity).prepare()
    let handover = paths.handover
    let reception: Handover.Reception
    do throws(Errno) {
      // An executor that died in the middle of a launch leaves its sockets.
      try removeTree(handover)
      try removeTree(paths.controlSocket)
      try makeDirectories(handover, mode: 0o700)
      reception = try Handover.Reception(at: handover + "/" + DockerRequest.Place.socketName)
    } catch {
      throw ExecutorFailure(.cannotCreate, "cannot listen in \(handover): \(error)")
    }
    try InitProgram.provide(
      handover + "/" + DockerRequest.Place.programName, runDirectory: paths.runDirectory,
      isOwn: request.mayRemount)
    var hostPaths = DockerRequest.HostPaths(
      handover: handover, sandbox: paths.sandbox, logs: paths.logs, workDirectory: paths.workDirectory)
    let probe = DockerProbe(
      engine: engine, creation: creation, owner: owner(nonce), request: request, image: details,
      workDirectory: paths.workDirectory, signals: signals)
    hostPaths.masked = DockerHostPaths.thermalThrottles
    if request.needsAccountFiles { hostPaths.accounts = try probe.accountFiles(for: identity, in: paths.accounts) }
    let create = try request.finished(paths.taskID, image: details, nonce: nonce, paths: hostPaths)
    let id = try makeContainer(create, nonce, signals)
    try probe.checkStart(of: id, create, own: request.ownMounts(nonce, hostPaths))
    let start = try DockerStart(id, at: engine, reception, until: signals)
    try start.begin()
    // While the engine is at it.
    let files = try filesForInit(plan)
    let started = try start.finish()
    let recognition = DockerRecognition(
      id: id, identity: plan.restrictions.identity, program: handover + "/" + DockerRequest.Place.programName,
      mounts: request.ownMounts(nonce, hostPaths) + request.judgedMounts, directory: paths.run)
    let (process, identity) = try recognition.process(started.peer)
    try InitLimits.raise(of: identity.pid, for: plan.restrictions.limits)
    let client = try handOver(plan, files, over: started.connection)
    // Nobody else shall connect there.
    let socket = handover + "/" + DockerRequest.Place.socketName
    bestEffort("remove the socket \(socket)", tolerating: ENOENT) { try removeFile(socket) }
    return EngineContainer(
      plan, client, process, identity, id, image, start: started.request, engine: advisor, removal: removal(nonce))
  }

  /// A word that is only in the task's own directory and in the labels of its container. It is written down before the
  /// container is made, so that one which nobody has recorded can be found.
  private func nonce() throws(ExecutorFailure) -> String {
    if let known = knownNonce { return known }
    var generator = SystemRandomNumberGenerator()
    let word = (0..<2).map { _ in
      let digits = String(generator.next(), radix: 16)
      return String(repeating: "0", count: 16 - digits.utf8.count) + digits
    }.joined()
    do throws(Errno) {
      try writeFileAtomically(paths.containerNonce, Array(word.utf8), mode: 0o600)
    } catch {
      throw ExecutorFailure(.cannotCreate, "cannot write \(paths.containerNonce): \(error)")
    }
    return word
  }

  private var knownNonce: String? {
    (try? readFile(paths.containerNonce, limit: 64)).map { String(decoding: $0, as: UTF8.self) }
  }

  private func makeContainer(
    _ create: ContainerCreateRequest, _ nonce: String, _ signals: SharedDescriptor
  ) throws(ExecutorFailure) -> ContainerID {
    let made = try creation.create(
      create, name: DockerOwnership.name(paths.taskID), for: owner(nonce), until: signals)
    for warning in made.warnings { tell("warning: Docker: " + printable(warning.utf8)) }
    // A limit that may have been left out is no matter of luck: without an answer the task is not run.
    if !made.warnings.isEmpty {
      let found = try atEngine { () throws(DockerEngineError) in try shortcoming() }
      if let found { throw found }
    }
    return made.id
  }

  private func filesForInit(_ plan: LaunchPlan) throws(ExecutorFailure) -> Handover.Files {
    do throws(Errno) {
      let log = try openFile(paths.initLog, O_WRONLY | O_CREAT | O_APPEND, mode: 0o600)
      let exits = try openFile(paths.exits, O_WRONLY | O_CREAT | O_APPEND, mode: 0o600)
      let listener = try UnixSocket.listen(paths.controlSocket, kind: .sequencedPackets)
      return Handover.Files(
        log: SharedDescriptor(log), exits: SharedDescriptor(exits), listener: SharedDescriptor(listener))
    } catch {
      throw ExecutorFailure(.cannotCreate, "cannot make what container-init needs in \(paths.run): \(error)")
    }
  }

  private func handOver(
    _ plan: LaunchPlan, _ files: Handover.Files, over connection: SharedDescriptor
  ) throws(ExecutorFailure) -> InitClient {
    do throws(Errno) {
      try Handover.send(plan, files, over: connection)
      return try InitClient(connectingTo: paths.controlSocket)
    } catch {
      throw ExecutorFailure(.failed, "cannot hand the plan to container-init: \(error)")
    }
  }

  // MARK: Afterwards

  package mutating func adopt(_ launched: JSON, _ record: LaunchRecord) throws(ExecutorFailure) -> Adoption {
    guard let identity = ProcessIdentity(json: launched),
      let id = launched["container_id"]?.string.flatMap(ContainerID.init), let image = record.image
    else { throw ExecutorFailure(.internalError, "the journal does not say which container the task has") }
    recorded = id
    self.image = image
    let found: LivingInit
    switch try LivingInit.find(identity, paths) {
    case .gone(let why): return .gone(why)
    case .living(let living): found = living
    }
    guard let nonce = knownNonce else {
      throw ExecutorFailure(
        .internalError, "\(paths.containerNonce) is gone: nothing says that the container \(id.short) is the task's",
        hint: "`docker inspect \(id.short)` shows whose it is; `docker rm -f -v \(id.short)` ends and removes it, and "
          + "`recover` then says how the task ended")
    }
    return .container(
      EngineContainer(
        record.plan, found.client, found.process, identity, id, image, start: nil, engine: advisor,
        removal: removal(nonce)))
  }

  package func abandon() -> [String] { removeRemains(keeping: keeps) }

  package func removeRemains(keeping: Bool) -> [String] {
    guard let nonce = knownNonce else {
      // None was ever asked for, unless the journal names one.
      guard let id = recorded?.short else { return [] }
      return ["the container \(id) may be left: \(paths.containerNonce) is gone; `docker rm -f -v \(id)` removes it"]
    }
    return removal(nonce, keeping: keeping).run()
  }

  private func removal(_ nonce: String, keeping: Bool? = nil) -> DockerRemoval {
    DockerRemoval(
      engine: engine, owner: owner(nonce), keeps: keeping ?? keeps, isUncertain: creation.isUncertain,
      looksFurther: isTakeover)
  }

  private func owner(_ nonce: String) -> DockerOwnership { DockerOwnership(taskID: paths.taskID, nonce: nonce) }
}
