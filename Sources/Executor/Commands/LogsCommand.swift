import ContainerInit
import Glibc
import LinuxKernel
import TaskModel
import TaskStore

/// `logs`: what the processes of a task have written.
enum LogsCommand {
  static let command = Command(
    name: "logs", summary: "print what the processes of a task have written", synopsis: "TASK [options]",
    options: CommonOptions.directories + [
      Option("--process", value: "NAME", "only this process"),
      Option("--run", value: "N|last", "only this run, or the last of each process (all runs)"),
      Option("--stdout", "only standard output"),
      Option("--stderr", "only standard error"),
      Option("--tail", value: "N", "only the last N lines of all that would be shown"),
      Option("--since", value: "TIME", "only what was written since: 10m, 1h30m, 2026-11-22T10:15:00Z, or a UNIX time"),
      Option("--executor", "what the executor of a detached task has said, and nothing else"),
      Option("--raw", "as it was written, also what a terminal acts on"),
      Option("--follow", short: "-f", "go on as more is written, until the task ends"),
    ],
    notes: """
      Without options every run of every process is shown, standard output and standard error, line by line in the order
      in which they were written. Lines are prefixed with their process where the task has several, and with `stderr`
      where both streams are shown. One stream of one process is shown as the bytes are.
      """,
    run: run)

  private static func run(_ arguments: Arguments) throws(ExecutorFailure) -> ExitCode {
    let paths = try TaskSelection.one(arguments)
    if arguments.has("--executor") { return try showExecutorLog(paths) }
    let tail = try arguments.integer("--tail", in: 0...100_000_000)
    if arguments.has("--stdout"), arguments.has("--stderr") {
      throw ExecutorFailure(.usage, "--stdout and --stderr exclude each other", hint: "without them both are shown")
    }
    var shown = try ShownLogs(paths: paths, runs: try runs(arguments), since: try since(arguments))
    if arguments.has("--stdout") { shown.streams = ["stdout"] }
    if arguments.has("--stderr") { shown.streams = ["stderr"] }
    let known = shown.processes()
    var names = known
    if let wanted = arguments.last("--process") {
      guard known.contains(where: { $0.utf8.elementsEqual(wanted.utf8) }) else { throw unknown(wanted, known) }
      names = [wanted]
      shown.process = wanted
      let numbers = shown.tree.map { ProcessLog.numbers(wanted, $0) } ?? []
      if case .only(let run) = shown.runs, !numbers.contains(run) {
        throw LogsCommand.missing(run, of: wanted, numbers)
      }
    }
    let printer = LogPrinter(
      escapes: Console.outputIsTerminal && !arguments.has("--raw"),
      namesProcesses: shown.process == nil && max(names.count, processCount(paths)) > 1,
      marksErrors: shown.streams.count > 1)
    let merge = LogMerge()
    for log in shown.logs(of: names) {
      log.begin(tail: tail)
      merge.add(log)
    }
    if let tail { skip(to: tail, merge) }
    if arguments.has("--follow") {
      // What was read ahead may be the beginning of a line.
      merge.putBack()
      for log in merge.logs { (log.follows, log.holdsPartial) = (true, printer.mixes) }
      return try LogsFollower(shown, merge, printer).run()
    }
    while !printer.isClosed, let (log, line) = merge.next() { printer.print(line, of: log) }
    printer.finish()
    return shown.exitCode
  }

  private static func showExecutorLog(_ paths: TaskPaths) throws(ExecutorFailure) -> ExitCode {
    do throws(Errno) {
      let file = try openFile(paths.executorLog, O_RDONLY | O_NOFOLLOW)
      var rest: [UInt8] = []
      while let piece = try file.read(upTo: 1 << 20), !piece.isEmpty {
        rest += piece
        let whole = rest.wholeCharacters
        Console.raw(terminalSafe(Array(rest[..<whole])))
        rest.removeFirst(whole)
      }
      Console.raw(terminalSafe(rest))
      return .finished
    } catch {
      throw ExecutorFailure(
        error.code == ENOENT ? .notFound : .internalError, "the executor of \(paths.taskID) has no log: \(error)",
        hint: error.code == ENOENT ? "one that is not detached says it where it was started" : nil)
    }
  }

  /// Each log begins with its own last lines; of all of them together only the last are wanted.
  private static func skip(to tail: Int, _ merge: LogMerge) {
    var count = 0
    for log in merge.logs {
      while let line = log.next() { count += line.startsLine ? 1 : 0 }
      log.rewind()
    }
    merge.skip(count - tail)
  }

  private static func runs(_ arguments: Arguments) throws(ExecutorFailure) -> ProcessLog.Runs {
    if arguments.last("--run") == "last" { return .last }
    return try arguments.integer("--run", in: 0...1_000_000).map { .only($0) } ?? .all
  }

  private static func since(_ arguments: Arguments) throws(ExecutorFailure) -> UInt64? {
    guard let text = arguments.last("--since") else { return nil }
    guard let time = PastTime.parse(text, now: Clock.wall) else {
      throw ExecutorFailure(
        .usage, "--since \(printable(text.utf8)): no time",
        hint: "10m, 1h30m, 2d, 2026-11-22T10:15:00Z, or seconds since 1970")
    }
    return time
  }

  /// Those of the oldest runs may have been removed (`LogCeiling`).
  private static func missing(_ run: Int, of process: String, _ runs: [Int]) -> ExecutorFailure {
    let name = printable(process.utf8)
    if let first = runs.first, run < first {
      return ExecutorFailure(
        .notFound, "the logs of \(name) run \(run) are not there any more",
        hint: "the oldest that it has are of run \(first)")
    }
    return ExecutorFailure(.notFound, "\(name) has no run \(run)", hint: "it has \(runs.count)")
  }

  private static func unknown(_ wanted: String, _ known: [String]) -> ExecutorFailure {
    let near = NearestKey.find(wanted, among: known)
    return ExecutorFailure(
      .notFound, "the task has no logs of a process \(printable(wanted.utf8))",
      hint: near.map { "did you mean \($0)?" } ?? "it has \(known.joined(separator: ", "))")
  }

  /// How many processes the document has: lines have a prefix from the first one on, also before the second process
  /// writes.
  private static func processCount(_ paths: TaskPaths) -> Int {
    guard let bytes = try? readRegularFile(paths.document, limit: 5 << 20) else { return 0 }
    return TaskDocument.decode(bytes).document?.processNames.count ?? 0
  }
}

/// Which logs of a task are shown.
struct ShownLogs {
  let paths: TaskPaths
  let runs: ProcessLog.Runs
  let since: UInt64?
  /// One process only.
  var process: String?
  var streams = ["stdout", "stderr"]
  /// Absent where there are none.
  let tree: LogTree?
  private let faults = LogFaults(say: Console.warning)

  init(paths: TaskPaths, runs: ProcessLog.Runs, since: UInt64?) throws(ExecutorFailure) {
    (self.paths, self.runs, self.since) = (paths, runs, since)
    do throws(Errno) { tree = try LogTree(paths.logs, faults: faults, say: Console.warning) } catch {
      guard error.code == ENOENT else {
        throw ExecutorFailure(
          error.code == EACCES ? .needsPrivileges : .internalError, "cannot look into \(paths.logs): \(error)",
          hint: error.code == EACCES ? "run with sudo" : nil)
      }
      tree = nil
    }
  }

  /// When everything has been shown that could be read.
  var exitCode: ExitCode { faults.isEmpty ? .finished : .internalError }

  /// Those that have logs, by name.
  func processes() -> [String] { tree?.processes() ?? [] }

  func logs(of names: [String]) -> [ProcessLog] {
    guard let tree else { return [] }
    return names.flatMap { name in
      streams.map { ProcessLog(process: name, stream: $0, tree: tree, runs: runs, since: since) }
    }
  }
}
