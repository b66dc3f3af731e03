import StrictJSON

/// Which containerizer runs the task, and with what.
package enum ContainerChoice: Sendable, Equatable {
  case mesos(MesosContainer)
  case docker(DockerContainer)
}

/// A container of the native containerizer.
package struct MesosContainer: Sendable, Equatable {
  /// Absent: the host's own file system.
  package var image: ImageSource?
  package var volumes: [Volume]
  package var linuxInfo: LinuxInfo?
  package var rlimits: [RlimitEntry]
  /// Mesos' `NetworkInfo` messages as they were written.
  package var networkInfos: [KeptJSON]
  package var ttyInfo: TTYInfo?

  package init(
    image: ImageSource? = nil, volumes: [Volume] = [], linuxInfo: LinuxInfo? = nil, rlimits: [RlimitEntry] = [],
    networkInfos: [KeptJSON] = [], ttyInfo: TTYInfo? = nil
  ) {
    self.image = image
    self.volumes = volumes
    self.linuxInfo = linuxInfo
    self.rlimits = rlimits
    self.networkInfos = networkInfos
    self.ttyInfo = ttyInfo
  }
}

/// An image of the native containerizer.
package enum ImageSource: Sendable, Equatable {
  /// `tag` is nil when the name carries a digest.
  case docker(name: String, tag: String?)
  /// `labels` count where there is no id.
  case appc(name: String, imageID: String?, labels: [String: String] = [:])
}

/// Something mounted into the container.
package struct Volume: Sendable, Equatable {
  package enum Mode: String, Sendable, CaseIterable {
    case readOnly = "RO"
    case readWrite = "RW"
  }

  package enum Source: Sendable, Equatable {
    /// An absolute path of the host.
    case hostPath(String)
    /// A path below the task's sandbox, made when absent.
    case sandboxPath(String)
  }

  package var containerPath: String
  package var source: Source
  package var mode: Mode

  /// The path on the host, unless the source is the sandbox.
  package var hostPath: String? { if case .hostPath(let path) = source { path } else { nil } }

  package init(containerPath: String, source: Source, mode: Mode) {
    self.containerPath = containerPath
    self.source = source
    self.mode = mode
  }

  package init(containerPath: String, hostPath: String, mode: Mode) {
    self.init(containerPath: containerPath, source: .hostPath(hostPath), mode: mode)
  }
}

/// Mesos' `LinuxInfo`, as far as it is supported.
package struct LinuxInfo: Sendable, Equatable {
  package enum IPCMode: String, Sendable, CaseIterable {
    case `private` = "PRIVATE"
    case shareParent = "SHARE_PARENT"
  }

  package enum Seccomp: Sendable, Equatable {
    /// `default`, or the absolute path of a profile.
    case profile(String)
    case unconfined
  }

  /// Names without `CAP_`, upper case; nil: untouched, empty: all dropped.
  package var boundingCapabilities: [String]?
  package var effectiveCapabilities: [String]?
  package var sharePIDNamespace: Bool
  package var ipcMode: IPCMode?
  /// Size of `/dev/shm`; Mesos writes it in MiB.
  package var shmSizeBytes: Int64?
  package var seccomp: Seccomp?

  package init(
    boundingCapabilities: [String]? = nil, effectiveCapabilities: [String]? = nil, sharePIDNamespace: Bool = false,
    ipcMode: IPCMode? = nil, shmSizeBytes: Int64? = nil, seccomp: Seccomp? = nil
  ) {
    self.boundingCapabilities = boundingCapabilities
    self.effectiveCapabilities = effectiveCapabilities
    self.sharePIDNamespace = sharePIDNamespace
    self.ipcMode = ipcMode
    self.shmSizeBytes = shmSizeBytes
    self.seccomp = seccomp
  }
}

/// One of Mesos' `RLimit`s: both bounds, or neither for no limit.
package struct RlimitEntry: Sendable, Equatable {
  /// As Mesos writes it: `RLMT_NOFILE`.
  package var type: String
  package var hard: UInt64?
  package var soft: UInt64?

  package init(type: String, hard: UInt64?, soft: UInt64?) {
    self.type = type
    self.hard = hard
    self.soft = soft
  }
}

/// Mesos' `TTYInfo`: the first size of a terminal.
package struct TTYInfo: Sendable, Equatable {
  package var rows: Int?
  package var columns: Int?

  package init(rows: Int? = nil, columns: Int? = nil) {
    self.rows = rows
    self.columns = columns
  }
}

/// A container of the Docker engine.
package struct DockerContainer: Sendable, Equatable {
  /// Mesos' `DockerInfo.Network`.
  package enum Network: String, Sendable, CaseIterable {
    case host = "HOST"
    case bridge = "BRIDGE"
    case none = "NONE"
    case user = "USER"
  }

  /// A long option of `docker run` with its value.
  package struct Parameter: Sendable, Equatable {
    package var name: String
    package var value: String

    package init(name: String, value: String) {
      self.name = name
      self.value = value
    }
  }

  package struct PortMapping: Sendable, Equatable {
    package var hostPort: Int
    package var containerPort: Int
    /// `tcp`, `udp` or `sctp`.
    package var transport: String

    package init(hostPort: Int, containerPort: Int, transport: String = "tcp") {
      self.hostPort = hostPort
      self.containerPort = containerPort
      self.transport = transport
    }
  }

  package var image: String
  package var parameters: [Parameter]
  package var network: Network?
  package var portMappings: [PortMapping]
  package var privileged: Bool
  package var forcePullImage: Bool

  package init(
    image: String, parameters: [Parameter] = [], network: Network? = nil, portMappings: [PortMapping] = [],
    privileged: Bool = false, forcePullImage: Bool = false
  ) {
    self.image = image
    self.parameters = parameters
    self.network = network
    self.portMappings = portMappings
    self.privileged = privileged
    self.forcePullImage = forcePullImage
  }
}

/// JSON that is passed on as it was written; equal when its text is.
package struct KeptJSON: Sendable, Equatable {
  package let json: JSON

  package init(_ json: JSON) { self.json = json }

  package static func == (left: KeptJSON, right: KeptJSON) -> Bool {
    left.json.compactBytes == right.json.compactBytes
  }
}
