import Glibc
import LinuxKernel
import StrictJSON

/// A task's directory comes whole and goes whole: `<work-dir>/tasks/<task-id>` is there with its document and the first record
/// of its journal, or not at all.
///
/// It is made under a name that no task can have, held by its executor, and then renamed; and renamed before it is removed.
/// So what an executor leaves that is killed on the way is no task: `ps` and `recover` do not see it, and `sweep` removes it when
/// nobody holds it.
enum TaskDirectory {
  private static let prefix = ".new-"

  /// Makes it, with the record that a journal begins with. Fails where the task is there already. The sandbox is root's until
  /// `Sandbox.prepare` hands it over.
  static func make(_ paths: TaskPaths, document: [UInt8], created: [(String, JSON?)]) throws(Errno) -> (
    lock: TaskLock, journal: Journal
  ) {
    try makeDirectories(TaskPaths.tasks(paths.workDirectory), mode: 0o711)
    let (draft, lock) = try begin(paths)
    do throws(Errno) {
      try makeDirectory(draft.logs, mode: 0o700)
      try makeDirectory(draft.sandbox, mode: 0o700)
      let file = try openFile(draft.document, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600)
      try file.writeAll(document)
      let journal = try Journal(creating: draft.journal)
      try journal.append("created", created, at: Clock.now)
      try renameNew(draft.task, to: paths.task)
      return (lock, journal)
    } catch {
      try? removeTree(draft.task)
      throw error
    }
  }

  /// A directory without a task's name, and its lock.
  private static func begin(_ paths: TaskPaths) throws(Errno) -> (TaskPaths, TaskLock) {
    while true {
      let draft = hidden(paths)
      do throws(Errno) { try makeDirectory(draft.task, mode: 0o700) } catch  where error.code == EEXIST { continue }
      // Whoever sweeps may have come before the lock.
      if let lock = try TaskLock.hold(draft.task) { return (draft, lock) }
    }
  }

  /// - Parameter lock: for nobody else to remove it meanwhile.
  static func remove(_ paths: TaskPaths, _ lock: TaskLock?) throws(Errno) {
    let rest = hidden(paths)
    try rename(paths.task, to: rest.task)
    try removeTree(rest.task)
    withExtendedLifetime(lock) {}
  }

  private static func hidden(_ paths: TaskPaths) -> TaskPaths {
    let random = String(UInt32.random(in: 0 ... .max), radix: 16)
    return TaskPaths(
      workDirectory: paths.workDirectory, runDirectory: paths.runDirectory,
      taskID: prefix + paths.taskID + "-" + random)
  }

  /// What executors that were killed have left of tasks that were never there, or not any more; also what others are at now.
  static func leftovers(_ workDirectory: String) -> [String] {
    let tasks = TaskPaths.tasks(workDirectory)
    return ((try? entries(of: tasks)) ?? []).filter { $0.isDirectory && $0.name.starts(with: prefix.utf8) }
      .compactMap { String(validating: $0.name, as: UTF8.self) }.sorted().map { tasks + "/" + $0 }
  }
}
