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
    let cgroup = try memory.create(container.id, limits: [])
    if let bytes = container.resources.memoryBytes {
      try memory.write(String(bytes), to: "memory.limit_in_bytes", in: cgroup)
      try memory.write(String(bytes), to: "memory.soft_limit_in_bytes", in: cgroup)
      // After the plain limit, which may not exceed it. Absent where the kernel does not account for swap.
      do throws(Errno) {
        try cgroup.write(String(bytes), to: "memory.memsw.limit_in_bytes")
      } catch where error.code == ENOENT || error.code == EACCES {
      } catch {
        throw IsolationError(Self.name, "cannot limit swap in \(cgroup.path)", error)
      }
    }
    var fragment = PlanFragment()
    fragment.cgroups = [cgroup]
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
