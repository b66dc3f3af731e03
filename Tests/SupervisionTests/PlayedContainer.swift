import ContainerInit
import Containers
import LaunchModel
import LinuxKernel
import StrictJSON
import TaskStore

/// A container that is none: its init is played, and what is done to it is counted.
final class PlayedContainer: Container {
  let plan: LaunchPlan
  let client: InitClient
  private let life: SharedDescriptor
  private(set) var killed = 0
  private(set) var destroyed = 0

  init(_ plan: LaunchPlan, _ client: InitClient, life: SharedDescriptor) {
    (self.plan, self.client, self.life) = (plan, client, life)
  }

  var endDescriptor: Int32 { life.rawValue }
  let foreignID: String? = nil
  let record: [(String, JSON?)] = [("pid", 1)]
  let writableLayer: String? = nil
  var logsDirectory: String { plan.sandbox + "/.logs" }
  func usage() -> ContainerUsage { ContainerUsage() }
  func hasMemoryCgroup(_ path: String) -> Bool { false }
  let initSharesMemory = false
  let initPID: Int32 = 1
  func freeze() -> Bool { false }
  func thaw() {}
  func killTask() { killed += 1 }
  func boundCPU(_ isBound: Bool) {}
  func lastWords() -> LastWords { LastWords() }
  func beginEnd() {}
  func destroy() -> [String] {
    destroyed += 1
    return []
  }
}

/// Launches it, or fails as it is told.
final class PlayedContainerizer: Containerizer {
  private let paths: TaskPaths
  private let identity: Identity
  private let script: InitScript
  private let failure: ExecutorFailure?
  private(set) var container: PlayedContainer?
  private(set) var abandoned = 0

  init(_ paths: TaskPaths, _ identity: Identity, _ script: InitScript, failure: ExecutorFailure? = nil) {
    (self.paths, self.identity, self.script, self.failure) = (paths, identity, script, failure)
  }

  let imageName: String? = nil
  let image: ProvisionedImage? = nil
  let quotaDirectories: [String] = []
  func provision(until signals: SharedDescriptor) {}
  func locate() {}
  func plan() -> LaunchPlan { LaunchPlan(taskID: paths.taskID, identity: identity, sandbox: "/sandbox") }
  func engineRequest() -> EngineRequest? { nil }

  func launch(until signals: SharedDescriptor) throws(ExecutorFailure) -> any Container {
    if let failure { throw failure }
    do throws(Errno) {
      let life = try ScriptedInit.begin(script, at: paths.controlSocket, exits: paths.exits)
      let made = PlayedContainer(plan(), try InitClient(connectingTo: paths.controlSocket), life: life)
      container = made
      return made
    } catch {
      throw ExecutorFailure(.internalError, "\(error)")
    }
  }

  func adopt(_ launched: JSON, _ record: LaunchRecord) -> Adoption { .gone("it is played") }

  func abandon() -> [String] {
    abandoned += 1
    return []
  }

  func removeRemains(keeping: Bool) -> [String] { [] }
}
