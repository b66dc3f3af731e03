import LaunchModel
import LinuxKernel
import StrictJSON
import TaskModel
import TaskStore

/// What `plan` says of a task's logs: what all of them may take, and how the files of each process are bounded for that.
struct LogsReport {
  private struct Files {
    let process: String
    let size: UInt64
    let backups: UInt32
    /// What the document says, where that is more than there is room for.
    let asked: (size: UInt64, backups: UInt32)?
    let isStandard: Bool
  }

  private let ceiling: UInt64
  private let files: [Files]

  init(_ processes: [ProcessDefinition], ceiling: UInt64) {
    self.ceiling = ceiling
    let bound = LogBound(ceiling: ceiling, processes)
    files = processes.filter(\.keepsLog).compactMap { process in
      guard case .files(let askedSize, let askedBackups) = RunLogs.mode(for: process),
        case .files(let size, let backups) = RunLogs.mode(for: process, within: bound)
      else { return nil }
      let isStandard = process.logger?.mode == .standard
      let isReduced = !isStandard && (size != askedSize || backups != askedBackups)
      return Files(
        process: process.name, size: size, backups: backups, asked: isReduced ? (askedSize, askedBackups) : nil,
        isStandard: isStandard)
    }
  }

  var json: JSON {
    JSON(object: [
      ("most_bytes", JSON(ceiling)),
      (
        "files",
        JSON(
          files.map { file in
            JSON(object: [
              ("process", JSON(file.process)), ("log_size", JSON(file.size)), ("backups", JSON(Int64(file.backups))),
              (
                "asked",
                file.asked.map {
                  JSON(object: [("log_size", JSON($0.size)), ("backups", JSON(Int64($0.backups)))])
                }
              ),
            ])
          })
      ),
    ])
  }

  /// What the document says itself is not said again.
  var lines: [String] {
    guard !files.isEmpty else { return [] }
    func text(_ size: UInt64, _ backups: UInt32) -> String {
      Quantity.bytes(size) + (backups == 0 ? "" : " and \(backups) old one\(backups == 1 ? "" : "s")")
    }
    return ["logs       at most \(Quantity.bytes(ceiling)), of all runs"]
      + files.compactMap { file in
        let name = "  \(printable(file.process.utf8)): "
        if let asked = file.asked {
          return name + "a stream has a file of \(text(file.size, file.backups)) instead of "
            + text(asked.size, asked.backups)
        }
        return file.isStandard ? name + "a stream has a file of \(text(file.size, file.backups))" : nil
      }
  }
}
