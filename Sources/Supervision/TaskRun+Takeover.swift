import Containers
import DiskUsage
import LaunchModel
import LinuxKernel
import TaskModel
import TaskStore

/// The parts of `recover`.
extension TaskRun {
  /// The container that was launched, as it is now; `nil` where none was.
  func adopt(_ history: TaskHistory, _ record: LaunchRecord?, _ containerizer: inout any Containerizer)
    throws(ExecutorFailure) -> Adoption?
  {
    guard let launched = history.launched, let record else { return nil }
    do throws(ExecutorFailure) { return try containerizer.adopt(launched, record) } catch {
      // Decided already: what is left is to take it down.
      guard history.verdict != nil else { throw error }
      return nil
    }
  }

  /// The task's directories and journal, which another executor made.
  func prepare(_ takeover: Takeover) throws(ExecutorFailure) -> Prepared {
    let history = takeover.history
    let runDirectory = try RunDirectory.make(paths, isTakeover: true)
    let journal: Journal
    do throws(Errno) { journal = try Journal(continuing: paths.journal, after: history.journal) } catch {
      throw ExecutorFailure(.internalError, "cannot continue \(paths.journal): \(error)")
    }
    journal.append("recovered", [], at: Clock.now)
    publisher.note("took over: \(history.machine.summary)")
    return Prepared(
      task: history.task, journal: journal, createdAt: history.createdAt, times: history.times, lock: takeover.lock,
      runDirectory: runDirectory,
      result: removesRecord
        ? nil
        : bestEffort("keep room for \(paths.result)") {
          try TaskDirectory.result(paths, processes: history.task.processes.count)
        },
      control: makeControl(), past: Prepared.Past(history))
  }

  /// What the task's disk is charged to already.
  func quota(of history: TaskHistory) -> DiskQuota? {
    guard let project = history.diskProject, let limit = DiskLimit.bytes(history.task, settings) else { return nil }
    return DiskQuota.adopt(project, limit: limit, sandbox: paths.sandbox)
  }

  /// No process of the task was ever started: the launch is void and is done anew.
  func relaunch(_ identified: Identified, _ containerizer: any Containerizer, _ former: DiskQuota?)
    throws(ExecutorFailure) -> TaskEnd
  {
    var attempt = Attempt(reached: .identified(identified))
    attempt.problems += containerizer.removeRemains(keeping: false) + TaskDirectory.removeAside(paths)
    if let former { attempt.problems += lift(former) }
    try paths.renewSandbox()
    let launched: Launched
    do throws(ExecutorFailure) {
      let provisioned = try provision(identified, containerizer, tells: false, &attempt)
      launched = try launch(provisioned, &attempt)
    } catch {
      return try conclude(attempt, error)
    }
    return try supervise(launched, newMachine(identified.prepared.task))
  }

  /// Init is gone. What it wrote down before is told to the machine; the rest cannot be known.
  func lose(_ provisioned: Provisioned, _ machine: TaskMachine, _ why: String) throws(ExecutorFailure) -> TaskEnd {
    var machine = machine
    var events: [TaskEvent] = UnreportedEnds.of(paths, machine).map { exit in
      let outcome = exit.startFailure?.outcome ?? ExitStatus(waitStatus: exit.waitStatus).outcome
      return .ended(process: exit.key.process, run: Int(exit.key.run), outcome)
    }
    events.append(.containerLost(why))
    var verdict: Verdict?
    for event in events {
      let (type, members) = event.journalForm
      provisioned.prepared.journal.append(type, members, at: Clock.now)
      for effect in machine.handle(event, at: Clock.now) { if case .finish(let found) = effect { verdict = found } }
    }
    let problems = provisioned.containerizer.removeRemains(keeping: settings.keepsContainer)
    return try conclude(
      Ended(
        reached: .provisioned(provisioned), machine: machine, verdict: verdict ?? Verdict(state: .lost, message: why),
        notes: provisioned.prepared.past.notes, problems: problems))
  }
}

extension Prepared.Past {
  fileprivate init(_ history: TaskHistory) {
    self.init(
      notes: history.notes, outOfMemoryKills: history.outOfMemoryKills, removedLogs: history.removedLogs,
      containerID: history.launched?["container_id"]?.string)
    // Decided, and perhaps already taken down when the executor ended.
    guard history.verdict != nil, let finished = history.journal.finished else { return }
    finishedAt = history.times.wall(finished.boot)
    if let count = finished.json["unwritten"]?.integer {
      notes.append("what happened last could not be written down (\(count) records), and is not told of")
    }
  }
}
