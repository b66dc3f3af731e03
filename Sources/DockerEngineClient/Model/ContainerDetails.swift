/// What the engine knows of one container (`GET /containers/{id}/json`).
public struct ContainerDetails: Sendable, Equatable {
  /// What it is doing, or how it ended.
  public struct State: Sendable, Equatable {
    /// `created`, `running`, `paused`, `restarting`, `removing`, `exited`, `dead`.
    public let status: String
    /// Its first process is alive; also true while paused.
    public let running: Bool
    /// Frozen.
    public let paused: Bool
    /// Between two runs of a restart policy.
    public let restarting: Bool
    /// A process of it was killed for want of memory. Engines on cgroup v2 do not always notice.
    public let oomKilled: Bool
    /// Could not be removed whole.
    public let dead: Bool
    /// Of its first process, seen from the host; 0 when it does not run.
    public let pid: Int64
    /// Of its first process; 128 + n for signal n. Means something only when it has run and does not run now.
    public let exitCode: Int64
    /// Why it could not be started; mostly empty.
    public let error: String
    /// RFC 3339; `0001-01-01T00:00:00Z` when it never started.
    public let startedAt: String
    /// RFC 3339; `0001-01-01T00:00:00Z` when it has not ended.
    public let finishedAt: String
    /// `starting`, `healthy`, `unhealthy`; `nil` without a health check.
    public let health: String?

    init(_ fields: JSONFields) throws(DockerEngineError) {
      status = try fields.requiredString("Status")
      running = try fields.requiredBool("Running")
      paused = try fields.bool("Paused") ?? false
      restarting = try fields.bool("Restarting") ?? false
      oomKilled = try fields.bool("OOMKilled") ?? false
      dead = try fields.bool("Dead") ?? false
      pid = try fields.integer("Pid") ?? 0
      exitCode = try fields.requiredInteger("ExitCode")
      error = try fields.string("Error") ?? ""
      startedAt = try fields.string("StartedAt") ?? ""
      finishedAt = try fields.string("FinishedAt") ?? ""
      health = try fields.object("Health")?.string("Status")
    }
  }

  /// What was mounted, as the engine resolved it.
  public struct Mount: Sendable, Equatable {
    /// `bind`, `volume`, `tmpfs`.
    public let type: String
    /// Of a volume.
    public let name: String
    /// On the host.
    public let source: String
    /// Inside.
    public let destination: String
    /// It can be written.
    public let writable: Bool

    init(_ fields: JSONFields) throws(DockerEngineError) {
      type = try fields.string("Type") ?? ""
      name = try fields.string("Name") ?? ""
      source = try fields.string("Source") ?? ""
      destination = try fields.string("Destination") ?? ""
      writable = try fields.bool("RW") ?? false
    }
  }

  /// Its id.
  public let id: ContainerID
  /// Its name, with a leading `/`.
  public let name: String
  /// RFC 3339.
  public let created: String
  /// The program of its first process.
  public let path: String
  /// The arguments of its first process.
  public let arguments: [String]
  /// What it is doing, or how it ended.
  public let state: State
  /// The id of the image that it was made from: what really ran, whatever name was given.
  public let imageID: String
  /// How often the engine started it again.
  public let restartCount: Int64
  /// What runs, with the image's own values filled in.
  public let spec: ContainerSpec
  /// Limits and modes that hold.
  public let limits: Limits
  /// What is mounted.
  public let mounts: [Mount]
  /// Addresses and ports.
  public let network: Network
  /// Where the engine writes its output, for the `json-file` driver.
  public let logPath: String
  /// Of its files, in bytes; `nil` unless asked for.
  public let writtenBytes: Int64?

  /// The part of `HostConfig` that tells what a container may do.
  public struct Limits: Sendable, Equatable {
    /// Bytes; 0 is none.
    public let memory: Int64
    /// Bytes of memory and swap; 0 is unset, -1 none.
    public let memorySwap: Int64
    /// 0 is the default.
    public let cpuShares: Int64
    /// Microseconds; 0 is unset.
    public let cpuPeriod: Int64
    /// Microseconds; 0 is none.
    public let cpuQuota: Int64
    /// CPUs in units of 10^-9; 0 is none.
    public let nanoCPUs: Int64
    /// Processes; `nil`, 0 and -1 are none.
    public let pidsLimit: Int64?
    /// `host`, `bridge`, …
    public let networkMode: String
    /// `host` when ids are not remapped although the engine does so.
    public let userNamespaceMode: String
    /// The cgroup above its own.
    public let cgroupParent: String
    /// Everything the host's root may do.
    public let privileged: Bool
    /// The engine removes it when it ends.
    public let autoRemove: Bool

    init(_ fields: JSONFields) throws(DockerEngineError) {
      memory = try fields.integer("Memory") ?? 0
      memorySwap = try fields.integer("MemorySwap") ?? 0
      cpuShares = try fields.integer("CpuShares") ?? 0
      cpuPeriod = try fields.integer("CpuPeriod") ?? 0
      cpuQuota = try fields.integer("CpuQuota") ?? 0
      nanoCPUs = try fields.integer("NanoCpus") ?? 0
      pidsLimit = try fields.integer("PidsLimit")
      networkMode = try fields.string("NetworkMode") ?? ""
      userNamespaceMode = try fields.string("UsernsMode") ?? ""
      cgroupParent = try fields.string("CgroupParent") ?? ""
      privileged = try fields.bool("Privileged") ?? false
      autoRemove = try fields.bool("AutoRemove") ?? false
    }
  }

  /// How it is attached to networks.
  public struct Network: Sendable, Equatable {
    /// Address by name of the network; empty where it has none.
    public let addresses: [String: String]
    /// Container port, `80/tcp`, and where it is published.
    public let ports: [String: [PortBinding]]

    init(_ fields: JSONFields?) throws(DockerEngineError) {
      var addresses: [String: String] = [:]
      for (name, value) in try fields?.members("Networks") ?? [] where !value.isNull {
        addresses[name] = try JSONFields(value, path: "NetworkSettings.Networks.\(name)").string("IPAddress") ?? ""
      }
      var ports: [String: [PortBinding]] = [:]
      for (port, _) in try fields?.members("Ports") ?? [] {
        ports[port] = []
        for binding in try fields?.object("Ports")?.objects(port) ?? [] {
          ports[port]?.append(
            PortBinding(
              hostAddress: try binding.string("HostIp") ?? "", hostPort: try binding.string("HostPort") ?? ""))
        }
      }
      self.addresses = addresses
      self.ports = ports
    }
  }

  init(_ fields: JSONFields) throws(DockerEngineError) {
    id = try fields.requiredContainerID("Id")
    name = try fields.string("Name") ?? ""
    created = try fields.string("Created") ?? ""
    path = try fields.string("Path") ?? ""
    arguments = try fields.strings("Args")
    state = try State(fields.requiredObject("State"))
    imageID = try fields.string("Image") ?? ""
    restartCount = try fields.integer("RestartCount") ?? 0
    spec = try ContainerSpec(fields.requiredObject("Config"))
    limits = try Limits(fields.requiredObject("HostConfig"))
    var mounts: [Mount] = []
    for mount in try fields.objects("Mounts") { mounts.append(try Mount(mount)) }
    self.mounts = mounts
    network = try Network(fields.object("NetworkSettings"))
    logPath = try fields.string("LogPath") ?? ""
    writtenBytes = try fields.integer("SizeRw")
  }
}

extension ContainerSpec {
  /// Reads a `Config` as the engine shows it, for containers and images alike.
  init(_ fields: JSONFields) throws(DockerEngineError) {
    self.init(image: try fields.string("Image") ?? "")
    command = fields.has("Cmd") ? try fields.strings("Cmd") : nil
    entrypoint = fields.has("Entrypoint") ? try fields.strings("Entrypoint") : nil
    environment = try fields.strings("Env")
    labels = try fields.stringMap("Labels")
    user = try fields.string("User") ?? ""
    workingDirectory = try fields.string("WorkingDir") ?? ""
    hostname = try fields.string("Hostname") ?? ""
    domainName = try fields.string("Domainname") ?? ""
    tty = try fields.bool("Tty") ?? false
    openStandardInput = try fields.bool("OpenStdin") ?? false
    closeStandardInputAfterAttach = try fields.bool("StdinOnce") ?? false
    attachStandardInput = try fields.bool("AttachStdin") ?? false
    attachStandardOutput = try fields.bool("AttachStdout") ?? false
    attachStandardError = try fields.bool("AttachStderr") ?? false
    stopSignal = try fields.string("StopSignal") ?? ""
    stopTimeout = try fields.integer("StopTimeout")
    exposedPorts = try fields.members("ExposedPorts").map(\.name)
    volumes = try fields.members("Volumes").map(\.name)
    networkDisabled = try fields.bool("NetworkDisabled") ?? false
    if let check = try fields.object("Healthcheck") {
      var healthcheck = Healthcheck()
      healthcheck.test = try check.strings("Test")
      healthcheck.interval = try check.integer("Interval")
      healthcheck.timeout = try check.integer("Timeout")
      healthcheck.startPeriod = try check.integer("StartPeriod")
      healthcheck.startInterval = try check.integer("StartInterval")
      healthcheck.retries = try check.integer("Retries")
      self.healthcheck = healthcheck
    }
  }
}
