import LinuxKernel
import TaskModel
import TaskStore

/// Finds the task that a command names: by its id, or by the beginning of it where that is enough.
enum TaskSelection {
  static func one(_ arguments: Arguments) throws(ExecutorFailure) -> TaskPaths {
    try named(try arguments.operands(1...1, "the task")[0], arguments)
  }

  static func named(_ name: String, _ arguments: Arguments) throws(ExecutorFailure) -> TaskPaths {
    let ids = try TaskPaths.allIDs(arguments.workDirectory)
    let found = ids.contains(name) ? [name] : ids.filter { $0.utf8.starts(with: name.utf8) }
    guard let id = found.first, found.count == 1 else {
      if found.isEmpty {
        if let elsewhere = try byRunDirectory(name, arguments) { return elsewhere }
        let near = NearestKey.find(name, among: ids)
        throw ExecutorFailure(
          .notFound, "there is no task \(printable(name.utf8)) in \(arguments.workDirectory)",
          hint: near.map { "did you mean \($0)?" } ?? "`aurora-executor ps` lists them")
      }
      throw ExecutorFailure(
        .usage, "\(name) begins the ids of \(found.count) tasks", hint: found.prefix(5).joined(separator: ", "))
    }
    return TaskPaths(workDirectory: arguments.workDirectory, runDirectory: arguments.runDirectory, taskID: id)
  }

  /// A task of a work directory that nobody has named: its run directory says which.
  private static func byRunDirectory(_ name: String, _ arguments: Arguments) throws(ExecutorFailure) -> TaskPaths? {
    guard TaskPaths.isValidID(name), arguments.workDirectory.utf8.elementsEqual(Defaults.workDirectory.utf8) else {
      return nil
    }
    var paths = TaskPaths(workDirectory: arguments.workDirectory, runDirectory: arguments.runDirectory, taskID: name)
    guard (try? status(of: paths.run)) != nil else { return nil }
    try TrustedDirectory.check(paths.run)
    guard let owner = RunDirectory.owner(paths) else { return nil }
    paths.workDirectory = owner
    try TrustedDirectory.check(TaskPaths.tasks(owner))
    return paths.isMissing ? nil : paths
  }
}
