import LaunchModel
import LinuxKernel
import TaskModel

/// Ends of runs that init wrote down and nobody has heard of yet: what is left of an init that is gone.
package enum UnreportedEnds {
  /// In the order in which they happened; only of runs that have not ended as far as the machine knows.
  package static func of(_ paths: TaskPaths, _ machine: TaskMachine) -> [ExitRecord] {
    let bytes = (try? readRegularFile(paths.exits, limit: 64 << 20)) ?? []
    return ExitRecord.records(in: bytes).filter { record in
      machine.record(of: record.key.process)?.runs.contains {
        $0.number == Int(record.key.run) && !$0.state.isTerminal
      } == true
    }
  }
}
