import TaskModel

/// Looks at a task from outside its processes and may change its course: a limit of its disk, checks of its health.
///
/// The supervisor watches `descriptor` beside everything else it watches; a monitor that needs several descriptors, or a
/// timer and a descriptor, puts them into a `Poller` of its own and gives that one.
protocol TaskMonitor: AnyObject {
  /// Readable when there is something for `takeEvents`; the same number as long as the monitor lives.
  var descriptor: Int32 { get }

  /// Does what is due, and says what the task machine shall hear. Never waits.
  func takeEvents() -> [TaskEvent]

  /// A run has ended, and the machine has not heard it yet: what the monitor knows as the reason of a failure, to be heard before
  /// it. It may have to find out more first: then `isExplaining` is true until `takeEvents` has said it.
  func explainEnd(isFailure: Bool) -> [TaskEvent]
  var isExplaining: Bool { get }

  /// The task has come to a phase of its life.
  func follow(_ phase: TaskMachine.Phase)
}

extension TaskMonitor {
  func explainEnd(isFailure: Bool) -> [TaskEvent] { [] }
  var isExplaining: Bool { false }
  func follow(_ phase: TaskMachine.Phase) {}
}
