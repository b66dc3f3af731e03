import LaunchModel
import LinuxKernel

/// `namespaces/cgroup`: a cgroup of the container's own in every hierarchy that the host has, and a namespace in which these
/// are all there is.
///
/// A hierarchy in which the container had no cgroup would be the host's from its root on for whoever can mount it: its
/// freezer, its block devices, and with the release agent its programs (CVE-2022-0492).
package struct NamespacesCgroup: Isolator {
  package static let name = "namespaces/cgroup"
  private let host: HostFacts

  package init(host: HostFacts) { self.host = host }

  package func unsupported() -> String? {
    guard let name = host.cgroups.unmounted.first else { return nil }
    return
      "the cgroup hierarchy \(name) of this host is not mounted here, so that the container cannot have a cgroup in it"
  }

  /// Whether somebody inside could make himself another namespace, and lift his limits in it: root, where the profile of
  /// system calls is not the default one, which lets nobody. CAP_SYS_ADMIN is a right to all of that.
  private func needsKeeping(_ container: ContainerConfig) throws(IsolationError) -> Bool {
    guard container.identity.uid == 0, host.isRoot else { return false }
    if container.seccomp == .default, container.isolators.contains(LinuxSeccomp.name) { return false }
    guard container.isolators.contains(LinuxCapabilities.name) else { return false }
    return try LinuxCapabilities.bounding(container).isDisjoint(with: LinuxCapabilities.administration)
  }

  package func prepare(_ container: ContainerConfig) throws(IsolationError) -> PlanFragment {
    var fragment = PlanFragment()
    fragment.namespaces = .cgroup
    fragment.keepsCgroupNamespace = try needsKeeping(container)
    // A hierarchy without controllers has nothing that a process could size itself by.
    if container.hasImage, container.isolators.contains(FilesystemLinux.name), host.cgroups.isUnified,
      let task = UnifiedCgroups(host, containerID: container.id)?.task
    {
      fragment.mounts = [
        .ownCgroup(
          BindMount(
            source: task.path, target: "/sys/fs/cgroup", attributes: FilesystemLinux.dataOnly.union(.readOnly).rawValue,
            recursive: false, kind: .own))
      ]
    }
    for hierarchy in host.cgroups.version1Hierarchies {
      fragment.addCgroups(ContainerCgroups(hierarchy, host: host, containerID: container.id).fragment())
    }
    return fragment
  }
}
