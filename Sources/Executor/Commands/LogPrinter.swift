import LinuxKernel
import TaskStore

/// Prints lines of several logs, each with the name of its process where that is needed to tell them apart.
final class LogPrinter {
  private let escapes: Bool
  private let namesProcesses: Bool
  private let marksErrors: Bool
  private var output: [UInt8] = []
  private var prefixes: [ObjectIdentifier: [UInt8]] = [:]
  /// The log whose line has not ended yet.
  private var unfinished: (log: ProcessLog, run: Int?)?
  private var hasPrefix = false
  /// Whether lines of one log are shown between those of another.
  var mixes: Bool { namesProcesses || marksErrors }
  /// Nobody reads any more.
  private(set) var isClosed = false

  private static let enough = 65536

  /// - Parameters:
  ///   - namesProcesses: prefix each line with its process.
  ///   - marksErrors: lines of standard error are among those of standard output.
  init(escapes: Bool, namesProcesses: Bool, marksErrors: Bool) {
    (self.escapes, self.namesProcesses, self.marksErrors) = (escapes, namesProcesses, marksErrors)
  }

  func print(_ line: LogLine, of log: ProcessLog) {
    if unfinished.map({ $0.log !== log || $0.run != log.run }) == true || line.startsLine { endLine() }
    if unfinished == nil {
      let prefix = prefix(of: log)
      hasPrefix = !prefix.isEmpty
      output += prefix
    }
    if escapes { output += terminalSafe(Array(line.bytes)) } else { output += line.bytes }
    unfinished = line.endsLine ? nil : (log, log.run)
    if output.count >= Self.enough { flush() }
  }

  private func prefix(of log: ProcessLog) -> [UInt8] {
    if let known = prefixes[ObjectIdentifier(log)] { return known }
    let words = [
      namesProcesses ? printable(log.process.utf8) : nil, marksErrors && log.stream == "stderr" ? log.stream : nil,
    ].compactMap { $0 }
    let prefix = words.isEmpty ? [] : Array((words.joined(separator: " ") + " | ").utf8)
    prefixes[ObjectIdentifier(log)] = prefix
    return prefix
  }

  /// Lines of different logs and runs are kept apart.
  private func endLine() {
    if unfinished != nil { output.append(UInt8(ascii: "\n")) }
    unfinished = nil
  }

  /// The end of everything. What has no prefix ends as it was written.
  func finish() {
    if hasPrefix { endLine() }
    flush()
  }

  func flush() {
    if !output.isEmpty, !isClosed, !StandardStream.write(output, to: 1) { isClosed = true }
    output.removeAll(keepingCapacity: true)
  }
}
