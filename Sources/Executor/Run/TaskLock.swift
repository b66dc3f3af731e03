import Glibc
import LinuxKernel

/// The right to run a task: one executor at a time holds its lock, which the kernel takes back when the executor ends.
struct TaskLock {
  private let file: SharedDescriptor

  /// Takes the lock of a task; refused while another executor has it.
  static func take(_ paths: TaskPaths) throws(CommandFailure) -> TaskLock {
    do throws(Errno) {
      try makeDirectories(paths.runDirectory, mode: 0o711)
      try makeDirectories(paths.run, mode: 0o700)
      let file = SharedDescriptor(try openFile(paths.lock, O_RDWR | O_CREAT | O_NOFOLLOW, mode: 0o600))
      if try FileLock.take(.exclusive, on: file.rawValue, wait: false) { return TaskLock(file: file) }
    } catch {
      let hint = error.code == EACCES || error.code == EROFS ? "choose another place with --run-dir" : nil
      throw CommandFailure(.cannotCreate, "cannot take the lock \(paths.lock): \(error)", hint: hint)
    }
    throw CommandFailure(
      .cannotCreate, "the task \(paths.taskID) is being run by another executor",
      hint: "`aurora-executor status \(paths.taskID)` shows it")
  }

  /// Whether some executor runs the task now.
  static func isHeld(_ paths: TaskPaths) -> Bool {
    do throws(Errno) {
      let file = try openFile(paths.lock, O_RDWR | O_NOFOLLOW)
      return try !FileLock.take(.exclusive, on: file.rawValue, wait: false)
    } catch {
      return false
    }
  }

  /// What the run directory holds is for a live task only.
  static func removeRunDirectory(_ paths: TaskPaths) {
    try? removeTree(paths.run)
  }
}
