/// A task with everything bound and checked: what is run.
///
/// Field names and defaults are Aurora's; `docs/task-document.md` describes each.
package struct TaskSpecification: Sendable, Equatable {
  package var taskID: String
  package var name: String
  /// The account the task runs as, from the document or the command line.
  package var role: String?
  package var cluster: String?
  package var environment: String?
  /// The job's name when the document is a job.
  package var jobName: String?
  package var instance: Int64
  /// In the order of the document. Empty only when the container names an image, whose own command is run then.
  package var processes: [ProcessDefinition]
  /// Each a list of names, every one to finish before the next may start; `after` of a process is not in here.
  package var orders: [[String]]
  package var resources: Resources?
  /// How many processes must fail for good to fail the task; 0: no number does.
  package var maxFailures: Int
  /// How many processes may run at a time; 0: no limit.
  package var maxConcurrency: Int
  /// Seconds for cleaning and finalizing together.
  package var finalizationWait: Double
  package var container: ContainerChoice
  package var healthCheck: HealthCheck?
  package var lifecycle: HTTPLifecycle?
  package var announce: Announce?
  /// Seconds from the start of the first process until the task is stopped as failed.
  package var maxCompletionTime: Double?
  /// Every port that a name leads to, aliases of `announce.portmap` followed.
  package var ports: [String: Int]

  /// Whether the health of the task or of one of its processes is ever asked for.
  package var hasHealthChecks: Bool { healthCheck != nil || processes.contains { $0.healthCheck != nil } }

  package init(
    taskID: String = "", name: String, role: String? = nil, cluster: String? = nil, environment: String? = nil,
    jobName: String? = nil, instance: Int64 = 0, processes: [ProcessDefinition], orders: [[String]] = [],
    resources: Resources? = nil, maxFailures: Int = 1, maxConcurrency: Int = 0, finalizationWait: Double = 30,
    container: ContainerChoice = .mesos(MesosContainer()), healthCheck: HealthCheck? = nil,
    lifecycle: HTTPLifecycle? = nil, announce: Announce? = nil, maxCompletionTime: Double? = nil,
    ports: [String: Int] = [:]
  ) {
    self.taskID = taskID
    self.name = name
    self.role = role
    self.cluster = cluster
    self.environment = environment
    self.jobName = jobName
    self.instance = instance
    self.processes = processes
    self.orders = orders
    self.resources = resources
    self.maxFailures = maxFailures
    self.maxConcurrency = maxConcurrency
    self.finalizationWait = finalizationWait
    self.container = container
    self.healthCheck = healthCheck
    self.lifecycle = lifecycle
    self.announce = announce
    self.maxCompletionTime = maxCompletionTime
    self.ports = ports
  }
}

/// What a task may use at most.
package struct Resources: Sendable, Equatable {
  /// Cores, above 0.
  package var cpu: Double
  /// Bytes of memory, as they are asked for.
  package var ram: Int64
  /// Bytes of disk; 0: no limit.
  package var disk: Int64
  package var gpu: Int64
  /// Processes and threads of the whole task.
  package var pids: Int64?

  package init(cpu: Double, ram: Int64, disk: Int64, gpu: Int64 = 0, pids: Int64? = nil) {
    self.cpu = cpu
    self.ram = ram
    self.disk = disk
    self.gpu = gpu
    self.pids = pids
  }

  /// The least memory a container gets, whatever is asked for (`MIN_MEMORY` of Mesos' two containerizers). With less a shell
  /// is ended by the kernel before it has said why, and engines refuse less than 6 MiB.
  package static let leastMemory: Int64 = 32 << 20

  /// Bytes of memory that the task may use: what it asks for, and no less than `leastMemory`.
  package var memoryLimit: Int64 { max(ram, Resources.leastMemory) }
}

/// The document's `announce`: kept for the names it gives to ports; nothing is announced here.
package struct Announce: Sendable, Equatable {
  package var primaryPort: String
  /// Another name of a port, to a port's name or a number, in the order of the document.
  package var portmap: [PortAlias]
  package var zkPath: String?

  package init(primaryPort: String = "http", portmap: [PortAlias] = [], zkPath: String? = nil) {
    self.primaryPort = primaryPort
    self.portmap = portmap
    self.zkPath = zkPath
  }
}

/// One entry of `announce.portmap`.
package struct PortAlias: Sendable, Equatable {
  package var name: String
  package var target: String

  package init(name: String, target: String) {
    self.name = name
    self.target = target
  }
}
