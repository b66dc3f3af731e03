import Containers
import LinuxKernel
import StrictJSON
import TaskModel
import TaskStore

extension TaskRun {
  /// Watches over a container to the task's end.
  ///
  /// - Parameter isTakeover: whether another executor launched it: then something of the task may have run.
  func supervise(_ launched: Launched, _ machine: TaskMachine, isTakeover: Bool = false) throws(ExecutorFailure)
    -> TaskEnd
  {
    let container = launched.container
    var machine = machine
    if let signal = container.plan.imageStopSignal { machine.useStopSignal(signal) }
    let supervisor: TaskSupervisor
    do throws(Errno) { supervisor = try self.supervisor(launched, machine, isTakeover: isTakeover) } catch {
      let why = "cannot watch the container: \(error)"
      // It runs on, and another executor can take it over.
      guard !isTakeover else { throw ExecutorFailure(.internalError, why, hint: "nothing was done about the task") }
      let problems = container.destroy() + launched.containerizer.removeRemains(keeping: settings.keepsContainer)
      return try conclude(
        Attempt(reached: .provisioned(launched.provisioned), problems: problems), ExecutorFailure(.internalError, why))
    }
    if let ending { supervisor.request(ending) }
    let verdict: Verdict
    do throws(ExecutorFailure) { verdict = try supervisor.run() } catch {
      // A task that nobody can watch is not left to itself.
      verdict = Verdict(state: .lost, reason: Reason.executorTerminated, message: error.message, hint: error.hint)
    }
    return try conclude(
      Ended(
        reached: .launched(launched), machine: supervisor.machine, verdict: verdict, remains: .container(container),
        notes: supervisor.notes))
  }

  private func supervisor(_ launched: Launched, _ machine: TaskMachine, isTakeover: Bool) throws(Errno)
    -> TaskSupervisor
  {
    let (prepared, container) = (launched.prepared, launched.container)
    let identity = launched.provisioned.identified.identity
    let environment = ProcessEnvironment(
      taskID: paths.taskID, identity: identity, sandbox: container.plan.sandbox,
      hasImage: launched.containerizer.imageName != nil,
      outcome: OutcomeFile(paths: paths, times: prepared.times, directory: container.logsDirectory))
    // A detached executor shows nothing: its standard error is `executor.log`, its own word, which nobody bounds.
    let follower =
      isDetached
      ? nil
      : ConsoleFollower(
        prepared.task.processes, paths: paths, prepared.runDirectory, output: publisher.output, showsAll: follows)
    let logKeeper = try LogKeeper(
      LogCeiling(asked: settings.logBytes, disk: DiskLimit.bytes(prepared.task, settings)), prepared.task.processes,
      paths, removed: prepared.past.removedLogs)
    let standstill = try Standstill()
    return try TaskSupervisor(
      machine: machine, isTakeover: isTakeover, notes: prepared.past.notes,
      outOfMemoryKills: prepared.past.outOfMemoryKills, container: container, journal: prepared.journal, paths: paths,
      runDirectory: prepared.runDirectory, identity: identity, environment: environment, publisher: publisher,
      follower: follower, standstill: standstill,
      monitors: try monitors(launched, machine, standstill, isNew: !isTakeover),
      logKeeper: logKeeper, signals: signals, control: prepared.control, timeouts: timeouts)
  }

  /// What watches the task beside its processes. One whose end is decided already needs nobody.
  private func monitors(_ launched: Launched, _ machine: TaskMachine, _ standstill: Standstill, isNew: Bool)
    throws(Errno) -> [any TaskMonitor]
  {
    let (prepared, container, quota) = (launched.prepared, launched.container, launched.provisioned.quota)
    // An executor before this one may have ended while it held the task.
    if !isNew { container.thaw() }
    let keeper = try RunDirectoryKeeper(
      paths, prepared.runDirectory, container.client, prepared.control, warn: publisher.warning)
    guard machine.verdict == nil else {
      // Final processes run, or are to.
      if let quota {
        bestEffort("loosen the limit of the disk's project \(quota.project)") { try quota.loosen() }
      }
      return [keeper]
    }
    let disk = try DiskLimit.monitor(
      prepared.task, settings, quota, paths, container, standstill, isNew: isNew, warn: publisher.note)
    return [keeper] + [disk].compactMap { $0 }
  }
}
