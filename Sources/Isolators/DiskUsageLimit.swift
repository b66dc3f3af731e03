import LaunchModel

/// `disk/du`: the files of a task take no more than its limit of disk.
///
/// It has no part in the launch: the executor measures while the task runs, for both containerizers alike. It stands in
/// the table so that `--isolation` can leave it out.
package struct DiskUsageLimit: Isolator {
  package static let name = "disk/du"

  package init(host: HostFacts) {}

  package func prepare(_ container: ContainerConfig) throws(IsolationError) -> PlanFragment { PlanFragment() }
}
