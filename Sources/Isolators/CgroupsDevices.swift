import LaunchModel
import LinuxKernel

/// `cgroups/devices`: the devices of the minimal `/dev` and no others, whatever nodes a task comes by.
package struct CgroupsDevices: Isolator {
  package static let name = "cgroups/devices"
  private let devices: CgroupController
  private let isVersion2Only: Bool

  package init(host: HostFacts) {
    devices = CgroupController(isolator: Self.name, controller: "devices", host: host)
    isVersion2Only =
      host.cgroups.version1.isEmpty && host.cgroups.unmounted.allSatisfy { $0 == CgroupHierarchies.unified }
  }

  package func unsupported() -> String? { devices.unsupported() }

  /// Who is not root can neither make a node nor open one that root did not open to him. On a host with version 1
  /// hierarchies the controller can be had all the same: there its absence is a mistake.
  package func isDispensable(for container: ContainerConfig) -> Bool {
    isVersion2Only && container.identity.uid != 0
  }

  /// Making nodes is harmless without the right to open them; terminals are those of the container's own devpts.
  private static let allowed =
    ["c *:* m", "b *:* m", "c 5:2 rwm", "c 136:* rwm"]
    + FilesystemLinux.devices.map { "c \($0.major):\($0.minor) rwm" }

  package func prepare(_ container: ContainerConfig) throws(IsolationError) -> PlanFragment {
    try devices.fragment(
      container.id, task: [.init("devices.deny", "a")] + Self.allowed.map { .init("devices.allow", $0) })
  }
}
