import LinuxKernel
import StrictJSON

/// `health.json`: the last checks of a task, for whoever asks how it is. Only root can read what they came back with.
package enum HealthReport {
  /// A task may have thousands of processes with checks.
  private static let limit = 64 << 20

  /// Nothing depends on it, so a disk that is full is no trouble of the task's.
  package static func write(_ subjects: [JSON], to path: String) {
    let json = JSON(object: [("health", JSON(subjects))])
    bestEffort("write \(path)") { try writeFileAtomically(path, Array(json.compact.utf8), mode: 0o600) }
  }

  /// One object a subject; `nil` when nothing was ever checked, or the file is not ours to read.
  package static func read(_ path: String) -> [JSON]? {
    guard let bytes = try? readRegularFile(path, limit: limit),
      let json = try? JSON(parsing: bytes, limits: .init(bytes: limit))
    else { return nil }
    return json["health"]?.array
  }
}
