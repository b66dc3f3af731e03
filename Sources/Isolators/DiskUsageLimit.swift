import LaunchModel

/// `disk/du`: the files of a task take no more than its limit of disk.
///
/// The executor sets the quota, or measures while the task runs, for both containerizers alike; its part in the launch is that
/// tasks cannot leave a project quota. That holds for tasks without a limit as well: they could have others' quotas charged. And
/// what is measured can be found: of a task with a limit no rule of Landlock holds a file that has no name any more.
package struct DiskUsageLimit: Isolator {
  package static let name = "disk/du"

  package init(host: HostFacts) {}

  package func prepare(_ container: ContainerConfig) throws(IsolationError) -> PlanFragment {
    var fragment = PlanFragment()
    fragment.keepsProjects = container.countsProjects
    // A quota may yet turn out not to be had. Who may gain privileges cannot install a filter for himself.
    fragment.pinsNoFiles =
      container.resources.diskBytes ?? 0 > 0 && container.seccomp != .unconfined
      && container.isolators.contains(LinuxNoNewPrivileges.name)
    return fragment
  }
}
