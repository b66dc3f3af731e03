import Glibc
import LaunchModel
import LinuxKernel
import PlayedInit
import StrictJSON
import TaskModel
import TaskStore
import Testing

@testable import Supervision

/// A host of its own for one task at a time: directories, and files for all that the executor says.
final class TaskHost {
  let path = "/tmp/aurora-run-\(UInt64.random(in: 0 ... .max))"
  let paths: TaskPaths
  let identity: Identity
  var settings = RunSettings(role: "role", hostname: "host", isolation: [])
  var style = StatusPublisher.Style.plain
  var follows = false
  /// An account that there is, for who looks it up.
  static let user = String(cString: getpwuid(geteuid()).pointee.pw_name)
  /// A document with a final process.
  static let withFinal = #"""
    {"name": "t", "finalization_wait": 30, "processes": [
      {"name": "main", "cmdline": "x"}, {"name": "last", "cmdline": "x", "final": true}]}
    """#
  /// What is changed of a run before it begins, and of what launches the container.
  var change: (inout TaskRun) -> Void = { _ in }
  var prepare: (PlayedContainerizer) -> Void = { _ in }
  private(set) var containerizer: PlayedContainerizer?
  private let signals: DescriptorPair

  init() throws {
    paths = TaskPaths(workDirectory: path + "/work", runDirectory: path + "/run", taskID: "t-1")
    let user = CurrentProcess.effectiveUser
    identity = Identity(name: "role", uid: user, gid: user, groupName: "role", supplementaryGroups: [])
    // Read as signalfd(2) is, which hands out what was sent to this very thread.
    signals = try makePipe(nonBlocking: true)
    try makeDirectory(path, mode: 0o700)
  }
  deinit { try? removeTree(path) }

  /// One process, whose members can be more than these.
  static func task(_ members: String = "", process: String = "") -> String {
    #"{"name": "t", "processes": [{"name": "main", "cmdline": "x"\#(process)}]\#(members)}"#
  }

  // MARK: Running

  /// What a document says, bound.
  func bind(_ text: String) throws -> TaskSpecification {
    let document = try #require(TaskDocument.decode(Array(text.utf8)).document)
    let (bound, faults) = document.bind(
      Bindings(taskID: paths.taskID, role: "role", hostname: "host", ports: settings.ports))
    return try #require(bound, "\(faults)")
  }

  /// Runs a document to its end.
  func run(
    _ text: String = TaskHost.task(), _ script: InitScript, failure: ExecutorFailure? = nil,
    ending: StopRequest? = nil
  ) throws -> TaskEnd {
    let task = try bind(text)
    var run = try make(PlayedContainerizer(paths, identity, script, failure: failure))
    run.judgedIdentity = .success(identity)
    run.ending = ending
    return try run.publisher.run { () throws(ExecutorFailure) in try run.start(Array(text.utf8), task) }.get()
  }

  /// The same, with something else meanwhile. The task is killed when that fails.
  func run<Value: Sendable>(
    _ text: String = TaskHost.task(), _ script: InitScript, beside body: @escaping @Sendable (TaskPaths) throws -> Value
  ) throws -> (end: TaskEnd, value: Value) {
    let paths = paths
    let aside = try Aside {
      do {
        return try body(paths)
      } catch {
        _ = try? ControlPeer(paths).ask(#"{"version": 1, "request": "kill"}"#)
        throw error
      }
    }
    let end = Result { try run(text, script) }
    let value = try aside.join()
    return (try end.get(), value)
  }

  /// Goes on with a task that has been rewound.
  func recover(_ script: InitScript, isAlive: Bool) throws -> TaskEnd {
    let takeover = try Takeover(paths)
    let run = try make(PlayedContainerizer(paths, identity, script, isAlive: isAlive))
    return try run.publisher.run { () throws(ExecutorFailure) in try run.recover(takeover) }.get()
  }

  private func make(_ containerizer: PlayedContainerizer) throws -> TaskRun {
    self.containerizer = containerizer
    prepare(containerizer)
    let publisher = try StatusPublisher(
      taskID: paths.taskID, style: style, statusDescriptor: try file("status"),
      streams: .init(output: try file("output").rawValue, errors: try file("errors").rawValue))
    let held = Held(containerizer)
    var run = TaskRun(
      paths: paths, settings: settings, publisher: publisher,
      launcher: TaskLauncher(containerizer: { _, _, _, _ in held.containerizer }, report: { _ in JSON(object: []) }),
      resultFile: nil, follows: follows, signals: signals.first)
    change(&run)
    return run
  }

  private var files: [SharedDescriptor] = []

  private func file(_ name: String) throws -> SharedDescriptor {
    let opened = SharedDescriptor(try openFile("\(path)/\(name)", O_WRONLY | O_CREAT | O_APPEND, mode: 0o600))
    files.append(opened)
    return opened
  }

  /// What sends a signal to the executor.
  var sender: @Sendable (Int32) throws -> Void {
    let end = signals.second
    return { signal in
      // `struct signalfd_siginfo`: the signal comes first, the pid fourth.
      var info = [UInt32](repeating: 0, count: 32)
      (info[0], info[3]) = (UInt32(signal), 4711)
      try info.withUnsafeBytes { try end.descriptor.writeAll(Array($0)) }
    }
  }

  /// As if its executor had been killed after the first record that fits.
  func rewind(where isMeant: (JournalContents.Record) -> Bool) throws {
    let lines = try readFile(paths.journal).split(separator: UInt8(ascii: "\n"))
    let last = try #require(try journal.firstIndex(where: isMeant))
    let kept = lines[...last].flatMap { $0 + [UInt8(ascii: "\n")] }
    try writeFileAtomically(paths.journal, kept, mode: 0o600)
    try writeFileAtomically(paths.launchRecord, try #require(containerizer?.container?.launchRecord), mode: 0o600)
    try removeFile(paths.result)
  }

  func rewind(to type: String) throws { try rewind { $0.type == type } }

  // MARK: What there is to see

  var result: JSON { get throws { try JSON(parsing: readRegularFile(paths.result, limit: 1 << 20)) } }
  var journal: [JournalContents.Record] { get throws { try JournalContents(reading: paths.journal).records } }
  /// All that came on `--status-fd`, on standard output and on standard error.
  var updates: [JSON] { get throws { try lines("status").map { try JSON(parsing: Array($0.utf8)) } } }
  var states: [String?] { get throws { try updates.map { $0["state"]?.string } } }
  var output: String { get throws { String(decoding: try readFile(path + "/output"), as: UTF8.self) } }
  var errors: String { get throws { String(decoding: try readFile(path + "/errors"), as: UTF8.self) } }

  private func lines(_ name: String) throws -> [String] {
    try readFile("\(path)/\(name)").split(separator: UInt8(ascii: "\n")).map { String(decoding: $0, as: UTF8.self) }
  }

  /// The states of a process's runs.
  func runs(_ process: String) throws -> [String?] {
    (try result["processes"]?[process]?["runs"]?.array ?? []).map { $0["state"]?.string }
  }

  /// The notes of the result, one a line.
  var notes: String {
    get throws { (try result["notes"]?.array ?? []).compactMap(\.string).joined(separator: "\n") }
  }

  /// The launcher's closure may cross threads, and here does not.
  private struct Held: @unchecked Sendable {
    let containerizer: PlayedContainerizer
    init(_ containerizer: PlayedContainerizer) { self.containerizer = containerizer }
  }
}
