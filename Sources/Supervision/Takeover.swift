import Containers
import LinuxKernel
import TaskModel
import TaskStore

/// A task whose executor is gone, held by this one: its lock first, then what its journal says.
package struct Takeover {
  /// With the run directory in which the task was launched.
  package let paths: TaskPaths
  package let lock: TaskLock
  package let history: TaskHistory

  /// Refuses a task that has ended, that another executor runs, or whose journal is damaged: from a damaged journal
  /// nobody can know what has run, and nothing is done about the task.
  package init(_ paths: TaskPaths) throws(ExecutorFailure) {
    lock = try TaskLock.take(paths)
    if (try? status(of: paths.result)) != nil {
      throw ExecutorFailure(
        .cannotCreate, "the task \(paths.taskID) has ended", hint: "`aurora-executor status \(paths.taskID)` says how")
    }
    history = try TaskHistory(paths)
    self.paths = paths.launched
    guard !history.journal.isDamaged else {
      throw ExecutorFailure(
        .internalError, "the journal \(paths.journal) is damaged after line \(history.journal.lastSequence)",
        hint: "what happened cannot be known from it; nothing was done about the task")
    }
  }

  /// What is to be done about the task.
  enum Step {
    case relaunch
    case resume(any Container)
    /// Its container is gone: why.
    case lose(String)
    /// Its end was decided; what is left of the container is taken down.
    case conclude(Verdict, (any Container)?)
  }

  /// - Parameter adoption: what there is of the container; `nil` where none was launched, or nothing can be said of it.
  static func step(_ verdict: Verdict?, _ adoption: Adoption?) -> Step {
    switch (verdict, adoption) {
    case (let verdict?, .container(let container)?): .conclude(verdict, container)
    case (let verdict?, _): .conclude(verdict, nil)
    case (nil, nil): .relaunch
    case (nil, .gone(let why)?): .lose(why)
    case (nil, .container(let container)?): .resume(container)
    }
  }
}
