import LaunchModel
import LinuxKernel

/// `linux/landlock`: no process of the container connects to an abstract UNIX socket of somebody outside it.
///
/// Such sockets belong to the network namespace, which is the host's, and have no owner and no mode: a daemon that listens
/// on one would have the container's root for root (CVE-2020-15257), and another task could be handed an open directory.
package struct LinuxLandlock: Isolator {
  package static let name = "linux/landlock"
  private let isRoot: Bool

  package init(host: HostFacts) { isRoot = host.isRoot }

  package func unsupported() -> String? {
    Landlock.version >= Landlock.firstWithScopes ? nil : "this kernel has no Landlock with scopes (Linux 6.12)"
  }

  /// Kernels in wide use have none: a wall beside the others, where it can be had.
  package func isDispensable(for container: ContainerConfig) -> Bool { true }

  package func prepare(_ container: ContainerConfig) throws(IsolationError) -> PlanFragment {
    var fragment = PlanFragment()
    // Who shares the host's processes is to look at them, where it has the capability.
    fragment.scopesSockets = !container.sharesPIDNamespace
    return fragment
  }
}
