import Containers
import LaunchModel
import LinuxKernel
import TaskModel
import TaskStore

/// One run of a task from its document to its result, or the rest of one that another executor began.
///
///     start, recover                                where one comes in
///     prepare      Prepared     directories, lock, journal: nothing of the task runs before this is done
///     identify     Identified   the role
///     provision    Provisioned  TASK_STAGING
///     launch       Launched     TASK_STARTING
///     supervise    Ended        TASK_RUNNING … until the machine has a verdict
///     conclude     TaskEnd      container gone, result.json, the last update
package struct TaskRun {
  package let paths: TaskPaths
  package let settings: RunSettings
  package let publisher: StatusPublisher
  package let launcher: TaskLauncher
  /// `--result FILE`.
  package let resultFile: String?
  package let follows: Bool
  /// `--assert-clean`: anything left over is an exit status of its own.
  package var assertsClean = false
  /// `--rm`: what is written about the task goes with it, so what nobody could read is not written.
  package var removesRecord = false
  /// The role as a policy has judged it: it is not looked up again.
  package var judgedIdentity: Result<Identity, ExecutorFailure>?
  /// What is said is the task's `executor.log`.
  package var isDetached = false
  /// Ends a task that is taken over, as soon as it is.
  package var ending: StopRequest?
  /// How long an init that is to kill everything may be silent.
  var timeouts = InitSilence.Timeouts()
  /// Where SIGTERM and SIGINT arrive.
  package let signals: SharedDescriptor

  package init(
    paths: TaskPaths, settings: RunSettings, publisher: StatusPublisher, launcher: TaskLauncher, resultFile: String?,
    follows: Bool, assertsClean: Bool = false, removesRecord: Bool = false,
    judgedIdentity: Result<Identity, ExecutorFailure>? = nil, isDetached: Bool = false, ending: StopRequest? = nil,
    signals: SharedDescriptor
  ) {
    self.paths = paths
    self.settings = settings
    self.publisher = publisher
    self.launcher = launcher
    self.resultFile = resultFile
    self.follows = follows
    self.assertsClean = assertsClean
    self.removesRecord = removesRecord
    self.judgedIdentity = judgedIdentity
    self.isDetached = isDetached
    self.ending = ending
    self.signals = signals
  }

  /// Runs a new task.
  package func start(_ document: [UInt8], _ task: TaskSpecification) throws(ExecutorFailure) -> TaskEnd {
    let createdAt = Clock.wall
    if let ports = PortList.text(settings.ports) { publisher.note("ports \(ports)") }
    try checkResultFile()
    let identity = judgedIdentity ?? Result { () throws(ExecutorFailure) in try Role.identity(settings.role) }
    let prepared = try prepare(document, task, createdAt: createdAt)
    if isDetached {
      do throws(Errno) { try link(2, as: paths.executorLog) } catch {
        publisher.warning("what the executor says cannot be kept in \(paths.executorLog): \(error)")
      }
    }
    var attempt = Attempt(reached: .prepared(prepared))
    let launched: Launched
    do throws(ExecutorFailure) {
      let identified = try identify(prepared, identity, &attempt)
      let containerizer = try containerizer(task, identified.identity, nil)
      launched = try launch(try provision(identified, containerizer, tells: true, &attempt), &attempt)
    } catch {
      return try conclude(attempt, error)
    }
    return try supervise(launched, newMachine(task))
  }

  /// Goes on with a task whose executor is gone.
  package func recover(_ takeover: Takeover) throws(ExecutorFailure) -> TaskEnd {
    let history = takeover.history
    // Who and what was launched is read, not looked up: accounts, images and isolators may have changed meanwhile.
    let record = try history.launched.map { (_) throws(ExecutorFailure) in try LaunchRecord.load(paths) }
    let identity: Identity
    if let record { identity = record.plan.restrictions.identity } else { identity = try Role.identity(settings.role) }
    var containerizer = try containerizer(history.task, identity, record)
    // Before anything is written: a container that this executor cannot speak with is left as it is.
    let adoption = try adopt(history, record, &containerizer)
    let prepared = try prepare(takeover)
    let (identified, quota) = (Identified(prepared: prepared, identity: identity), quota(of: history))
    let step = Takeover.step(history.verdict, adoption)
    // What was launched had its image, and its disk was charged.
    let provisioned = Provisioned(identified: identified, containerizer: containerizer, quota: quota)
    switch step {
    case .relaunch: return try relaunch(identified, containerizer, quota)
    case .resume(let container):
      publisher.tookOver()
      return try supervise(
        Launched(provisioned: provisioned, container: container), history.machine, isTakeover: true)
    case .lose(let why): return try lose(provisioned, history.machine, why)
    case .conclude(let verdict, let container):
      return try conclude(
        Ended(
          reached: .provisioned(provisioned), machine: history.machine, verdict: verdict,
          remains: container.map(Ended.Remains.container) ?? .unknown(containerizer), notes: prepared.past.notes))
    }
  }

  func newMachine(_ task: TaskSpecification) -> TaskMachine {
    TaskMachine(task, maxRuns: settings.maxRuns, waitsForStrays: true)
  }
}
