import LaunchModel
import LinuxKernel

/// `cgroups/cpu`: a share of the CPUs when they are short, and never more than the task asked for.
package struct CgroupsCPU: Isolator {
  package static let name = "cgroups/cpu"
  private let cpu: CgroupController
  private let accounting: CgroupController

  package init(host: HostFacts) {
    cpu = CgroupController(isolator: Self.name, controller: "cpu", host: host)
    accounting = CgroupController(isolator: Self.name, controller: "cpuacct", host: host)
  }

  package func unsupported() -> String? { cpu.unsupported() }

  package func isDispensable(for container: ContainerConfig) -> Bool { container.resources.cpus == nil }

  /// What bounds CPU time, and the word for no bound.
  package static let quotas = [(file: "cpu.cfs_quota_us", unlimited: "-1"), (file: "cpu.max", unlimited: "max")]

  /// What the whole has more than the task at the least, for container-init: a task of a hundredth of a CPU is started and stopped in time.
  private static let smallestInit = 0.25

  package func prepare(_ container: ContainerConfig) throws(IsolationError) -> PlanFragment {
    var (version1, version2) = (CgroupLimits(), CgroupLimits())
    if let cpus = container.resources.cpus {
      let task = CPUBandwidth(cpus: cpus)
      // What is done for the task, such as the writing of its logs, is held to as much as the task.
      let whole = CPUBandwidth(cpus: cpus, more: max(cpus, Self.smallestInit))
      version1 = CgroupLimits(task: Self.version1(task), whole: Self.version1(whole))
      version2 = CgroupLimits(task: Self.version2(task), whole: Self.version2(whole))
    }
    return try cpu.fragment(container.id, version1: version1, version2: version2)
  }

  private static func version1(_ cpus: CPUBandwidth) -> [CgroupSetup.Setting] {
    [
      .init("cpu.shares", String(cpus.shares)),
      .init("cpu.cfs_period_us", String(CPUBandwidth.periodMicroseconds)),
      .init("cpu.cfs_quota_us", String(cpus.quotaMicroseconds)),
    ]
  }

  private static func version2(_ cpus: CPUBandwidth) -> [CgroupSetup.Setting] {
    [
      .init("cpu.weight", String(cpus.weight)),
      .init("cpu.max", "\(cpus.quotaMicroseconds) \(CPUBandwidth.periodMicroseconds)"),
    ]
  }

  package func usage(_ containerID: String) -> ContainerUsage {
    var usage = ContainerUsage()
    switch accounting.directory(containerID) ?? cpu.directory(containerID) {
    case .version1(let cgroup): usage.cpuNanoseconds = cgroup.number("cpuacct.usage")
    case .version2(let cgroup):
      usage.cpuNanoseconds = cgroup.number("cpu.stat", key: "usage_usec").map { $0 &* 1000 }
    case nil: break
    }
    return usage
  }
}
