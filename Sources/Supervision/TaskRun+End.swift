import Containers
import DiskUsage
import Glibc
import LaunchModel
import LinuxKernel
import StrictJSON
import TaskModel
import TaskStore

extension TaskRun {
  /// Takes the container down, writes the result, and only then says that the task has ended.
  package func conclude(
    _ context: Context, _ verdict: Verdict, container: (any Container)?,
    containerizer: (any Containerizer)? = nil, problems: [String]
  ) throws(ExecutorFailure) -> TaskEnd {
    let usage = container?.usage() ?? ContainerUsage()
    container?.beginEnd()
    let isTold = !removesRecord || resultFile != nil
    let disk =
      isTold
      ? (try? DiskTree.measure(
        paths: [paths.sandbox, container?.writableLayer ?? paths.upper, paths.logs], record: paths.task,
        beside: container?.foreignFiles ?? [], .init(entries: 200_000, depth: 500)
      )).flatMap { $0 } : nil
    // Less than there is would be no figure.
    let diskBytes = disk.flatMap { $0.obstacle == nil ? $0.bytes : nil }
    var verdict = verdict
    if let refused = usage.refusedForks, refused > 0, let limit = usage.pidsLimit {
      verdict.notes.append("the kernel refused \(refused) forks at the limit of \(limit) processes")
    }
    verdict.notes += context.notes + problems
    let machine = context.machine ?? TaskMachine(context.task)
    let finishedAt = context.finishedAt ?? Clock.wall
    func text(_ verdict: Verdict, _ processes: [ProcessRecord]? = nil) -> [UInt8] {
      let result = TaskResult(
        taskID: paths.taskID, verdict: verdict, containerizer: context.task.containerizer,
        containerID: container?.foreignID ?? context.containerID, image: context.image, plan: container?.plan,
        role: context.identity, roleName: settings.role, createdAt: context.createdAt, finishedAt: finishedAt,
        ports: context.task.ports, processes: processes ?? machine.processes, runTimes: context.times, usage: usage,
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
    do throws(Errno) { try context.runDirectory.remove(keepsMounts: settings.keepsContainer) } catch {
      remarks.append("cannot remove \(paths.run): \(error)")
    }
    if assertsClean {
      remarks += TaskDirectory.removeAside(paths)
      remarks += Residue.of(paths, hasRunDirectory: context.runDirectory.isInPlace).map { "left behind: \($0)" }
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
    write(paths.journal) { () throws(Errno) in
      try context.journal.finish(verdict, at: Clock.now, freesRoom: !removesRecord)
    }
    // The durable record of the end: whoever finds it asks the journal nothing more, so that needs no sync.
    if !removesRecord {
      write(paths.result) { () throws(Errno) in
        let file = if let reserved = context.result { reserved } else { try TaskDirectory.result(paths, processes: 0) }
        let isWhole = try isPrepared ? true : file.takes(text(verdict))
        if !isWhole {
          // How the task ended is worth more than how often it tried.
          verdict.notes.append("the disk had no room for the runs before the last of each process: they are left out")
          try file.fill(text(verdict, machine.processes.map(\.withLastRunOnly)))
        }
        try file.takePlace()
        // Nobody goes on with it any more.
        try? removeFile(paths.launchRecord)
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
    context.control?.close()
    for remark in TaskDirectory.removeAside(paths) + (rest.map(TaskDirectory.removeRest) ?? []) {
      publisher.warning(remark)
    }
    return TaskEnd(state: verdict.state, isUnclean: isUnclean)
  }

  /// `--result`: nobody else's to read, unless the operator has put a file there whose mode says so.
  private func write(_ result: [UInt8], to path: String) throws(Errno) {
    let before = try? status(of: path)
    let isOurs = before?.isRegularFile == true && before?.uid == CurrentProcess.effectiveUser && before?.links == 1
    let mode = isOurs ? before?.permissions ?? 0 : 0o600
    try writeFileAtomically(path, result, mode: mode & 0o666, durable: true)
  }
}
