import Containers
import DiskUsage
import Glibc
import LaunchModel
import LinuxKernel
import StrictJSON
import TaskModel
import TaskStore

extension TaskRun {
  /// Root missing, or an engine that is not there, says nothing about the task: so the failure is told beside its end.
  func conclude(_ attempt: Attempt, _ error: ExecutorFailure) throws(ExecutorFailure) -> TaskEnd {
    let isStopped = error.kind == .stopped
    let verdict = Verdict(
      state: isStopped ? .killed : .failed, reason: isStopped ? nil : Reason.launchFailed, message: error.message,
      hint: error.hint, stopOrigin: isStopped ? .signal : nil)
    let prepared = attempt.reached.prepared
    var end = try conclude(
      Ended(
        reached: attempt.reached, machine: TaskMachine(prepared.task), verdict: verdict, notes: prepared.past.notes,
        problems: attempt.problems))
    end.launchFailure = error
    return end
  }

  /// Takes the container down, writes the result, and only then says that the task has ended.
  func conclude(_ ended: Ended) throws(ExecutorFailure) -> TaskEnd {
    let (prepared, container) = (ended.prepared, ended.container)
    let usage = container?.usage() ?? ContainerUsage()
    container?.beginEnd()
    let isTold = !removesRecord || resultFile != nil
    let disk =
      isTold
      ? bestEffort("measure what the task has on the disk") {
        try DiskTree.measure(
          paths: [paths.sandbox, container?.writableLayer ?? paths.upper, paths.logs], record: paths.task,
          beside: container?.foreignFiles ?? [], .init(entries: 200_000, depth: 500, names: 64 << 20))
      }.flatMap { $0 } : nil
    // Less than there is would be no figure.
    let diskBytes = disk.flatMap { $0.obstacle == nil ? $0.sparing(container?.plan.copiedRoot).bytes : nil }
    var verdict = ended.verdict
    if let refused = usage.refusedForks, refused > 0, let limit = usage.pidsLimit {
      verdict.notes.append("the kernel refused \(refused) forks at the limit of \(limit) processes")
    }
    verdict.notes += ended.notes + ended.problems
    // One instant for the result and the journal: a result that is written anew says the same.
    let end = Clock.now
    let finishedAt = prepared.past.finishedAt ?? prepared.times.wall(end)
    func text(_ verdict: Verdict, _ processes: [ProcessRecord]? = nil) -> [UInt8] {
      let result = TaskResult(
        taskID: paths.taskID, verdict: verdict, containerizer: prepared.task.containerizer,
        containerID: container?.engineContainerID ?? prepared.past.containerID, image: ended.reached.image,
        plan: container?.plan, role: ended.reached.identity, roleName: settings.role, createdAt: prepared.createdAt,
        finishedAt: finishedAt, ports: prepared.task.ports, processes: processes ?? ended.machine.processes,
        runTimes: prepared.times, usage: usage,
        diskBytes: diskBytes, policy: settings.policy)
      return Array(result.json.pretty.utf8)
    }
    // Waits for the disk while the container goes. It takes its name when that has gone without a remark.
    var isPrepared = container.map { _ in (try? prepared.result?.fill(text(verdict))) != nil } ?? false
    var remarks: [String] =
      switch ended.remains {
      case .nothing: []
      case .container(let container): container.destroy()
      case .unknown(let containerizer): containerizer.removeRemains(keeping: settings.keepsContainer)
      }
    if let quota = ended.reached.quota { remarks += lift(quota) }
    do throws(Errno) { try prepared.runDirectory.remove(keepsMounts: settings.keepsContainer) } catch {
      remarks.append("cannot remove \(paths.run): \(error)")
    }
    if assertsClean {
      remarks += TaskDirectory.removeAside(paths)
      remarks += Residue.of(paths, hasRunDirectory: prepared.runDirectory.isInPlace).map { "left behind: \($0)" }
    }
    let isUnclean = assertsClean && !(ended.problems + remarks).isEmpty
    if let about = try? status(of: paths.initLog), about.size == 0 {
      bestEffort("remove \(paths.initLog), which is empty") { try removeFile(paths.initLog) }
    }
    if !remarks.isEmpty {
      verdict.notes += remarks
      isPrepared = false
    }
    // Each by itself: where one cannot be written, the others can be.
    var unwritten: [String] = []
    func write(_ what: String, _ body: () throws(Errno) -> Void) {
      do throws(Errno) { try body() } catch { unwritten.append("\(what): \(error)") }
    }
    write(paths.journal) { () throws(Errno) in
      try prepared.journal.finish(verdict, at: end, freesRoom: !removesRecord)
    }
    // The durable record of the end: whoever finds it asks the journal nothing more, so that needs no sync.
    if !removesRecord {
      write(paths.result) { () throws(Errno) in
        let file = if let reserved = prepared.result { reserved } else { try TaskDirectory.result(paths, processes: 0) }
        let isWhole = try isPrepared ? true : file.takes(text(verdict))
        if !isWhole {
          // How the task ended is worth more than how often it tried.
          verdict.notes.append("the disk had no room for the runs before the last of each process: they are left out")
          try file.fill(text(verdict, ended.machine.processes.map(\.withLastRunOnly)))
        }
        try file.takePlace()
        // Nobody goes on with it any more.
        bestEffort("remove \(paths.launchRecord)", tolerating: ENOENT) { try removeFile(paths.launchRecord) }
      }
    }
    if let resultFile { write(resultFile) { () throws(Errno) in try self.write(text(verdict), to: resultFile) } }
    publisher.update(verdict.state, reason: verdict.reason, message: verdict.message, hint: verdict.hint)
    for note in verdict.notes { publisher.note("note: \(note)") }
    for what in unwritten { publisher.warning("cannot write \(what)") }
    if !removesRecord {
      let hasResult = (try? status(of: paths.result)) != nil
      publisher.note((hasResult ? "result \(paths.result)\n" : "") + "logs   \(paths.logs)")
    }
    var rest: String?
    if removesRecord {
      do throws(Errno) { rest = try TaskDirectory.putAside(paths) } catch {
        publisher.warning("cannot remove \(paths.task): \(error)")
      }
    }
    // The end is written and told: whoever waits for it waits no longer, however much there is to remove.
    prepared.control?.close()
    for remark in TaskDirectory.removeAside(paths) + (rest.map(TaskDirectory.removeRest) ?? []) {
      publisher.warning(remark)
    }
    return TaskEnd(state: verdict.state, reason: verdict.reason, isUnclean: isUnclean)
  }

  /// Returns what went wrong.
  func lift(_ quota: DiskQuota) -> [String] {
    do throws(Errno) {
      try quota.lift()
      return []
    } catch {
      return ["the limit of the disk's project \(quota.project) stays: \(error)"]
    }
  }

  /// `--result`: nobody else's to read, unless the operator has put a file there whose mode says so.
  private func write(_ result: [UInt8], to path: String) throws(Errno) {
    let before = try? status(of: path)
    let isOurs = before?.isRegularFile == true && before?.uid == CurrentProcess.effectiveUser && before?.links == 1
    let mode = isOurs ? before?.permissions ?? 0 : 0o600
    try writeFileAtomically(path, result, mode: mode & 0o666, durable: true)
  }
}
