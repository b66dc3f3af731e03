import Glibc
import LinuxKernel
import StrictJSON
import Supervision
import TaskModel
import TaskStore

/// `--detach`: the same command in a process of its own, in a session of its own. This one tells the task's id, waits until
/// the task runs, and says what went wrong as the foreground would; a signal ends the waiting and not the task.
///
/// What the new process says to people is in the task's `executor.log`.
struct DetachedRun {
  let taskID: String
  /// The command with its operands and options, without what is about output and descriptors.
  var words: [String]
  /// What becomes standard input.
  var input: SharedDescriptor?
  /// What the caller has bound, each to be read from a descriptor.
  var bindings: [(key: String, value: SharedDescriptor)] = []
  /// `executor.log`, or what becomes it; what stood there before is another executor's.
  let log: SharedDescriptor
  var logStart: Int64 = 0
  let style: StatusPublisher.Style
  /// `--status-fd` of the caller.
  let status: SharedDescriptor?
  let signals: SharedDescriptor

  /// The hidden option of the new process: where it tells this one how the task fares.
  static let option = Option("--detached", value: "N", "", isHidden: true)
  /// Numbers in the new process.
  private enum Number {
    static let updates = 3
    static let status = 4
  }
  /// What the process says until it runs is as long as this at the most.
  private static let mostText = 1 << 20

  /// A file without a name in the directory of the tasks: it gets one when the task has a directory.
  static func newLog(_ workDirectory: String) throws(ExecutorFailure) -> SharedDescriptor {
    let tasks = TaskPaths.tasks(workDirectory)
    try TrustedDirectory.make(tasks, mode: 0o711, option: "--work-dir")
    do throws(Errno) { return SharedDescriptor(try openTemporary(in: tasks)) } catch {
      throw ExecutorFailure(
        .cannotCreate, "cannot make a log for the executor in \(workDirectory): \(error)",
        hint: error.code == EACCES || error.code == EROFS ? "choose another place with --work-dir" : nil)
    }
  }

  /// - Returns: 0 when the task runs, has finished, or was not waited for any more; else the exit status of the foreground.
  func start() throws(ExecutorFailure) -> ExitCode {
    do {
      let updates = try makePipe()
      let null = SharedDescriptor(try openFile("/dev/null", O_RDWR))
      var files = [input ?? null, null, log, updates.second]
      var words = words + [Self.option.name, String(Number.updates)]
      if let status {
        files.append(status)
        words += ["--status-fd", String(Number.status)]
      }
      for (key, value) in bindings {
        words += ["--bind", "\(key)=@/dev/fd/\(files.count)"]
        files.append(value)
      }
      var request = SpawnRequest(
        executable: .path(CurrentProcess.program), arguments: ["aurora-executor"] + words,
        descriptors: files.map(\.rawValue))
      request.owners = files
      request.environment = HostEnvironment.all
      request.newSession = true
      let child = try request.spawn()
      switch style {
      case .plain: Console.output(taskID)
      case .json: Console.output(JSON(object: [("task_id", JSON(taskID))]).compact)
      }
      switch try wait(updates.first.descriptor, child.pidfd) {
      case .running: return .finished
      case .interrupted:
        Console.note("the task \(taskID) goes on: `aurora-executor status \(taskID)` shows it, `stop` ends it")
        return .finished
      case .ended:
        let end = try child.wait().status
        Console.raw(said(), to: 2)
        guard case .exited(let code) = end else {
          throw ExecutorFailure(.internalError, "the executor of \(taskID) was killed (\(end))")
        }
        return ExitCode(rawValue: code) ?? .internalError
      }
    } catch let failure as ExecutorFailure {
      throw failure
    } catch {
      throw ExecutorFailure(.internalError, "cannot start a process for the task: \(error)")
    }
  }

  private enum Outcome { case running, ended, interrupted }

  private func wait(_ updates: borrowing FileDescriptor, _ process: borrowing FileDescriptor) throws(Errno) -> Outcome {
    let poller = try Poller()
    try updates.setNonBlocking(true)
    try poller.add(updates.rawValue, token: 1)
    try poller.add(process.rawValue, token: 2)
    try poller.add(signals.rawValue, token: 3)
    var received: [UInt8] = []
    while true {
      let events = try poller.wait()
      while let piece = try updates.read(upTo: 4096), !piece.isEmpty { received += piece }
      let told = received.split(separator: UInt8(ascii: "\n")).compactMap { try? JSON(parsing: Array($0)) }
      let runs = told.contains {
        $0["state"]?.string == TaskState.running.rawValue || $0[StatusPublisher.takenOver] != nil
      }
      if runs { return .running }
      if events.contains(where: { $0.token == 2 }) { return .ended }
      if events.contains(where: { $0.token == 3 }) { return .interrupted }
      // The end of it alone, before the process is gone.
      if events.contains(where: { $0.token == 1 && $0.hangup }) { try poller.remove(updates.rawValue) }
    }
  }

  /// What the process has said, its first line left out, which is the id.
  private func said() -> [UInt8] {
    var all: [UInt8] = []
    while all.count < Self.mostText, let piece = try? log.descriptor.read(upTo: 65536, at: logStart + Int64(all.count)),
      !piece.isEmpty
    { all += piece }
    let id = Array("\(StatusPublisher.announcement(taskID))\n".utf8)
    return all.starts(with: id) ? Array(all[id.count...]) : all
  }
}

extension DetachedRun {
  /// In the new process: nothing of the caller's is kept busy, and it is known by its name.
  static func leaveCaller() throws(ExecutorFailure) {
    CurrentProcess.setName("aurora-executor")
    do throws(Errno) { try enterDirectory("/") } catch {
      throw ExecutorFailure(.internalError, "cannot enter /: \(error)")
    }
  }

  /// `run`, with the document as it was read and judged here, also when it came from standard input.
  static func run(
    _ document: DocumentLoader, _ arguments: Arguments, _ settings: RunSettings, taskID: String,
    _ status: SharedDescriptor?, _ signals: SharedDescriptor
  ) throws(ExecutorFailure) -> ExitCode {
    guard !arguments.has("--follow") else {
      throw ExecutorFailure(
        .usage, "--detach and --follow contradict each other", hint: "`aurora-executor logs -f \(taskID)`")
    }
    var detached = DetachedRun(
      taskID: taskID, words: ["run", "--task", "-", "--task-id", taskID] + passedOn(arguments),
      log: try newLog(arguments.workDirectory), style: try arguments.outputStyle(), status: status, signals: signals)
    do throws(Errno) {
      detached.input = SharedDescriptor(try sealedMemory("task.json", document.bytes))
      // As they were read here: they need not stand on a command line, and their descriptors are the caller's.
      for binding in settings.bindings {
        detached.bindings.append((binding[0], SharedDescriptor(try sealedMemory("binding", Array(binding[1].utf8)))))
      }
    } catch {
      throw ExecutorFailure(.internalError, "cannot hand the task over: \(error)")
    }
    // The ports by number, chosen here already.
    for (name, port) in settings.ports.sorted(by: { $0.key < $1.key }) {
      detached.words += ["--port", "\(name):\(port)"]
    }
    // As the registries that images were asked for may have added to them.
    for registry in settings.plainHTTP { detached.words += ["--plain-http", registry] }
    if let ports = PortList.text(settings.ports) { Console.note("ports \(ports)") }
    return try detached.start()
  }

  /// Every option but those that say where the document is and where the output goes. The new process has another directory.
  static func passedOn(_ arguments: Arguments) -> [String] {
    let own: Set<String> = [
      "--task", "--task-id", "--detach", "--status-fd", "--output", "--follow", "--port", "--bind", "--all",
      "--plain-http", ClusterRegistries.option.name,
      option.name,
    ]
    let paths: Set<String> = ["--result", "--policy", "--docker-config", "--ca-file", CommonOptions.log.name]
    return arguments.given.filter { !own.contains($0.option) }.flatMap { option, values in
      values.isEmpty
        ? [option]
        : values.flatMap { value in
          let isPath = paths.contains(option) && !(option == CommonOptions.log.name && LogSink.daemons.contains(value))
          return [option, isPath ? DirectoryPath.absolute(value) : value]
        }
    }
  }
}
