import ContainerInit
import Containers
import Glibc
import LaunchModel
import LinuxKernel
import PlayedInit
import StrictJSON
import TaskStore

/// A container that is none: its init is played, and what is done to it is counted.
final class PlayedContainer: Container {
  let plan: LaunchPlan
  let client: InitClient
  private let life: SharedDescriptor
  private let paths: TaskPaths
  private(set) var destroyed = 0
  /// The record of its launch, as it was at its end.
  private(set) var launchRecord: [UInt8] = []
  /// Whether it can be stopped, and how often it was, and went on.
  var canFreeze = false
  private(set) var frozen = 0
  private(set) var thawed = 0
  private(set) var killed = 0
  var writableLayer: String?
  var used = ContainerUsage()
  var words = LastWords()
  /// What is said when it is destroyed.
  var remarks: [String] = []

  init(_ plan: LaunchPlan, _ paths: TaskPaths, _ script: InitScript) throws(Errno) {
    (self.plan, self.paths) = (plan, paths)
    life = try ScriptedInit.begin(script, at: paths.controlSocket, exits: paths.exits)
    client = try InitClient(connectingTo: paths.controlSocket)
  }

  var endDescriptor: Int32 { life.rawValue }
  let engineContainerID: String? = nil
  let record: [(String, JSON?)] = [("pid", 1)]
  var logsDirectory: String { plan.sandbox + "/.logs" }
  func usage() -> ContainerUsage { used }
  func outOfMemoryKillCount() -> UInt64? { nil }
  func hasMemoryCgroup(_ path: String) -> Bool { false }
  let initSharesMemory = false
  // Nobody's: what other tests start meanwhile is not looked at.
  let initPID: Int32 = .max
  func freeze() -> Bool {
    if canFreeze { frozen += 1 }
    return canFreeze
  }
  /// How often it is asked whether it has stopped before it has.
  var looksBeforeFrozen = 0
  var isFrozen: Bool {
    looksBeforeFrozen -= 1
    return looksBeforeFrozen < 0
  }
  func thaw() { thawed += 1 }
  func killTask() { killed += 1 }
  func boundCPU(_ isBound: Bool) {}
  func lastWords() -> LastWords { words }
  func beginEnd() {}
  func destroy() -> [String] {
    destroyed += 1
    launchRecord = (try? readFile(paths.launchRecord)) ?? []
    return remarks
  }
}

/// Launches it, or fails as it is told.
final class PlayedContainerizer: Containerizer {
  private let paths: TaskPaths
  private let identity: Identity
  private let script: InitScript
  private let failure: ExecutorFailure?
  /// Whether a takeover finds it alive.
  private let isAlive: Bool
  private(set) var container: PlayedContainer?
  private(set) var abandoned = 0
  /// With a name it has to be provided first, which takes until the task is stopped or, with `image`, no time.
  var imageName: String?
  var image: ProvisionedImage?
  /// What is done with the container before anything is said to it.
  var prepare: (PlayedContainer) -> Void = { _ in }

  init(
    _ paths: TaskPaths, _ identity: Identity, _ script: InitScript, failure: ExecutorFailure? = nil,
    isAlive: Bool = false
  ) {
    (self.paths, self.identity, self.script, self.failure) = (paths, identity, script, failure)
    self.isAlive = isAlive
  }

  let quotaDirectories: [String] = []
  func provision(until signals: SharedDescriptor) throws(ExecutorFailure) {
    guard image == nil else { return }
    _ = try? waitUntilReady(signals.rawValue, read: true, write: false, timeoutMilliseconds: 10_000)
    throw ExecutorFailure(.stopped, "stopped while the image was fetched")
  }
  func locate() {}
  func plan() -> LaunchPlan { LaunchPlan(taskID: paths.taskID, identity: identity, sandbox: "/sandbox") }
  func engineRequest() -> EngineRequest? { nil }

  func launch(until signals: SharedDescriptor) throws(ExecutorFailure) -> any Container {
    if let failure { throw failure }
    return try play(plan())
  }

  func adopt(_ launched: JSON, _ record: LaunchRecord) throws(ExecutorFailure) -> Adoption {
    guard isAlive else { return .gone("container-init was gone") }
    do throws(Errno) { try makeDirectories(paths.run, mode: 0o700) } catch {
      throw ExecutorFailure(.internalError, "\(error)")
    }
    return .container(try play(record.plan))
  }

  private func play(_ plan: LaunchPlan) throws(ExecutorFailure) -> PlayedContainer {
    do throws(Errno) {
      let made = try PlayedContainer(plan, paths, script)
      prepare(made)
      container = made
      return made
    } catch {
      throw ExecutorFailure(.internalError, "\(error)")
    }
  }

  func abandon() -> [String] {
    abandoned += 1
    return []
  }

  func removeRemains(keeping: Bool) -> [String] { [] }
}
