import DockerContainerizer
import DockerEngineClient
import Isolators
import LinuxKernel
import OperatorPolicy

/// What a create request reaches of the host, field by field.
struct RequestDemands {
  /// What the role and the network of the task make of a request.
  struct Reach {
    /// Of the role, on the host.
    var groups: [UInt32]
    var sharesHostNetwork: Bool
  }

  private(set) var kinds: [Demand.Kind] = []

  init(_ request: ContainerCreateRequest, _ reach: Reach) {
    let config = request.hostConfig
    files(config)
    network(config.networkMode)
    for name in request.networks.keys.sorted() { network(name) }
    privileges(config, reach)
    security(config)
    devices(config)
    namespaces(config)
  }

  private mutating func add(_ kind: Demand.Kind) { if !kinds.contains(kind) { kinds.append(kind) } }
  private mutating func add(_ privilege: Privilege, when isAsked: Bool) { if isAsked { add(.privilege(privilege)) } }

  private static let isolatedPropagation: Set<String> = ["", "private", "rprivate", "slave", "rslave"]
  /// What is mounted below the path on the host later appears in the container, and as it is there: writable.
  private static let followingPropagation: Set<String> = ["slave", "rslave", "shared", "rshared"]

  private mutating func files(_ config: HostConfig) {
    add(.volumes, when: config.binds.contains { !$0.isHostPath })
    for bind in config.binds where bind.isHostPath {
      let writable = !bind.has("ro") || RequestDemands.followingPropagation.contains(where: bind.has)
      add(.hostPath(bind.source, writable: writable, leavesMounts: !writable))
      add(.propagation, when: bind.has("shared") || bind.has("rshared"))
      // The engine gives the host's files labels of the container's.
      add(.label, when: bind.has("z") || bind.has("Z"))
    }
    for mount in config.mounts {
      switch mount.kind {
      case .bind:
        let writable =
          !mount.readOnly || mount.readOnlyNonRecursive
          || RequestDemands.followingPropagation.contains(mount.propagation)
        // Asked to make those read-only as well, an engine does it or fails. Left out, they show what they hide.
        let leavesMounts = !writable && !mount.readOnlyForceRecursive
        add(.hostPath(mount.source, writable: writable, leavesMounts: leavesMounts))
      case .volume:
        add(.volumes, when: !mount.source.isEmpty)
        let isForeign = !["", "local"].contains(mount.volumeDriver)
        add(.storage, when: isForeign || !mount.volumeOptions.isEmpty)
        // No name of a volume has a slash.
        if mount.source.utf8.contains(UInt8(ascii: "/")) { add(.hostPath(mount.source, writable: true)) }
      case .tmpfs: add(.amount(.shm, mount.tmpfsSize.flatMap { $0 > 0 ? $0 : nil }), when: mount.target)
      case .image: break
      case .cluster, .npipe: add(.privilege(.storage))
      }
      add(.propagation, when: !RequestDemands.isolatedPropagation.contains(mount.propagation))
    }
    for (target, options) in config.tmpfs.sorted(by: { $0.key < $1.key }) {
      add(.amount(.shm, RequestDemands.size(ofMemory: options)), when: target)
    }
    add(.storage, when: !["", "local"].contains(config.volumeDriver))
    add(.storage, when: config.storageOptions.keys.contains { $0 != "size" })
    add(.otherContainers, when: !config.volumesFrom.isEmpty)
  }

  /// Memory that stands in the place of `/dev/shm`, or has it.
  private mutating func add(_ memory: Demand.Kind, when target: String) {
    let place = DockerRequest.cleaned(target)
    let shared = ["dev", "shm"].map { Array($0.utf8) }
    if place.starts(with: shared) || place == Array(shared.dropLast()) { add(memory) }
  }

  /// What the mount options of a tmpfs allow in bytes; `nil` for no limit, and for what only the kernel can tell (tmpfs(5)).
  static func size(ofMemory options: String) -> Int64? {
    var size: Int64?
    for option in options.utf8.split(separator: UInt8(ascii: ",")) {
      if option.starts(with: "nr_blocks=".utf8) { return nil }
      guard option.starts(with: "size=".utf8) else { continue }
      var digits = option.dropFirst(5)
      let factors: [UInt8: Int64] = [0x6b: 1 << 10, 0x6d: 1 << 20, 0x67: 1 << 30]
      let factor = digits.last.flatMap { factors[$0 | 0x20] }
      if factor != nil { digits = digits.dropLast() }
      guard digits.allSatisfy({ (0x30...0x39).contains($0) }),
        let number = Int64(String(decoding: digits, as: UTF8.self)),
        case let (bytes, overflow) = number.multipliedReportingOverflow(by: factor ?? 1), !overflow, bytes > 0
      else { return nil }
      size = bytes
    }
    return size
  }

  /// The network that a task has by default needs no leave, nor one that is less.
  private mutating func network(_ name: String) {
    switch name {
    case "", "default", "host", "bridge", "none": return
    case let other where RequestDemands.isOtherContainer(other): add(.privilege(.otherContainers))
    default: add(.network(name))
    }
  }

  private static func isOtherContainer(_ mode: String) -> Bool { mode.utf8.starts(with: "container:".utf8) }

  private mutating func privileges(_ config: HostConfig, _ reach: Reach) {
    add(.container, when: config.privileged)
    let standard = Set(LinuxCapabilities.standard(sharesHostNetwork: reach.sharesHostNetwork))
    for name in config.addCapabilities {
      let plain = name.utf8.starts(with: "CAP_".utf8) ? String(name.dropFirst(4)) : name
      if !standard.contains(plain) { add(.capability(plain)) }
    }
    add(.groups, when: config.groups.contains { group in UInt32(group).map { !reach.groups.contains($0) } ?? true })
    add(.cgroupParent, when: !config.cgroupParent.isEmpty)
    add(.runtime, when: !config.runtime.isEmpty || !config.annotations.isEmpty)
    add(.otherContainers, when: !config.links.isEmpty)
    add(.oom, when: (config.oomScoreAdjustment ?? 0) < 0 || config.resources.oomKillDisable == true)
    for limit in config.ulimits where PolicyDemands.isOpenFiles(limit.name) {
      add(.amount(.openFiles, limit.hard < 0 ? nil : limit.hard))
    }
    add(
      .realtime,
      when: config.resources.cpuRealtimeRuntime != nil || config.resources.cpuRealtimePeriod != nil
        || config.ulimits.contains { PolicyDemands.isRealtime($0.name) })
  }

  private mutating func security(_ config: HostConfig) {
    add(.systempaths, when: config.maskedPaths != nil || config.readOnlyPaths != nil)
    for option in config.securityOptions {
      // As the engine takes it apart.
      let separator = UInt8(ascii: option.utf8.contains(UInt8(ascii: "=")) ? "=" : ":")
      let parts = option.utf8.split(separator: separator, maxSplits: 1, omittingEmptySubsequences: false)
        .map { String(decoding: $0, as: UTF8.self) }
      let value = parts.count > 1 ? parts[1] : ""
      switch parts[0] {
      case "no-new-privileges": add(.newPrivileges, when: parts.count > 1 && !["true", "1"].contains(value))
      case "seccomp":
        if value == "unconfined" {
          add(.seccomp(value))
        } else if value != "default" {
          // A profile's text: which file it was is asked for beside it.
          add(.privilege(.securityOptions))
        }
      case "apparmor": add(.apparmor, when: value != "docker-default")
      case "label": add(.privilege(.label))
      default: add(.privilege(.securityOptions))
      }
    }
  }

  private mutating func devices(_ config: HostConfig) {
    for device in config.devices { add(.device(device.hostPath)) }
    for rule in config.deviceCgroupRules { add(.device(rule)) }
    for request in config.deviceRequests {
      if request.driver == "cdi" {
        for name in request.deviceIDs { add(.device(name)) }
      } else {
        add(.device("gpus"))
      }
    }
  }

  private mutating func namespaces(_ config: HostConfig) {
    let modes: [(HostNamespace, String)] = [
      (.pid, config.pidMode), (.ipc, config.ipcMode), (.uts, config.utsMode),
      (.cgroup, config.cgroupNamespaceMode), (.user, config.userNamespaceMode),
    ]
    for (namespace, mode) in modes {
      if mode == "host" { add(.namespace(namespace)) }
      add(.otherContainers, when: RequestDemands.isOtherContainer(mode))
    }
  }
}
