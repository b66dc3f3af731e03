import LaunchModel
import TaskModel

/// What each stream of a run may take while nobody removes anything: its share of the ceiling of all logs.
///
/// It is decided when a run is started and held by container-init, which writes the files, also without an executor. Two
/// streams of each process that keeps a log make up the ceiling, so the newest runs of all processes are always within it.
package struct LogBound {
  package let bytes: UInt64

  /// So many old files beside the one that is written are enough not to lose much with the oldest.
  private static let backups: UInt32 = 9

  /// - Parameter ceiling: what all logs of the task may take.
  package init(ceiling: UInt64, _ processes: [ProcessDefinition]) {
    bytes = ceiling / 2 / UInt64(max(1, processes.count(where: \.keepsLog)))
  }

  /// What is asked for, where it fits; else fewer old files, and then smaller ones. The newest bytes stay.
  package func hold(_ mode: LogMode) -> LogMode {
    guard case .files(let size, let backups) = mode else { return mode }
    let asked = LogFileBounds(maximumBytes: size)
    guard asked.most(backups: backups) > bytes else { return mode }
    let room = bytes / asked.mostOfFile
    if room >= UInt64(LogBound.backups) + 2 {
      return .files(maximumBytes: size, backups: min(backups, UInt32(clamping: room - 2)))
    }
    let smallest = LogFileBounds(maximumBytes: 0)
    let most = max(bytes / smallest.mostOfFile, 3) - 2
    let kept = min(backups, LogBound.backups, UInt32(clamping: most))
    return .files(
      maximumBytes: min(size, LogFileBounds(backups: kept, within: bytes).maximumBytes), backups: kept)
  }
}

extension ProcessDefinition {
  /// Whether what it writes is kept in the directory of logs.
  package var keepsLog: Bool { ![.console, .none].contains(logger?.destination ?? .file) }
}
