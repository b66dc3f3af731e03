import CLinux

/// A limit of CPU time that was taken away, for what has to be done soon: a process that is killed frees what it has in time
/// of its own cgroup.
package struct CgroupQuota {
  private var taken: [(cgroup: CgroupDirectory, file: String, value: String)] = []
  /// A task that makes more cgroups of its own than this waits for those.
  private static let most = 10_000

  /// Takes it from a cgroup and from those below it, in either version of the CPU controller.
  package static func lift(_ directory: CgroupDirectory) -> CgroupQuota {
    var quota = CgroupQuota()
    for cgroup in directory.tree().prefix(most) {
      for (file, unlimited) in [("cpu.cfs_quota_us", "-1"), ("cpu.max", "max")] {
        guard let value = try? cgroup.read(file), !value.utf8.starts(with: unlimited.utf8),
          bestEffort(
            "write \(unlimited) to \(cgroup.path)/\(file)", tolerating: ENOENT, ENODEV,
            attempt: { try cgroup.write(unlimited, to: file) }) != nil
        else { continue }
        quota.taken.append((cgroup, file, value))
      }
    }
    return quota
  }

  /// Gives it back.
  package func restore() {
    for (cgroup, file, value) in taken {
      // Gone with its cgroup, it binds nobody.
      bestEffort("write \(value) back to \(cgroup.path)/\(file)", tolerating: ENOENT, ENODEV) {
        try cgroup.write(value, to: file)
      }
    }
  }
}
