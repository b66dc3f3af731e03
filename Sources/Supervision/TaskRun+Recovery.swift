import Containers
import DiskUsage
import LaunchModel
import LinuxKernel
import TaskModel
import TaskStore

extension TaskRun {
  /// Goes on with a task whose executor is gone.
  package func recover(_ takeover: Takeover) throws(ExecutorFailure) -> TaskEnd {
    let history = takeover.history
    // Who and what was launched is read, not looked up: accounts, images and isolators may have changed meanwhile.
    let record = try history.launched.map { (_) throws(ExecutorFailure) in try LaunchRecord.load(paths) }
    let identity: Identity
    if let record { identity = record.plan.restrictions.identity } else { identity = try Role.identity(settings.role) }
    var containerizer = try makeContainerizer(history.task, identity, record)
    // Before anything is written: a container that this executor cannot speak with is left as it is.
    var adoption: Adoption?
    if let launched = history.launched, let record {
      do throws(ExecutorFailure) { adoption = try containerizer.adopt(launched, record) } catch {
        // Decided already: what is left is to take it down.
        guard history.verdict != nil else { throw error }
      }
    }
    let runDirectory = try RunDirectory.make(paths, isTakeover: true)
    let journal: Journal
    do throws(Errno) { journal = try Journal(continuing: paths.journal, after: history.journal) } catch {
      throw ExecutorFailure(.internalError, "cannot continue \(paths.journal): \(error)")
    }
    journal.append("recovered", [], at: Clock.now)
    publisher.note("took over: \(history.machine.summary)")
    var context = Context(
      task: history.task, journal: journal, createdAt: history.createdAt, times: history.times, lock: takeover.lock,
      runDirectory: runDirectory,
      result: removesRecord ? nil : try? TaskDirectory.result(paths, processes: history.task.processes.count))
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
      if let finished = history.journal.finished {
        context.finishedAt = history.times.wall(finished.boot)
        if let count = finished.json["unwritten"]?.integer {
          context.notes.append("what happened last could not be written down (\(count) records), and is not told of")
        }
      }
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
      do throws(ExecutorFailure) {
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
  ) throws(ExecutorFailure) -> TaskEnd {
    var machine = history.machine
    var events: [TaskEvent] = UnreportedEnds.of(paths, machine).map { exit in
      let outcome = exit.startFailure?.outcome ?? ExitStatus(waitStatus: exit.waitStatus).outcome
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
}
