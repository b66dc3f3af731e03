import Glibc
import LinuxKernel

/// The right to run a task: one executor at a time holds its lock, which the kernel takes back when the executor ends.
///
/// The lock is on the task's directory itself, so that nothing on a command line can lead two executors to different
/// locks of one task.
struct TaskLock {
  private let directory: SharedDescriptor

  /// Takes the lock of a task; refused while another executor has it.
  static func take(_ paths: TaskPaths) throws(CommandFailure) -> TaskLock {
    do throws(Errno) {
      let directory = SharedDescriptor(try openFile(paths.task, O_RDONLY | O_DIRECTORY | O_NOFOLLOW))
      // Who only asks holds a shared lock for an instant: that is no executor.
      for attempt in 0..<50 {
        if try FileLock.take(.exclusive, on: directory.rawValue, wait: false) { return TaskLock(directory: directory) }
        if attempt < 49 { usleep(2000) }
      }
    } catch {
      throw CommandFailure(.cannotCreate, "cannot take the lock of \(paths.task): \(error)")
    }
    throw CommandFailure(
      .cannotCreate, "the task \(paths.taskID) is being run by another executor",
      hint: "`aurora-executor status \(paths.taskID)` shows it")
  }

  /// Whether some executor runs the task now.
  static func isHeld(_ paths: TaskPaths) -> Bool {
    do throws(Errno) {
      let directory = try openFile(paths.task, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
      return try !FileLock.take(.shared, on: directory.rawValue, wait: false)
    } catch {
      return false
    }
  }

  /// The directory of sockets, for the container to come.
  static func makeRunDirectory(_ paths: TaskPaths) throws(CommandFailure) {
    do throws(Errno) {
      try makeDirectories(paths.runDirectory, mode: 0o711)
      try makeDirectories(paths.run, mode: 0o700)
    } catch {
      let hint = error.code == EACCES || error.code == EROFS ? "choose another place with --run-dir" : nil
      throw CommandFailure(.cannotCreate, "cannot make \(paths.run): \(error)", hint: hint)
    }
  }

  /// What the run directory holds is for a live task only.
  /// - Parameter keepsMounts: what a container that is kept has mounted stays, without the program and the socket: an
  ///   engine mounts everything once more to copy out of it.
  static func removeRunDirectory(_ paths: TaskPaths, keepsMounts: Bool = false) {
    var isMounted = false
    if keepsMounts {
      for entry in (try? entries(of: paths.run)) ?? [] {
        let path = paths.run + "/" + String(decoding: entry.name, as: UTF8.self)
        switch path {
        case paths.accounts: break
        case paths.handover:
          isMounted = true
          for file in (try? entries(of: path)) ?? [] {
            try? removeTree(path + "/" + String(decoding: file.name, as: UTF8.self))
          }
        default: try? removeTree(path)
        }
      }
    }
    if !isMounted { try? removeTree(paths.run) }
  }
}
