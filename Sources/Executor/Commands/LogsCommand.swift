import Glibc
import LinuxKernel

/// `logs`: what the processes of a task have written.
enum LogsCommand {
  static let command = Command(
    name: "logs", summary: "print what the processes of a task have written", synopsis: "TASK [options]",
    options: CommonOptions.directories + [
      Option("--process", value: "NAME", "only this process"),
      Option("--run", value: "N", "only this run (the last of each process)"),
      Option("--stderr", "standard error instead of standard output"),
      Option("--tail", value: "N", "only the last N lines"),
      Option("--raw", "as it was written, also what a terminal acts on"),
      Option("--follow", short: "-f", "go on as more is written, until the task ends"),
    ], run: run)

  private static func run(_ arguments: Arguments) throws(CommandFailure) -> ExitCode {
    let paths = try TaskSelection.one(arguments)
    let run = try arguments.integer("--run", in: 0...1_000_000)
    let tail = try arguments.integer("--tail", in: 0...100_000_000)
    let stream = arguments.has("--stderr") ? "stderr" : "stdout"
    let all = ((try? entries(of: paths.logs)) ?? []).filter(\.isDirectory).map(\.name).sorted {
      $0.lexicographicallyPrecedes($1)
    }
    var processes = all.compactMap { String(validating: $0, as: UTF8.self) }
    if let wanted = arguments.last("--process") {
      guard processes.contains(where: { $0.utf8.elementsEqual(wanted.utf8) }) else {
        let near = NearestName.find(wanted, among: processes)
        throw CommandFailure(
          .notFound, "the task has no logs of a process \(printable(wanted.utf8))",
          hint: near.map { "did you mean \($0)?" } ?? "it has \(processes.joined(separator: ", "))")
      }
      processes = [wanted]
    }
    var tails: [LogTail] = []
    let escapes = Console.outputIsTerminal && !arguments.has("--raw")
    for process in processes {
      let runs = ((try? entries(of: "\(paths.logs)/\(process)")) ?? []).compactMap { AccountFile.number($0.name) }
      guard let number = run ?? runs.max().map(Int.init), runs.contains(UInt32(number)) else {
        if run != nil, processes.count == 1 {
          throw CommandFailure(.notFound, "\(process) has no run \(run ?? 0)", hint: "it has \(runs.count)")
        }
        continue
      }
      let prefix = processes.count > 1 ? printable(process.utf8) + " | " : ""
      tails.append(LogTail(directory: paths.logs(process, number), stream: stream, prefix: prefix, escapes: escapes))
    }
    for log in tails { log.show(tail: tail) }
    guard arguments.has("--follow") else { return .finished }
    return try follow(tails, paths)
  }

  private static func follow(_ tails: [LogTail], _ paths: TaskPaths) throws(CommandFailure) -> ExitCode {
    do throws(Errno) {
      let watcher = try FileWatcher()
      let poller = try Poller()
      try poller.add(watcher.descriptor.rawValue, token: 1)
      for log in tails { _ = try watcher.watch(log.directory) }
      while true {
        let ended = (try? status(of: paths.result)) != nil
        for log in tails { log.showNew() }
        if ended || !TaskLock.isHeld(paths) { return .finished }
        // The end of the task makes no event in the log directories, so it is looked for now and then.
        _ = try poller.wait(timeoutMilliseconds: 1000)
        _ = watcher.takeEvents()
      }
    } catch {
      throw CommandFailure(.internalError, "cannot follow the logs: \(error)")
    }
  }
}

/// One stream of one run with its rotated files, oldest first.
final class LogTail {
  let directory: String
  private let stream: String
  private let prefix: String
  private let escapes: Bool
  private var file: SharedDescriptor?
  private var offset: Int64 = 0
  private var line: [UInt8] = []

  init(directory: String, stream: String, prefix: String, escapes: Bool) {
    self.escapes = escapes
    self.directory = directory
    self.stream = stream
    self.prefix = prefix
  }

  /// Prints what there is, or the last lines of it.
  func show(tail: Int?) {
    let names = ((try? entries(of: directory)) ?? []).compactMap { String(validating: $0.name, as: UTF8.self) }
    let numbers = names.filter { $0.utf8.starts(with: (stream + ".").utf8) }
      .compactMap { Int($0.dropFirst(stream.utf8.count + 1)) }.sorted(by: >)
    let files = numbers.map { "\(stream).\($0)" } + [stream]
    if let tail { skip(to: tail, files) } else { for name in files { open(name) { self.readAll() } } }
  }

  private func open(_ name: String, _ body: () -> Void) {
    guard let opened = try? openFile(directory + "/" + name, O_RDONLY | O_NOFOLLOW) else { return }
    file = SharedDescriptor(opened)
    offset = 0
    body()
  }

  /// Finds, from the end, where the last `count` lines begin; then prints from there.
  private func skip(to count: Int, _ files: [String]) {
    var missing = count
    var start = files.count - 1
    var startOffset: Int64 = 0
    search: for index in files.indices.reversed() {
      start = index
      startOffset = 0
      guard let opened = try? openFile(directory + "/" + files[index], O_RDONLY | O_NOFOLLOW),
        let size = try? status(of: opened.rawValue).size
      else { continue }
      var end = Int64(size)
      // The newline at the very end closes the last line and begins none.
      var isLast = index == files.count - 1
      while end > 0 {
        let from = max(0, end - 65536)
        guard let piece = try? opened.read(upTo: Int(end - from), at: from) else { break }
        for (position, byte) in piece.enumerated().reversed() where byte == UInt8(ascii: "\n") {
          if isLast, from + Int64(position) + 1 == Int64(size) {
            isLast = false
            continue
          }
          missing -= 1
          if missing <= 0 {
            startOffset = from + Int64(position) + 1
            break search
          }
        }
        end = from
      }
    }
    if count == 0 {
      open(stream) { self.offset = Int64((try? status(of: self.file?.rawValue ?? -1).size) ?? 0) }
      return
    }
    for index in start..<files.count {
      open(files[index]) {
        if index == start { self.offset = startOffset }
        self.readAll()
      }
    }
  }

  /// Prints what has been written since; goes on in the new file when the old one was rotated away.
  func showNew() {
    readAll()
    guard let held = file, let about = try? status(of: held.rawValue),
      let named = try? status(of: directory + "/" + stream), about.inode != named.inode
    else { return }
    open(stream) { self.readAll() }
  }

  private func readAll() {
    while let file, let bytes = try? file.descriptor.read(upTo: 1 << 18, at: offset), !bytes.isEmpty {
      offset += Int64(bytes.count)
      if prefix.isEmpty { print(bytes) } else { show(bytes) }
    }
  }

  private func show(_ bytes: [UInt8]) {
    var output: [UInt8] = []
    for byte in bytes {
      if line.isEmpty { output += Array(prefix.utf8) }
      output.append(byte)
      line = byte == UInt8(ascii: "\n") ? [] : [byte]
    }
    print(output)
  }

  private func print(_ bytes: [UInt8]) { Console.raw(escapes ? Console.escaped(bytes) : bytes) }
}
