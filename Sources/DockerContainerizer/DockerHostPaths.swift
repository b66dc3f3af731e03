import DockerEngineClient
import LinuxKernel

/// Paths of the host as an engine is asked to mount them: so that it makes none that is missing.
///
/// It looks every source up again when it starts the container. One that was asked for as one of the `Binds` it makes where it does
/// not find it, as root, wherever links lead by that time; one among the `Mounts` has to be there.
enum DockerHostPaths {
  /// What cannot be had of a path of the host.
  struct Finding: Equatable {
    let reason: String
    var hint: String?
    /// It makes no difference here, so that the rest of the option holds.
    var isHarmless = false
  }

  /// Whether files of this host have labels of SELinux.
  static var hostHasLabels: Bool { (try? status(of: "/sys/fs/selinux/enforce")) != nil }

  /// The counters by which a processor tells when it was too hot, and others what it was at (Docker 28 hides them).
  static var thermalThrottles: [String] {
    let processors = "/sys/devices/system/cpu"
    return ((try? entries(of: processors)) ?? []).filter { $0.name.starts(with: "cpu".utf8) }
      .map { "\(processors)/\(String(decoding: $0.name, as: UTF8.self))/thermal_throttle" }
      .filter { (try? status(of: $0)) != nil }.sorted()
  }

  /// What of an option cannot be had; `nil` for all others, and for one that cannot be applied, which says so itself.
  static func finding(_ name: String, _ value: String, hasLabels: Bool = hostHasLabels) -> Finding? {
    var alone = ContainerCreateRequest(image: "-")
    let options: [(name: String, value: String)] = [(name, value)]
    guard (try? DockerRunOptions.apply(parameters: options, to: &alone)) != nil else { return nil }
    if alone.hostConfig.mounts.contains(where: \.createSource) {
      return Finding(reason: "nothing is made on the host for a task", hint: "make the directory before")
    }
    for bind in alone.hostConfig.binds where bind.isHostPath {
      if bind.has("nocopy") { return Finding(reason: "nocopy is for volumes, and this is a path of the host") }
      guard bind.has("z") || bind.has("Z") else { continue }
      return hasLabels
        ? Finding(
          reason: "the engine would give labels to whatever the path leads to by the time the container starts",
          hint: "label the files before: `chcon -R -t container_file_t PATH`, and leave z or Z out")
        : Finding(reason: "z and Z have no effect: this host has no SELinux", isHarmless: true)
    }
    return nil
  }
}

extension HostConfig {
  /// Asks for every path of the host as one of the `Mounts`.
  mutating func makeNoSources() {
    mounts = binds.filter(\.isHostPath).map(MountSpec.init) + mounts
    binds.removeAll(where: \.isHostPath)
  }
}

extension MountSpec {
  /// The same without what makes a source.
  fileprivate init(_ bind: Bind) {
    self.init(.bind, source: bind.source, target: bind.target)
    readOnly = bind.has("ro")
    consistency = ["consistent", "cached", "delegated"].first(where: bind.has) ?? ""
    propagation = ["shared", "rshared", "slave", "rslave", "private", "rprivate"].first(where: bind.has) ?? ""
  }
}
