/// What `/info` tells about the engine and its host, as far as a program that starts containers asks.
public struct EngineInfo: Sendable, Equatable {
  /// The engine's own id.
  public let id: String
  /// The host's name.
  public let name: String
  /// The engine's version.
  public let serverVersion: String
  /// `Debian GNU/Linux 12 (bookworm)`.
  public let operatingSystem: String
  /// `linux`.
  public let osType: String
  /// As uname(2) names it: `x86_64`.
  public let architecture: String
  /// As uname(2) gives it.
  public let kernelVersion: String
  /// CPUs that the engine sees.
  public let cpus: Int64
  /// Bytes of memory that the engine sees.
  public let memoryBytes: Int64
  /// Of the storage, `overlay2`.
  public let driver: String
  /// `cgroupfs` or `systemd`.
  public let cgroupDriver: String
  /// `1` or `2`; empty before API 1.41.
  public let cgroupVersion: String
  /// Where the engine keeps images and containers.
  public let rootDirectory: String
  /// As the engine lists them: `name=seccomp,profile=default`, `name=userns`, `name=rootless`.
  public let securityOptions: [String]
  /// Containers keep running while the engine restarts.
  public let liveRestore: Bool
  /// The runtime of containers that name none.
  public let defaultRuntime: String
  /// Names of the runtimes.
  public let runtimes: [String]
  /// Limits that this host can enforce.
  public let supportsMemoryLimit: Bool
  /// Swap can be limited.
  public let supportsSwapLimit: Bool
  /// The number of processes can be limited; `false` where an engine does not say.
  public let supportsPidsLimit: Bool
  /// CPU time can be limited by quota.
  public let supportsCPUQuota: Bool
  /// What the engine warns of.
  public let warnings: [String]

  /// Ids inside containers differ from those of the host (`userns-remap`).
  public var remapsUsers: Bool { hasSecurityOption("userns") }
  /// The engine runs without root.
  public var isRootless: Bool { hasSecurityOption("rootless") }

  private func hasSecurityOption(_ name: String) -> Bool {
    securityOptions.contains { option in
      Array(option.utf8).split(separator: UInt8(ascii: ",")).contains { $0.elementsEqual("name=\(name)".utf8) }
    }
  }

  init(_ fields: JSONFields) throws(DockerEngineError) {
    id = try fields.string("ID") ?? ""
    name = try fields.string("Name") ?? ""
    serverVersion = try fields.requiredString("ServerVersion")
    operatingSystem = try fields.string("OperatingSystem") ?? ""
    osType = try fields.string("OSType") ?? ""
    architecture = try fields.string("Architecture") ?? ""
    kernelVersion = try fields.string("KernelVersion") ?? ""
    cpus = try fields.integer("NCPU") ?? 0
    memoryBytes = try fields.integer("MemTotal") ?? 0
    driver = try fields.string("Driver") ?? ""
    cgroupDriver = try fields.string("CgroupDriver") ?? ""
    cgroupVersion = try fields.string("CgroupVersion") ?? ""
    rootDirectory = try fields.string("DockerRootDir") ?? ""
    securityOptions = try fields.strings("SecurityOptions")
    liveRestore = try fields.bool("LiveRestoreEnabled") ?? false
    defaultRuntime = try fields.string("DefaultRuntime") ?? ""
    runtimes = try fields.members("Runtimes").map(\.name)
    supportsMemoryLimit = try fields.bool("MemoryLimit") ?? false
    supportsSwapLimit = try fields.bool("SwapLimit") ?? false
    supportsPidsLimit = try fields.bool("PidsLimit") ?? false
    supportsCPUQuota = try fields.bool("CpuCfsQuota") ?? false
    warnings = try fields.strings("Warnings")
  }
}
