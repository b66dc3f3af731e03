import Glibc
import LaunchModel
import LinuxKernel
import TaskModel

/// Shows the processes' output on the executor's own standard output and standard error as it comes: of all processes,
/// each line prefixed with its process, or of those alone whose document says `console` or `both`, as the bytes are.
///
/// It reads the files that init writes, like anybody else could: a terminal that stands still never stops a process, and
/// what it has not taken by the time a file is rotated away is counted and said.
final class ConsoleFollower {
  private final class Stream {
    let prefix: [UInt8]
    let log: LogStream
    let name: String
    let target: Int32
    var line: [UInt8] = []
    /// Bytes that the terminal has not taken yet.
    var unsent: ArraySlice<UInt8> = []
    /// There was more than one turn's worth.
    var isBehind = false
    /// What nobody has been told of yet.
    var missing: UInt64 = 0
    var noted: UInt64?

    init(prefix: [UInt8], log: LogStream, name: String, target: Int32) {
      (self.prefix, self.log, self.name, self.target) = (prefix, log, name, target)
    }

    /// Up to where the stream was shown, in whole lines.
    var shown: UInt64? { unsent.isEmpty ? log.position.map { $0 &- UInt64(line.count) } : nil }
  }

  private final class FollowedRun {
    let process: ProcessDefinition
    let number: Int
    let directory: String
    let streams: [Stream]
    let shown: ShownPositions

    init(
      process: ProcessDefinition, number: Int, directory: String, streams: [Stream], shown: ShownPositions
    ) {
      (self.process, self.number, self.directory) = (process, number, directory)
      (self.streams, self.shown) = (streams, shown)
    }
    var keepsFiles: Bool { process.logger?.destination != .console }
  }

  private let paths: TaskPaths
  private let watcher: FileWatcher
  private var runs: [Int32: FollowedRun] = [:]
  private let showsAll: Bool
  private let width: Int
  private let escapes: Bool
  /// Standard output or standard error, while it does not get on: nobody waits for it again.
  private var stalled: Set<Int32> = []
  /// What is read of one stream before the others, and the supervisor, get their turn.
  private static let turn = 262_144
  /// Who is further behind than this at the end of a run is told where the rest is.
  private static let rest: UInt64 = 1 << 20
  /// A line without end is shown in pieces of this size.
  private static let longestLine = 16384

  /// Nil when nothing is to be shown.
  init?(_ processes: [ProcessDefinition], paths: TaskPaths, showsAll: Bool) throws(Errno) {
    guard showsAll || processes.contains(where: \.goesToConsole) else { return nil }
    self.paths = paths
    self.showsAll = showsAll
    watcher = try FileWatcher()
    escapes = Console.outputIsTerminal
    // For prefixes of one width.
    width = min(24, processes.map { $0.name.unicodeScalars.count }.max() ?? 0)
  }

  var descriptor: Int32 { watcher.descriptor.rawValue }

  /// Starts showing a run. Its directory exists.
  ///
  /// - Parameter resumes: another executor has begun to; what it has shown is not shown again.
  func follow(_ process: ProcessDefinition, run: Int, resumes: Bool = false) {
    guard showsAll || process.goesToConsole else { return }
    let directory = RunLogs.path(process, run: run, paths)
    guard let watch = try? watcher.watch(directory) else { return }
    let shown = ShownPositions(paths, process.name, run)
    let name = printable(process.name.utf8)
    let padding = String(repeating: " ", count: max(0, width - name.unicodeScalars.count))
    let streams = [("stdout", Int32(1)), ("stderr", 2)].compactMap { stream, target in
      LogStream(directory, stream).map {
        Stream(prefix: showsAll ? Array((name + padding + " | ").utf8) : [], log: $0, name: stream, target: target)
      }
    }
    for (index, stream) in streams.enumerated() {
      if let position = shown.position(index) {
        stream.log.go(to: position)
      } else if resumes, !process.goesToConsole {
        // Nobody has shown it so far, and it may be much.
        stream.log.goToEnd()
      }
    }
    runs[watch] = FollowedRun(
      process: process, number: run, directory: directory, streams: streams, shown: shown)
  }

  /// When to go on with what waits, in milliseconds: at once with what waits for its turn, now and then with what waits
  /// for a terminal that does not keep up; nil when nothing waits.
  var timeout: Int32? {
    let streams = runs.values.flatMap(\.streams)
    if streams.contains(where: { $0.isBehind && $0.unsent.isEmpty }) { return 1 }
    return streams.contains { !$0.unsent.isEmpty } ? 50 : nil
  }

  /// Shows what the watched files have got since.
  func takeEvents() {
    for watch in watcher.takeEvents() { if let run = runs[watch] { show(run) { _ in true } } }
  }

  /// Goes on with what waits.
  func goOn() {
    for run in runs.values { show(run) { $0.isBehind || !$0.unsent.isEmpty } }
  }

  /// Shows the rest of a run that has ended.
  func drain(process: String, run number: Int) {
    for (watch, run) in runs where run.number == number && run.process.name.utf8.elementsEqual(process.utf8) {
      end(run)
      watcher.unwatch(watch)
      runs[watch] = nil
    }
  }

  /// Shows what is left of everything.
  func finish() {
    runs.values.forEach(end)
    runs = [:]
  }

  // MARK: The end of a run

  /// What is left is shown when it is little; of much, the place is named. Who reads gets a second to go on reading: the
  /// end of a run waits no longer for anybody.
  private func end(_ run: FollowedRun) {
    for stream in run.streams {
      read(stream)
      let isTooMuch = run.keepsFiles && stream.log.left > Self.rest
      if !isTooMuch, flush(stream) {
        guard !stream.line.isEmpty else { continue }
        send(stream.prefix + stream.line + (stream.prefix.isEmpty ? [] : [UInt8(ascii: "\n")]), of: stream)
        stream.line = []
        _ = flush(stream)
      } else if run.keepsFiles {
        tell("\(run.process.name) \(stream.name): … the rest is in \(run.directory)/\(stream.name)")
      } else {
        stream.missing += stream.log.left + UInt64(stream.line.count + stream.unsent.count)
      }
      tellMissing(stream, of: run)
    }
    run.shown.remove()
    // A console has no log: what could not be shown by now is gone.
    if !run.keepsFiles { try? removeTree(run.directory) }
  }

  /// Shows what waits, as long as it gets on; false when it does not.
  private func flush(_ stream: Stream) -> Bool {
    var patience = stalled.contains(stream.target) ? 0 : 20
    while stream.isBehind || !stream.unsent.isEmpty {
      let before = (stream.log.current?.offset, stream.unsent.count)
      read(stream)
      if before == (stream.log.current?.offset, stream.unsent.count) {
        patience -= 1
        guard patience > 0 else {
          stalled.insert(stream.target)
          return false
        }
        StandardStream.waitForWriting(stream.target, milliseconds: 50)
      } else {
        patience = 20
      }
    }
    return true
  }

  // MARK: Showing

  private func show(_ run: FollowedRun, where isWanted: (Stream) -> Bool) {
    for (index, stream) in run.streams.enumerated() where isWanted(stream) {
      read(stream)
      tellMissing(stream, of: run)
      guard let position = stream.shown, position != stream.noted else { continue }
      run.shown.note(position, index)
      stream.noted = position
    }
  }

  private func read(_ stream: Stream) {
    stream.isBehind = false
    push(stream)
    var taken = 0
    while stream.unsent.isEmpty {
      guard taken < Self.turn else {
        stream.isBehind = true
        return
      }
      guard let bytes = stream.log.read(upTo: 65536) else { break }
      taken += bytes.count
      show(bytes, of: stream)
    }
    stream.missing += stream.log.takeMissing()
  }

  private func show(_ bytes: [UInt8], of stream: Stream) {
    var output: [UInt8] = []
    var rest = bytes[...]
    while !rest.isEmpty {
      let newline = rest.firstIndex(of: UInt8(ascii: "\n"))
      let end = min(newline ?? rest.endIndex, rest.startIndex + Self.longestLine - stream.line.count)
      stream.line += rest[rest.startIndex..<end]
      rest = rest[end...]
      let isWhole = end == newline
      guard isWhole || stream.line.count >= Self.longestLine else { break }
      output += stream.prefix + stream.line
      stream.line.removeAll(keepingCapacity: true)
      if isWhole { rest = rest.dropFirst() }
      if isWhole || !stream.prefix.isEmpty { output.append(UInt8(ascii: "\n")) }
    }
    if !output.isEmpty { send(output, of: stream) }
  }

  private func send(_ output: [UInt8], of stream: Stream) {
    stream.unsent += escapes ? Console.escaped(output) : output
    push(stream)
  }

  private func push(_ stream: Stream) {
    guard !stream.unsent.isEmpty else { return }
    let taken = StandardStream.writeWithoutWaiting(stream.unsent, to: stream.target)
    if taken > 0 { stalled.remove(stream.target) }
    stream.unsent = stream.unsent.dropFirst(taken)
    if stream.unsent.isEmpty { stream.unsent = [] }
  }

  private func tellMissing(_ stream: Stream, of run: FollowedRun) {
    guard stream.missing > 0 else { return }
    let text = "\(run.process.name) \(stream.name): \(stream.missing) bytes could not be shown"
    if tell("warning: " + text) { stream.missing = 0 }
  }

  /// On standard error, unless it stands still.
  @discardableResult private func tell(_ text: String) -> Bool {
    let bytes = Console.escaped(Array(text.utf8.prefix(4000))) + [UInt8(ascii: "\n")]
    return StandardStream.writeWithoutWaiting(bytes.prefix(4096), to: 2) > 0
  }
}

extension ProcessDefinition {
  /// Whether its output belongs on the executor's own standard output.
  fileprivate var goesToConsole: Bool { [.console, .both].contains(logger?.destination) }
}
