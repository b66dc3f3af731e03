import Isolators
import LaunchModel
import OperatorPolicy
import StrictJSON
import TaskModel
import TaskStore

/// What a task asks for that needs an operator's leave: a function of values, which looks at no file.
enum PolicyDemands {
  /// - Parameter identity: `nil` where the host has no such account.
  static func of(_ task: TaskSpecification, _ identity: Identity?, _ settings: RunSettings) -> [Demand] {
    let groups = identity.map { [$0.gid] + $0.supplementaryGroups } ?? []
    var demands = [
      Demand(
        .role(name: settings.role, uid: identity?.uid, groups: groups), Demand.Origin(.document, .key("role")))
    ]
    demands += amounts(task)
    switch task.container {
    case .mesos(let container): demands += of(container)
    case .docker(let container):
      let known =
        identity
        ?? Identity(name: settings.role, uid: .max, gid: .max, groupName: settings.role, supplementaryGroups: [])
      demands += DockerDemands(task: task, container: container, identity: known, settings: settings).all()
    }
    return demands
  }

  private static func amounts(_ task: TaskSpecification) -> [Demand] {
    var demands = [
      Demand(.amount(.processes, Int64(task.processes.count)), Demand.Origin(.task, .key("processes")))
    ]
    if let pids = task.resources?.pids {
      demands.append(Demand(.amount(.pids, pids), Demand.Origin(.task, .key("resources"), .key("pids"))))
    }
    if let gpus = task.resources?.gpu, gpus > 0 {
      demands.append(Demand(.device("gpus"), Demand.Origin(.task, .key("resources"), .key("gpu"))))
    }
    for (index, process) in task.processes.enumerated() where process.maxFailures > 1 {
      let origin = Demand.Origin(.task, .key("processes"), .index(index), .key("max_failures"))
      demands.append(Demand(.amount(.runs, Int64(process.maxFailures)), origin))
    }
    // Asked for only where the document says it: that is for who has the document to know.
    func wait(_ seconds: Double, _ origin: Demand.Origin) {
      demands.append(Demand(.amount(.finalizationWait, Int64(seconds.rounded(.up))), origin))
    }
    wait(task.finalizationWait, Demand.Origin(.task, .key("finalization_wait")))
    if let lifecycle = task.lifecycle {
      for (seconds, name) in [
        (lifecycle.gracefulShutdownWait, "graceful_shutdown_wait_secs"), (lifecycle.shutdownWait, "shutdown_wait_secs"),
      ] {
        wait(seconds, Demand.Origin(.document, .key("lifecycle"), .key("http"), .key(name)))
      }
    }
    return demands
  }

  private static func of(_ container: MesosContainer) -> [Demand] {
    var demands: [Demand] = []
    for (index, volume) in container.volumes.enumerated() {
      guard let path = volume.hostPath else { continue }
      let origin = Demand.Origin(.container, .key("volumes"), .index(index))
      demands.append(Demand(.hostPath(path, writable: volume.mode == .readWrite), origin))
    }
    for (index, info) in container.networkInfos.enumerated() {
      let origin = Demand.Origin(.container, .key("network_infos"), .index(index))
      demands.append(Demand(.network(info.json["name"]?.string ?? ""), origin))
    }
    for (index, limit) in container.rlimits.enumerated() {
      func origin(_ key: String) -> Demand.Origin {
        Demand.Origin(.container, .key("rlimit_info"), .key("rlimits"), .index(index), .key(key))
      }
      if isRealtime(limit.type) { demands.append(Demand(.privilege(.realtime), origin("type"))) }
      if isOpenFiles(limit.type) {
        demands.append(Demand(.amount(.openFiles, limit.hard.map { Int64(clamping: $0) }), origin("hard")))
      }
    }
    if let info = container.linuxInfo { demands += of(info) }
    return demands
  }

  /// Whether a limit of setrlimit(2) lets a process go before others of the host, whatever the CPUs of its task.
  static func isRealtime(_ limit: String) -> Bool {
    ["NICE", "RTPRIO", "RTTIME"].contains { isOf(limit, $0) }
  }

  static func isOpenFiles(_ limit: String) -> Bool { isOf(limit, "NOFILE") }

  /// With whichever prefix, and in whichever letters.
  private static func isOf(_ limit: String, _ name: String) -> Bool {
    limit.uppercased().utf8.suffix(name.utf8.count).elementsEqual(name.utf8)
  }

  private static func of(_ info: LinuxInfo) -> [Demand] {
    func origin(_ name: String) -> Demand.Origin { Demand.Origin(.container, .key("linux_info"), .key(name)) }
    var demands: [Demand] = []
    // A native task is on the host's network.
    let standard = Set(LinuxCapabilities.standard(sharesHostNetwork: true))
    for (name, list) in [
      ("bounding_capabilities", info.boundingCapabilities), ("effective_capabilities", info.effectiveCapabilities),
    ] {
      for capability in list ?? [] where !standard.contains(capability) {
        if demands.contains(where: { $0.kind == .capability(capability) }) { continue }
        demands.append(Demand(.capability(capability), origin(name)))
      }
    }
    if info.sharePIDNamespace { demands.append(Demand(.namespace(.pid), origin("share_pid_namespace"))) }
    if info.ipcMode == .shareParent { demands.append(Demand(.namespace(.ipc), origin("ipc_mode"))) }
    if let bytes = info.shmSizeBytes { demands.append(Demand(.amount(.shm, bytes), origin("shm_size"))) }
    switch info.seccomp {
    case .unconfined: demands.append(Demand(.seccomp("unconfined"), origin("seccomp")))
    case .profile(let profile) where profile != "default":
      demands.append(Demand(.seccomp(profile), origin("seccomp")))
    case .profile, nil: break
    }
    return demands
  }
}
