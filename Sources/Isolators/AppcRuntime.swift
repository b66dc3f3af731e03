/// `appc/runtime`: what `docker/runtime` does, for an AppC image: the environment of its `app`, below the task's own, and
/// for a task that has no processes `exec` and `workingDirectory`. Its user and group never override the role.
package struct AppcRuntime: Isolator {
  package static let name = "appc/runtime"
  package init(host: HostFacts) {}

  package func prepare(_ container: ContainerConfig) throws(IsolationError) -> PlanFragment {
    guard let image = container.image, image.isAppc else { return PlanFragment() }
    return try image.fragment(for: Self.name, runsCommand: container.runsImageCommand)
  }
}
