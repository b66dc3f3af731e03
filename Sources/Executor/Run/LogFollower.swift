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
  /// A line without end is shown in pieces of this size.
  private static let longestLine = 16384

  /// - Parameter processes: all names, for prefixes of one width.
  init(processes: [String]) throws(Errno) {
    watcher = try FileWatcher()
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

  /// Shows what the watched files have got since.
  func takeEvents() {
    for watch in watcher.takeEvents() {
      for stream in streams[watch] ?? [] { read(stream) }
    }
  }

  /// Shows the rest of a run that has ended.
  func drain(process: String, run: Int) {
    let ending = "/\(process)/\(run)"
    for (watch, list) in streams
    where list.first.map({ $0.directory.utf8.reversed().starts(with: ending.utf8.reversed()) }) == true {
      for stream in list {
        read(stream)
        flushLine(stream)
      }
      watcher.unwatch(watch)
      streams[watch] = nil
    }
  }

  /// Shows what is left of everything.
  func finish() {
    for stream in streams.values.joined() {
      read(stream)
      flushLine(stream)
    }
  }

  private func read(_ stream: Stream) {
    while true {
      if stream.file == nil {
        guard let opened = try? openFile(stream.directory + "/" + stream.name, O_RDONLY | O_NOFOLLOW) else { return }
        stream.file = SharedDescriptor(opened)
        stream.offset = 0
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
    if !output.isEmpty { Console.raw(output, to: stream.target) }
  }

  private func flushLine(_ stream: Stream) {
    guard !stream.line.isEmpty else { return }
    Console.raw(Array(stream.prefix.utf8) + stream.line + [UInt8(ascii: "\n")], to: stream.target)
    stream.line = []
  }
}
