import Cgroups
import Containers
import DockerContainerizer
import DockerEngineClient
import Glibc
import Images
import Isolators
import LinuxKernel
import MesosContainerizer
import TaskStore

/// `sweep`: removes what ended tasks have left, and what they could not take away themselves: an engine was not there,
/// or the executor was killed.
///
/// A task that has ended has a result. One that has none and whose container-init is known to be dead is ended first
/// (`AbandonedTask`). Any other may be live, or wait to be recovered: it is left alone, and so is
/// whatever may be such a one's: what cannot be looked at, and what does not say that it is of this work directory.
enum SweepCommand {
  static let command = Command(
    name: "sweep", summary: "remove what ended tasks have left over", synopsis: "[options]",
    options: CommonOptions.directories + [
      DockerOptions.socket, CommonOptions.log,
      Option("--dry-run", "only say what would be removed"),
    ],
    notes: """
      A task whose executor and container-init are both dead is ended: TASK_LOST, unless what it had to do was done. One
      that only lacks its executor is named and left to `recover`.
      Of the image store what dead imports and pulls have left goes; `image gc` removes images.
      Task directories stay: `run --rm` and rm(1) remove those. Exit status 79 when something could not be removed.
      """,
    needsProc: true, believesDirectories: true, run: run)

  private static func run(_ arguments: Arguments) throws(ExecutorFailure) -> ExitCode {
    _ = try arguments.operands(0...0, "nothing")
    try RunCommand.checkPaths(arguments)
    try TrustedDirectory.check(arguments.runDirectory + "/.init")
    var sweep = Sweep(
      workDirectory: arguments.workDirectory, runDirectory: arguments.runDirectory,
      isDryRun: arguments.has("--dry-run"))
    let given = try DockerOptions.socket(arguments)
    let socket = given ?? DockerEngine.Configuration().socketPath
    sweep.abandoned()
    sweep.native()
    OperatorLog.about(nil)
    // Nobody who uses no engine shall be told that there is none.
    if given != nil || (try? status(of: socket)) != nil {
      sweep.docker(DockerEngine(DockerEngine.Configuration(socketPath: socket)))
    }
    sweep.directories()
    sweep.leftovers()
    sweep.images()
    OperatorLog.about(nil)
    if !sweep.isDryRun { OperatorLog.note(.swept(removed: sweep.removed, left: sweep.problems.count)) }
    for waiting in sweep.waiting { Console.note(waiting) }
    for problem in sweep.problems { Console.warning(problem) }
    Console.note("\(sweep.removed) \(sweep.isDryRun ? "would be removed" : "removed")")
    return sweep.problems.isEmpty ? .finished : .residue
  }
}

/// One pass over everything that may be left.
private struct Sweep {
  let workDirectory: String
  let runDirectory: String
  let isDryRun: Bool
  var removed = 0
  var problems: [String] = []
  /// What is left alone, with what is to be done about it.
  var waiting: [String] = []

  /// Whether nothing of this task may be in use any more.
  private func isOver(_ id: String) -> Bool {
    guard TaskPaths.isValidID(id) else { return false }
    let paths = paths(id)
    if paths.isGone { return true }
    // In this order: the lock of a task that is being started is not to be touched, not even for an instant.
    return (try? status(of: paths.result)) != nil && !TaskLock.isHeld(paths)
  }

  /// What has no more than an id: the run directory may say that it is another's.
  private func isOthers(_ id: String) -> Bool {
    RunDirectory.owner(paths(id)).map { !$0.utf8.elementsEqual(workDirectory.utf8) } ?? false
  }

  private func paths(_ id: String) -> TaskPaths {
    TaskPaths(workDirectory: workDirectory, runDirectory: runDirectory, taskID: id)
  }

  private mutating func remove(_ what: String, _ body: () -> [String]) {
    Console.output(what)
    let found = isDryRun ? [] : body()
    problems += found.map { "\(what): \($0)" }
    if found.isEmpty { removed += 1 }
  }

  /// Tasks that nobody runs.
  mutating func abandoned() {
    for task in AbandonedTask.find(workDirectory, runDirectory) {
      let id = task.paths.taskID
      let remedy = "`aurora-executor recover \(id)` goes on with it"
      switch task.fate {
      case .notLaunched: waiting.append("\(id): its executor is gone, and nothing of it ran yet; \(remedy)")
      case .lives: waiting.append("\(id): its executor is gone, its processes run; \(remedy)")
      case .unknown(let why): waiting.append("\(id): its executor is gone, and it is left alone: \(why)")
      case .ended where isDryRun:
        Console.output("\(id), whose container-init is dead")
        removed += 1
      case .ended:
        do throws(ExecutorFailure) {
          guard let end = try task.end() else { continue }
          Console.output("\(id), whose container-init is dead: \(end.state)")
          problems += end.problems.map { "\(id): \($0)" }
          removed += 1
        } catch {
          problems.append("\(id): its container-init is dead, and it cannot be ended: \(error)")
        }
      }
    }
  }

  /// Cgroups of ended tasks of this work directory, with whatever is in them. Those of other work directories are
  /// somebody else's to judge.
  mutating func native() {
    guard CurrentProcess.effectiveUser == 0,
      let host = bestEffort("look for this host's cgroups", attempt: { try HostFacts.discover() }),
      let isolators = try? BuiltInIsolators.select(BuiltInIsolators.names, host: host)
    else { return }
    let owner = CgroupOwner(workDirectory: workDirectory)
    let containerizer = MesosContainerizer(isolators: isolators, host: host, owner: owner)
    for leftover in containerizer.leftovers() where leftover.isMarked || !isOthers(leftover.id) {
      let id = leftover.id
      guard isOver(id), !paths(id).isMissing else { continue }
      OperatorLog.about(id)
      remove("cgroups of \(id)") { containerizer.destroy(id, initProcess: nil) }
    }
    for id in (try? TaskPaths.allIDs(workDirectory)) ?? [] where isOver(id) && paths(id).hasRootfs {
      let paths = paths(id)
      OperatorLog.about(id)
      remove(paths.rootfs) { paths.removeRootfs() }
    }
  }

  /// How long an engine is waited for in vain, for all of its containers together.
  private static let timeout: UInt64 = 15_000_000_000
  /// Of that for one: an engine can hang at one container and go on with others.
  private static let timeoutForOne: UInt64 = 5_000_000_000

  /// Containers of ended tasks of this work directory.
  mutating func docker(_ engine: DockerEngine) {
    var left = Sweep.timeout
    do throws(DockerEngineError) {
      let listed = try engine.beginList(filters: ["label": [DockerLabels.workDirectory]])
      for container in try listed.finish(within: .nanoseconds(Int64(left))) {
        // The label may have a spelling that was this directory's at the time.
        guard let id = DockerOwnership.task(container.labels, container.names),
          let work = container.labels[DockerLabels.workDirectory],
          DirectoryPath.resolved(work).utf8.elementsEqual(workDirectory.utf8), isOver(id), !isOthers(id),
          isOwn(container, id)
        else { continue }
        remove("container \(container.id.short) of \(id)") {
          guard left > 0 else { return ["the engine did not answer for others, and was not asked"] }
          let start = Clock.now
          do throws(DockerEngineError) {
            let limit = min(left, Sweep.timeoutForOne)
            try engine.beginRemove(container.id, force: true, volumes: true).finish(within: .nanoseconds(Int64(limit)))
            return []
          } catch {
            if case .timeout = error.kind { left -= min(left, Clock.now - start) }
            return error.status == 404 ? [] : [error.description]
          }
        }
      }
    } catch {
      problems.append("the Docker engine cannot be asked: \(error)")
    }
  }

  /// A task that is still known knows the word in the labels of its container, and has none without one. One that is not
  /// may live on elsewhere: its work directory was moved, or another one is mounted there for us. What runs is left alone.
  private func isOwn(_ container: ContainerSummary, _ id: String) -> Bool {
    if paths(id).isGone { return ["exited", "dead"].contains(container.state) }
    guard let nonce = try? readFile(paths(id).containerNonce, limit: 64) else { return false }
    return container.labels[DockerLabels.nonce]?.utf8.elementsEqual(nonce) == true
  }

  /// Run directories of ended tasks, and copies of programs that this one is not.
  mutating func directories() {
    for entry in (try? entries(of: runDirectory)) ?? [] where entry.isDirectory {
      guard let id = String(validating: entry.name, as: UTF8.self), TaskPaths.isValidID(id) else { continue }
      let paths = paths(id)
      OperatorLog.about(id)
      guard (try? TrustedDirectory.check(paths.run)) != nil, let owner = RunDirectory.owner(paths),
        owner.utf8.elementsEqual(workDirectory.utf8),
        let lock = try? RunDirectory.lock(paths, wait: false)
      else { continue }
      // Asked under the lock: a task may have come meanwhile that had its directory here before.
      if isOver(id), !isListenedTo(paths) {
        remove(paths.run) { Sweep.problems { () throws(Errno) in try RunDirectory.remove(paths, lock) } }
      }
      withExtendedLifetime(lock) {}
    }
    OperatorLog.about(nil)
    guard let current = try? InitProgram.sharedPath(runDirectory) else { return }
    for entry in (try? entries(of: runDirectory + "/.init")) ?? [] where InitProgram.isShared(entry) {
      let path = runDirectory + "/.init/" + String(decoding: entry.name, as: UTF8.self)
      // Containers that run from one keep it: a mount outlives the name of its file.
      if path != current { remove(path) { Sweep.problems { () throws(Errno) in try removeFile(path) } } }
    }
  }

  /// Tasks that were being made or removed when their executor was killed.
  mutating func leftovers() {
    for path in TaskDirectory.leftovers(workDirectory) {
      guard let lock = try? TaskLock.hold(path) else { continue }
      remove(path) { Sweep.problems { () throws(Errno) in try removeTree(path) } }
      withExtendedLifetime(lock) {}
    }
  }

  /// What dead imports have left, and what pulls left of which nobody wanted the rest for a day.
  mutating func images() {
    let root = TaskPaths.images(workDirectory)
    guard CurrentProcess.effectiveUser == 0, (try? status(of: root)) != nil else { return }
    do throws(ImageError) {
      for leftover in try ImageStore(reading: root).surplus() {
        remove(leftover.path) {
          do throws(ImageError) { return try leftover.remove() ? [] : ["something works in it now"] } catch {
            return [error.message]
          }
        }
      }
    } catch {
      problems.append(error.message)
    }
  }

  /// Whether an init may still wait for an executor there. Not by what the kernel lists of sockets: whoever is in the host's network
  /// binds one of any name.
  private func isListenedTo(_ paths: TaskPaths) -> Bool {
    guard paths.isGone else { return false }
    do throws(Errno) {
      _ = try UnixSocket.connect(paths.controlSocket, kind: .sequencedPackets)
      return true
    } catch {
      // What cannot be looked at stays.
      return ![ENOENT, ECONNREFUSED].contains(error.code)
    }
  }

  private static func problems(_ body: () throws(Errno) -> Void) -> [String] {
    do throws(Errno) {
      try body()
      return []
    } catch {
      return ["\(error)"]
    }
  }
}
