import LaunchModel

/// The runs that init has started, and the commands beside them.
struct RunTable {
  private var byKey: [RunKey: Run] = [:]
  private var order: [Run] = []
  /// Not reaped yet. There are no more than the task may have processes.
  private(set) var alive: [Run] = []

  subscript(key: RunKey) -> Run? { byKey[key] }

  /// What is known of every run, in the order of their starts.
  var reports: [RunReport] { order.map { RunReport($0.key, $0.state) } }

  /// Whether the end of every run was written down.
  var areRecorded: Bool { order.allSatisfy(\.isRecorded) }

  func isAlive(_ pid: Int32) -> Bool { alive.contains { $0.pid == pid } }

  mutating func add(_ run: Run) {
    byKey[run.key] = run
    order.append(run)
    alive.append(run)
  }

  /// A command is no run of the task: nobody is told of it who did not ask for it.
  mutating func addCommand(_ run: Run) { alive.append(run) }

  /// Whose process has ended, for it to be reaped; `nil` for a stray.
  mutating func takeEnded(_ pid: Int32) -> Run? {
    guard let index = alive.firstIndex(where: { $0.pid == pid }) else { return nil }
    alive.swapAt(index, alive.count - 1)
    return alive.removeLast()
  }
}
