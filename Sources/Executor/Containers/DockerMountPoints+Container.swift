import DockerEngineClient
import LinuxKernel

extension DockerMountPoints {
  /// The files of the engine's own that every container has.
  private static let engineFiles = ["/etc/hosts", "/etc/hostname", "/etc/resolv.conf"]

  /// What is mounted in a container that has been made, and not been started.
  ///
  /// - Parameters:
  ///   - found: as the engine has understood it, volumes of the image and of other containers included.
  ///   - create: what it was asked for.
  ///   - own: the targets of what is the executor's.
  init(_ found: [ContainerDetails.Mount], _ create: ContainerCreateRequest, own: [String]) throws(CommandFailure) {
    let config = create.hostConfig
    var points: [Point] = []
    for mount in found {
      let isOwn = own.contains { DockerRequest.cleaned($0) == DockerRequest.cleaned(mount.destination) }
      switch mount.type {
      case "bind":
        points.append(
          Point(mount.destination, try Self.kind(mount.source), isOwn ? .launch : .host(mount.source)))
      case "volume":
        // One without a name is made for the container. Whose those of another container are is not looked at.
        let isAnonymous = config.volumesFrom.isEmpty && !config.namesVolume(mount.name)
        points.append(Point(mount.destination, .directory, isAnonymous ? .launch : Self.content(of: mount)))
      case "tmpfs": points.append(Point(mount.destination, .directory))
      default: points.append(Point(mount.destination, .directory, Self.content(of: mount)))
      }
    }
    points += config.tmpfs.keys.map { Point($0, .directory) }
    for (target, kind) in Self.engineFiles.map({ ($0, Kind.file) }) + [("/dev/shm", .directory)] {
      let point = Point(target, kind)
      if !points.contains(where: { $0.target == point.target }) { points.append(point) }
    }
    // In a /dev that is bound the engine makes nothing.
    let devices = DockerRequest.cleaned("/dev")
    if !points.contains(where: { $0.target == devices && $0.content != .launch }) {
      points += config.devices.map { Point($0.containerPath, .node) }
    }
    self.init(points)
  }

  private static func content(of mount: ContainerDetails.Mount) -> Content {
    mount.source.utf8.first == UInt8(ascii: "/")
      ? .host(mount.source) : .unseen(mount.name.isEmpty ? "what others have" : "the volume \(mount.name)")
  }

  /// A source that is not there the engine would make as well.
  private static func kind(_ source: String) throws(CommandFailure) -> Kind {
    do throws(Errno) { return try status(of: source, followLinks: true).isDirectory ? .directory : .file } catch {
      throw CommandFailure(
        .failed,
        "the host's \(printable(source.utf8)), which is to be mounted, cannot be looked at: \(error.explanation)",
        hint: "nothing is made on the host for a task: make it before")
    }
  }
}

extension HostConfig {
  /// Whether a volume was asked for by this name.
  fileprivate func namesVolume(_ name: String) -> Bool {
    let named =
      binds.filter { !$0.isHostPath }.map(\.source) + mounts.filter { $0.kind == .volume }.map(\.source)
    return named.contains { $0.utf8.elementsEqual(name.utf8) }
  }
}
