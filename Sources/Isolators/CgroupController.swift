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

/// What the `cgroups/*` isolators share: the container's cgroups in a controller's hierarchy.
struct CgroupController: Sendable {
  let isolator: String
  let controller: String
  let host: HostFacts

  /// Why the controller cannot be used; `nil` when it can.
  func unsupported() -> String? {
    if host.cgroups.version1[controller] != nil { return nil }
    if host.cgroups.version2Controllers.contains(controller) {
      return "the \(controller) controller is on cgroup v2 here, and only v1 and hybrid hosts are supported so far"
    }
    return "this host has no \(controller) cgroup controller mounted"
  }

  private func cgroups(_ containerID: String) -> ContainerCgroups? {
    host.cgroups.version1Hierarchy(of: controller).map { ContainerCgroups($0, host: host, containerID: containerID) }
  }

  /// The cgroup of the task's processes; `nil` when the host lacks the controller.
  func directory(_ containerID: String) -> CgroupDirectory? { cgroups(containerID)?.task }

  /// The container's cgroups with what shall be written into them, in order.
  func fragment(
    _ containerID: String, task settings: [CgroupSetup.Setting], whole: [CgroupSetup.Setting] = []
  ) throws(IsolationError) -> PlanFragment {
    guard let cgroups = cgroups(containerID) else {
      throw IsolationError(isolator, unsupported() ?? "no \(controller) controller")
    }
    return cgroups.fragment(task: settings, whole: whole)
  }
}
