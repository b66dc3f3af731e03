import LaunchModel

/// What a task asks of its container, in the containerizer's terms: what every isolator is given.
package struct ContainerConfig: Sendable, Equatable {
  /// The file system the processes see as their root.
  package enum Root: Sendable, Equatable {
    case host
    /// Unpacked layers, lowest first, with a writable directory and overlayfs' work directory on top.
    case image(layers: [String], upper: String, work: String)
    /// A directory with a copy of them.
    case imageCopy(CopiedRoot)
  }

  /// What an image brings besides files.
  package struct ImageRuntime: Sendable, Equatable {
    package var environment: [EnvironmentVariable]
    package var entrypoint: [String]
    package var command: [String]
    package var workingDirectory: String
    /// What asks its command to end, where it says so.
    package var stopSignal: Int32?
    /// Whether it came as an AppC image: another isolator's then.
    package var isAppc: Bool

    package init(
      environment: [EnvironmentVariable], entrypoint: [String], command: [String], workingDirectory: String,
      stopSignal: Int32? = nil, isAppc: Bool = false
    ) {
      self.isAppc = isAppc
      self.environment = environment
      self.entrypoint = entrypoint
      self.command = command
      self.workingDirectory = workingDirectory
      self.stopSignal = stopSignal
    }
  }

  package struct Volume: Sendable, Equatable {
    package var containerPath: String
    /// Absolute: a path of the host. Relative: below the sandbox.
    package var hostPath: String
    package var readOnly: Bool

    var isHostPath: Bool { hostPath.utf8.first == UInt8(ascii: "/") }

    package init(containerPath: String, hostPath: String, readOnly: Bool) {
      self.containerPath = containerPath
      self.hostPath = hostPath
      self.readOnly = readOnly
    }
  }

  package struct Resources: Sendable, Equatable {
    /// CPUs, 1.5 is one and a half.
    package var cpus: Double?
    package var memoryBytes: UInt64?
    package var diskBytes: UInt64?
    /// Processes and threads.
    package var pids: UInt64
    /// Whether that is the task's own word.
    package var asksForPIDs = false

    package init(
      cpus: Double? = nil, memoryBytes: UInt64? = nil, diskBytes: UInt64? = nil,
      pids: UInt64 = UInt64(CgroupsPIDs.standard)
    ) {
      self.cpus = cpus
      self.memoryBytes = memoryBytes
      self.diskBytes = diskBytes
      self.pids = pids
    }
  }

  /// A limit by the kernel's or Mesos' name, `NOFILE` or `RLMT_NOFILE`. Both values or none, none is unlimited.
  package struct NamedLimit: Sendable, Equatable {
    package var name: String
    package var soft: UInt64?
    package var hard: UInt64?

    package init(name: String, soft: UInt64?, hard: UInt64?) {
      self.name = name
      self.soft = soft
      self.hard = hard
    }
  }

  /// Which system calls are filtered.
  package enum Seccomp: Sendable, Equatable {
    case `default`
    /// The absolute path of a profile in Docker's format.
    case file(String)
    case unconfined
  }

  package var id: String
  package var identity: Identity
  package var resources: Resources
  package var root: Root
  package var image: ImageRuntime?
  /// The sandbox and the logs on the host, and where the sandbox is seen inside.
  package var sandboxHostPath: String
  package var logsHostPath: String
  package var sandbox: String
  /// Where the container's own `/etc/hosts` and so on are made on the host, for an image.
  package var networkFilesDirectory: String?
  /// Directories of the host that a container on the host's file system does not see into; they are there.
  package var hiddenDirectories: [String] = []
  package var volumes: [Volume] = []
  /// A policy has given leave for the volumes' paths of the host, which are without links: none is followed again.
  package var volumesAreJudged = false
  package var boundingCapabilities: [String]?
  package var effectiveCapabilities: [String]?
  package var seccomp = Seccomp.default
  package var limits: [NamedLimit] = []
  /// The operator's ceiling of open files, for what nobody asked for.
  package var mostOpenFiles: UInt64?
  package var sharesHostNetwork = true
  package var sharesPIDNamespace = false
  package var sharesIPCNamespace = false
  package var sharedMemoryBytes: UInt64?
  package var hostname: String
  /// How many processes the task has, whether or not they run at the same time.
  package var processCount = 1
  package var createsUser = true
  /// Somebody counts what is made in the sandbox by project id.
  package var countsProjects = false
  /// The task has no processes of its own and runs the image's command.
  package var runsImageCommand = false
  /// Names of the isolators this container gets.
  package var isolators: Set<String> = []

  package init(
    id: String, identity: Identity, resources: Resources, root: Root, sandboxHostPath: String, logsHostPath: String,
    sandbox: String, hostname: String
  ) {
    self.id = id
    self.identity = identity
    self.resources = resources
    self.root = root
    self.sandboxHostPath = sandboxHostPath
    self.logsHostPath = logsHostPath
    self.sandbox = sandbox
    self.hostname = hostname
  }

  package var hasImage: Bool { if case .host = root { false } else { true } }
}
