import LaunchModel
import LinuxKernel

/// `filesystem/linux`: a mount namespace of its own; with an image, a root of the image's layers with proc, sysfs and
/// a minimal `/dev`; the sandbox and its logs; what of the kernel a task must not see is hidden.
package struct FilesystemLinux: Isolator {
  package static let name = "filesystem/linux"
  package init(host: HostFacts) {}

  private static let noDevicesNoSetuid: MountAttributes = [.noSetuid, .noDevices]
  static let dataOnly: MountAttributes = [.noSetuid, .noDevices, .noExecute]

  /// Kernel interfaces that tell of, or act on, more than the container.
  package static let masked = [
    "/proc/acpi", "/proc/asound", "/proc/dynamic_debug", "/proc/interrupts", "/proc/kcore", "/proc/keys",
    "/proc/key-users", "/proc/latency_stats", "/proc/lock_stat", "/proc/profile", "/proc/sched_debug", "/proc/scsi",
    "/proc/sys/net/ipv4/tcp_fastopen_key", "/proc/timer_list", "/proc/timer_stats",
    // Reading makes a block device of the host's.
    "/sys/class/zram-control",
    "/sys/firmware", "/sys/devices/virtual/powercap",
  ]
  /// What of init root of the container may write to by a file's mode alone: `/proc/1/oom_score_adj` makes it the first that
  /// the kernel kills when memory runs out.
  private static let initsOwn = "/proc/1"
  package static let readOnly = [
    "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger",
    // Open to everybody for triggers, each of which takes the kernel ten milliseconds to end: a process that was killed would
    // be there for minutes.
    "/proc/pressure",
  ]

  /// Pseudo terminals of a container: the host has one number for all of them (`kernel.pty.max`).
  private static let mostTerminals = 256

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
      fragment.mounts = hidden(container)
    case .image(let layers, let upper, let work):
      fragment.root = .overlayRoot(layers: layers, upper: upper, work: work)
    case .imageCopy(let copy): fragment.root = .copiedRoot(copy)
    }
    if container.hasImage {
      fragment.mounts = kernelFileSystems(container)
      addNetworkFiles(container, to: &fragment)
    }
    fragment.binds += sandbox(container)
    // A role with root's powers could otherwise write itself out of its cgroups.
    if !container.hasImage, container.identity.uid == 0 { fragment.afterPivot = [.readOnly("/sys/fs/cgroup")] }
    // On the host's file system /proc is the container's only when its pid namespace is.
    if container.hasImage || (container.isolators.contains(NamespacesPID.name) && !container.sharesPIDNamespace) {
      fragment.afterPivot +=
        (FilesystemLinux.readOnly + [FilesystemLinux.initsOwn]).map { .readOnly($0) }
        + FilesystemLinux.masked.map { .mask($0) }
    }
    let isOfHost = container.root == .host || container.volumes.contains { $0.isHostPath }
    let hides = SetupStep.hideForeign(
      processes: container.isolators.contains(NamespacesPID.name) && !container.sharesPIDNamespace,
      queues: container.isolators.contains(NamespacesIPC.name) && !container.sharesIPCNamespace)
    if isOfHost, hides != .hideForeign(processes: false, queues: false) { fragment.afterPivot.append(hides) }
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
        type: "devpts", target: "/dev/pts",
        options: ["newinstance", "ptmxmode=0666", "mode=0620", "gid=5", "max=\(FilesystemLinux.mostTerminals)"],
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

  /// The container is on the host's network, so it resolves names as the host does. By copies: whoever may lock a file of
  /// the host's, or take a lease on it, keeps others from writing to it.
  private func addNetworkFiles(_ container: ContainerConfig, to fragment: inout PlanFragment) {
    guard let directory = container.networkFilesDirectory else { return }
    for name in ["resolv.conf", "hosts", "hostname"] {
      let (original, copy) = ("/etc/" + name, directory + "/" + name)
      guard (try? status(of: original, followLinks: true)) != nil else { continue }
      fragment.copies.append(FileCopy(from: original, to: copy))
      fragment.binds.append(
        BindMount(
          source: copy, target: original, attributes: FilesystemLinux.dataOnly.union(.readOnly).rawValue,
          recursive: false, kind: .optional))
    }
  }

  /// What the executor keeps of other tasks is covered, and of this one's only the sandbox is seen, where it is.
  private func hidden(_ container: ContainerConfig) -> [SetupStep] {
    // What lies in another is covered with it.
    let directories = container.hiddenDirectories.sorted { $0.utf8.count < $1.utf8.count }
    let steps = directories.enumerated().filter { index, path in
      !directories[..<index].contains { path.utf8.starts(with: ($0 + "/").utf8) }
    }.map { _, path in
      SetupStep.mount(
        type: "tmpfs", target: path, options: ["mode=711", "size=64k", "nr_inodes=64"],
        attributes: FilesystemLinux.dataOnly.rawValue)
    }
    return steps + [.directory(target: container.sandbox, mode: 0o711)]
  }

  private func sandbox(_ container: ContainerConfig) -> [BindMount] {
    [
      BindMount(
        source: container.sandboxHostPath, target: container.sandbox,
        attributes: FilesystemLinux.noDevicesNoSetuid.rawValue, recursive: false, kind: .own),
      BindMount(
        source: container.logsHostPath, target: container.sandbox + "/.logs",
        attributes: FilesystemLinux.dataOnly.union(.readOnly).rawValue, recursive: false, kind: .own),
    ]
  }
}
