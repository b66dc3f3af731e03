import Glibc
import LinuxKernel

/// The container's place in the cgroup2 hierarchy, which a hybrid host mounts beside its version 1 controllers: the
/// container is killed through it whole, and with a service manager's own cgroup killed it stays.
///
///     <cgroup2>/aurora-executor/<container>          the whole, with no process of its own: it may have controllers
///     <cgroup2>/aurora-executor/<container>/init     container-init
///     <cgroup2>/aurora-executor/<container>/task     every process of the task, and the root of its cgroup namespace
package struct ContainerCgroup {
  package let mount: CgroupDirectory
  package let whole: CgroupDirectory
  package var own: CgroupDirectory { CgroupDirectory(whole.path + "/init") }
  package var task: CgroupDirectory { CgroupDirectory(whole.path + "/task") }

  /// Nil on a host without cgroup2.
  package init?(hierarchies: CgroupHierarchies, parent: String, containerID: String) {
    guard let mount = hierarchies.version2 else { return nil }
    self.mount = CgroupDirectory(mount)
    whole = CgroupDirectory("\(mount)/\(parent)/\(containerID)")
  }

  /// SIGKILL to everything in it at once (Linux 5.14). Tolerates its absence.
  package func kill() throws(Errno) {
    do throws(Errno) { try whole.write("1", to: "cgroup.kill") } catch  where error.code == ENOENT {}
  }

  /// Has the task's processes stop (Linux 5.2), each when the system call is done that it is in and that cannot be interrupted.
  /// False where they cannot be told.
  @discardableResult package func freeze() -> Bool {
    bestEffort("freeze \(task.path)", tolerating: ENOENT, ENODEV) { try task.write("1", to: "cgroup.freeze") } != nil
  }

  /// Whether all of them have stopped.
  package var isFrozen: Bool { task.number("cgroup.events", key: "frozen") == 1 }

  package func thaw() {
    guard task.number("cgroup.freeze") != 0 else { return }
    bestEffort("thaw \(task.path)", tolerating: ENOENT, ENODEV) { try task.write("0", to: "cgroup.freeze") }
  }

  /// SIGKILL to the task's processes, one by one; its init stays. Not by `cgroup.kill`: on Linux 6.18 everything that is
  /// born into a cgroup by clone3(2) after that was written is killed as well, and final processes are still to be born
  /// there. A frozen cgroup forks no more, and its processes can be killed all the same.
  package func killTask() {
    freeze()
    _ = task.killEach(until: Clock.now + 1_000_000_000)
    thaw()
  }
}
