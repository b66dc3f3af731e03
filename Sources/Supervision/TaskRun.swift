import Containers
import DiskUsage
import Glibc
import Isolators
import LaunchModel
import LinuxKernel
import StrictJSON
import TaskModel
import TaskStore

/// One run of a task from its document to its result, or the rest of one that another executor began.
///
///     begin   directories, lock, journal            nothing of the task runs before this is done
///     provision, launch                             TASK_STAGING, TASK_STARTING
///     supervise                                     TASK_RUNNING … until the machine has a verdict
///     conclude                                      container gone, result.json, the last update
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
    let times = RunTimes()
    let (made, runDirectory) = try begin(document, task, times)
    var context = Context(
      task: task, journal: made.journal, createdAt: createdAt, times: times, lock: made.lock,
      runDirectory: runDirectory, result: made.result)
    context.control = makeControl()
    if isDetached {
      do throws(Errno) { try link(2, as: paths.executorLog) } catch {
        publisher.warning("what the executor says cannot be kept in \(paths.executorLog): \(error)")
      }
    }
    let started: Started
    do throws(ExecutorFailure) {
      let identity = try identity.get()
      context.identity = identity
      try checkUser(identity)
      var containerizer = try makeContainerizer(task, identity, nil)
      if let image = containerizer.imageName {
        publish(context, .staging, message: "image \(image)")
        do throws(ExecutorFailure) {
          try containerizer.provision(until: signals)
        } catch {
          context.problems += containerizer.abandon()
          throw error
        }
        context.image = containerizer.image
      }
      started = try launch(&context, containerizer)
    } catch {
      return try concludeFailedLaunch(context, error)
    }
    return try supervise(context, newMachine(task), started, resuming: false)
  }

  /// Root missing, or an engine that is not there, says nothing about the task: so the failure is told beside its end.
  func concludeFailedLaunch(_ context: Context, _ error: ExecutorFailure) throws(ExecutorFailure) -> TaskEnd {
    let isStopped = error.kind == .stopped
    let verdict = Verdict(
      state: isStopped ? .killed : .failed, reason: isStopped ? nil : Reason.launchFailed, message: error.message,
      hint: error.hint, stopOrigin: isStopped ? .signal : nil)
    var end = try conclude(context, verdict, container: nil, problems: context.problems)
    end.launchFailure = error
    return end
  }

  /// A container that has been launched, and what launched it.
  package struct Started {
    let container: any Container
    let containerizer: any Containerizer
  }

  package func launch(_ context: inout Context, _ containerizer: any Containerizer) throws(ExecutorFailure) -> Started {
    // Of a launch before this one, which did not come to its end.
    try? context.diskQuota?.lift()
    context.diskQuota = try chargeDisk(context, containerizer)
    // An image may have been fetched for hours.
    do throws(Errno) { try context.runDirectory.require() } catch {
      throw ExecutorFailure(.cannotCreate, "\(paths.run): \(error)", hint: "somebody has removed it meanwhile")
    }
    // After a launch that fails what it made is removed, and nothing else: what is there may be somebody else's.
    let container: any Container
    do throws(ExecutorFailure) { container = try containerizer.launch(until: signals) } catch {
      context.problems += containerizer.abandon()
      throw error
    }
    do throws(ExecutorFailure) {
      // The path is for `explain`: where commands were looked for is not to be found out afterwards.
      try LaunchRecord(container.plan, containerizer.image).save(paths)
      let path = container.plan.environment.last { $0.name == "PATH" }?.value
      let searched = path ?? ProcessEnvironment.path(hasImage: containerizer.imageName != nil)
      // Without it nobody could go on with the container.
      do throws(Errno) {
        try context.journal.require("launched", container.record + [("path", JSON(searched))], at: Clock.now)
      } catch {
        throw ExecutorFailure(.cannotCreate, "cannot write the journal \(paths.journal): \(error)")
      }
    } catch {
      _ = container.destroy()
      throw error
    }
    for (reason, leftOut) in Dictionary(grouping: container.plan.leftOut, by: \.reason).sorted(by: { $0.key < $1.key })
    {
      publisher.note("warning: without \(leftOut.map(\.isolator).joined(separator: ", ")): \(reason)")
    }
    writePlan(container.plan)
    return Started(container: container, containerizer: containerizer)
  }

  /// A quota for the task's disk, where that is possible; it is measured where it is not.
  private func chargeDisk(_ context: Context, _ containerizer: any Containerizer) throws(ExecutorFailure) -> DiskQuota?
  {
    guard let limit = DiskLimit.bytes(context.task, settings) else { return nil }
    let quota: DiskQuota?
    do throws(Errno) { quota = try DiskQuota.establish(limit: limit, containerizer.quotaDirectories) } catch {
      publisher.note("warning: the task's disk is measured, it cannot have a quota: \(error)")
      return nil
    }
    if let quota { context.journal.append("disk_quota", [("project", JSON(quota.project))], at: Clock.now) }
    return quota
  }

  func newMachine(_ task: TaskSpecification) -> TaskMachine {
    TaskMachine(task, maxRuns: settings.maxRuns, waitsForStrays: true)
  }

  /// `--result` is looked at before anything runs: a task whose result has nowhere to go is not begun.
  private func checkResultFile() throws(ExecutorFailure) {
    guard let resultFile else { return }
    let bytes = Array(resultFile.utf8)
    let slash = bytes.lastIndex(of: UInt8(ascii: "/"))
    let directory = slash.map { $0 == 0 ? "/" : String(decoding: bytes[..<$0], as: UTF8.self) } ?? "."
    guard (try? status(of: directory, followLinks: true))?.isDirectory == true else {
      throw ExecutorFailure(.cannotCreate, "--result \(resultFile): there is no directory \(directory)")
    }
    // Written by a rename, which would put a file in the place of a device or a link.
    if let about = try? status(of: resultFile), !about.isRegularFile {
      throw ExecutorFailure(.usage, "--result \(resultFile): there is something that is no regular file")
    }
  }

  func supervise(_ context: Context, _ machine: TaskMachine, _ started: Started, resuming: Bool)
    throws(ExecutorFailure) -> TaskEnd
  {
    let (container, containerizer) = (started.container, started.containerizer)
    guard let identity = context.identity else { throw ExecutorFailure(.internalError, "the role is not known") }
    var context = context
    let outcome = OutcomeFile(
      paths: paths, times: context.times, directory: container.logsDirectory)
    let environment = ProcessEnvironment(
      taskID: paths.taskID, identity: identity, sandbox: container.plan.sandbox,
      hasImage: containerizer.imageName != nil, outcome: outcome)
    let supervisor: TaskSupervisor
    do throws(Errno) {
      // A detached executor shows nothing: its standard error is `executor.log`, its own word, which nobody bounds.
      let follower =
        isDetached
        ? nil
        : ConsoleFollower(
          context.task.processes, paths: paths, context.runDirectory, output: publisher.output, showsAll: follows)
      supervisor = try TaskSupervisor(
        machine: machine, isTakeover: resuming, notes: context.notes, outOfMemoryKills: context.outOfMemoryKills,
        container: container,
        journal: context.journal, paths: paths, runDirectory: context.runDirectory,
        identity: identity,
        environment: environment, publisher: publisher, follower: follower,
        monitors: try monitors(context, machine, container, isNew: !resuming),
        logKeeper: try LogKeeper(
          LogCeiling(asked: settings.logBytes, disk: DiskLimit.bytes(context.task, settings)), context.task.processes,
          paths, removed: context.removedLogs),
        signals: signals, control: context.control)
    } catch {
      let why = "cannot watch the container: \(error)"
      // It runs on, and another executor can take it over.
      guard !resuming else { throw ExecutorFailure(.internalError, why, hint: "nothing was done about the task") }
      context.problems += container.destroy() + containerizer.removeRemains(keeping: settings.keepsContainer)
      return try concludeFailedLaunch(context, ExecutorFailure(.internalError, why))
    }
    if let ending { supervisor.request(ending) }
    let verdict: Verdict
    do throws(ExecutorFailure) { verdict = try supervisor.run() } catch {
      // A task that nobody can watch is not left to itself.
      (context.machine, context.notes) = (supervisor.machine, supervisor.notes)
      let lost = Verdict(
        state: .lost, reason: Reason.executorTerminated, message: error.message, hint: error.hint)
      return try conclude(context, lost, container: container, containerizer: containerizer, problems: [])
    }
    (context.machine, context.notes) = (supervisor.machine, supervisor.notes)
    return try conclude(context, verdict, container: container, containerizer: containerizer, problems: [])
  }

  /// What watches the task beside its processes. One whose end is decided already needs nobody.
  private func monitors(
    _ context: Context, _ machine: TaskMachine, _ container: any Container, isNew: Bool
  ) throws(Errno) -> [any TaskMonitor] {
    let keeper = try RunDirectoryKeeper(
      paths, context.runDirectory, container.client, context.control, warn: publisher.warning)
    guard machine.verdict == nil else {
      // Final processes run, or are to.
      try? context.diskQuota?.loosen()
      return [keeper]
    }
    let disk = try DiskLimit.monitor(
      context.task, settings, context.diskQuota, paths, container, isNew: isNew, warn: publisher.note)
    return [keeper] + [disk].compactMap { $0 }
  }

  // MARK: Parts

  /// A task runs without it, too, where it cannot be had.
  func makeControl() -> ControlServer? {
    do throws(Errno) { return try ControlServer(paths) } catch {
      publisher.warning("`stop` and `kill` cannot reach this executor: \(paths.executorSocket): \(error)")
      return nil
    }
  }

  package struct Context {
    let task: TaskSpecification
    let journal: Journal
    let createdAt: UInt64
    let times: RunTimes
    let lock: TaskLock
    let runDirectory: HeldRunDirectory
    /// Where the result is to be written; `nil` where no room could be had for it beforehand, or there is to be none.
    let result: PreparedFile?
    var identity: Identity?
    var image: ProvisionedImage?
    var machine: TaskMachine?
    var outOfMemoryKills: UInt64 = 0
    var diskQuota: DiskQuota?
    /// Of a container that was there when another executor ran the task.
    var containerID: String?
    /// When the task ended, in nanoseconds since 1970, where another executor has seen it.
    var finishedAt: UInt64?
    /// What could not be written down of the task while it ran.
    var notes: [String] = []
    /// Runs whose logs another executor has removed.
    var removedLogs: [RunReference] = []
    /// Where others ask for what is to be done about the task.
    var control: ControlServer?
    /// What a launch that failed has left behind.
    var problems: [String] = []
  }

  private func begin(_ document: [UInt8], _ task: TaskSpecification, _ times: RunTimes) throws(ExecutorFailure)
    -> (TaskDirectory.Made, HeldRunDirectory)
  {
    try TrustedDirectory.make(TaskPaths.tasks(paths.workDirectory), mode: 0o711, option: "--work-dir")
    // Whoever sweeps leaves alone what a task may have that is there and has no result: so that comes first.
    let made: TaskDirectory.Made
    do throws(Errno) {
      made = try TaskDirectory.make(
        paths, document: document,
        created: [
          ("task_id", JSON(paths.taskID)), ("boot_wall", JSON(times.boot)), ("settings", settings.json),
          ("executor", CurrentProcess.executable.map { JSON($0) }), ("run_directory", JSON(paths.runDirectory)),
        ], processes: task.processes.count, hasResult: !removesRecord)
    } catch {
      let hint = error.code == EACCES || error.code == EROFS ? "choose another place with --work-dir" : nil
      throw ExecutorFailure(.cannotCreate, "cannot make the task's directory \(paths.task): \(error)", hint: hint)
    }
    do throws(ExecutorFailure) { return (made, try RunDirectory.make(paths)) } catch {
      // Nothing was begun, and nothing is to be recovered.
      try? TaskDirectory.remove(paths, made.lock)
      throw error
    }
  }

  /// Without root a process can only be who the executor is.
  private func checkUser(_ identity: Identity) throws(ExecutorFailure) {
    let own = CurrentProcess.effectiveUser
    guard own == 0 || own == identity.uid else {
      throw ExecutorFailure(
        .needsPrivileges, "running as \(identity.name) (uid \(identity.uid)) needs root; this is uid \(own)",
        hint: "run with sudo, or with --role of your own user")
    }
  }

  /// - Parameter record: what was launched, where it was: with the isolators that were used, whatever is asked for by now.
  func makeContainerizer(_ task: TaskSpecification, _ identity: Identity, _ record: LaunchRecord?)
    throws(ExecutorFailure) -> any Containerizer
  {
    var settings = settings
    if let record { settings.isolation = record.plan.isolators.filter(BuiltInIsolators.names.contains) }
    return try launcher.containerizer(task, identity, settings, paths)
  }

  private func publish(_ context: Context, _ state: TaskState, message: String?) {
    context.journal.append(
      "update", [("state", JSON(state.rawValue)), ("message", message.map { JSON($0) })], at: Clock.now)
    publisher.update(state, reason: nil, message: message)
  }

  private func writePlan(_ plan: LaunchPlan) {
    try? writeFileAtomically(paths.plan, Array(launcher.report(plan).pretty.utf8), mode: 0o600)
  }
}
