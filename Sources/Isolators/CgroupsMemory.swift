import LaunchModel
import LinuxKernel

/// `cgroups/mem`: a limit of memory and swap together; the kernel kills within the container when it is reached.
package struct CgroupsMemory: Isolator {
  package static let name = "cgroups/mem"
  private let memory: CgroupController

  package init(host: HostFacts) {
    memory = CgroupController(isolator: Self.name, controller: "memory", host: host)
  }

  package func unsupported() -> String? { memory.unsupported() }

  package func prepare(_ container: ContainerConfig) throws(IsolationError) -> PlanFragment {
    var settings: [CgroupSetup.Setting] = []
    if let bytes = container.resources.memoryBytes {
      settings = [
        .init("memory.limit_in_bytes", String(bytes)), .init("memory.soft_limit_in_bytes", String(bytes)),
        // After the plain limit, which it may not be below. Absent where the kernel does not account for swap.
        .init("memory.memsw.limit_in_bytes", String(bytes), mayBeAbsent: true),
      ]
    }
    var fragment = PlanFragment()
    fragment.cgroups = [try memory.setup(container.id, settings)]
    return fragment
  }

  package func usage(_ containerID: String) -> ContainerUsage {
    var usage = ContainerUsage()
    guard let cgroup = memory.directory(containerID) else { return usage }
    usage.memoryPeakBytes = cgroup.number("memory.max_usage_in_bytes")
    usage.memoryLimitBytes = cgroup.number("memory.limit_in_bytes").flatMap { $0 < 1 << 62 ? $0 : nil }
    usage.outOfMemoryKills = cgroup.number("memory.oom_control", key: "oom_kill")
    return usage
  }

  package func cleanup(_ containerID: String) throws(IsolationError) { try memory.remove(containerID) }
}
