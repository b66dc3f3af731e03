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

  /// The kernel's accounting period, and the smallest quota it takes.
  private static let periodMicroseconds = 100_000
  private static let smallestQuota = 1000

  package func prepare(_ container: ContainerConfig) throws(IsolationError) -> PlanFragment {
    var limits: [CgroupSetup.Setting] = []
    if let cpus = container.resources.cpus {
      let shares = max(2, min(262_144, Int(1024 * min(cpus, 256))))
      let quota = max(Self.smallestQuota, Int(Double(Self.periodMicroseconds) * min(cpus, 4096)))
      limits = [
        .init("cpu.shares", String(shares)), .init("cpu.cfs_period_us", String(Self.periodMicroseconds)),
        .init("cpu.cfs_quota_us", String(quota)),
      ]
    }
    var fragment = PlanFragment()
    fragment.cgroups = [try cpu.setup(container.id, limits)]
    // Often mounted together with `cpu`; then it is the same directory.
    if let separate = accounting.directory(container.id), separate != cpu.directory(container.id) {
      fragment.cgroups.append(try accounting.setup(container.id, []))
    }
    return fragment
  }

  package func usage(_ containerID: String) -> ContainerUsage {
    var usage = ContainerUsage()
    usage.cpuNanoseconds = accounting.directory(containerID)?.number("cpuacct.usage")
    return usage
  }

  package func cleanup(_ containerID: String) throws(IsolationError) {
    try cpu.remove(containerID)
    try accounting.remove(containerID)
  }
}
