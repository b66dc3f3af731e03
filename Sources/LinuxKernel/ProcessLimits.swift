import CLinux

/// The resource limits of a process (prlimit(2)); `UInt64.max` is unlimited.
package enum ProcessLimits {
  /// Every resource that the kernel knows, by its number.
  package static let resources: Range<Int32> = 0..<16

  /// Of this process when `pid` is 0.
  package static func get(_ resource: Int32, of pid: Int32 = 0) throws(Errno) -> (soft: UInt64, hard: UInt64) {
    var limit = rlimit()
    try check("prlimit") { prlimit(pid, __rlimit_resource(UInt32(resource)), nil, &limit) }
    return (UInt64(limit.rlim_cur), UInt64(limit.rlim_max))
  }

  /// A hard limit above the present one needs CAP_SYS_RESOURCE on the host.
  package static func set(_ resource: Int32, of pid: Int32 = 0, soft: UInt64, hard: UInt64) throws(Errno) {
    var limit = rlimit(rlim_cur: rlim_t(soft), rlim_max: rlim_t(hard))
    try check("prlimit") { prlimit(pid, __rlimit_resource(UInt32(resource)), &limit, nil) }
  }
}
