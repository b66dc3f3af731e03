import LaunchModel
import LinuxKernel

/// What the `cgroups/*` isolators share: a cgroup of the container's name in a controller's hierarchy.
struct CgroupController: Sendable {
  let isolator: String
  let controller: String
  let host: HostFacts

  /// Why the controller cannot be used; `nil` when it can.
  func unsupported() -> String? {
    if host.cgroups.version1[controller] != nil { return nil }
    if host.cgroups.version2Controllers.contains(controller) {
      return "the \(controller) controller is on cgroup v2 here, and only v1 and hybrid hosts are supported so far"
    }
    return "this host has no \(controller) cgroup controller mounted"
  }

  /// The container's cgroup; `nil` when the host lacks the controller.
  func directory(_ containerID: String) -> CgroupDirectory? {
    host.cgroups.version1[controller].map { CgroupDirectory("\($0)/\(host.cgroupParent)/\(containerID)") }
  }

  /// The container's cgroup with what shall be written into it, in order.
  func setup(_ containerID: String, _ settings: [CgroupSetup.Setting]) throws(IsolationError) -> CgroupSetup {
    guard let cgroup = directory(containerID) else {
      throw IsolationError(isolator, unsupported() ?? "no \(controller) controller")
    }
    return CgroupSetup(directory: cgroup.path, settings: settings)
  }

  func remove(_ containerID: String) throws(IsolationError) {
    guard let cgroup = directory(containerID) else { return }
    do throws(Errno) {
      try cgroup.remove()
    } catch {
      throw IsolationError(isolator, "cannot remove the cgroup \(cgroup.path)", error)
    }
  }
}
