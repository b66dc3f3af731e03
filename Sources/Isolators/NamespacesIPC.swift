import LaunchModel
import LinuxKernel

/// `namespaces/ipc`: System V IPC, POSIX message queues and `/dev/shm` of its own.
package struct NamespacesIPC: Isolator {
  package static let name = "namespaces/ipc"
  package init(host: HostFacts) {}

  package func prepare(_ container: ContainerConfig) throws(IsolationError) -> PlanFragment {
    var fragment = PlanFragment()
    if container.sharesIPCNamespace {
      if container.hasImage {
        fragment.mounts = [.directory(target: "/dev/shm", mode: 0o1777)]
        fragment.binds = [
          BindMount(
            source: "/dev/shm", target: "/dev/shm",
            attributes: MountAttributes([.noSetuid, .noDevices, .noExecute]).rawValue, recursive: false, kind: .own)
        ]
      }
      return fragment
    }
    fragment.namespaces = .ipc
    fragment.mounts = NamespacesIPC.sharedMemory(bytes: container.sharedMemoryBytes)
    if container.hasImage {
      fragment.mounts += [
        .directory(target: "/dev/mqueue", mode: 0o755),
        .mount(
          type: "mqueue", target: "/dev/mqueue", options: [],
          attributes: MountAttributes([.noSetuid, .noDevices, .noExecute]).rawValue),
      ]
    }
    return fragment
  }

  /// Of a private `/dev/shm`, unless the task says otherwise.
  package static let sharedMemoryBytes: UInt64 = 64 << 20

  /// A private `/dev/shm`.
  static func sharedMemory(bytes: UInt64?) -> [SetupStep] {
    [
      .directory(target: "/dev/shm", mode: 0o1777),
      .mount(
        type: "tmpfs", target: "/dev/shm", options: ["mode=1777", "size=\(bytes ?? sharedMemoryBytes)"],
        attributes: MountAttributes([.noSetuid, .noDevices, .noExecute]).rawValue),
    ]
  }
}
