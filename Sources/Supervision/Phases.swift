import Containers
import DiskUsage
import LaunchModel
import LinuxKernel
import TaskModel
import TaskStore

// A task goes through these, each made from the one before. What a phase needs of an earlier one it has from that value,
// and what is not there yet has no member.

/// There are directories, a lock and a journal: the task exists. Nothing of it runs on account of this executor.
struct Prepared {
  let task: TaskSpecification
  let journal: Journal
  let createdAt: UInt64
  let times: RunTimes
  let lock: TaskLock
  let runDirectory: HeldRunDirectory
  /// Where the result is to be written; `nil` where no room could be had for it beforehand, or there is to be none.
  let result: PreparedFile?
  /// Where others ask for what is to be done about the task; `nil` where it cannot be had.
  let control: ControlServer?
  let past: Past

  /// What executors before this one have seen of the task.
  struct Past {
    var notes: [String] = []
    /// Kills for want of memory that recorded ends account for.
    var outOfMemoryKills: UInt64 = 0
    /// Runs whose logs were removed.
    var removedLogs: [RunReference] = []
    /// Of an engine's container.
    var containerID: String?
    /// When the task ended, in nanoseconds since 1970.
    var finishedAt: UInt64?
  }
}

/// It is known as whom the task runs.
struct Identified {
  let prepared: Prepared
  let identity: Identity
}

/// The image is there, and the disk is charged to the task where there are quotas.
struct Provisioned {
  let identified: Identified
  let containerizer: any Containerizer
  let quota: DiskQuota?
  var prepared: Prepared { identified.prepared }
}

/// The container stands, and its init answers.
struct Launched {
  let provisioned: Provisioned
  let container: any Container
  var prepared: Prepared { provisioned.prepared }
  var containerizer: any Containerizer { provisioned.containerizer }
}

/// How far a task came.
enum Reached {
  case prepared(Prepared)
  case identified(Identified)
  case provisioned(Provisioned)
  case launched(Launched)

  var prepared: Prepared {
    switch self {
    case .prepared(let prepared): prepared
    case .identified(let identified): identified.prepared
    case .provisioned(let provisioned): provisioned.prepared
    case .launched(let launched): launched.prepared
    }
  }

  private var provisioned: Provisioned? {
    switch self {
    case .prepared, .identified: nil
    case .provisioned(let provisioned): provisioned
    case .launched(let launched): launched.provisioned
    }
  }

  var identity: Identity? {
    if case .identified(let identified) = self { identified.identity } else { provisioned?.identified.identity }
  }
  var image: ProvisionedImage? { provisioned?.containerizer.image }
  var quota: DiskQuota? { provisioned?.quota }
}

/// How far a launch has come, for when it fails, and what it has left behind then.
struct Attempt {
  var reached: Reached
  var problems: [String] = []
}

/// The end is decided; what is left is to take the container down and to say so.
struct Ended {
  let reached: Reached
  let machine: TaskMachine
  let verdict: Verdict
  /// What is to be taken down.
  var remains = Remains.nothing
  /// What could not be written down while the task ran, and what a launch that failed has left.
  var notes: [String]
  var problems: [String] = []

  enum Remains {
    case nothing
    case container(any Container)
    /// Whatever there is of one, whether it was ever launched or not.
    case unknown(any Containerizer)
  }

  var prepared: Prepared { reached.prepared }
  var container: (any Container)? {
    if case .container(let container) = remains { container } else { nil }
  }
}
