import Glibc
import LinuxKernel

/// The container's place in the cgroup2 hierarchy, which a hybrid host mounts beside its version 1 controllers: the
/// container is killed through it whole, and with a service manager's own cgroup killed it stays.
///
///     <cgroup2>/aurora-executor/<container>/init     container-init
///     <cgroup2>/aurora-executor/<container>/task     every process of the task
struct ContainerCgroup {
  let whole: CgroupDirectory
  var initial: CgroupDirectory { CgroupDirectory(whole.path + "/init") }
  var task: CgroupDirectory { CgroupDirectory(whole.path + "/task") }

  /// Nil on a host without cgroup2.
  init?(hierarchies: CgroupHierarchies, parent: String, containerID: String) {
    guard let mount = hierarchies.version2 else { return nil }
    whole = CgroupDirectory("\(mount)/\(parent)/\(containerID)")
  }

  /// SIGKILL to everything in it at once (Linux 5.14). Tolerates its absence.
  func kill() throws(Errno) {
    do throws(Errno) { try whole.write("1", to: "cgroup.kill") } catch  where error.code == ENOENT {}
  }

  func remove() throws(Errno) {
    try task.remove()
    try initial.remove()
    try whole.remove()
  }
}
