import TaskModel
import TaskStore

/// How a run of a task has ended, for who has asked for it.
package struct TaskEnd {
  package let state: TaskState
  package var reason: String?
  /// `--assert-clean`: something of it is still there.
  package var isUnclean = false
  /// Why it was never launched.
  package var launchFailure: ExecutorFailure?
}
