import LaunchModel

/// `linux/nnp`: no program that the task executes gains privileges, by setuid bits or file capabilities
/// (`PR_SET_NO_NEW_PRIVS`).
package struct LinuxNoNewPrivileges: Isolator {
  package static let name = "linux/nnp"
  package init(host: HostFacts) {}

  package func prepare(_ container: ContainerConfig) throws(IsolationError) -> PlanFragment {
    var fragment = PlanFragment()
    fragment.noNewPrivileges = true
    return fragment
  }
}
