import LaunchModel
import LinuxKernel

/// An image's own command, for a task that has no processes, as the Docker engine starts it.
package struct ImageCommand {
  package let words: [String]
  /// Links on the way to it do not count, and it is made where the image lacks it.
  package let workingDirectory: String
  package var makesDirectory: SetupStep { .directory(target: workingDirectory, mode: 0o755) }

  /// - Parameter workingDirectory: WORKDIR; empty for none. `nil` when it is not an absolute path.
  package init?(_ words: [String], in workingDirectory: String) {
    let directory = workingDirectory.isEmpty ? "/" : workingDirectory
    guard directory.utf8.first == UInt8(ascii: "/"), !directory.utf8.contains(0) else { return nil }
    self.words = words
    self.workingDirectory = directory.cleanedAbsolutePath
  }
}
