import LaunchModel
import LinuxKernel

/// `namespaces/pid`: the container's processes see only each other, with init as pid 1; when init ends, all of them do.
package struct NamespacesPID: Isolator {
  package static let name = "namespaces/pid"
  package init(host: HostFacts) {}

  package func prepare(_ container: ContainerConfig) throws(IsolationError) -> PlanFragment {
    var fragment = PlanFragment()
    if container.sharesPIDNamespace { return fragment }
    fragment.namespaces = .pid
    if !container.hasImage {
      fragment.mounts = [
        .mount(
          type: "proc", target: "/proc", options: [],
          attributes: MountAttributes([.noSetuid, .noDevices, .noExecute]).rawValue)
      ]
    }
    return fragment
  }
}
