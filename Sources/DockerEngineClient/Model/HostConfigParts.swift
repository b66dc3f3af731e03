import StrictJSON

/// Where a container's port is published.
public struct PortBinding: Sendable, Equatable {
  /// An address of the host; empty for all.
  public var hostAddress: String
  /// A port or a range, `8000-8010`; empty for any that is free.
  public var hostPort: String
  /// A port of the host.
  public init(hostAddress: String = "", hostPort: String = "") {
    self.hostAddress = hostAddress
    self.hostPort = hostPort
  }
  var json: JSON { JSON(object: [("HostIp", JSON(hostAddress)), ("HostPort", JSON(hostPort))]) }
}

/// A device of the host, seen in the container.
public struct DeviceMapping: Sendable, Equatable {
  /// `/dev/fuse` on the host.
  public var hostPath: String
  /// Where it is seen.
  public var containerPath: String
  /// Some of `rwm`: read, write, make nodes.
  public var permissions: String
  /// The device at `hostPath`, seen at the same path with all permissions unless said otherwise.
  public init(hostPath: String, containerPath: String? = nil, permissions: String = "rwm") {
    self.hostPath = hostPath
    self.containerPath = containerPath ?? hostPath
    self.permissions = permissions
  }
  var json: JSON {
    JSON(object: [
      ("PathOnHost", JSON(hostPath)), ("PathInContainer", JSON(containerPath)),
      ("CgroupPermissions", JSON(permissions)),
    ])
  }
}

/// Devices that a driver of the engine finds by what they can do.
public struct DeviceRequest: Sendable, Equatable {
  /// `nvidia`, `cdi`; empty for any.
  public var driver = ""
  /// How many; -1 for all.
  public var count: Int64 = 0
  /// These, instead of a count.
  public var deviceIDs: [String] = []
  /// Alternatives, each a list of capabilities that all must be there: `[["gpu"]]`.
  public var capabilities: [[String]] = []
  /// Options of the driver.
  public var options: [String: String] = [:]
  /// No device.
  public init() {}
  var json: JSON {
    JSON(object: [
      ("Driver", .unlessEmpty(driver)), ("Count", JSON(count)), ("DeviceIDs", .unlessEmpty(deviceIDs)),
      ("Capabilities", .unlessEmpty(capabilities.map { JSON($0.map { JSON($0) }) })),
      ("Options", .unlessEmpty(options)),
    ])
  }
}

/// One resource limit (setrlimit(2)); -1 is no limit.
public struct Ulimit: Sendable, Equatable {
  /// In small letters without `RLIMIT_`: `nofile`.
  public var name: String
  /// What holds at first.
  public var soft: Int64
  /// What the soft limit may be raised to.
  public var hard: Int64
  /// The limit `name`.
  public init(name: String, soft: Int64, hard: Int64) {
    self.name = name
    self.soft = soft
    self.hard = hard
  }
  var json: JSON { JSON(object: [("Name", JSON(name)), ("Soft", JSON(soft)), ("Hard", JSON(hard))]) }
}

/// Where the engine writes a container's output.
public struct LogConfig: Sendable, Equatable {
  /// A driver: `json-file`, `local`, `none`, …; empty for the engine's default.
  public var driver: String
  /// Options of the driver.
  public var options: [String: String]
  /// The driver `driver`.
  public init(driver: String, options: [String: String] = [:]) {
    self.driver = driver
    self.options = options
  }
  var json: JSON { JSON(object: [("Type", JSON(driver)), ("Config", .map(options) { JSON($0) })]) }
}

/// When the engine starts a container again.
public struct RestartPolicy: Sendable, Equatable {
  /// `no`, `always`, `unless-stopped`, `on-failure`.
  public var name: String
  /// How often at most, for `on-failure`; 0 is no limit.
  public var maximumRetries: Int64
  /// The policy `name`.
  public init(name: String, maximumRetries: Int64 = 0) {
    self.name = name
    self.maximumRetries = maximumRetries
  }
  var json: JSON {
    JSON(object: [
      ("Name", JSON(name)), ("MaximumRetryCount", maximumRetries == 0 ? nil : JSON(maximumRetries)),
    ])
  }
}
