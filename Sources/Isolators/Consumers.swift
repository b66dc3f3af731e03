import LaunchModel

/// What a task may ask for, and the isolators that give it: what none of those in the list gives is refused, never dropped.
extension ContainerConfig {
  private struct Need: Sendable {
    let isolator: String
    let what: String
    let isAsked: @Sendable (ContainerConfig) -> Bool

    init(_ isolator: String, _ what: String, _ isAsked: @escaping @Sendable (ContainerConfig) -> Bool) {
      self.isolator = isolator
      self.what = what
      self.isAsked = isAsked
    }
  }

  private static let needs: [Need] = [
    Need(FilesystemLinux.name, "an image") { $0.hasImage },
    Need(DockerRuntime.name, "the command of its image") { $0.runsImageCommand && $0.image?.isAppc != true },
    Need(AppcRuntime.name, "the command of its AppC image") { $0.runsImageCommand && $0.image?.isAppc == true },
    Need(FilesystemLinux.name, "volumes") { !$0.volumes.isEmpty },
    Need(VolumeHostPath.name, "a volume of the host") { $0.volumes.contains { $0.isHostPath } },
    Need(VolumeSandboxPath.name, "a volume of its sandbox") { $0.volumes.contains { !$0.isHostPath } },
    Need(PosixResourceLimits.name, "rlimit_info") { !$0.limits.isEmpty },
    Need(LinuxCapabilities.name, "capabilities") { $0.boundingCapabilities != nil || $0.effectiveCapabilities != nil },
    Need(NamespacesIPC.name, "a size of /dev/shm") { $0.sharedMemoryBytes != nil },
  ]

  /// Refuses what `isolators` cannot give. Limits of resources are not among it: who leaves their isolators out means it,
  /// and the result lists what was applied.
  package func requireConsumers() throws(IsolationError) {
    for need in ContainerConfig.needs where need.isAsked(self) && !isolators.contains(need.isolator) {
      throw IsolationError(
        need.isolator, "the task has \(need.what), and this isolator, which would give it, is not in the list",
        hint: "add \(need.isolator) to --isolation", isUnavailable: true)
    }
  }
}
