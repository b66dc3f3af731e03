import Glibc
import Images
import Isolators
import LaunchModel
import LinuxKernel
import StrictJSON
import TaskModel

/// One run of a task from its document to its result, or the rest of one that another executor began.
///
///     begin   directories, lock, journal            nothing of the task runs before this is done
///     provision, launch                             TASK_STAGING, TASK_STARTING
///     supervise                                     TASK_RUNNING … until the machine has a verdict
///     conclude                                      container gone, result.json, the last update
struct TaskRun {
  let paths: TaskPaths
  let settings: RunSettings
  let publisher: StatusPublisher
  /// `--result FILE`.
  let resultFile: String?
  let follows: Bool
  /// `--assert-clean`: anything left over is an exit status of its own.
  var assertsClean = false
  /// `--rm`: what is written about the task goes with it, and need not outlive a power cut.
  var removesRecord = false
  /// The role as a policy has judged it: it is not looked up again.
  var judgedIdentity: Result<Identity, CommandFailure>?
  /// What is said is the task's `executor.log`.
  var isDetached = false
  /// Ends a task that is taken over, as soon as it is.
  var ending: StopRequest?
  /// Where SIGTERM and SIGINT arrive.
  let signals: SharedDescriptor

  /// Runs a new task.
  func start(_ document: DocumentLoader, _ task: TaskSpecification) throws(CommandFailure) -> ExitCode {
    let createdAt = Clock.wall
    if let ports = PortChoice.description(settings.ports) { publisher.note("ports \(ports)") }
    try checkResultFile()
    let identity = judgedIdentity ?? Result { () throws(CommandFailure) in try Role.identity(settings.role) }
    let times = RunTimes()
    let made = try begin(document, task, times)
    var context = Context(
      task: task, journal: made.journal, createdAt: createdAt, times: times, lock: made.lock, result: made.result)
    context.control = makeControl()
    if isDetached {
      do throws(Errno) { try link(2, as: paths.executorLog) } catch {
        publisher.warning("what the executor says cannot be kept in \(paths.executorLog): \(error)")
      }
    }
    let started: Started
    do throws(CommandFailure) {
      let identity = try identity.get()
      context.identity = identity
      try checkUser(identity)
      var containerizer = try makeContainerizer(task, identity, nil)
      if let image = containerizer.imageName {
        publish(context, .staging, message: "image \(image)")
        do throws(CommandFailure) {
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

  /// Root missing, or an engine that is not there, says nothing about the task: the exit status tells so.
  private func concludeFailedLaunch(_ context: Context, _ error: CommandFailure) throws(CommandFailure) -> ExitCode {
    let message = error.message + (error.hint.map { "\nhint: \($0)" } ?? "")
    let isStopped = error.exitCode == .killed
    let verdict = Verdict(
      state: isStopped ? .killed : .failed, reason: isStopped ? nil : Reason.launchFailed, message: message)
    let code = try conclude(context, verdict, container: nil, problems: context.problems)
    return error.exitCode == .failed ? code : error.exitCode
  }

  /// A container that has been launched, and what launched it.
  private struct Started {
    let container: any Container
    let containerizer: any Containerizer
  }

  private func launch(_ context: inout Context, _ containerizer: any Containerizer) throws(CommandFailure) -> Started {
    // Of a launch before this one, which did not come to its end.
    try? context.diskQuota?.lift()
    context.diskQuota = try chargeDisk(context, containerizer)
    // After a launch that fails what it made is removed, and nothing else: what is there may be somebody else's.
    let container: any Container
    do throws(CommandFailure) { container = try containerizer.launch(until: signals) } catch {
      context.problems += containerizer.abandon()
      throw error
    }
    do throws(CommandFailure) {
      // The path is for `explain`: where commands were looked for is not to be found out afterwards.
      try LaunchRecord(container.plan, containerizer.image).save(paths)
      let path = container.plan.environment.last { $0.name == "PATH" }?.value
      let searched = path ?? ProcessEnvironment.path(hasImage: containerizer.imageName != nil)
      // Without it nobody could go on with the container.
      do throws(Errno) {
        try context.journal.require("launched", container.record + [("path", JSON(searched))], at: Clock.now)
      } catch {
        throw CommandFailure(.cannotCreate, "cannot write the journal \(paths.journal): \(error)")
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
  private func chargeDisk(_ context: Context, _ containerizer: any Containerizer) throws(CommandFailure) -> DiskQuota? {
    guard let limit = DiskLimit.bytes(context.task, settings) else { return nil }
    let quota: DiskQuota?
    do throws(Errno) { quota = try DiskQuota.establish(limit: limit, containerizer.quotaDirectories) } catch {
      publisher.note("warning: the task's disk is measured, it cannot have a quota: \(error)")
      return nil
    }
    if let quota { context.journal.append("disk_quota", [("project", JSON(quota.project))], at: Clock.now) }
    return quota
  }

  private func newMachine(_ task: TaskSpecification) -> TaskMachine {
    TaskMachine(task, maxRuns: settings.maxRuns, waitsForStrays: true)
  }

  /// `--result` is looked at before anything runs: a task whose result has nowhere to go is not begun.
  private func checkResultFile() throws(CommandFailure) {
    guard let resultFile else { return }
    let bytes = Array(resultFile.utf8)
    let slash = bytes.lastIndex(of: UInt8(ascii: "/"))
    let directory = slash.map { $0 == 0 ? "/" : String(decoding: bytes[..<$0], as: UTF8.self) } ?? "."
    guard (try? status(of: directory, followLinks: true))?.isDirectory == true else {
      throw CommandFailure(.cannotCreate, "--result \(resultFile): there is no directory \(directory)")
    }
    // Written by a rename, which would put a file in the place of a device or a link.
    if let about = try? status(of: resultFile), !about.isRegularFile {
      throw CommandFailure(.usage, "--result \(resultFile): there is something that is no regular file")
    }
  }

  /// Goes on with a task whose executor is gone.
  func recover(_ takeover: Takeover) throws(CommandFailure) -> ExitCode {
    let history = takeover.history
    // Who and what was launched is read, not looked up: accounts, images and isolators may have changed meanwhile.
    let record = try history.launched.map { (_) throws(CommandFailure) in try LaunchRecord.load(paths) }
    let identity: Identity
    if let record { identity = record.plan.restrictions.identity } else { identity = try Role.identity(settings.role) }
    var containerizer = try makeContainerizer(history.task, identity, record)
    // Before anything is written: a container that this executor cannot speak with is left as it is.
    var adoption: Adoption?
    if let launched = history.launched, let record {
      do throws(CommandFailure) { adoption = try containerizer.adopt(launched, record) } catch {
        // Decided already: what is left is to take it down.
        guard history.verdict != nil else { throw error }
      }
    }
    try RunDirectory.make(paths, isTakeover: true)
    let journal: Journal
    do throws(Errno) { journal = try Journal(continuing: paths.journal, after: history.journal) } catch {
      throw CommandFailure(.internalError, "cannot continue \(paths.journal): \(error)")
    }
    journal.append("recovered", [], at: Clock.now)
    var context = Context(
      task: history.task, journal: journal, createdAt: history.createdAt, times: history.times, lock: takeover.lock,
      result: try? TaskDirectory.result(paths, processes: history.task.processes.count, durable: !removesRecord))
    context.control = makeControl()
    context.identity = identity
    context.image = containerizer.image
    context.outOfMemoryKills = history.outOfMemoryKills
    (context.notes, context.removedLogs) = (history.notes, history.removedLogs)
    context.containerID = history.launched?["container_id"]?.string
    if let project = history.diskProject, let limit = DiskLimit.bytes(history.task, settings) {
      context.diskQuota = DiskQuota.adopt(project, limit: limit, sandbox: paths.sandbox)
    }
    // Decided, and perhaps already taken down when the executor ended: what is left is to clean up and to say so.
    if let verdict = history.verdict {
      context.machine = history.machine
      var container: (any Container)?
      if case .container(let found) = adoption { container = found }
      return try conclude(
        context, verdict, container: container, containerizer: containerizer, problems: [])
    }
    switch adoption {
    case nil:
      // No process of the task was ever started: the launch is void and is done anew.
      _ = containerizer.removeRemains(keeping: false) + TaskDirectory.removeAside(paths)
      try paths.renewSandbox()
      let started: Started
      do throws(CommandFailure) {
        if containerizer.imageName != nil { try containerizer.provision(until: signals) }
        context.image = containerizer.image
        started = try launch(&context, containerizer)
      } catch {
        return try concludeFailedLaunch(context, error)
      }
      return try supervise(context, newMachine(history.task), started, resuming: false)
    case .gone(let why)?:
      return try lost(context, history, containerizer, why)
    case .container(let container)?:
      publisher.tookOver()
      let started = Started(container: container, containerizer: containerizer)
      return try supervise(context, history.machine, started, resuming: true)
    }
  }

  /// Init is gone. What it wrote down before is told to the machine; the rest cannot be known.
  private func lost(
    _ context: Context, _ history: TaskHistory, _ containerizer: any Containerizer, _ why: String
  ) throws(CommandFailure) -> ExitCode {
    var machine = history.machine
    var events: [TaskEvent] = UnreportedEnds.of(paths, machine).map { exit in
      let outcome: RunOutcome =
        exit.startFailure.map { .cannotStart(reason: $0, hint: exit.startHint) }
        ?? ExitStatus(waitStatus: exit.waitStatus).outcome
      return .ended(process: exit.key.process, run: Int(exit.key.run), outcome)
    }
    events.append(.containerLost(why))
    var verdict: Verdict?
    for event in events {
      let (type, members) = event.journalForm
      context.journal.append(type, members, at: Clock.now)
      for effect in machine.handle(event, at: Clock.now) { if case .finish(let found) = effect { verdict = found } }
    }
    let problems = containerizer.removeRemains(keeping: settings.keepsContainer)
    var context = context
    context.machine = machine
    return try conclude(
      context, verdict ?? Verdict(state: .lost, message: why), container: nil,
      problems: problems)
  }

  private func supervise(_ context: Context, _ machine: TaskMachine, _ started: Started, resuming: Bool)
    throws(CommandFailure) -> ExitCode
  {
    let (container, containerizer) = (started.container, started.containerizer)
    guard let identity = context.identity else { throw CommandFailure(.internalError, "the role is not known") }
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
        : ConsoleFollower(context.task.processes, paths: paths, output: publisher.output, showsAll: follows)
      supervisor = try TaskSupervisor(
        machine: machine, isTakeover: resuming, notes: context.notes, outOfMemoryKills: context.outOfMemoryKills,
        container: container,
        journal: context.journal, paths: paths,
        identity: identity,
        environment: environment, publisher: publisher, follower: follower,
        monitors: try monitors(context, machine, container, isNew: !resuming),
        logKeeper: try LogKeeper(
          LogCeiling(asked: settings.logBytes, disk: DiskLimit.bytes(context.task, settings)), context.task.processes,
          paths, removed: context.removedLogs),
        signals: signals, control: context.control)
    } catch {
      _ = container.destroy()
      _ = containerizer.removeRemains(keeping: settings.keepsContainer)
      throw CommandFailure(.internalError, "cannot watch the container: \(error)")
    }
    if let ending { supervisor.request(ending) }
    let verdict: Verdict
    do throws(CommandFailure) { verdict = try supervisor.run() } catch {
      // A task that nobody can watch is not left to itself.
      (context.machine, context.notes) = (supervisor.machine, supervisor.notes)
      let lost = Verdict(state: .lost, reason: Reason.executorTerminated, message: error.message)
      return try conclude(context, lost, container: container, containerizer: containerizer, problems: [])
    }
    (context.machine, context.notes) = (supervisor.machine, supervisor.notes)
    return try conclude(context, verdict, container: container, containerizer: containerizer, problems: [])
  }

  /// What watches the task beside its processes. One whose end is decided already needs nobody.
  private func monitors(
    _ context: Context, _ machine: TaskMachine, _ container: any Container, isNew: Bool
  ) throws(Errno) -> [any TaskMonitor] {
    let keeper = try RunDirectoryKeeper(paths, container.client, context.control, warn: publisher.warning)
    guard machine.verdict == nil else {
      // Final processes run, or are to.
      try? context.diskQuota?.loosen()
      return [keeper]
    }
    let disk = try DiskLimit.monitor(
      context.task, settings, context.diskQuota, paths, container, isNew: isNew, warn: publisher.note)
    return [keeper] + [disk].compactMap { $0 }
  }

  // MARK: The end

  /// Takes the container down, writes the result, and only then says that the task has ended.
  private func conclude(
    _ context: Context, _ verdict: Verdict, container: (any Container)?,
    containerizer: (any Containerizer)? = nil, problems: [String]
  ) throws(CommandFailure) -> ExitCode {
    let usage = container?.usage() ?? ContainerUsage()
    container?.beginEnd()
    let disk =
      (try? DiskTree.measure(
        paths: [paths.sandbox, container?.writableLayer ?? paths.upper, paths.logs], record: paths.task,
        beside: container?.foreignFiles ?? [], .init(entries: 200_000, depth: 500)
      ))
      .flatMap { $0 }
    // Less than there is would be no figure.
    let diskBytes = disk.flatMap { $0.obstacle == nil ? $0.bytes : nil }
    var verdict = verdict
    if let refused = usage.refusedForks, refused > 0, let limit = usage.pidsLimit {
      verdict.notes.append("the kernel refused \(refused) forks at the limit of \(limit) processes")
    }
    verdict.notes += context.notes + problems
    let machine = context.machine ?? TaskMachine(context.task)
    let finishedAt = Clock.wall
    func text(_ verdict: Verdict) -> [UInt8] {
      let result = TaskResult(
        taskID: paths.taskID, verdict: verdict, containerizer: ContainerizerChoice.name(context.task),
        containerID: container?.foreignID ?? context.containerID, image: context.image, plan: container?.plan,
        role: context.identity, roleName: settings.role, createdAt: context.createdAt, finishedAt: finishedAt,
        ports: context.task.ports, processes: machine.processes, runTimes: context.times, usage: usage,
        diskBytes: diskBytes, policy: settings.policy)
      return Array(result.json.pretty.utf8)
    }
    // Waits for the disk while the container goes. It takes its name when that has gone without a remark.
    var isPrepared = container.map { _ in (try? context.result?.fill(text(verdict))) != nil } ?? false
    var remarks: [String] = []
    if let container {
      remarks = container.destroy()
    } else if let containerizer {
      remarks = containerizer.removeRemains(keeping: settings.keepsContainer)
    }
    do throws(Errno) { try context.diskQuota?.lift() } catch {
      remarks.append("the limit of the disk's project \(context.diskQuota?.project ?? 0) stays: \(error)")
    }
    try? RunDirectory.remove(paths, keepsMounts: settings.keepsContainer)
    if assertsClean {
      remarks += TaskDirectory.removeAside(paths)
      remarks += Residue.of(paths).map { "left behind: \($0)" }
    }
    let isUnclean = assertsClean && !(problems + remarks).isEmpty
    if let about = try? status(of: paths.initLog), about.size == 0 { try? removeFile(paths.initLog) }
    if !remarks.isEmpty {
      verdict.notes += remarks
      isPrepared = false
    }
    // Each by itself: where one cannot be written, the others can be.
    var unwritten: [String] = []
    func write(_ what: String, _ body: () throws(Errno) -> Void) {
      do throws(Errno) { try body() } catch { unwritten.append("\(what): \(error)") }
    }
    write(paths.journal) { () throws(Errno) in try context.journal.finish(verdict, at: Clock.now) }
    // The durable record of the end: whoever finds it asks the journal nothing more, so that needs no sync.
    write(paths.result) { () throws(Errno) in
      let file =
        if let reserved = context.result { reserved } else {
          try TaskDirectory.result(paths, processes: 0, durable: !removesRecord)
        }
      if !isPrepared { try file.fill(text(verdict)) }
      try file.takePlace()
      // Nobody goes on with it any more.
      try? removeFile(paths.launchRecord)
    }
    if let resultFile { write(resultFile) { () throws(Errno) in try self.write(text(verdict), to: resultFile) } }
    publisher.update(verdict.state, reason: verdict.reason, message: verdict.message)
    for note in verdict.notes { publisher.note("note: \(note)") }
    for what in unwritten { publisher.warning("cannot write \(what)") }
    if !removesRecord {
      let hasResult = (try? status(of: paths.result)) != nil
      publisher.note((hasResult ? "result \(paths.result)\n" : "") + "logs   \(paths.logs)")
    }
    // The end is written and told: whoever waits for it waits no longer, however much there is to remove.
    context.control?.close()
    for remark in TaskDirectory.removeAside(paths) { publisher.warning(remark) }
    if isUnclean { return .residue }
    return switch verdict.state {
    case .finished: .finished
    case .killed: .killed
    case .lost: .lost
    default: .failed
    }
  }

  // MARK: Parts

  /// A task runs without it, too, where it cannot be had.
  private func makeControl() -> ControlServer? {
    do throws(Errno) { return try ControlServer(paths) } catch {
      publisher.warning("`stop` and `kill` cannot reach this executor: \(paths.executorSocket): \(error)")
      return nil
    }
  }

  private struct Context {
    let task: TaskSpecification
    let journal: Journal
    let createdAt: UInt64
    let times: RunTimes
    let lock: TaskLock
    /// Where the result is to be written; `nil` where no room could be had for it beforehand.
    let result: PreparedFile?
    var identity: Identity?
    var image: ProvisionedImage?
    var machine: TaskMachine?
    var outOfMemoryKills: UInt64 = 0
    var diskQuota: DiskQuota?
    /// Of a container that was there when another executor ran the task.
    var containerID: String?
    /// What could not be written down of the task while it ran.
    var notes: [String] = []
    /// Runs whose logs another executor has removed.
    var removedLogs: [RunReference] = []
    /// Where others ask for what is to be done about the task.
    var control: ControlServer?
    /// What a launch that failed has left behind.
    var problems: [String] = []
  }

  private func begin(_ document: DocumentLoader, _ task: TaskSpecification, _ times: RunTimes) throws(CommandFailure)
    -> TaskDirectory.Made
  {
    // Whoever sweeps leaves alone what a task may have that is there and has no result: so that comes first.
    let made: TaskDirectory.Made
    do throws(Errno) {
      made = try TaskDirectory.make(
        paths, document: document.bytes,
        created: [
          ("task_id", JSON(paths.taskID)), ("boot_wall", JSON(times.boot)), ("settings", settings.json),
          ("executor", CurrentProcess.executable.map { JSON($0) }), ("run_directory", JSON(paths.runDirectory)),
        ], processes: task.processes.count, durable: !removesRecord)
    } catch {
      let hint = error.code == EACCES || error.code == EROFS ? "choose another place with --work-dir" : nil
      throw CommandFailure(.cannotCreate, "cannot make the task's directory \(paths.task): \(error)", hint: hint)
    }
    do throws(CommandFailure) { try RunDirectory.make(paths) } catch {
      // Nothing was begun, and nothing is to be recovered.
      try? TaskDirectory.remove(paths, made.lock)
      throw error
    }
    return made
  }

  /// Without root a process can only be who the executor is.
  private func checkUser(_ identity: Identity) throws(CommandFailure) {
    let own = CurrentProcess.effectiveUser
    guard own == 0 || own == identity.uid else {
      throw CommandFailure(
        .needsPrivileges, "running as \(identity.name) (uid \(identity.uid)) needs root; this is uid \(own)",
        hint: "run with sudo, or with --role of your own user")
    }
  }

  /// - Parameter record: what was launched, where it was: with the isolators that were used, whatever is asked for by now.
  private func makeContainerizer(_ task: TaskSpecification, _ identity: Identity, _ record: LaunchRecord?)
    throws(CommandFailure) -> any Containerizer
  {
    var settings = settings
    if let record { settings.isolation = record.plan.isolators.filter(BuiltInIsolators.names.contains) }
    return try ContainerizerChoice.make(task, identity, settings, paths)
  }

  private func publish(_ context: Context, _ state: TaskState, message: String?) {
    context.journal.append(
      "update", [("state", JSON(state.rawValue)), ("message", message.map { JSON($0) })], at: Clock.now)
    publisher.update(state, reason: nil, message: message)
  }

  /// `--result`: nobody else's to read, unless the operator has put a file there whose mode says so.
  private func write(_ result: [UInt8], to path: String) throws(Errno) {
    let mode = (try? status(of: path))?.permissions ?? 0o600
    try writeFileAtomically(path, result, mode: mode & 0o666, durable: true)
  }

  private func writePlan(_ plan: LaunchPlan) {
    try? writeFileAtomically(paths.plan, Array(PlanReport(plan).json.pretty.utf8), mode: 0o600)
  }
}

extension ExitStatus {
  /// The same in the task model's terms.
  var outcome: RunOutcome {
    switch self {
    case .exited(let code): .exited(code)
    case .signaled(let signal): .signaled(signal)
    }
  }
}
