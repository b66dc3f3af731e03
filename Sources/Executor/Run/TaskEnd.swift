import TaskModel

/// How a run of a task has ended, for who has asked for it.
struct TaskEnd {
  let state: TaskState
  /// `--assert-clean`: something of it is still there.
  var isUnclean = false
  /// Why it was never launched.
  var launchFailure: ExecutorFailure?
}
