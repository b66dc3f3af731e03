import ContainerInit
import Containers
import DiskUsage
import DockerEngineClient
import Glibc
import Isolators
import LaunchModel
import LinuxKernel
import StrictJSON
import TaskStore

/// A running container of the Docker engine.
///
/// Its init is a process of this host, held by a handle: its end is seen, and brought about, without the engine. An
/// engine that restarts or hangs changes nothing for a task that runs.
final class EngineContainer: Container {
  let plan: LaunchPlan
  let client: InitClient
  private let process: SharedDescriptor
  private let identity: ProcessIdentity
  private let id: ContainerID
  private let image: ProvisionedImage
  private let engine: DockerEngine
  private let removal: DockerRemoval
  private let measured: DockerUsage?
  private var lastUsage = ContainerUsage()
  /// The engine has left a question of ours without an answer.
  private var isSilent = false
  let writableLayer: String?
  let foreignFiles: [DiskTree.Root]
  private let cgroups: DockerCgroups?
  /// While it is lifted.
  private var quota: CgroupQuota?
  /// The engine's answer to the request to start it, which nobody waits for once init is there. The connection stays:
  /// an engine may give up what nobody is there to hear of.
  private var start: PendingReply<Bool>?
  /// The engine's word that it has ended.
  private var end: PendingReply<Int32>?
  private var isEnding = false

  init(
    _ plan: LaunchPlan, _ client: InitClient, _ process: SharedDescriptor, _ identity: ProcessIdentity,
    _ id: ContainerID, _ image: ProvisionedImage, start: PendingReply<Bool>?, engine: DockerEngine,
    removal: DockerRemoval
  ) {
    self.start = start
    self.plan = plan
    self.client = client
    self.process = process
    self.identity = identity
    self.id = id
    self.image = image
    self.engine = engine
    self.removal = removal
    measured = bestEffort("find the cgroups of the container's pid \(identity.pid)") {
      try DockerUsage(pid: identity.pid)
    }
    cgroups = DockerCgroups(id, pid: identity.pid)
    let mounts = (try? readFile("/proc/\(identity.pid)/mountinfo", limit: 8 << 20)) ?? []
    writableLayer = OverlayUpper.directory(mountinfo: mounts).flatMap { String(validating: $0, as: UTF8.self) }
    foreignFiles = EngineFiles.of(identity.pid, mountinfo: mounts)
  }

  var endDescriptor: Int32 { process.rawValue }

  var record: [(String, JSON?)] {
    identity.journalMembers + [
      ("container_id", JSON(id.text)),
      ("image", image.json),
    ]
  }

  var engineContainerID: String? { id.text }

  func usage() -> ContainerUsage {
    // The engine removes the cgroups with the container: what was seen last stays.
    if let now = measured?.now { lastUsage = now.merging(lastUsage) }
    return lastUsage
  }

  func outOfMemoryKillCount() -> UInt64? { usage().outOfMemoryKills }

  var logsDirectory: String { plan.sandbox + "/.logs" }

  var initPID: Int32 { identity.pid }

  /// Never: its init would be frozen with it, and the engine would know nothing of it.
  func freeze() -> Bool { false }

  var isFrozen: Bool { measured?.isFrozen == true }

  func thaw() {
    guard isFrozen else { return }
    // The engine first, so that it knows; the kernel takes it from us all the same. One that did not answer once is not
    // waited for at every signal.
    if !isSilent,
      bestEffort("have the engine unpause the container \(id.short)", attempt: { try engine.unpauseContainer(id) })
        == nil
    {
      isSilent = true
    }
    if isFrozen { measured?.thaw() }
  }

  var canKillTask: Bool { cgroups?.processes != nil || pidNamespace != nil }

  /// In the container's own cgroup everything is meant. An engine that makes no cgroups leaves a container in its own: there
  /// it is what is in the container's pid namespace.
  func killTask() {
    let deadline = Clock.now + EngineContainer.killTime
    if let own = cgroups?.processes {
      _ = own.killEach(until: deadline) { $0 != identity.pid }
    } else if let processes = measured?.processes, let inside = pidNamespace {
      _ = processes.killEach(until: deadline) { pid in
        pid != identity.pid && (try? readSymbolicLink("/proc/\(pid)/ns/pid")) == inside
      }
    }
  }

  /// The one of the container; `nil` where it has none of its own.
  private var pidNamespace: [UInt8]? {
    guard let own = try? readSymbolicLink("/proc/self/ns/pid"),
      let inside = try? readSymbolicLink("/proc/\(identity.pid)/ns/pid"), inside != own
    else { return nil }
    return inside
  }

  private static let killTime: UInt64 = 1_000_000_000

  func boundCPU(_ isBound: Bool) {
    if isBound {
      quota?.restore()
      quota = nil
    } else if quota == nil {
      quota = cgroups?.cpu.map { CgroupQuota.lift($0) }
    }
  }

  /// How long the engine is given to learn that a container has ended.
  private static let timeout: UInt64 = 3_000_000_000

  /// Named after it, in one way or another: `docker/<id>`, `docker-<id>.scope`.
  func hasMemoryCgroup(_ path: String) -> Bool { path.contains(id.text) }
  var initSharesMemory: Bool { true }

  func lastWords() -> LastWords {
    let deadline = Clock.now + EngineContainer.timeout
    while true {
      do throws(DockerEngineError) {
        let state = try engine.inspectContainer(id).state
        if !state.running || Clock.now >= deadline {
          return LastWords(
            text: "the engine says that the container is \(EngineContainer.describe(state))",
            isOutOfMemory: state.oomKilled && state.exitCode == 128 + SIGKILL)
        }
      } catch {
        if error.status == 404 {
          return LastWords(text: "the engine has no such container any more: somebody else removed it")
        }
        return LastWords(text: "the engine cannot be asked why: \(error)")
      }
      CurrentProcess.pause(milliseconds: 50)
    }
  }

  private static func describe(_ state: ContainerDetails.State) -> String {
    var words = [state.running ? "running" : "\(printable(state.status.utf8)) (status \(state.exitCode))"]
    if state.oomKilled { words.append("out of memory") }
    if !state.error.isEmpty { words.append(printable(state.error.utf8)) }
    return words.joined(separator: ", ")
  }

  func beginEnd() {
    guard !isEnding else { return }
    isEnding = true
    // Asked before it ends, the engine tells at once; asked to remove what it still believes to run, it would first try
    // to kill it.
    removal.engine.interrupt = nil
    let what = "ask the engine for the end of the container \(id.short)"
    end = bestEffort(what) { try removal.engine.beginWait(id) }
    if let end { bestEffort(what) { _ = try end.advance() } }
    // Orderly, where init still listens: it has flushed every log by then. With pid 1 everything else goes.
    bestEffort("have container-init shut down", tolerating: EPIPE, ECONNRESET) { try client.send(.shutdown) }
  }

  func destroy() -> [String] {
    thaw()
    boundCPU(false)
    beginEnd()
    var hasEnded = ProcessHandle.waitForEnd(process.rawValue, milliseconds: 1000)
    if !hasEnded {
      _ = ProcessHandle.signal(9, process.rawValue)
      hasEnded = waitWhileFewer()
    }
    // With the host's pid namespace the others do not end with it.
    if hasEnded { _ = cgroups?.processes?.killEach(until: Clock.now + EngineContainer.killTime) }
    if hasEnded, let end {
      bestEffort("hear from the engine that the container \(id.short) has ended") {
        _ = try end.finish(within: .seconds(2))
      }
    }
    (start, end) = (nil, nil)
    return (hasEnded ? [] : ["container-init has not ended within 10 s of SIGKILL"]) + removal.run(id)
  }

  /// Waits for the end of its init, which as pid 1 goes last: as long as the processes of the container become fewer, and those
  /// that it has to take leave of, which are in no cgroup any more.
  private func waitWhileFewer() -> Bool {
    var least = Int.max
    var deadline = Clock.now
    while true {
      let count = (cgroups?.count ?? 0) + OpenFiles.children("/proc/\(identity.pid)/task/\(identity.pid)").count
      if count < least { (least, deadline) = (count, Clock.now + EngineContainer.endTime) }
      if ProcessHandle.waitForEnd(process.rawValue, milliseconds: 500) { return true }
      guard Clock.now < deadline else { return false }
    }
  }

  private static let endTime: UInt64 = 10_000_000_000
}
