import Glibc
import LinuxKernel

/// The run directory of a task that this executor runs, as it was made or found.
///
/// A cleaner of temporary files may remove it while the task runs, and another task of the same id, of another work
/// directory, have its own there next. So nothing is done in it by name before it is asked whether the name still means it.
package final class HeldRunDirectory {
  private let paths: TaskPaths
  /// Open, its inode is nobody else's.
  private var directory: SharedDescriptor

  package init(_ paths: TaskPaths, _ directory: SharedDescriptor) {
    self.paths = paths
    self.directory = directory
  }

  /// Whether its name leads to it still.
  package var isInPlace: Bool {
    guard let held = try? status(of: directory.rawValue), let named = try? status(of: paths.run) else { return false }
    return held.inode == named.inode && held.device == named.device
  }

  /// For what is done in it by name: it is the task's own, made anew where it was removed, and nobody else has a say in it.
  package func require() throws(Errno) {
    try TrustedDirectory.require(paths.run)
    if isInPlace { return }
    do throws(ExecutorFailure) { try renew() } catch { throw Errno("openat", code: ESTALE) }
  }

  /// Makes it anew, or what says whose it is, where somebody has removed it.
  package func renew() throws(ExecutorFailure) {
    do throws(Errno) {
      try TrustedDirectory.require(paths.run)
      if isInPlace {
        _ = try RunDirectory.putLink(paths)
        return
      }
    } catch {
      throw ExecutorFailure(.cannotCreate, "\(paths.run): \(error)")
    }
    directory = try RunDirectory.make(paths).directory
  }

  /// Removes it with what is a task's in it. What has come into its place is another's.
  ///
  /// - Parameter keepsMounts: see `RunDirectory.remove`.
  package func remove(keepsMounts: Bool) throws(Errno) {
    try TrustedDirectory.require(paths.run)
    guard isInPlace else { return }
    let lock = SharedDescriptor(try openFile(".", O_RDONLY | O_DIRECTORY, at: directory.rawValue))
    _ = try FileLock.take(.exclusive, on: lock.rawValue, wait: true)
    guard isInPlace else { return }
    try RunDirectory.remove(paths, lock, keepsMounts: keepsMounts)
  }
}
