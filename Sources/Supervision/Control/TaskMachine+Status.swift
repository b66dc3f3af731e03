import StrictJSON
import TaskModel

extension TaskMachine {
  /// Where the task stands, as `status` is answered.
  var statusMembers: [(String, JSON?)] {
    let processes = processes.map { record in
      let members: [(String, JSON?)] = [
        ("runs", JSON(record.runs.count)), ("state", record.runs.last.map { JSON($0.state.rawValue) }),
      ]
      return (record.name, Optional(JSON(object: members)))
    }
    return [
      ("state", JSON(state.rawValue)), ("phase", JSON(phase.rawValue)), ("processes", JSON(object: processes)),
    ]
  }
}
