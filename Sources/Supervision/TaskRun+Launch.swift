import Containers
import DiskUsage
import Glibc
import Isolators
import LaunchModel
import LinuxKernel
import StrictJSON
import TaskModel
import TaskStore

/// From a document to a container whose init answers.
extension TaskRun {
  /// `--result` is looked at before anything runs: a task whose result has nowhere to go is not begun.
  func checkResultFile() throws(ExecutorFailure) {
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

  // MARK: Prepare

  /// Makes the task. From then on it is there for everybody, and has an end that is written down.
  func prepare(_ document: [UInt8], _ task: TaskSpecification, createdAt: UInt64) throws(ExecutorFailure) -> Prepared {
    let times = RunTimes()
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
    let runDirectory: HeldRunDirectory
    do throws(ExecutorFailure) { runDirectory = try RunDirectory.make(paths) } catch {
      // Nothing was begun, and nothing is to be recovered.
      bestEffort("remove \(paths.task)") { try TaskDirectory.remove(paths, made.lock) }
      throw error
    }
    return Prepared(
      task: task, journal: made.journal, createdAt: createdAt, times: times, lock: made.lock,
      runDirectory: runDirectory, result: made.result, control: makeControl(), past: Prepared.Past())
  }

  /// A task runs without it, too, where it cannot be had.
  func makeControl() -> ControlServer? {
    do throws(Errno) { return try ControlServer(paths) } catch {
      publisher.warning("`stop` and `kill` cannot reach this executor: \(paths.executorSocket): \(error)")
      return nil
    }
  }

  // MARK: Identify

  func identify(_ prepared: Prepared, _ role: Result<Identity, ExecutorFailure>, _ attempt: inout Attempt)
    throws(ExecutorFailure) -> Identified
  {
    let identified = Identified(prepared: prepared, identity: try role.get())
    attempt.reached = .identified(identified)
    try checkUser(identified.identity)
    return identified
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
  func containerizer(_ task: TaskSpecification, _ identity: Identity, _ record: LaunchRecord?)
    throws(ExecutorFailure) -> any Containerizer
  {
    var settings = settings
    if let record { settings.isolation = record.plan.isolators.filter(BuiltInIsolators.names.contains) }
    return try launcher.containerizer(task, identity, settings, paths)
  }

  // MARK: Provision

  /// - Parameter tells: whether the state TASK_STAGING is told of.
  func provision(
    _ identified: Identified, _ containerizer: any Containerizer, tells: Bool, _ attempt: inout Attempt
  ) throws(ExecutorFailure) -> Provisioned {
    var containerizer = containerizer
    let prepared = identified.prepared
    if let image = containerizer.imageName {
      if tells { publish(prepared, .staging, message: "image \(image)") }
      do throws(ExecutorFailure) { try containerizer.provision(until: signals) } catch {
        attempt.problems += containerizer.abandon()
        throw error
      }
    }
    let provisioned = Provisioned(
      identified: identified, containerizer: containerizer, quota: charge(prepared, containerizer))
    attempt.reached = .provisioned(provisioned)
    return provisioned
  }

  private func publish(_ prepared: Prepared, _ state: TaskState, message: String?) {
    prepared.journal.append(
      "update", [("state", JSON(state.rawValue)), ("message", message.map { JSON($0) })], at: Clock.now)
    publisher.update(state, reason: nil, message: message)
  }

  /// A quota for the task's disk, where that is possible; it is measured where it is not.
  private func charge(_ prepared: Prepared, _ containerizer: any Containerizer) -> DiskQuota? {
    guard let limit = DiskLimit.bytes(prepared.task, settings) else { return nil }
    let quota: DiskQuota?
    do throws(Errno) { quota = try DiskQuota.establish(limit: limit, containerizer.quotaDirectories) } catch {
      publisher.note("warning: the task's disk is measured, it cannot have a quota: \(error)")
      return nil
    }
    if let quota { prepared.journal.append("disk_quota", [("project", JSON(quota.project))], at: Clock.now) }
    return quota
  }

  // MARK: Launch

  func launch(_ provisioned: Provisioned, _ attempt: inout Attempt) throws(ExecutorFailure) -> Launched {
    let (prepared, containerizer) = (provisioned.prepared, provisioned.containerizer)
    // An image may have been fetched for hours.
    do throws(Errno) { try prepared.runDirectory.require() } catch {
      throw ExecutorFailure(.cannotCreate, "\(paths.run): \(error)", hint: "somebody has removed it meanwhile")
    }
    // After a launch that fails what it made is removed, and nothing else: what is there may be somebody else's.
    let container: any Container
    do throws(ExecutorFailure) { container = try containerizer.launch(until: signals) } catch {
      attempt.problems += containerizer.abandon()
      throw error
    }
    do throws(ExecutorFailure) { try record(container, provisioned) } catch {
      attempt.problems += container.destroy()
      throw error
    }
    for (reason, leftOut) in Dictionary(grouping: container.plan.leftOut, by: \.reason).sorted(by: { $0.key < $1.key })
    {
      publisher.note("warning: without \(leftOut.map(\.isolator).joined(separator: ", ")): \(reason)")
    }
    if let copy = container.plan.copiedRoot {
      publisher.note("warning: the image was copied for this task, \(Quantity.bytes(copy.bytes)): \(copy.reason)")
    }
    bestEffort("write \(paths.plan)") {
      try writeFileAtomically(paths.plan, Array(launcher.report(container.plan).pretty.utf8), mode: 0o600)
    }
    return Launched(provisioned: provisioned, container: container)
  }

  /// Writes down what was launched: without it nobody could go on with the container.
  private func record(_ container: any Container, _ provisioned: Provisioned) throws(ExecutorFailure) {
    let containerizer = provisioned.containerizer
    try LaunchRecord(container.plan, containerizer.image).save(paths)
    // The path is for `explain`: where commands were looked for is not to be found out afterwards.
    let path = container.plan.environment.last { $0.name == "PATH" }?.value
    let searched = path ?? ProcessEnvironment.path(hasImage: containerizer.imageName != nil)
    do throws(Errno) {
      try provisioned.prepared.journal.require(
        "launched", container.record + [("path", JSON(searched))], at: Clock.now)
    } catch {
      throw ExecutorFailure(.cannotCreate, "cannot write the journal \(paths.journal): \(error)")
    }
  }
}
