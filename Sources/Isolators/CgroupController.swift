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

  /// Makes the cgroup, which must not exist, and writes the limits into it in their order.
  func create(_ containerID: String, limits: [(file: String, value: String)]) throws(IsolationError) -> CgroupDirectory {
    guard let cgroup = directory(containerID) else {
      throw IsolationError(isolator, unsupported() ?? "no \(controller) controller")
    }
    do throws(Errno) {
      try cgroup.create()
    } catch {
      let hint = error.code == EEXIST ? "`aurora-executor sweep` removes what a task left behind" : nil
      throw IsolationError(isolator, "cannot make the cgroup \(cgroup.path)", error, hint: hint)
    }
    for limit in limits { try write(limit.value, to: limit.file, in: cgroup) }
    return cgroup
  }

  func write(_ value: String, to file: String, in cgroup: CgroupDirectory) throws(IsolationError) {
    do throws(Errno) {
      try cgroup.write(value, to: file)
    } catch {
      throw IsolationError(isolator, "cannot write \(value) to \(cgroup.path)/\(file)", error)
    }
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
