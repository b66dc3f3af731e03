import DockerEngineClient
import Glibc
import LaunchModel
import LinuxKernel
import TaskStore

extension DockerMountPoints {
  /// The files of the engine's own that every container has.
  private static let engineFiles = ["/etc/hosts", "/etc/hostname", "/etc/resolv.conf"]

  /// What is mounted in a container that has been made, and not been started.
  ///
  /// - Parameters:
  ///   - found: as the engine has understood it, volumes of the image and of other containers included.
  ///   - create: what it was asked for.
  ///   - own: what is the executor's.
  ///   - sandbox: the target of the one among these in which the task may make things.
  ///   - writablePaths: where tasks may write on the host, by a policy.
  init(
    _ found: [ContainerDetails.Mount], _ create: ContainerCreateRequest, own: [MountSpec], sandbox: String,
    writablePaths: [String]
  ) throws(ExecutorFailure) {
    let config = create.hostConfig
    var points: [Point] = []
    // A tmpfs is in the place of a volume with the same target.
    for mount in found where !config.tmpfs.keys.contains(where: { $0.utf8.elementsEqual(mount.destination.utf8) }) {
      let target = DockerRequest.cleaned(mount.destination)
      let content: Content
      if let mount = own.first(where: { DockerRequest.cleaned($0.target) == target }) {
        let isSandbox = target == DockerRequest.cleaned(sandbox)
        content = isSandbox ? .sandbox(mount.source) : .unseen("what is the executor's own")
      } else {
        content = config.content(of: mount, target)
        if mount.type == "bind", !config.mounts.contains(where: { DockerRequest.cleaned($0.target) == target }) {
          try Self.checkForeign(mount, writablePaths)
        }
      }
      points.append(
        Point(mount.destination, mount.type == "bind" ? try Self.kind(mount.source) : .directory, content))
    }
    points += config.tmpfs.keys.map { Point($0, .directory) }
    for point in points where point.target == [Self.devices] { try Self.checkDevices(point.content) }
    // As it compares them: by what is written.
    let targets = found.map { Array($0.destination.utf8) } + config.tmpfs.keys.map { Array($0.utf8) }
    func isFree(_ target: String) -> Bool { !targets.contains(Array(target.utf8)) }
    let hasDevices = isFree("/dev")
    points += [
      Point("/proc", .directory, .unseen("the engine's /proc"), isEngines: true),
      Point("/dev", .directory, isEngines: true),
      Point("/dev/pts", .directory, .unseen("the engine's /dev/pts"), isEngines: true),
      Point("/sys", .directory, .unseen("the engine's /sys"), isEngines: true),
      Point("/sys/fs/cgroup", .directory, .unseen("the engine's /sys/fs/cgroup"), isEngines: true),
      Point("/dev/mqueue", .directory, .unseen("the engine's /dev/mqueue"), isEngines: true),
      Point("/dev/shm", .directory, config.sharedMemory, isEngines: true),
    ].filter { point in
      let target = Self.path(point.target)
      return isFree(target) && (hasDevices || point.target.count == 1 || point.target.first != Self.devices)
    }
    // Some kinds of it are a mount like any other.
    if !hasDevices, isFree("/dev/shm") { points.append(Point("/dev/shm", .directory, config.sharedMemory)) }
    points += Self.engineFiles.filter(isFree).map { Point($0, .file) }
    // In a /dev that is bound the engine makes nothing.
    if hasDevices {
      points += config.devices.map { device in
        let isDirectory = (try? status(of: device.hostPath, followLinks: true).isDirectory) ?? false
        return Point(device.containerPath, isDirectory ? .nodes : .node)
      }
    }
    self.init(points, writablePaths: writablePaths)
  }

  /// Only what is the host's can be a /dev instead of the engine's.
  private static func checkDevices(_ content: Content) throws(ExecutorFailure) {
    if case .host(let source) = content, let directory = try? openFile(source, O_PATH | O_DIRECTORY),
      DockerRecognition.isSafe(devices: directory)
    {
      return
    }
    throw DockerRecognition.unsafeDevices
  }
}

extension HostConfig {
  fileprivate func content(of mount: ContainerDetails.Mount, _ target: [[UInt8]]) -> DockerMountPoints.Content {
    let other: DockerMountPoints.Content =
      mount.source.utf8.first == UInt8(ascii: "/")
      ? .host(mount.source) : .unseen(mount.name.isEmpty ? "what others have" : "the volume \(mount.name)")
    switch mount.type {
    case "tmpfs": return .empty
    // What is seen from here may be in a mount that it does not have.
    case "bind" where mounts.contains { $0.nonRecursive && DockerRequest.cleaned($0.target) == target }:
      return .unseen("\(mount.source) without what is mounted in it")
    // The engine says where the volume is, and not which directory of it is mounted.
    case "volume" where mounts.contains { !$0.subpath.isEmpty && DockerRequest.cleaned($0.target) == target }:
      return .unseen("a directory of the volume \(mount.name)")
    // One without a name is made for the container. Whose those of another container are is not looked at.
    case "volume" where volumesFrom.isEmpty && !namesVolume(mount.name):
      let hasDriver = mounts.contains {
        $0.kind == .volume && DockerRequest.cleaned($0.target) == target
          && !($0.volumeOptions.isEmpty && $0.volumeDriver.isEmpty)
      }
      // A driver may show anything in it, also of the host.
      return hasDriver || !volumeDriver.isEmpty ? .unseen("a volume with a driver or options") : .copied
    default: return other
    }
  }

  /// Whether a volume was asked for by this name.
  private func namesVolume(_ name: String) -> Bool {
    let named =
      binds.filter { !$0.isHostPath }.map(\.source) + mounts.filter { $0.kind == .volume }.map(\.source)
    return named.contains { $0.utf8.elementsEqual(name.utf8) }
  }

  /// What is on /dev/shm.
  fileprivate var sharedMemory: DockerMountPoints.Content {
    switch ipcMode {
    case "", "none", "private", "shareable": .empty
    case "host": .host("/dev/shm")
    default: .unseen("another container's /dev/shm")
    }
  }
}
