import Glibc
import ContainerInit
import Isolators
import LaunchModel
import LinuxKernel

/// The native containerizer: isolators prepare, their fragments merge into a plan, the launcher starts container-init,
/// which carries the plan out. In reverse at the end.
package struct MesosContainerizer: Sendable {
  private let isolators: [any Isolator]
  private let host: HostFacts

  package init(isolators: [any Isolator], host: HostFacts) {
    self.isolators = isolators
    self.host = host
  }

  /// Names of the isolators, in their order.
  package var isolatorNames: [String] { isolators.map(\.name) }

  /// What a launch would do. Changes nothing.
  package func plan(_ config: ContainerConfig) throws(LaunchError) -> LaunchPlan {
    var config = config
    config.isolators = Set(isolatorNames)
    do throws(IsolationError) {
      var fragments: [(isolator: String, fragment: PlanFragment)] = []
      for isolator in isolators {
        if let reason = isolator.unsupported() { throw IsolationError(isolator.name, reason) }
        fragments.append((isolator.name, try isolator.prepare(config)))
      }
      var plan = try LaunchPlan(merging: fragments, container: config)
      plan.cgroupDirectory = cgroup(config.id)?.task.path
      plan.restrictions.changesUser = host.isRoot
      return plan
    } catch {
      throw LaunchError(error)
    }
  }

  /// Starts the container: when this returns, init is at work on the plan and will answer on the control socket.
  ///
  /// - Parameter keepOpen: descriptors that live as long as the container does, such as the lock on its image.
  package func launch(_ config: ContainerConfig, files: ContainerFiles, keepOpen: [SharedDescriptor])
    throws(LaunchError) -> LaunchedContainer
  {
    let plan = try plan(config)
    // A cgroup that is there already belongs to somebody: only what this launch makes is undone when it fails.
    var made: [CgroupDirectory] = []
    do throws(LaunchError) {
      try makeCgroups(plan, config.id, &made)
      try makeSandboxDirectories(plan, config)
      return try start(plan, config, files: files, keepOpen: keepOpen)
    } catch {
      for cgroup in made.reversed() { try? cgroup.remove() }
      throw error
    }
  }

  private func start(
    _ plan: LaunchPlan, _ config: ContainerConfig, files: ContainerFiles, keepOpen: [SharedDescriptor]
  ) throws(LaunchError) -> LaunchedContainer {
    var child: ChildProcess?
    do {
      let cgroup = cgroup(config.id)
      let executable = try SealedExecutable.open(beside: files.directory)
      let null = try openFile("/dev/null", O_RDWR)
      let log = try openFile(files.initLog, O_WRONLY | O_CREAT | O_APPEND, mode: 0o600)
      let exits = try openFile(files.exits, O_WRONLY | O_CREAT | O_APPEND, mode: 0o600)
      let planFile = try sealedMemory("plan", plan.encoded)
      let listener = try UnixSocket.listen(files.controlSocket, kind: .sequencedPackets)
      let tasks = try plan.cgroups.map { SharedDescriptor(try openFile($0.directory + "/tasks", O_WRONLY)) }
      let directory = try plan.cgroupDirectory.map { SharedDescriptor(try openFile($0, O_RDONLY | O_DIRECTORY)) }
      let birthplace = try cgroup.map { SharedDescriptor(try openFile($0.initial.path, O_RDONLY | O_DIRECTORY)) }

      var request = SpawnRequest(
        executable: .descriptor(executable.rawValue), arguments: ["aurora-executor", ContainerInit.command],
        descriptors: [
          null.rawValue, log.rawValue, log.rawValue, planFile.rawValue, listener.rawValue, exits.rawValue,
        ] + tasks.map(\.rawValue) + (directory.map { [$0.rawValue] } ?? []) + keepOpen.map(\.rawValue))
      request.namespaces = Namespaces(rawValue: plan.namespaces)
      request.cgroup = birthplace?.rawValue
      request.newSession = true
      request.owners = tasks + keepOpen + [directory, birthplace].compactMap { $0 }
      let started = try request.spawn()
      let pid = started.pid
      child = consume started
      for isolator in isolators { try isolator.isolate(config, pid: pid) }
      let client = try InitClient(connectingTo: files.controlSocket)
      guard let running = child.take() else { throw LaunchError("container-init is gone") }
      return LaunchedContainer(plan: plan, process: running, client: client)
    } catch {
      if let abandoned = child.take() {
        try? abandoned.signal(SIGKILL)
        _ = try? abandoned.wait()
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

  /// The cgroups with their limits, before anything could run in them. Each must be new: an old one would bring limits
  /// and counters of another task.
  private func makeCgroups(_ plan: LaunchPlan, _ containerID: String, _ made: inout [CgroupDirectory])
    throws(LaunchError)
  {
    if let cgroup = cgroup(containerID) {
      for directory in [cgroup.whole, cgroup.initial, cgroup.task] { try make(directory, &made) }
    }
    for setup in plan.cgroups {
      let cgroup = CgroupDirectory(setup.directory)
      try make(cgroup, &made)
      for setting in setup.settings {
        do throws(Errno) {
          try cgroup.write(setting.value, to: setting.file)
        } catch  where setting.mayBeAbsent && (error.code == ENOENT || error.code == EACCES) {
        } catch {
          throw LaunchError("cannot write \(setting.value) to \(cgroup.path)/\(setting.file)", error)
        }
      }
    }
  }

  private func make(_ cgroup: CgroupDirectory, _ made: inout [CgroupDirectory]) throws(LaunchError) {
    do throws(Errno) {
      try cgroup.create()
      made.append(cgroup)
    } catch {
      let what = "cannot make the cgroup \(cgroup.path)"
      throw error.code == EEXIST ? .nameTaken(what, error) : LaunchError(what, error)
    }
  }

  private func makeSandboxDirectories(_ plan: LaunchPlan, _ config: ContainerConfig) throws(LaunchError) {
    for path in plan.sandboxDirectories {
      do throws(Errno) {
        var current = try openFile(config.sandboxHostPath, O_PATH | O_DIRECTORY)
        for component in Array(path.utf8).pathComponents {
          do throws(Errno) {
            try makeDirectory(component, mode: 0o755, at: current.rawValue)
            try changeOwner(of: component, at: current.rawValue, uid: config.identity.uid, gid: config.identity.gid)
          } catch  where error.code == EEXIST {
          }
          current = try openBelow(current.rawValue, component, O_PATH | O_DIRECTORY, resolve: [.beneath, .noSymlinks])
        }
      } catch {
        throw LaunchError("cannot make \(path) in the sandbox", error)
      }
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

  /// Stops every process of the task, not its init; false where there is no cgroup to do it with, or it takes too long.
  package func freeze(_ containerID: String) -> Bool { cgroup(containerID)?.freeze() ?? false }

  package func thaw(_ containerID: String) { cgroup(containerID)?.thaw() }

  /// Ends what is left of a container, whoever started it: kills through the cgroup, and through the handle of its init
  /// for hosts without cgroup2, then cleans up. Returns what could not be removed.
  package func destroy(_ containerID: String, initProcess: SharedDescriptor?) -> [String] {
    var problems: [String] = []
    do throws(Errno) { try cgroup(containerID)?.kill() } catch { problems.append("kill the container: \(error)") }
    killVersion1(containerID)
    if let initProcess {
      _ = ProcessHandle.signal(SIGKILL, initProcess.rawValue)
      if !ProcessHandle.waitForEnd(initProcess.rawValue, milliseconds: 10_000) {
        problems.append("container-init has not ended within 10 s of SIGKILL")
      }
      ProcessHandle.reap(initProcess.rawValue)
    }
    return problems + cleanUp(containerID)
  }

  /// On a host without cgroup2 whatever is in the version 1 cgroups is killed one by one, until none is left.
  private func killVersion1(_ containerID: String) {
    guard host.cgroups.version2 == nil, let mount = host.cgroups.version1["pids"] ?? host.cgroups.version1["cpu"] else {
      return
    }
    let cgroup = CgroupDirectory("\(mount)/\(host.cgroupParent)/\(containerID)")
    for _ in 0..<100 {
      let pids = ((try? cgroup.read("cgroup.procs")) ?? "").split(separator: "\n").compactMap { Int32($0) }
      if pids.isEmpty { return }
      for pid in pids {
        if let handle = try? openProcess(pid) { try? sendSignal(SIGKILL, to: handle) }
      }
    }
  }

  /// Every isolator's cleanup, in reverse, and the launcher's own; all of them, whatever one says.
  private func cleanUp(_ containerID: String) -> [String] {
    var problems: [String] = []
    for isolator in isolators.reversed() {
      do throws(IsolationError) { try isolator.cleanup(containerID) } catch { problems.append(error.description) }
    }
    do throws(Errno) { try cgroup(containerID)?.remove() } catch { problems.append("remove the cgroup: \(error)") }
    return problems
  }

  /// Containers that have cgroups here, whether or not their task still exists: for `sweep` and recovery.
  package func leftovers() -> [String] {
    let mounts = Array(host.cgroups.version1.values) + [host.cgroups.version2].compactMap { $0 }
    var names: Set<String> = []
    for mount in Set(mounts) {
      for entry in (try? entries(of: "\(mount)/\(host.cgroupParent)")) ?? [] where entry.isDirectory {
        if let name = String(validating: entry.name, as: UTF8.self) { names.insert(name) }
      }
    }
    return names.sorted()
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
