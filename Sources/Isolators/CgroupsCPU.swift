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
  package static let quotaFile = "cpu.cfs_quota_us"
  package static let unlimited = "-1"

  /// What the whole has more than the task at the least, for container-init: a task of a hundredth of a CPU is started and stopped in time.
  private static let smallestInit = 0.25

  package func prepare(_ container: ContainerConfig) throws(IsolationError) -> PlanFragment {
    // What is done for the task, such as the writing of its logs, is held to as much as the task.
    let cpus = container.resources.cpus
    return try cpu.fragment(
      container.id, task: cpus.map { Self.limits(CPUBandwidth(cpus: $0)) } ?? [],
      whole: cpus.map { Self.limits(CPUBandwidth(cpus: $0, more: max($0, Self.smallestInit))) } ?? [])
  }

  private static func limits(_ cpus: CPUBandwidth) -> [CgroupSetup.Setting] {
    [
      .init("cpu.shares", String(cpus.shares)),
      .init("cpu.cfs_period_us", String(CPUBandwidth.periodMicroseconds)),
      .init(quotaFile, String(cpus.quotaMicroseconds)),
    ]
  }

  package func usage(_ containerID: String) -> ContainerUsage {
    var usage = ContainerUsage()
    usage.cpuNanoseconds = accounting.directory(containerID)?.number("cpuacct.usage")
    return usage
  }
}
