import StrictJSON

/// How a container is connected to its host: the `HostConfig` of a create request.
///
/// Only what is set is sent; an empty list or text means "as the engine does it by default".
public struct HostConfig: Sendable, Equatable {
  /// Limits.
  public var resources = ContainerResources()

  // Files

  /// Paths of the host and volumes.
  public var binds: [Bind] = []
  /// The same and more, field by field.
  public var mounts: [MountSpec] = []
  /// Containers whose volumes are mounted too: `name[:ro]`.
  public var volumesFrom: [String] = []
  /// The driver of volumes that `binds` names and that do not exist yet.
  public var volumeDriver = ""
  /// File systems in memory: path and mount options.
  public var tmpfs: [String: String] = [:]
  /// The root cannot be written.
  public var readOnlyRoot = false
  /// Options of the storage driver: `size=10G`.
  public var storageOptions: [String: String] = [:]
  /// Bytes of `/dev/shm`.
  public var shmSize: Int64?
  /// Paths hidden from the container; `nil` for the engine's list, empty for none.
  public var maskedPaths: [String]?
  /// Paths made read-only; `nil` for the engine's list, empty for none.
  public var readOnlyPaths: [String]?

  // Network

  /// `bridge`, `host`, `none`, `container:<id>` or the name of a network.
  public var networkMode = ""
  /// Container port, `80/tcp`, and where it is published on the host.
  public var portBindings: [String: [PortBinding]] = [:]
  /// Every exposed port is published on a free port.
  public var publishAllPorts = false
  /// Links to other containers, `name:alias`.
  public var links: [String] = []
  /// Name servers.
  public var dns: [String] = []
  /// Search domains.
  public var dnsSearch: [String] = []
  /// Options of resolv.conf(5).
  public var dnsOptions: [String] = []
  /// Lines for `/etc/hosts`: `name:address`.
  public var extraHosts: [String] = []

  // Privileges

  /// Everything the host's root may do.
  public var privileged = false
  /// Capabilities beyond the engine's default set.
  public var addCapabilities: [String] = []
  /// Capabilities less than the engine's default set; `ALL` for all.
  public var dropCapabilities: [String] = []
  /// `no-new-privileges`, `seccomp=…`, `apparmor=…`, `label=…`.
  public var securityOptions: [String] = []
  /// Supplementary groups, by name or number.
  public var groups: [String] = []
  /// Devices of the host.
  public var devices: [DeviceMapping] = []
  /// Rules for the device cgroup: `c 42:* rmw`.
  public var deviceCgroupRules: [String] = []
  /// Devices that a driver finds, such as GPUs.
  public var deviceRequests: [DeviceRequest] = []

  // Namespaces, cgroups

  /// `host` for the host's users although the engine remaps them.
  public var userNamespaceMode = ""
  /// `private`, `shareable`, `host`, `container:<id>`, `none`.
  public var ipcMode = ""
  /// `host`, `container:<id>`.
  public var pidMode = ""
  /// `host`.
  public var utsMode = ""
  /// `private`, `host`.
  public var cgroupNamespaceMode = ""
  /// The cgroup that the container's is made in.
  public var cgroupParent = ""
  /// Kernel parameters of its namespaces.
  public var sysctls: [String: String] = [:]

  // Processes

  /// rlimits.
  public var ulimits: [Ulimit] = []
  /// -1000 to 1000, added to what the kernel reckons with when memory is short.
  public var oomScoreAdjustment: Int64?
  /// The engine's own small init as pid 1; `nil` for the engine's default.
  public var initProcess: Bool?
  /// The name of an OCI runtime.
  public var runtime = ""
  /// `default`, `process`, `hyperv`: of interest on Windows only.
  public var isolation = ""
  /// Where output goes; `nil` for the engine's default.
  public var logConfig: LogConfig?
  /// Whether the engine starts it again; `nil` is never.
  public var restartPolicy: RestartPolicy?
  /// The engine removes it when it has ended: its exit status is lost unless somebody waits.
  public var autoRemove = false
  /// Key and value pairs for the OCI runtime (API 1.43).
  public var annotations: [String: String] = [:]

  /// Everything as the engine does it by default.
  public init() {}

  var json: JSON {
    JSON(object: resources.members + fileMembers + networkMembers + privilegeMembers + processMembers)
  }

  private var fileMembers: [(String, JSON?)] {
    [
      ("Binds", .unlessEmpty(binds.map(\.text))), ("Mounts", .unlessEmpty(mounts.map(\.json))),
      ("VolumesFrom", .unlessEmpty(volumesFrom)), ("VolumeDriver", .unlessEmpty(volumeDriver)),
      ("Tmpfs", .unlessEmpty(tmpfs)), ("ReadonlyRootfs", .ifTrue(readOnlyRoot)),
      ("StorageOpt", .unlessEmpty(storageOptions)), ("ShmSize", .number(shmSize)),
      ("MaskedPaths", .list(maskedPaths)), ("ReadonlyPaths", .list(readOnlyPaths)),
    ]
  }

  private var networkMembers: [(String, JSON?)] {
    let ports = JSON.map(portBindings) { JSON($0.map(\.json)) }
    return [
      ("NetworkMode", .unlessEmpty(networkMode)), ("PortBindings", portBindings.isEmpty ? nil : ports),
      ("PublishAllPorts", .ifTrue(publishAllPorts)), ("Links", .unlessEmpty(links)), ("Dns", .unlessEmpty(dns)),
      ("DnsSearch", .unlessEmpty(dnsSearch)), ("DnsOptions", .unlessEmpty(dnsOptions)),
      ("ExtraHosts", .unlessEmpty(extraHosts)),
    ]
  }

  private var privilegeMembers: [(String, JSON?)] {
    [
      ("Privileged", .ifTrue(privileged)), ("CapAdd", .unlessEmpty(addCapabilities)),
      ("CapDrop", .unlessEmpty(dropCapabilities)), ("SecurityOpt", .unlessEmpty(securityOptions)),
      ("GroupAdd", .unlessEmpty(groups)), ("Devices", .unlessEmpty(devices.map(\.json))),
      ("DeviceCgroupRules", .unlessEmpty(deviceCgroupRules)),
      ("DeviceRequests", .unlessEmpty(deviceRequests.map(\.json))), ("UsernsMode", .unlessEmpty(userNamespaceMode)),
      ("IpcMode", .unlessEmpty(ipcMode)), ("PidMode", .unlessEmpty(pidMode)), ("UTSMode", .unlessEmpty(utsMode)),
      ("CgroupnsMode", .unlessEmpty(cgroupNamespaceMode)), ("CgroupParent", .unlessEmpty(cgroupParent)),
      ("Sysctls", .unlessEmpty(sysctls)),
    ]
  }

  private var processMembers: [(String, JSON?)] {
    [
      ("Ulimits", .unlessEmpty(ulimits.map(\.json))), ("OomScoreAdj", .number(oomScoreAdjustment)),
      ("Init", .bool(initProcess)), ("Runtime", .unlessEmpty(runtime)), ("Isolation", .unlessEmpty(isolation)),
      ("LogConfig", logConfig?.json), ("RestartPolicy", restartPolicy?.json), ("AutoRemove", .ifTrue(autoRemove)),
      ("Annotations", .unlessEmpty(annotations)),
    ]
  }
}
