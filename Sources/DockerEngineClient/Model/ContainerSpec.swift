import StrictJSON

/// What runs in a container: the fields of a create request that the engine keeps as the container's `Config`.
public struct ContainerSpec: Sendable, Equatable {
  /// A reference or an id of an image that the engine has.
  public var image: String
  /// Arguments of the entrypoint; `nil` for the image's own.
  public var command: [String]?
  /// The program and its first arguments; `nil` for the image's own, `[""]` for none.
  public var entrypoint: [String]?
  /// `NAME=value`, or `NAME` alone to take one away that the image sets.
  public var environment: [String] = []
  /// Labels of the container.
  public var labels: [String: String] = [:]
  /// `user`, `uid`, `user:group`, `uid:gid`; empty for the image's own.
  public var user = ""
  /// Where the command starts; empty for the image's own. Made when absent.
  public var workingDirectory = ""
  /// The host's name inside; empty for the first digits of the id.
  public var hostname = ""
  /// The NIS domain inside.
  public var domainName = ""
  /// A terminal as standard input, output and error; its output is not multiplexed.
  public var tty = false
  /// Standard input is a pipe that stays open without anybody attached.
  public var openStandardInput = false
  /// Standard input closes when the first who attached to it goes.
  public var closeStandardInputAfterAttach = false
  /// Whoever starts the container means to attach to its input.
  public var attachStandardInput = false
  /// … to its output.
  public var attachStandardOutput = false
  /// … to its errors.
  public var attachStandardError = false
  /// What `stop` sends first, `SIGTERM`; empty for the image's own.
  public var stopSignal = ""
  /// Seconds that `stop` waits before SIGKILL; -1 is for ever.
  public var stopTimeout: Int64?
  /// Ports that the container serves: `80/tcp`.
  public var exposedPorts: [String] = []
  /// Paths that get an anonymous volume.
  public var volumes: [String] = []
  /// The engine's own health check; `nil` for the image's.
  public var healthcheck: Healthcheck?
  /// `00:11:22:33:44:55`. Before API 1.44 a field of the container, from then on of its endpoint.
  public var macAddress = ""
  /// No network at all.
  public var networkDisabled = false

  /// A container of `image` with everything else as the image says.
  public init(image: String) { self.image = image }

  var members: [(String, JSON?)] {
    [
      ("Image", JSON(image)), ("Cmd", .list(command)), ("Entrypoint", .list(entrypoint)),
      ("Env", .unlessEmpty(environment)), ("Labels", .unlessEmpty(labels)), ("User", .unlessEmpty(user)),
      ("WorkingDir", .unlessEmpty(workingDirectory)), ("Hostname", .unlessEmpty(hostname)),
      ("Domainname", .unlessEmpty(domainName)), ("Tty", .ifTrue(tty)), ("OpenStdin", .ifTrue(openStandardInput)),
      ("StdinOnce", .ifTrue(closeStandardInputAfterAttach)), ("AttachStdin", .ifTrue(attachStandardInput)),
      ("AttachStdout", .ifTrue(attachStandardOutput)), ("AttachStderr", .ifTrue(attachStandardError)),
      ("StopSignal", .unlessEmpty(stopSignal)), ("StopTimeout", .number(stopTimeout)),
      ("ExposedPorts", .unlessEmpty(set: exposedPorts)), ("Volumes", .unlessEmpty(set: volumes)),
      ("Healthcheck", healthcheck?.json), ("NetworkDisabled", .ifTrue(networkDisabled)),
    ]
  }
}

/// A check that the engine runs inside a container.
public struct Healthcheck: Sendable, Equatable {
  /// `["NONE"]` for none, `["CMD", …]`, `["CMD-SHELL", line]`; empty for the image's own.
  public var test: [String] = []
  /// Nanoseconds between two checks.
  public var interval: Int64?
  /// Nanoseconds that a check may take.
  public var timeout: Int64?
  /// Nanoseconds during which failures do not count.
  public var startPeriod: Int64?
  /// Nanoseconds between two checks during the start period (API 1.44).
  public var startInterval: Int64?
  /// Failures in a row that make it unhealthy.
  public var retries: Int64?

  /// The image's own check, to be changed.
  public init() {}

  /// No check, whatever the image says.
  public static var none: Healthcheck {
    var check = Healthcheck()
    check.test = ["NONE"]
    return check
  }

  var json: JSON {
    JSON(object: [
      ("Test", .unlessEmpty(test)), ("Interval", .number(interval)), ("Timeout", .number(timeout)),
      ("StartPeriod", .number(startPeriod)), ("StartInterval", .number(startInterval)), ("Retries", .number(retries)),
    ])
  }
}
