import ContainerInit
import Containers
import Glibc
import Isolators
import LaunchModel
import LinuxKernel
import StrictJSON
import TaskStore

/// A container of the native containerizer.
final class NativeContainer: Container {
  let plan: LaunchPlan
  let client: InitClient
  private let process: SharedDescriptor
  private let identity: ProcessIdentity
  private let paths: TaskPaths
  private let launcher: MesosContainerizer
  private let keeps: Bool
  private var isEnding = false
  /// As it was said last; an executor before this one may have said something else.
  private var isCPUBound: Bool?

  init(
    _ launched: consuming LaunchedContainer, paths: TaskPaths, launcher: MesosContainerizer, keeps: Bool
  ) throws(LaunchError) {
    let (plan, client, pid, handle) = launched.parts()
    do throws(Errno) {
      identity = try ProcessIdentity(pid: pid, pidfd: handle.rawValue)
    } catch {
      NativeContainer.takeDown(paths.taskID, handle, launcher)
      throw LaunchError("container-init has ended at once", error)
    }
    self.plan = plan
    self.client = client
    process = handle
    self.paths = paths
    self.launcher = launcher
    self.keeps = keeps
  }

  /// Of a launch that has failed: that is what its caller is told.
  private static func takeDown(_ id: String, _ process: SharedDescriptor, _ launcher: MesosContainerizer) {
    bestEffort("take down what a launch has left") {
      let problems = launcher.destroy(id, initProcess: process)
      if !problems.isEmpty { throw LaunchError(problems.joined(separator: "; ")) }
    }
  }

  init(
    _ plan: LaunchPlan, _ process: SharedDescriptor, _ identity: ProcessIdentity, _ client: InitClient,
    paths: TaskPaths, launcher: MesosContainerizer, keeps: Bool
  ) {
    self.plan = plan
    self.process = process
    self.identity = identity
    self.client = client
    self.paths = paths
    self.launcher = launcher
    self.keeps = keeps
  }

  var endDescriptor: Int32 { process.rawValue }
  var record: [(String, JSON?)] { identity.journalMembers }
  var writableLayer: String? { paths.hasRootfs ? paths.upper : nil }
  /// Without mounts of its own a task sees them where they are.
  var logsDirectory: String {
    let inside = plan.sandbox + "/.logs"
    let isMounted = plan.binds.contains { $0.target.utf8.elementsEqual(inside.utf8) }
    return isMounted ? inside : paths.logs
  }
  func usage() -> ContainerUsage { launcher.usage(paths.taskID) }
  func outOfMemoryKillCount() -> UInt64? { launcher.outOfMemoryKills(paths.taskID) }
  var initPID: Int32 { identity.pid }
  func freeze() -> Bool { launcher.freeze(paths.taskID) }
  var isFrozen: Bool { launcher.isFrozen(paths.taskID) }
  /// Nobody else has a hand in it; an executor that is gone may have.
  func thaw() { launcher.thaw(paths.taskID) }
  func killTask() { launcher.killTask(paths.taskID) }
  func boundCPU(_ isBound: Bool) {
    if isCPUBound != isBound { launcher.boundCPU(plan, isBound) }
    isCPUBound = isBound
  }
  func hasMemoryCgroup(_ path: String) -> Bool {
    path.utf8.split(separator: UInt8(ascii: "/")).contains { $0.elementsEqual(paths.taskID.utf8) }
  }
  var initSharesMemory: Bool { false }
  func lastWords() -> LastWords {
    // Its connection ends a moment before it does.
    _ = ProcessHandle.waitForEnd(process.rawValue, milliseconds: 1000)
    return LastWords(text: ProcessHandle.end(process.rawValue)?.outcome.text ?? "")
  }
  var engineContainerID: String? { nil }

  /// Orderly, where init still listens: it has flushed every log by then.
  func beginEnd() {
    guard !isEnding else { return }
    isEnding = true
    bestEffort("have container-init shut down", tolerating: EPIPE, ECONNRESET) { try client.send(.shutdown) }
  }

  func destroy() -> [String] {
    boundCPU(false)
    beginEnd()
    let problems = launcher.destroy(paths.taskID, initProcess: process)
    // What does not end takes no more than it was given.
    if !problems.isEmpty { boundCPU(true) }
    return problems + paths.putRootfsAside(keeping: keeps)
  }
}
