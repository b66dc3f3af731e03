import LaunchModel
import LinuxKernel

/// `cgroups/devices`: the devices of the minimal `/dev` and no others, whatever nodes a task comes by.
package struct CgroupsDevices: Isolator {
  package static let name = "cgroups/devices"
  private let devices: CgroupController

  package init(host: HostFacts) {
    devices = CgroupController(isolator: Self.name, controller: "devices", host: host)
  }

  package func unsupported() -> String? { devices.unsupported() }

  /// Making nodes is harmless without the right to open them; terminals are those of the container's own devpts.
  private static let allowed =
    ["c *:* m", "b *:* m", "c 5:2 rwm", "c 136:* rwm"]
    + FilesystemLinux.devices.map { "c \($0.major):\($0.minor) rwm" }

  package func prepare(_ container: ContainerConfig) throws(IsolationError) -> PlanFragment {
    var fragment = PlanFragment()
    fragment.cgroups = [
      try devices.setup(
        container.id, [.init("devices.deny", "a")] + Self.allowed.map { .init("devices.allow", $0) })
    ]
    return fragment
  }

  package func cleanup(_ containerID: String) throws(IsolationError) { try devices.remove(containerID) }
}
