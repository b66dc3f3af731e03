import LaunchModel
import LinuxKernel

/// `filesystem/linux`: a mount namespace of its own; with an image, a root of the image's layers with proc, sysfs and
/// a minimal `/dev`; the sandbox and its logs; what of the kernel a task must not see is hidden.
package struct FilesystemLinux: Isolator {
  package static let name = "filesystem/linux"
  package init(host: HostFacts) {}

  private static let noDevicesNoSetuid: MountAttributes = [.noSetuid, .noDevices]
  private static let dataOnly: MountAttributes = [.noSetuid, .noDevices, .noExecute]

  /// Kernel interfaces that tell of, or act on, more than the container.
  package static let masked = [
    "/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/key-users",
    "/proc/latency_stats", "/proc/sched_debug", "/proc/scsi", "/proc/timer_list", "/proc/timer_stats", "/sys/firmware",
    "/sys/devices/virtual/powercap",
  ]
  package static let readOnly = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]

  /// The devices of a minimal `/dev`, open to everybody.
  package static let devices: [(name: String, major: UInt32, minor: UInt32)] = [
    ("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0),
  ]

  package func prepare(_ container: ContainerConfig) throws(IsolationError) -> PlanFragment {
    var fragment = PlanFragment()
    fragment.namespaces = .mount
    fragment.hostname = container.hostname
    switch container.root {
    case .host:
      fragment.root = .hostRoot
    case .image(let layers, let upper, let work):
      fragment.root = .overlayRoot(layers: layers, upper: upper, work: work)
      fragment.mounts = kernelFileSystems(container) + networkFiles()
    }
    fragment.mounts += sandbox(container)
    // A role with root's powers could otherwise write itself out of its cgroups.
    if !container.hasImage, container.identity.uid == 0 { fragment.afterPivot = [.readOnly("/sys/fs/cgroup")] }
    // On the host's file system /proc is the container's only when its pid namespace is.
    if container.hasImage || (container.isolators.contains(NamespacesPID.name) && !container.sharesPIDNamespace) {
      fragment.afterPivot +=
        FilesystemLinux.readOnly.map { .readOnly($0) } + FilesystemLinux.masked.map { .mask($0) }
    }
    return fragment
  }

  private func kernelFileSystems(_ container: ContainerConfig) -> [SetupStep] {
    let dataOnly = FilesystemLinux.dataOnly
    var steps: [SetupStep] = [
      .mount(type: "proc", target: "/proc", options: [], attributes: dataOnly.rawValue),
      .mount(type: "sysfs", target: "/sys", options: [], attributes: dataOnly.union(.readOnly).rawValue),
      // Fresh, before anything under it is touched: an image's own /dev is never used (CVE-2025-52565 and its kin).
      .mount(
        type: "tmpfs", target: "/dev", options: ["mode=755", "size=64k"],
        attributes: MountAttributes([.noSetuid, .noExecute]).rawValue),
      .directory(target: "/dev/pts", mode: 0o755),
      .mount(
        type: "devpts", target: "/dev/pts", options: ["newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
        attributes: MountAttributes([.noSetuid, .noExecute]).rawValue),
    ]
    steps += FilesystemLinux.devices.map {
      .device(target: "/dev/" + $0.name, major: $0.major, minor: $0.minor, mode: 0o666)
    }
    steps += [
      .symbolicLink(target: "/dev/ptmx", content: "pts/ptmx"),
      .symbolicLink(target: "/dev/fd", content: "/proc/self/fd"),
      .symbolicLink(target: "/dev/stdin", content: "/proc/self/fd/0"),
      .symbolicLink(target: "/dev/stdout", content: "/proc/self/fd/1"),
      .symbolicLink(target: "/dev/stderr", content: "/proc/self/fd/2"),
    ]
    if !container.isolators.contains(NamespacesIPC.name) { steps += NamespacesIPC.sharedMemory(bytes: nil) }
    return steps
  }

  /// The container is on the host's network, so it resolves names as the host does.
  private func networkFiles() -> [SetupStep] {
    ["/etc/resolv.conf", "/etc/hosts", "/etc/hostname"].filter { (try? status(of: $0, followLinks: true)) != nil }.map {
      .bind(
        source: $0, target: $0, attributes: FilesystemLinux.dataOnly.union(.readOnly).rawValue, recursive: false)
    }
  }

  private func sandbox(_ container: ContainerConfig) -> [SetupStep] {
    var steps: [SetupStep] = []
    if container.sandbox != container.sandboxHostPath {
      steps.append(
        .bind(
          source: container.sandboxHostPath, target: container.sandbox,
          attributes: FilesystemLinux.noDevicesNoSetuid.rawValue, recursive: false))
    }
    steps.append(
      .bind(
        source: container.logsHostPath, target: container.sandbox + "/.logs",
        attributes: FilesystemLinux.dataOnly.union(.readOnly).rawValue, recursive: false))
    return steps
  }
}
