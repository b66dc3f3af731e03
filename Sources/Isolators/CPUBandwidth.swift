/// A number of CPUs as the kernel's scheduler takes it: a share when they are short, and a quota of every period
/// (Documentation/scheduler/sched-bwc.rst).
package struct CPUBandwidth: Equatable {
  /// 1024 for a whole CPU.
  package let shares: Int
  /// The same for version 2: 100 for a whole CPU.
  package let weight: Int
  /// Of CPU time in a period, at most.
  package let quotaMicroseconds: Int

  package static let periodMicroseconds = 100_000
  /// What the kernel takes.
  private static let (possibleShares, possibleWeight, smallestQuota) = (2...262_144, 1...10_000, 1000)

  /// - Parameter more: CPUs that may be used beside those that are asked for, when there are some.
  package init(cpus: Double, more: Double = 0) {
    let possible = CPUBandwidth.possibleShares
    shares = max(possible.lowerBound, Int(1024 * min(cpus, Double(possible.upperBound / 1024))))
    let weights = CPUBandwidth.possibleWeight
    weight = max(weights.lowerBound, Int(100 * min(cpus, Double(weights.upperBound / 100))))
    quotaMicroseconds = max(
      CPUBandwidth.smallestQuota, Int(Double(CPUBandwidth.periodMicroseconds) * min(cpus + more, 4096)))
  }
}
