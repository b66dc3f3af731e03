import ContainerInit
import DiskUsage
import LaunchModel
import LinuxKernel
import StrictJSON
import TaskStore

/// One of the two ways to run a task. What is above asks neither which one it has.
package protocol Containerizer {
  /// The image as the task names it; `nil` for the host's file system.
  var imageName: String? { get }

  /// The image as it will run; known after `provision`.
  var image: ProvisionedImage? { get }

  /// Makes the image available. May take long, and is given up when something can be read from `signals`; what it throws
  /// ends the task before anything runs, with kind `stopped` when it was stopped.
  mutating func provision(until signals: SharedDescriptor) throws(ExecutorFailure)

  /// Finds the image without keeping anything for a run: for `plan`.
  mutating func locate() throws(ExecutorFailure)

  /// What a launch would do.
  func plan() throws(ExecutorFailure) -> LaunchPlan

  /// What it would ask an engine for; `nil` when it asks none.
  func engineRequest() throws(ExecutorFailure) -> EngineRequest?

  /// The directories that hold what counts as the task's disk, before anything of it has run; the sandbox first. Empty where
  /// some of it is somebody else's to make.
  var quotaDirectories: [String] { get }

  /// Starts the container; its init answers on `Container.client`. Where that may last it is given up when something can
  /// be read from `signals`, as `provision` is. What a launch that fails has made is for `abandon` to remove.
  func launch(until signals: SharedDescriptor) throws(ExecutorFailure) -> any Container

  /// Finds the container that an executor before us launched, by what it wrote into the journal and of the launch. One that
  /// lives and cannot be spoken with is an error: it is left as it is. The image is known afterwards; `provision` need not
  /// have been called.
  mutating func adopt(_ launched: JSON, _ record: LaunchRecord) throws(ExecutorFailure) -> Adoption

  /// After a provision or a launch that failed: removes what that made, and nothing else.
  func abandon() -> [String]

  /// Ends whatever of the container is still there, whether or not it was ever launched, and removes it unless it is to be
  /// kept.
  func removeRemains(keeping: Bool) -> [String]
}

/// What there is of a container that another executor launched.
package enum Adoption {
  case container(any Container)
  /// Nothing that could be gone on with: why.
  case gone(String)
}

/// What somebody besides init knows of the end of a container.
package struct LastWords {
  /// For people; empty when there is nothing to say.
  package var text = ""
  /// The engine says that its first process was killed for want of memory: only where the kernel's log does not tell.
  package var isOutOfMemory = false

  package init(text: String = "", isOutOfMemory: Bool = false) {
    self.text = text
    self.isOutOfMemory = isOutOfMemory
  }
}

/// A running container.
package protocol Container: AnyObject {
  var plan: LaunchPlan { get }
  /// The conversation with its init.
  var client: InitClient { get }
  /// Readable when the container has ended.
  var endDescriptor: Int32 { get }
  /// What somebody else knows it by: the engine's id of it.
  var engineContainerID: String? { get }
  /// What the journal needs to find it again.
  var record: [(String, JSON?)] { get }
  /// The directory on the host of what is written in the container outside its sandbox and its volumes; `nil` when there
  /// is none, or it cannot be seen from here.
  var writableLayer: String? { get }
  /// Files of the host besides that it can write, and that are there for it alone.
  var foreignFiles: [DiskTree.Root] { get }
  /// Where its processes see their logs.
  var logsDirectory: String { get }
  /// What it has used so far.
  func usage() -> ContainerUsage
  /// How many of its processes the kernel has killed for want of memory so far; `nil` where nobody counts. As `usage` has it.
  func outOfMemoryKillCount() -> UInt64?
  /// Whether a memory cgroup, by its path from the root of its hierarchy, is one of its own.
  func hasMemoryCgroup(_ path: String) -> Bool
  /// Whether its init is held to the task's limit of memory, and so can be killed for it.
  var initSharesMemory: Bool { get }
  /// Its init, as this host numbers it.
  var initPID: Int32 { get }
  /// Has all processes of the task stop until `thaw`, each when the system call is done that it is in; false where they cannot
  /// be told.
  func freeze() -> Bool
  /// Whether all of them have.
  var isFrozen: Bool { get }
  /// Lets it go on when somebody froze it: what is frozen can be neither stopped nor ended.
  func thaw()
  /// SIGKILL to every process of the task but its init, from outside: for an init that does not do it. Takes a second at
  /// most.
  func killTask()
  /// Takes the bound on its CPU time away, or sets it again: what is being killed, and its init, must get to their ends.
  func boundCPU(_ isBound: Bool)
  /// Whether its processes can be told from others, so that `killTask` does it.
  var canKillTask: Bool { get }
  /// Why it ended, where somebody besides init can tell; asked when it ended by itself. May take a few seconds.
  func lastWords() -> LastWords
  /// Asks its init to end, without waiting for it.
  func beginEnd()
  /// Ends and removes it, or only ends it where the run is to keep it. Returns what could not be ended or removed, and
  /// what was kept. What may take long to remove is only put aside, for `TaskDirectory.removeAside`.
  func destroy() -> [String]
}

extension Container {
  package var foreignFiles: [DiskTree.Root] { [] }
  package var canKillTask: Bool { true }
}
