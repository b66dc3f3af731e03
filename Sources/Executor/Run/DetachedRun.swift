import Glibc
import LinuxKernel
import StrictJSON
import TaskModel

/// `--detach`: the same run in a process of its own. This one returns when the task has started, or has failed to.
enum DetachedRun {
  /// The number of the first binding's descriptor in the new process.
  private static let firstBinding = 4

  static func start(
    _ document: DocumentLoader, _ arguments: Arguments, _ settings: RunSettings, taskID: String
  ) throws(CommandFailure) -> ExitCode {
    do {
      // The document as it was read and judged here, also when it came from standard input.
      let file = try sealedMemory("task.json", document.bytes)
      let updates = try makePipe()
      defer { withExtendedLifetime(updates) {} }
      let null = try openFile("/dev/null", O_RDWR)
      // As they were read here: they need not stand on a command line, and their descriptors are the caller's.
      let bindings = try settings.bindings.map { binding in
        (key: binding[0], value: SharedDescriptor(try sealedMemory("binding", Array(binding[1].utf8))))
      }
      var request = SpawnRequest(
        executable: .path("/proc/self/exe"),
        arguments: ["aurora-executor", "run", "--task", "-", "--task-id", taskID, "--status-fd", "3"]
          + passedOn(arguments) + ports(settings)
          + bindings.enumerated().flatMap {
            ["--bind", "\($1.key)=@/dev/fd/\(firstBinding + $0)"]
          },
        descriptors: [file.rawValue, null.rawValue, null.rawValue, updates.second.rawValue]
          + bindings.map(\.value.rawValue))
      request.owners = bindings.map(\.value)
      request.environment = HostEnvironment.all
      request.newSession = true
      let child = try request.spawn()
      let state = try firstState(from: updates.first.descriptor, child.pidfd)
      guard let state else {
        throw CommandFailure(
          .cannotCreate, "the task \(taskID) was not started",
          hint: "run it without --detach to see why")
      }
      if let ports = PortChoice.description(settings.ports) { Console.note("ports \(ports)") }
      Console.output(taskID)
      return state.isTerminal && state != .finished ? .failed : .finished
    } catch let failure as CommandFailure {
      throw failure
    } catch {
      throw CommandFailure(.internalError, "cannot start a process for the task: \(error)")
    }
  }

  /// Every option but those that say where the document is and where the output goes.
  private static func passedOn(_ arguments: Arguments) -> [String] {
    let own: Set<String> = [
      "--task", "--task-id", "--detach", "--status-fd", "--output", "--follow", "--port", "--bind",
    ]
    return arguments.values.filter { !own.contains($0.key) }.sorted { $0.key < $1.key }.flatMap { option, values in
      values.isEmpty ? [option] : values.flatMap { [option, $0] }
    }
  }

  /// The ports by number, chosen here already.
  private static func ports(_ settings: RunSettings) -> [String] {
    settings.ports.sorted { $0.key < $1.key }.flatMap { ["--port", "\($0.key):\($0.value)"] }
  }

  /// Waits until the task runs or has ended; `nil` when its executor ended without a word.
  private static func firstState(from updates: borrowing FileDescriptor, _ process: borrowing FileDescriptor)
    throws(Errno) -> TaskState?
  {
    let poller = try Poller()
    try updates.setNonBlocking(true)
    try poller.add(updates.rawValue, token: 1)
    try poller.add(process.rawValue, token: 2)
    var received: [UInt8] = []
    while true {
      let hasEnded = try poller.wait().contains { $0.token == 2 }
      while let piece = try updates.read(upTo: 4096), !piece.isEmpty { received += piece }
      for line in received.split(separator: UInt8(ascii: "\n")) {
        guard let json = try? JSON(parsing: Array(line)),
          let state = json["state"]?.string.flatMap({ TaskState(rawValue: $0) })
        else { continue }
        if state == .running || state.isTerminal { return state }
      }
      if hasEnded { return nil }
    }
  }
}
