import LaunchModel
import LinuxKernel

/// `cgroups/pids`: at most so many processes and threads, so that a fork bomb harms nothing but its own task.
package struct CgroupsPIDs: Isolator {
  package static let name = "cgroups/pids"
  private let pids: CgroupController

  /// What a task gets that asks for nothing.
  package static let standard: Int64 = 4096

  /// How many processes and threads a task may have.
  ///
  /// - Parameters:
  ///   - asked: by the task, and judged already.
  ///   - ceiling: the operator's, for what nobody asked for.
  package static func most(asked: Int64?, ceiling: Int64?) -> Int64 {
    asked ?? ceiling.map { min($0, standard) } ?? standard
  }

  package init(host: HostFacts) { pids = CgroupController(isolator: Self.name, controller: "pids", host: host) }

  package func unsupported() -> String? { pids.unsupported() }

  package func isDispensable(for container: ContainerConfig) -> Bool { !container.resources.asksForPIDs }

  package func prepare(_ container: ContainerConfig) throws(IsolationError) -> PlanFragment {
    let limits = CgroupLimits(task: [.init("pids.max", String(max(1, container.resources.pids)))])
    return try pids.fragment(container.id, version1: limits, version2: limits)
  }

  package func usage(_ containerID: String) -> ContainerUsage {
    var usage = ContainerUsage()
    switch pids.directory(containerID) {
    case .version1(let cgroup), .version2(let cgroup):
      usage.refusedForks = cgroup.number("pids.events", key: "max")
      usage.pidsLimit = cgroup.number("pids.max")
    case nil: break
    }
    return usage
  }
}
