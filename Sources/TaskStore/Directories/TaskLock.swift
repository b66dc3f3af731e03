import Glibc
import LinuxKernel

/// The right to run a task: one executor at a time holds its lock, which the kernel takes back when the executor ends.
///
/// The lock is on the task's directory itself, so that nothing on a command line can lead two executors to different
/// locks of one task.
package struct TaskLock {
  private let directory: SharedDescriptor

  /// Takes the lock of a task; refused while another executor has it.
  package static func take(_ paths: TaskPaths) throws(ExecutorFailure) -> TaskLock {
    do throws(Errno) {
      // Who only asks holds a shared lock for an instant: that is no executor. Opened anew each time: it may be another task's by
      // now that has the id.
      for attempt in 0..<50 {
        if let lock = try hold(paths.task) { return lock }
        if attempt < 49 { usleep(2000) }
      }
    } catch {
      if error.code == EPERM { throw unbelieved(paths) }
      throw ExecutorFailure(.cannotCreate, "cannot take the lock of \(paths.task): \(error)")
    }
    throw ExecutorFailure(
      .cannotCreate, "the task \(paths.taskID) is being run by another executor",
      hint: "`aurora-executor status \(paths.taskID)` shows it")
  }

  /// Takes the lock of a directory; `nil` when somebody else has it, or it is gone. EPERM where others have a say in it.
  package static func hold(_ path: String) throws(Errno) -> TaskLock? {
    do throws(Errno) {
      let directory = SharedDescriptor(try openFile(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW))
      guard try FileLock.take(.exclusive, on: directory.rawValue, wait: false) else { return nil }
      // It may have been removed before it was locked.
      let (held, named) = (try status(of: directory.rawValue), try status(of: path))
      guard isOwn(held) else { throw Errno("flock", code: EPERM) }
      return held.inode == named.inode && held.device == named.device ? TaskLock(directory: directory) : nil
    } catch  where error.code == ENOENT {
      return nil
    }
  }

  /// A task's directory in which nobody else has a say.
  package static func open(_ paths: TaskPaths) throws(ExecutorFailure) -> SharedDescriptor {
    do throws(Errno) {
      let directory = SharedDescriptor(try openFile(paths.task, O_RDONLY | O_DIRECTORY | O_NOFOLLOW))
      if isOwn(try status(of: directory.rawValue)) { return directory }
    } catch {
      throw ExecutorFailure(.cannotCreate, "cannot open \(paths.task): \(error)")
    }
    throw unbelieved(paths)
  }

  private static func isOwn(_ about: FileStatus) -> Bool {
    about.uid == CurrentProcess.effectiveUser && about.permissions & 0o022 == 0
  }

  private static func unbelieved(_ paths: TaskPaths) -> ExecutorFailure {
    ExecutorFailure(
      .needsPrivileges,
      "\(paths.task) is of another user, or others can write to it: what is in it is not believed",
      hint: "remove it, if it is not known where it comes from")
  }

  /// Whether some executor runs the task now. What cannot be looked at may well be run; what is not there is not.
  package static func isHeld(_ paths: TaskPaths) -> Bool {
    do throws(Errno) {
      let directory = try openFile(paths.task, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
      return try !FileLock.take(.shared, on: directory.rawValue, wait: false)
    } catch {
      return error.code != ENOENT
    }
  }
}
