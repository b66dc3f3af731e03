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
    var (version1, version2) = (CgroupLimits(), CgroupLimits())
    if let bytes = container.resources.memoryBytes {
      // The pages of the logs that init writes are charged to it: they cost as much as the task may have, and not the host.
      let smallest = Self.smallestInit + UInt64(clamping: container.processCount) * Self.initBytesPerProcess
      let whole = bytes + max(bytes, smallest)
      version1 = CgroupLimits(
        task: Self.version1(bytes) + [.init("memory.soft_limit_in_bytes", String(bytes))], whole: Self.version1(whole))
      version2 = CgroupLimits(
        task: Self.version2(bytes) + [.init("memory.low", String(bytes))],
        // What is kept for the task has to be kept for the whole as well.
        whole: Self.version2(whole) + [.init("memory.low", String(bytes))])
    }
    return try memory.fragment(container.id, version1: version1, version2: version2)
  }

  private static func version1(_ bytes: UInt64) -> [CgroupSetup.Setting] {
    [
      .init("memory.limit_in_bytes", String(bytes)),
      // After the plain limit, which it may not be below. Absent where the kernel does not account for swap.
      .init("memory.memsw.limit_in_bytes", String(bytes), mayBeAbsent: true),
      // What waits in TCP's queues is not counted at all without a limit of its own (cgroup-v1/memory.rst).
      .init("memory.kmem.tcp.limit_in_bytes", String(bytes), mayBeAbsent: true),
    ]
  }

  /// Swap has a limit of its own there: none makes the two together what memory alone may be.
  private static func version2(_ bytes: UInt64) -> [CgroupSetup.Setting] {
    [.init("memory.max", String(bytes)), .init("memory.swap.max", "0", mayBeAbsent: true)]
  }

  package func usage(_ containerID: String) -> ContainerUsage {
    var usage = ContainerUsage()
    switch memory.directory(containerID) {
    case .version1(let cgroup):
      usage.memoryPeakBytes = cgroup.number("memory.max_usage_in_bytes")
      usage.memoryLimitBytes = cgroup.number("memory.limit_in_bytes").flatMap { $0 < 1 << 62 ? $0 : nil }
    case .version2(let cgroup):
      // Linux 5.19.
      usage.memoryPeakBytes = cgroup.number("memory.peak")
      usage.memoryLimitBytes = cgroup.number("memory.max")
    case nil: break
    }
    usage.outOfMemoryKills = outOfMemoryKills(containerID)
    return usage
  }

  package func outOfMemoryKills(_ containerID: String) -> UInt64? {
    switch memory.directory(containerID) {
    case .version1(let cgroup): cgroup.number("memory.oom_control", key: "oom_kill")
    case .version2(let cgroup): cgroup.number("memory.events", key: "oom_kill")
    case nil: nil
    }
  }
}
