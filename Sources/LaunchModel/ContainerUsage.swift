/// What a container has used; absent where nobody measured it.
package struct ContainerUsage: Sendable, Equatable {
  package var cpuNanoseconds: UInt64?
  package var memoryPeakBytes: UInt64?
  package var memoryLimitBytes: UInt64?
  /// Processes the kernel killed because the container reached its memory limit.
  package var outOfMemoryKills: UInt64?
  /// Forks the kernel refused because the container reached its pids limit.
  package var refusedForks: UInt64?
  package var pidsLimit: UInt64?

  package init() {}

  /// Both views in one; what this one has stays.
  package func merging(_ other: ContainerUsage) -> ContainerUsage {
    var merged = self
    merged.cpuNanoseconds = cpuNanoseconds ?? other.cpuNanoseconds
    merged.memoryPeakBytes = memoryPeakBytes ?? other.memoryPeakBytes
    merged.memoryLimitBytes = memoryLimitBytes ?? other.memoryLimitBytes
    merged.outOfMemoryKills = outOfMemoryKills ?? other.outOfMemoryKills
    merged.refusedForks = refusedForks ?? other.refusedForks
    merged.pidsLimit = pidsLimit ?? other.pidsLimit
    return merged
  }
}
