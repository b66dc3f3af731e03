import CLinux

/// How many files this process may have open (RLIMIT_NOFILE).
package enum DescriptorLimit {
  /// As the caller had it, read before `raise`.
  package static let inherited: (soft: UInt64, hard: UInt64) = {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource(7), &limit) == 0 else { return (1024, 4096) }
    return (UInt64(limit.rlim_cur), UInt64(limit.rlim_max))
  }()

  /// Takes all that may be had: a supervisor holds some descriptors for every process. What it starts for others gets
  /// the inherited limit.
  package static func raise() {
    var limit = rlimit(rlim_cur: rlim_t(inherited.hard), rlim_max: rlim_t(inherited.hard))
    _ = setrlimit(__rlimit_resource(7), &limit)
  }
}
