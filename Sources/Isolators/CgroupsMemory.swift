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

  package func isDispensable(for container: ContainerConfig) -> Bool { container.resources.memoryBytes == nil }

  /// What the whole has more than the task at the least, for container-init: itself, and for each process of the task what the kernel keeps of a child that
  /// is being started, and of its streams.
  private static let smallestInit: UInt64 = 64 << 20
  private static let initBytesPerProcess: UInt64 = 512 << 10

  package func prepare(_ container: ContainerConfig) throws(IsolationError) -> PlanFragment {
    guard let bytes = container.resources.memoryBytes else { return try memory.fragment(container.id, task: []) }
    // The pages of the logs that init writes are charged to it: they cost as much as the task may have, and not the host.
    let smallest = Self.smallestInit + UInt64(clamping: container.processCount) * Self.initBytesPerProcess
    return try memory.fragment(
      container.id, task: Self.limits(bytes) + [.init("memory.soft_limit_in_bytes", String(bytes))],
      whole: Self.limits(bytes + max(bytes, smallest)))
  }

  private static func limits(_ bytes: UInt64) -> [CgroupSetup.Setting] {
    [
      .init("memory.limit_in_bytes", String(bytes)),
      // After the plain limit, which it may not be below. Absent where the kernel does not account for swap.
      .init("memory.memsw.limit_in_bytes", String(bytes), mayBeAbsent: true),
      // What waits in TCP's queues is not counted at all without a limit of its own (cgroup-v1/memory.rst).
      .init("memory.kmem.tcp.limit_in_bytes", String(bytes), mayBeAbsent: true),
    ]
  }

  package func usage(_ containerID: String) -> ContainerUsage {
    var usage = ContainerUsage()
    guard let cgroup = memory.directory(containerID) else { return usage }
    usage.memoryPeakBytes = cgroup.number("memory.max_usage_in_bytes")
    usage.memoryLimitBytes = cgroup.number("memory.limit_in_bytes").flatMap { $0 < 1 << 62 ? $0 : nil }
    usage.outOfMemoryKills = CgroupsMemory.kills(cgroup)
    return usage
  }

  package func outOfMemoryKills(_ containerID: String) -> UInt64? {
    memory.directory(containerID).flatMap(CgroupsMemory.kills)
  }

  private static func kills(_ cgroup: CgroupDirectory) -> UInt64? {
    cgroup.number("memory.oom_control", key: "oom_kill")
  }
}
