import LaunchModel
import LinuxKernel

/// `cgroups/devices`: the devices of the minimal `/dev` and no others, whatever nodes a task comes by.
package struct CgroupsDevices: Isolator {
  package static let name = "cgroups/devices"
  private let host: HostFacts

  package init(host: HostFacts) { self.host = host }

  private var version1: CgroupHierarchies.Version1? { host.cgroups.version1Hierarchy(of: "devices") }

  package func unsupported() -> String? {
    version1 != nil || host.cgroups.version2 != nil
      ? nil : "this host has neither the devices cgroup controller nor cgroup2 mounted"
  }

  /// Making nodes is harmless without the right to open them; terminals are those of the container's own devpts.
  static let allowed =
    [
      DeviceRule(.character, access: .make), DeviceRule(.block, access: .make),
      DeviceRule(.character, major: 5, minor: 2), DeviceRule(.character, major: 136),
    ] + FilesystemLinux.devices.map { DeviceRule(.character, major: $0.major, minor: $0.minor) }

  package func prepare(_ container: ContainerConfig) throws(IsolationError) -> PlanFragment {
    if let version1 {
      return ContainerCgroups(version1, host: host, containerID: container.id)
        .fragment(task: [.init("devices.deny", "a")] + Self.allowed.map { .init("devices.allow", $0.version1) })
    }
    guard let cgroups = UnifiedCgroups(host, containerID: container.id) else {
      throw IsolationError(Self.name, unsupported() ?? "no cgroup2")
    }
    return cgroups.fragment([], CgroupLimits(), deviceProgram: DeviceRule.program(Self.allowed))
  }
}
