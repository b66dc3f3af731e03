import Cgroups
import ContainerInit
import Glibc
import Isolators
import LaunchModel
import LinuxKernel

/// The native containerizer: isolators prepare, their fragments merge into a plan, the launcher starts container-init,
/// which carries the plan out. In reverse at the end.
package struct MesosContainerizer: Sendable {
  private let isolators: [any Isolator]
  private let host: HostFacts
  private let owner: CgroupOwner
  private let program: String

  /// - Parameters:
  ///   - owner: whose cgroups its containers have. Those of others are left alone.
  ///   - program: the file that container-init is executed from.
  package init(
    isolators: [any Isolator], host: HostFacts, owner: CgroupOwner, program: String = CurrentProcess.program
  ) {
    self.isolators = isolators
    self.host = host
    self.owner = owner
    self.program = program
  }

  /// Names of the isolators, in their order.
  package var isolatorNames: [String] { isolators.map(\.name) }

  /// What a launch would do. Changes nothing.
  package func plan(_ config: ContainerConfig) throws(LaunchError) -> LaunchPlan {
    var config = config
    do throws(IsolationError) {
      let (used, leftOut) = try select(config)
      config.isolators = Set(used.map(\.name))
      try config.requireConsumers()
      var fragments: [(isolator: String, fragment: PlanFragment)] = []
      for isolator in used { fragments.append((isolator.name, try isolator.prepare(config))) }
      var plan = try LaunchPlan(merging: fragments, container: config)
      plan.cgroupDirectory = cgroup(config.id)?.task.path
      plan.restrictions.changesUser = host.isRoot
      plan.leftOut = leftOut
      return plan
    } catch {
      throw LaunchError(error)
    }
  }

  /// The isolators that the container gets, and those that it can do without and cannot have. One that protects the host is
  /// not passed over because the host lacks something.
  private func select(_ config: ContainerConfig) throws(IsolationError) -> ([any Isolator], [LeftOut]) {
    var (used, leftOut): ([any Isolator], [LeftOut]) = ([], [])
    for isolator in isolators {
      guard let reason = isolator.unsupported() else {
        used.append(isolator)
        continue
      }
      guard isolator.isDispensable(for: config) else {
        throw IsolationError(
          isolator.name, reason, hint: "--isolation with a list that does not have it runs the task without it",
          isUnavailable: true)
      }
      leftOut.append(LeftOut(isolator.name, reason))
    }
    return (used, leftOut)
  }

  /// Starts the container: when this returns, init is at work on the plan and will answer on the control socket.
  ///
  /// - Parameters:
  ///   - sandbox: the task's sandbox with everything that the plan has in it, which no process of the task has seen yet.
  ///   - keepOpen: descriptors that live as long as the container does, such as the lock on its image.
  package func launch(
    _ plan: LaunchPlan, _ config: ContainerConfig, files: ContainerFiles, sandbox: SharedDescriptor,
    keepOpen: [SharedDescriptor]
  ) throws(LaunchError) -> LaunchedContainer {
    // A cgroup that is there already belongs to somebody: only what this launch makes is undone when it fails.
    var made: [CgroupDirectory] = []
    do throws(LaunchError) {
      try CgroupMaker.make(cgroup(config.id), plan, owner, &made)
      try copy(plan.copies)
      let sources = try MountSources(config: config, sandbox: sandbox).open(plan.binds)
      return try start(plan, config, files: files, sources: sources, keepOpen: keepOpen)
    } catch {
      for cgroup in made.reversed() { bestEffort("remove a cgroup") { try cgroup.remove() } }
      throw error
    }
  }

  /// Makes the container's own copies of files of the host, anew. Only the launcher knows of them, so that nobody waits for
  /// the disk.
  private func copy(_ copies: [FileCopy]) throws(LaunchError) {
    for copy in copies {
      do throws(Errno) {
        let content = try readFile(copy.from, limit: 16 << 20)
        try MesosContainerizer.newFile(copy.to).writeAll(content)
      } catch {
        throw LaunchError("cannot copy \(copy.from) to \(copy.to)", error)
      }
    }
  }

  /// A new file that everybody may read who comes to it, in a directory of ours.
  private static func newFile(_ path: String) throws(Errno) -> FileDescriptor {
    func make() throws(Errno) -> FileDescriptor {
      try openFile(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o644)
    }
    do throws(Errno) { return try make() } catch {
      switch error.code {
      case ENOENT: try makeDirectories(path.parentDirectory, mode: 0o700)
      // Of a launch that was interrupted.
      case EEXIST: try removeFile(path)
      default: throw error
      }
    }
    return try make()
  }

  private func start(
    _ plan: LaunchPlan, _ config: ContainerConfig, files: ContainerFiles, sources: [SharedDescriptor],
    keepOpen: [SharedDescriptor]
  ) throws(LaunchError) -> LaunchedContainer {
    var child: ChildProcess?
    do {
      let cgroup = cgroup(config.id)
      let executable = try SealedExecutable.open(program, beside: files.directory)
      let null = try MesosContainerizer.openNull()
      var handed = Handover.Files(
        log: SharedDescriptor(try openFile(files.initLog, O_WRONLY | O_CREAT | O_APPEND, mode: 0o600)),
        exits: SharedDescriptor(try openFile(files.exits, O_WRONLY | O_CREAT | O_APPEND, mode: 0o600)),
        listener: SharedDescriptor(try UnixSocket.listen(files.controlSocket, kind: .sequencedPackets)))
      func open(_ setups: [CgroupSetup]) throws(Errno) -> [SharedDescriptor] {
        try setups.map { (setup) throws(Errno) in
          SharedDescriptor(try openFile(setup.directory + "/tasks", O_WRONLY))
        }
      }
      let tasks = try open(plan.cgroups)
      let (shared, own) = (try open(plan.sharedCgroups), try open(plan.initCgroups))
      let initCgroup = try cgroup.map { SharedDescriptor(try openFile($0.own.path, O_RDONLY | O_DIRECTORY)) }
      handed.tasks = tasks
      // Init keeps this one: it leads nowhere but to that cgroup.
      handed.cgroup = try plan.cgroupDirectory.map { SharedDescriptor(try cloneMount($0, recursive: false)) }
      handed.sources = sources
      handed.kept = keepOpen
      let connection = try UnixSocket.pair(.sequencedPackets)
      try Handover.send(plan, handed, over: connection.first)

      let log = handed.log.rawValue
      var request = SpawnRequest(
        executable: .descriptor(executable.rawValue), arguments: ["aurora-executor", ContainerInit.command],
        descriptors: [null.rawValue, log, log, connection.second.rawValue])
      request.namespaces = Namespaces(rawValue: plan.namespaces)
      request.cgroup = initCgroup?.rawValue
      request.joinTasks = (shared + own).map(\.rawValue)
      request.newSession = true
      request.ownPriorities = true
      request.owners = tasks + shared + own + [handed.log, connection.second] + [initCgroup].compactMap { $0 }
      let started = try request.spawn()
      child = consume started
      try CgroupMaker.limitTask(plan)
      let client = try InitClient(connectingTo: files.controlSocket)
      guard let running = child.take() else { throw LaunchError("container-init is gone") }
      return LaunchedContainer(plan: plan, process: running, client: client)
    } catch {
      if let abandoned = child.take() {
        bestEffort("kill container-init, whose launch has failed") {
          try abandoned.signal(SIGKILL)
          _ = try abandoned.wait()
        }
      }
      switch error {
      case let error as LaunchError: throw error
      case let error as IsolationError: throw LaunchError(error)
      case let error as SpawnError:
        throw LaunchError("cannot start container-init: \(error)", hint: MesosContainerizer.hint(error.errno))
      case let error as Errno: throw LaunchError("cannot start container-init", error)
      default: throw LaunchError("cannot start container-init: \(error)")
      }
    }
  }

  private static func openNull() throws(LaunchError) -> FileDescriptor {
    do throws(Errno) { return try openFile("/dev/null", O_RDWR) } catch {
      throw LaunchError(
        "cannot open /dev/null", error,
        hint: error.code == ENOENT ? "for a chroot, `mount --rbind /dev DIR/dev` before it is entered" : nil)
    }
  }

  private static func hint(_ error: Errno) -> String? {
    switch error.code {
    case EPERM: "namespaces need CAP_SYS_ADMIN; run as root"
    case EAGAIN, ENOMEM: "the host is out of processes or memory"
    case ENOSPC: "a limit of namespaces is reached (/proc/sys/user)"
    default: nil
    }
  }

  private func cgroup(_ containerID: String) -> ContainerCgroup? {
    guard host.isRoot else { return nil }
    return ContainerCgroup(hierarchies: host.cgroups, parent: host.cgroupParent, containerID: containerID)
  }

  /// What the container has used, from every isolator that measures something.
  package func usage(_ containerID: String) -> ContainerUsage {
    isolators.reduce(ContainerUsage()) { $0.merging($1.usage(containerID)) }
  }

  /// The part of it that is asked for at every end.
  package func outOfMemoryKills(_ containerID: String) -> UInt64? {
    isolators.lazy.compactMap { $0.outOfMemoryKills(containerID) }.first
  }

  /// Has every process of the task stop, not its init; false where there is no cgroup to do it with.
  package func freeze(_ containerID: String) -> Bool { ownCgroup(containerID)?.freeze() ?? false }

  /// Whether all of them have.
  package func isFrozen(_ containerID: String) -> Bool { ownCgroup(containerID)?.isFrozen ?? false }

  package func thaw(_ containerID: String) { ownCgroup(containerID)?.thaw() }

  /// Takes the quota of CPU time from the task and its init, or gives it back as the plan has it.
  package func boundCPU(_ plan: LaunchPlan, _ isBound: Bool) {
    for setup in plan.cgroups + plan.initCgroups + plan.version2Cgroups {
      for setting in setup.settings {
        guard let quota = CgroupsCPU.quotas.first(where: { $0.file == setting.file }) else { continue }
        let value = isBound ? setting.value : quota.unlimited
        // Gone with its cgroup, it binds nobody.
        bestEffort("write \(value) to \(setup.directory)/\(quota.file)", tolerating: ENOENT, ENODEV) {
          try CgroupDirectory(setup.directory).write(value, to: quota.file)
        }
      }
    }
  }

  /// SIGKILL to every process of the task, not its init: for an init that does not do it.
  package func killTask(_ containerID: String) {
    if let cgroup = ownCgroup(containerID) { cgroup.killTask() } else { killVersion1(containerID, sparesInit: true) }
  }

  /// Ends what is left of a container, whoever started it: kills through the cgroup, and through the handle of its init
  /// for hosts without cgroup2, then cleans up. Cgroups of its name that are another owner's stay. Returns what could not be
  /// removed.
  package func destroy(_ containerID: String, initProcess: SharedDescriptor?) -> [String] {
    var problems: [String] = []
    let own = ownCgroups(containerID)
    do throws(Errno) {
      if let cgroup = cgroup(containerID), own.contains(cgroup.whole) { try cgroup.kill() }
    } catch {
      problems.append("kill the container: \(error)")
    }
    killVersion1(containerID)
    if let initProcess {
      _ = ProcessHandle.signal(SIGKILL, initProcess.rawValue)
      // While it ends, what it is not in.
      for cgroup in own { try? removeDirectory(cgroup.path + "/task") }
      if !ProcessHandle.waitForEnd(initProcess.rawValue, milliseconds: 10_000) {
        problems.append("container-init has not ended within 10 s of SIGKILL")
      }
      ProcessHandle.reap(initProcess.rawValue)
    }
    let found = owner.judge(cgroups(containerID))
    if initProcess != nil {
      // They were this container's when it was launched, and then the work directory was another, or had another number.
      for cgroup in found.others {
        problems.append("the cgroup \(cgroup.path) stays: it says that it is another work directory's")
      }
    }
    return problems + cleanUp(containerID, found.own)
  }

  /// On a host without cgroup2 whatever is in the version 1 cgroups is killed one by one, until none is left.
  ///
  /// - Parameter sparesInit: only what is where init is not.
  private func killVersion1(_ containerID: String, sparesInit: Bool = false) {
    guard host.cgroups.version2 == nil else { return }
    let deadline = Clock.now + 1_000_000_000
    for cgroup in ownCgroups(containerID) {
      let meant = sparesInit ? CgroupDirectory(cgroup.path + "/task") : cgroup
      _ = meant.killEach(until: deadline)
    }
  }

  /// The container's cgroup in every version 1 hierarchy.
  private func version1(_ containerID: String) -> [CgroupDirectory] {
    host.cgroups.version1Hierarchies.map { CgroupDirectory("\($0.mount)/\(host.cgroupParent)/\(containerID)") }
  }

  /// What has a container's name, whoever's it is.
  private func cgroups(_ containerID: String) -> [CgroupDirectory] {
    version1(containerID) + [cgroup(containerID)?.whole].compactMap { $0 }
  }

  /// Of these the owner's, as they are now: asked anew whenever somebody may have been there meanwhile.
  private func ownCgroups(_ containerID: String) -> [CgroupDirectory] { owner.judge(cgroups(containerID)).own }

  private func ownCgroup(_ containerID: String) -> ContainerCgroup? {
    guard let cgroup = cgroup(containerID) else { return nil }
    // The others say something only where this one does not.
    return owner.isMarked(cgroup.whole) || ownCgroups(containerID).contains(cgroup.whole) ? cgroup : nil
  }

  /// Every isolator's cleanup, in reverse, and the launcher's own; all of them, whatever one says.
  private func cleanUp(_ containerID: String, _ own: [CgroupDirectory]) -> [String] {
    var problems: [String] = []
    for isolator in isolators.reversed() {
      do throws(IsolationError) { try isolator.cleanup(containerID) } catch { problems.append(error.description) }
    }
    for cgroup in own {
      do throws(CgroupDirectory.RemovalError) { try cgroup.remove() } catch {
        problems.append("cannot remove the cgroup \(error)")
      }
    }
    return problems
  }

  /// A container that has cgroups here.
  package struct Leftover: Sendable {
    package let id: String
    /// They say that they are this owner's. Otherwise they say nothing, and have no more than the id.
    package let isMarked: Bool
  }

  /// Containers that have cgroups here which are not another owner's, whether or not their task still exists: for `sweep`.
  package func leftovers() -> [Leftover] {
    var names: Set<String> = []
    for mount in host.cgroups.mounts {
      for entry in (try? entries(of: "\(mount)/\(host.cgroupParent)")) ?? [] where entry.isDirectory {
        if let name = String(validating: entry.name, as: UTF8.self) { names.insert(name) }
      }
    }
    return names.sorted().compactMap { id in
      let own = ownCgroups(id)
      return own.isEmpty ? nil : Leftover(id: id, isMarked: owner.isMarked(anyOf: own))
    }
  }
}

/// Files of a container outside it, by path.
package struct ContainerFiles: Sendable {
  package var initLog: String
  package var exits: String
  package var controlSocket: String
  /// The directory of the control socket.
  package var directory: String

  package init(initLog: String, exits: String, controlSocket: String, directory: String) {
    self.directory = directory
    self.initLog = initLog
    self.exits = exits
    self.controlSocket = controlSocket
  }
}

/// A container whose init has been started.
package struct LaunchedContainer: ~Copyable {
  package let plan: LaunchPlan
  package let process: ChildProcess
  package let client: InitClient

  init(plan: LaunchPlan, process: consuming ChildProcess, client: InitClient) {
    self.plan = plan
    self.process = process
    self.client = client
  }

  /// Takes it apart, for an owner who keeps the pieces.
  package consuming func parts() -> (LaunchPlan, InitClient, pid: Int32, SharedDescriptor) {
    (plan, client, process.pid, SharedDescriptor(process.handle()))
  }
}
