import Glibc
import LinuxKernel
import StrictJSON
import TaskModel

/// What the journal and the document of a task say: enough to show it, and to go on with it.
package struct TaskHistory {
  package let paths: TaskPaths
  package let journal: JournalContents
  package let settings: RunSettings
  package let task: TaskSpecification
  /// The machine after every recorded event.
  package let machine: TaskMachine
  package let createdAt: UInt64
  package let times: RunTimes
  /// Kills of the OOM killer that recorded ends account for.
  package let outOfMemoryKills: UInt64
  /// What was noted for the result.
  package let notes: [String]
  /// Runs whose logs were removed for those of others.
  package let removedLogs: [RunReference]
  /// What the launch wrote down about the container; `nil` when there was none.
  package let launched: JSON?
  /// The project id that the task's disk is charged to.
  package let diskProject: UInt32?

  /// Reads and replays. `notFound` when there is no such task.
  package init(_ paths: TaskPaths) throws(ExecutorFailure) {
    self.paths = paths
    let bytes: [UInt8]
    do throws(Errno) {
      journal = try JournalContents(reading: paths.journal)
      bytes = try readRegularFile(paths.document, limit: 5 << 20)
    } catch {
      if error.code == ENOENT {
        throw ExecutorFailure(
          .notFound, "there is no task \(paths.taskID) in \(paths.workDirectory)",
          hint: "`aurora-executor ps` lists them")
      }
      throw ExecutorFailure(.internalError, "cannot read the task \(paths.taskID): \(error)")
    }
    guard let created = journal.records.first, created.type == "created",
      let settings = created.json["settings"].flatMap({ RunSettings(json: $0) })
    else {
      throw ExecutorFailure(
        .internalError, "the journal \(paths.journal) does not say how the task was started; nothing is done about it")
    }
    self.settings = settings
    let (document, _) = TaskDocument.decode(bytes)
    guard let document else { throw ExecutorFailure(.internalError, "\(paths.document) cannot be read any more") }
    let (specification, faults) = document.bind(TaskBindings.make(settings, taskID: paths.taskID, document))
    guard let bound = specification?.withImageCommand, !faults.contains(where: { $0.severity == .error }) else {
      let first = faults.first { $0.severity == .error }?.description ?? "nothing of it can be made a task"
      throw ExecutorFailure(.invalidDocument, "\(paths.document) is no task any more: \(first)")
    }
    task = settings.policy?.applied(to: bound) ?? bound
    var machine = TaskMachine(task, maxRuns: settings.maxRuns, waitsForStrays: true)
    var launched: JSON?
    var project: UInt32?
    var kills: UInt64 = 0
    for record in journal.records {
      if record.type == "launched" { launched = record.json }
      if record.type == "disk_quota" { project = record.json["project"]?.integer.flatMap { UInt32(exactly: $0) } }
      kills = max(kills, UInt64(clamping: record.json["oom_kills"]?.integer ?? 0))
      if let event = TaskEvent(journal: record) { _ = machine.handle(event, at: record.boot) }
    }
    self.machine = machine
    self.launched = launched
    diskProject = project
    outOfMemoryKills = kills
    notes = journal.records.compactMap { $0.type == "note" ? $0.json["text"]?.string : nil }
    removedLogs = journal.records.compactMap { record in
      guard record.type == "logs_removed", let process = record.json["process"]?.string,
        let run = record.json["run"]?.integer
      else { return nil }
      return RunReference(process: process, run: Int(clamping: run))
    }
    times = created.json["boot_wall"]?.integer.map { RunTimes(boot: UInt64(clamping: $0)) } ?? RunTimes()
    createdAt = times.wall(created.boot)
  }

  /// How the task ended, where that was decided: by the machine, or by an executor that could not write down all that happened.
  package var verdict: Verdict? {
    machine.phase == .terminal ? machine.verdict : journal.finished.flatMap { Verdict(result: $0.json) }
  }
}

extension JournalContents {
  /// The record of the task's end.
  package var finished: Record? { records.last { $0.type == "finished" } }

  /// The last published state, with its reason, its message and what may help.
  package var lastUpdate: (state: String, reason: String?, message: String?, hint: String?) {
    guard let update = records.last(where: { $0.type == "update" || $0.type == "finished" })?.json else {
      return (TaskState.staging.rawValue, nil, nil, nil)
    }
    return (
      update["state"]?.string ?? "", update["reason"]?.string, update["message"]?.string, update["hint"]?.string
    )
  }
}

/// The template bindings of a run.
package enum TaskBindings {
  package static func make(_ settings: RunSettings, taskID: String, _ document: TaskDocument) -> Bindings {
    Bindings(
      taskID: taskID, role: settings.role, instance: settings.instance ?? document.instance ?? 0,
      hostname: settings.hostname, ports: settings.ports, custom: settings.bindings.map { ($0[0], $0[1]) })
  }
}

extension TaskSpecification {
  /// A task without processes runs the image's own command as one process, named as the task.
  package var withImageCommand: TaskSpecification {
    guard processes.isEmpty else { return self }
    var task = self
    task.processes = [ProcessDefinition(name: name, command: nil)]
    return task
  }
}
