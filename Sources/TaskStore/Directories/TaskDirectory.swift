import Glibc
import LinuxKernel
import StrictJSON

/// A task's directory comes whole and goes whole: `<work-dir>/tasks/<task-id>` is there with its document and the first record
/// of its journal, or not at all.
///
/// It is made under a name that no task can have, held by its executor, and then renamed; and renamed before it is removed.
/// So what an executor leaves that is killed on the way is no task: `ps` and `recover` do not see it, and `sweep` removes it when
/// nobody holds it. The writable layer goes the same way: what a task has put there can take long to remove, and its end does
/// not wait for that.
package enum TaskDirectory {
  private static let prefix = ".new-"

  package struct Made {
    package let lock: TaskLock
    package let journal: Journal
    package let result: PreparedFile?
  }

  /// Makes it, with the record that a journal begins with, and with room for what is to be written at the end. Fails where the
  /// task is there already. The sandbox is root's until `Sandbox.prepare` hands it over.
  ///
  /// - Parameters:
  ///   - processes: how many the task has: each is told of.
  ///   - hasResult: whether there is to be a result in it.
  package static func make(
    _ paths: TaskPaths, document: [UInt8], created: [(String, JSON?)], processes: Int, hasResult: Bool
  ) throws(Errno) -> Made {
    let (draft, lock) = try begin(paths)
    do throws(Errno) {
      try makeDirectory(draft.logs, mode: 0o700)
      try makeDirectory(draft.sandbox, mode: 0o700)
      let file = try openFile(draft.document, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600)
      try file.writeAll(document)
      let journal = try Journal(creating: draft.journal)
      try journal.require("created", created, at: Clock.now)
      let exits = try openFile(draft.exits, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600)
      _ = try allocate(exits, from: 0, bytes: Int64(min(processes, 1000) * exitBytes))
      let result = hasResult ? try result(draft, processes: processes) : nil
      try renameNew(draft.task, to: paths.task)
      return Made(lock: lock, journal: journal, result: result)
    } catch {
      bestEffort("remove \(draft.task), which is half made") { try removeTree(draft.task) }
      throw error
    }
  }

  /// The result to be, with as much room as most need; it stays with the directory whatever that is called.
  package static func result(_ paths: TaskPaths, processes: Int) throws(Errno) -> PreparedFile {
    let directory = SharedDescriptor(try openFile(paths.task, O_RDONLY | O_DIRECTORY | O_NOFOLLOW))
    return try PreparedFile(
      TaskPaths.resultName, mode: 0o600, durable: true,
      room: Int64(resultBytes + min(processes, 1000) * resultBytesPerProcess), in: directory)
  }

  /// Of container-init's record of an end, and of what a result says of the task and of a process.
  private static let exitBytes = 128
  private static let resultBytes = 4096
  private static let resultBytesPerProcess = 768

  /// A directory without a task's name, and its lock.
  private static func begin(_ paths: TaskPaths) throws(Errno) -> (TaskPaths, TaskLock) {
    while true {
      let draft = hidden(paths)
      do throws(Errno) { try makeDirectory(draft.task, mode: 0o700) } catch  where error.code == EEXIST { continue }
      // Whoever sweeps may have come before the lock.
      if let lock = try TaskLock.hold(draft.task) { return (draft, lock) }
    }
  }

  /// Takes no longer than `removalTime`: `sweep` goes on.
  /// - Parameter lock: for nobody else to remove it meanwhile.
  package static func remove(_ paths: TaskPaths, _ lock: TaskLock?) throws(Errno) {
    let rest = try putAside(paths)
    defer { withExtendedLifetime(lock) {} }
    try removeTree(rest, until: Clock.now + removalTime)
  }

  /// Takes the task away in one step: from then on there is none.
  ///
  /// - Returns: Where its directory waits to be removed.
  package static func putAside(_ paths: TaskPaths) throws(Errno) -> String {
    let rest = hidden(paths)
    try TrustedDirectory.require(paths.task)
    try rename(paths.task, to: rest.task)
    return rest.task
  }

  /// Removes what `putAside` has taken away. Returns what went wrong.
  package static func removeRest(_ path: String) -> [String] {
    do throws(Errno) {
      try removeTree(path, until: Clock.now + removalTime)
      return []
    } catch {
      return ["cannot remove all of \(path), `sweep` takes what is left: \(error)"]
    }
  }

  private static let removalTime: UInt64 = 10_000_000_000

  // MARK: The writable layer

  /// Where the writable layer waits to be removed.
  package static func aside(_ paths: TaskPaths) -> String {
    "\(TaskPaths.tasks(paths.workDirectory))/\(prefix)\(paths.taskID)-rootfs"
  }

  /// Takes the writable layer of a container that is down away from its task, in one step.
  package static func putRootfsAside(_ paths: TaskPaths) throws(Errno) {
    guard paths.hasRootfs else { return }
    try TrustedDirectory.require(paths.task)
    do throws(Errno) { try rename(paths.rootfs, to: aside(paths)) } catch {
      switch error.code {
      case ENOENT: return
      // Something waits there already, of a launch before this one.
      case ENOTEMPTY, EEXIST: try rename(paths.rootfs, to: hidden(paths).task)
      default: throw error
      }
    }
  }

  /// Removes what was put aside. Returns what went wrong.
  package static func removeAside(_ paths: TaskPaths) -> [String] {
    let path = aside(paths)
    do throws(Errno) {
      try TrustedDirectory.require(TaskPaths.tasks(paths.workDirectory))
      // There is none, or whoever sweeps is at it.
      guard let lock = try TaskLock.hold(path) else { return [] }
      defer { withExtendedLifetime(lock) {} }
      return removeRest(path)
    } catch {
      return ["cannot remove all of \(path), `sweep` takes what is left: \(error)"]
    }
  }

  private static func hidden(_ paths: TaskPaths) -> TaskPaths {
    let random = String(UInt32.random(in: 0 ... .max), radix: 16)
    return TaskPaths(
      workDirectory: paths.workDirectory, runDirectory: paths.runDirectory,
      taskID: prefix + paths.taskID + "-" + random)
  }

  /// What executors that were killed have left of tasks that were never there, or not any more; also what others are at now.
  package static func leftovers(_ workDirectory: String) -> [String] {
    let tasks = TaskPaths.tasks(workDirectory)
    return ((try? entries(of: tasks)) ?? []).filter { $0.isDirectory && $0.name.starts(with: prefix.utf8) }
      .compactMap { String(validating: $0.name, as: UTF8.self) }.sorted().map { tasks + "/" + $0 }
  }
}
