import Glibc
import LinuxKernel

/// Shows the processes' output on the terminal as it comes, each line prefixed with its process.
///
/// It reads the log files, like anybody else could: a terminal that stands still never stops a process.
final class LogFollower {
  private final class Stream {
    let prefix: String
    let directory: String
    let name: String
    let target: Int32
    var file: SharedDescriptor?
    var offset: Int64 = 0
    var line: [UInt8] = []
    /// Lines that the terminal has not taken yet.
    var unsent: ArraySlice<UInt8> = []
    /// There was more than one turn's worth.
    var isBehind = false

    init(prefix: String, directory: String, name: String, target: Int32) {
      self.prefix = prefix
      self.directory = directory
      self.name = name
      self.target = target
    }
  }

  private let watcher: FileWatcher
  private var streams: [Int32: [Stream]] = [:]
  private let width: Int
  private let escapes: Bool
  /// What is read of one stream before the others, and the supervisor, get their turn.
  private static let turn = 262_144
  /// Who is further behind than this at the end of a run is told where the rest is.
  private static let rest: Int64 = 1 << 20
  /// A line without end is shown in pieces of this size.
  private static let longestLine = 16384

  /// - Parameter processes: all names, for prefixes of one width.
  init(processes: [String]) throws(Errno) {
    watcher = try FileWatcher()
    escapes = Console.outputIsTerminal
    width = min(24, processes.map { $0.unicodeScalars.count }.max() ?? 0)
  }

  var descriptor: Int32 { watcher.descriptor.rawValue }

  /// Starts showing a run. Its log directory exists.
  func follow(process: String, run: Int, directory: String) {
    let name = printable(process.utf8)
    let padding = String(repeating: " ", count: max(0, width - name.unicodeScalars.count))
    guard let watch = try? watcher.watch(directory) else { return }
    streams[watch] = [("stdout", Int32(1)), ("stderr", 2)].map {
      Stream(prefix: name + padding + " | ", directory: directory, name: $0.0, target: $0.1)
    }
  }

  /// Whether some output waits: for its turn, or for a terminal that does not keep up.
  var isBehind: Bool { streams.values.joined().contains { $0.isBehind || !$0.unsent.isEmpty } }

  /// Shows what the watched files have got since.
  func takeEvents() {
    for watch in watcher.takeEvents() {
      for stream in streams[watch] ?? [] { read(stream) }
    }
  }

  /// Goes on with what waits.
  func goOn() {
    for stream in streams.values.joined() where stream.isBehind || !stream.unsent.isEmpty { read(stream) }
  }

  /// Shows the rest of a run that has ended.
  func drain(process: String, run: Int) {
    let ending = Array("/\(process)/\(run)".utf8)
    let watches = streams.filter {
      $0.value.first.map { $0.directory.utf8.suffix(ending.count).elementsEqual(ending) } == true
    }
    for (watch, list) in watches {
      list.forEach(end)
      watcher.unwatch(watch)
      streams[watch] = nil
    }
  }

  /// Shows what is left of everything.
  func finish() { streams.values.joined().forEach(end) }

  /// What is left is shown when it is little; of much, the place is named. Who reads gets a second to go on reading: the
  /// end of a run waits no longer for anybody.
  private func end(_ stream: Stream) {
    read(stream)
    let path = stream.directory + "/" + stream.name
    let size = Int64(clamping: (try? status(of: path))?.size ?? 0)
    guard size - stream.offset <= Self.rest, flush(stream) else {
      Console.note("\(stream.prefix)… the rest is in \(path)")
      return
    }
    guard !stream.line.isEmpty else { return }
    send(Array(stream.prefix.utf8) + stream.line + [UInt8(ascii: "\n")], of: stream)
    stream.line = []
    _ = flush(stream)
  }

  /// Shows what waits, as long as it gets on; false when it does not.
  private func flush(_ stream: Stream) -> Bool {
    var patience = 20
    while stream.isBehind || !stream.unsent.isEmpty {
      let before = (stream.offset, stream.unsent.count)
      read(stream)
      if before == (stream.offset, stream.unsent.count) {
        patience -= 1
        guard patience > 0 else { return false }
        StandardStream.waitForWriting(stream.target, milliseconds: 50)
      } else {
        patience = 20
      }
    }
    return true
  }

  private func read(_ stream: Stream) {
    stream.isBehind = false
    stream.unsent = stream.unsent.dropFirst(StandardStream.writeWithoutWaiting(stream.unsent, to: stream.target))
    var taken = 0
    while stream.unsent.isEmpty {
      if stream.file == nil {
        guard let opened = try? openFile(stream.directory + "/" + stream.name, O_RDONLY | O_NOFOLLOW) else { return }
        stream.file = SharedDescriptor(opened)
        stream.offset = 0
      }
      guard taken < Self.turn else {
        stream.isBehind = true
        return
      }
      guard let file = stream.file, let bytes = try? file.descriptor.read(upTo: 65536, at: stream.offset) else {
        return
      }
      if bytes.isEmpty {
        // At the end of this file: a rotation may have put another in its place.
        guard let held = try? status(of: file.rawValue),
          let named = try? status(of: stream.directory + "/" + stream.name), held.inode != named.inode
        else { return }
        stream.file = nil
        continue
      }
      stream.offset += Int64(bytes.count)
      taken += bytes.count
      show(bytes, of: stream)
    }
  }

  private func show(_ bytes: [UInt8], of stream: Stream) {
    var output: [UInt8] = []
    for byte in bytes {
      if byte == UInt8(ascii: "\n") || stream.line.count >= Self.longestLine {
        output += Array(stream.prefix.utf8) + stream.line + [UInt8(ascii: "\n")]
        stream.line.removeAll(keepingCapacity: true)
        if byte == UInt8(ascii: "\n") { continue }
      }
      stream.line.append(byte)
    }
    if !output.isEmpty { send(output, of: stream) }
  }

  private func send(_ output: [UInt8], of stream: Stream) {
    let shown = escapes ? Console.escaped(output) : output
    stream.unsent = shown[...].dropFirst(StandardStream.writeWithoutWaiting(shown[...], to: stream.target))
  }
}
