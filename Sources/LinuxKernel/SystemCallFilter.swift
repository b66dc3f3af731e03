import CLinux

/// Filters of system calls (seccomp(2)) that a process puts on itself, for good. `no_new_privs` must be set before, or
/// CAP_SYS_ADMIN be held.
package enum SystemCallFilter {
  /// Leaves what reading, computing and making files takes; everything else gives `EPERM` from now on: no process,
  /// socket, namespace, mount, key, `io_uring` or `bpf`.
  package static func fileWork() throws(Errno) { try check("prctl(PR_SET_SECCOMP)") { ax_filter_file_work() } }

  /// Refuses what could change a file's project id, or its other attributes of that kind, with `EPERM`: ioctl_iflags(2),
  /// ioctl_xfs_fssetxattr(2), file_setattr(2).
  package static func keepProjects() throws(Errno) {
    try check("seccomp") { ax_filter_project_changes() }
  }

  /// Refuses a new cgroup namespace with `EPERM`: unshare(2), clone(2); and clone3(2) with `ENOSYS`.
  package static func keepCgroupNamespace() throws(Errno) {
    try check("seccomp") { ax_filter_cgroup_namespaces() }
  }

  /// Refuses new rules of Landlock with `ENOSYS`: landlock_create_ruleset(2).
  package static func refuseLandlock() throws(Errno) { try check("seccomp") { ax_filter_landlock() } }

  /// Puts a compiled filter on this process: `struct sock_filter`, 8 bytes each.
  package static func install(_ program: [UInt8]) throws(Errno) {
    guard program.count % 8 == 0 else { throw Errno("seccomp", code: EINVAL) }
    try check("seccomp") { program.withUnsafeBytes { ax_install_filter($0.baseAddress, $0.count / 8) } }
  }
}
