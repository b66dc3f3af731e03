import LaunchModel
import LinuxKernel

/// The cgroups of a container in one version 1 hierarchy.
///
///     <mount>/aurora-executor/<container>          container-init, and everything of the container
///     <mount>/aurora-executor/<container>/task     the task's processes, where their limits are not those of the whole
///
/// What the whole may have more than the task is what init has to serve a task that is at its own limit.
struct ContainerCgroups: Sendable {
  private let whole: String
  private let isSplit: Bool
  /// A new cpuset has no CPUs, and nobody can join it.
  private let inherited: [String]

  /// Controllers whose limits init does not share with the task.
  private static let separate: Set<String> = ["cpu", "memory", "pids"]

  init(_ hierarchy: CgroupHierarchies.Version1, host: HostFacts, containerID: String) {
    whole = "\(hierarchy.mount)/\(host.cgroupParent)/\(containerID)"
    inherited = hierarchy.controllers.contains("cpuset") ? ["cpuset.cpus", "cpuset.mems"] : []
    isSplit = !hierarchy.controllers.isDisjoint(with: ContainerCgroups.separate)
  }

  /// Where the task's processes are.
  var task: CgroupDirectory { CgroupDirectory(isSplit ? whole + "/task" : whole) }

  /// The cgroups of this hierarchy, with what shall be written into them.
  func fragment(task settings: [CgroupSetup.Setting] = [], whole: [CgroupSetup.Setting] = []) -> PlanFragment {
    var fragment = PlanFragment()
    let setup = CgroupSetup(directory: task.path, settings: settings, inherited: inherited)
    guard isSplit else {
      fragment.sharedCgroups = [setup]
      return fragment
    }
    fragment.cgroups = [setup]
    fragment.initCgroups = [CgroupSetup(directory: self.whole, settings: whole, inherited: inherited)]
    return fragment
  }
}

/// The cgroups of a container in the version 2 hierarchy.
///
///     <cgroup2>/aurora-executor/<container>          has controllers and no process
///     <cgroup2>/aurora-executor/<container>/init     container-init
///     <cgroup2>/aurora-executor/<container>/task     every process of the task
struct UnifiedCgroups: Sendable {
  private let whole: String

  /// `nil` where the hierarchy is not mounted.
  init?(_ host: HostFacts, containerID: String) {
    guard let mount = host.cgroups.version2 else { return nil }
    whole = "\(mount)/\(host.cgroupParent)/\(containerID)"
  }

  var task: CgroupDirectory { CgroupDirectory(whole + "/task") }

  func fragment(_ controllers: [String], _ limits: CgroupLimits, deviceProgram: [UInt8] = []) -> PlanFragment {
    var fragment = PlanFragment()
    fragment.version2Cgroups = [
      CgroupSetup(directory: whole, settings: limits.whole, controllers: controllers),
      CgroupSetup(directory: task.path, settings: limits.task, controllers: controllers, deviceProgram: deviceProgram),
    ]
    return fragment
  }
}

/// What is written for the task, and for the whole container: what the whole may have more is what init has to serve a task
/// that is at its own limit.
struct CgroupLimits: Sendable {
  var task: [CgroupSetup.Setting] = []
  var whole: [CgroupSetup.Setting] = []
}

/// What the `cgroups/*` isolators share: the container's cgroups with a controller, in whichever hierarchy the host has it.
struct CgroupController: Sendable {
  let isolator: String
  let controller: String
  let host: HostFacts

  /// Why the controller cannot be used; `nil` when it can.
  func unsupported() -> String? {
    isVersion1 || isVersion2 ? nil : "this host has no \(controller) cgroup controller mounted"
  }

  private var isVersion1: Bool { host.cgroups.version1[controller] != nil }
  private var isVersion2: Bool { host.cgroups.version2Controllers.contains(controller) }

  private func version1(_ containerID: String) -> ContainerCgroups? {
    host.cgroups.version1Hierarchy(of: controller).map { ContainerCgroups($0, host: host, containerID: containerID) }
  }

  private func version2(_ containerID: String) -> UnifiedCgroups? {
    isVersion2 ? UnifiedCgroups(host, containerID: containerID) : nil
  }

  /// The cgroup of the task's processes, in the version that has the controller here.
  func directory(_ containerID: String) -> Versioned? {
    if let cgroups = version1(containerID) { return .version1(cgroups.task) }
    return version2(containerID).map { .version2($0.task) }
  }

  enum Versioned {
    case version1(CgroupDirectory)
    case version2(CgroupDirectory)
  }

  /// The container's cgroups with what shall be written into them, in order.
  func fragment(_ containerID: String, version1 limits: CgroupLimits, version2 unified: CgroupLimits)
    throws(IsolationError) -> PlanFragment
  {
    if let cgroups = version1(containerID) { return cgroups.fragment(task: limits.task, whole: limits.whole) }
    guard let cgroups = version2(containerID) else {
      throw IsolationError(isolator, unsupported() ?? "no \(controller) controller")
    }
    return cgroups.fragment([controller], unified)
  }
}
